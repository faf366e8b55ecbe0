"""Sleeping on trio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import trio

from flowsock.parking import nobody_to_tell

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from trio.lowlevel import RaiseCancelT, Task

    from flowsock.parking import HandoverOwner


@final
class TrioSleeper:
    """One sleep of one trio task."""

    __slots__ = ("_on_cancel", "_task", "_woken")

    def __init__(self, on_cancel: Callable[[], object]) -> None:
        self._on_cancel: Callable[[], object] | None = on_cancel
        self._task: Task | None = None
        self._woken = False

    def __await__(self) -> Generator[Any, Any, None]:
        if not self._woken:
            self._task = trio.lowlevel.current_task()
            yield from trio.lowlevel.wait_task_rescheduled(self._abort).__await__()  # noqa: ASYNC105 - by hand

    def _abort(self, _raise_cancel: RaiseCancelT) -> trio.lowlevel.Abort:
        on_cancel, self._on_cancel = self._on_cancel, None
        self._task = None
        self._woken = True
        assert on_cancel is not None
        on_cancel()
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> None:
        self._woken = True
        # The callback's owner usually refers to this sleeper: dropped, they are freed without the garbage collector.
        self._on_cancel = None
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)


@final
class TrioHandover:
    """One sleep of one trio task, which is cancelled even if it was given something before, as long as it has not run again."""

    __slots__ = ("_error", "_given", "_sleeper", "owner")

    owner: HandoverOwner

    def __init__(self) -> None:
        self._sleeper = TrioSleeper(nobody_to_tell)
        self._given: tuple[Any, ...] = ()
        self._error: BaseException | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        try:
            yield from self._sleeper.__await__()
            yield from trio.lowlevel.checkpoint_if_cancelled().__await__()  # noqa: ASYNC105 - by hand
        except BaseException:
            self.owner.cancelled(*self._given)
            raise
        if self._error is not None:
            raise self._error
        [value] = self._given
        return value

    def give(self, value: Any) -> None:
        self._given = (value,)
        self._sleeper.wake()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._sleeper.wake()
