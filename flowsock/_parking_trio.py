"""Sleeping on trio."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from trio.lowlevel import RaiseCancelT, Task


@final
class TrioSleeper:
    """One sleep of one trio task."""

    __slots__ = ("_on_cancel", "_task", "_woken")

    def __init__(self, on_cancel: Callable[[], object]) -> None:
        self._on_cancel = on_cancel
        self._task: Task | None = None
        self._woken = False

    def __await__(self) -> Generator[object, object, None]:
        if not self._woken:
            self._task = trio.lowlevel.current_task()
            yield from trio.lowlevel.wait_task_rescheduled(self._abort).__await__()

    def _abort(self, _raise_cancel: RaiseCancelT) -> trio.lowlevel.Abort:
        self._task = None
        self._woken = True
        self._on_cancel()
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> None:
        self._woken = True
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)
