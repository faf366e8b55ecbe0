"""Structured concurrency: scopes that own jobs."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack, overload

from flowsock.emitting import settle
from flowsock.parking import new_sleeper, running_task_id
from flowsock.scopes.groups import raise_together, task_group
from flowsock.scopes.job import Job, cancellation_of
from flowsock.scopes.launched import LaunchedJob

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

    from flowsock.errors import JobCancelled
    from flowsock.parking import Sleeper
    from flowsock.scopes.groups import TaskBlock, Tasks
    from flowsock.scopes.restart import Restart

T = TypeVar("T")
Args = TypeVarTuple("Args")

_logger = logging.getLogger("flowsock")
_current: ContextVar[Scope | Job[Any] | None] = ContextVar("flowsock_scope", default=None)


def current_scope() -> Scope | None:
    """Give the innermost scope that the running code is inside of.

    Law: a job is inside of the scope that launched it. ``None`` outside of all scopes.

    >>> async with coroutine_scope() as scope:
    ...     current_scope() is scope
    True
    """
    current = _current.get()
    return current.parent if isinstance(current, Job) else current


class Scope:
    """Own a set of jobs: none of them outlives the ``async with`` block that made the scope.

    Law: the block ends when its body and all jobs ended, a lazy job that nobody started included. Cancelling the scope cancels
    them all, and leaves the block quietly.

    `coroutine_scope` and `supervisor_scope` make scopes. ``Scope(group)`` makes one of an anyio task group that is open: its
    jobs are tasks of the group, so the group waits for them, cancelling either cancels both, and what a job raises the group
    raises, in an ``ExceptionGroup`` as always. `current_scope` gives such a scope inside its jobs, not in the group's body.

    Args:
        group: The task group that runs the jobs.

    >>> async with coroutine_scope() as scope:
    ...     job = scope.launch(sleep, 60)
    ...     scope.cancel()
    >>> job.is_cancelled
    True
    """

    __slots__ = ("_cancellation", "_group", "_jobs", "_keeper", "_owner", "_resting", "task_id")

    def __init__(self, group: Tasks) -> None:
        self._group = group
        self._owner: Scope | Job[Any] | None = None
        self.task_id = 0
        self._jobs: dict[Job[Any], None] = {}
        self._resting = 0
        self._keeper: Sleeper | None = None
        self._cancellation: JobCancelled | None = None

    @property
    def is_active(self) -> bool:
        """Tell whether neither the scope nor a scope or job around it was cancelled yet."""
        return not (self._group.cancel_scope.cancel_called or (self._owner is not None and self._owner.is_cancelled))

    @property
    def is_cancelled(self) -> bool:
        """Tell whether the scope, or a scope or job around it, was cancelled or failed."""
        return not self.is_active

    @property
    def cancellation(self) -> JobCancelled | None:
        """Give the error that tells others of the cancellation: the scope's own, or that of what is around it."""
        return self._cancellation or (None if self._owner is None else self._owner.cancellation)

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
        lazy: bool = False,
    ) -> Job[T]: ...

    @overload
    def launch(
        self,
        function: Callable[[Unpack[Args]], T],
        /,
        *args: *Args,
        name: str | None = None,
        restart: Restart | None = None,
        lazy: bool = False,
    ) -> Job[T]: ...

    def launch(
        self,
        function: Callable[[Unpack[Args]], Any],
        /,
        *args: *Args,
        name: str | None = None,
        restart: Restart | None = None,
        lazy: bool = False,
    ) -> Job[Any]:
        """Run a function, sync or async, as a child of this scope (Kotlin: ``launch`` and ``async``).

        Law: the job starts at the next turn of the event loop. Its failure is the scope's failure, unless the scope is a
        supervisor. In a cancelled scope the job is cancelled before it runs. A lazy job keeps the scope from ending even if
        nobody ever starts it. (Kotlin's other ways to start, at once or even if cancelled, have no counterpart on anyio; and
        Kotlin gives a cancelled job where the block has ended.)

        Args:
            name: What logs and `repr` call the job; the function's name if left out.
            restart: Start the function again when it fails, within this budget.
            lazy: Do not start before `Job.start`, or before somebody waits for the job.

        Raises:
            RuntimeError: the block that made the scope has ended.

        >>> async with coroutine_scope() as scope:
        ...     job = scope.launch(flow_of(3, 1, 2).fold, 0, max, name="greatest")
        ...     job.name, await job
        ('greatest', 3)
        """
        name = name or str(getattr(function, "__qualname__", function))
        job: LaunchedJob[Any] = LaunchedJob(partial(function, *args), name, restart=restart, lazy=lazy)
        self.adopt(job)
        return job

    def adopt(self, job: Job[Any], /) -> None:
        """Make a new job a child of this scope; `launch` and `CompletableDeferred` do so.

        Raises:
            RuntimeError: the block that made the scope has ended.
        """
        self._jobs[job] = None
        job.parent = self
        if not self.is_active:
            job.cancel("its scope was cancelled", cause=self.cancellation)
        try:
            self._group.start_soon(self._run, job, name=job.name)
        except RuntimeError:
            del self._jobs[job]
            job.parent = None
            raise

    def cancel(self, reason: str | None = None, *, cause: BaseException | None = None) -> None:
        """Cancel the body of the block and all jobs.

        Args:
            reason: What `JobCancelled` says to those who await a job of this scope.
            cause: What `JobCancelled` gives as its cause.
        """
        if self._cancellation is None:
            self._cancellation = cancellation_of("the scope", reason, cause)
        self._group.cancel_scope.cancel()
        self.cancel_children(reason, cause=cause)

    def cancel_children(self, reason: str | None = None, *, cause: BaseException | None = None) -> None:
        """Cancel all jobs; the scope itself stays active.

        >>> async with coroutine_scope() as scope:
        ...     job = scope.launch(sleep, 60)
        ...     scope.cancel_children()
        ...     scope.is_active, job.is_active
        (True, False)
        """
        cancel_all(self.jobs, reason, cause)

    def ensure_active(self) -> None:
        """Do nothing while the scope is active, else raise: for loops that never wait (Kotlin: ``ensureActive``).

        Law: the scope's block, or a job, that this error leaves ends quietly.

        Raises:
            JobCancelled: the scope was cancelled; if it failed, that is the cause.
        """
        if not self.is_active:
            self._cancellation = self._cancellation or cancellation_of("the scope", None, self.cancellation)
            raise self._cancellation.with_traceback(None)

    async def _run(self, job: Job[Any]) -> None:
        job.task_id = running_task_id()
        _current.set(job)
        try:
            await self._supervise(job)
        except Exception as error:
            # Before anybody learns that the job ended: who waits for it inside of this scope is cancelled instead.
            self._fail(error)
            raise
        finally:
            if not job.is_resting:
                self._part_with(job)
        if job.is_resting:
            await self._rest(job)

    def _part_with(self, job: Job[Any]) -> None:
        del self._jobs[job]
        job.complete_once()

    # Jobs that go on without a task

    async def _rest(self, job: Job[Any]) -> None:
        job.task_id = 0
        self._resting += 1
        # What anyio cancels, nobody tells; see `AsyncioTasks`.
        if self._keeper is None and not getattr(self._group, "tells_all", False):
            await self._keep()

    async def _keep(self) -> None:
        """Stay for as long as jobs rest, so that the block waits for them, and they learn of a cancellation from around it."""
        try:
            while self._resting:
                self._keeper = new_sleeper(self._silence)
                await self._keeper
        except BaseException:
            self._end_rest()
            raise
        finally:
            self._keeper = None

    def _silence(self) -> None:
        for job in self._jobs:
            if job.is_resting:
                job.silence()

    def _end_rest(self) -> None:
        resting = [job for job in self._jobs if job.is_resting]
        cancel_all(resting, "a scope around it was cancelled", self.cancellation)

    def wake(self, job: Job[Any], /) -> None:
        """Run a job that rests in a task again."""
        self._rouse()
        self._group.start_soon(self._run, job, name=job.name)

    def end(self, job: Job[Any], /) -> None:
        """Part with a job that rests."""
        self._rouse()
        self._part_with(job)

    def _rouse(self) -> None:
        self._resting -= 1
        if not self._resting and self._keeper is not None:
            self._keeper.wake()

    # The life of the block

    async def _supervise(self, job: Job[Any]) -> None:
        """Run a job to its end; what this raises is the failure of the scope."""
        await job.run()

    def enter(self, around: Scope | Job[Any] | None, /) -> None:
        """Learn what is around the block, as far as the context tells, which tasks inherit that outlive it."""
        self.task_id = running_task_id()
        if around is not None and around.task_id == self.task_id:
            self._owner = around

    def ends_quietly_by(self, error: BaseException | None, /) -> bool:
        """Learn what left the body of the block; true if it is this scope's own cancellation, which goes no further."""
        if error is not None and error is self._cancellation:
            return True
        if isinstance(error, Exception):
            self._fail(error)
        elif error is not None:
            self._end_rest()
        return False

    def _fail(self, error: Exception) -> None:
        self.cancel("its scope failed", cause=error)


