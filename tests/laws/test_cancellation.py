"""Law of cancellation: once a collector is cancelled, nothing more reaches it, not even what is emitted in the same step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import pytest
from anyio import CancelScope, Event, fail_after, get_cancelled_exc_class
from anyio.lowlevel import checkpoint

from flowsock import (
    Flow,
    MutableSharedFlow,
    MutableStateFlow,
    Scope,
    WouldBlock,
    coroutine_scope,
)
from tests.laws.laws import nothing_left_running
from tests.laws.operators import OPERATORS, Asks, Made, Operator, plainly
from tests.turns import a_while, settled

pytestmark = pytest.mark.anyio

Start: TypeAlias = Callable[[Scope, Flow[Any], Callable[[Any], object]], Callable[[], object]]


def in_a_job(scope: Scope, flow: Flow[Any], function: Callable[[Any], object]) -> Callable[[], object]:
    return scope.launch(flow.collect, function).cancel


def in_a_cancel_scope(scope: Scope, flow: Flow[Any], function: Callable[[Any], object]) -> Callable[[], object]:
    inner = CancelScope()

    async def run() -> None:
        with inner:
            await flow.collect(function)

    scope.launch(run)
    return inner.cancel


def in_an_asyncio_task(_scope: Scope, flow: Flow[Any], function: Callable[[Any], object]) -> Callable[[], object]:
    async def run() -> None:
        with suppress(asyncio.CancelledError):
            await flow.collect(function)

    return asyncio.create_task(run()).cancel


@pytest.fixture(params=[in_a_job, in_a_cancel_scope, in_an_asyncio_task])
def start(request: pytest.FixtureRequest, anyio_backend: tuple[str, Any]) -> Start:
    """Start a collection; the result cancels it."""
    if request.param is in_an_asyncio_task and anyio_backend[0] != "asyncio":
        pytest.skip("a task of asyncio")
    function: Start = request.param
    return function


EVERY_OPERATOR = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)


@EVERY_OPERATOR
async def test_an_idle_collector_gets_nothing_in_the_step_of_its_cancellation(start: Start, operator: Operator) -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    seen: list[int] = []
    arrived = Event()

    def handle(value: int) -> None:
        seen.append(value)
        arrived.set()

    async with nothing_left_running(), coroutine_scope() as scope:
        cancel = start(scope, operator.through()(shared), handle)
        await settled()
        shared.emit_nowait(1)
        await arrived.wait()
        await settled()
        cancel()
        shared.emit_nowait(2)
        await settled()
        assert shared.subscription_count.value == 0
        shared.emit_nowait(3)
    assert seen == [1]


@EVERY_OPERATOR
async def test_a_value_that_waits_for_the_collectors_task_does_not_reach_it_after_the_cancellation(
    start: Start, operator: Operator
) -> None:
    """Stalled: the value has woken the collector, whose task did not run yet. Nothing is left un-awaited either."""
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    seen: list[int] = []

    async def handle(value: int) -> None:
        seen.append(value)

    async with nothing_left_running(), coroutine_scope() as scope:
        cancel = start(scope, operator.through()(shared), handle)
        await settled()
        shared.emit_nowait(1)
        cancel()
        shared.emit_nowait(2)
        await settled()
        assert shared.subscription_count.value == 0
    assert seen == []


# Not those with a child task: that hears of a cancellation by asyncio one turn later than the collector.
ASYNCHRONOUS = [operator for operator in OPERATORS if operator.asks is Asks.VALUE and operator.waits and not operator.ahead]
MIXTURES: dict[str, Callable[[Flow[int], Made], Flow[Any]]] = {
    "twice": lambda flow, made: flow.map(made(plainly)).map(made(plainly)),
    "take": lambda flow, made: flow.take(1).map(made(plainly)),
    "catch": lambda flow, made: flow.map(made(plainly)).catch().take(5),
    "buffer": lambda flow, made: flow.map(lambda value: made(plainly)(value)).buffer(3).map(made(plainly)),
    "distinct": lambda flow, made: flow.map(made(plainly)).distinct_until_changed().with_index().drop(1),
}


@pytest.mark.parametrize(
    "pipeline",
    [*(operator.apply for operator in ASYNCHRONOUS), *MIXTURES.values()],
    ids=[*(operator.name for operator in ASYNCHRONOUS), *MIXTURES],
)
async def test_an_asynchronous_stage_that_waits_for_its_task_is_dropped_without_a_trace(
    start: Start, pipeline: Callable[[Flow[int], Made], Flow[Any]]
) -> None:
    """No stage runs, and the interpreter does not complain about a coroutine that was never awaited."""
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    begun: list[int] = []

    def made(function: Callable[..., Any]) -> Callable[..., Any]:
        async def stage(*arguments: Any) -> Any:
            begun.append(1)
            return function(*arguments)

        return stage

    async with nothing_left_running(), coroutine_scope() as scope:
        cancel = start(scope, pipeline(shared, made), lambda _value: None)
        await settled()
        shared.emit_nowait(1)
        cancel()
        await settled()
        assert shared.subscription_count.value == 0
    assert begun == []


async def test_a_busy_collector_gets_nothing_of_its_backlog(start: Start) -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    gate = Event()
    seen: list[int] = []

    async def handle(value: int) -> None:
        seen.append(value)
        await gate.wait()

    async with coroutine_scope() as scope:
        cancel = start(scope, shared, handle)
        await settled()
        shared.emit_nowait(1)
        await settled()
        shared.emit_nowait(2)
        gate.set()
        cancel()
        shared.emit_nowait(3)
        await settled()
        assert seen == [1]
        assert shared.subscription_count.value == 0


async def test_replay_stops_where_the_collector_cancels_itself(start: Start) -> None:
    """Scenario shared_flow-24, in replay."""
    shared = MutableSharedFlow[int](replay=5)
    for value in range(1, 6):
        shared.emit_nowait(value)
    seen: list[int] = []
    async with coroutine_scope() as scope:

        def handle(value: int) -> None:
            seen.append(value)
            if value == 3:
                cancel()

        cancel = start(scope, shared, handle)
        await settled()
        if start is in_an_asyncio_task:
            # A task that cancels itself hears of it when it waits, which a replay of synchronous stages does not.
            assert seen[:3] == [1, 2, 3]
        else:
            assert seen == [1, 2, 3]
        assert shared.subscription_count.value == 0


async def test_live_values_stop_where_the_collector_cancels_itself(start: Start) -> None:
    """Scenario shared_flow-24, live."""
    shared = MutableSharedFlow[int](replay=5)
    seen: list[int] = []
    async with coroutine_scope() as scope:

        def handle(value: int) -> None:
            seen.append(value)
            if value == 3:
                cancel()

        cancel = start(scope, shared, handle)
        await settled()
        for value in range(1, 6):
            shared.emit_nowait(value)
        await settled()
        assert seen == [1, 2, 3]
        assert shared.subscription_count.value == 0


async def test_one_collector_may_cancel_another_in_the_middle_of_a_dispatch(start: Start) -> None:
    shared = MutableSharedFlow[int]()
    seen: list[int] = []
    cancels: list[Callable[[], object]] = []
    async with coroutine_scope() as scope:
        shared.on_each(lambda _value: [cancel() for cancel in cancels] or None).launch_in(scope)
        await settled()
        cancels.append(start(scope, shared, seen.append))
        await settled()
        shared.emit_nowait(1)
        await settled()
        assert seen == []
        assert shared.subscription_count.value == 1
        scope.cancel()


async def test_a_collection_cancelled_before_it_began_subscribes_to_nothing(start: Start) -> None:
    shared = MutableSharedFlow[int](replay=1)
    shared.emit_nowait(1)
    seen: list[int] = []
    async with coroutine_scope() as scope:
        start(scope, shared, seen.append)()
        shared.emit_nowait(2)
        await settled()
        assert seen == []
        assert shared.subscription_count.value == 0


async def test_a_state_keeps_its_changes_from_a_cancelled_collector(start: Start) -> None:
    state = MutableStateFlow(0)
    seen: list[int] = []
    async with coroutine_scope() as scope:
        cancel = start(scope, state, seen.append)
        await settled()
        state.value = 1
        cancel()
        state.value = 2
        await settled()
        assert seen == [0, 1]
        assert state.subscription_count.value == 0


async def test_a_loop_gets_nothing_in_the_step_of_its_cancellation(start: Start) -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    seen: list[int] = []

    class Loop(Flow[int]):
        """Iterate where others collect."""

        async def _iterate(self, function: Callable[[int], object]) -> None:
            async for value in shared:
                function(value)

        collect = _iterate  # type: ignore[assignment]

    async with coroutine_scope() as scope:
        cancel = start(scope, Loop(shared.source), seen.append)
        await settled()
        shared.emit_nowait(1)
        await settled()
        assert seen == [1]
        shared.emit_nowait(2)
        cancel()
        shared.emit_nowait(3)
        await settled()
        assert seen == [1]
        assert shared.subscription_count.value == 0


async def test_a_cancelled_emit_takes_its_value_back() -> None:
    """Rule SF7."""
    shared = MutableSharedFlow[int](extra_buffer_capacity=1)
    gate = Event()
    seen: list[int] = []

    async def handle(value: int) -> None:
        seen.append(value)
        await gate.wait()

    async with coroutine_scope() as scope:
        shared.on_each(handle).launch_in(scope)
        await settled()
        shared.emit_nowait(1)
        shared.emit_nowait(2)
        emitters = []
        for value in (3, 4, 5):
            emitters.append(scope.launch(shared.emit, value))
            await settled()
        emitters[1].cancel()
        gate.set()
        with fail_after(5):
            await emitters[0]
            await emitters[2]
        await settled()
        assert seen == [1, 2, 3, 5]
        scope.cancel()


async def test_a_cancelled_rendezvous_is_seen_only_by_those_who_picked_it_up() -> None:
    """Scenario shared_flow-16."""
    shared = MutableSharedFlow[int]()
    gate = Event()
    fast: list[int] = []
    slow: list[int] = []

    async def handle(value: int) -> None:
        slow.append(value)
        await gate.wait()

    async with coroutine_scope() as scope:
        shared.on_each(fast.append).launch_in(scope)
        stuck = shared.on_each(handle).launch_in(scope)
        await settled()
        await shared.emit(1)
        emitter = scope.launch(shared.emit, 2)
        await settled()
        assert not emitter.is_completed
        assert fast == [1, 2]
        emitter.cancel()
        stuck.cancel()
        with fail_after(5):
            await shared.emit(3)
        assert fast == [1, 2, 3]
        assert slow == [1]
        scope.cancel()


async def test_after_a_cancelled_rendezvous_the_slow_subscriber_goes_on_with_the_next_value() -> None:
    shared = MutableSharedFlow[int]()
    gate = Event()
    slow: list[int] = []

    async def handle(value: int) -> None:
        slow.append(value)
        await gate.wait()

    async with coroutine_scope() as scope:
        shared.on_each(handle).launch_in(scope)
        await settled()
        await shared.emit(1)
        withdrawn = scope.launch(shared.emit, 2)
        await settled()
        kept = scope.launch(shared.emit, 3)
        await settled()
        withdrawn.cancel()
        await settled()
        gate.set()
        with fail_after(5):
            await kept
        await settled()
        assert slow == [1, 3]
        scope.cancel()


async def test_emitter_and_subscriber_cancelled_together_leave_the_flow_usable() -> None:
    """Scenario shared_flow-29."""
    shared = MutableSharedFlow[int]()
    for _ in range(10):
        seen: list[int] = []

        async def handle(value: int, seen: list[int] = seen) -> None:
            seen.append(value)
            await checkpoint()

        async def emit() -> None:
            while True:
                await shared.emit(1)

        async with coroutine_scope() as scope:
            collector = shared.on_each(handle).launch_in(scope)
            await settled()
            emitter = scope.launch(emit)
            with fail_after(5):
                while not seen:
                    await checkpoint()
            emitter.cancel()
            collector.cancel()
    assert shared.subscription_count.value == 0
    shared.emit_nowait(2)


async def test_a_downstream_emit_that_was_not_awaited_yet_is_withdrawn() -> None:
    source = MutableSharedFlow[int](extra_buffer_capacity=4)
    room = MutableSharedFlow[int](extra_buffer_capacity=1)
    gate = Event()
    seen: list[int] = []

    async def handle(value: int) -> None:
        seen.append(value)
        await gate.wait()

    async with coroutine_scope() as scope:
        room.on_each(handle).launch_in(scope)
        relay = source.on_each(room.emit).launch_in(scope)
        await settled()
        for value in (1, 2, 3):
            source.emit_nowait(value)
        relay.cancel()
        await settled()
        gate.set()
        await settled()
        assert seen == [1, 2]
        scope.cancel()


async def test_to_list_keeps_what_was_collected_before_the_cancellation() -> None:
    """Scenario shared_flow-31."""
    shared = MutableSharedFlow[int]()
    destination: list[int] = []
    async with coroutine_scope() as scope:
        job = scope.launch(shared.to_list, destination)
        await settled()
        for value in range(10):
            await shared.emit(value)
        job.cancel()
        await shared.emit(10)
    assert destination == list(range(10))


async def test_a_cancelled_collector_frees_the_emitter_at_once() -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=1)
    async with coroutine_scope() as scope:

        async def block(_value: int) -> None:
            await Event().wait()

        job = shared.on_each(block).launch_in(scope)
        await settled()
        shared.emit_nowait(1)
        shared.emit_nowait(2)
        with pytest.raises(WouldBlock):
            shared.emit_nowait(3)
        emitter = scope.launch(shared.emit, 3)
        await settled()
        job.cancel()
        with fail_after(5):
            await emitter


async def test_cleaning_up_may_wait_in_a_shield() -> None:
    shared = MutableSharedFlow[int]()
    log: list[str] = []

    async def run() -> None:
        try:
            await shared.collect()
        except get_cancelled_exc_class():
            with CancelScope(shield=True):
                await a_while()
                log.append("cleaned up")
            raise

    async with coroutine_scope() as scope:
        job = scope.launch(run)
        await settled()
        with fail_after(5):
            await job.cancel_and_join()
        assert log == ["cleaned up"]
