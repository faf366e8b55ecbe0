"""Law of fusion: a buffer over a hot flow is the subscription's own queue, without a task; adjacent buffers merge."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from anyio import Event, fail_after, get_current_task, get_running_tasks

from flowsock import (
    BUFFERED,
    CONFLATED,
    UNLIMITED,
    BufferOverflow,
    Flow,
    MutableSharedFlow,
    MutableStateFlow,
    WouldBlock,
    as_flow,
    channel_flow,
    coroutine_scope,
    flow,
    merge,
)
from flowsock.flows.operators.buffering import Channeled
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio

DROP_OLDEST = BufferOverflow.DROP_OLDEST
DROP_LATEST = BufferOverflow.DROP_LATEST

FUSED: dict[str, Callable[[Flow[int]], Flow[int]]] = {
    "buffer": lambda flow: flow.buffer(16),
    "drop oldest": lambda flow: flow.buffer(16, on_buffer_overflow=DROP_OLDEST),
    "drop latest": lambda flow: flow.buffer(16, on_buffer_overflow=DROP_LATEST),
    "conflate": lambda flow: flow.conflate(),
    "through stages": lambda flow: flow.map(lambda value: value).filter(lambda _value: True).buffer(16),
    "twice": lambda flow: flow.buffer(8).buffer(8),
}


class Peer:
    """A collector that waits until it is told to go on."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.gate = Event()

    async def __call__(self, value: int) -> None:
        self.seen.append(value)
        await self.gate.wait()


@pytest.mark.parametrize("fuse", FUSED.values(), ids=FUSED.keys())
async def test_a_fused_buffer_has_one_task_and_one_subscription(fuse: Callable[[Flow[int]], Flow[int]]) -> None:
    shared = MutableSharedFlow[int]()
    peer = Peer()
    async with coroutine_scope() as scope:
        before = len(get_running_tasks())
        fuse(shared).on_each(peer).launch_in(scope)
        await settled()
        for value in range(5):
            shared.emit_nowait(value)
        await settled()
        assert len(get_running_tasks()) == before + 1
        assert shared.subscription_count.value == 1
        scope.cancel()


@pytest.mark.parametrize("fuse", FUSED.values(), ids=FUSED.keys())
async def test_an_idle_collector_is_dispatched_to_in_the_emitters_task(fuse: Callable[[Flow[int]], Flow[int]]) -> None:
    shared = MutableSharedFlow[int]()
    tasks: list[int] = []
    async with coroutine_scope() as scope:
        fuse(shared).on_each(lambda _value: tasks.append(get_current_task().id)).launch_in(scope)
        await settled()
        shared.emit_nowait(1)
        shared.emit_nowait(2)
        assert tasks == [get_current_task().id] * 2
        scope.cancel()


async def test_a_buffer_over_a_cold_flow_runs_in_a_child() -> None:
    tasks: set[int] = set()
    async with coroutine_scope() as scope:
        before = len(get_running_tasks())
        cold = as_flow(range(3)).on_each(lambda _value: tasks.add(get_current_task().id)).buffer(1)
        peer = Peer()
        cold.on_each(peer).launch_in(scope)
        await settled()
        assert len(get_running_tasks()) == before + 2
        scope.cancel()
    assert len(tasks) == 1


@pytest.mark.parametrize("capacity", [0, 1, 4])
async def test_a_slow_peer_with_a_dropping_buffer_never_slows_the_room(capacity: int) -> None:
    room = MutableSharedFlow[int](extra_buffer_capacity=capacity)
    slow = {
        "oldest": Peer(),
        "latest": Peer(),
        "conflated": Peer(),
    }
    fast: list[int] = []
    async with coroutine_scope() as scope:
        room.buffer(3, on_buffer_overflow=DROP_OLDEST).on_each(slow["oldest"]).launch_in(scope)
        room.buffer(3, on_buffer_overflow=DROP_LATEST).on_each(slow["latest"]).launch_in(scope)
        room.conflate().on_each(slow["conflated"]).launch_in(scope)
        room.on_each(fast.append).launch_in(scope)
        await settled()
        room.emit_nowait(0)
        await settled()
        for value in range(1, 100):
            room.emit_nowait(value)  # raises if it had to wait
        assert fast == list(range(100))
        for peer in slow.values():
            peer.gate.set()
        await settled()
        assert slow["oldest"].seen == [0, 97, 98, 99]
        assert slow["latest"].seen == [0, 1, 2, 3]
        assert slow["conflated"].seen == [0, 99]
        scope.cancel()


