"""`await_all` and `join_all`: waiting for several jobs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NoReturn

import pytest
from anyio import CancelScope, Event, fail_after
from anyio.lowlevel import checkpoint

from flowsock import CompletableDeferred, JobCancelled, await_all, coroutine_scope, join_all, supervisor_scope
from flowsock.emitting import ignore
from tests.turns import settled

if TYPE_CHECKING:
    from flowsock import Job

pytestmark = pytest.mark.anyio


async def fail(error: Exception) -> NoReturn:
    await checkpoint()
    raise error


async def test_results_come_in_the_order_of_the_arguments() -> None:
    """Scenario await_all-01."""
    first, second = CompletableDeferred[int](), CompletableDeferred[int]()
    async with coroutine_scope() as scope:
        for jobs, expected in (((first, second), [1, 2]), ((second, first), [2, 1])):
            results = scope.launch(await_all, *jobs)
            await settled()
            first.complete(1)
            await settled()
            second.complete(2)
            assert await results == expected


async def test_one_job_may_be_given_several_times() -> None:
    """Scenario await_all-04."""
    deferred: CompletableDeferred[str] = CompletableDeferred()
    async with coroutine_scope() as scope:
        results = scope.launch(await_all, deferred, deferred, deferred)
        await settled()
        deferred.complete("OK")
        assert await results == ["OK", "OK", "OK"]


async def test_nothing_to_wait_for() -> None:
    """Scenario await_all-05."""
    with CancelScope() as scope:
        scope.cancel()
        assert await await_all() == []
        await join_all()


async def test_the_first_failure_in_time_is_raised_and_the_others_go_on() -> None:
    never, late, early = (CompletableDeferred[int]() for _ in range(3))
    with fail_after(5):
        async with supervisor_scope() as scope:

            async def expect_the_first() -> None:
                with pytest.raises(ValueError, match="early"):
                    await await_all(never, late, early)

            waiting = scope.launch(expect_the_first)
            await settled()
            early.complete_exceptionally(ValueError("early"))
            late.complete_exceptionally(ValueError("late"))
            await waiting
    assert waiting.error is None
    assert never.is_active
    with pytest.raises(ValueError, match="late"):
        await await_all(never, late, early)


async def test_a_cancelled_job_fails_the_wait_for_all() -> None:
    deferred: CompletableDeferred[int] = CompletableDeferred()
    deferred.cancel()
    with pytest.raises(JobCancelled):
        await await_all(CompletableDeferred[int](), deferred)


async def test_a_cancelled_wait_for_all_leaves_nothing_behind() -> None:
    calls: list[object] = []
    deferred: CompletableDeferred[int] = CompletableDeferred()
    with CancelScope() as outside:
        async with coroutine_scope() as scope:
            scope.launch(await_all, deferred, deferred)
            await settled()
            outside.cancel()
    deferred.invoke_on_completion(calls.append)
    deferred.complete(1)
    assert calls == [None]


async def test_all_lazy_jobs_are_started_before_the_first_wait() -> None:
    met = Event()

    async def wait() -> str:
        await met.wait()
        return "waited"

    async def meet() -> str:
        met.set()
        return "met"

    with fail_after(5):
        async with coroutine_scope() as scope:
            assert await await_all(scope.launch(wait, lazy=True), scope.launch(meet, lazy=True)) == ["waited", "met"]


async def test_joining_never_raises() -> None:
    """Scenario await_all-07."""
    async with supervisor_scope(on_error=lambda _job, _error: None) as scope:
        jobs: list[Job[object]] = [
            scope.launch(ignore, 1),
            scope.launch(fail, ValueError("no")),
            scope.launch(Event().wait),
        ]
        jobs[2].cancel()
        await join_all(*jobs)
        assert [job.is_completed for job in jobs] == [True, True, True]


async def test_lazy_jobs_are_joined_one_after_the_other() -> None:
    log: list[str] = []

    async def run(name: str) -> None:
        log.append(f"{name} starts")
        await settled()
        log.append(f"{name} ends")

    async with coroutine_scope() as scope:
        await join_all(*(scope.launch(partial(run, name), lazy=True) for name in "ab"))
    assert log == ["a starts", "a ends", "b starts", "b ends"]
