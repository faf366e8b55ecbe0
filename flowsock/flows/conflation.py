"""The engine of state flows: one value, of which everybody eventually sees the latest."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from flowsock.clause import NOTHING, Nothing
from flowsock.emitting import FAIR_TURN, READY, TURN
from flowsock.flows.dispatcher import StateEngine
from flowsock.flows.statistics import SharedFlowStatistics
from flowsock.flows.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock.emitting import Emit

T = TypeVar("T")


def same_value(old: object, new: object) -> bool:
    """Compare by identity, then by equality; a comparison that gives anything but ``True`` counts as a change."""
    return old is new or (old == new) is True


class _Observer(Subscriber[T]):
    """A collector of a state; while it is busy it knows the value it got last, and the number of that change."""

    __slots__ = ("_change", "_seen", "_state")

    def __init__(self, state: Conflation[T], chain: Emit[T]) -> None:
        super().__init__(chain)
        self._state = state
        self._seen: T | Nothing = NOTHING
        self._change = -1

    def next_value(self) -> T | Nothing:
        if self._change == self._state.change:
            return NOTHING
        seen, latest = self._seen, self._state.value
        self._seen, self._change = latest, self._state.change
        return NOTHING if seen is not NOTHING and self._state.same(seen, latest) else latest

    def fall_behind(self) -> None:
        self._seen, self._change = self._state.dispatched, self._state.dispatched_change

    def released(self) -> None:
        self._state.leave(self)


class Conflation(StateEngine[T]):
    """Keep one value and show its changes, rules ST1 to ST5 of Kotlin's ``StateFlow``."""

    __slots__ = ("_turns", "_value", "change", "dispatched", "dispatched_change", "distinct", "same")

    conflated = True

    def __init__(self, value: T, same: Callable[[T, T], object]) -> None:
        super().__init__()
        self._turns = FAIR_TURN
        self._value = value
        self.change = 0  # how often the value was replaced
        self.dispatched = value
        self.dispatched_change = 0
        self.distinct = same is same_value
        self.same: Callable[[T, T], bool] = lambda old, new: same(old, new) is True

    def emit(self, value: T) -> Awaitable[None]:
        """Set the value; there is nothing to wait for, but now and then a turn for the others."""
        self.set(value)
        self._turns -= 1
        if self._turns:
            return READY
        self._turns = FAIR_TURN
        return TURN

    @property
    def value(self) -> T:
        return self._value

    def set(self, value: T) -> None:
        """Replace the value, unless the new one is the same; while a dispatch runs, it follows when that is done."""
        if self.same(self._value, value):
            return
        self._value = value
        self.change += 1
        if not self._dispatching:
            self._dispatch()

    def _dispatch(self) -> None:
        self._dispatching = True
        try:
            while self.dispatched_change != self.change:
                before, skipped = self.dispatched, self.change - self.dispatched_change > 1
                self.dispatched, self.dispatched_change = self._value, self.change
                if not (skipped and self.same(before, self.dispatched)):
                    self._deliver(self.dispatched)
        finally:
            self._dispatching = False

    def subscribe(self, emit: Emit[T]) -> Subscriber[T]:
        observer = _Observer(self, emit)
        self.join(observer)
        return observer

    @property
    def replay_cache(self) -> list[T]:
        return [self._value]

    def statistics(self) -> SharedFlowStatistics:
        return SharedFlowStatistics(emitted=self.change, collectors=len(self._subscribers))
