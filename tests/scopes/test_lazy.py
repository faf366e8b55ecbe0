"""Lazy jobs: they run when they are started, or waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import CancelScope, Event, fail_after
from anyio.lowlevel import checkpoint

from flowsock import Channel, JobCancelled, await_all, coroutine_scope, join_all, on_timeout, select, supervisor_scope
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock import Job

pytestmark = pytest.mark.anyio


async def answer() -> int:
    await checkpoint()
    return 42


async def test_a_lazy_job_is_new_until_it_is_awaited() -> None:
    """Scenario lazy-01."""
    async with coroutine_scope() as scope:
        job = scope.launch(answer, name="answer", lazy=True)
        await settled()
        assert (job.is_active, job.is_completed, job.is_cancelled) == (False, False, False)
        assert repr(job) == "<Job answer (new)>"
        assert await job == 42
        assert (job.is_active, job.is_completed, job.is_cancelled) == (False, True, False)


@pytest.mark.parametrize("parked", [True, False])
async def test_only_the_first_start_starts(parked: bool) -> None:
    """Scenario lazy-02, whether the job's task runs already or not."""
    async with coroutine_scope() as scope:
        job = scope.launch(answer, lazy=True)
        if parked:
            await settled()
        assert job.start() is True
        assert job.is_active
        assert job.start() is False
        assert await job == 42
        assert job.start() is False
        assert scope.launch(answer).start() is False


def started(job: Job[int]) -> Awaitable[object]:
    job.start()
    return settled()


@pytest.mark.parametrize(
    "use",
    [
        started,
        lambda job: job.join(),
        lambda job: await_all(job),
        lambda job: join_all(job),
        lambda job: select(job.on_join()),
        lambda job: select(Channel[int]().on_receive(), job.on_await(), on_timeout(100)),
    ],
    ids=["start", "join", "await_all", "join_all", "on_join", "on_await"],
)
async def test_whoever_waits_for_it_starts_it(use: Callable[[Job[int]], Awaitable[object]]) -> None:
    """Scenario lazy-04, rule SE7."""
    log: list[str] = []

    async def run() -> int:
        await checkpoint()
        log.append("ran")
        return 42

    with fail_after(5):
        async with coroutine_scope() as scope:
            job = scope.launch(run, lazy=True)
            await settled()
            assert log == []
            await use(job)
            assert log == ["ran"]


async def test_a_select_that_ended_before_it_came_to_a_lazy_job_does_not_start_it() -> None:
    async with coroutine_scope() as scope:
        job = scope.launch(answer, lazy=True)
        assert await select(on_timeout(0, lambda: "default"), job.on_join(lambda: "job")) == "default"
        await settled()
        assert repr(job) == "<Job answer (new)>"
        job.cancel()


async def test_a_completion_handler_of_a_lazy_job_is_called_after_its_body() -> None:
    """Scenario lazy-05."""
    log: list[object] = []
    async with coroutine_scope() as scope:
        job = scope.launch(log.append, "body", lazy=True)
        job.invoke_on_completion(log.append)
        await settled()
        assert log == []
        job.start()
        await settled()
        assert log == ["body", None]


async def test_a_lazy_job_keeps_its_scope_from_ending() -> None:
    ended: list[str] = []
    jobs: list[Job[int]] = []

    async def open_a_scope() -> None:
        async with coroutine_scope() as inner:
            jobs.append(inner.launch(answer, lazy=True))
        ended.append("inner")

    async with coroutine_scope() as scope:
        scope.launch(open_a_scope)
        await settled()
        assert ended == []
        jobs[0].start()
        await settled()
        assert ended == ["inner"]


@pytest.mark.parametrize("parked", [True, False])
async def test_cancelling_a_lazy_job_that_was_not_started_ends_it_at_once(parked: bool) -> None:
    ran: list[str] = []
    async with coroutine_scope() as scope:
        job = scope.launch(ran.append, "ran", lazy=True)
        if parked:
            await settled()
        job.cancel("not needed")
        assert (job.is_active, job.is_completed, job.is_cancelled) == (False, True, True)
        assert job.start() is False
        with pytest.raises(JobCancelled, match="not needed"):
            await job
    assert ran == []


async def test_the_end_of_the_scope_cancels_what_was_not_started() -> None:
    async with coroutine_scope() as scope:
        cancelled = scope.launch(answer, lazy=True)
        await settled()
        scope.cancel()
        assert cancelled.is_completed
    with pytest.raises(ValueError, match="body"):
        async with coroutine_scope() as scope:
            failed = scope.launch(answer, lazy=True)
            await settled()
            raise ValueError("body")
    with CancelScope() as outside:
        async with supervisor_scope() as scope:
            left = scope.launch(answer, lazy=True)
            await settled()
            outside.cancel()
    for job in (cancelled, failed, left):
        assert job.is_completed
        assert job.is_cancelled


async def test_a_started_lazy_job_is_cancelled_like_any_other() -> None:
    begun = Event()
    log: list[str] = []

    async def run() -> None:
        begun.set()
        try:
            await Event().wait()
        finally:
            log.append("cleaned up")

    async with coroutine_scope() as scope:
        job = scope.launch(run, lazy=True)
        job.start()
        await begun.wait()
        await job.cancel_and_join()
    assert log == ["cleaned up"]
