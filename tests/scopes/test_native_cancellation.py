"""Cancellations that come from asyncio itself, not from a scope."""

from __future__ import annotations

import asyncio

import pytest

from flowsock import JobCancelled, coroutine_scope, supervisor_scope

pytestmark = pytest.mark.asyncio


async def await_a_cancelled_task() -> None:
    task = asyncio.create_task(asyncio.sleep(10))
    await asyncio.sleep(0)
    task.cancel()
    await task


async def test_a_stray_cancellation_ends_its_job_only() -> None:
    """Rule J2: a cancellation never goes up."""
    done = asyncio.Event()
    async with coroutine_scope() as scope:
        sibling = scope.launch(done.wait)
        job = scope.launch(await_a_cancelled_task)
        await job.join()
        await asyncio.sleep(0)
        done.set()
    assert await sibling is True
    assert scope.is_active
    with pytest.raises(JobCancelled):
        await job


async def test_a_stray_cancellation_does_not_end_a_supervisor() -> None:
    async with supervisor_scope() as scope:
        await scope.launch(await_a_cancelled_task).join()
        await asyncio.sleep(0)
        later = scope.launch(lambda: 42)
    assert await later == 42
    assert scope.is_active


async def test_cancelling_the_task_of_a_scope_cancels_its_jobs_first() -> None:
    log: list[str] = []

    async def job() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            log.append("job")

    async def run() -> None:
        try:
            async with coroutine_scope() as scope:
                scope.launch(job)
                await asyncio.sleep(10)
        finally:
            log.append("scope")

    task = asyncio.create_task(run())
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["job", "scope"]


async def test_a_job_awaited_by_a_task_that_is_cancelled_goes_on() -> None:
    done = asyncio.Event()
    async with coroutine_scope() as scope:
        job = scope.launch(done.wait)

        async def wait() -> None:
            await job

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert job.is_active
        done.set()
