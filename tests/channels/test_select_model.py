"""Random operations and selects on two channels, against a model small enough to be seen to be right."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsock import Channel, ChannelClosed, on_timeout, select
from flowsock.testing.clock import virtual_time
from tests.turns import settled

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from flowsock.clause import Clause

Side: TypeAlias = tuple[str, int]
Place: TypeAlias = tuple[int, int]
SEND, RECEIVE = "send", "receive"
SENT, CLOSED, CANCELLED, DEFAULT = "sent", "closed", "cancelled", "default"


class ModelChannel:
    """A buffer of values and two queues; a place in a queue is the number of a select and the index of its clause."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.buffer: deque[int] = deque()
        self.queues: dict[str, deque[Place]] = {SEND: deque(), RECEIVE: deque()}
        self.closed = False


class Model:
    """Selects in which every operation is one step; a single send or receive is a select of one clause."""

    def __init__(self, capacities: tuple[int, int]) -> None:
        self.channels = [ModelChannel(capacity) for capacity in capacities]
        self.lost: list[tuple[int, int]] = []
        self.outcomes: dict[int, object] = {}
        self.waiting: dict[int, list[Side]] = {}

    def select(self, number: int, sides: list[Side], default: bool) -> None:
        for index, (kind, which) in enumerate(sides):
            outcome = self._try(number, kind, self.channels[which])
            if outcome is not None:
                won = (kind, outcome) != (SEND, CLOSED)
                self._lose(number, [side for each, side in enumerate(sides) if each != index or not won])
                self.outcomes[number] = CLOSED if outcome is CLOSED else (index, outcome)
                return
        if default:
            self._lose(number, sides)
            self.outcomes[number] = DEFAULT
            return
        self.waiting[number] = sides
        for index, (kind, which) in enumerate(sides):
            self.channels[which].queues[kind].append((number, index))

    def _try(self, number: int, kind: str, channel: ModelChannel) -> object:
        if kind == RECEIVE:
            return self._receive(channel)
        if channel.closed:
            return CLOSED
        if channel.queues[RECEIVE]:
            self._win(channel.queues[RECEIVE][0], number)
        elif len(channel.buffer) < channel.capacity:
            channel.buffer.append(number)
        else:
            return None
        return SENT

    def _receive(self, channel: ModelChannel) -> object:
        if channel.queues[SEND]:
            place = channel.queues[SEND][0]
            channel.buffer.append(place[0])
            self._win(place, SENT)
        if channel.buffer:
            return channel.buffer.popleft()
        return CLOSED if channel.closed else None

    def _win(self, place: Place, outcome: object) -> None:
        number, index = place
        sides = self._withdraw(number)
        self._lose(number, [side for each, side in enumerate(sides) if each != index])
        self.outcomes[number] = CLOSED if outcome is CLOSED else (index, outcome)

    def _withdraw(self, number: int) -> list[Side]:
        for channel in self.channels:
            for kind, queue in channel.queues.items():
                channel.queues[kind] = deque(place for place in queue if place[0] != number)
        return self.waiting.pop(number)

    def _lose(self, number: int, sides: list[Side]) -> None:
        self.lost.extend((which, number) for kind, which in sides if kind == SEND)

    def close(self, which: int) -> None:
        channel = self.channels[which]
        channel.closed = True
        while channel.queues[RECEIVE]:
            self._win(channel.queues[RECEIVE][0], CLOSED)

    def cancel(self, which: int) -> None:
        self.close(which)
        channel = self.channels[which]
        self.lost.extend((which, value) for value in channel.buffer)
        channel.buffer.clear()
        while channel.queues[SEND]:
            place = channel.queues[SEND][0]
            self.lost.append((which, place[0]))
            self._win(place, CLOSED)

    def interrupt(self, victim: int) -> None:
        if victim in self.waiting:
            self._lose(victim, self._withdraw(victim))
            self.outcomes[victim] = CANCELLED


