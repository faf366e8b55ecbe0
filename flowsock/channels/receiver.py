"""Who waits for a channel's next value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from flowsock.clause import NOTHING, Nothing
from flowsock.parking import new_sleeper

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Receiver(Protocol[T_contra]):
    """Somebody who waits for a channel's next value. Waiting ends with the first call of either method."""

    def offer(self, value: T_contra, /) -> bool:
        """Take a value; true if the receiver at once waits for the next one, unless there is one already: then it is ended."""
        ...

    def end(self) -> None:
        """Learn that no value will come, or, after a value, that the next one is there already."""
        ...


class SuspendedReceiver(Generic[T]):
    """A suspended ``receive``."""

    __slots__ = ("sleeper", "value")

    def __init__(self, on_cancel: Callable[[], object]) -> None:
        self.sleeper = new_sleeper(on_cancel)
        self.value: T | Nothing = NOTHING

    def offer(self, value: T, /) -> bool:
        self.value = value
        self.sleeper.wake()
        return False

    def end(self) -> None:
        self.sleeper.wake()
