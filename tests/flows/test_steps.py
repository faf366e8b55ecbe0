"""Steps: whatever run of stateless stages is compiled behaves like the stages one by one."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsock import MutableSharedFlow, as_flow, flow_of
from flowsock.emitting import FAIR_TURN, ignore
from flowsock.flows.source import Staged
from flowsock.flows.steps import MOST_STEPS, Drop, Inspect, Keep, Map, Step, Steps, plain_type

pytestmark = pytest.mark.anyio


def model(kinds: Iterable[type[Step]], functions: Iterable[Callable[[int], int]], values: Iterable[int]) -> list[int]:
    """Do what the steps say, one stage after the other."""
    result = list(values)
    for kind, function in zip(kinds, functions, strict=True):
        if kind is Map:
            result = [function(value) for value in result]
        elif kind is Keep:
            result = [value for value in result if function(value)]
        elif kind is Drop:
            result = [value for value in result if not function(value)]
    return result


def sometimes_async(function: Callable[[int], int], waits: Callable[[int], bool]) -> Callable[[int], Any]:
    """Make a plain function that gives an awaitable for some values only."""

    async def later(value: int) -> int:
        await checkpoint()
        return function(value)

    return lambda value: later(value) if waits(value) else function(value)


FUNCTIONS: list[Callable[[int], int]] = [
    lambda n: n,
    lambda n: n + 1,
    lambda n: n * 3,
    lambda n: n % 2,
    lambda n: n % 3 == 0,
]
WAITS: list[Callable[[int], bool]] = [lambda _n: False, lambda _n: True, lambda n: n % 2 == 0]
STEP = st.tuples(st.sampled_from([Map, Keep, Drop, Inspect]), st.sampled_from(FUNCTIONS), st.sampled_from(WAITS))


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=MOST_STEPS + 3), st.lists(st.integers(0, 50), max_size=12), st.booleans())
def test_any_steps_give_what_their_stages_give(
    drawn: list[tuple[type[Step], Callable[[int], int], Callable[[int], bool]]], values: list[int], waiting_end: bool
) -> None:
    """Over a loop and over single values, with callbacks that are now plain and now to be awaited."""
    steps = Steps(tuple(kind(sometimes_async(function, waits)) for kind, function, waits in drawn))
    driven: list[int] = []
    pushed: list[int] = []

    async def wait_and_keep(value: int) -> None:
        await checkpoint()
        driven.append(value)

    async def run() -> None:
        await steps.drive(values, wait_and_keep if waiting_end else driven.append)
        push = steps.wrap(pushed.append)
        for value in values:
            result = push(value)
            if isinstance(result, Awaitable):
                await result

    anyio.run(run)
    assert driven == pushed == model([kind for kind, _, _ in drawn], [function for _, function, _ in drawn], values)


async def test_adjacent_stages_are_one_and_no_more_than_python_can_indent() -> None:
    flow = as_flow(range(5))
    for _ in range(2 * MOST_STEPS + 1):
        flow = flow.map(lambda n: n + 1)
    source = flow.source
    assert isinstance(source, Staged)
    assert len(source.stages) == 3
    assert await flow.to_list() == [n + 2 * MOST_STEPS + 1 for n in range(5)]


async def test_a_stage_with_state_stands_between_steps() -> None:
    flow = flow_of(1, 1, 2).map(lambda n: n + 1).distinct_until_changed().map(str).filter(str.isdigit)
    assert await flow.to_list() == ["2", "3"]
    assert await flow.to_list() == ["2", "3"], "and each collection has a state of its own"


async def test_results_may_change_their_type_from_value_to_value() -> None:
    async def later() -> str:
        return "awaited"

    results: list[Any] = [1, "one", later(), 2.5, later(), later(), None, 3]
    seen = await as_flow(range(8)).map(lambda n: results[n]).map(lambda value: value).to_list()
    assert seen == [1, "one", "awaited", 2.5, "awaited", "awaited", None, 3]


async def test_a_class_of_awaitables_is_a_value_itself() -> None:
    class Later:
        def __await__(self) -> Any:
            yield from checkpoint().__await__()
            return "awaited"

    assert await flow_of(Later, Later()).map(lambda value: value).to_list() == [Later, "awaited"]
    assert plain_type(Later) is type
    assert plain_type(Later()) is None


async def test_a_verdict_may_be_any_object() -> None:
    assert await flow_of("", "a", "b").filter(lambda text: text).to_list() == ["a", "b"]
    assert await flow_of("", "a", "b").filter_not(lambda text: text).to_list() == [""]


async def test_an_error_of_a_callback_shows_its_line_and_that_of_the_step() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        await flow_of(1).map(lambda n: n + 1).map(lambda n: n / 0).to_list()
    lines = [frame.line for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert any("n / 0" in str(line) for line in lines)
    assert "value = f1(value)" in lines


async def test_an_action_at_the_end_of_a_launched_chain_is_the_end_itself() -> None:
    seen: list[object] = []
    steps = Steps((Map(str), Inspect(seen.append)))
    ignoring = Steps((Inspect(seen.append),))
    assert ignoring.wrap(ignore) == seen.append
    steps.wrap(ignore)(1)
    assert seen == ["1"]


async def test_steps_over_a_hot_flow_run_in_the_emitters_task() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    seen: list[str] = []
    async with anyio.create_task_group() as group:
        group.start_soon(shared.map(lambda n: n + 1).filter(lambda n: n > 1).map(str).collect, seen.append)
        await shared.subscription_count.filter(lambda count: count == 1).first()
        await anyio.wait_all_tasks_blocked()
        shared.emit_nowait(0)
        shared.emit_nowait(1)
        assert seen == ["2"]
        group.cancel_scope.cancel()


async def test_a_short_loop_takes_no_turn_and_a_long_one_takes_its_turns() -> None:
    """Law: fairness, where the loop is compiled: after 128 values the others have had a turn, and not before."""
    others: list[int] = []
    seen: list[int] = []

    async def watch() -> None:
        while True:
            others.append(len(seen))
            await checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await as_flow(range(FAIR_TURN)).map(lambda n: n).collect(seen.append)
        assert others == []
        await as_flow(range(2 * FAIR_TURN + 1)).map(lambda n: n).collect(seen.append)
        assert others[0] in (2 * FAIR_TURN, 3 * FAIR_TURN), "trio may run the others after this task's next round"
        group.cancel_scope.cancel()
