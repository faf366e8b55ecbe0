"""Every setting of a broker, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from flowsock.channels.capacity import BufferOverflow
from flowsock.scopes.restart import Backoff
from flowsock.settings import not_negative, positive, replaced

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen(kw_only=True)
class BrokerConfig:
    """Hold the limits and the timing of a broker's client; ``memory://`` needs none of them.

    Args:
        name: What the broker calls this client in its lists; it need not be unique.
        outbox_capacity: Messages that wait for the broker, of all topics together.
        on_outbox_overflow: What happens to a message for which there is no room: ``emit`` waits, or one is dropped and counted.
        inbox_capacity: Messages of one topic that wait for its slow collectors; then the oldest are lost, or fetched again
            from the broker where it keeps them.
        max_message_size: Bytes of an encoded message. A larger one is refused by ``emit``, and dropped where it comes.
        timeout: Seconds that the broker has to answer; then the connection counts as lost.
        ping_interval: Seconds between questions whether it is still there.
        connect_timeout: Seconds that opening waits for the first connection before it goes on without one.
        close_timeout: Seconds that messages in the outbox have to reach the broker when the block ends.
        backoff: The waits between attempts to connect.
        retention: Messages of a topic that a broker with a memory keeps.
        retention_time: Seconds that it keeps them.

    Raises:
        ValueError: a limit or a duration makes no sense.

    >>> BrokerConfig(timeout=2).retention
    1000
    """

    name: str = "flowsock"
    outbox_capacity: int = field(default=1024, validator=positive)
    on_outbox_overflow: BufferOverflow = BufferOverflow.SUSPEND
    inbox_capacity: int = field(default=1024, validator=positive)
    max_message_size: int = field(default=2**20 - 1024, validator=positive)
    timeout: float = field(default=10.0, validator=positive)
    ping_interval: float = field(default=5.0, validator=positive)
    connect_timeout: float = field(default=5.0, validator=not_negative)
    close_timeout: float = field(default=5.0, validator=not_negative)
    backoff: Backoff = field(factory=lambda: Backoff(0.1, maximum=5.0))
    retention: int = field(default=1000, validator=positive)
    retention_time: float = field(default=86_400.0, validator=positive)

    def with_overrides(self, overrides: Mapping[str, Any]) -> BrokerConfig:
        """Give a copy with some settings replaced.

        Raises:
            TypeError: there is no such setting.
        """
        return replaced(self, "broker", overrides)
