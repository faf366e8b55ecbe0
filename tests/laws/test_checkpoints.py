"""Law of cancellation, at every checkpoint: wherever in a run it arrives, all of it cleans up and nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import pytest
from anyio import CancelScope, create_task_group
from anyio.lowlevel import checkpoint

from flowsock import BufferOverflow, MutableSharedFlow, combine, coroutine_scope, flow_of, merge
from tests.laws.laws import nothing_left_running
from tests.laws.operators import FOREVER, OPERATORS, Operator, plainly, slowly
from tests.laws.upstream import Upstream
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.laws.operators import Through

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left_to_the_garbage_collector")]

LAST_TURN = 30
"""By then a run has ended, or waits for a timer."""

T = TypeVar("T")
Run: TypeAlias = Callable[[], Coroutine[Any, Any, object]]
Cancelled: TypeAlias = Callable[[Run, int], Awaitable[bool]]


class Enough(Exception):
    """How a collector ends that could go on for ever, which comes out also if a cancellation meets it on its way."""


class Interrupted(Generic[T]):
    """Await a coroutine, and act when it suspends for the n-th time, from 0."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], at: int, action: Callable[[], object]) -> None:
        self.reached = False
        self._coroutine = coroutine
        self._at = at
        self._action = action

    def __await__(self) -> Generator[Any, Any, T]:
        step, argument = self._coroutine.send, None
        while True:
            try:
                awaited = step(argument)
            except StopIteration as end:
                result: T = end.value
                return result
            self._count_down()
            try:
                step, argument = self._coroutine.send, (yield awaited)
            except BaseException as error:
                step, argument = self._coroutine.throw, error

    def _count_down(self) -> None:
        if self._at == 0:
            self.reached = True
            self._action()
        self._at -= 1


async def cancelled_from_within(run: Run, at: int) -> bool:
    """Cancel the running task's scope in its n-th suspension; tell whether there was one."""
    with CancelScope() as scope, suppress(Enough):
        interrupted = Interrupted(run(), at, scope.cancel)
        await interrupted
    return interrupted.reached


async def cancelled_by_asyncio(run: Run, at: int) -> bool:
    """Cancel the running task itself."""
    interrupted: Interrupted[object] = Interrupted(run(), at, lambda: task.cancel())

    async def main() -> None:
        await interrupted

    task = asyncio.create_task(main())
    await asyncio.wait([task])
    with suppress(Enough):
        if not task.cancelled():
            await task
            assert not interrupted.reached, "the cancellation was swallowed"
    return interrupted.reached


async def cancelled_from_outside(run: Run, at: int) -> bool:
    """Cancel the scope at the n-th turn of the event loop, wherever its tasks are."""
    ended = False

    async def child() -> None:
        nonlocal ended
        await uncancelled(run)
        ended = True

    async with create_task_group() as group:
        group.start_soon(child)
        for _turn in range(at):
            await checkpoint()
        if ended or at == LAST_TURN:
            return False
        group.cancel_scope.cancel()
    return True


WAYS: dict[str, Cancelled] = {
    "from within": cancelled_from_within,
    "by asyncio": cancelled_by_asyncio,
    "from outside": cancelled_from_outside,
}


@pytest.fixture(params=WAYS)
def cancelled(request: pytest.FixtureRequest, anyio_backend: tuple[str, Any]) -> Cancelled:
    """Run something and cancel it at its n-th checkpoint."""
    if request.param == "by asyncio" and anyio_backend[0] != "asyncio":
        pytest.skip("a task of asyncio")
    return WAYS[request.param]


def name_of(value: object) -> str | None:
    return value.name if isinstance(value, Operator) else None


OFTEN = range(400)
"""More checkpoints than any run here has."""


@pytest.mark.parametrize("operator", OPERATORS, ids=name_of)
async def test_a_cold_flow_cleans_up_wherever_it_is_cancelled(operator: Operator, cancelled: Cancelled) -> None:
    through = operator.through(slowly if operator.waits else plainly)
    for at in OFTEN:
        source = Upstream(2, in_a_group=True, paced=0)
        collect = partial(through(source.emitted()).collect, source.see)
        async with nothing_left_running():
            interrupted = await cancelled(collect, at)
        assert source.is_closed
        assert source.seen in ([], [1], [2], [1, 2])
        if not interrupted:
            return
    pytest.fail("this never ends")


