"""Messages on their way to a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from flowsock.brokers.engine import Letter
from flowsock.channels.capacity import CONFLATED
from flowsock.channels.channel import Channel
from flowsock.clause import NOTHING
from flowsock.parking import WaitingRoom

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from flowsock.brokers.broker_config import BrokerConfig
    from flowsock.brokers.origin import Origin

_BATCH: Final = 128


@frozen
class _Outgoing:
    origin: Origin
    topic: str
    content: str | bytes


class Outbox:
    """Keep what was emitted until the broker has it.

    Laws: messages leave in the order they came. A message gets its number when it leaves, so that what the policy drops leaves
    no gap. What was on its way when a connection was lost is sent again, first, with the same numbers.
    """

    __slots__ = ("_emptied", "_on_its_way", "_waiting", "_woken", "published", "refused")

    def __init__(self, config: BrokerConfig) -> None:
        self._waiting: Channel[_Outgoing] = Channel(config.outbox_capacity, on_buffer_overflow=config.on_outbox_overflow)
        self._woken: Channel[None] = Channel(CONFLATED)
        self._on_its_way: Sequence[Letter] = ()
        self._emptied = WaitingRoom()
        self.published = 0
        self.refused = 0

    def send(self, origin: Origin, topic: str, content: str | bytes) -> Awaitable[None]:
        """Take a message; await the result before sending the next."""
        sent = self._waiting.send(_Outgoing(origin, topic, content))
        self.wake()
        return sent

    def send_nowait(self, origin: Origin, topic: str, content: str | bytes) -> None:
        """Take a message if there is room.

        Raises:
            WouldBlock: there is none.
        """
        self._waiting.send_nowait(_Outgoing(origin, topic, content))
        self.wake()

    def wake(self) -> None:
        """Let `next` return though there may be nothing."""
        self._woken.send_nowait(None)

    async def next(self) -> Sequence[Letter]:
        """Wait for messages, or for `wake`, and give those that are to leave."""
        if not self._on_its_way:
            self._on_its_way = self._letters()
        if not self._on_its_way:
            # Only a signal can be lost here to a cancellation, never a message.
            await self._woken.receive()
            self._on_its_way = self._letters()
        return self._on_its_way

    def _letters(self) -> list[Letter]:
        letters: list[Letter] = []
        while len(letters) < _BATCH and (outgoing := self._waiting.poll()) is not NOTHING:
            letters.append(Letter(outgoing.topic, outgoing.origin.wrap(outgoing.content)))
        return letters

    def arrived(self, refused: int) -> None:
        """Learn that the broker has what `next` gave, all but so many."""
        self.published += len(self._on_its_way) - refused
        self.refused += refused
        self._on_its_way = ()
        if not self.waiting:
            self._emptied.wake_all()

    @property
    def waiting(self) -> int:
        """Count the messages that the broker does not have yet."""
        waiting = self._waiting.statistics()
        return waiting.size + waiting.waiting_senders + len(self._on_its_way)

    @property
    def dropped(self) -> int:
        """Count the messages lost to the policy."""
        return self._waiting.statistics().dropped

    async def flush(self) -> None:
        """Wait until nothing waits."""
        while self.waiting:
            await self._emptied.sleep()
