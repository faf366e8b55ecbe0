"""`coroutine_scope`: jobs that succeed or fail together."""

from __future__ import annotations

from functools import partial
from traceback import extract_tb
from typing import NoReturn

import pytest
from anyio import (
    CancelScope,
    create_task_group,
    current_time,
    get_cancelled_exc_class,
    move_on_after,
    sleep,
    sleep_forever,
)
from anyio.lowlevel import checkpoint

from flowsock import Job, Scope, coroutine_scope
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def fail(error: Exception, *, turns: int = 0) -> NoReturn:
    for _ in range(turns):
        await checkpoint()
    raise error


async def wait_and_tell(log: list[str], name: str) -> None:
    try:
        await sleep_forever()
    finally:
        log.append(name)


async def test_the_block_ends_when_body_children_and_grandchildren_ended() -> None:
    """Scenario scope-01."""
    log: list[str] = []

    async def grandchild() -> None:
        await settled()
        log.append("grandchild")

    async def child(scope: Scope) -> None:
        scope.launch(grandchild)
        await checkpoint()
        log.append("child")

    async with coroutine_scope() as scope:
        scope.launch(child, scope)
        log.append("body")
    assert log == ["body", "child", "grandchild"]


async def test_an_empty_scope_ends_at_once() -> None:
    async with coroutine_scope() as scope:
        assert scope.is_active
        assert scope.jobs == ()


async def test_a_failing_body_cancels_the_jobs_and_is_raised_after_their_cleanup() -> None:
    """Scenarios scope-03 and scope-08."""
    log: list[str] = []
    with pytest.raises(ValueError, match="body"):
        async with coroutine_scope() as scope:
            scope.launch(wait_and_tell, log, "cleaned up")
            await settled()
            raise ValueError("body")
    assert log == ["cleaned up"]


async def test_a_failing_job_cancels_body_and_siblings() -> None:
    log: list[str] = []
    error = ValueError("job")
    with pytest.raises(ValueError, match="job") as raised:
        async with coroutine_scope() as scope:
            scope.launch(wait_and_tell, log, "sibling")
            await settled()
            scope.launch(fail, error)
            await wait_and_tell(log, "body")
    assert raised.value is error
    assert sorted(log) == ["body", "sibling"]


async def test_a_job_that_fails_after_the_body_returned_still_fails_the_scope() -> None:
    """Scenarios scope-09 and scope-15."""
    with pytest.raises(ValueError, match="late"):
        async with coroutine_scope() as scope:
            scope.launch(partial(fail, ValueError("late"), turns=5))


async def test_a_single_error_comes_with_its_own_traceback_and_without_noise() -> None:
    async def deep() -> None:
        raise ValueError("job")

    with pytest.raises(ValueError, match="job") as raised:
        async with coroutine_scope() as scope:
            scope.launch(deep)
            await sleep_forever()
    error = raised.value
    assert extract_tb(error.__traceback__)[-1].name == "deep"
    assert error.__context__ is None
    assert error.__cause__ is None


async def test_a_single_error_keeps_the_context_that_it_was_raised_in() -> None:
    async def translate() -> None:
        try:
            raise KeyError("inner")
        except KeyError:
            raise ValueError("outer")  # noqa: B904 - the implicit context is the point

    with pytest.raises(ValueError, match="outer") as raised:
        async with coroutine_scope() as scope:
            scope.launch(translate)
            await sleep_forever()
    assert isinstance(raised.value.__context__, KeyError)


async def test_several_errors_come_as_one_flat_group() -> None:
    """Scenario scope-12; Kotlin attaches the later errors to the first one."""
    ready = 0

    async def fail_while_cancelled(error: Exception) -> None:
        nonlocal ready
        ready += 1
        try:
            await sleep_forever()
        finally:
            raise error

    errors = [ValueError("1"), ValueError("2"), ValueError("3")]
    with pytest.raises(ExceptionGroup) as raised:
        async with coroutine_scope() as scope:
            for error in errors[:2]:
                scope.launch(fail_while_cancelled, error)
            await settled()
            assert ready == 2
            scope.launch(fail, errors[2])
    assert sorted(map(str, raised.value.exceptions)) == ["1", "2", "3"]


