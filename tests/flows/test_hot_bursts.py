"""Bursts of operations on shared flows and states, between which no task has a turn: whatever the schedule, the laws hold.

The random walks of test_shared_flow.py and test_state_flow.py say what happens when everybody is at rest between two
operations. Here nobody is, and what is checked is what every schedule owes: order, nothing missed that was not to be
dropped, nothing twice, the latest value in the end, and nobody who sleeps and could go on.
"""

from __future__ import annotations

import asyncio
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import pytest
from anyio.lowlevel import checkpoint
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsock import BufferOverflow, Flow, MutableSharedFlow, MutableStateFlow, WouldBlock
from flowsock.testing.clock import virtual_time
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

Operation: TypeAlias = tuple[str, int]
SUSPEND = BufferOverflow.SUSPEND


class Tasks:
    """Start tasks that can be cancelled by their scopes, or by asyncio."""

    def __init__(self, group: TaskGroup, *, native: bool) -> None:
        self._group = group
        self.native = native
        self._strong: set[asyncio.Task[None]] = set()
        self.cancels: list[Callable[[], object]] = []

    def start(self, function: Callable[[], Awaitable[object]]) -> None:
        scope = anyio.CancelScope()

        async def run() -> None:
            with scope:
                await function()

        if self.native:
            task = asyncio.create_task(run())
            self._strong.add(task)
            self.cancels.append(task.cancel)
        else:
            self._group.start_soon(run)
            self.cancels.append(scope.cancel)

    def cancel_one(self, number: int) -> None:
        if self.cancels:
            self.cancels[-1 - number % len(self.cancels)]()

    def cancel_all(self) -> None:
        for cancel in self.cancels:
            cancel()


@define
class Subscriber:
    """A collector: what it saw; it holds a value as long as its gate is closed.

    Attributes:
        replayed: What the replay cache held when it came.
        since: The number of the first emission after it came.
        lossless: Whether nothing may be dropped on the way to it.
        seen: What it saw.
        gone: Whether it has left.
    """

    gated: bool
    replayed: list[int]
    since: int = -1
    lossless: bool = False
    seen: list[int] = field(factory=list[int])
    gone: bool = False
    gate: anyio.Event = field(factory=anyio.Event)

    def handle(self, value: int) -> Awaitable[object] | None:
        self.seen.append(value)
        if not self.gated:
            return None
        self.gate = anyio.Event()
        return self.gate.wait()


def hesitant(value: int) -> Any:
    """Turn out asynchronous now and then."""
    return value if value % 3 else later(value)


async def later(value: int) -> int:
    await checkpoint()
    return value


LOSSLESS: tuple[Callable[[Flow[int]], Flow[int]], ...] = (
    lambda flow: flow,
    lambda flow: flow.buffer(2),
    lambda flow: flow.map(hesitant),
    lambda flow: flow.map(hesitant).buffer(1),
    lambda flow: flow.take(1000),
)
LOSSY: tuple[Callable[[Flow[int]], Flow[int]], ...] = (
    lambda flow: flow.conflate(),
    lambda flow: flow.map(hesitant).buffer(1, on_buffer_overflow=BufferOverflow.DROP_OLDEST),
)
PIPELINES = (*LOSSLESS, *LOSSY)


class Room:
    """A shared flow, its emitters and its subscribers; a value is the number of its emission."""

    def __init__(self, tasks: Tasks, replay: int, extra: int, policy: BufferOverflow) -> None:
        self.shared = MutableSharedFlow[int](replay=replay, extra_buffer_capacity=extra, on_buffer_overflow=policy)
        self.policy = policy
        # Without a buffer some may have seen a value before it is taken back; and asyncio's own cancellation wins over a
        # value that was accepted in the same moment.
        self.takes_back = replay + extra > 0 and not tasks.native
        self.subscribers: list[Subscriber] = []
        self.emitted: list[int] = []
        self.refused: set[int] = set()
        self.waiting: set[int] = set()
        self.withdrawn: set[int] = set()
        self._numbers = count()
        self._tasks = tasks

    def run(self, operation: Operation) -> None:
        name, number = operation
        getattr(self, name)(number)

    # Operations

    def emit(self, _number: int) -> None:
        self._tasks.start(self._emit)

    def emit_nowait(self, _number: int) -> None:
        value = next(self._numbers)
        try:
            self.shared.emit_nowait(value)
            self.emitted.append(value)
        except WouldBlock:
            self.refused.add(value)

    def fast(self, number: int) -> None:
        self._tasks.start(lambda: self._collect(number, gated=False))

    def slow(self, number: int) -> None:
        self._tasks.start(lambda: self._collect(number, gated=True))

    def proceed(self, number: int) -> None:
        if self.subscribers:
            self.subscribers[number % len(self.subscribers)].gate.set()

    def interrupt(self, number: int) -> None:
        self._tasks.cancel_one(number)

    def reset(self, _number: int) -> None:
        self.shared.reset_replay_cache()

    # Tasks

    async def _emit(self) -> None:
        value = next(self._numbers)
        self.waiting.add(value)
        try:
            await self.shared.emit(value)
            self.emitted.append(value)
        except anyio.get_cancelled_exc_class():
            self.withdrawn.add(value)
            raise
        finally:
            self.waiting.discard(value)

    async def _collect(self, number: int, *, gated: bool) -> None:
        pipeline = PIPELINES[number % len(PIPELINES)]
        lossless = self.policy is SUSPEND and pipeline in LOSSLESS
        subscriber = Subscriber(gated, self.shared.replay_cache, next(self._numbers), lossless=lossless)
        self.subscribers.append(subscriber)
        try:
            await pipeline(self.shared).collect(subscriber.handle)
        finally:
            subscriber.gone = True

    # Laws

    def check_at_rest(self) -> None:
        present = [each for each in self.subscribers if not each.gone]
        assert self.shared.subscription_count.value == len(present)
        if not any(each.gated for each in present):
            assert not self.waiting, "an emitter waits for nobody"
        for subscriber in self.subscribers:
            self._check(subscriber)

    def _check(self, subscriber: Subscriber) -> None:
        assert subscriber.seen == sorted(set(subscriber.seen)), "out of order, or twice"
        assert not self.refused & set(subscriber.seen)
        if self.takes_back:
            assert not self.withdrawn & set(subscriber.seen)
        if not subscriber.lossless:
            return
        replayed = subscriber.seen[: len(subscriber.replayed)]
        assert replayed == subscriber.replayed[: len(replayed)]
        if not subscriber.gone and (not subscriber.gated or subscriber.gate.is_set()):
            missed = {value for value in self.emitted if value > subscriber.since} - set(subscriber.seen)
            assert not missed, "a gap"


