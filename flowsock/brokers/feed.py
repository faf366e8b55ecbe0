"""What comes from a broker for one topic: checked, put in order, and emitted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from flowsock.brokers.engine import Arrival, BrokerLost
from flowsock.brokers.envelope import OVERHEAD, unpack
from flowsock.brokers.gap import Gap
from flowsock.brokers.ledger import Ledger
from flowsock.channels.capacity import BufferOverflow
from flowsock.channels.channel import Channel
from flowsock.emitting import settle
from flowsock.parking import WaitingRoom

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock.brokers.broker_config import BrokerConfig
    from flowsock.brokers.engine import Wire
    from flowsock.codecs.message_codec import MessageCodec

T = TypeVar("T")

_logger = logging.getLogger("flowsock")
_PAGE: Final = 200


class Feed(Generic[T]):
    """Follow one topic over one connection after another.

    Laws: what is emitted is in the broker's order. Before the first message of a new connection comes what was missed, where
    the broker kept it; where it did not, a gap is told there. A message is emitted once, however often it comes.

    Args:
        name: The name of the topic.
        replay: How many messages from before are wanted.
        codec: What reads the messages.
        emit: Takes them.
        tell: Takes the gaps.
        config: The settings.
        keeps: Whether the broker keeps messages.
    """

    __slots__ = (
        "_codec",
        "_config",
        "_emit",
        "_inbox",
        "_joined",
        "_keeps",
        "_ledger",
        "_name",
        "_position",
        "_replay",
        "_tell",
        "_wire",
        "duplicates",
        "gaps",
        "junk",
        "lost",
        "missed_start",
        "oversized",
        "received",
    )

    def __init__(
        self,
        name: str,
        replay: int,
        codec: MessageCodec[T],
        emit: Callable[[T], Awaitable[None]],
        tell: Callable[[Gap], Awaitable[None]],
        config: BrokerConfig,
        *,
        keeps: bool,
    ) -> None:
        self._name = name
        self._replay = replay
        self._codec = codec
        self._emit = emit
        self._tell = tell
        self._config = config
        self._keeps = keeps
        self._inbox: Channel[Arrival] = Channel(config.inbox_capacity, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
        self._ledger = Ledger()
        self._wire: Wire | None = None
        self._position: str | None = None
        self._joined = WaitingRoom()
        self.missed_start = False
        self.received = self.duplicates = self.junk = self.oversized = self.lost = self.gaps = 0

    @property
    def waiting(self) -> int:
        """Count the arrivals that nobody has looked at."""
        return self._inbox.statistics().size

    def arrive(self, arrival: Arrival) -> None:
        """Take what came; it never waits for anybody."""
        self._inbox.send_nowait(arrival)

    async def wait_joined(self) -> None:
        """Wait until the topic is followed, and what was before has been emitted."""
        while self._wire is None:
            await self._joined.sleep()

    async def run(self) -> None:
        """Emit what comes, for ever."""
        async for arrival in self._inbox:
            try:
                if arrival.wire is not self._wire:
                    await self._join(arrival.wire)
                if arrival.data is not None:
                    await self._take(arrival, arrival.data)
            except BrokerLost:
                # Whatever this was, the next connection brings it, or tells a gap.
                continue

    async def _join(self, wire: Wire) -> None:
        if not self._keeps:
            if self._wire is not None or self.missed_start:
                await self._tell_gap(None, "the connection to the broker was lost for a while")
        elif self._position is None:
            await self._begin(wire)
        else:
            await self._catch_up(wire)
        self._wire = wire
        self._joined.wake_all()

    async def _begin(self, wire: Wire) -> None:
        past = await wire.newest(self._name, max(self._replay, 1))
        self._position = past[-1].position if past else ""
        for arrival in past if self._replay else ():
            await self._take_kept(arrival)

    async def _catch_up(self, wire: Wire) -> None:
        """Emit what came after the last position, as far as the broker kept it."""
        while True:
            page = await wire.since(self._name, self._position or "", _PAGE)
            if page is None:
                await self._tell_gap(None, "the broker does not keep messages from that long ago")
                self._position = ""
                continue
            for arrival in page:
                await self._take_kept(arrival)
            if len(page) < _PAGE:
                return

    async def _take_kept(self, arrival: Arrival) -> None:
        if arrival.data is not None:
            await self._take(arrival, arrival.data, is_kept=True)

    async def _take(self, arrival: Arrival, data: bytes, *, is_kept: bool = False) -> None:
        if is_kept:
            self._position = arrival.position
        try:
            envelope, message = self._read(data)
        except ValueError:
            return
        missing = self._ledger.missing(envelope.origin, envelope.number)
        if missing > 0 and self._keeps and not is_kept:
            # It was too much for the inbox. This one is kept too, and comes again with the others.
            await self._catch_up(arrival.wire)
            missing = self._ledger.missing(envelope.origin, envelope.number)
        if missing < 0:
            self.duplicates += 1
            return
        told = self._ledger.note(envelope.origin, envelope.number)
        self._position = arrival.position or self._position
        if missing:
            self.lost += missing
            if not told:
                await self._tell_gap(missing, "they never came")
        self.received += 1
        await self._emit(message)

    def _read(self, data: bytes) -> tuple[Any, T]:
        if len(data) > self._config.max_message_size + OVERHEAD:
            self.oversized += 1
            raise ValueError("a message that is too large")
        try:
            envelope = unpack(data)
            return envelope, self._codec.decode(envelope.content)
        except ValueError:
            self.junk += 1
            raise

    async def _tell_gap(self, lost: int | None, reason: str) -> None:
        self.gaps += 1
        if lost is None:
            self._ledger.forgive()
        gap = Gap(self._name, lost, reason)
        _logger.warning("%s", gap)
        await settle(self._tell(gap))
