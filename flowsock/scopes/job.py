"""The handle on something that ends once: with a result, with an error, or cancelled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from anyio import get_cancelled_exc_class
from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.clause import nothing_to_withdraw
from flowsock.errors import JobCancelled
from flowsock.parking import new_sleeper
from flowsock.scopes.clauses import OnAwait, OnJoin
from flowsock.scopes.groups import raise_together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from types import TracebackType

    from flowsock.clause import Clause
    from flowsock.scopes.scope import Scope

T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")


def cancellation_of(subject: str, reason: str | None, cause: BaseException | None) -> JobCancelled:
    """Give the error that tells others of a cancellation."""
    error = JobCancelled(f"{subject} was cancelled" if reason is None else f"{subject} was cancelled: {reason}")
    error.__cause__ = cause
    return error


class Job(ABC, Generic[T_co]):
    """A handle on one child of a scope: Kotlin's ``Job`` and ``Deferred`` in one.

    Law: ``await job`` gives the result, raises the job's own error each time it is awaited, or raises `JobCancelled`. Awaiting
    does not pass the awaiter's cancellation on to the job. A job that was cancelled before it first ran never runs. A job that
    was cancelled stays so, even if its function goes on to return a value; an error that its function raises instead wins.

    A job is new (lazy, and not started yet), active, cancelling, or completed; `is_active`, `is_completed` and `is_cancelled`
    tell. A job that failed counts as cancelled, and as completed once it was reported to its scope. What cancels a scope
    around the job cancels the job, and shows at once.

    Attributes:
        name: What logs and `repr` call the job.
        parent: The scope that the job is a child of, if any.

    >>> async with coroutine_scope() as scope:
    ...     job = scope.launch(flow_of(1, 2).last)
    ...     await job
    2
    """

    __slots__ = ("_cancellation", "_completed", "_error", "_handlers", "_result", "_traceback", "name", "parent", "task_id")

    def __init__(self, name: str) -> None:
        self.name = name
        self.parent: Scope | None = None
        self.task_id = 0
        self._completed = False
        self._cancellation: JobCancelled | None = None
        self._error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._result: T_co | None = None
        self._handlers: dict[Callable[[BaseException | None], object], None] | None = None

    @property
    def is_active(self) -> bool:
        """Tell whether the job was started, and neither ended nor was cancelled."""
        return not self._completed and not self.is_cancelled

    @property
    def is_completed(self) -> bool:
        """Tell whether the job ended, however it did."""
        return self._completed

    @property
    def is_cancelled(self) -> bool:
        """Tell whether the job was cancelled or failed."""
        return self._is_ending or (not self._completed and self.parent is not None and self.parent.is_cancelled)

    @property
    def _is_ending(self) -> bool:
        return self._cancellation is not None or self._error is not None

    @property
    def cancellation(self) -> JobCancelled | None:
        """Give the error that tells others of the cancellation: the job's own, or that of a scope around it."""
        return self._cancellation or (None if self.parent is None else self.parent.cancellation)

    @property
    def error(self) -> BaseException | None:
        """Give the error that the job failed with."""
        return self._error

    def start(self) -> bool:
        """Start the job if it is lazy and new; `join`, ``await`` and the clauses of a select do so, too.

        Returns:
            True for the call that started it.
        """
        return False

    def cancel(self, reason: str | None = None, *, cause: BaseException | None = None) -> None:
        """Ask the job to end; returns at once. Nothing is delivered to the job after this call.

        Cancelling twice, or after the end, does nothing. `join` waits for the end. A job that was not started yet ends at once.

        Args:
            reason: What `JobCancelled` says to those who await the job.
            cause: What `JobCancelled` gives as its cause.
        """
        if self._completed or self._is_ending:
            return
        self._cancellation = cancellation_of(f"job {self.name!r}", reason, cause)
        self._interrupt()

    def ensure_active(self) -> None:
        """Do nothing while the job is active, else raise: for loops that never wait (Kotlin: ``ensureActive``).

        Raises:
            JobCancelled: the job was cancelled, failed (which is the cause), has ended, or is new.
        """
        if not self.is_active:
            raise self._cancellation or cancellation_of(
                f"job {self.name!r}", "it is not active", self._error or self.cancellation
            )

    async def join(self) -> None:
        """Wait until the job ended, however it did; never raises the job's error. A cancellation point.

        >>> async with coroutine_scope() as scope:
        ...     job = scope.launch(interval(3).first)
        ...     await job.join()
        ...     job.is_completed
        True
        """
        self.start()
        await checkpoint_if_cancelled()
        if not self._completed:
            sleeper = new_sleeper(lambda: withdraw())
            withdraw = self.invoke_on_completion(lambda _cause: sleeper.wake())
            await sleeper

    async def cancel_and_join(self) -> None:
        """Cancel the job and wait until it ended."""
        self.cancel()
        await self.join()

    def __await__(self) -> Generator[Any, Any, T_co]:
        return self._outcome().__await__()

    async def _outcome(self) -> T_co:
        try:
            if not self._completed:
                await self.join()
        except get_cancelled_exc_class():
            # If the failure of the job is what cancelled the one who awaits it, he is told that.
            if self._error is None:
                raise
            raise self._error.with_traceback(self._traceback) from None
        return self.result()

    def result(self) -> T_co:
        """Give the result of a job that has ended, without waiting (Kotlin: ``getCompleted``).

        Raises:
            RuntimeError: the job has not ended.
            JobCancelled: the job was cancelled.
        """
        if not self._completed:
            raise RuntimeError(f"job {self.name!r} has not ended: await it")
        # Each raise would otherwise add its own frames to those of the job.
        if self._error is not None:
            raise self._error.with_traceback(self._traceback)
        if self._cancellation is not None:
            raise self._cancellation.with_traceback(None)
        return cast("T_co", self._result)

    def invoke_on_completion(self, handler: Callable[[BaseException | None], object], /) -> Callable[[], object]:
        """Call a function at the moment the job ends (Kotlin: ``invokeOnCompletion``).

        Law: it is called once, in place, and must not wait: with ``None`` after success, else with the job's error or with a
        `JobCancelled`; at once if the job has ended. The scope has learned of a failure by then; those who wait for the job run
        later. Handlers are called in the order they came, and one that raises stops no other. What they raise comes out of
        the call that ended the job, such as `cancel` of a job that was not started, or else fails the scope.

        Returns:
            What withdraws the handler.

        >>> async with coroutine_scope() as scope:
        ...     job = scope.launch(sleep, 3600, name="sleeper")
        ...     withdraw = job.invoke_on_completion(print)
        ...     job.cancel("it is late")
        job 'sleeper' was cancelled: it is late
        """
        if self._completed:
            handler(self._error or self._cancellation)
            return nothing_to_withdraw
        entry = partial(handler)
        handlers = self._handlers = self._handlers or {}
        handlers[entry] = None
        return partial(handlers.pop, entry, None)

    @overload
    def on_join(self, fn: None = None) -> Clause[None]: ...
    @overload
    def on_join(self, fn: Callable[[], Awaitable[R]]) -> Clause[R]: ...
    @overload
    def on_join(self, fn: Callable[[], R]) -> Clause[R]: ...
    def on_join(self, fn: Callable[[], Any] | None = None) -> Clause[Any]:
        """Make a clause of `select` that waits until the job ended, however it did (Kotlin: ``onJoin``).

        Law: it starts a lazy job, and never fails. A select in a scope that the job's failure cancels is cancelled instead.

        Args:
            fn: Makes the select's result, which is ``None`` if left out.
        """
        return OnJoin(self, fn)

    @overload
    def on_await(self, fn: None = None) -> Clause[T_co]: ...
    @overload
    def on_await(self, fn: Callable[[T_co], Awaitable[R]]) -> Clause[R]: ...
    @overload
    def on_await(self, fn: Callable[[T_co], R]) -> Clause[R]: ...
    def on_await(self, fn: Callable[[T_co], Any] | None = None) -> Clause[Any]:
        """Make a clause of `select` that waits for the job's result (Kotlin: ``onAwait``).

        Law: it starts a lazy job. It fails the select with the job's own error, or with `JobCancelled`.

        Args:
            fn: Makes the select's result of the job's, which is the result if left out.

        >>> async with coroutine_scope() as scope:
        ...     job = scope.launch(interval(3).first)
        ...     await select(job.on_await(lambda n: n + 1), on_timeout(5))
        1
        """
        return OnAwait(self, fn)

    @abstractmethod
    async def run(self) -> None:
        """Live as a task of the scope until there is an outcome, or until the job rests; raises the job's error.

        Called by the scope.
        """

    @property
    def is_resting(self) -> bool:
        """Tell whether the job goes on without a task for now: something calls it when it needs one."""
        return False

    def silence(self) -> None:
        """Let nothing reach the job, which rests, any more."""

    @abstractmethod
    def _interrupt(self) -> None:
        """See to it that the job, which was just marked as cancelled, ends."""

    def complete_once(self) -> None:
        """End the job with the outcome that it has, unless it has ended. Called by the scope."""
        if self._completed:
            return
        self._completed = True
        self.task_id = 0
        handlers = self._handlers or {}
        cause = self._error or self._cancellation
        errors: list[Exception] = []
        for handler in tuple(handlers):
            if handler in handlers:
                del handlers[handler]
                try:
                    handler(cause)
                except Exception as error:
                    errors.append(error)
        raise_together("several completion handlers failed", errors)

    def __repr__(self) -> str:
        return f"<Job {self.name} ({self._state()})>"

    def _state(self) -> str:
        if not self._completed:
            return "active" if self.is_active else "cancelling" if self.is_cancelled else "new"
        if self._error is not None:
            return f"failed: {self._error!r}"
        return "cancelled" if self.is_cancelled else "completed"