@pytest.mark.parametrize("extra", [0, 2])
async def test_a_full_suspending_buffer_makes_the_emitter_wait(extra: int) -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=extra)
    peer = Peer()
    accepted: list[int] = []

    async def emit() -> None:
        for value in range(20):
            await shared.emit(value)
            accepted.append(value)

    async with coroutine_scope() as scope:
        shared.buffer(3).on_each(peer).launch_in(scope)
        await settled()
        emitter = scope.launch(emit)
        await settled()
        # One in the peer's hands, three in its buffer, one waiting to enter it, and what the shared flow itself has room for.
        assert accepted == list(range(1 + 3 + 1 + extra))
        with pytest.raises(WouldBlock):
            shared.emit_nowait(99)
        peer.gate.set()
        with fail_after(5):
            await emitter
        await settled()
        assert peer.seen == list(range(20))
        scope.cancel()


@pytest.mark.parametrize(
    "fuse", [lambda flow: flow.buffer(2), lambda flow: flow.buffer(0), lambda flow: flow.buffer(1).buffer(1)]
)
async def test_a_replay_larger_than_the_buffer_does_not_deadlock(fuse: Callable[[Flow[int]], Flow[int]]) -> None:
    shared = MutableSharedFlow[int](replay=10)
    for value in range(10):
        shared.emit_nowait(value)
    peer = Peer()
    async with coroutine_scope() as scope:
        fuse(shared).on_each(peer).launch_in(scope)
        await settled()
        assert peer.seen == [0]
        peer.gate.set()
        await settled()
        assert peer.seen == list(range(10))
        with fail_after(5):
            for value in range(10, 30):
                await shared.emit(value)
        await settled()
        assert peer.seen == list(range(30))
        scope.cancel()


async def double(value: int) -> int:
    await a_while()
    return 2 * value


@pytest.mark.parametrize("stage", [double, lambda value: double(value)], ids=["known", "found out"])
@pytest.mark.parametrize("overflow", BufferOverflow)
async def test_asynchronous_stages_above_the_buffer_keep_their_meaning(
    stage: Callable[[int], object], overflow: BufferOverflow
) -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=16)
    seen: list[object] = []
    async with coroutine_scope() as scope:
        shared.map(stage).buffer(16, on_buffer_overflow=overflow).on_each(seen.append).launch_in(scope)
        await settled()
        for value in range(5):
            shared.emit_nowait(value)
        await settled()
        assert seen == [0, 2, 4, 6, 8]
        scope.cancel()
        assert shared.subscription_count.value <= 1
    assert shared.subscription_count.value == 0


async def test_values_are_in_order_when_a_stage_turns_out_asynchronous_now_and_then() -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=64)
    seen: list[object] = []
    async with coroutine_scope() as scope:
        shared.map(lambda value: double(value) if value % 3 == 0 else 2 * value).buffer(64).on_each(seen.append).launch_in(
            scope
        )
        await settled()
        for value in range(20):
            shared.emit_nowait(value)
            if value % 7 == 0:
                await settled()
        await settled()
        assert seen == [2 * value for value in range(20)]
        scope.cancel()


async def test_a_stage_that_turns_out_asynchronous_while_the_collector_leaves_is_dropped_without_a_trace() -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=4)
    begun: list[int] = []

    async def stage(value: int) -> int:
        begun.append(value)
        return value

    def hesitate(value: int) -> Any:
        return value if value == 1 else stage(value)

    async def explode(_value: int) -> None:
        await a_while()
        scope.launch(shared.emit, 2)  # comes at the collector's next turn, which is its last
        raise ValueError("leaving")

    async def collect() -> None:
        with pytest.raises(ValueError, match="leaving"):
            await shared.map(hesitate).buffer(4).collect(explode)

    async with coroutine_scope() as scope:
        scope.launch(collect)
        await settled()
        shared.emit_nowait(1)
        await settled()
        assert shared.subscription_count.value == 0
    assert begun == []


async def test_a_stage_that_turns_out_asynchronous_while_the_collector_is_busy_does_not_lag_the_room() -> None:
    """It gets a task of its own then, in the collector's context."""
    shared = MutableSharedFlow[int](extra_buffer_capacity=1)
    staged: list[tuple[int, str]] = []
    fast: list[int] = []
    who = ContextVar[str]("who", default="nobody")
    peer = Peer()

    async def stage(value: int) -> int:
        await a_while()
        staged.append((value, who.get()))
        return value

    def hesitate(value: int) -> Any:
        return value if value == 1 else stage(value)

    async def collect() -> None:
        who.set("the collector")
        await shared.map(hesitate).buffer(16).collect(peer)

    async with coroutine_scope() as scope:
        scope.launch(collect)
        shared.on_each(fast.append).launch_in(scope)
        await settled()
        with fail_after(5):
            for value in range(1, 6):
                await shared.emit(value)
        await settled()
        assert peer.seen == [1]
        assert staged == [(value, "the collector") for value in range(2, 6)]
        assert fast == [1, 2, 3, 4, 5]
        peer.gate.set()
        await settled()
        assert peer.seen == [1, 2, 3, 4, 5]
        scope.cancel()


