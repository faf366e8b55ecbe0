"""Every setting of an event stream, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from attrs.validators import ge, optional

from flowsock.sessions.config import known_origins
from flowsock.sessions.slow_reader import SlowReader
from flowsock.settings import check_names, positive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowsock.wire.origins import AllowedOrigins


@frozen(kw_only=True)
class EventStreamConfig:
    """Hold the limits and the timing of the event streams of a route.

    Args:
        heartbeat: Seconds between two comments, which keep proxies from ending a silent stream, and find out whether the client
            is still there; ``None`` for none.
        retry: Seconds that clients are to wait before they come back after a lost stream; if left out, as they think fit.
        outgoing_high_water: Bytes that wait for the client before it counts as slow, and the handler's flow waits.
        slow_reader: What happens to events then instead, or the policy's name.
        outgoing_queue: Events that wait for a slow client under the other policies, on top of the bytes above.
        outgoing_queue_size: Bytes in these events.
        send_timeout: Seconds that a slow client has to catch up, before its stream is cut.
        origins: Which browser pages may listen, as for `WebSocketConfig`. Pages of other origins that may are told so in the
            headers of CORS.

    Raises:
        ValueError: a duration or a size is not positive, there is no such policy, or ``origins`` names what is no origin.

    >>> EventStreamConfig(heartbeat=5).send_timeout
    10.0
    """

    heartbeat: float | None = field(default=15.0, validator=positive)
    retry: float | None = field(default=None, validator=optional(ge(0)))
    outgoing_high_water: int = field(default=2**16, validator=positive)
    slow_reader: SlowReader = field(default=SlowReader.SUSPEND, converter=SlowReader)
    outgoing_queue: int = field(default=256, validator=positive)
    outgoing_queue_size: int = field(default=2**20, validator=positive)
    send_timeout: float = field(default=10.0, validator=positive)
    origins: AllowedOrigins = field(default="same", validator=known_origins)


def event_stream_config(settings: Mapping[str, Any]) -> EventStreamConfig:
    """Make the settings of a route.

    Raises:
        TypeError: there is no such setting.
    """
    check_names(EventStreamConfig, "event stream", settings)
    return EventStreamConfig(**settings)
