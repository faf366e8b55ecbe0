"""A cold flow: a source, two maps, a filter and a sum."""

from __future__ import annotations

from asyncio import get_running_loop
from typing import TYPE_CHECKING, Any, Final, cast

from benchmarks.measuring import HAND_WRITTEN, OURS, Clock, Contender, Gate, Table, expect, measure_rounds, present, run
from flowsock import as_flow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from benchmarks.measuring import Effort

    Pipeline = Callable[[int], Awaitable[int]]

_ELEMENTS: Final = 200_000
_AIOREACTIVE: Final = "aioreactive"
_REACTIVEX: Final = "reactivex"
_AIOSTREAM: Final = "aiostream"

_GATES: Final = (
    Gate(OURS, HAND_WRITTEN, most=2.0),
    Gate(OURS, _AIOREACTIVE, least=4, faster=True),
    Gate(OURS, _AIOSTREAM, least=20, faster=True),
)
_NOTES: Final = (
    "range(n) → map → map → filter (keeps half) → sum; all but the inlined loop call the same three Python functions.",
    "flowsock, aioreactive and reactivex sum in a callback, the others in the loop; processor time; sums checked.",
)


def triple(value: int) -> int:
    """Multiply by three: the first map."""
    return value * 3


def successor(value: int) -> int:
    """Add one: the second map."""
    return value + 1


def is_even(value: int) -> bool:
    """Keep every other value: the filter."""
    return value & 1 == 0


class Sum:
    """Add up what it is called with."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0

    def add(self, value: int) -> None:
        """Add a value."""
        self.total += value


async def inlined_loop(count: int) -> int:
    """Sum without calling anything."""
    total = 0
    for value in range(count):
        result = value * 3 + 1
        if result & 1 == 0:
            total += result
    return total


async def loop(count: int) -> int:
    """Sum in a loop that calls the three functions."""
    total = 0
    for value in range(count):
        result = successor(triple(value))
        if is_even(result):
            total += result
    return total


async def collected_flow(count: int) -> int:
    """Sum by a callback at the end of a flow."""
    total = Sum()
    await as_flow(range(count)).map(triple).map(successor).filter(is_even).collect(total.add)
    return total.total


async def iterated_flow(count: int) -> int:
    """Sum by ``async for`` over a flow."""
    total = 0
    async for value in as_flow(range(count)).map(triple).map(successor).filter(is_even):
        total += value
    return total


async def chained_generators(count: int) -> int:
    """Sum by ``async for`` over a chain of async generators."""
    total = 0
    async for value in _kept(is_even, _mapped(successor, _mapped(triple, _values(range(count))))):
        total += value
    return total


async def _values(values: Iterable[int]) -> AsyncIterator[int]:
    for value in values:
        yield value


async def _mapped(function: Callable[[int], int], values: AsyncIterator[int]) -> AsyncIterator[int]:
    async for value in values:
        yield function(value)


async def _kept(predicate: Callable[[int], bool], values: AsyncIterator[int]) -> AsyncIterator[int]:
    async for value in values:
        if predicate(value):
            yield value


async def aioreactive_chain(count: int) -> int:
    """Sum by an observer of an aioreactive chain."""
    from aioreactive import AsyncRx

    total = Sum()
    done = get_running_loop().create_future()

    async def send(value: int) -> None:
        total.add(value)

    async def throw(error: Exception) -> None:
        done.set_exception(error)

    async def close() -> None:
        done.set_result(None)

    chain: Any = AsyncRx.from_iterable(range(count)).map(triple).map(successor).filter(is_even)
    async with await chain.subscribe_async(send, throw, close):
        await done
    return total.total


async def reactivex_chain(count: int) -> int:
    """Sum by an observer of a reactivex chain, which is synchronous: it awaits nothing, and cannot."""
    import reactivex
    from reactivex import operators

    total = Sum()
    chain = operators.map(triple), operators.map(successor), operators.filter(is_even)
    reactivex.from_iterable(range(count)).pipe(*chain).subscribe(total.add)
    return total.total


async def aiostream_pipe(count: int) -> int:
    """Sum by ``async for`` over an aiostream pipe."""
    from aiostream import pipe, stream

    total = 0
    chain: Any = stream.iterate(range(count))
    chain = chain | pipe.map(cast("Any", triple)) | pipe.map(cast("Any", successor)) | pipe.filter(is_even)
    async with chain.stream() as values:
        async for value in values:
            total += value
    return total


def measure(effort: Effort) -> list[Table]:
    """Measure all pipelines over the same elements."""
    count = effort.scaled(_ELEMENTS)
    contenders, missing = present(
        [
            _contender("the same, inlined", inlined_loop, count),
            _contender(HAND_WRITTEN, loop, count),
            _contender(OURS, collected_flow, count),
            _contender("flowsock, async for", iterated_flow, count),
            _contender("async generators", chained_generators, count),
            _contender(_AIOREACTIVE, aioreactive_chain, count, "aioreactive"),
            _contender(_REACTIVEX, reactivex_chain, count, "reactivex"),
            _contender(_AIOSTREAM, aiostream_pipe, count, "aiostream"),
        ]
    )
    rows = measure_rounds(contenders, effort.rounds)
    return [Table(f"cold flow, {count:,} elements", "ns per element", HAND_WRITTEN, rows, _GATES, missing, _NOTES)]


def _contender(name: str, pipeline: Pipeline, count: int, *needs: str) -> Contender:
    async def block() -> float:
        await pipeline(count // 10)
        clock = Clock()
        total = await pipeline(count)
        time = clock.per(count)
        expect(total, _expected(count), name)
        return time

    return Contender(name, lambda: run(block), needs)


def _expected(count: int) -> int:
    return sum(value * 3 + 1 for value in range(1, count, 2))