@pytest.mark.parametrize("fuse", FUSED.values(), ids=FUSED.keys())
@pytest.mark.parametrize("busy", [False, True])
async def test_an_error_above_the_buffer_ends_the_collector_without_draining(
    fuse: Callable[[Flow[int]], Flow[int]], busy: bool
) -> None:
    shared = MutableSharedFlow[int]()
    seen: list[int] = []
    gate = Event()

    def explode(value: int) -> int:
        if value == 3:
            raise ValueError("three")
        return value

    async def handle(value: int) -> None:
        seen.append(value)
        if busy:
            await gate.wait()

    async def run() -> None:
        with pytest.raises(ValueError, match="three"):
            await fuse(shared.map(explode)).collect(handle)

    async with coroutine_scope() as scope:
        job = scope.launch(run)
        await settled()
        for value in range(3):
            shared.emit_nowait(value)
            await settled()
        shared.emit_nowait(3)
        assert shared.subscription_count.value == 0
        await settled()
        gate.set()
        with fail_after(5):
            await job
    assert seen == ([0] if busy else [0, 1, 2])


@pytest.mark.parametrize("fuse", FUSED.values(), ids=FUSED.keys())
async def test_an_error_below_the_buffer_ends_the_subscription(fuse: Callable[[Flow[int]], Flow[int]]) -> None:
    shared = MutableSharedFlow[int]()

    def explode(_value: int) -> None:
        raise ValueError("below")

    async def run() -> None:
        with pytest.raises(ValueError, match="below"):
            await fuse(shared).collect(explode)

    async with coroutine_scope() as scope:
        job = scope.launch(run)
        await settled()
        shared.emit_nowait(1)
        with fail_after(5):
            await job
        assert shared.subscription_count.value == 0


async def test_a_chain_that_emits_into_its_own_flow_through_its_buffer_keeps_the_order() -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    seen: list[int] = []

    def answer(value: int) -> None:
        seen.append(value)
        if value < 3:
            shared.emit_nowait(value + 1)

    async with coroutine_scope() as scope:
        shared.buffer(8).on_each(answer).launch_in(scope)
        await settled()
        shared.emit_nowait(0)
        await settled()
        assert seen == [0, 1, 2, 3]
        scope.cancel()


NOTHING_NEW: list[Callable[[Flow[int]], Flow[int]]] = [
    lambda state: state.distinct_until_changed(),
    lambda state: state.conflate(),
    lambda state: state.buffer(CONFLATED),
    lambda state: state.buffer(0),
    lambda state: state.buffer(0, on_buffer_overflow=DROP_OLDEST),
    lambda state: state.buffer(1, on_buffer_overflow=DROP_OLDEST),
    lambda state: state.buffer(on_buffer_overflow=DROP_OLDEST),
    lambda state: state.cancellable(),
]


@pytest.mark.parametrize("operator", NOTHING_NEW)
async def test_what_a_state_is_anyway_gives_the_state_itself(operator: Callable[[Flow[int]], Flow[int]]) -> None:
    """Rule ST6, scenarios state_flow-10 and state_in-07; a subscription count is a state that is not conflated."""
    state = MutableStateFlow(0)
    view = state.as_state_flow()
    assert operator(state) is state
    assert operator(view) is view
    async with coroutine_scope() as scope:
        shared = as_flow([1]).state_in(scope, initial=0)
        assert operator(shared) is shared
        assert not hasattr(operator(shared), "emit")
        scope.cancel()


SOMETHING_NEW: list[Callable[[Flow[int]], Flow[int]]] = [
    lambda state: state.distinct_until_changed(lambda old, new: old > new),
    lambda state: state.distinct_until_changed_by(abs),
    lambda state: state.buffer(),
    lambda state: state.buffer(2, on_buffer_overflow=DROP_OLDEST),
    lambda state: state.buffer(0, on_buffer_overflow=DROP_LATEST),
]


@pytest.mark.parametrize("operator", SOMETHING_NEW)
def test_what_a_state_is_not_gives_another_flow(operator: Callable[[Flow[int]], Flow[int]]) -> None:
    state = MutableStateFlow(0)
    assert operator(state) is not state


async def test_a_state_that_compares_in_its_own_way_is_not_distinct_by_itself() -> None:
    state = MutableStateFlow(0, same=lambda _old, _new: False)
    seen: list[int] = []
    async with coroutine_scope() as scope:
        state.distinct_until_changed().on_each(seen.append).launch_in(scope)
        await settled()
        for value in (0, 1, 1, 0):
            state.value = value
        await settled()
        scope.cancel()
    assert seen == [0, 1, 0]