class Supervisor(Scope):
    """Own jobs that fail on their own: neither the scope nor their siblings notice."""

    __slots__ = ("_on_error",)

    def __init__(self, group: Tasks, on_error: Callable[[Job[Any], Exception], object]) -> None:
        super().__init__(group)
        self._on_error = on_error

    async def _supervise(self, job: Job[Any]) -> None:
        try:
            await job.run()
        except Exception as error:
            await settle(self._on_error(job, error))


def cancel_all(jobs: Iterable[Job[Any]], reason: str | None, cause: BaseException | None) -> None:
    """Cancel several jobs, whatever the completion handlers of one raise."""
    errors: list[Exception] = []
    for job in jobs:
        try:
            job.cancel(reason, cause=cause)
        except Exception as error:
            errors.append(error)
    raise_together("several completion handlers failed", errors)


def log_failure(job: Job[Any], error: Exception) -> None:
    """Log a failed job with its traceback: what a supervisor does unless told otherwise."""
    _logger.error("job %r failed", job.name, exc_info=error)


class coroutine_scope:
    """Open a scope whose jobs succeed or fail together (Kotlin: ``coroutineScope``).

    Law: the first failure cancels the body and the other jobs, and leaves the block once they ended: a single error as itself,
    several as an ``ExceptionGroup``. Cancelling the scope by `Scope.cancel` leaves the block quietly.

    >>> async with coroutine_scope() as scope:
    ...     jobs = [scope.launch(interval(period).first) for period in (2, 3)]
    ...     [await job for job in jobs]
    [0, 0]
    """

    __slots__ = ("_group", "_outer", "_scope")

    def __init__(self) -> None:
        self._group: TaskBlock = task_group()

    def _make(self, group: Tasks) -> Scope:
        return Scope(group)

    async def __aenter__(self) -> Scope:
        self._scope = self._make(await self._group.__aenter__())
        self._outer = _current.get()
        self._scope.enter(self._outer)
        _current.set(self._scope)
        return self._scope

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        _current.set(self._outer)
        self._scope.task_id = 0
        if self._scope.ends_quietly_by(error):
            await self._group.__aexit__(None, None, None)
            return True
        return await self._group.__aexit__(kind, error, traceback)


class supervisor_scope(coroutine_scope):
    """Open a scope whose jobs fail on their own (Kotlin: ``supervisorScope``).

    Law: a failed job neither cancels the scope nor its siblings; it is reported to ``on_error`` once, before those who wait for
    it run, and its error stays on the job. A failing body cancels all jobs and leaves the block.

    Args:
        on_error: A function, sync or async, of the failed job and its error; logs them if left out. If it raises, the scope
            fails with that error.

    >>> async with supervisor_scope(on_error=lambda job, error: print(error)) as scope:
    ...     jobs = [scope.launch(flow_of(text).map(int).first) for text in ("x", "1")]
    invalid literal for int() with base 10: 'x'
    >>> await jobs[1]
    1
    """

    __slots__ = ("_on_error",)

    def __init__(self, *, on_error: Callable[[Job[Any], Exception], object] = log_failure) -> None:
        super().__init__()
        self._on_error = on_error

    def _make(self, group: Tasks) -> Scope:
        return Supervisor(group, self._on_error)
