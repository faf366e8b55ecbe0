"""Channels: send and receive through a buffer."""

from __future__ import annotations

from asyncio import Queue, gather
from typing import TYPE_CHECKING, Any, Final

from anyio import create_memory_object_stream
from attrs import frozen

from benchmarks.measuring import OURS, Clock, Contender, Gate, Table, expect, measure_rounds, run
from flowsock import Channel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.measuring import Effort

    Passing = Callable[["Pipe", int], Awaitable[int]]

_VALUES: Final = 50_000
_CAPACITY: Final = 64
_ANYIO: Final = "anyio memory object stream"
_GATES: Final = (Gate(OURS, _ANYIO, most=0.25),)
_NOTES: Final = ("One send and one receive; processor time; the values are summed up and checked.",)


@frozen
class Pipe:
    """Name the four functions of a channel, whoever made it."""

    send: Callable[[int], Awaitable[object]]
    receive: Callable[[], Awaitable[int]]
    send_nowait: Callable[[int], object]
    receive_nowait: Callable[[], int]
    close: Callable[[], object]


def our_pipe() -> Pipe:
    """Make a channel of ours."""
    channel: Channel[int] = Channel(_CAPACITY)
    return Pipe(channel.send, channel.receive, channel.send_nowait, channel.receive_nowait, channel.close)


def queue_pipe() -> Pipe:
    """Make an ``asyncio.Queue``."""
    queue: Queue[int] = Queue(_CAPACITY)
    return Pipe(queue.put, queue.get, queue.put_nowait, queue.get_nowait, lambda: None)


def anyio_pipe() -> Pipe:
    """Make a memory object stream."""
    sender, receiver = create_memory_object_stream[int](_CAPACITY)

    def close() -> None:
        sender.close()
        receiver.close()

    return Pipe(sender.send, receiver.receive, sender.send_nowait, receiver.receive_nowait, close)


async def two_tasks(pipe: Pipe, count: int) -> int:
    """Send in one task, receive in another."""

    async def send() -> None:
        for value in range(count):
            await pipe.send(value)

    async def receive() -> int:
        total = 0
        for _ in range(count):
            total += await pipe.receive()
        return total

    _, total = await gather(send(), receive())
    return total


async def one_task(pipe: Pipe, count: int) -> int:
    """Fill the buffer and empty it, by turns."""
    total = 0
    for first in range(0, count, _CAPACITY):
        batch = range(first, min(first + _CAPACITY, count))
        for value in batch:
            await pipe.send(value)
        for _ in batch:
            total += await pipe.receive()
    return total


async def without_waiting(pipe: Pipe, count: int) -> int:
    """Fill the buffer and empty it, by turns, by the functions that never wait."""
    total = 0
    for first in range(0, count, _CAPACITY):
        batch = range(first, min(first + _CAPACITY, count))
        for value in batch:
            pipe.send_nowait(value)
        for _ in batch:
            total += pipe.receive_nowait()
    return total


def measure(effort: Effort) -> list[Table]:
    """Measure the three ways to pass values through a buffer."""
    return [
        _measure_passing(effort, "two tasks", two_tasks, _GATES),
        _measure_passing(effort, "one task, which awaits both", one_task, _GATES),
        _measure_passing(effort, "one task, send_nowait and receive_nowait", without_waiting, ()),
    ]


def _measure_passing(effort: Effort, title: str, passing: Passing, gates: tuple[Gate, ...]) -> Table:
    count = effort.scaled(_VALUES)
    contenders = [
        _contender(OURS, our_pipe, passing, count),
        _contender("asyncio.Queue", queue_pipe, passing, count),
        _contender(_ANYIO, anyio_pipe, passing, count),
    ]
    rows = measure_rounds(contenders, effort.rounds)
    title = f"channel of {_CAPACITY}, {title} ({count:,} values a round)"
    return Table(title, "ns per value", _ANYIO, rows, gates, notes=_NOTES)


def _contender(name: str, make: Callable[[], Pipe], passing: Callable[[Pipe, int], Any], count: int) -> Contender:
    async def block() -> float:
        pipe = make()
        await passing(pipe, count // 10)
        clock = Clock()
        total = await passing(pipe, count)
        time = clock.per(count)
        pipe.close()
        expect(total, count * (count - 1) // 2, name)
        return time

    return Contender(name, lambda: run(block))
