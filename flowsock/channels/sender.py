"""Whose value waits for room, in a channel or in a shared flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from flowsock.clause import NOTHING, Nothing
from flowsock.parking import new_sleeper

if TYPE_CHECKING:
    from collections.abc import Generator

    from flowsock.parking import Sleeper

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Sender(Protocol[T_co]):
    """Somebody whose value waits for a channel's room."""

    @property
    def value(self) -> T_co:
        """Give the value."""
        ...

    def resolve(self, outcome: Exception | None, /) -> None:
        """Learn that the value was taken, or that it was dropped with this error."""
        ...


class SenderQueue(Protocol):
    """Where suspended senders wait."""

    def withdraw(self, sender: SuspendedSender[Any], /) -> None:
        """Take a sender out, if it is there; called at the moment of its cancellation."""
        ...

    def undelivered(self, value: Any, /) -> None:
        """Learn that the value of a withdrawn sender will not arrive; called in the sender's task, which may raise."""
        ...


class SuspendedSender(Generic[T]):
    """A suspended ``send`` or ``emit``: awaitable once, in a queue until its value is taken."""

    __slots__ = ("_outcome", "_queue", "_sleeper", "value")

    def __init__(self, queue: SenderQueue, value: T) -> None:
        self._queue = queue
        self._sleeper: Sleeper | None = None
        self._outcome: Nothing | Exception | None = NOTHING
        self.value = value

    def resolve(self, outcome: Exception | None = None, /) -> None:
        self._outcome = outcome
        if self._sleeper is not None:
            self._sleeper.wake()

    def __await__(self) -> Generator[object, object, None]:
        if self._outcome is NOTHING:
            self._sleeper = new_sleeper(lambda: self._queue.withdraw(self))
            try:
                yield from self._sleeper.__await__()
            except BaseException:
                # What the queue's owner raises comes out here, in the sender's task: whoever cancelled it must not be hit.
                if self._outcome is NOTHING:
                    self._queue.undelivered(self.value)
                raise
        if isinstance(self._outcome, Exception):
            raise self._outcome

    def close(self) -> None:
        """Take the value back: nobody will await this."""
        if self._outcome is NOTHING:
            self._queue.withdraw(self)
            self._queue.undelivered(self.value)
