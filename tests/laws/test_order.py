"""Law of order: each subscriber sees values in emission order, and no two see two values in different orders."""

from __future__ import annotations

from contextlib import suppress

import pytest
from anyio import Event, fail_after
from anyio.lowlevel import checkpoint

from flowsock import BufferOverflow, MutableSharedFlow, MutableStateFlow, WouldBlock, coroutine_scope
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def test_an_idle_subscriber_has_seen_the_value_when_emit_returns() -> None:
    """Scenario shared_flow-02: a before b, both before emit returns."""
    shared = MutableSharedFlow[int]()
    seen: list[tuple[str, int]] = []
    async with coroutine_scope() as scope:
        shared.on_each(lambda value: seen.append(("a", value))).launch_in(scope)
        await settled()
        shared.on_each(lambda value: seen.append(("b", value))).launch_in(scope)
        await settled()
        await shared.emit(10)
        assert seen == [("a", 10), ("b", 10)]
        assert shared.replay_cache == []
        scope.cancel()


async def test_an_emit_from_inside_a_chain_is_queued_behind_the_running_one() -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=4)
    log: list[tuple[str, int]] = []

    def answer(value: int) -> None:
        log.append(("begin", value))
        if value == 1:
            shared.emit_nowait(2)
            shared.emit_nowait(3)
        log.append(("end", value))

    async with coroutine_scope() as scope:
        shared.on_each(answer).launch_in(scope)
        await settled()
        shared.on_each(lambda value: log.append(("other", value))).launch_in(scope)
        await settled()
        shared.emit_nowait(1)
        scope.cancel()
    assert [value for who, value in log if who == "other"] == [1, 2, 3]
    own = [entry for entry in log if entry[0] != "other"]
    assert own == [("begin", 1), ("end", 1), ("begin", 2), ("end", 2), ("begin", 3), ("end", 3)]


@pytest.mark.parametrize(
    ("overflow", "expected"),
    [(BufferOverflow.DROP_OLDEST, [0, 4, 5]), (BufferOverflow.DROP_LATEST, [0, 1, 2]), (BufferOverflow.SUSPEND, [0, 1, 2])],
)
async def test_what_waits_behind_the_running_dispatch_waits_under_the_buffers_policy(
    overflow: BufferOverflow, expected: list[int]
) -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=2, on_buffer_overflow=overflow)
    seen: list[list[int]] = [[], []]

    def answer(value: int) -> None:
        seen[0].append(value)
        if value == 0:
            for following in range(1, 6):
                with suppress(WouldBlock):
                    shared.emit_nowait(following)

    async with coroutine_scope() as scope:
        shared.on_each(answer).launch_in(scope)
        await settled()
        shared.on_each(seen[1].append).launch_in(scope)
        await settled()
        shared.emit_nowait(0)
        scope.cancel()
    assert seen == [expected, expected]


async def test_an_emit_that_comes_back_through_another_flow_is_queued_too() -> None:
    there = MutableSharedFlow[int](extra_buffer_capacity=4)
    back = MutableSharedFlow[int](extra_buffer_capacity=4)
    first: list[int] = []
    second: list[int] = []
    async with coroutine_scope() as scope:
        there.filter(lambda value: value < 3).on_each(back.emit_nowait).launch_in(scope)
        back.on_each(lambda value: there.emit_nowait(value + 1)).launch_in(scope)
        there.on_each(first.append).launch_in(scope)
        there.on_each(second.append).launch_in(scope)
        await settled()
        there.emit_nowait(1)
        scope.cancel()
    assert first == second == [1, 2, 3]


async def test_a_state_set_from_inside_a_chain_follows_for_everybody() -> None:
    state = MutableStateFlow(0)
    seen: list[list[int]] = [[], [], []]

    def bump(value: int) -> None:
        seen[1].append(value)
        if value % 2:
            state.value = value + 1

    async with coroutine_scope() as scope:
        for function in (seen[0].append, bump, seen[2].append):
            state.on_each(function).launch_in(scope)
            await settled()
        state.value = 1
        state.value = 3
        scope.cancel()
    assert seen == [[0, 1, 2, 3, 4]] * 3


