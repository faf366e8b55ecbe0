"""Waiting for several jobs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from flowsock.parking import new_sleeper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowsock.parking import Sleeper
    from flowsock.scopes.job import Job

T = TypeVar("T")


async def await_all(*jobs: Job[T]) -> list[T]:
    """Wait for the results of several jobs (Kotlin: ``awaitAll``).

    Law: results come in the order of the arguments. The first failure in time, or of several at the call the first listed, is
    raised at once; the other jobs go on. Lazy jobs are started, all of them before the first wait.

    Raises:
        JobCancelled: one of the jobs was cancelled.

    >>> async with coroutine_scope() as scope:
    ...     await await_all(scope.launch(interval(2).first), scope.launch(flow_of("a").first))
    [0, 'a']
    """
    for job in jobs:
        job.start()
    await _Gathering(len(jobs)).watch(jobs)
    return [job.result() for job in jobs]


async def join_all(*jobs: Job[Any]) -> None:
    """Wait until several jobs ended, however they did; never raises their errors (Kotlin: ``joinAll``).

    Law: the jobs are joined one after the other, so a lazy one is started when those before it have ended.

    >>> async with supervisor_scope(on_error=lambda job, error: None) as scope:
    ...     jobs = [scope.launch(flow_of(text).map(int).first) for text in ("x", "1")]
    ...     await join_all(*jobs)
    ...     [job.is_cancelled for job in jobs]
    [True, False]
    """
    for job in jobs:
        await job.join()


class _Gathering:
    """One call of `await_all`: counts the jobs that are missing."""

    __slots__ = ("_failed", "_missing", "_sleeper")

    def __init__(self, missing: int) -> None:
        self._missing = missing
        self._failed: Job[Any] | None = None
        self._sleeper: Sleeper | None = None

    async def watch(self, jobs: Sequence[Job[Any]]) -> None:
        withdrawals = [job.invoke_on_completion(partial(self._ended, job)) for job in jobs]
        try:
            if self._missing and self._failed is None:
                self._sleeper = new_sleeper()
                await self._sleeper
        finally:
            for withdraw in withdrawals:
                withdraw()
        if self._failed is not None:
            self._failed.result()

    def _ended(self, job: Job[Any], cause: BaseException | None, /) -> None:
        self._missing -= 1
        if cause is not None and self._failed is None:
            self._failed = job
        if self._sleeper is not None and (self._failed is not None or not self._missing):
            self._sleeper.wake()
