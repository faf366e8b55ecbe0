"""`Job.invoke_on_completion`: plain code at the moment a job ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest
from anyio import CancelScope, sleep_forever
from anyio.lowlevel import checkpoint

from flowsock import CompletableDeferred, Job, JobCancelled, coroutine_scope, supervisor_scope
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


async def fail(error: Exception) -> NoReturn:
    await checkpoint()
    raise error


async def test_the_handler_learns_how_the_job_ended() -> None:
    seen: list[BaseException | None] = []
    error = ValueError("no")
    async with supervisor_scope(on_error=lambda _job, _error: None) as scope:
        scope.launch(checkpoint).invoke_on_completion(seen.append)
        await settled()
        scope.launch(fail, error).invoke_on_completion(seen.append)
        await settled()
        cancelled = scope.launch(sleep_forever)
        cancelled.invoke_on_completion(seen.append)
        await settled()
        cancelled.cancel("enough")
        assert len(seen) == 2, "the job has not ended yet"
        await settled()
    assert seen[:2] == [None, error]
    assert isinstance(seen[2], JobCancelled)
    assert str(seen[2]) == "job 'sleep_forever' was cancelled: enough"


async def test_the_handler_of_a_job_that_has_ended_is_called_at_once() -> None:
    seen: list[BaseException | None] = []
    async with coroutine_scope() as scope:
        job = scope.launch(checkpoint)
        await job
        job.invoke_on_completion(seen.append)()
        assert seen == [None]


async def test_handlers_are_called_in_place_before_those_who_wait_run() -> None:
    log: list[str] = []
    deferred: CompletableDeferred[int] = CompletableDeferred()

    async def wait() -> None:
        await deferred
        log.append("awaited")

    async with coroutine_scope() as scope:
        scope.launch(wait)
        await settled()
        deferred.invoke_on_completion(lambda _cause: log.append("handler"))
        deferred.complete(1)
        assert log == ["handler"]
    assert log == ["handler", "awaited"]


async def test_one_function_may_be_registered_twice() -> None:
    seen: list[BaseException | None] = []
    deferred: CompletableDeferred[int] = CompletableDeferred()
    withdraw = deferred.invoke_on_completion(seen.append)
    deferred.invoke_on_completion(seen.append)
    deferred.invoke_on_completion(seen.append)
    withdraw()
    withdraw()
    deferred.complete(1)
    assert seen == [None, None]


async def test_only_the_handlers_that_were_not_withdrawn_are_called() -> None:
    """Scenario job-06."""
    called: list[int] = []
    deferred: CompletableDeferred[int] = CompletableDeferred()

    def note(number: int) -> Callable[[object], None]:
        return lambda _cause: called.append(number)

    withdrawals = [deferred.invoke_on_completion(note(number)) for number in range(100)]
    for withdraw in withdrawals[::2]:
        withdraw()
    deferred.cancel()
    assert called == [*range(1, 100, 2)]


async def test_a_handler_may_withdraw_another() -> None:
    called: list[str] = []
    deferred: CompletableDeferred[int] = CompletableDeferred()
    deferred.invoke_on_completion(lambda _cause: withdraw_second())
    withdraw_second = deferred.invoke_on_completion(lambda _cause: called.append("second"))
    deferred.invoke_on_completion(lambda _cause: called.append("third"))
    deferred.complete(1)
    assert called == ["third"]


async def test_handlers_that_raise_stop_no_other_and_their_errors_surface_together() -> None:
    """Scenario job-05."""
    called: list[int] = []

    def failing(number: int) -> Callable[[object], None]:
        def handler(_cause: object) -> None:
            called.append(number)
            raise ValueError(number)

        return handler

    def with_handlers(count: int) -> CompletableDeferred[int]:
        called.clear()
        deferred: CompletableDeferred[int] = CompletableDeferred()
        for number in range(count):
            deferred.invoke_on_completion(failing(number))
        return deferred

    ends: list[Callable[[CompletableDeferred[int]], object]] = [
        lambda deferred: deferred.cancel(),
        lambda deferred: deferred.complete(1),
        lambda deferred: deferred.complete_exceptionally(KeyError()),
    ]
    for end in ends:
        deferred = with_handlers(10)
        with pytest.raises(ExceptionGroup) as raised:
            end(deferred)
        assert called == [*range(10)]
        assert [error.args for error in raised.value.exceptions] == [(number,) for number in range(10)]
        assert deferred.is_completed
        with pytest.raises(ValueError, match="0"):
            end(with_handlers(1))


async def test_a_handler_that_raises_in_the_end_of_a_running_job_fails_its_scope() -> None:
    def handler(_cause: object) -> NoReturn:
        raise ValueError("handler")

    with pytest.raises(ValueError, match="handler"):
        async with coroutine_scope() as scope:
            job = scope.launch(lambda: 42)
            job.invoke_on_completion(handler)
            await sleep_forever()
    assert await job == 42


async def test_cancelling_the_children_goes_on_after_a_handler_that_raises() -> None:
    def handler(_cause: object) -> NoReturn:
        raise ValueError("handler")

    async with coroutine_scope() as scope:
        jobs = [scope.launch(checkpoint, lazy=True) for _ in range(3)]
        jobs[0].invoke_on_completion(handler)
        with pytest.raises(ValueError, match="handler"):
            scope.cancel_children()
        assert [job.is_completed for job in jobs] == [True, True, True]


async def test_the_scope_has_learned_of_a_failure_when_the_handler_is_called() -> None:
    seen: list[tuple[bool, bool]] = []
    with pytest.raises(ValueError, match="no"):
        async with coroutine_scope() as scope:
            sibling = scope.launch(sleep_forever)
            await settled()
            failing: Job[NoReturn] = scope.launch(fail, ValueError("no"))
            failing.invoke_on_completion(lambda _cause: seen.append((scope.is_active, sibling.is_active)))
            await sleep_forever()
    assert seen == [(False, False)]


async def test_a_failure_is_reported_before_the_job_has_ended() -> None:
    log: list[str] = []

    async def report(job: Job[object], _error: Exception) -> None:
        assert (job.is_active, job.is_completed) == (False, False)
        await settled()
        log.append("reported")

    async with supervisor_scope(on_error=report) as scope:
        await scope.launch(fail, ValueError("no")).join()
        log.append("joined")
    assert log == ["reported", "joined"]


async def test_a_cancelled_join_leaves_no_handler() -> None:
    deferred: CompletableDeferred[int] = CompletableDeferred()
    with CancelScope() as outside:
        async with coroutine_scope() as scope:
            scope.launch(deferred.join)
            await settled()
            outside.cancel()
    calls: list[object] = []
    deferred.invoke_on_completion(calls.append)
    deferred.complete(1)
    assert calls == [None]
