"""`MutableStateFlow`: a hot flow with a value that can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from flowsock.flows.conflation import Conflation, same_value
from flowsock.flows.flow import StateFlow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class MutableStateFlow(StateFlow[T]):
    """A state flow whose value can be set (Kotlin: ``MutableStateFlow``).

    Law: setting never waits. A value that is the same as the current one changes nothing and keeps the old object. The value is
    to be replaced, not mutated: ``state.value.append(x)`` tells nobody.

    Args:
        value: The first value.
        same: Compares the current value with a new one; identity or equality if left out. Anything but a true ``True`` counts
            as a change, so arrays, whose ``==`` gives arrays, are safe.

    >>> state = MutableStateFlow(0)
    >>> state.update(lambda n: n + 1)
    1
    """

    __slots__ = ("_conflation",)

    def __init__(self, value: T, *, same: Callable[[T, T], object] = same_value) -> None:
        self._conflation: Conflation[T] = Conflation(value, same)
        super().__init__(self._conflation)

    @property
    def value(self) -> T:
        """Give or set the current value.

        Law: idle collectors have handled a new value, up to their first wait, when setting it returns.

        >>> state = MutableStateFlow(1)
        >>> state.value = 2
        >>> state.value
        2
        """
        return self._conflation.value

    @value.setter
    def value(self, value: T) -> None:
        self._conflation.set(value)

    def emit(self, value: T, /) -> Awaitable[None]:
        """Set the value; there is nothing to wait for, but now and then a turn for the others.

        Law: as for `value`.

        >>> state = MutableStateFlow(0)
        >>> await flow_of(1, 2, 3).collect(state.emit)
        >>> state.value
        3
        """
        return self._conflation.emit(value)

    def emit_nowait(self, value: T, /) -> None:
        """Set the value.

        Law: as for `value`; it never raises ``WouldBlock``.

        >>> state = MutableStateFlow(0)
        >>> state.emit_nowait(1)
        >>> state.value
        1
        """
        self._conflation.set(value)

    def update(self, function: Callable[[T], T], /) -> T:
        """Set the value to a function of the current one, and give the new one.

        Law: nothing comes between reading and setting.

        >>> state = MutableStateFlow(1)
        >>> state.update(lambda n: n + 1)
        2
        """
        self._conflation.set(function(self._conflation.value))
        return self._conflation.value

    def compare_and_set(self, expected: T, value: T, /) -> bool:
        """Set the value if the current one is the same as expected; tell whether it was.

        Law: nothing comes between comparing and setting.

        >>> state = MutableStateFlow(1)
        >>> state.compare_and_set(1, 2), state.compare_and_set(1, 3), state.value
        (True, False, 2)
        """
        if not self._conflation.same(self._conflation.value, expected):
            return False
        self._conflation.set(value)
        return True

    def as_state_flow(self) -> StateFlow[T]:
        """Give the read-only view.

        Law: it is the same flow, without the emitting end.

        >>> state = MutableStateFlow(1)
        >>> await state.as_state_flow().first()
        1

            0-1--2---
            as_state_flow()
            0-1--2---
        """
        return StateFlow(self._conflation)
