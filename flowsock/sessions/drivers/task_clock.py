"""Timers where the event loop has none to call: one task that sleeps until the next is due."""

from __future__ import annotations

import logging
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final

import anyio

from flowsock.parking import WaitingRoom

if TYPE_CHECKING:
    from collections.abc import Callable

_logger = logging.getLogger("flowsock")
_FEW: Final = 64


class TaskTimer:
    """A call that is to come, unless it is cancelled."""

    __slots__ = ("_clock", "callback")

    def __init__(self, clock: TaskClock, callback: Callable[[], object]) -> None:
        self._clock = clock
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Do not make the call, unless it was made."""
        if self.callback is not None:
            self.callback = None
            self._clock.note_cancelled()


class TaskClock:
    """Keep time and make calls while `run` runs.

    Law: calls are made in the order in which they fall due, those of one moment in the order in which they were asked for. A
    call that raises is logged and disturbs nobody. Of the calls that are remembered, at most half and a few are cancelled ones.
    """

    __slots__ = ("_cancelled", "_numbers", "_room", "_scope", "_timers")

    def __init__(self) -> None:
        self._timers: list[tuple[float, int, TaskTimer]] = []
        self._cancelled = 0
        self._numbers = count()
        self._room = WaitingRoom()
        self._scope = anyio.CancelScope(shield=True)

    def time(self) -> float:
        """Give the event loop's time."""
        return anyio.current_time()

    def call_later(self, delay: float, callback: Callable[[], object], /) -> TaskTimer:
        """Call back after a delay in seconds."""
        timer = TaskTimer(self, callback)
        entry = self.time() + delay, next(self._numbers), timer
        heappush(self._timers, entry)
        if self._timers[0] is entry:
            self._room.wake_all()
        return timer

    def note_cancelled(self) -> None:
        """Learn that one of the calls is not to be made, and forget all such calls once they are many."""
        self._cancelled += 1
        if self._cancelled > _FEW + len(self._timers) // 2:
            self._timers = [entry for entry in self._timers if entry[2].callback is not None]
            heapify(self._timers)
            self._cancelled = 0

    async def run(self) -> None:
        """Make the calls until `stop`, even while being cancelled: the last words of a session have deadlines too."""
        with self._scope:
            while True:
                self._call_due()
                with anyio.CancelScope(deadline=self._timers[0][0] if self._timers else float("inf")):
                    await self._room.sleep()

    def stop(self) -> None:
        """Make no more calls."""
        self._scope.cancel()

    def _call_due(self) -> None:
        now = self.time()
        while self._timers and self._timers[0][0] <= now:
            timer = heappop(self._timers)[2]
            callback, timer.callback = timer.callback, None
            if callback is None:
                self._cancelled -= 1
            else:
                _call(callback)


def _call(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception:
        _logger.exception("the timer %r failed", callback)
