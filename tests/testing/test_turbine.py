"""`turbine`: a flow's events one by one, and nothing left over."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from anyio import CancelScope, Event, current_time, fail_after, sleep, sleep_forever
from anyio.lowlevel import checkpoint

import flowsock.testing
from flowsock import MutableSharedFlow, as_flow, empty_flow, flow, flow_of, interval
from flowsock.testing import Complete, Error, Item, turbine
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

BROKEN = ValueError("broken")


@flow
async def endless(*values: int) -> AsyncIterator[int]:
    for value in values:
        yield value
    await sleep_forever()


@flow
async def failing(*values: int) -> AsyncIterator[int]:
    for value in values:
        yield value
    raise BROKEN


async def test_events_are_asked_for_one_by_one() -> None:
    async with turbine(as_flow("ab")) as events:
        assert await events.item() == "a"
        assert await events.item() == "b"
        await events.complete()


async def test_events_are_waited_for() -> None:
    async with turbine(interval(0.01).take(2)) as events:
        assert await events.item() == 0
        events.no_events()
        assert await events.item() == 1
        await events.complete()


async def test_none_is_an_item() -> None:
    nothing: list[int | None] = [None]
    async with turbine(as_flow(nothing)) as events:
        assert await events.item() is None
        await events.complete()


async def test_the_end_repeats_for_ever() -> None:
    async with turbine(empty_flow()) as events:
        for _ in range(3):
            await events.complete()
        events.no_events()
    async with turbine(failing()) as events:
        for _ in range(3):
            assert await events.error() is BROKEN
        events.no_events()


async def test_an_error_is_asked_for_by_its_class() -> None:
    async with turbine(failing(1)) as events:
        assert await events.item() == 1
        assert await events.error(ValueError) is BROKEN
    with pytest.raises(AssertionError, match=r"expected an error of class KeyError, found Error\(.*broken") as caught:
        async with turbine(failing()) as events:
            await events.error(KeyError)
    assert caught.value.__cause__ is BROKEN


async def test_the_collector_of_a_hot_flow_is_there_when_the_block_starts() -> None:
    """Scenario turbine-14."""
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    for _ in range(20):  # trio shuffles its tasks
        async with turbine(shared.map(str)) as events:
            assert shared.subscription_count.value == 1
            await shared.emit(1)
            assert await events.item() == "1"
        assert shared.subscription_count.value == 0


async def test_what_needs_no_waiting_has_happened_when_the_block_starts() -> None:
    async with turbine(flow_of(1, 2)) as events:
        assert repr(events).endswith(": Item(value=1), Item(value=2), Complete()>")
        assert events.rest() == [Item(1), Item(2), Complete()]


# Another event than expected


async def test_an_error_instead_of_an_item() -> None:
    """Scenario turbine-09."""
    with pytest.raises(AssertionError, match=r"expected an item, found Error\(error=ValueError\('broken'\)\)") as caught:
        async with turbine(failing()) as events:
            await events.item()
    assert caught.value.__cause__ is BROKEN


async def test_completion_instead_of_an_item() -> None:
    with pytest.raises(AssertionError, match=r"expected an item, found Complete\(\)"):
        async with turbine(empty_flow()) as events:
            await events.item()


async def test_an_item_instead_of_the_end() -> None:
    with pytest.raises(AssertionError, match=r"expected completion, found Item\(value=1\)"):
        async with turbine(endless(1)) as events:
            await events.complete()
    with pytest.raises(AssertionError, match=r"expected an error, found Item\(value=1\)"):
        async with turbine(endless(1)) as events:
            await events.error()


async def test_the_wrong_end() -> None:
    with pytest.raises(AssertionError, match=r"expected an error, found Complete\(\)"):
        async with turbine(empty_flow()) as events:
            await events.error()
    with pytest.raises(AssertionError, match=r"expected completion, found Error\(") as caught:
        async with turbine(failing()) as events:
            await events.complete()
    assert caught.value.__cause__ is BROKEN


# Time


@pytest.mark.usefixtures("virtual_clock")
async def test_a_wait_fails_after_three_seconds_of_the_loops_clock() -> None:
    """Here virtual time counts, where Kotlin's is wall-clock time, so that the test is deterministic."""
    start = current_time()
    with pytest.raises(AssertionError, match=r"nameless: expected an item, found nothing \(waited 3 s\)"):
        async with turbine(endless(), name="nameless") as events:
            await events.item()
    assert current_time() - start == pytest.approx(3)


@pytest.mark.usefixtures("virtual_clock")
async def test_the_timeout_is_for_each_wait() -> None:
    async with turbine(interval(60), timeout=61) as events:
        for tick in range(5):
            assert await events.item() == tick


