"""anyio's timeouts around and inside scopes: they are what flowsock has for ``withTimeout``."""

from __future__ import annotations

import pytest
from anyio import current_time, fail_after, move_on_after, sleep, sleep_forever
from anyio.lowlevel import checkpoint

from flowsock import JobCancelled, coroutine_scope, supervisor_scope
from tests.turns import settled

pytestmark = pytest.mark.anyio

virtual = pytest.mark.usefixtures("virtual_clock")


async def wait_and_tell(log: list[str], name: str) -> None:
    try:
        await sleep_forever()
    finally:
        log.append(name)


@virtual
async def test_a_body_that_takes_too_long_is_a_timeout_error() -> None:
    """Scenario timeout_scope-02."""
    start = current_time()
    log: list[str] = []
    with pytest.raises(TimeoutError):
        with fail_after(100):
            async with coroutine_scope() as scope:
                scope.launch(wait_and_tell, log, "child")
                await sleep(1000)
    assert current_time() - start == pytest.approx(100)
    assert log == ["child"]


async def test_an_error_of_the_body_comes_out_as_it_is() -> None:
    """Scenario timeout_scope-06."""
    error = ValueError("E")
    with pytest.raises(ValueError, match="E") as raised, fail_after(1000):
        async with coroutine_scope():
            raise error
    assert raised.value is error


@virtual
async def test_a_body_that_returned_waits_for_its_children() -> None:
    """Scenario timeout_scope-07."""
    log: list[str] = []

    async def child() -> None:
        await sleep(50)
        log.append("child")

    with fail_after(100):
        async with coroutine_scope() as scope:
            scope.launch(child)
    assert log == ["child"]


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_time_passes_for_a_body_that_only_yields() -> None:
    """Scenario timeout_scope-08, on real time: virtual time moves when everybody waits."""
    with pytest.raises(TimeoutError):
        with fail_after(0.02):
            while True:
                await checkpoint()


@virtual
async def test_moving_on_gives_nothing() -> None:
    """Scenario timeout_scope-09."""
    result: int | None = None
    with move_on_after(100):
        async with coroutine_scope():
            await sleep(1000)
            result = 1
    assert result is None


@virtual
async def test_an_inner_timeout_is_an_error_for_the_outer_one() -> None:
    """Scenario timeout_scope-12."""
    with move_on_after(float("inf")) as outer:
        with pytest.raises(TimeoutError):
            with fail_after(10):
                async with coroutine_scope():
                    await sleep_forever()
    assert not outer.cancelled_caught


@virtual
async def test_an_outer_timeout_ends_a_loop_of_inner_ones() -> None:
    """Scenario timeout_scope-13."""
    inner: list[bool] = []
    with move_on_after(320) as outer:
        while True:
            with move_on_after(150) as each:
                async with coroutine_scope() as scope:
                    scope.launch(sleep_forever)
            inner.append(each.cancelled_caught)
    assert outer.cancelled_caught
    assert inner == [True, True]


async def test_a_timeout_that_is_over_lets_the_body_run_to_its_first_checkpoint() -> None:
    log: list[str] = []
    for seconds in (0, -1):
        with move_on_after(seconds) as timeout:
            async with coroutine_scope() as scope:
                log.append("entered")
                scope.launch(log.append, "never runs")
                await checkpoint()
                log.append("not reached")
        assert timeout.cancelled_caught
    assert log == ["entered", "entered"]


@virtual
async def test_the_timeout_of_one_job_is_its_failure() -> None:
    """Kotlin ends such a job silently, because its timeout is a cancellation; here it is an error."""

    async def run() -> None:
        with fail_after(10):
            await sleep_forever()

    reported: list[Exception] = []
    async with supervisor_scope(on_error=lambda _job, error: reported.append(error)) as scope:
        job = scope.launch(run)
        await job.join()
    assert [type(error) for error in reported] == [TimeoutError]
    with pytest.raises(TimeoutError):
        async with coroutine_scope() as scope:
            scope.launch(run)


@virtual
async def test_a_timeout_around_an_await_leaves_the_job_running() -> None:
    async with coroutine_scope() as scope:
        job = scope.launch(sleep, 100)
        with move_on_after(10) as timeout:
            await job
        assert timeout.cancelled_caught
        assert job.is_active


@virtual
async def test_a_timeout_inside_a_job_that_is_cancelled_does_not_catch_the_cancellation() -> None:
    log: list[str] = []

    async def run() -> None:
        with move_on_after(1000) as timeout:
            await wait_and_tell(log, "cancelled")
        log.append(f"went on, caught {timeout.cancelled_caught}")

    async with coroutine_scope() as scope:
        job = scope.launch(run)
        await settled()
        job.cancel()
    assert log == ["cancelled"]
    with pytest.raises(JobCancelled):
        await job
