"""Pulling values out of a hot source: what waits first, then each one as it is dispatched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.clause import NOTHING, Nothing
from flowsock.emitting import FAIR_TURN, TURN
from flowsock.flows.subscriber import End
from flowsock.parking import light_sleepers

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from flowsock.flows.source import HotSource

T_co = TypeVar("T_co", covariant=True)


class _Hand:
    """Where a source lays a value while the loop sleeps; it does not refer to the iterator, whose dropping is to be noticed.

    Law: what was taken from the source, and the loop did not see because it was cancelled, is given back.
    """

    __slots__ = ("_new_sleeper", "_subscriber", "_turns", "_value")

    def __init__(self, source: HotSource[Any]) -> None:
        self._new_sleeper = light_sleepers()
        self._turns = FAIR_TURN
        self._value: Any | Nothing = NOTHING
        self._subscriber = source.subscribe(self._lay)

    def _lay(self, value: Any) -> None:
        self._value = value
        self._subscriber.occupy()

    def reach(self) -> Awaitable[object]:
        """Take what waits, or else wait; give what is to be awaited before `pick`. Raises `End` or an error at the end."""
        subscriber = self._subscriber
        value = subscriber.next_value()
        if value is NOTHING:
            self._turns = FAIR_TURN
            return subscriber.idle(self._new_sleeper())
        self._value = value
        self._turns -= 1
        if self._turns:
            return checkpoint_if_cancelled()
        self._turns = FAIR_TURN
        return TURN

    def pick(self) -> Any | Nothing:
        """Give what was taken or laid down; `NOTHING` after a sleep that ended without a value."""
        value, self._value = self._value, NOTHING
        if value is NOTHING:
            self._subscriber.rise()
        return value

    def close(self) -> None:
        """Take nothing any more."""
        subscriber = self._subscriber
        del self._subscriber  # which refers to this hand
        subscriber.close()
        if self._value is not NOTHING:
            subscriber.give_back(self._value)


class HotIterator(Generic[T_co]):
    """Iterate a direct source in the calling task, without a collection: a value changes tasks once.

    Dropping the iterator half-way unsubscribes on the spot.
    """

    __slots__ = ("_hand", "_source")

    def __init__(self, source: HotSource[T_co]) -> None:
        self._source: HotSource[T_co] | None = source
        self._hand: _Hand | None = None

    def __aiter__(self) -> HotIterator[T_co]:
        return self

    async def __anext__(self) -> T_co:
        hand = self._hand or self._new_hand()
        try:
            value: Any | Nothing = NOTHING
            while value is NOTHING:
                await hand.reach()
                value = hand.pick()
        except End:
            self._finish()
            raise StopAsyncIteration from None
        except BaseException:
            self._finish()
            raise
        found: T_co = value
        return found

    def _new_hand(self) -> _Hand:
        if self._source is None:
            raise StopAsyncIteration
        hand = self._hand = _Hand(self._source)
        return hand

    def _finish(self) -> None:
        self._source = None
        hand, self._hand = self._hand, None
        if hand is not None:
            hand.close()

    def __del__(self) -> None:
        self._finish()
