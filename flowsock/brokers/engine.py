"""What a broker has to be able to do: one file per engine does it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager


class Guarantee(StrEnum):
    """Say what an engine promises about a message that it has acknowledged.

    >>> async with open_broker("memory://") as broker:
    ...     print(broker.guarantee)
    within this process
    """

    LOCAL = "within this process"
    """There is one process: who collects gets it."""

    AT_MOST_ONCE = "at most once"
    """Whoever is connected at that moment gets it; who is not, or is too slow, is told of a gap."""

    AT_LEAST_ONCE = "at least once, within the retention"
    """The broker keeps it; who was not connected fetches it. What comes twice is recognised and emitted once."""


class BrokerLost(Exception):
    """Report that a connection to a broker could not be opened, or is of no use any more."""


@frozen(eq=False)
class Arrival:
    """What came from a broker.

    Attributes:
        wire: The connection that it came by.
        topic: The name of the topic.
        data: The message; ``None`` says that the connection follows the topic from now on.
        position: Where the broker keeps it, if it does.
    """

    wire: Wire
    topic: str
    data: bytes | None
    position: str | None = None


@frozen
class Letter:
    """What goes to a broker: the name of a topic, and the message."""

    topic: str
    data: bytes


class Wire(Protocol):
    """One connection to a broker. Each method raises `BrokerLost` when it is of no use any more.

    Law: messages of a topic arrive in the same order at each connection that follows it; in NATS without JetStream, only
    those of one sender do.
    """

    async def follow(self, topic: str, /) -> None:
        """Ask for the messages of a topic; the first arrival, without data, says that they come."""
        ...

    async def unfollow(self, topic: str, /) -> None:
        """Ask for them no more."""
        ...

    async def publish(self, letters: Sequence[Letter], /) -> Sequence[Exception]:
        """Hand messages over, in their order, and wait until the broker has them; give what it says to those it refused."""
        ...

    def arrivals(self) -> AsyncIterator[Arrival]:
        """Give what comes, until the connection is lost."""
        ...

    async def ping(self) -> None:
        """Ask whether the broker is there."""
        ...

    async def newest(self, topic: str, count: int, /) -> Sequence[Arrival]:
        """Give the last messages that the broker keeps, oldest first; nothing if it keeps none."""
        ...

    async def since(self, topic: str, position: str, count: int, /) -> Sequence[Arrival] | None:
        """Give the next messages after a position, so many at most; ``None`` if the position is not kept any more.

        Args:
            position: Of an arrival; empty for the beginning of what is kept.
        """
        ...


class Engine(Protocol):
    """A kind of broker at one place.

    Attributes:
        guarantee: What it promises.
        keeps: Whether it keeps messages, so that `Wire.newest` and `Wire.since` give them.
    """

    @property
    def guarantee(self) -> Guarantee: ...
    @property
    def keeps(self) -> bool: ...

    def connect(self) -> AbstractAsyncContextManager[Wire]:
        """Open a connection; raises `BrokerLost` if that fails."""
        ...
