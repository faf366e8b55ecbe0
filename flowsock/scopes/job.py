"""One running child of a scope."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from anyio import CancelScope, current_effective_deadline, get_cancelled_exc_class, sleep
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled
from attrs import frozen

from flowsock.clause import NOTHING, Clause, result_of
from flowsock.emitting import settle
from flowsock.errors import JobCancelled
from flowsock.parking import WaitingRoom

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from types import TracebackType

    from flowsock.clause import Selection
    from flowsock.parking import Waiter
    from flowsock.scopes.restart import Restart, RestartBudget

T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")


class Job(Generic[T_co]):
    """A handle on one child of a scope: Kotlin's ``Job`` and ``Deferred`` in one.

    Law: ``await job`` gives the result, raises the job's own error each time it is awaited, or raises `JobCancelled`.
    A job that was cancelled before it first ran never runs. Awaiting does not pass the awaiter's cancellation on to the job.
    """

    __slots__ = (
        "_cancel_scope",
        "_cancelled",
        "_completed",
        "_error",
        "_function",
        "_joiners",
        "_result",
        "_traceback",
        "name",
    )

    def __init__(self, function: Callable[[], Any], name: str) -> None:
        self.name = name
        self._function = function
        self._cancel_scope = CancelScope()
        self._cancelled = False
        self._completed = False
        self._error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._result: T_co | None = None
        self._joiners = WaitingRoom()

    @property
    def is_active(self) -> bool:
        """Tell whether the job neither ended nor was cancelled."""
        return not (self._completed or self._cancelled)

    @property
    def is_completed(self) -> bool:
        """Tell whether the job ended, however it did."""
        return self._completed

    @property
    def is_cancelled(self) -> bool:
        """Tell whether the job was cancelled or failed."""
        return self._cancelled or self._error is not None

    @property
    def error(self) -> BaseException | None:
        """Give the error that the job failed with."""
        return self._error

    def cancel(self) -> None:
        """Ask the job to end; returns at once. Nothing is delivered to the job after this call.

        Cancelling twice, or after the end, does nothing. `join` waits for the end.
        """
        if not self._completed:
            self._cancelled = True
            self._cancel_scope.cancel()

    async def join(self) -> None:
        """Wait until the job ended, however it did; never raises the job's error. A cancellation point."""
        await checkpoint_if_cancelled()
        while not self._completed:
            await self._joiners.sleep()

    async def cancel_and_join(self) -> None:
        """Cancel the job and wait until it ended."""
        self.cancel()
        await self.join()

    def __await__(self) -> Generator[Any, Any, T_co]:
        return self._outcome().__await__()

    async def _outcome(self) -> T_co:
        if not self._completed:
            await self.join()
        if self._error is not None:
            # Each raise would otherwise add its own frames to those of the job.
            raise self._error.with_traceback(self._traceback)
        if self._cancelled:
            raise JobCancelled(f"job {self.name!r} was cancelled")
        return cast("T_co", self._result)

    @overload
    def on_join(self, fn: None = None) -> Clause[None]: ...
    @overload
    def on_join(self, fn: Callable[[], Awaitable[R]]) -> Clause[R]: ...
    @overload
    def on_join(self, fn: Callable[[], R]) -> Clause[R]: ...
    def on_join(self, fn: Callable[[], Any] | None = None) -> Clause[Any]:
        """Make a clause of `select` that waits until the job ended, however it did (Kotlin: ``onJoin``).

        Law: it never fails. A select in a scope that the job's failure cancels is cancelled instead.

        Args:
            fn: Makes the select's result, which is ``None`` if left out.
        """
        return _OnJoin(self, fn)

    @overload
    def on_await(self, fn: None = None) -> Clause[T_co]: ...
    @overload
    def on_await(self, fn: Callable[[T_co], Awaitable[R]]) -> Clause[R]: ...
    @overload
    def on_await(self, fn: Callable[[T_co], R]) -> Clause[R]: ...
    def on_await(self, fn: Callable[[T_co], Any] | None = None) -> Clause[Any]:
        """Make a clause of `select` that waits for the job's result (Kotlin: ``onAwait``).

        Law: it fails the select with the job's own error, or with `JobCancelled`.

        Args:
            fn: Makes the select's result of the job's, which is the result if left out.
        """
        return _OnAwait(self, fn)

    def enter(self, waiter: Waiter) -> Callable[[], object]:
        """Wake somebody when the job ends; returns what undoes this."""
        self._joiners.enter(waiter)
        return partial(self._joiners.leave, waiter)

    async def run(self, restart: Restart | None) -> None:
        """Run the job's function to its end; raises what it raised. Called by its scope, once, in the job's task."""
        try:
            with self._cancel_scope:
                await self._attempts(restart.budget() if restart is not None else None)
        except get_cancelled_exc_class():
            self._cancelled = True
            # What came from above goes back there, so that a timeout knows of itself. A stray cancellation, such as that of an
            # asyncio task that was awaited, ends here.
            if _is_cancelled_here():
                raise
        except BaseException as error:
            self._error = error
            self._traceback = error.__traceback__
            raise
        finally:
            self._complete()

    async def _attempts(self, budget: RestartBudget | None) -> None:
        while True:
            await checkpoint_if_cancelled()
            try:
                self._result = await settle(self._function())
            except Exception:
                wait = None if budget is None or _is_cancelled_here() else budget.next_wait()
                if wait is None:
                    raise
                await sleep(wait)
            else:
                return

    def _complete(self) -> None:
        self._completed = True
        del self._function
        self._joiners.wake_all()

    def __repr__(self) -> str:
        if not self._completed:
            state = "cancelling" if self._cancelled else "active"
        elif self._error is not None:
            state = f"failed: {self._error!r}"
        else:
            state = "cancelled" if self._cancelled else "completed"
        return f"<Job {self.name} ({state})>"


def _is_cancelled_here() -> bool:
    return current_effective_deadline() == -inf


@frozen(eq=False)
class _OnEnd(Clause[Any]):
    """Wait for the end of a job."""

    job: Job[Any]
    fn: Callable[..., Any] | None

    def poll(self) -> object:
        return None if self.job.is_completed else NOTHING

    def register(self, selection: Selection, /) -> Callable[[], object]:
        return self.job.enter(_SelectingJoiner(self, selection))


class _OnJoin(_OnEnd):
    __slots__ = ()

    async def finish(self, _outcome: None, /) -> Any:
        if self.job.error is not None:
            # The scope learns of the failure after those who joined the job, and may be about to cancel this very task.
            await checkpoint()
        return None if self.fn is None else await result_of(self.fn)


class _OnAwait(_OnEnd):
    __slots__ = ()

    async def finish(self, _outcome: None, /) -> Any:
        result = await self.job
        return result if self.fn is None else await result_of(self.fn, result)


@frozen(eq=False)
class _SelectingJoiner:
    """A place among those who joined the job."""

    clause: _OnEnd
    selection: Selection

    def wake(self) -> None:
        self.selection.choose(self.clause, None)
