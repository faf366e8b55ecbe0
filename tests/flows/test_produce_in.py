"""`Flow.produce_in`: a channel that a job fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import create_task_group, fail_after, sleep_forever

from flowsock import (
    BUFFERED,
    RENDEZVOUS,
    UNLIMITED,
    BufferOverflow,
    ChannelClosed,
    JobCancelled,
    Producer,
    as_flow,
    channel_flow,
    coroutine_scope,
    flow,
    flow_of,
    merge,
)
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flowsock import Channel

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("capacity", [RENDEZVOUS, 1, 10, BUFFERED, UNLIMITED])
async def test_the_channel_gives_every_value_and_ends(capacity: int) -> None:
    """Scenarios produce-01 and produce-15."""
    with fail_after(5):
        async with coroutine_scope() as scope:
            for count in (0, 1, 10, 100):
                channel = as_flow(range(count)).produce_in(scope, capacity=capacity)
                assert [value async for value in channel] == list(range(count))
                with pytest.raises(ChannelClosed):
                    await channel.receive()


async def test_the_channel_takes_the_place_of_a_buffer_right_above() -> None:
    """Rules F1 to F3: with nobody who receives, the channel is full and one value waits to be sent."""
    produced: list[int] = []

    @flow
    async def counting() -> AsyncIterator[int]:
        for value in range(200):
            produced.append(value)
            yield value

    @channel_flow
    async def sending(producer: Producer[int]) -> None:
        for value in range(200):
            produced.append(value)
            await producer.send(value)

    for source in (counting(), sending(), merge(counting())):
        for buffered, capacity, size in (
            (source.buffer(3), BUFFERED, 3),
            (source.buffer(3), 2, 5),
            (source.buffer(0), BUFFERED, 0),
            (source.buffer(0), RENDEZVOUS, 0),
            (source.buffer(), 3, 3),
            (source, 3, 3),
        ):
            produced.clear()
            async with coroutine_scope() as scope:
                buffered.produce_in(scope, capacity=capacity)
                await settled()
                assert len(produced) == size + 1
                scope.cancel()


async def test_a_dropping_policy_right_above_is_the_channels() -> None:
    async with coroutine_scope() as scope:
        newest = as_flow(range(100)).conflate().produce_in(scope)
        oldest = as_flow(range(100)).buffer(2, on_buffer_overflow=BufferOverflow.DROP_LATEST).produce_in(scope)
        await settled()
        assert await newest.to_list() == [99]
        assert await oldest.to_list() == [0, 1]


async def test_a_failure_closes_the_channel_with_its_cause_and_fails_the_scope() -> None:
    """Scenario produce-16."""

    @flow
    async def one_then_error() -> AsyncIterator[int]:
        yield 1
        raise ValueError("upstream")

    with pytest.raises(ValueError, match="upstream"), fail_after(5):
        async with coroutine_scope() as scope:
            channel = one_then_error().produce_in(scope)
            assert await channel.receive() == 1
            await sleep_forever()
    with pytest.raises(ValueError, match="upstream"):
        channel.receive_nowait()


@flow
async def then_hang(log: list[str], *values: int) -> AsyncIterator[int]:
    try:
        for value in values:
            yield value
        await sleep_forever()
    finally:
        log.append("cancelled")


@pytest.mark.parametrize("values", [(), (1,), (1, 2)])
async def test_cancelling_the_channel_cancels_the_collection(values: tuple[int, ...]) -> None:
    """Whether the producer waits for a receiver or for something of its own."""
    log: list[str] = []
    with fail_after(5):
        async with coroutine_scope() as scope:
            channel = then_hang(log, *values).produce_in(scope, capacity=RENDEZVOUS)
            await settled()
            assert channel.cancel()
            await settled()
            assert log == ["cancelled"]
    with pytest.raises(ChannelClosed):
        await channel.receive()


async def test_closing_the_channel_ends_the_collection_at_its_next_value() -> None:
    log: list[str] = []
    with fail_after(5):
        async with coroutine_scope() as scope:
            channel = then_hang(log, 1, 2).produce_in(scope, capacity=RENDEZVOUS)
            await settled()
            channel.close()
            assert [value async for value in channel] == [1]
            await settled()
    assert log == ["cancelled"]


async def test_the_end_of_the_scope_closes_the_channel() -> None:
    log: list[str] = []
    async with coroutine_scope() as scope:
        running = then_hang(log, 1).produce_in(scope)
        await settled()
        scope.cancel()
    assert log == ["cancelled"]
    assert await running.receive() == 1
    with pytest.raises(JobCancelled):
        await running.receive()
    async with coroutine_scope() as scope:
        never_started = then_hang(log, 1).produce_in(scope)
        scope.cancel()
    with pytest.raises(JobCancelled):
        await never_started.to_list()


async def test_a_receiver_outside_the_scope_learns_of_a_job_that_never_ran() -> None:
    raised: list[JobCancelled] = []

    async def receive(channel: Channel[int]) -> None:
        with pytest.raises(JobCancelled) as info:
            await channel.receive()
        raised.append(info.value)

    # Whether the receiver waits already when the job would have its first turn depends on who comes first.
    with fail_after(5):
        async with create_task_group() as outside:
            async with coroutine_scope() as scope:
                early: Channel[int] = then_hang([]).produce_in(scope)
                outside.start_soon(receive, early)
                scope.cancel()
            async with coroutine_scope() as scope:
                scope.launch(scope.cancel)
                late: Channel[int] = then_hang([]).produce_in(scope)
                outside.start_soon(receive, late)
                await sleep_forever()
    assert len(raised) == 2


async def test_the_capacity_is_checked_at_once() -> None:
    async with coroutine_scope() as scope:
        with pytest.raises(ValueError, match="capacity"):
            flow_of(1).produce_in(scope, capacity=-5)