async def test_a_state_set_there_and_back_from_inside_a_chain_is_no_change() -> None:
    state = MutableStateFlow("a")
    seen: list[str] = []

    def waver(value: str) -> None:
        if value == "b":
            state.value = "c"
            state.value = "b"

    async with coroutine_scope() as scope:
        state.on_each(waver).launch_in(scope)
        state.on_each(seen.append).launch_in(scope)
        await settled()
        state.value = "b"
        scope.cancel()
    assert seen == ["a", "b"]


@pytest.mark.parametrize("overflow", BufferOverflow)
async def test_two_emitters_are_seen_in_one_order_by_fast_and_slow_subscribers(overflow: BufferOverflow) -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=3, on_buffer_overflow=overflow)
    fast: list[int] = []
    slow: list[int] = []
    buffered: list[int] = []

    async def take_time(value: int) -> None:
        slow.append(value)
        for _ in range(value % 4):
            await checkpoint()

    async def emit(values: range) -> None:
        for value in values:
            await shared.emit(value)
            await checkpoint()

    async with coroutine_scope() as scope:
        shared.on_each(fast.append).launch_in(scope)
        shared.on_each(take_time).launch_in(scope)
        shared.buffer(500).on_each(buffered.append).launch_in(scope)
        await settled()
        emitters = [scope.launch(emit, range(100)), scope.launch(emit, range(100, 200))]
        with fail_after(10):
            for emitter in emitters:
                await emitter.join()
        await settled()
        scope.cancel()
    assert fast == buffered
    place = {value: index for index, value in enumerate(fast)}
    assert [place[value] for value in slow] == sorted(place[value] for value in slow)
    if overflow is BufferOverflow.SUSPEND:
        assert slow == fast
    assert [value for value in fast if value < 100] == sorted(value for value in fast if value < 100)


async def test_replayed_values_come_before_live_ones_without_gap_or_duplicate() -> None:
    shared = MutableSharedFlow[int](replay=3)
    seen: list[int] = []
    gate = Event()

    async def handle(value: int) -> None:
        seen.append(value)
        await gate.wait()

    for value in range(5):
        shared.emit_nowait(value)
    async with coroutine_scope() as scope:
        shared.on_each(handle).launch_in(scope)
        await settled()
        assert seen == [2]
        shared.emit_nowait(5)
        gate.set()
        await settled()
        shared.emit_nowait(6)
        await settled()
        scope.cancel()
    assert seen == [2, 3, 4, 5, 6]


async def test_a_rendezvous_emit_inside_a_rendezvous_emit_leaves_both_to_resume() -> None:
    shared = MutableSharedFlow[int]()
    gate = Event()
    slow: list[int] = []
    returned: list[int] = []

    async with coroutine_scope() as scope:

        async def emit(value: int) -> None:
            await shared.emit(value)
            returned.append(value)

        def fork(value: int) -> None:
            if value == 1:
                pending.append(shared.emit(2))

        async def handle(value: int) -> None:
            slow.append(value)
            if value == 1:
                await gate.wait()

        pending: list[object] = []
        shared.on_each(handle).launch_in(scope)
        await settled()
        shared.on_each(fork).launch_in(scope)
        await settled()
        scope.launch(emit, 1)
        await settled()
        assert returned == [1]  # both have picked 1 up
        later = scope.launch(emit, 3)
        await settled()
        assert not later.is_completed
        gate.set()
        with fail_after(5):
            await later.join()
        await settled()
        assert slow == [1, 2, 3]
        scope.cancel()


async def test_a_watcher_of_the_count_may_emit_into_the_flow_it_watches() -> None:
    shared = MutableSharedFlow[str](extra_buffer_capacity=1)
    seen: list[str] = []
    gate = Event()

    async def block(_value: str) -> None:
        await gate.wait()

    async with coroutine_scope() as scope:
        shared.on_each(seen.append).launch_in(scope)
        slow = shared.on_each(block).launch_in(scope)
        await settled()
        shared.emit_nowait("a")
        shared.emit_nowait("b")
        with pytest.raises(WouldBlock):
            shared.emit_nowait("full")
        shared.subscription_count.drop(1).on_each(lambda count: shared.emit_nowait(f"{count} left")).launch_in(scope)
        await settled()
        slow.cancel()
        await settled()
        # The one who left does not stand in the way of what is told about its leaving.
        assert seen == ["a", "b", "1 left"]
        scope.cancel()
