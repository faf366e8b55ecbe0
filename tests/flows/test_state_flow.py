"""`MutableStateFlow`: rules ST1 to ST7 of the catalog."""

from __future__ import annotations

import math
from functools import partial

import anyio
import pytest
from anyio import Event
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsock import MutableStateFlow, StateFlow, coroutine_scope
from flowsock.testing.clock import virtual_time
from tests.turns import settled


class Box:
    """Equal by value, not by identity."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and other.value == self.value

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Box({self.value})"


class Array:
    """Compares element by element, as arrays do."""

    def __eq__(self, other: object) -> Array:  # type: ignore[override]
        return self

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.anyio
async def test_an_idle_collector_sees_every_change_and_no_repetition() -> None:
    """Scenario state_flow-01, rules ST2 and ST3."""
    state = MutableStateFlow[int | None](0)
    seen: list[int | None] = []
    async with coroutine_scope() as scope:
        state.on_each(seen.append).launch_in(scope)
        await settled()
        for value in (1, 1, None, 2):
            state.value = value
        assert seen == [0, 1, None, 2]
        scope.cancel()


@pytest.mark.anyio
async def test_there_and_back_while_the_collector_was_busy_is_nothing() -> None:
    """Scenario state_flow-02, rule ST3."""
    state = MutableStateFlow(Box(0))
    seen: list[int] = []
    gates = {number: Event() for number in range(6)}

    async def hold(box: Box) -> None:
        seen.append(box.value)
        await gates[box.value].wait()

    async with coroutine_scope() as scope:
        state.on_each(hold).launch_in(scope)
        await settled()
        state.value = Box(1)
        state.value = Box(0)
        gates[0].set()
        await settled()
        assert seen == [0]
        state.value = Box(3)
        await settled()
        state.value = Box(4)
        state.value = Box(5)
        gates[3].set()
        await settled()
        assert seen == [0, 3, 5]
        scope.cancel()


def test_an_equal_value_changes_nothing_and_keeps_the_old_object() -> None:
    """Rule ST2."""
    first, second = Box(1), Box(1)
    state = MutableStateFlow(first)
    state.value = second
    assert state.value is first
    assert state.update(lambda _box: second) is first
    state.emit_nowait(second)
    assert state.value is first


@pytest.mark.anyio
async def test_nan_is_the_same_as_itself_and_arrays_are_always_a_change() -> None:
    """Rule ST7."""
    floats = MutableStateFlow(0.0)
    arrays = MutableStateFlow(Array())
    seen: list[object] = []
    async with coroutine_scope() as scope:
        floats.drop(1).on_each(seen.append).launch_in(scope)
        arrays.drop(1).on_each(seen.append).launch_in(scope)
        await settled()
        floats.value = math.nan
        floats.value = math.nan
        arrays.value = arrays.value
        assert len(seen) == 1
        arrays.value = Array()
        assert len(seen) == 2
        scope.cancel()


@pytest.mark.anyio
async def test_same_decides_what_is_a_change() -> None:
    strict = MutableStateFlow[object](1, same=lambda old, new: type(old) is type(new) and old == new)
    sloppy = MutableStateFlow(10, same=lambda old, new: old // 10 == new // 10)
    unsure = MutableStateFlow(1, same=lambda _old, _new: 1)
    seen: list[object] = []
    async with coroutine_scope() as scope:
        for state in (strict, sloppy, unsure):
            state.drop(1).on_each(seen.append).launch_in(scope)
        await settled()
        strict.value = True
        strict.value = True
        sloppy.value = 19
        sloppy.value = 20
        unsure.value = 1  # not a true True: a change, although it is the same object
        unsure.value = 1
        scope.cancel()
    assert seen == [True, 20, 1, 1]
    assert sloppy.value == 20


def test_update_and_compare_and_set() -> None:
    state = MutableStateFlow(1)
    assert state.update(lambda value: value + 1) == 2
    assert state.compare_and_set(2, 3)
    assert not state.compare_and_set(2, 4)
    assert state.compare_and_set(3, 3)
    assert state.value == 3
    assert state.replay_cache == [3]


@pytest.mark.anyio
async def test_emit_never_waits() -> None:
    state = MutableStateFlow(0)
    async with coroutine_scope() as scope:
        state.on_each(lambda _value: anyio.sleep_forever()).launch_in(scope)
        await settled()
        with anyio.fail_after(1):
            for value in range(1000):
                await state.emit(value)
        assert state.value == 999
        scope.cancel()


@pytest.mark.anyio
async def test_a_writer_in_turns_with_its_collector_conflates_nothing() -> None:
    """Scenario state_flow-06."""
    state = MutableStateFlow(0)
    async with coroutine_scope() as scope:
        total = scope.launch(state.take(11).fold, 0, lambda total, value: total + value)
        await settled()
        for _ in range(10):
            state.update(lambda value: value + 1)
        assert await total == 55


@pytest.mark.anyio
async def test_a_new_collector_gets_the_current_value_at_once() -> None:
    state = MutableStateFlow(7)
    assert await state.first() == 7
    state.value = 8
    assert await state.map(lambda value: value * 2).first() == 16
    assert state.subscription_count.value == 0


def test_there_is_no_replay_cache_to_reset() -> None:
    """Scenario state_flow-09, rule ST5."""
    assert not hasattr(MutableStateFlow(42), "reset_replay_cache")


@pytest.mark.anyio
async def test_the_read_only_view_follows() -> None:
    state = MutableStateFlow(1)
    view = state.as_state_flow()
    assert type(view) is StateFlow
    assert not hasattr(view, "emit")
    with pytest.raises(AttributeError):
        view.value = 2  # type: ignore[misc]
    state.value = 3
    assert view.value == 3
    assert await view.first() == 3


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.one_of(st.integers(0, 3), st.sampled_from(["go on", "fast", "slow"])), max_size=60))
def test_every_collector_ends_with_the_latest_value(steps: list[int | str]) -> None:
    """Rules ST1, ST3 and ST4: an idle collector has the latest value; a busy one gets it next, unless it has it."""
    backend, options = virtual_time("asyncio")
    anyio.run(partial(walk, steps), backend=backend, backend_options=dict(options))


async def walk(steps: list[int | str]) -> None:
    state = MutableStateFlow(0)
    fast: list[tuple[int, list[int]]] = []
    slow: list[list[int]] = []
    expected: list[list[int]] = []
    gates: dict[int, Event] = {}
    history = [0]

    async with coroutine_scope() as scope:

        def add_slow(seen: list[int], number: int) -> None:
            async def hold(value: int) -> None:
                seen.append(value)
                gates[number] = Event()
                await gates[number].wait()
                del gates[number]

            state.on_each(hold).launch_in(scope)

        for step in steps:
            if step == "fast":
                seen: list[int] = []
                fast.append((len(history) - 1, seen))
                state.on_each(seen.append).launch_in(scope)
            elif step == "slow":
                slow.append([])
                expected.append([state.value])
                add_slow(slow[-1], len(slow) - 1)
            elif isinstance(step, int):
                state.value = step
                if step != history[-1]:
                    history.append(step)
                for number, values in enumerate(expected):
                    if number not in gates and values[-1] != step:
                        values.append(step)
            elif gates:
                number = next(iter(gates))
                gates[number].set()
                if expected[number][-1] != state.value:
                    expected[number].append(state.value)
            await settled()
            assert [seen for _, seen in fast] == [history[start:] for start, _ in fast]
            assert slow == expected
        scope.cancel()
