"""Putting one task to sleep and waking it from plain code, on asyncio and on trio.

A sleeper is awaited once by the task that sleeps; ``wake()`` may be called once, from anywhere in the same event loop. The
``on_cancel`` callback runs *at the moment* the sleeping task is cancelled, not when that task runs next: whoever would
have woken it knows at once that nothing may reach it any more.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


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
    from flowsock._parking_asyncio import AsyncioSleeper

    return AsyncioSleeper(on_cancel)