async def test_errors_of_nested_scopes_come_without_groups_around_single_ones() -> None:
    error = ValueError("deepest")
    with pytest.raises(ValueError, match="deepest") as raised:
        async with coroutine_scope(), coroutine_scope(), coroutine_scope() as scope:
            scope.launch(fail, error)
    assert raised.value is error


async def test_a_job_error_that_the_body_raises_again_is_not_doubled() -> None:
    error = ValueError("job")
    with pytest.raises(ValueError, match="job") as raised:
        async with coroutine_scope() as scope:
            await scope.launch(fail, error)
    assert raised.value is error


async def test_a_job_error_that_a_sibling_raises_again_is_not_doubled() -> None:
    error = ValueError("job")

    async def await_it(job: Job[NoReturn]) -> None:
        await job

    with pytest.raises(ValueError, match="job") as raised:
        async with coroutine_scope() as scope:
            job: Job[NoReturn] = scope.launch(partial(fail, error, turns=3))
            scope.launch(await_it, job)
    assert raised.value is error


async def test_a_group_that_a_job_raised_itself_stays_one_error() -> None:
    group = ExceptionGroup("mine", [ValueError("1"), ExceptionGroup("inner", [KeyError("2")])])
    with pytest.raises(ExceptionGroup) as raised:
        async with coroutine_scope() as scope:
            await scope.launch(fail, group)
    assert raised.value.message == "mine"
    assert str(raised.value.exceptions) == str(group.exceptions)


async def test_catching_an_awaited_error_does_not_save_the_scope() -> None:
    """Scenario deferred-03."""
    caught: list[ValueError] = []
    error = ValueError("job")
    with pytest.raises(ValueError, match="job") as raised:
        async with coroutine_scope() as scope:
            try:
                await scope.launch(fail, error)
            except ValueError as failure:
                caught.append(failure)
    assert raised.value is error
    assert caught == [error]


async def test_a_body_that_fails_while_it_is_cancelled_is_not_lost() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with coroutine_scope() as scope:
            scope.launch(fail, ValueError("job"))
            try:
                await sleep_forever()
            finally:
                raise KeyError("body")
    assert {type(error) for error in raised.value.exceptions} == {ValueError, KeyError}


async def test_an_error_of_a_child_reaches_everyone_up_to_the_outermost_scope() -> None:
    """Scenario propagation-12."""
    log: list[str] = []

    async def child() -> None:
        async with coroutine_scope() as inner:
            inner.launch(partial(fail, ValueError("grandchild"), turns=2))
            await wait_and_tell(log, "child")

    with pytest.raises(ValueError, match="grandchild"):
        async with coroutine_scope() as outer:
            outer.launch(child)
            await wait_and_tell(log, "root")
    assert log == ["child", "root"]


async def test_an_error_that_is_caught_around_a_nested_scope_does_not_reach_the_outer_one() -> None:
    """Scenario propagation-06."""
    async with coroutine_scope() as outer:
        with pytest.raises(ValueError, match="inner"):
            async with coroutine_scope() as inner:
                inner.launch(fail, ValueError("inner"))
        assert outer.is_active
        await checkpoint()


async def test_cancelling_the_scope_cancels_everything_and_leaves_quietly() -> None:
    log: list[str] = []
    after_cancel = False
    async with coroutine_scope() as scope:
        jobs = [scope.launch(wait_and_tell, log, f"job {number}") for number in range(2)]
        await settled()
        scope.cancel()
        assert not scope.is_active
        assert [job.is_active for job in jobs] == [False, False]
        await checkpoint()
        after_cancel = True
    assert not after_cancel, "the body is cancelled, too"
    assert sorted(log) == ["job 0", "job 1"]
    assert [job.is_cancelled and job.is_completed for job in jobs] == [True, True]


async def test_an_error_wins_against_the_cancellation_of_the_scope() -> None:
    """Scenario scope-07."""
    with pytest.raises(ValueError, match="after cancel"):
        async with coroutine_scope() as scope:
            scope.cancel()
            raise ValueError("after cancel")


async def test_cancelling_one_scope_leaves_the_one_around_it_alone() -> None:
    log: list[str] = []
    async with coroutine_scope() as outer:
        sibling = outer.launch(wait_and_tell, log, "sibling")
        async with coroutine_scope() as inner:
            inner.launch(wait_and_tell, log, "inner")
            await settled()
            inner.cancel()
        assert log == ["inner"]
        assert outer.is_active
        assert sibling.is_active
        sibling.cancel()
    assert log == ["inner", "sibling"]


