"""`Job`: the handle on one child of a scope."""

from __future__ import annotations

import gc
import weakref
from functools import partial
from traceback import walk_tb
from typing import NoReturn

import pytest
from anyio import CancelScope, Event, sleep_forever
from anyio.lowlevel import checkpoint

from flowsock import Job, JobCancelled, coroutine_scope, supervisor_scope
from flowsock.emitting import ignore
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def answer() -> int:
    await checkpoint()
    return 42


async def fail(error: Exception) -> NoReturn:
    await checkpoint()
    raise error


async def test_awaiting_a_job_gives_its_result_each_time() -> None:
    """Scenarios deferred-01 and lazy-01."""
    async with coroutine_scope() as scope:
        job = scope.launch(answer)
        assert await job == 42
        assert await job == 42
    assert await job == 42


async def test_two_tasks_may_await_one_job() -> None:
    """Scenario deferred-07."""
    seen: list[int] = []

    async def await_it(job: Job[int]) -> None:
        seen.append(await job)

    async with coroutine_scope() as scope:
        job = scope.launch(answer)
        scope.launch(await_it, job)
        scope.launch(await_it, job)
    assert seen == [42, 42]


async def test_awaiting_a_failed_job_raises_the_same_error_each_time() -> None:
    error = ValueError("job")
    depths: set[int] = set()
    async with supervisor_scope(on_error=lambda _job, _error: None) as scope:
        job: Job[NoReturn] = scope.launch(fail, error)
        for _ in range(4):
            with pytest.raises(ValueError, match="job") as raised:
                await job
            assert raised.value is error
            depths.add(len(list(walk_tb(error.__traceback__))))
    assert job.error is error
    assert len(depths) <= 2, "the first await waits for the end, the others do not; nothing else grows"


async def test_awaiting_a_cancelled_job_raises_job_cancelled() -> None:
    async with coroutine_scope() as scope:
        job = scope.launch(sleep_forever, name="sleeper")
        await settled()
        job.cancel()
        for _ in range(2):
            with pytest.raises(JobCancelled, match="sleeper"):
                await job


async def test_a_value_returned_during_cancellation_does_not_undo_it() -> None:
    """Scenario deferred-05."""

    async def stubborn() -> int:
        try:
            await sleep_forever()
        finally:
            return 42  # noqa: B012 - swallowing the cancellation is the point

    async with coroutine_scope() as scope:
        job = scope.launch(stubborn)
        await settled()
        job.cancel()
        with pytest.raises(JobCancelled):
            await job
    assert job.is_cancelled


async def test_launch_takes_plain_functions() -> None:
    log: list[str] = []
    async with coroutine_scope() as scope:
        job = scope.launch("{}-{}".format, 1, 2)
        scope.launch(log.append, "called")
        assert log == [], "not before the next turn of the event loop"
        assert await job == "1-2"
    assert log == ["called"]


async def test_a_plain_function_may_fail_like_any_other() -> None:
    with pytest.raises(ZeroDivisionError):
        async with coroutine_scope() as scope:
            scope.launch(divmod, 1, 0)


async def test_launch_awaits_whatever_the_function_returned() -> None:
    async with coroutine_scope() as scope:
        inner = scope.launch(answer)
        assert await scope.launch(lambda: inner) == 42


async def test_the_states_of_a_job_that_succeeds() -> None:
    async with coroutine_scope() as scope:
        job = scope.launch(answer, name="answer")
        assert (job.is_active, job.is_completed, job.is_cancelled) == (True, False, False)
        assert repr(job) == "<Job answer (active)>"
        await job.join()
        assert (job.is_active, job.is_completed, job.is_cancelled) == (False, True, False)
        assert repr(job) == "<Job answer (completed)>"
        assert job.error is None


async def test_the_states_of_a_job_that_is_cancelled() -> None:
    """Scenario job-02."""
    async with coroutine_scope() as scope:
        job = scope.launch(sleep_forever, name="sleeper")
        await settled()
        job.cancel()
        assert (job.is_active, job.is_completed, job.is_cancelled) == (False, False, True)
        assert repr(job) == "<Job sleeper (cancelling)>"
        await job.join()
        assert (job.is_active, job.is_completed, job.is_cancelled) == (False, True, True)
        assert repr(job) == "<Job sleeper (cancelled)>"
        assert job.error is None


async def test_the_states_of_a_job_that_fails() -> None:
    async with supervisor_scope(on_error=lambda _job, _error: None) as scope:
        job: Job[NoReturn] = scope.launch(fail, ValueError("no"), name="failing")
        await job.join()
        assert (job.is_active, job.is_completed, job.is_cancelled) == (False, True, True)
        assert repr(job) == "<Job failing (failed: ValueError('no'))>"


async def test_a_job_is_named_after_its_function() -> None:
    class Callable:
        def __call__(self) -> None: ...

        def __repr__(self) -> str:
            return "a callable"

    async with coroutine_scope() as scope:
        assert scope.launch(answer).name == "answer"
        assert scope.launch(Callable()).name == "a callable"
        assert scope.launch(answer, name="given").name == "given"


