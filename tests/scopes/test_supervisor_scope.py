"""`supervisor_scope`: jobs that fail on their own."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

import pytest
from anyio import CancelScope, Event, sleep_forever
from anyio.lowlevel import checkpoint

from flowsock import Job, coroutine_scope, supervisor_scope
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def fail(error: Exception) -> NoReturn:
    await checkpoint()
    raise error


async def wait_and_tell(log: list[str], name: str) -> None:
    try:
        await sleep_forever()
    finally:
        log.append(name)


async def test_failed_jobs_are_reported_once_each_and_nobody_else_notices() -> None:
    """Scenarios supervisor-02 and propagation-11."""
    reported: list[tuple[Job[Any], Exception]] = []
    done = Event()
    errors = [ValueError("1"), KeyError("2")]
    async with supervisor_scope(on_error=lambda job, error: reported.append((job, error))) as scope:
        sibling = scope.launch(done.wait)
        failing: list[Job[NoReturn]] = [scope.launch(fail, error) for error in errors]
        await settled()
        assert sibling.is_active
        assert scope.is_active
        done.set()
    assert sorted(reported, key=lambda pair: str(pair[1])) == sorted(
        zip(failing, errors, strict=True), key=lambda pair: str(pair[1])
    )
    assert [job.error for job in failing] == errors


async def test_the_failure_is_logged_with_its_traceback_unless_told_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("no")
    with caplog.at_level(logging.ERROR, logger="flowsock"):
        async with supervisor_scope() as scope:
            scope.launch(fail, error, name="failing")
    [record] = caplog.records
    assert record.name == "flowsock"
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "job 'failing' failed"
    assert record.exc_info is not None
    assert record.exc_info[1] is error


async def test_on_error_may_be_a_coroutine_function() -> None:
    reported: list[Exception] = []

    async def report(_job: Job[Any], error: Exception) -> None:
        await checkpoint()
        reported.append(error)

    error = ValueError("no")
    async with supervisor_scope(on_error=report) as scope:
        scope.launch(fail, error)
    assert reported == [error]


async def test_a_failing_on_error_fails_the_scope() -> None:
    log: list[str] = []

    def report(_job: Job[Any], error: Exception) -> None:
        raise RuntimeError("cannot report") from error

    with pytest.raises(RuntimeError, match="cannot report") as raised:
        async with supervisor_scope(on_error=report) as scope:
            scope.launch(wait_and_tell, log, "sibling")
            await settled()
            scope.launch(fail, ValueError("no"))
            await sleep_forever()
    assert isinstance(raised.value.__cause__, ValueError)
    assert log == ["sibling"]


async def test_a_failing_body_cancels_the_jobs() -> None:
    """Scenario supervisor-04."""
    log: list[str] = []
    with pytest.raises(ValueError, match="body"):
        async with supervisor_scope() as scope:
            scope.launch(wait_and_tell, log, "job")
            await settled()
            raise ValueError("body")
    assert log == ["job"]


async def test_cancellation_from_outside_cancels_the_jobs() -> None:
    """Scenario supervisor-06."""
    log: list[str] = []
    with CancelScope() as outside:
        async with supervisor_scope() as scope:
            scope.launch(wait_and_tell, log, "job")
            await settled()
            outside.cancel()
            await sleep_forever()
    assert outside.cancelled_caught
    assert log == ["job"]


async def test_cancelling_a_supervisor_leaves_the_scope_around_it_alone() -> None:
    """Scenario supervisor-08."""
    log: list[str] = []
    async with coroutine_scope() as outer:
        async with supervisor_scope() as inner:
            inner.launch(wait_and_tell, log, "job")
            await settled()
            inner.cancel()
        assert log == ["job"]
        assert outer.is_active
        await checkpoint()


async def test_an_error_wins_against_the_cancellation_of_the_supervisor() -> None:
    """Scenario supervisor-07."""
    with pytest.raises(ValueError, match="after cancel"):
        async with supervisor_scope() as scope:
            scope.cancel()
            raise ValueError("after cancel")


async def test_supervision_is_one_level_deep() -> None:
    """Rule J9."""
    log: list[str] = []
    reported: list[Exception] = []

    async def family() -> None:
        async with coroutine_scope() as inner:
            inner.launch(wait_and_tell, log, "nephew")
            await settled()
            inner.launch(fail, ValueError("inner"))

    async with supervisor_scope(on_error=lambda _job, error: reported.append(error)) as scope:
        scope.launch(family)
        await settled()
        assert scope.is_active
    assert log == ["nephew"]
    assert [str(error) for error in reported] == ["inner"]


async def test_an_awaited_error_comes_out_of_the_await_and_is_still_reported() -> None:
    reported: list[Exception] = []
    async with supervisor_scope(on_error=lambda _job, error: reported.append(error)) as scope:
        with pytest.raises(ValueError, match="no"):
            await scope.launch(fail, ValueError("no"))
        await checkpoint()
    assert len(reported) == 1


async def test_a_cancelled_job_is_not_reported() -> None:
    reported: list[Exception] = []
    async with supervisor_scope(on_error=lambda _job, error: reported.append(error)) as scope:
        job = scope.launch(sleep_forever)
        await settled()
        job.cancel()
    assert reported == []


class Fatal(BaseException):
    """Nothing that an application handles."""


async def test_only_errors_are_supervised() -> None:
    reported: list[Exception] = []

    async def run() -> NoReturn:
        await checkpoint()
        raise Fatal

    with pytest.raises(Fatal):
        async with supervisor_scope(on_error=lambda _job, error: reported.append(error)) as scope:
            scope.launch(run)
    assert reported == []
