"""Random operations on a channel, against a model small enough to be seen to be right."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsock import BUFFERED, CONFLATED, UNLIMITED, BufferOverflow, Channel, ChannelClosed, WouldBlock
from flowsock.testing.clock import virtual_time
from tests.turns import settled

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

Operation: TypeAlias = tuple[str, int]
SENT, CLOSED, BLOCKED, CANCELLED = "sent", "closed", "blocked", "cancelled"


class Model:
    """A channel in which every operation is one step, and outcomes are looked up by the operation's number."""

    def __init__(self, capacity: int, policy: BufferOverflow) -> None:
        dropping = policy is not BufferOverflow.SUSPEND
        named = {CONFLATED: 1, BUFFERED: 1 if dropping else 64}
        self.capacity = named.get(capacity, max(capacity, 1) if dropping else capacity)
        self.policy = BufferOverflow.DROP_OLDEST if capacity == CONFLATED else policy
        self.buffer: deque[int] = deque()
        self.senders: deque[int] = deque()
        self.receivers: deque[int] = deque()
        self.closed = False
        self.lost: list[int] = []
        self.outcomes: dict[int, object] = {}

    def send(self, number: int) -> None:
        if self.closed:
            self.outcomes[number] = CLOSED
            self.lost.append(number)
        elif not self._accept(number):
            self.senders.append(number)

    def send_nowait(self, number: int) -> None:
        if self.closed:
            self.outcomes[number] = CLOSED
        elif not self._accept(number):
            self.outcomes[number] = BLOCKED

    def _accept(self, number: int) -> bool:
        if self.receivers:
            self.outcomes[self.receivers.popleft()] = number
        elif len(self.buffer) < self.capacity:
            self.buffer.append(number)
        elif self.policy is BufferOverflow.DROP_OLDEST:
            self.lost.append(self.buffer.popleft())
            self.buffer.append(number)
        elif self.policy is BufferOverflow.DROP_LATEST:
            self.lost.append(number)
        else:
            return False
        self.outcomes[number] = SENT
        return True

    def receive(self, number: int) -> None:
        if not self._take(number):
            self.receivers.append(number)

    def receive_nowait(self, number: int) -> None:
        if not self._take(number):
            self.outcomes[number] = BLOCKED

    def _take(self, number: int) -> bool:
        if self.senders:
            sender = self.senders.popleft()
            self.outcomes[sender] = SENT
            self.buffer.append(sender)
        if self.buffer:
            self.outcomes[number] = self.buffer.popleft()
        elif self.closed:
            self.outcomes[number] = CLOSED
        else:
            return False
        return True

    def close(self, _number: int) -> None:
        self.closed = True
        while self.receivers:
            self.outcomes[self.receivers.popleft()] = CLOSED

    def cancel(self, number: int) -> None:
        self.close(number)
        for sender in self.senders:
            self.outcomes[sender] = CLOSED
        self.lost.extend([*self.buffer, *self.senders])
        self.buffer.clear()
        self.senders.clear()

    def interrupt(self, victim: int) -> None:
        if victim in self.senders:
            self.senders.remove(victim)
            self.lost.append(victim)
        elif victim in self.receivers:
            self.receivers.remove(victim)
        else:
            return
        self.outcomes[victim] = CANCELLED


class Driver:
    """The same operations on a real channel; each one that may wait has a task of its own."""

    def __init__(self, capacity: int, policy: BufferOverflow, tasks: TaskGroup) -> None:
        self.lost: list[int] = []
        self.outcomes: dict[int, object] = {}
        self.channel: Channel[int] = Channel(capacity, on_buffer_overflow=policy, on_undelivered=self.lost.append)
        self._tasks = tasks
        self._scopes: dict[int, anyio.CancelScope] = {}

    def send(self, number: int) -> None:
        self._tasks.start_soon(self._wait, number, self._send, number)

    def receive(self, number: int) -> None:
        self._tasks.start_soon(self._wait, number, self.channel.receive)

    async def _send(self, number: int) -> str:
        await self.channel.send(number)
        return SENT

    async def _wait(self, number: int, function: Any, *args: int) -> None:
        with anyio.CancelScope() as scope:
            self._scopes[number] = scope
            try:
                self.outcomes[number] = await function(*args)
            except ChannelClosed:
                self.outcomes[number] = CLOSED
        if scope.cancelled_caught:
            self.outcomes[number] = CANCELLED

    def send_nowait(self, number: int) -> None:
        try:
            self.channel.send_nowait(number)
        except WouldBlock:
            self.outcomes[number] = BLOCKED
        except ChannelClosed:
            self.outcomes[number] = CLOSED
        else:
            self.outcomes[number] = SENT

    def receive_nowait(self, number: int) -> None:
        try:
            self.outcomes[number] = self.channel.receive_nowait()
        except WouldBlock:
            self.outcomes[number] = BLOCKED
        except ChannelClosed:
            self.outcomes[number] = CLOSED

    def close(self, _number: int) -> None:
        self.channel.close()

    def cancel(self, _number: int) -> None:
        self.channel.cancel()

    def interrupt(self, victim: int) -> None:
        if victim in self._scopes:
            self._scopes[victim].cancel()


async def replay(capacity: int, policy: BufferOverflow, operations: list[Operation]) -> None:
    model = Model(capacity, policy)
    async with anyio.create_task_group() as tasks:
        real = Driver(capacity, policy, tasks)
        for number, (name, victim) in enumerate(operations):
            argument = victim if name == "interrupt" else number
            getattr(model, name)(argument)
            getattr(real, name)(argument)
            await settled()
            statistics = real.channel.statistics()
            assert real.outcomes == model.outcomes
            assert real.lost == model.lost
            assert statistics.size == len(model.buffer)
            assert statistics.waiting_senders == len(model.senders)
            assert statistics.waiting_receivers == len(model.receivers)
            assert real.channel.is_closed_for_receive == (model.closed and not model.buffer and not model.senders)
        real.channel.cancel()


usual = st.sampled_from(["send", "send", "send_nowait", "receive", "receive", "receive_nowait", "interrupt"])
names = st.one_of(usual, usual, usual, st.sampled_from(["close", "cancel", "send"]))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    shape=st.one_of(
        st.tuples(st.integers(0, 3), st.sampled_from(BufferOverflow)),
        st.tuples(st.sampled_from([BUFFERED, UNLIMITED]), st.sampled_from(BufferOverflow)),
        st.just((CONFLATED, BufferOverflow.SUSPEND)),
    ),
    operations=st.lists(st.tuples(names, st.integers(0, 15)), max_size=30),
)
def test_a_channel_does_what_the_model_does(
    backend: str, shape: tuple[int, BufferOverflow], operations: list[Operation]
) -> None:
    name, options = virtual_time(backend)
    anyio.run(replay, *shape, operations, backend=name, backend_options=dict(options))
