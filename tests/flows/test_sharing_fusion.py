"""A buffer right above `share_in` becomes the shared flow's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import Event

from flowsock import (
    CONFLATED,
    UNLIMITED,
    BufferOverflow,
    Channel,
    Flow,
    Producer,
    SharingStarted,
    as_flow,
    channel_flow,
    coroutine_scope,
    flow,
    merge,
)
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio

DROP_OLDEST, DROP_LATEST = BufferOverflow.DROP_OLDEST, BufferOverflow.DROP_LATEST
EAGERLY = SharingStarted.EAGERLY


async def share_behind_a_stuck_subscriber(
    fused: Callable[[Flow[int]], Flow[int]], replay: int, count: int
) -> tuple[int, list[int]]:
    """Give how many values were produced while the subscriber was stuck with its first one, and all that it saw."""
    produced: list[int] = []
    seen: list[int] = []
    gate = Event()

    @flow
    async def source() -> AsyncIterator[int]:
        await a_while()
        for value in range(count):
            produced.append(value)
            yield value

    async def hold(value: int) -> None:
        seen.append(value)
        await gate.wait()

    async with coroutine_scope() as scope:
        fused(source()).share_in(scope, started=EAGERLY, replay=replay).on_each(hold).launch_in(scope)
        await settled()
        stuck = len(produced)
        gate.set()
        await settled()
        scope.cancel()
    return stuck, seen


SUSPENDING: dict[str, tuple[Callable[[Flow[int]], Flow[int]], int, int]] = {
    "scenario share_in-15": (lambda flow: flow.buffer(0), 0, 0),
    "replay is room too": (lambda flow: flow.buffer(0), 3, 3),
    "extra room": (lambda flow: flow.buffer(5), 0, 5),
    "extra room beside the replay cache": (lambda flow: flow.buffer(5), 10, 15),
    "sizes add up": (lambda flow: flow.buffer(2).buffer(3), 1, 6),
    "the default": (lambda flow: flow.buffer(), 10, 64),
    "unlimited": (lambda flow: flow.buffer(UNLIMITED), 1, 198),
    "a stage below keeps the buffer": (lambda flow: flow.buffer(5).map(lambda value: value), 0, 64 + 1 + 5),
}


@pytest.mark.parametrize("name", SUSPENDING)
async def test_the_upstream_runs_ahead_by_the_room_of_the_buffer(name: str) -> None:
    """Scenario share_in-15, rules F1, F5 and F8: one value is in the subscriber's hands, one waits outside."""
    fused, replay, room = SUSPENDING[name]
    produced, seen = await share_behind_a_stuck_subscriber(fused, replay, 200)
    assert produced == room + 2
    assert seen == list(range(200))


DROPPING: dict[str, tuple[Callable[[Flow[int]], Flow[int]], int, list[int]]] = {
    "share_in-18": (lambda flow: flow.conflate(), 1, [99]),
    "share_in-19": (lambda flow: flow.conflate(), 0, [99]),
    "share_in-21": (lambda flow: flow.buffer(7, on_buffer_overflow=DROP_OLDEST), 11, [*range(82, 100)]),
    "share_in-24": (lambda flow: flow.buffer(5, on_buffer_overflow=DROP_LATEST), 10, [*range(1, 16)]),
    "conflated by name": (lambda flow: flow.buffer(CONFLATED), 5, [*range(95, 100)]),
    "the default size": (lambda flow: flow.buffer(on_buffer_overflow=DROP_OLDEST), 0, [99]),
    "the newest dropped": (lambda flow: flow.buffer(0, on_buffer_overflow=DROP_LATEST), 0, [1]),
    "a policy replaces a size": (lambda flow: flow.buffer(42).conflate(), 2, [98, 99]),
}


@pytest.mark.parametrize("name", DROPPING)
async def test_a_dropping_policy_is_the_shared_flows(name: str) -> None:
    """Scenarios share_in-18, share_in-19, share_in-21 and share_in-24.

    There, the subscriber has not run when all is emitted; here it is stuck with the first value, 0, which comes on top.
    """
    fused, replay, waiting = DROPPING[name]
    produced, seen = await share_behind_a_stuck_subscriber(fused, replay, 100)
    assert produced == 100
    assert seen == [0, *waiting]


async def test_what_has_a_channel_of_its_own_keeps_it() -> None:
    """A `channel_flow` runs ahead by its own buffer, and then by the 64 of the shared flow; so does a merge."""
    sent: list[int] = []
    gate = Event()

    @channel_flow
    async def source(producer: Producer[int]) -> None:
        await a_while()
        for value in range(200):
            sent.append(value)
            await producer.send(value)

    for shareable in (source().buffer(5), merge(source().buffer(0)).buffer(4)):
        sent.clear()
        async with coroutine_scope() as scope:
            shareable.share_in(scope, started=EAGERLY).on_each(lambda _value: gate.wait()).launch_in(scope)
            await settled()
            # In the subscriber's hands 1, in the shared flow 64, in the hands of its collector 1, in the channel 5, outside 1;
            # the merge has a channel of 4, and the one above it none but hands to hold a value.
            assert len(sent) == 1 + 64 + 1 + 5 + 1
            scope.cancel()


async def test_a_buffered_channel_is_shared_without_the_buffer() -> None:
    channel: Channel[int] = Channel(UNLIMITED)
    for value in range(100):
        channel.send_nowait(value)
    gate = Event()
    async with coroutine_scope() as scope:
        shared = as_flow(channel).buffer(3).share_in(scope, started=EAGERLY)
        shared.on_each(lambda _value: gate.wait()).launch_in(scope)
        await settled()
        assert len(channel) == 100 - (1 + 3 + 1)
        scope.cancel()


async def test_a_buffer_above_a_state_changes_nothing() -> None:
    async with coroutine_scope() as scope:
        state = as_flow(range(100)).buffer(3).state_in(scope, initial=-1, started=EAGERLY)
        assert await state.first(lambda value: value == 99) == 99
        awaited = await as_flow(range(100)).buffer(3).state_in(scope)
        assert await awaited.first(lambda value: value == 99) == 99
        scope.cancel()