class Driver:
    """The same operations on real channels; each select has a task of its own."""

    def __init__(self, capacities: tuple[int, int], tasks: TaskGroup) -> None:
        self.lost: list[tuple[int, int]] = []
        self.outcomes: dict[int, object] = {}
        self.channels = [self._channel(which, capacity) for which, capacity in enumerate(capacities)]
        self._tasks = tasks
        self._scopes: dict[int, anyio.CancelScope] = {}

    def _channel(self, which: int, capacity: int) -> Channel[int]:
        return Channel(capacity, on_undelivered=lambda value: self.lost.append((which, value)))

    def select(self, number: int, sides: list[Side], default: bool) -> None:
        self._tasks.start_soon(self._select, number, sides, default)

    async def _select(self, number: int, sides: list[Side], default: bool) -> None:
        with anyio.CancelScope() as scope:
            self._scopes[number] = scope
            try:
                self.outcomes[number] = await self._decide(number, sides, default)
            except ChannelClosed:
                self.outcomes[number] = CLOSED
        if scope.cancelled_caught:
            self.outcomes[number] = CANCELLED

    async def _decide(self, number: int, sides: list[Side], default: bool) -> object:
        if len(sides) == 1 and not default:
            [(kind, which)] = sides
            if kind == RECEIVE:
                return 0, await self.channels[which].receive()
            await self.channels[which].send(number)
            return 0, SENT
        clauses = [self._clause(number, index, side) for index, side in enumerate(sides)]
        return await select(*clauses, on_timeout(0 if default else 10**6, lambda: DEFAULT))

    def _clause(self, number: int, index: int, side: Side) -> Clause[Any]:
        kind, which = side
        if kind == RECEIVE:
            return self.channels[which].on_receive(lambda value: (index, value))
        return self.channels[which].on_send(number, lambda: (index, SENT))

    def close(self, which: int) -> None:
        self.channels[which].close()

    def cancel(self, which: int) -> None:
        self.channels[which].cancel()

    def interrupt(self, victim: int) -> None:
        if victim in self._scopes:
            self._scopes[victim].cancel()


async def replay(capacities: tuple[int, int], operations: list[tuple[str, Any]]) -> None:
    model = Model(capacities)
    async with anyio.create_task_group() as tasks:
        real = Driver(capacities, tasks)
        for number, (name, argument) in enumerate(operations):
            arguments = (number, *argument) if name == "select" else (argument,)
            getattr(model, name)(*arguments)
            getattr(real, name)(*arguments)
            await settled()
            assert real.outcomes == model.outcomes
            assert sorted(real.lost) == sorted(model.lost)
            for channel, expected in zip(real.channels, model.channels, strict=True):
                statistics = channel.statistics()
                assert statistics.size == len(expected.buffer)
                assert statistics.waiting_senders == len(expected.queues[SEND])
                assert statistics.waiting_receivers == len(expected.queues[RECEIVE])
        for channel in real.channels:
            channel.cancel()


def is_possible(sides: list[Side]) -> bool:
    return not any((SEND, which) in sides and (RECEIVE, which) in sides for which in range(2))


side = st.tuples(st.sampled_from([SEND, RECEIVE]), st.integers(0, 1))
one = st.tuples(st.just("select"), st.tuples(side.map(lambda each: [each]), st.just(False)))
many = st.tuples(st.just("select"), st.tuples(st.lists(side, min_size=2, max_size=4).filter(is_possible), st.booleans()))
interrupt = st.tuples(st.just("interrupt"), st.integers(0, 15))
end = st.tuples(st.sampled_from(["close", "cancel"]), st.integers(0, 1))
usual = st.one_of(one, many, many, interrupt)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    capacities=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    operations=st.lists(st.one_of(usual, usual, usual, st.one_of(usual, end)), max_size=25),
)
def test_selects_do_what_the_model_does(backend: str, capacities: tuple[int, int], operations: list[tuple[str, Any]]) -> None:
    name, options = virtual_time(backend)
    anyio.run(replay, capacities, operations, backend=name, backend_options=dict(options))
