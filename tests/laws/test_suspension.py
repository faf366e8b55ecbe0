"""Law of suspension: what a chain returns and can be awaited is awaited in the subscriber's task; later values wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import Event, fail_after, get_current_task

from flowsock import BufferOverflow, MutableSharedFlow, MutableStateFlow, WouldBlock, coroutine_scope, flow_of
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

pytestmark = pytest.mark.anyio


async def test_an_awaitable_is_awaited_in_the_subscribers_own_task() -> None:
    shared = MutableSharedFlow[int]()
    tasks: list[int] = []

    async def handle(_value: int) -> None:
        tasks.append(get_current_task().id)

    async def collect() -> None:
        tasks.append(get_current_task().id)
        await shared.collect(handle)

    async with coroutine_scope() as scope:
        scope.launch(collect)
        await settled()
        await shared.emit(1)
        await settled()
        scope.cancel()
    assert tasks[0] == tasks[1] != get_current_task().id


async def test_emit_returns_while_the_value_is_being_handled() -> None:
    """Scenario shared_flow-05: picking up is enough; the next emit waits for that."""
    shared = MutableSharedFlow[int]()
    gate = Event()
    seen: list[int] = []

    async def handle(value: int) -> None:
        seen.append(value)
        await gate.wait()

    async with coroutine_scope() as scope:
        shared.on_each(handle).launch_in(scope)
        await settled()
        with fail_after(5):
            await shared.emit(3)
        with pytest.raises(WouldBlock):
            shared.emit_nowait(5)
        emitter = scope.launch(shared.emit, 6)
        await settled()
        shared.reset_replay_cache()
        await settled()
        assert not emitter.is_completed
        gate.set()
        with fail_after(5):
            await emitter
        await settled()
        assert seen == [3, 6]
        scope.cancel()


@pytest.mark.parametrize("capacity", [0, 1, 3])
async def test_behind_a_stuck_subscriber_the_buffer_and_one_more_are_accepted(capacity: int) -> None:
    """Rule SF14: one value in the subscriber's hands, the buffer full, and the next emit waits."""
    shared = MutableSharedFlow[int](extra_buffer_capacity=capacity)
    gate = Event()
    accepted: list[int] = []
    seen: list[int] = []

    async def handle(value: int) -> None:
        seen.append(value)
        await gate.wait()

    async def emit_all() -> None:
        for value in range(10):
            await shared.emit(value)
            accepted.append(value)

    async with coroutine_scope() as scope:
        shared.on_each(handle).launch_in(scope)
        await settled()
        emitter = scope.launch(emit_all)
        await settled()
        assert accepted == list(range(capacity + 1))
        gate.set()
        with fail_after(5):
            await emitter
        await settled()
        assert seen == list(range(10))
        scope.cancel()


async def test_only_the_waiting_subscriber_is_behind() -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    gate = Event()
    slow: list[int] = []
    fast: list[int] = []

    async def handle(value: int) -> None:
        await gate.wait()
        slow.append(value)

    async with coroutine_scope() as scope:
        shared.on_each(handle).launch_in(scope)
        shared.on_each(fast.append).launch_in(scope)
        await settled()
        for value in range(5):
            shared.emit_nowait(value)
        assert fast == [0, 1, 2, 3, 4]
        assert slow == []
        gate.set()
        await settled()
        assert slow == [0, 1, 2, 3, 4]
        scope.cancel()


async def test_a_subscriber_that_was_behind_is_dispatched_to_in_place_again() -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    gate = Event()
    seen: list[int] = []

    def handle(value: int) -> Awaitable[object] | None:
        seen.append(value)
        return gate.wait() if value == 0 else None

    async with coroutine_scope() as scope:
        shared.on_each(handle).launch_in(scope)
        await settled()
        for value in range(3):
            shared.emit_nowait(value)
        gate.set()
        await settled()
        shared.emit_nowait(3)
        assert seen == [0, 1, 2, 3]
        scope.cancel()


async def test_a_busy_collector_of_a_state_skips_to_the_newest_value() -> None:
    """Rule ST3."""
    state = MutableStateFlow(0)
    seen: list[int] = []
    gates = [Event() for _ in range(10)]

    async def handle(value: int) -> None:
        seen.append(value)
        await gates[value].wait()

    async with coroutine_scope() as scope:
        state.on_each(handle).launch_in(scope)
        await settled()
        state.value = 1
        state.value = 2
        state.value = 3
        gates[0].set()
        await settled()
        assert seen == [0, 3]
        state.value = 4
        state.value = 3  # back to what the collector has
        gates[3].set()
        await settled()
        assert seen == [0, 3]
        state.value = 5
        await settled()
        assert seen == [0, 3, 5]
        scope.cancel()


class Weird:
    """Something that is not awaitable, and not true either."""

    def __bool__(self) -> bool:
        return False


class Awaited:
    """An awaitable that is not true."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __bool__(self) -> bool:
        return False

    def __await__(self) -> Generator[object, object, None]:
        self.log.append("awaited")
        yield from a_while().__await__()


async def test_results_that_cannot_be_awaited_are_ignored() -> None:
    seen: set[int] = set()

    def note(value: int) -> object:
        seen.add(value)
        return Weird() if value == 1 else value

    await flow_of(1, 2).collect(note)
    await flow_of(3).on_each(note).collect(seen.add)
    assert seen == {1, 2, 3}


async def test_every_awaitable_is_awaited_whatever_its_truth_value() -> None:
    log: list[str] = []
    await flow_of(1).collect(lambda _value: Awaited(log))

    async def forward(emit: object, value: int) -> None:
        assert callable(emit)
        await emit(value)

    await flow_of(1).transform(forward).collect(lambda _value: Awaited(log))
    shared = MutableSharedFlow[int]()
    async with coroutine_scope() as scope:
        shared.on_each(lambda _value: Awaited(log)).launch_in(scope)
        await settled()
        await shared.emit(1)
        await settled()
        scope.cancel()
    assert log == ["awaited"] * 3


async def test_with_a_dropping_policy_emit_never_waits() -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=2, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
    gate = Event()
    seen: list[int] = []

    async def handle(value: int) -> None:
        seen.append(value)
        await gate.wait()

    async with coroutine_scope() as scope:
        shared.on_each(handle).launch_in(scope)
        await settled()
        for value in range(6):
            shared.emit_nowait(value)
        assert shared.dropped == 3
        gate.set()
        await settled()
        assert seen == [0, 4, 5]
        scope.cancel()
