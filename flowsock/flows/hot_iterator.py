"""Pulling values out of a hot source: what waits first, then each one as it is dispatched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.clause import NOTHING
from flowsock.emitting import FAIR_TURN, TURN, ignore
from flowsock.flows.subscriber import End
from flowsock.parking import handovers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

    from flowsock.flows.source import HotSource
    from flowsock.flows.subscriber import Subscriber
    from flowsock.parking import Handover

T_co = TypeVar("T_co", covariant=True)


class _Hand(Generic[T_co]):
    """Where a source lays a value while the loop sleeps; it does not refer to the iterator, whose dropping is to be noticed.

    To await it is to get the next value. Law: what was taken from the source, and the loop did not see because it was
    cancelled, is given back.
    """

    __slots__ = ("_handover", "_new_handover", "_source", "_subscriber", "_turns", "is_closed")

    def __init__(self, source: HotSource[T_co]) -> None:
        self.is_closed = False
        self._source = source
        self._subscriber: Subscriber[Any] | None = None
        self._turns = FAIR_TURN

    def __await__(self) -> Generator[Any, Any, T_co]:
        if self.is_closed:
            return _raise(StopAsyncIteration())
        try:
            subscriber = self._subscriber or self._subscribe()
            value = subscriber.next_value()
        except BaseException as error:
            self.close()
            return _raise(_told(error))
        if value is not NOTHING:
            return self._in_turn(value).__await__()
        self._turns = FAIR_TURN
        handover: Handover = self._new_handover()
        handover.owner = self
        self._handover = handover
        subscriber.idle(self)
        return handover.__await__()

    def _subscribe(self) -> Subscriber[Any]:
        self._new_handover = handovers()
        self._subscriber = self._source.subscribe(self._lay)
        return self._subscriber

    async def _in_turn(self, value: Any) -> T_co:
        """Give a value that waited, unless the loop was cancelled."""
        self._turns -= 1
        try:
            if self._turns:
                await checkpoint_if_cancelled()
            else:
                self._turns = FAIR_TURN
                await TURN
        except BaseException:
            self.cancelled(value)
            raise
        found: T_co = value
        return found

    def _lay(self, value: Any) -> None:
        subscriber: Any = self._subscriber
        subscriber.emit = ignore
        subscriber.fall_behind()
        self._handover.give(value)

    def wake(self) -> None:
        """Learn, while the loop sleeps, that there is something to take, or that the source has ended."""
        subscriber: Any = self._subscriber
        try:
            value = subscriber.next_value()
        except BaseException as error:
            self.close()
            self._handover.fail(_told(error))
        else:
            if value is not NOTHING:
                subscriber.emit = ignore
                self._handover.give(value)

    def cancelled(self, *given: Any) -> None:
        """Learn that the loop will not see what it was given, if anything."""
        subscriber = self._subscriber
        self.close()
        if subscriber is not None:
            for value in given:
                subscriber.give_back(value)

    def close(self) -> None:
        """Take nothing any more."""
        self.is_closed = True
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            subscriber.close()


def _told(error: BaseException) -> BaseException:
    """Give what a loop is told of the end of its source."""
    return StopAsyncIteration() if isinstance(error, End) else error


def _raise(error: BaseException) -> Generator[Any, Any, Any]:
    yield from ()  # which makes it raise when it is awaited
    raise error


class HotIterator(Generic[T_co]):
    """Iterate a direct source in the calling task, without a collection, nor a coroutine of its own for a value that comes.

    Dropping the iterator half-way unsubscribes on the spot.
    """

    __slots__ = ("_hand",)

    def __init__(self, source: HotSource[T_co]) -> None:
        self._hand = _Hand(source)

    def __aiter__(self) -> HotIterator[T_co]:
        return self

    def __anext__(self) -> Awaitable[T_co]:
        return self._hand

    def __del__(self) -> None:
        self._hand.close()
