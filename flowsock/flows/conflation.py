"""The engine of state flows: one value, of which everybody eventually sees the latest."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from flowsock.channels.channel import NOTHING, Nothing
from flowsock.flows.dispatcher import StateEngine
from flowsock.flows.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.emitting import Emit

T = TypeVar("T")


def same_value(old: object, new: object) -> bool:
    """Compare by identity, then by equality; a comparison that gives anything but ``True`` counts as a change."""
    return old is new or (old == new) is True


class _Observer(Subscriber[T]):
    """A collector of a state; ``seen`` is the value it got last, while it is busy."""

    __slots__ = ("_state", "seen")

    def __init__(self, state: Conflation[T], chain: Emit[T]) -> None:
        super().__init__(chain)
        self._state = state
        self.seen: T | Nothing = NOTHING

    def next_value(self) -> T | Nothing:
        latest = self._state.value
        if self.seen is not NOTHING and self._state.same(self.seen, latest):
            return NOTHING
        self.seen = latest
        return latest

    def fall_behind(self) -> None:
        self.seen = self._state.dispatched

    def released(self) -> None:
        self._state._leave(self)


class Conflation(StateEngine[T]):
    """Keep one value and show its changes, rules ST1 to ST5 of Kotlin's ``StateFlow``."""

    __slots__ = ("_value", "dispatched", "same")

    def __init__(self, value: T, same: Callable[[T, T], object]) -> None:
        super().__init__()
        self._value = value
        self.dispatched = value
        self.same: Callable[[T, T], bool] = lambda old, new: same(old, new) is True

    @property
    def value(self) -> T:
        return self._value

    def set(self, value: T) -> None:
        """Replace the value, unless the new one is the same; while a dispatch runs, it follows when that is done."""
        if self.same(self._value, value):
            return
        self._value = value
        if not self._dispatching:
            self._dispatch()

    def _dispatch(self) -> None:
        self._dispatching = True
        try:
            while self.dispatched is not self._value:
                self.dispatched = self._value
                self._deliver(self.dispatched)
        finally:
            self._dispatching = False

    def subscribe(self, emit: Emit[T]) -> Subscriber[T]:
        observer = _Observer(self, emit)
        self._join(observer)
        return observer

    @property
    def replay_cache(self) -> list[T]:
        return [self._value]
