"""A scope in an anyio task group that somebody has already."""

from __future__ import annotations

from typing import NoReturn

import pytest
from anyio import create_task_group, fail_after, sleep_forever
from anyio.lowlevel import checkpoint

from flowsock import CompletableDeferred, JobCancelled, Scope, current_scope, interval
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def fail(error: Exception) -> NoReturn:
    await checkpoint()
    raise error


async def test_the_group_waits_for_the_jobs() -> None:
    log: list[str] = []

    async def job() -> int:
        await settled()
        log.append("job")
        return 42

    async with create_task_group() as group:
        scope = Scope(group)
        job_of_the_group = scope.launch(job)
        assert scope.jobs == (job_of_the_group,)
    assert log == ["job"]
    assert await job_of_the_group == 42


async def test_a_failing_job_fails_the_group_which_wraps_its_error() -> None:
    error = ValueError("job")
    with pytest.raises(ExceptionGroup) as raised:
        async with create_task_group() as group:
            scope = Scope(group)
            sibling = scope.launch(sleep_forever)
            scope.launch(fail, error)
            await sleep_forever()
    assert raised.value.exceptions == (error,)
    with pytest.raises(JobCancelled) as cancelled:
        await sibling
    assert cancelled.value.__cause__ is error


async def test_cancelling_the_scope_cancels_the_group() -> None:
    async with create_task_group() as group:
        group.start_soon(sleep_forever)
        scope = Scope(group)
        job = scope.launch(sleep_forever)
        scope.cancel()
        assert not job.is_active
    assert group.cancel_scope.cancel_called


async def test_cancelling_the_group_cancels_the_scope() -> None:
    async with create_task_group() as group:
        scope = Scope(group)
        job = scope.launch(sleep_forever)
        deferred: CompletableDeferred[int] = CompletableDeferred(scope)
        await settled()
        group.cancel_scope.cancel()
        assert not scope.is_active
        assert not scope.launch(sleep_forever).is_active
    assert job.is_cancelled
    assert deferred.is_cancelled


async def test_the_scope_is_the_current_one_inside_its_jobs() -> None:
    async def look() -> Scope | None:
        return current_scope()

    async with create_task_group() as group:
        scope = Scope(group)
        assert current_scope() is None
        assert await scope.launch(look) is scope


async def test_flows_may_be_launched_in_it() -> None:
    seen: list[int] = []
    with fail_after(5):
        async with create_task_group() as group:
            interval(0.001).take(3).on_each(seen.append).launch_in(Scope(group))
    assert seen == [0, 1, 2]


async def test_a_group_that_has_ended_takes_no_jobs() -> None:
    async with create_task_group() as group:
        scope = Scope(group)
    with pytest.raises(RuntimeError):
        scope.launch(checkpoint)
    assert scope.jobs == ()
