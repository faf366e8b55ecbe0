"""`Restart` and `Backoff`: bringing failed jobs back, not too often and not all at once."""

from __future__ import annotations

from itertools import islice
from math import inf, nan
from typing import Any

import pytest
from anyio import current_time, sleep, sleep_forever

from flowsock import Backoff, Job, Restart, coroutine_scope, supervisor_scope
from tests.turns import settled

STEADY = Backoff(1.0, factor=1, jitter=lambda: 1.0)


def test_the_bounds_grow_by_the_factor_up_to_the_maximum() -> None:
    backoff = Backoff(1, factor=3, maximum=20, jitter=lambda: 1.0)
    assert list(islice(backoff.waits(), 5)) == [1, 3, 9, 20, 20]


def test_the_jitter_is_full_and_draws_anew_for_each_wait() -> None:
    draws = iter([0.0, 0.25, 0.5, 0.99])
    backoff = Backoff(4, factor=2, maximum=100, jitter=lambda: next(draws))
    assert list(islice(backoff.waits(), 4)) == [0.0, 2.0, 8.0, 0.99 * 32]


def test_the_default_waits_stay_within_their_bounds_and_differ() -> None:
    runs = [list(islice(Backoff().waits(), 12)) for _ in range(20)]
    bounds = [min(30.0, 0.5 * 2.0**n) for n in range(12)]
    assert all(0 <= wait <= bound for run in runs for wait, bound in zip(run, bounds, strict=True))
    assert len({tuple(run) for run in runs}) == len(runs)


def test_the_first_wait_obeys_the_maximum_too() -> None:
    assert next(Backoff(10, maximum=2, jitter=lambda: 1.0).waits()) == 2


def test_the_bounds_never_overflow() -> None:
    *_, last = islice(Backoff(1, factor=1e300, jitter=lambda: 1.0).waits(), 10)
    assert last == 30.0


@pytest.mark.parametrize("bad", [{"initial": -1}, {"maximum": -1}, {"factor": 0.5}, {"initial": nan}, {"factor": nan}])
def test_senseless_backoffs_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be >="):
        Backoff(**bad)


@pytest.mark.parametrize("bad", [{"attempts": 0}, {"within": 0}, {"within": -1}, {"within": nan}])
def test_senseless_restarts_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be >"):
        Restart(**bad)


class Fatal(BaseException):
    """Nothing that an application handles."""


class Flaky:
    """Fails as often as told, then returns; remembers when it was called."""

    def __init__(self, failures: float, error: type[BaseException] = ValueError) -> None:
        self.failures = failures
        self.error = error
        self.calls: list[float] = []

    async def __call__(self) -> str:
        self.calls.append(current_time())
        if len(self.calls) <= self.failures:
            raise self.error(f"failure {len(self.calls)}")
        return "done"

    @property
    def pauses(self) -> list[float]:
        return [round(later - earlier, 6) for earlier, later in zip(self.calls, self.calls[1:], strict=False)]