async def test_a_timeout_names_the_flow_and_what_it_waited_for() -> None:
    for ask, expected in (("item", "an item"), ("complete", "completion"), ("error", "an error")):
        with pytest.raises(AssertionError, match=rf"<Flow over \w+>: expected {expected}, found nothing \(waited 0.01 s\)"):
            async with turbine(endless(), timeout=0.01) as events:
                await getattr(events, ask)()
    with pytest.raises(AssertionError, match=r"expected item 2 of 3 to skip, found nothing"):
        async with turbine(endless(1), timeout=0.01) as events:
            await events.skip(3)


async def test_after_a_timeout_the_turbine_works_on() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    async with turbine(shared, timeout=0.01) as events:
        with pytest.raises(AssertionError, match="nothing"):
            await events.item()
        await shared.emit(1)
        assert await events.item() == 1


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_the_timeout_is_checked_at_the_call(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        turbine(empty_flow(), timeout=timeout)


async def test_a_cancelled_test_is_cancelled_while_it_waits() -> None:
    with fail_after(5), CancelScope() as scope:
        async with turbine(endless()) as events:
            scope.cancel()
            await events.item()
    assert scope.cancelled_caught


# What is there now


async def test_no_events_fails_on_any() -> None:
    """Scenario turbine-10."""
    async with turbine(endless()) as events:
        events.no_events()
    with pytest.raises(AssertionError, match=r"expected no events, found Item\(value=1\), Error\(") as caught:
        async with turbine(failing(1)) as events:
            events.no_events()
    assert caught.value.__cause__ is BROKEN


async def test_the_latest_item_replaces_the_older_ones() -> None:
    """Scenario turbine-11."""
    async with turbine(flow_of(1, 2, 3)) as events:
        assert events.latest() == 3
        await events.complete()
    with pytest.raises(AssertionError, match=r"expected an item to be there, found nothing"):
        async with turbine(endless()) as events:
            events.latest()
    with pytest.raises(AssertionError, match=r"expected an item to be there, found Complete\(\)"):
        async with turbine(empty_flow()) as events:
            events.latest()


async def test_the_latest_item_of_a_failed_flow_is_its_error() -> None:
    async with turbine(failing(1)) as events:
        with pytest.raises(ValueError, match="broken") as caught:
            events.latest()
        assert caught.value is BROKEN


async def test_items_are_skipped() -> None:
    async with turbine(flow_of(1, 2, 3)) as events:
        await events.skip(0)
        await events.skip(2)
        assert await events.item() == 3
        with pytest.raises(ValueError, match="negative"):
            await events.skip(-1)
        await events.complete()


async def test_skipping_more_than_there_is_fails() -> None:
    """Scenario turbine-12."""
    with pytest.raises(AssertionError, match=r"3 items to skip, found Item\(value=1\), Item\(value=2\), Complete\(\)"):
        async with turbine(flow_of(1, 2)) as events:
            await events.skip(3)


# Leaving


async def test_the_blocks_error_comes_out_and_the_collection_was_stopped() -> None:
    """Scenario turbine-01."""
    log: list[str] = []
    error = KeyError("the test's own")
    with pytest.raises(KeyError) as caught:
        async with turbine(endless().on_completion(lambda _emit, _error: log.append("stopped"))):
            raise error
    assert caught.value is error
    assert log == ["stopped"]
    assert not hasattr(error, "__notes__")


async def test_the_blocks_error_goes_before_what_is_left() -> None:
    with pytest.raises(KeyError) as caught:
        async with turbine(failing(1), name="numbers"):
            raise KeyError("the test's own")
    assert caught.value.__notes__ == ["numbers: unconsumed events: Item(value=1), Error(error=ValueError('broken'))"]


async def test_an_unconsumed_item_fails_the_test() -> None:
    """Scenario turbine-02."""
    with pytest.raises(AssertionError, match=r"^numbers: unconsumed events: Item\(value=1\)$"):
        async with turbine(endless(1), name="numbers"):
            pass


async def test_unconsumed_completion_fails_the_test() -> None:
    """Scenario turbine-03."""
    with pytest.raises(AssertionError, match=r"unconsumed events: Complete\(\)$"):
        async with turbine(empty_flow()):
            pass


async def test_an_unconsumed_error_fails_the_test() -> None:
    """Scenario turbine-04."""
    with pytest.raises(AssertionError, match=r"unconsumed events: Error\(error=ValueError\('broken'\)\)$") as caught:
        async with turbine(failing()):
            pass
    assert caught.value.__cause__ is BROKEN


async def test_the_rest_can_be_taken() -> None:
    """Scenario turbine-07."""
    async with turbine(endless(1, 2)) as events:
        assert await events.item() == 1
        await events.cancel()
        assert events.rest() == [Item(2)]
        assert events.rest() == []
    async with turbine(failing(1)) as events:
        assert events.rest() == [Item(1), Error(BROKEN)]


async def test_the_rest_can_be_ignored() -> None:
    """Scenario turbine-08."""
    for each in (failing(1), flow_of(1), endless(1)):
        async with turbine(each) as events:
            events.ignore_rest()
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    async with turbine(shared) as events:
        events.ignore_rest()
        await shared.emit(1)
        assert await events.item() == 1
        await shared.emit(2)


async def test_being_cancelled_is_no_event_but_what_came_before_is() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    async with turbine(shared) as events:
        await shared.emit(1)
        await events.cancel()
        assert shared.subscription_count.value == 0
        await shared.emit(2)
        assert await events.item() == 1
        events.no_events()
        with pytest.raises(AssertionError, match=r"found nothing \(the collection was cancelled\)"):
            await events.item()
        await events.cancel()


async def test_cancelling_and_leaving_wait_for_the_flows_cleanup() -> None:
    log: list[str] = []

    @flow
    async def slow_to_end() -> AsyncIterator[int]:
        try:
            yield 1
            await sleep_forever()
        finally:
            with CancelScope(shield=True):
                await sleep(0.01)
            log.append("cleaned up")

    async with turbine(slow_to_end()) as events:
        await events.skip(1)
        await events.cancel()
        assert log == ["cleaned up"]
    async with turbine(slow_to_end()) as events:
        await events.skip(1)
    assert log == ["cleaned up"] * 2


async def test_an_error_while_cleaning_up_is_an_event() -> None:
    @flow
    async def fails_to_end() -> AsyncIterator[int]:
        try:
            yield 1
            await sleep_forever()
        finally:
            raise BROKEN

    with pytest.raises(AssertionError, match=r"unconsumed events: Error\(") as caught:
        async with turbine(fails_to_end()) as events:
            await events.skip(1)
    assert caught.value.__cause__ is BROKEN
    async with turbine(fails_to_end()) as events:
        await events.skip(1)
        await events.cancel()
        assert await events.error() is BROKEN
    with pytest.raises(KeyError) as block:
        async with turbine(fails_to_end(), name="numbers") as events:
            await events.skip(1)
            raise KeyError("the test's own")
    assert block.value.__notes__ == ["numbers: unconsumed events: Error(error=ValueError('broken'))"]


async def test_two_turbines_stand_side_by_side() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    evens, odds = shared.filter(lambda n: n % 2 == 0), shared.filter(lambda n: n % 2)
    async with turbine(evens) as even, turbine(odds) as odd:
        for value in (1, 2, 3):
            await shared.emit(value)
        assert await even.item() == 2
        assert [await odd.item(), await odd.item()] == [1, 3]


async def test_a_flow_that_never_waits_is_stopped_too() -> None:
    @flow
    async def torrent() -> AsyncIterator[int]:
        while True:
            yield 1

    async with turbine(torrent()) as events:
        for _ in range(10):
            await checkpoint()
        await events.skip(200)
        events.ignore_rest()


async def test_a_flow_with_tasks_of_its_own_ends_with_them() -> None:
    gate = Event()

    @flow
    async def gated() -> AsyncIterator[int]:
        yield 1
        await gate.wait()
        yield 2

    async with turbine(gated().buffer(4)) as events:
        assert await events.item() == 1
        await settled()
        events.no_events()
        gate.set()
        assert await events.item() == 2
        await events.complete()


# The package


async def test_events_are_values() -> None:
    assert {Item(1), Item(1), Complete(), Complete(), Error(BROKEN), Error(BROKEN)} == {Item(1), Complete(), Error(BROKEN)}
    with pytest.raises(AttributeError):
        Item(1).value = 2  # type: ignore[misc]


def test_the_package_names_what_it_gives() -> None:
    assert flowsock.testing.__all__ == tuple(sorted(flowsock.testing.__all__))
    for name in flowsock.testing.__all__:
        assert getattr(flowsock.testing, name).__name__ == name


def test_one_line_in_conftest_gives_a_users_tests_virtual_time(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from flowsock.testing.pytest_plugin import virtual_time_backend as anyio_backend\n")
    (tmp_path / "test_user.py").write_text(
        "import anyio, pytest\n"
        "@pytest.mark.anyio\n"
        "async def test_time() -> None:\n"
        "    start = anyio.current_time()\n"
        "    await anyio.sleep(86_400)\n"
        "    assert anyio.current_time() - start >= 86_400\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=25, check=False)
    assert "2 passed" in finished.stdout, finished.stdout + finished.stderr
