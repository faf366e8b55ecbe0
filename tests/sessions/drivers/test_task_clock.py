"""Timers that a task calls."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from flowsock.sessions.drivers.task_clock import TaskClock
from tests.faults.support import memory_within
from tests.sessions.support import BOUND, failures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


class Log:
    """What was called, and when."""

    def __init__(self) -> None:
        self.start = anyio.current_time()
        self.calls: list[tuple[str, float]] = []

    def note(self, name: str) -> Callable[[], object]:
        return lambda: self.calls.append((name, round(anyio.current_time() - self.start, 3)))


@asynccontextmanager
async def running() -> AsyncIterator[TaskClock]:
    clock = TaskClock()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.run)
        yield clock
        clock.stop()


async def test_calls_are_made_when_they_fall_due_whatever_the_order_they_were_asked_for() -> None:
    log = Log()
    async with running() as clock:
        for delay in (3, 1, 2):
            clock.call_later(delay, log.note(f"after {delay}"))
        await anyio.sleep(10)
    assert log.calls == [("after 1", 1), ("after 2", 2), ("after 3", 3)]


async def test_calls_of_one_moment_are_made_in_the_order_they_were_asked_for() -> None:
    log = Log()
    async with running() as clock:
        for name in "abc":
            clock.call_later(1, log.note(name))
        await anyio.sleep(2)
    assert [name for name, _ in log.calls] == ["a", "b", "c"]


async def test_an_earlier_call_that_is_asked_for_later_does_not_wait_for_the_other() -> None:
    log = Log()
    async with running() as clock:
        clock.call_later(100, log.note("late"))
        await anyio.sleep(1)
        clock.call_later(1, log.note("early"))
        await anyio.sleep(2)
        assert log.calls == [("early", 2)]


async def test_a_call_may_ask_for_the_next() -> None:
    log = Log()

    def again() -> None:
        log.note("tick")()
        clock.call_later(1, again)

    async with running() as clock:
        clock.call_later(1, again)
        await anyio.sleep(3.5)
    assert log.calls == [("tick", 1), ("tick", 2), ("tick", 3)]


async def test_a_cancelled_call_is_not_made() -> None:
    log = Log()
    async with running() as clock:
        timer = clock.call_later(1, log.note("cancelled"))
        clock.call_later(1, timer.cancel)
        other = clock.call_later(2, log.note("cancelled too"))
        other.cancel()
        await anyio.sleep(3)
    assert [name for name, _ in log.calls] == ["cancelled"]


async def test_a_call_that_raises_is_logged_and_the_others_are_made(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()

    def fail() -> None:
        raise RuntimeError("boom")

    async with running() as clock:
        clock.call_later(1, fail)
        clock.call_later(1, log.note("next"))
        await anyio.sleep(2)
    assert log.calls == [("next", 1)]
    assert len(failures(caplog)) == 1


async def test_calls_are_made_while_the_task_is_being_cancelled_until_the_clock_is_stopped() -> None:
    log = Log()
    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            clock = TaskClock()
            tasks.start_soon(clock.run)
            clock.call_later(1, log.note("last words"))
            clock.call_later(2, clock.stop)
            clock.call_later(3, log.note("too late"))
            tasks.cancel_scope.cancel()
    assert log.calls == [("last words", 1)]


async def test_time_is_the_event_loops() -> None:
    clock = TaskClock()
    before = clock.time()
    await anyio.sleep(5)
    assert clock.time() - before == pytest.approx(5)


async def test_cancelled_calls_are_forgotten_though_they_are_not_due() -> None:
    log = Log()
    async with running() as clock:
        clock.call_later(1, log.note("kept"))
        with memory_within(0.25):
            for _ in range(10_000):
                clock.call_later(3600, log.note("cancelled")).cancel()
        await anyio.sleep(2)
    assert log.calls == [("kept", 1)]


async def test_a_call_that_is_cancelled_after_it_was_made_counts_for_nothing() -> None:
    log = Log()
    async with running() as clock:
        made = [clock.call_later(1, log.note("made")) for _ in range(200)]
        await anyio.sleep(2)
        for timer in made:
            timer.cancel()
        clock.call_later(1, log.note("later"))
        await anyio.sleep(2)
    assert [name for name, _ in log.calls] == ["made"] * 200 + ["later"]
