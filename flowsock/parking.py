"""Putting one task to sleep and waking it from plain code, on asyncio and on trio.

A sleeper is awaited once by the task that sleeps; ``wake()`` may be called once, from anywhere in the same event loop. The
``on_cancel`` callback runs *at the moment* the sleeping task is cancelled, not when that task runs next: whoever would
have woken it knows at once that nothing may reach it any more.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from flowsock._parking_asyncio import AsyncioSleeper


class Sleeper(Protocol):
    """One sleep of one task."""

    def __await__(self) -> Generator[Any, Any, None]: ...

    def wake(self) -> None:
        """Let the task run again. Waking it twice, or after its cancellation, does nothing."""
        ...


def new_sleeper(on_cancel: Callable[[], object]) -> Sleeper:
    """Make a sleeper for the running task."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        from flowsock._parking_trio import TrioSleeper

        return TrioSleeper(on_cancel)
    return _asyncio_sleeper()(on_cancel)


@cache
def _asyncio_sleeper() -> type[AsyncioSleeper]:
    # Imported when it is first needed, because trio's users do not pay for asyncio; remembered, because even an import that
    # has nothing left to do costs more than the rest of a sleep.
    from flowsock._parking_asyncio import AsyncioSleeper

    return AsyncioSleeper


class WaitingRoom:
    """Tasks that sleep until the same thing happens; one that is cancelled leaves."""

    __slots__ = ("_sleepers",)

    def __init__(self) -> None:
        self._sleepers: dict[Sleeper, None] = {}

    def sleep(self) -> Sleeper:
        """Give the sleeper that the running task is to await."""
        sleeper = new_sleeper(lambda: self._sleepers.pop(sleeper))
        self._sleepers[sleeper] = None
        return sleeper

    def wake_all(self) -> None:
        """Let them all run again."""
        sleepers, self._sleepers = self._sleepers, {}
        for sleeper in sleepers:
            sleeper.wake()
