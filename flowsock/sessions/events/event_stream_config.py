"""Every setting of an event stream, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import Attribute, field, fields_dict, frozen
from attrs.validators import ge, optional

from flowsock.sessions.slow_reader import SlowReader
from flowsock.wire.origins import check_origins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowsock.wire.origins import AllowedOrigins


def _positive(_config: object, setting: Attribute[Any], value: Any) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{setting.name} must be above 0, not {value!r}")


def _known_origins(_config: object, _setting: Attribute[Any], value: AllowedOrigins) -> None:
    check_origins(value)


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

    heartbeat: float | None = field(default=15.0, validator=_positive)
    retry: float | None = field(default=None, validator=optional(ge(0)))
    outgoing_high_water: int = field(default=2**16, validator=_positive)
    slow_reader: SlowReader = field(default=SlowReader.SUSPEND, converter=SlowReader)
    outgoing_queue: int = field(default=256, validator=_positive)
    outgoing_queue_size: int = field(default=2**20, validator=_positive)
    send_timeout: float = field(default=10.0, validator=_positive)
    origins: AllowedOrigins = field(default="same", validator=_known_origins)


def event_stream_config(settings: Mapping[str, Any]) -> EventStreamConfig:
    """Make the settings of a route.

    Raises:
        TypeError: there is no such setting.
    """
    known = fields_dict(EventStreamConfig)
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise TypeError(f"no such event stream setting: {', '.join(unknown)} (there are: {', '.join(known)})")
    return EventStreamConfig(**settings)
