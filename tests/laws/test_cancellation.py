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
    BufferOverflow,
    Flow,
    MutableSharedFlow,
    MutableStateFlow,
    Scope,
    WouldBlock,
    as_flow,
    combine,
    coroutine_scope,
    merge,
)
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


PIPELINES: dict[str, Callable[[Flow[int]], Flow[int]]] = {
    "plain": lambda flow: flow,
    "stages": lambda flow: flow.map(lambda value: value).filter(lambda _value: True),
    "buffer": lambda flow: flow.buffer(8),
    "buffer of a child": lambda flow: flow.on_start(lambda _emit: None).buffer(8),
    "conflate": lambda flow: flow.conflate(),
    "drop oldest": lambda flow: flow.map(lambda value: value).buffer(2, on_buffer_overflow=BufferOverflow.DROP_OLDEST),
    "catch": lambda flow: flow.catch(),
    "retry": lambda flow: flow.retry(),
    "take": lambda flow: flow.take(9),
    "merge": lambda flow: merge(flow),
    "combine": lambda flow: combine(flow, lambda value: value),
    "concat": lambda flow: flow.flat_map_concat(lambda value: as_flow([value])),
    "flat_map_merge": lambda flow: flow.flat_map_merge(lambda value: as_flow([value])),
    "flat_map_latest": lambda flow: flow.flat_map_latest(lambda value: as_flow([value])),
    "on_completion": lambda flow: flow.on_completion(lambda _emit, _cause: None),
}


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES.keys())
async def test_an_idle_collector_gets_nothing_in_the_step_of_its_cancellation(
    start: Start, pipeline: Callable[[Flow[int]], Flow[int]]
) -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    seen: list[int] = []
    async with coroutine_scope() as scope:
        cancel = start(scope, pipeline(shared), seen.append)
        await settled()
        shared.emit_nowait(1)
        await settled()
        assert seen == [1]
        cancel()
        shared.emit_nowait(2)
        await settled()
        assert seen == [1]
        assert shared.subscription_count.value == 0
        shared.emit_nowait(3)


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES.keys())
async def test_a_value_that_waits_for_the_collectors_task_does_not_reach_it_after_the_cancellation(
    start: Start, pipeline: Callable[[Flow[int]], Flow[int]]
) -> None:
    """Stalled: the value has woken the collector, whose task did not run yet. Nothing is left un-awaited either."""
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    seen: list[int] = []

    async def handle(value: int) -> None:
        seen.append(value)

    async with coroutine_scope() as scope:
        cancel = start(scope, pipeline(shared), handle)
        await settled()
        shared.emit_nowait(1)
        cancel()
        shared.emit_nowait(2)
        await settled()
        assert seen == []
        assert shared.subscription_count.value == 0


ASYNC_STAGES: dict[str, Callable[[Flow[int], Callable[[int], Any]], Flow[Any]]] = {
    "map": lambda flow, stage: flow.map(stage).map(stage),
    "filter": lambda flow, stage: flow.filter(stage),
    "on_each": lambda flow, stage: flow.on_each(stage).on_each(stage),
    "scan": lambda flow, stage: flow.scan(0, lambda _sum, value: stage(value)),
    "take_while": lambda flow, stage: flow.take_while(stage),
    "drop_while": lambda flow, stage: flow.drop_while(stage),
    "transform": lambda flow, stage: flow.transform(lambda _emit, value: stage(value)),
    "catch": lambda flow, stage: flow.map(stage).catch().take(5),
    "retry": lambda flow, stage: flow.map(stage).retry(),
    "on_empty": lambda flow, stage: flow.map(stage).on_empty(lambda _emit: None),
    "take": lambda flow, stage: flow.take(1).map(stage),
    "buffer": lambda flow, stage: flow.map(lambda value: stage(value)).buffer(3).map(stage),
    "distinct": lambda flow, stage: flow.map(stage).distinct_until_changed().with_index().drop(1),
}


@pytest.mark.parametrize("pipeline", ASYNC_STAGES.values(), ids=ASYNC_STAGES.keys())
async def test_an_asynchronous_stage_that_waits_for_its_task_is_dropped_without_a_trace(
    start: Start, pipeline: Callable[[Flow[int], Callable[[int], Any]], Flow[Any]]
) -> None:
    """No stage runs, and the interpreter does not complain about a coroutine that was never awaited."""
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    begun: list[int] = []

    async def stage(value: int) -> int:
        begun.append(value)
        return value

    async with coroutine_scope() as scope:
        cancel = start(scope, pipeline(shared, stage), lambda _value: None)
        await settled()
        shared.emit_nowait(1)
        cancel()
        await settled()
        assert begun == []
        assert shared.subscription_count.value == 0


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
