"""`Topic`: a shared flow that spans processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from attrs import asdict, frozen

from flowsock.brokers.statistics import TopicStatistics
from flowsock.channels.capacity import BufferOverflow
from flowsock.emitting import settle
from flowsock.flows.shared import MutableSharedFlow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock.brokers.gap import Gap
    from flowsock.brokers.line import Line
    from flowsock.flows.flow import SharedFlow

T = TypeVar("T")


@frozen
class TopicSettings:
    """What a topic was asked for with; the same name is to be asked for with the same."""

    type: Any
    replay: int
    extra_buffer_capacity: int
    on_buffer_overflow: BufferOverflow
    codec: Any
    on_gap: Callable[[Gap], Any] | None


class Topic(MutableSharedFlow[T]):
    """A shared flow whose values reach the collectors in all processes that have this topic; made by `Broker.topic`.

    Laws:

    - *Order.* All collectors, in all processes, see the values in one order, which is the broker's. So a value reaches the
      collectors of its own process when the broker has given it back, once, like all others. Over ``nats://`` there
      is no such order of what several processes emit: there each process has its own, and keeps that of each sender. And
      ``memory://`` is one process, where a topic is a `MutableSharedFlow` and nothing is encoded.
    - *Emitting.* ``emit`` waits only while the broker's outbox is full, and `Broker.flush` until the broker has everything.
    - *Loss* is never silent. While the broker is not there, what is emitted waits in the outbox. What was missed is fetched
      from a broker that keeps it; otherwise a `Gap` comes by `gaps`, is counted and logged, and goes to ``on_gap``.
    - *Late collectors* get the replay cache of their process; where the broker keeps messages it is filled from there first.

    Attributes:
        name: Its name.
        gaps: The gaps, as they are found.

    >>> async with open_broker("memory://") as broker:
    ...     said = broker.topic("chat.lobby", str, replay=20)
    ...     await said.emit("hello")
    ...     await said.first()
    'hello'
    """

    __slots__ = ("_close", "_gaps", "deliver", "gaps", "line", "name", "settings", "tell")

    def __init__(self, name: str, settings: TopicSettings, close: Callable[[Topic[Any]], None]) -> None:
        super().__init__(
            replay=settings.replay,
            extra_buffer_capacity=settings.extra_buffer_capacity,
            on_buffer_overflow=settings.on_buffer_overflow,
        )
        self.name = name
        self.settings = settings
        self._close = close
        self._gaps: MutableSharedFlow[Gap] = MutableSharedFlow(
            extra_buffer_capacity=64, on_buffer_overflow=BufferOverflow.DROP_OLDEST
        )
        self.gaps: SharedFlow[Gap] = self._gaps.as_shared_flow()
        self.line: Line[T] | None = None
        self.deliver = self._broadcast.emit
        self.tell = self._tell

    def emit(self, value: T, /) -> Awaitable[None]:
        """Emit a value to all processes; await the result before emitting the next.

        Law: it is encoded at the call, and waits for the broker in the outbox; if that is full, its policy decides.

        Raises:
            TypeError: the value cannot be encoded.
            ValueError: it is too large.

        >>> async with open_broker("memory://") as broker:
        ...     said = broker.topic("chat.lobby", str, replay=1)
        ...     await said.emit("hello")
        ...     said.replay_cache
        ['hello']
        """
        return self._broadcast.emit(value) if self.line is None else self.line.send(value)

    def emit_nowait(self, value: T, /) -> None:
        """Emit a value if nobody has to be waited for.

        Law: as for `emit`, whatever the policy of the outbox.

        Raises:
            WouldBlock: the outbox is full; the value was not emitted.
            TypeError: the value cannot be encoded.
            ValueError: it is too large.

        >>> async with open_broker("memory://") as broker:
        ...     said = broker.topic("chat.lobby", str, replay=1)
        ...     said.emit_nowait("hello")
        ...     said.replay_cache
        ['hello']
        """
        if self.line is None:
            self._broadcast.emit_nowait(value)
        else:
            self.line.send_nowait(value)

    def statistics(self) -> TopicStatistics:
        """Count what passed through this topic in this process.

        Law: what was not emitted, though it came or should have come, is in one of the counts.

        >>> async with open_broker("memory://") as broker:
        ...     broker.topic("chat.lobby", str).statistics().collectors
        0
        """
        counts = asdict(self._dispatcher.statistics())
        if self.line is None:
            return TopicStatistics(**counts)
        feed = self.line.feed
        return TopicStatistics(
            **counts,
            received=feed.received,
            duplicates=feed.duplicates,
            junk=feed.junk,
            oversized=feed.oversized,
            lost=feed.lost,
            gaps=feed.gaps,
            waiting=feed.waiting,
        )

    async def wait_joined(self) -> None:
        """Wait until the broker sends what is emitted elsewhere from now on, and the replay cache has what it kept.

        Law: it returns at once when that was so before, though the connection may be lost now.

        >>> async with open_broker("memory://") as broker:
        ...     await broker.topic("chat.lobby", str).wait_joined()
        """
        if self.line is not None:
            await self.line.feed.wait_joined()

    def close(self) -> None:
        """Leave the topic: nothing comes from other processes any more.

        Law: collectors stay, and hear nothing. The name may be asked for again, and gives another topic then.

        >>> async with open_broker("memory://") as broker:
        ...     first = broker.topic("chat.lobby", str)
        ...     first.close()
        ...     broker.topic("chat.lobby", str) is first
        False
        """
        self._close(self)

    async def _tell(self, gap: Gap) -> None:
        await self._gaps.emit(gap)
        on_gap = self.settings.on_gap
        if on_gap is None:
            return
        try:
            substitute: Any = on_gap(gap)
        except Exception as error:
            self._broadcast.fail_all(error)
        else:
            await settle(self._broadcast.emit(substitute))

    def __repr__(self) -> str:
        return f"<Topic {self.name!r}>"
