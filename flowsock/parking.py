"""Putting one task to sleep and waking it from plain code, on asyncio and on trio.

A sleeper is awaited once by the task that sleeps; ``wake()`` may be called once, from anywhere in the same event loop. The
``on_cancel`` callback runs *at the moment* the sleeping task is cancelled, not when that task runs next: whoever would
have woken it knows at once that nothing may reach it any more.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from flowsock._parking_asyncio import AsyncioSleeper


_ONE_YIELD: Final = (None,)


class Waiter(Protocol):
    """Somebody who waits."""

    def wake(self) -> None:
        """Let the task run again. Waking it twice, or after its cancellation, does nothing."""
        ...


class Nobody:
    """Nobody who waits."""

    __slots__ = ()

    def wake(self) -> None:
        """Do nothing."""


NOBODY: Final[Waiter] = Nobody()


class Sleeper(Waiter, Protocol):
    """One sleep of one task."""

    def __await__(self) -> Generator[Any, Any, None]: ...


class HandoverOwner(Protocol):
    """Who is told when the task that awaits a `Handover` is cancelled."""

    def cancelled(self, *given: Any) -> None:
        """Learn that the task will not see what it was given, if anything."""
        ...


class Handover(Protocol):
    """One sleep of one task, which ends with a value or an error.

    Law: a task that is cancelled after that, but before it runs again, wakes up to its cancellation all the same.

    Attributes:
        owner: Is told of that; to be set before the task sleeps.
    """

    owner: HandoverOwner

    def __await__(self) -> Generator[Any, Any, Any]: ...

    def give(self, value: Any, /) -> None:
        """End the sleep with a value; once, and not after a cancellation."""
        ...

    def fail(self, error: BaseException, /) -> None:
        """End the sleep with an error; once, and not after a cancellation."""
        ...


def nobody_to_tell() -> None:
    """Do nothing: for sleepers that are in nobody's queue."""


def new_sleeper(on_cancel: Callable[[], object] = nobody_to_tell) -> Sleeper:
    """Make a sleeper for the running task."""
    trio = _trio_if_running()
    if trio is not None:
        from flowsock._parking_trio import TrioSleeper

        return TrioSleeper(on_cancel)
    return _asyncio_sleeper()(on_cancel)


def handovers() -> Callable[[], Handover]:
    """Give the kind of `Handover` for the running event loop, for those who need many."""
    if _trio_if_running() is not None:
        from flowsock._parking_trio import TrioHandover

        return TrioHandover
    from flowsock._parking_asyncio import AsyncioHandover

    return AsyncioHandover


def new_turn() -> Iterator[Any]:
    """Make what a task waits for to let the others run once, and to see its cancellation."""
    trio = _trio_if_running()
    # On asyncio that is a bare yield; all that anyio's checkpoint() adds is finding out where it is, at twice the cost.
    return iter(_ONE_YIELD) if trio is None else trio.lowlevel.checkpoint().__await__()


def event_clock() -> Callable[[], float]:
    """Give the clock of the running event loop, for those who look at it often."""
    trio = _trio_if_running()
    clock: Callable[[], float] = sys.modules["asyncio"].get_running_loop().time if trio is None else trio.current_time
    return clock


def running_task_id() -> int:
    """Tell the running task from all others that run."""
    trio = _trio_if_running()
    return id(sys.modules["asyncio"].current_task() if trio is None else trio.lowlevel.current_task())


def _trio_if_running() -> Any:
    """Give trio's module in a task of trio's."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_task() else None


@cache
def _asyncio_sleeper() -> type[AsyncioSleeper]:
    # Imported when it is first needed, because trio's users do not pay for asyncio; remembered, because even an import that
    # has nothing left to do costs more than the rest of a sleep.
    from flowsock._parking_asyncio import AsyncioSleeper

    return AsyncioSleeper


class WaitingRoom:
    """Tasks that sleep until the same thing happens; one that is cancelled leaves."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: dict[Waiter, None] | None = None  # there are thousands of rooms, and nearly all are empty

    def sleep(self) -> Sleeper:
        """Give the sleeper that the running task is to await."""
        sleeper = new_sleeper(lambda: self.leave(sleeper))
        self.enter(sleeper)
        return sleeper

    def enter(self, waiter: Waiter) -> None:
        """Add somebody who waits."""
        if self._waiters is None:
            self._waiters = {}
        self._waiters[waiter] = None

    def leave(self, waiter: Waiter) -> None:
        """Remove somebody, if still there."""
        if self._waiters is not None:
            self._waiters.pop(waiter, None)

    def wake_all(self) -> None:
        """Let them all run again."""
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            waiter.wake()