async def test_a_subscription_count_can_be_conflated() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    counts = shared.subscription_count
    assert counts.distinct_until_changed() is counts
    peer, conflated = Peer(), Peer()
    async with coroutine_scope() as scope:
        counts.on_each(peer).launch_in(scope)
        counts.conflate().on_each(conflated).launch_in(scope)
        await settled()
        for _ in range(3):
            shared.launch_in(scope)
            await settled()
        peer.gate.set()
        conflated.gate.set()
        await settled()
        scope.cancel()
    assert (peer.seen, conflated.seen) == ([0, 1, 2, 3], [0, 3])


def test_a_wrong_buffer_is_refused_by_hot_flows_too() -> None:
    hot: list[Flow[int]] = [MutableSharedFlow(), MutableStateFlow(0)]
    for each in hot:
        with pytest.raises(ValueError, match="capacity"):
            each.buffer(-3)
        with pytest.raises(ValueError, match="CONFLATED"):
            each.buffer(CONFLATED, on_buffer_overflow=DROP_OLDEST)


async def test_a_buffered_state_keeps_what_a_slow_collector_would_miss() -> None:
    state = MutableStateFlow(0)
    peer = Peer()
    async with coroutine_scope() as scope:
        state.buffer(UNLIMITED).on_each(peer).launch_in(scope)
        await settled()
        for value in range(1, 5):
            state.value = value
        peer.gate.set()
        await settled()
        assert peer.seen == [0, 1, 2, 3, 4]
        scope.cancel()


RULES = [
    (lambda flow: flow.buffer().buffer(7), 7, BufferOverflow.SUSPEND),
    (lambda flow: flow.buffer(7).buffer(), 7, BufferOverflow.SUSPEND),
    (lambda flow: flow.buffer().buffer(), BUFFERED, BufferOverflow.SUSPEND),
    (lambda flow: flow.buffer(0).buffer(1), 1, BufferOverflow.SUSPEND),
    (lambda flow: flow.buffer(1).buffer(2).buffer(3), 6, BufferOverflow.SUSPEND),
    (lambda flow: flow.buffer(UNLIMITED).buffer(3), UNLIMITED, BufferOverflow.SUSPEND),
    (lambda flow: flow.buffer(5).buffer(UNLIMITED), UNLIMITED, BufferOverflow.SUSPEND),
    (lambda flow: flow.buffer(42).conflate(), 0, DROP_OLDEST),
    (lambda flow: flow.buffer(42).buffer(CONFLATED), 0, DROP_OLDEST),
    (lambda flow: flow.conflate().conflate(), 0, DROP_OLDEST),
    (lambda flow: flow.conflate().buffer(10), 10, DROP_OLDEST),
    (lambda flow: flow.conflate().buffer(), 0, DROP_OLDEST),
    (lambda flow: flow.buffer(8, on_buffer_overflow=DROP_LATEST).buffer(3, on_buffer_overflow=DROP_OLDEST), 3, DROP_OLDEST),
    (lambda flow: flow.buffer(8, on_buffer_overflow=DROP_LATEST).conflate(), 0, DROP_OLDEST),
    (lambda flow: flow.buffer(on_buffer_overflow=DROP_LATEST).buffer(7), 7, DROP_LATEST),
    (lambda flow: flow.buffer(3, on_buffer_overflow=DROP_LATEST).buffer(7), 10, DROP_LATEST),
    (lambda flow: flow.buffer(3).buffer(7, on_buffer_overflow=DROP_LATEST), 7, DROP_LATEST),
]


@channel_flow
async def produced(_producer: object) -> None: ...


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "make",
    [MutableSharedFlow, lambda: as_flow([1]), produced, lambda: merge(as_flow([1]))],
    ids=["hot", "cold", "channel", "merge"],
)
async def test_adjacent_buffers_merge_into_one(
    rule: tuple[Callable[[Flow[int]], Flow[int]], int, BufferOverflow], make: Callable[[], Flow[int]]
) -> None:
    """Rules F1 to F3."""
    fuse, capacity, overflow = rule
    source = fuse(make()).source
    assert isinstance(source, Channeled)
    assert (source.capacity, source.overflow) == (capacity, overflow)
    assert not isinstance(getattr(source, "upstream", None), Channeled)


@flow
async def hundred() -> AsyncIterator[int]:
    for value in range(100):
        yield value


async def test_there_is_no_fusion_through_an_operator() -> None:
    """Rule F8."""
    source = hundred().buffer(2).map(lambda value: value).buffer(3).source
    assert isinstance(source, Channeled)
    assert source.capacity == 3
