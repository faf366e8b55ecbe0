"""A hot flow: one value to many idle subscribers."""

from __future__ import annotations

import gc
import math
from asyncio import Queue, create_task, gather, sleep
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from anyio import create_memory_object_stream

from benchmarks import channels
from benchmarks.measuring import HAND_WRITTEN, OURS, Clock, Contender, Gate, Table, expect, measure_rounds, present, run
from flowsock import MutableSharedFlow, coroutine_scope

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from anyio.streams.memory import MemoryObjectReceiveStream

    from benchmarks.measuring import Effort

    Emit = Callable[[int], Awaitable[object]]
    FanOut = Callable[[int, "Tally"], AbstractAsyncContextManager[Emit]]

SIZES: Final = (100, 10_000, 100_000)

_CALLS: Final = 100_000
_FEWEST_EMITS: Final = 3
_AIM: Final = 250.0
_PIVOT: Final = 10_000
_AT: Final = " at "
_PIVOT_ROW: Final = "flowsock at 10,000"
_TURNS: Final = 10
_SLACK: Final = 0.35

_NOTES: Final = (
    "From the emit until all subscribers' callbacks ran, per subscriber; the callback, a Python method that counts, included.",
    "flowsock, aioreactive and the loop call it in the emitter's task; with queues and streams each subscriber is a task that",
    "waits and is woken. Processor time; every call is counted; the garbage collector is on while emitting.",
)


class Tally:
    """Count calls."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def see(self, _value: int) -> None:
        """Count a call."""
        self.count += 1

    async def reach(self, count: int) -> None:
        """Give the tasks turns until so many calls were made; few are needed."""
        for _ in range(_TURNS):
            if self.count >= count:
                return
            await sleep(0)


@asynccontextmanager
async def loop(size: int, tally: Tally) -> AsyncIterator[Emit]:
    """Call the callbacks in a loop."""
    callbacks = [tally.see] * size

    async def emit(value: int) -> None:
        for callback in callbacks:
            callback(value)

    yield emit


@asynccontextmanager
async def shared_flow(size: int, tally: Tally) -> AsyncIterator[Emit]:
    """Launch collectors of a shared flow, and wait until all of them are idle."""
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    async with coroutine_scope() as scope:
        for _ in range(size):
            shared.on_each(tally.see).launch_in(scope)
        await shared.subscription_count.first(size.__eq__)
        await _turns()
        yield shared.emit
        scope.cancel()


@asynccontextmanager
async def queues(size: int, tally: Tally) -> AsyncIterator[Emit]:
    """Give every subscriber a task and an ``asyncio.Queue``."""
    mine: list[Queue[int]] = [Queue() for _ in range(size)]

    async def receive(queue: Queue[int]) -> None:
        while True:
            tally.see(await queue.get())

    async def emit(value: int) -> None:
        target = tally.count + size
        for queue in mine:
            queue.put_nowait(value)
        await tally.reach(target)

    async with _running([create_task(receive(queue)) for queue in mine]):
        yield emit


@asynccontextmanager
async def streams(size: int, tally: Tally) -> AsyncIterator[Emit]:
    """Give every subscriber a task and an anyio memory object stream."""
    pairs = [create_memory_object_stream[int](math.inf) for _ in range(size)]

    async def receive(stream: MemoryObjectReceiveStream[int]) -> None:
        async for value in stream:
            tally.see(value)

    async def emit(value: int) -> None:
        target = tally.count + size
        for sender, _ in pairs:
            sender.send_nowait(value)
        await tally.reach(target)

    async with _running([create_task(receive(receiver)) for _, receiver in pairs]):
        yield emit
    for sender, receiver in pairs:
        sender.close()
        receiver.close()


@asynccontextmanager
async def subject(size: int, tally: Tally) -> AsyncIterator[Emit]:
    """Subscribe observers to an aioreactive subject."""
    from aioreactive import AsyncSubject

    async def send(value: int) -> None:
        tally.see(value)

    hub: AsyncSubject[int] = AsyncSubject()
    for _ in range(size):
        await hub.subscribe_async(send)
    yield hub.asend


@asynccontextmanager
async def _running(tasks: Sequence[Task[None]]) -> AsyncIterator[None]:
    await _turns()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await gather(*tasks, return_exceptions=True)


async def _turns() -> None:
    """Let tasks that were just made reach their first wait."""
    for _ in range(_TURNS):
        await sleep(0)


def measure(effort: Effort, sizes: Sequence[int] = SIZES) -> list[Table]:
    """Measure fan-out at all numbers of subscribers in the same rounds, and the channels."""
    contenders = {size: present(_contenders(effort, size)) for size in sizes}
    rows = measure_rounds([each for group, _ in contenders.values() for each in group], effort.rounds)
    tables = []
    for size, (group, missing) in contenders.items():
        mine = {each.name.partition(_AT)[0]: rows[each.name] for each in group}
        pivot = rows.get(f"{OURS}{_AT}{_PIVOT:,}") if size != _PIVOT else None
        tables.append(_table(effort, size, mine, pivot, missing))
    return [*tables, *channels.measure(effort)]


def _table(
    effort: Effort, size: int, rows: dict[str, list[float]], pivot: list[float] | None, missing: tuple[str, ...]
) -> Table:
    gates: tuple[Gate, ...] = (Gate(OURS, most=_AIM),) if size == _PIVOT else ()
    if pivot is not None:
        rows[_PIVOT_ROW] = pivot
        gates = (Gate(OURS, _PIVOT_ROW, least=1 - _SLACK, most=1 + _SLACK),)
    title = f"hot flow, one emit to {size:,} idle subscribers ({_emits(effort, size)} emits a round)"
    return Table(title, "ns per subscriber", HAND_WRITTEN, rows, gates, missing, _NOTES)


def _contenders(effort: Effort, size: int) -> list[Contender]:
    emits = _emits(effort, size)
    return [
        _contender(HAND_WRITTEN, loop, size, emits),
        _contender(OURS, shared_flow, size, emits),
        _contender("aioreactive subject", subject, size, emits, "aioreactive"),
        _contender("asyncio.Queue each", queues, size, emits),
        _contender("anyio stream each", streams, size, emits),
    ]


def _emits(effort: Effort, size: int) -> int:
    return max(_FEWEST_EMITS, effort.scaled(_CALLS) // size)


def _contender(name: str, fan_out: FanOut, size: int, emits: int, *needs: str) -> Contender:
    async def block() -> float:
        tally = Tally()
        async with _without_collector(fan_out(size, tally)) as emit:
            await emit(-1)
            expect(tally.count, size, name)
            gc.enable()
            clock = Clock()
            for value in range(emits):
                await emit(value)
            time = clock.per(size * emits)
            gc.disable()
        expect(tally.count, size * (emits + 1), name)
        return time

    return Contender(f"{name}{_AT}{size:,}", lambda: run(block), needs)


@asynccontextmanager
async def _without_collector(fan_out: AbstractAsyncContextManager[Emit]) -> AsyncIterator[Emit]:
    """Set up and tear down without garbage collection, which would take most of the time of a big crowd."""
    gc.disable()
    try:
        async with fan_out as emit:
            yield emit
    finally:
        gc.enable()
