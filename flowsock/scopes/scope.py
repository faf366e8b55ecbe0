"""Structured concurrency: scopes that own jobs."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack, overload

from flowsock.emitting import settle
from flowsock.scopes.groups import task_group
from flowsock.scopes.job import Job

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Token
    from types import TracebackType

    from anyio.abc import TaskGroup

    from flowsock.scopes.restart import Restart

T = TypeVar("T")
Args = TypeVarTuple("Args")

_logger = logging.getLogger("flowsock")
_current: ContextVar[Scope | None] = ContextVar("flowsock_scope", default=None)


def current_scope() -> Scope | None:
    """Give the innermost scope that the running code is inside of."""
    return _current.get()


class Scope:
    """Own a set of jobs: none of them outlives the ``async with`` block that made the scope.

    Law: the block ends when its body and all jobs ended. Cancelling the scope cancels them all, and leaves the block quietly.
    """

    __slots__ = ("_group", "_jobs")

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self._jobs: dict[Job[Any], None] = {}

    @property
    def is_active(self) -> bool:
        """Tell whether the scope was not cancelled yet."""
        return not self._group.cancel_scope.cancel_called

    @property
    def jobs(self) -> tuple[Job[Any], ...]:
        """Give the jobs that have not ended yet, oldest first."""
        return tuple(self._jobs)

    @overload
    def launch(
        self,
        function: Callable[[Unpack[Args]], Awaitable[T]],
        /,
        *args: *Args,
        name: str | None = None,
        restart: Restart | None = None,
    ) -> Job[T]: ...

    @overload
    def launch(
        self,
        function: Callable[[Unpack[Args]], T],
        /,
        *args: *Args,
        name: str | None = None,
        restart: Restart | None = None,
    ) -> Job[T]: ...

    def launch(
        self,
        function: Callable[[Unpack[Args]], Any],
        /,
        *args: *Args,
        name: str | None = None,
        restart: Restart | None = None,
    ) -> Job[Any]:
        """Run a function, sync or async, as a child of this scope (Kotlin: ``launch`` and ``async``).

        Law: the job starts at the next turn of the event loop. Its failure is the scope's failure, unless the scope is a
        supervisor. In a cancelled scope the job is cancelled before it runs.

        Args:
            name: What logs and `repr` call the job; the function's name if left out.
            restart: Start the function again when it fails, within this budget.

        Raises:
            RuntimeError: the block that made the scope has ended.
        """
        name = name or str(getattr(function, "__qualname__", function))
        job: Job[Any] = Job(partial(function, *args), name)
        self._jobs[job] = None
        if not self.is_active:
            job.cancel()
        try:
            self._group.start_soon(self._run, job, restart, name=name)
        except RuntimeError:
            del self._jobs[job]
            raise
        return job

    def cancel(self) -> None:
        """Cancel the body of the block and all jobs."""
        self.cancel_children()
        self._group.cancel_scope.cancel()

    def cancel_children(self) -> None:
        """Cancel all jobs; the scope itself stays active."""
        for job in self.jobs:
            job.cancel()

    async def _run(self, job: Job[Any], restart: Restart | None) -> None:
        _current.set(self)
        try:
            await job.run(restart)
        finally:
            del self._jobs[job]


class Supervisor(Scope):
    """Own jobs that fail on their own: neither the scope nor their siblings notice."""

    __slots__ = ("_on_error",)

    def __init__(self, group: TaskGroup, on_error: Callable[[Job[Any], Exception], object]) -> None:
        super().__init__(group)
        self._on_error = on_error

    async def _run(self, job: Job[Any], restart: Restart | None) -> None:
        try:
            await super()._run(job, restart)
        except Exception as error:
            await settle(self._on_error(job, error))


def log_failure(job: Job[Any], error: Exception) -> None:
    """Log a failed job with its traceback: what a supervisor does unless told otherwise."""
    _logger.error("job %r failed", job.name, exc_info=error)


class coroutine_scope:
    """Open a scope whose jobs succeed or fail together (Kotlin: ``coroutineScope``).

    Law: the first failure cancels the body and the other jobs, and leaves the block once they ended: a single error as itself,
    several as an ``ExceptionGroup``. Cancelling the scope by `Scope.cancel` leaves the block quietly.
    """

    __slots__ = ("_group", "_token")

    def __init__(self) -> None:
        self._group = task_group()

    def _make(self, group: TaskGroup) -> Scope:
        return Scope(group)

    async def __aenter__(self) -> Scope:
        scope = self._make(await self._group.__aenter__())
        self._token: Token[Scope | None] = _current.set(scope)
        return scope

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        _current.reset(self._token)
        return await self._group.__aexit__(kind, error, traceback)


class supervisor_scope(coroutine_scope):
    """Open a scope whose jobs fail on their own (Kotlin: ``supervisorScope``).

    Law: a failed job neither cancels the scope nor its siblings; it is reported to ``on_error`` once, and its error stays on
    the job. A failing body cancels all jobs and leaves the block.

    Args:
        on_error: A function, sync or async, of the failed job and its error; logs them if left out. If it raises, the scope
            fails with that error.
    """

    __slots__ = ("_on_error",)

    def __init__(self, *, on_error: Callable[[Job[Any], Exception], object] = log_failure) -> None:
        super().__init__()
        self._on_error = on_error

    def _make(self, group: TaskGroup) -> Scope:
        return Supervisor(group, self._on_error)