@pytest.mark.anyio
@pytest.mark.usefixtures("virtual_clock")
class TestRestart:
    async def test_a_failed_job_is_started_again_after_the_backoff(self) -> None:
        flaky = Flaky(3)
        backoff = Backoff(1, factor=2, jitter=lambda: 1.0)
        async with coroutine_scope() as scope:
            job = scope.launch(flaky, restart=Restart(backoff=backoff))
            assert await job == "done"
        assert flaky.pauses == [1, 2, 4]
        assert job.error is None

    async def test_a_job_that_is_being_restarted_is_active_and_its_siblings_do_not_notice(self) -> None:
        async with coroutine_scope() as scope:
            sibling = scope.launch(sleep, 100)
            job = scope.launch(Flaky(1), restart=Restart(backoff=Backoff(50, maximum=50, jitter=lambda: 1.0)))
            await sleep(25)
            assert job.is_active
            assert sibling.is_active
            await job

    async def test_one_failure_more_than_the_budget_fails_the_job(self) -> None:
        flaky = Flaky(inf)
        with pytest.raises(ValueError, match="failure 4"):
            async with coroutine_scope() as scope:
                scope.launch(flaky, restart=Restart(attempts=3, backoff=STEADY))
        assert flaky.pauses == [1, 1, 1]

    async def test_the_budget_is_counted_within_a_moving_window(self) -> None:
        flaky = Flaky(9)
        backoff = Backoff(10, factor=1, jitter=lambda: 1.0)
        async with coroutine_scope() as scope:
            # Failures come every 10 s: the window holds the last two of them when the next one comes.
            assert await scope.launch(flaky, restart=Restart(attempts=3, within=25, backoff=backoff)) == "done"
        assert len(flaky.calls) == 10

    async def test_the_window_is_not_wider_than_told(self) -> None:
        flaky = Flaky(inf)
        backoff = Backoff(10, factor=1, jitter=lambda: 1.0)
        with pytest.raises(ValueError, match="failure 4"):
            async with coroutine_scope() as scope:
                scope.launch(flaky, restart=Restart(attempts=3, within=31, backoff=backoff))

    async def test_a_long_run_between_failures_starts_the_backoff_afresh(self) -> None:
        waits: list[float] = []
        ended: list[float] = []

        async def run() -> None:
            if ended:
                waits.append(current_time() - ended[-1])
            if len(waits) == 4:
                return
            # The third run lasts longer than the window.
            await sleep(100 if len(waits) == 2 else 0)
            ended.append(current_time())
            raise ValueError("again")

        restart = Restart(attempts=3, within=60, backoff=Backoff(1, factor=2, jitter=lambda: 1.0))
        async with coroutine_scope() as scope:
            await scope.launch(run, restart=restart)
        assert [round(wait, 6) for wait in waits] == [1, 2, 1, 2]

    async def test_each_job_has_a_budget_of_its_own(self) -> None:
        restart = Restart(attempts=2, backoff=STEADY)
        async with coroutine_scope() as scope:
            jobs = [scope.launch(Flaky(2), restart=restart) for _ in range(3)]
        assert [await job for job in jobs] == ["done"] * 3

    async def test_a_supervisor_hears_of_the_last_failure_only(self) -> None:
        reported: list[str] = []

        def report(_job: Job[Any], error: Exception) -> None:
            reported.append(str(error))

        async with supervisor_scope(on_error=report) as scope:
            scope.launch(Flaky(inf), restart=Restart(attempts=2, backoff=STEADY))
        assert reported == ["failure 3"]

    async def test_a_job_cancelled_between_two_attempts_is_not_started_again(self) -> None:
        flaky = Flaky(inf)
        async with coroutine_scope() as scope:
            job = scope.launch(flaky, restart=Restart(backoff=Backoff(100, maximum=100, jitter=lambda: 1.0)))
            await sleep(50)
            await job.cancel_and_join()
        assert len(flaky.calls) == 1
        assert job.is_cancelled
        assert job.error is None

    async def test_an_error_raised_while_the_job_is_cancelled_is_raised_and_not_restarted(self) -> None:
        starts: list[float] = []

        async def run() -> None:
            starts.append(current_time())
            try:
                await sleep_forever()
            finally:
                raise ValueError("cleanup")

        with pytest.raises(ValueError, match="cleanup"):
            async with coroutine_scope() as scope:
                job = scope.launch(run, restart=Restart())
                await settled()
                job.cancel()
        assert len(starts) == 1

    async def test_only_errors_are_restarted(self) -> None:
        flaky = Flaky(1, Fatal)
        with pytest.raises(Fatal):
            async with coroutine_scope() as scope:
                scope.launch(flaky, restart=Restart())
        assert len(flaky.calls) == 1

    async def test_plain_functions_are_restarted_too(self) -> None:
        values = iter(["x", "7"])
        async with coroutine_scope() as scope:
            assert await scope.launch(lambda: int(next(values)), restart=Restart(backoff=STEADY)) == 7
