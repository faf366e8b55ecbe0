"""Virtual time: timers without waiting, on both backends."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import pytest

from flowsock import coroutine_scope, supervisor_scope
from flowsock.testing.clock import VirtualTimeLoop, virtual_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def run(backend: str, function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run on virtual time, and make sure that real time stood (almost) still."""
    name, options = virtual_time(backend)
    start = time.monotonic()
    result = anyio.run(function, *args, backend=name, backend_options=dict(options))
    assert time.monotonic() - start < 10
    return result


@BOTH
def test_the_clock_jumps_to_the_next_timer(backend: str) -> None:
    async def main() -> float:
        start = anyio.current_time()
        await anyio.sleep(3600)
        return anyio.current_time() - start

    assert run(backend, main) == pytest.approx(3600)


@BOTH
def test_timers_fire_in_the_order_of_their_time(backend: str) -> None:
    """Scenario virtual_time-02."""

    async def main() -> list[tuple[int, float]]:
        start = anyio.current_time()
        fired: list[tuple[int, float]] = []

        async def fire(delay: int) -> None:
            await anyio.sleep(delay)
            fired.append((delay, round(anyio.current_time() - start, 6)))

        async with anyio.create_task_group() as tasks:
            for delay in (1000, 1, 2001, 500):
                tasks.start_soon(fire, delay)
        return fired

    assert run(backend, main) == [(1, 1), (500, 500), (1000, 1000), (2001, 2001)]


@BOTH
def test_a_test_moves_the_clock_by_sleeping(backend: str) -> None:
    """Scenario virtual_time-03: a sleep in the test, to an instant between those of the others, is what advances the clock."""

    async def main() -> list[int]:
        total = 0

        async def add() -> None:
            nonlocal total
            await anyio.sleep(1)
            total += 1
            await anyio.sleep(1)
            total += 10

        seen: list[int] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(add)
            tasks.start_soon(add)
            for wait in (0.5, 1, 1):
                await anyio.sleep(wait)
                seen.append(total)
        return seen

    assert run(backend, main) == [0, 2, 22]


@BOTH
def test_a_job_of_the_test_is_waited_for_and_its_failure_is_the_tests(backend: str) -> None:
    """Scenario virtual_time-09."""
    passed: list[float] = []

    async def fail_late() -> None:
        start = anyio.current_time()
        await anyio.sleep(10_000)
        passed.append(round(anyio.current_time() - start, 3))
        raise ValueError("late")

    async def main() -> None:
        async with coroutine_scope() as scope:
            scope.launch(fail_late)

    with pytest.raises(ValueError, match="late"):
        run(backend, main)
    assert passed == [10_000]


@BOTH
def test_a_supervised_job_fails_without_stopping_the_test(backend: str) -> None:
    """Scenario virtual_time-08: the failure of background work is told when the body has gone on."""

    async def main() -> float:
        start = anyio.current_time()
        failures: list[Exception] = []

        async def fail() -> None:
            raise ValueError("background")

        async with supervisor_scope(on_error=lambda _job, error: failures.append(error)) as background:
            background.launch(fail)
            await anyio.sleep(1000)
        assert [str(error) for error in failures] == ["background"]
        return anyio.current_time() - start

    assert run(backend, main) == pytest.approx(1000)


@BOTH
def test_everything_that_can_run_runs_before_the_clock_moves(backend: str) -> None:
    async def main() -> float:
        start = anyio.current_time()
        with anyio.move_on_after(0.001):
            for _ in range(10_000):
                await anyio.lowlevel.checkpoint()
        return anyio.current_time() - start

    assert run(backend, main) == 0


@BOTH
def test_timeouts_are_on_virtual_time_too(backend: str) -> None:
    async def main() -> float:
        start = anyio.current_time()
        with pytest.raises(TimeoutError):
            with anyio.fail_after(60):
                await anyio.sleep_forever()
        return anyio.current_time() - start

    assert run(backend, main) == pytest.approx(60)


@BOTH
def test_a_year_passes_in_small_steps(backend: str) -> None:
    async def main() -> float:
        start = anyio.current_time()
        for _ in range(365):
            await anyio.sleep(86_399.1)
        return anyio.current_time() - start

    assert run(backend, main) == pytest.approx(365 * 86_399.1)


def test_the_asyncio_clock_starts_at_zero_with_each_loop() -> None:
    async def main() -> float:
        return asyncio.get_running_loop().time()

    assert [run("asyncio", main) for _ in range(2)] == [0, 0]


def test_asyncio_itself_is_on_virtual_time() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        called: list[float] = []
        loop.call_later(10, lambda: called.append(loop.time()))
        loop.call_at(5, lambda: called.append(loop.time()))
        await asyncio.sleep(20)
        return called

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(main()) == pytest.approx([5, 10])


def test_input_that_is_already_there_is_read_before_the_clock_moves() -> None:
    async def main() -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        with left, right:
            left.setblocking(False)
            right.setblocking(False)
            left.send(b"ping")
            loop.call_later(5, right.shutdown, socket.SHUT_RD)
            return await loop.sock_recv(right, 4), loop.time()

    assert run("asyncio", main) == (b"ping", 0)


def test_without_a_timer_the_loop_waits_for_a_thread() -> None:
    async def main() -> str:
        return await anyio.to_thread.run_sync(lambda: "from a thread")

    assert run("asyncio", main) == "from a thread"


def test_there_is_no_virtual_time_elsewhere() -> None:
    with pytest.raises(ValueError, match="uvloop"):
        virtual_time("uvloop")


@pytest.mark.anyio
@pytest.mark.usefixtures("virtual_clock")
async def test_the_fixture_runs_tests_on_virtual_time() -> None:
    start = time.monotonic()
    await anyio.sleep(600)
    assert time.monotonic() - start < 10