async def play_room(native: bool, shape: tuple[int, int, BufferOverflow], bursts: list[list[Operation]]) -> None:
    replay, extra, policy = shape
    async with anyio.create_task_group() as group:
        tasks = Tasks(group, native=native)
        room = Room(tasks, replay, extra, policy if replay + extra else SUSPEND)
        for burst in [[("slow", 0), ("fast", 0)], *bursts]:
            for operation in burst:
                room.run(operation)
            await settled()
            room.check_at_rest()
        for subscriber in room.subscribers:
            subscriber.gated = False
            subscriber.gate.set()
        await settled()
        room.check_at_rest()
        assert not room.waiting
        tasks.cancel_all()
        await settled()
        assert room.shared.subscription_count.value == 0
        room.shared.emit_nowait(10**6)


number = st.integers(0, 9)
in_a_room = st.tuples(
    st.sampled_from(
        [
            "emit",
            "emit",
            "emit",
            "emit_nowait",
            "fast",
            "slow",
            "proceed",
            "proceed",
            "proceed",
            "interrupt",
            "interrupt",
            "reset",
        ]
    ),
    number,
)
EVERYWHERE = pytest.mark.parametrize(("backend", "native"), [("asyncio", False), ("asyncio", True), ("trio", False)])


@EVERYWHERE
@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    shape=st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([SUSPEND, *BufferOverflow])),
    bursts=st.lists(st.lists(in_a_room, max_size=12), max_size=6),
)
def test_a_shared_flow_owes_its_laws_to_every_schedule(
    backend: str, native: bool, shape: tuple[int, int, BufferOverflow], bursts: list[list[Operation]]
) -> None:
    name, options = virtual_time(backend)
    anyio.run(play_room, native, shape, bursts, backend=name, backend_options=dict(options))


class Watched:
    """A state, its writers and its collectors; rules ST2 to ST4."""

    def __init__(self, tasks: Tasks) -> None:
        self.state = MutableStateFlow(0)
        self.subscribers: list[Subscriber] = []
        self._tasks = tasks

    def run(self, operation: Operation) -> None:
        name, value = operation
        getattr(self, name)(value)

    def set(self, value: int) -> None:
        self.state.value = value % 3

    def write(self, value: int) -> None:
        self._tasks.start(lambda: self.state.emit(value % 3))

    def fast(self, _number: int) -> None:
        self._tasks.start(lambda: self._collect(gated=False))

    def slow(self, _number: int) -> None:
        self._tasks.start(lambda: self._collect(gated=True))

    def proceed(self, number: int) -> None:
        if self.subscribers:
            self.subscribers[number % len(self.subscribers)].gate.set()

    def interrupt(self, number: int) -> None:
        self._tasks.cancel_one(number)

    async def _collect(self, *, gated: bool) -> None:
        subscriber = Subscriber(gated, [self.state.value])
        self.subscribers.append(subscriber)
        try:
            await self.state.collect(subscriber.handle)
        finally:
            subscriber.gone = True

    def check_at_rest(self) -> None:
        assert self.state.subscription_count.value == sum(not each.gone for each in self.subscribers)
        for subscriber in self.subscribers:
            assert all(before != after for before, after in pairwise(subscriber.seen)), "no change"
            if not subscriber.gone and (not subscriber.gated or subscriber.gate.is_set()):
                assert subscriber.seen[-1] == self.state.value, "not the latest"


async def play_state(native: bool, bursts: list[list[Operation]]) -> None:
    async with anyio.create_task_group() as group:
        tasks = Tasks(group, native=native)
        watched = Watched(tasks)
        for burst in bursts:
            for operation in burst:
                watched.run(operation)
            await settled()
            watched.check_at_rest()
        tasks.cancel_all()
        await settled()
        assert watched.state.subscription_count.value == 0


at_a_state = st.tuples(
    st.sampled_from(["set", "set", "write", "write", "fast", "slow", "proceed", "proceed", "interrupt"]), number
)


@EVERYWHERE
@settings(max_examples=100, deadline=None, derandomize=True)
@given(bursts=st.lists(st.lists(at_a_state, max_size=12), max_size=6))
def test_a_state_owes_its_laws_to_every_schedule(backend: str, native: bool, bursts: list[list[Operation]]) -> None:
    name, options = virtual_time(backend)
    anyio.run(play_state, native, bursts, backend=name, backend_options=dict(options))