async def test_cancel_children_leaves_the_scope_active() -> None:
    """Scenario job-09."""
    log: list[str] = []
    async with coroutine_scope() as scope:
        first = scope.launch(wait_and_tell, log, "first")
        await settled()
        scope.cancel_children()
        await first.join()
        assert scope.is_active
        assert await scope.launch(lambda: 42) == 42
    assert log == ["first"]


async def test_a_job_launched_in_a_cancelled_scope_never_runs() -> None:
    """Scenarios propagation-15 and job-07."""
    ran: list[str] = []
    async with coroutine_scope() as scope:
        scope.cancel()
        job = scope.launch(ran.append, "ran")
        assert not job.is_active
    assert ran == []
    assert job.is_completed
    assert job.is_cancelled


async def test_a_job_whose_scope_fails_before_its_first_turn_never_runs() -> None:
    ran: list[str] = []

    async def run() -> None:
        ran.append("ran")

    with pytest.raises(ValueError, match="body"):
        async with coroutine_scope() as scope:
            job = scope.launch(run)
            raise ValueError("body")
    assert ran == []
    assert job.is_cancelled


async def test_a_job_launched_while_an_outer_scope_is_cancelled_never_runs() -> None:
    ran: list[str] = []
    with CancelScope() as outside:
        async with coroutine_scope() as scope:
            outside.cancel()
            scope.launch(ran.append, "ran")
    assert ran == []


async def test_a_job_launched_after_the_end_of_its_scope_is_refused() -> None:
    async with coroutine_scope() as scope:
        pass
    with pytest.raises(RuntimeError):
        scope.launch(checkpoint)
    assert scope.jobs == ()


async def test_cancellation_from_outside_reaches_the_jobs_and_goes_on() -> None:
    """Scenario scope-04."""
    log: list[str] = []

    async def run() -> None:
        try:
            async with coroutine_scope() as scope:
                scope.launch(wait_and_tell, log, "job")
                await sleep_forever()
        except get_cancelled_exc_class():
            log.append("cancelled")
            raise

    async with create_task_group() as tasks:
        tasks.start_soon(run)
        await settled()
        tasks.cancel_scope.cancel()
    assert log == ["job", "cancelled"]


async def test_a_cancelled_task_runs_a_body_that_never_waits_and_is_cancelled_at_its_end() -> None:
    """Scenario scope-10."""
    log: list[str] = []
    with CancelScope() as outside:
        outside.cancel()
        async with coroutine_scope():
            log.append("body")
        await checkpoint()
        log.append("not reached")
    assert log == ["body"]


async def test_shielded_cleanup_finishes_before_the_scope_ends() -> None:
    """Scenarios propagation-13, shield-02 and shield-03."""
    log: list[str] = []

    async def job() -> None:
        try:
            await sleep_forever()
        finally:
            for step in ("first", "second"):
                with CancelScope(shield=True):
                    await settled()
                    log.append(step)

    with pytest.raises(ValueError, match="body"):
        async with coroutine_scope() as scope:
            child = scope.launch(job)
            await settled()
            raise ValueError("body")
    assert log == ["first", "second"]
    assert child.is_cancelled


@pytest.mark.usefixtures("virtual_clock")
@pytest.mark.parametrize("body", ["waits", "has ended"])
async def test_a_timeout_around_a_scope_ends_its_jobs(body: str) -> None:
    log: list[str] = []
    start = current_time()
    with move_on_after(5) as timeout:
        async with coroutine_scope() as scope:
            scope.launch(wait_and_tell, log, "job")
            if body == "waits":
                await sleep(3600)
    assert timeout.cancelled_caught
    assert current_time() - start == pytest.approx(5)
    assert log == ["job"]


async def test_many_jobs_are_waited_for_and_then_forgotten() -> None:
    done: list[int] = []
    async with coroutine_scope() as scope:
        for number in range(1000):
            scope.launch(done.append, number)
        assert len(scope.jobs) == 1000
        await settled()
        assert scope.jobs == ()
    assert sorted(done) == list(range(1000))
