"""The scope that lives as long as the kernel."""

from __future__ import annotations

import asyncio
import logging

import anyio
import pytest
from anyio import sleep

from flowsock import interval
from flowsock.notebook import scope

pytestmark = pytest.mark.anyio


async def fail() -> None:
    raise ValueError("broken")


async def test_jobs_are_listed_and_stopped_by_name() -> None:
    jobs = scope()
    nap, clock = jobs.launch(sleep, 60, name="<nap>"), interval(1).launch_in(jobs, name="clock")
    jobs.launch(sleep, 60, lazy=True, name="later")
    assert repr(jobs) == "<nap>: active\nclock: active\nlater: new"
    assert "<td>&lt;nap&gt;</td><td>active</td>" in jobs._repr_html_()
    await jobs.stop("clock")
    assert (nap.is_active, clock.is_completed) == (True, True)
    with pytest.raises(KeyError, match="no job is called 'clock'; there are <nap>, later"):
        await jobs.stop("clock")
    await jobs.stop()
    assert (repr(jobs), jobs._repr_html_(), nap.is_completed) == ("no jobs", "no jobs", True)
    with pytest.raises(KeyError, match="there are none"):
        await jobs.stop("x")


async def test_a_job_outlives_the_cell_that_launched_it() -> None:
    async def cell() -> None:
        scope().launch(sleep, 60, name="nap")

    await asyncio.create_task(cell())
    await sleep(1)
    assert [job.name for job in scope().jobs] == ["nap"]
    await scope().stop()


async def test_a_job_that_fails_is_logged_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    nap = scope().launch(sleep, 60, name="nap")
    failed = scope().launch(fail, name="failing")
    with caplog.at_level(logging.ERROR), pytest.raises(ValueError, match="broken"):
        await failed
    assert [record.getMessage() for record in caplog.records] == ["job 'failing' failed"]
    assert nap.is_active
    scope().cancel()
    await nap.join()
    assert scope().is_active, "there is a scope as long as there is a kernel"
    assert not scope().jobs


def test_an_event_loop_has_a_scope_and_ends_its_jobs() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await sleep(60)
        finally:
            ended.append("cleaned up")

    async def kernel() -> int:
        scope().launch(work)
        await sleep(0.01)
        assert scope() is scope()
        return id(scope())

    assert asyncio.run(kernel()) > 0
    assert ended == ["cleaned up"]


def test_without_an_event_loop_there_is_no_scope() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        scope()


def test_trio_has_none() -> None:
    async def main() -> None:
        scope()

    with pytest.raises(RuntimeError, match="no running event loop"):
        anyio.run(main, backend="trio")
