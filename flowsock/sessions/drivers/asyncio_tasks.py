"""A task group of asyncio's own tasks, for thousands of them: anyio keeps four times as much about a task as the task is."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, ClassVar, Self

from anyio import CancelScope

from flowsock.scopes.groups import collapsed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType


class AsyncioTasks:
    """Run tasks that end with the block, whose body has a cancel scope of anyio's; the tasks have those that they make.

    Laws: leaving waits for all tasks. The first failure cancels the body and the other tasks, and leaves the block; several do
    as one ``ExceptionGroup``. Cancelling the group cancels a task once, as asyncio does: what must not live on after that runs
    in a cancel scope of its own. What cancels the block from around it cancels the tasks when the body has ended.

    Attributes:
        cancel_called: Whether the group was cancelled.
        tells_all: That whoever ends this block tells its scope, since nothing cancels the block from around it.
    """

    __slots__ = ("_body", "_context", "_ended", "_errors", "_is_over", "_note_end", "_tasks", "cancel_called")

    tells_all: ClassVar = True

    def __init__(self) -> None:
        self.cancel_called = False
        self._body = CancelScope()
        self._is_over = False
        self._errors: list[BaseException] | None = None
        # There while there are tasks.
        self._tasks: set[asyncio.Task[object]] | None = None
        self._note_end: Callable[[asyncio.Task[object]], None] | None = None
        self._context: Context | None = None
        self._ended: asyncio.Future[None] | None = None

    @property
    def cancel_scope(self) -> Self:
        """Give what cancels body and tasks: the group itself."""
        return self

    def cancel(self) -> None:
        """Cancel body and tasks."""
        if not self.cancel_called:
            self.cancel_called = True
            self._body.cancel()
            for task in tuple(self._tasks or ()):
                task.cancel()

    def start_soon(self, function: Callable[..., Coroutine[Any, Any, object]], /, *args: Any, name: str | None = None) -> None:
        """Run a coroutine function in a task, from the next turn of the loop on.

        Raises:
            RuntimeError: the block has ended.
        """
        if self._is_over:
            raise RuntimeError("this task group has ended: nothing can be started in it any more")
        if self._tasks is None or self._note_end is None:
            self._tasks, self._note_end, self._context = set(), self._task_ended, copy_context()
        # Not by the loop, whose factory may run the task at once.
        task = asyncio.Task(function(*args), name=name)
        self._tasks.add(task)
        # Each callback would otherwise get a copy of the context.
        task.add_done_callback(self._note_end, context=self._context)
        if self.cancel_called:
            task.cancel()

    def _task_ended(self, task: asyncio.Task[object]) -> None:
        assert self._tasks is not None
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)
        if not self._tasks:
            self._tasks = self._note_end = self._context = None
            if self._ended is not None and not self._ended.done():
                self._ended.set_result(None)

    def _fail(self, error: BaseException) -> None:
        self._errors = [*(self._errors or ()), error]
        self.cancel()

    async def __aenter__(self) -> Self:
        self._body.__enter__()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> bool | None:
        return await collapsed(self._leave(error), error)

    async def _leave(self, error: BaseException | None) -> bool:
        if isinstance(error, asyncio.CancelledError):
            self.cancel()
        elif error is not None:
            self._fail(error)
        try:
            if self._tasks:
                error = await self._all_ended(error)
        finally:
            self._is_over = True
        if self._errors is not None:
            error = BaseExceptionGroup("several tasks failed", self._errors)
        if error is None:
            return self._body.__exit__(None, None, None)
        if self._body.__exit__(type(error), error, error.__traceback__):
            return True
        raise error

    async def _all_ended(self, error: BaseException | None) -> BaseException | None:
        """Wait for the tasks, through all cancellations; give the first one, unless there was an error before."""
        with CancelScope() as waiting:
            while self._tasks:
                self._ended = asyncio.get_running_loop().create_future()
                try:
                    await self._ended
                except asyncio.CancelledError as cancelled:
                    waiting.shield = True
                    self.cancel()
                    error = error or cancelled
        return error