async def test_a_job_cancelled_before_its_first_turn_never_runs() -> None:
    """Scenario job-10."""
    ran: list[str] = []
    async with coroutine_scope() as scope:
        job = scope.launch(ran.append, "ran")
        job.cancel()
        await job.join()
        assert scope.is_active
    assert ran == []
    assert job.is_cancelled
    with pytest.raises(JobCancelled):
        await job


async def test_cancelling_one_job_touches_neither_siblings_nor_scope() -> None:
    """Scenarios propagation-08 and completable-06."""
    done = Event()
    async with coroutine_scope() as scope:
        cancelled = scope.launch(sleep_forever)
        sibling = scope.launch(done.wait)
        await settled()
        await cancelled.cancel_and_join()
        assert sibling.is_active
        assert scope.is_active
        done.set()
        await sibling


async def test_cancelling_twice_or_after_the_end_does_nothing() -> None:
    async with coroutine_scope() as scope:
        job = scope.launch(answer)
        await job
        job.cancel()
        assert not job.is_cancelled
        assert await job == 42
        sleeper = scope.launch(sleep_forever)
        await settled()
        sleeper.cancel()
        sleeper.cancel()


async def test_a_job_may_cancel_itself() -> None:
    log: list[str] = []

    async def run() -> None:
        job.cancel()
        log.append("still running")
        await checkpoint()
        log.append("not reached")

    async with coroutine_scope() as scope:
        job = scope.launch(run)
        await checkpoint()
    assert log == ["still running"]


async def test_an_error_raised_during_cancellation_fails_job_and_scope() -> None:
    """Rule J7: the error wins."""

    async def run() -> None:
        try:
            await sleep_forever()
        finally:
            raise ValueError("cleanup")

    with pytest.raises(ValueError, match="cleanup"):
        async with coroutine_scope() as scope:
            job = scope.launch(run)
            await settled()
            job.cancel()
    assert isinstance(job.error, ValueError)


async def test_join_waits_for_the_end_and_never_raises() -> None:
    """Scenarios deferred-02 and await_all-07."""
    release = Event()

    async def fail_later() -> None:
        await release.wait()
        raise ValueError("job")

    async with supervisor_scope(on_error=lambda _job, _error: None) as scope:
        job = scope.launch(fail_later)
        joined: list[bool] = []

        async def join() -> None:
            await job.join()
            joined.append(job.is_completed)

        scope.launch(join)
        await settled()
        assert joined == []
        release.set()
        await settled()
        assert joined == [True]
        await job.join()


async def test_join_is_a_cancellation_point_even_when_the_job_has_ended() -> None:
    async with coroutine_scope() as scope:
        job = scope.launch(ignore, None)
        await job.join()
        with CancelScope() as cancelled:
            cancelled.cancel()
            await job.join()
            raise AssertionError("join did not notice the cancellation")
        assert cancelled.cancelled_caught


async def test_a_cancelled_join_leaves_the_job_running_and_nothing_behind() -> None:
    done = Event()
    async with coroutine_scope() as scope:
        job = scope.launch(done.wait)
        with CancelScope() as cancelled:
            scope.launch(cancelled.cancel)
            await job
        assert cancelled.cancelled_caught
        assert job.is_active
        done.set()
        await job


async def test_cancel_and_join_waits_for_the_cleanup() -> None:
    log: list[str] = []

    async def run() -> None:
        try:
            await sleep_forever()
        finally:
            with CancelScope(shield=True):
                await settled()
            log.append("cleaned up")

    async with coroutine_scope() as scope:
        job = scope.launch(run)
        await settled()
        await job.cancel_and_join()
        assert log == ["cleaned up"]


async def test_many_tasks_may_join_one_job() -> None:
    done = Event()
    async with coroutine_scope() as scope:
        job = scope.launch(done.wait)
        joiners = [scope.launch(job.join) for _ in range(500)]
        await settled()
        assert all(joiner.is_active for joiner in joiners)
        for joiner in joiners[::2]:
            joiner.cancel()
        done.set()
    assert [joiner.is_cancelled for joiner in joiners] == [True, False] * 250


async def test_a_finished_job_forgets_its_function_and_its_scope_forgets_the_job() -> None:
    class Payload: ...

    async def use(_payload: Payload) -> None:
        await checkpoint()

    async with coroutine_scope() as scope:
        payload = Payload()
        payload_alive = weakref.ref(payload)
        job = scope.launch(use, payload)
        del payload
        await job.join()
        gc.collect()
        assert payload_alive() is None
        assert scope.jobs == ()


async def test_a_scope_does_not_keep_results() -> None:
    class Result: ...

    async with coroutine_scope() as scope:
        job = scope.launch(Result)
        alive = weakref.ref(await job)
        del job
        await settled()
        gc.collect()
        assert alive() is None


async def test_a_job_whose_function_ended_quickly_can_be_joined_from_many_scopes() -> None:
    async with coroutine_scope() as outer:
        job = outer.launch(partial(int, "7"))
        async with coroutine_scope() as inner:
            results = [inner.launch(job.join) for _ in range(3)]
        assert all(each.is_completed for each in results)
        assert await job == 7
