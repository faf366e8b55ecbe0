"""Bursts of operations on two channels, between which no task has a turn: whatever the schedule, the laws hold.

The models beside this file say what happens when everybody is at rest between two operations. Here nobody is, so what
happens depends on the event loop, and what is checked is what every schedule owes: each value is delivered, reported as
undelivered or refused exactly once, first come is first served, and nobody sleeps who could go on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsock import (
    BUFFERED,
    CONFLATED,
    UNLIMITED,
    BufferOverflow,
    Channel,
    ChannelClosed,
    WouldBlock,
    on_timeout,
    select,
)
from flowsock.testing.clock import virtual_time
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from anyio.abc import TaskGroup

    from flowsock.clause import Clause

Operation: TypeAlias = tuple[str, Any]
Side: TypeAlias = tuple[str, int]
SUSPEND = BufferOverflow.SUSPEND
NEVER = 10**6


@define
class Traffic:
    """What became of the values of one channel; a value is the number of its send."""

    channel: Channel[int] = field(init=False)
    capacity: int
    policy: BufferOverflow
    offered: list[int] = field(factory=list[int])
    received: list[tuple[int, int]] = field(factory=list[tuple[int, int]])
    lost: list[int] = field(factory=list[int])
    refused: list[int] = field(factory=list[int])

    def __attrs_post_init__(self) -> None:
        self.channel = Channel(self.capacity, on_buffer_overflow=self.policy, on_undelivered=self.lost.append)

    def check_at_rest(self) -> None:
        """Nobody waits who could go on, and first come was first served."""
        statistics = self.channel.statistics()
        assert not (statistics.waiting_receivers and (statistics.size or statistics.waiting_senders))
        assert not (statistics.waiting_receivers and self.channel.is_closed_for_send)
        if statistics.waiting_senders:
            assert statistics.size == self.capacity if self.capacity >= 0 else statistics.size == 64
        values = [value for _call, value in sorted(self.received)]
        assert values == sorted(values)

    def check_accounts(self) -> None:
        """Each value has met exactly one end."""
        ends = Counter([*(value for _call, value in self.received), *self.lost, *self.refused])
        assert ends == Counter(self.offered)


class Driver:
    """Run operations on two channels; each one that may wait has a task of its own."""

    def __init__(self, traffic: tuple[Traffic, Traffic], tasks: TaskGroup) -> None:
        self._traffic = traffic
        self._tasks = tasks
        self._calls = count()
        self._cancels: list[Callable[[], object]] = []
        self._native: list[asyncio.Task[None]] = []

    def run(self, operation: Operation) -> None:
        name, argument = operation
        getattr(self, name)(argument)

    # Operations

    def send(self, which: int) -> None:
        self._start(self._send, self._traffic[which])

    def receive(self, which: int) -> None:
        self._start(self._receive, self._traffic[which])

    def select(self, sides: list[Side]) -> None:
        self._start(self._select, sides)

    def send_nowait(self, which: int) -> None:
        traffic = self._traffic[which]
        value = self._offer(traffic)
        try:
            traffic.channel.send_nowait(value)
        except (WouldBlock, ChannelClosed):
            traffic.refused.append(value)

    def receive_nowait(self, which: int) -> None:
        traffic = self._traffic[which]
        with suppress(WouldBlock, ChannelClosed):
            traffic.received.append((next(self._calls), traffic.channel.receive_nowait()))

    def interrupt(self, number: int) -> None:
        if self._cancels:
            self._cancels[number % len(self._cancels)]()

    def close(self, which: int) -> None:
        self._traffic[which].channel.close()

    def cancel(self, which: int) -> None:
        self._traffic[which].channel.cancel()

    # Tasks

    def _start(self, function: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        scope = anyio.CancelScope()

        async def run() -> None:
            with scope, suppress(ChannelClosed):
                await function(*arguments)

        self._cancels.append(scope.cancel)
        self._tasks.start_soon(run)

    def _offer(self, traffic: Traffic) -> int:
        value = next(self._calls)
        traffic.offered.append(value)
        return value

    async def _send(self, traffic: Traffic) -> None:
        await traffic.channel.send(self._offer(traffic))

    async def _receive(self, traffic: Traffic) -> None:
        call = next(self._calls)
        traffic.received.append((call, await traffic.channel.receive()))

    async def _select(self, sides: list[Side]) -> None:
        call = next(self._calls)
        await select(*(self._clause(call, side) for side in sides), on_timeout(NEVER))

    def _clause(self, call: int, side: Side) -> Clause[Any]:
        kind, which = side
        traffic = self._traffic[which]
        if kind == "send":
            return traffic.channel.on_send(self._offer(traffic))
        return traffic.channel.on_receive(lambda value: traffic.received.append((call, value)))


class NativeDriver(Driver):
    """The same with tasks of asyncio's own, cancelled by asyncio."""

    def _start(self, function: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        async def run() -> None:
            with suppress(ChannelClosed):
                await function(*arguments)

        task = asyncio.create_task(run())
        self._native.append(task)
        self._cancels.append(task.cancel)


async def play(kind: type[Driver], shapes: list[tuple[int, BufferOverflow]], bursts: list[list[Operation]]) -> None:
    traffic = Traffic(*shapes[0]), Traffic(*shapes[1])
    async with anyio.create_task_group() as tasks:
        driver = kind(traffic, tasks)
        for burst in bursts:
            for operation in burst:
                driver.run(operation)
            await settled()
            for each in traffic:
                each.check_at_rest()
        for each in traffic:
            each.channel.cancel()
        await settled()
        tasks.cancel_scope.cancel()
    for each in traffic:
        each.check_accounts()


def is_possible(sides: list[Side]) -> bool:
    return not any(("send", which) in sides and ("receive", which) in sides for which in range(2))


which = st.integers(0, 1)
side = st.tuples(st.sampled_from(["send", "receive"]), which)
usual = st.one_of(
    st.tuples(st.sampled_from(["send", "receive"]), which),
    st.tuples(st.sampled_from(["send", "send", "send_nowait", "receive_nowait"]), which),
    st.tuples(st.just("select"), st.lists(side, min_size=1, max_size=3).filter(is_possible)),
    st.tuples(st.just("interrupt"), st.integers(0, 30)),
)
ending = st.tuples(st.sampled_from(["close", "cancel"]), which)
bursts = st.lists(st.lists(st.one_of(usual, usual, usual, usual, st.one_of(usual, ending)), max_size=12), max_size=6)
shape = st.one_of(
    st.tuples(st.sampled_from([0, 1, 2]), st.just(SUSPEND)),
    st.tuples(st.sampled_from([0, 1, 2, BUFFERED, UNLIMITED]), st.sampled_from(BufferOverflow)),
    st.just((CONFLATED, SUSPEND)),
)


@pytest.mark.parametrize(("backend", "kind"), [("asyncio", Driver), ("asyncio", NativeDriver), ("trio", Driver)])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(shapes=st.lists(shape, min_size=2, max_size=2), bursts=bursts)
def test_every_value_meets_exactly_one_end_whatever_the_schedule(
    backend: str, kind: type[Driver], shapes: list[tuple[int, BufferOverflow]], bursts: list[list[Operation]]
) -> None:
    name, options = virtual_time(backend)
    anyio.run(play, kind, shapes, bursts, backend=name, backend_options=dict(options))