@pytest.mark.parametrize("operator", OPERATORS[::4], ids=name_of)
async def test_an_open_flow_cleans_up_wherever_it_is_cancelled(operator: Operator, cancelled: Cancelled) -> None:
    for at in OFTEN:
        source = Upstream(2, in_a_group=True, paced=0)

        async def iterate(source: Upstream = source) -> None:
            async with operator.through()(source.emitted()).open() as items:
                async for value in items:
                    await source.see_slowly(value)

        async with nothing_left_running():
            interrupted = await cancelled(iterate, at)
        assert source.is_closed
        assert source.seen in ([], [1], [2], [1, 2])
        if not interrupted:
            return
    pytest.fail("this never ends")


HOT: dict[str, Through] = {
    "stage": lambda flow: flow.map(slowly(lambda value: value)),
    "two stages": lambda flow: flow.on_each(slowly(lambda _value: None)).filter(slowly(lambda _value: True)),
    "buffer": lambda flow: flow.buffer(2),
    "full buffer": lambda flow: flow.buffer(1).on_each(slowly(lambda _value: None)),
    "buffer below a stage that turns out asynchronous": lambda flow: flow.map(lambda v: slowly(plainly)(v)).buffer(2),
    "drop oldest": lambda flow: flow.buffer(1, on_buffer_overflow=BufferOverflow.DROP_OLDEST),
    "conflate": lambda flow: flow.conflate().on_each(slowly(lambda _value: None)),
    "buffer of a child": lambda flow: flow.on_start(lambda _emit: None).buffer(2),
    "take": lambda flow: flow.take(3),
    "catch": lambda flow: flow.catch().map(slowly(lambda value: value)),
    "merge": lambda flow: merge(flow, flow.filter(lambda _value: False)),
    "flat_map_latest": lambda flow: flow.flat_map_latest(slowly(flow_of)),
    "map_concurrent": lambda flow: flow.map_concurrent(slowly(lambda value: value), limit=2),
    "combine": lambda flow: combine(flow, flow_of(0), lambda value, _zero: value),
    "zip_with": lambda flow: flow.zip_with(FOREVER, slowly(lambda value, _index: value)),
}


@pytest.mark.parametrize("through", HOT.values(), ids=HOT.keys())
async def test_a_subscription_ends_wherever_it_is_cancelled_and_its_emitter_goes_on(
    through: Through, cancelled: Cancelled
) -> None:
    for at in OFTEN:
        room = Room()
        async with nothing_left_running(), coroutine_scope() as scope:
            emitter = scope.launch(room.emit_values)
            interrupted = await cancelled(partial(room.collect, through), at)
            await settled()
            assert not room.emitting
            assert room.shared.subscription_count.value == 0
            emitter.cancel()
        assert room.seen == sorted(set(room.seen))
        if not interrupted:
            return
    pytest.fail("this never ends")


@pytest.mark.parametrize("through", HOT.values(), ids=HOT.keys())
async def test_a_room_goes_on_wherever_its_emitter_is_cancelled(through: Through, cancelled: Cancelled) -> None:
    """Its collectors see what it emitted, in order, and then what others do."""
    for at in OFTEN:
        room = Room()
        async with nothing_left_running(), coroutine_scope() as scope:
            collector = scope.launch(uncancelled, partial(room.collect, through))
            interrupted = await cancelled(room.emit_values, at)
            await settled()
            if not collector.is_completed:
                await room.shared.emit(Room.LAST)
                await collector
        assert room.seen == sorted(set(room.seen))
        if not interrupted:
            return
    pytest.fail("this never ends")


async def uncancelled(run: Run) -> None:
    with suppress(Enough):
        await run()


class Room:
    """A shared flow with a slow collector and an emitter."""

    LAST = 4

    def __init__(self) -> None:
        self.shared = MutableSharedFlow[int](extra_buffer_capacity=1)
        self.seen: list[int] = []
        self.emitting = False

    async def collect(self, through: Through) -> None:
        """Collect up to the last value, which no policy drops."""

        async def handle(value: int) -> None:
            await checkpoint()
            self.seen.append(value)
            if value == self.LAST:
                raise Enough

        await through(self.shared).collect(handle)

    async def emit_values(self) -> None:
        """Emit once there is a collector."""
        await self.shared.subscription_count.first(lambda count: count > 0)
        self.emitting = True
        for value in range(1, self.LAST + 1):
            await self.shared.emit(value)
        self.emitting = False
