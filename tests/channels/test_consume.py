"""`consume`, `consume_each` and `to_list` end the channel with its consumer."""

from __future__ import annotations

import pytest
from anyio import CancelScope, create_task_group, fail_after
from anyio.lowlevel import checkpoint

from flowsock import UNLIMITED, Channel, ChannelCancelled, coroutine_scope
from tests.turns import settled

pytestmark = pytest.mark.anyio


def filled(*values: int, cause: Exception | None = None) -> Channel[int]:
    channel: Channel[int] = Channel(UNLIMITED)
    for value in values:
        channel.send_nowait(value)
    channel.close(cause)
    return channel


def test_the_channel_is_cancelled_when_the_block_ends() -> None:
    """Scenario consume-01."""
    channel: Channel[int] = Channel()
    with channel.consume() as values:
        assert values is channel
        assert not channel.is_closed_for_send
    assert channel.is_closed_for_receive
    assert isinstance(channel.cause, ChannelCancelled)


def test_an_error_of_the_block_becomes_the_cause() -> None:
    channel: Channel[int] = Channel()
    error = ValueError("E")
    with pytest.raises(ValueError, match="E"), channel.consume():
        raise error
    assert channel.cause is error


async def test_a_cancelled_block_cancels_the_channel() -> None:
    channel: Channel[int] = Channel()
    with CancelScope() as scope, channel.consume():
        scope.cancel()
        await channel.receive()
    assert isinstance(channel.cause, ChannelCancelled)


async def test_leaving_early_cancels_the_channel() -> None:
    """Scenario consume-03."""
    lost: list[int] = []
    channel: Channel[int] = Channel(2, on_undelivered=lost.append)
    channel.send_nowait(1)
    channel.send_nowait(2)

    def stop(_value: int) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        await channel.consume_each(stop)
    assert channel.is_closed_for_receive
    assert lost == [2]


async def test_a_plain_loop_that_is_left_early_leaves_the_channel_open() -> None:
    channel: Channel[int] = Channel(2)
    channel.send_nowait(1)
    channel.send_nowait(2)
    async for value in channel:
        assert value == 1
        break
    assert not channel.is_closed_for_send
    assert await channel.receive() == 2


async def test_the_error_of_a_channel_comes_before_any_call() -> None:
    """Scenario consume-04."""
    seen: list[int] = []
    with pytest.raises(ValueError, match="E"):
        await filled(cause=ValueError("E")).consume_each(seen.append)
    assert seen == []


async def test_the_function_may_be_a_coroutine_function() -> None:
    seen: list[int] = []

    async def handle(value: int) -> None:
        await checkpoint()
        seen.append(value)

    await filled(1, 2).consume_each(handle)
    assert seen == [1, 2]


async def test_a_consumer_that_cancels_itself_takes_what_is_there_and_no_more() -> None:
    """Scenario consume-05."""
    lost: list[int] = []
    seen: list[int] = []
    channel: Channel[int] = Channel(2, on_undelivered=lost.append)

    async def send() -> None:
        for value in range(4):
            await channel.send(value)

    with fail_after(5):
        async with coroutine_scope() as scope:
            scope.launch(send)
            await settled()

            def consume(value: int) -> None:
                seen.append(value)
                consumer.cancel()

            consumer = scope.launch(channel.consume_each, consume)
    assert seen == [0, 1, 2]
    assert consumer.is_cancelled
    assert channel.is_closed_for_receive
    assert lost == [3]


async def test_what_came_before_an_error_is_kept() -> None:
    """Scenario consume-06."""
    destination = [-1, -2, -3]
    with pytest.raises(ValueError, match="E"):
        await filled(1, 2, 3, 4, 5, cause=ValueError("E")).consume_each(destination.append)
    assert destination == [-1, -2, -3, 1, 2, 3, 4, 5]


async def test_collecting_a_channel_into_a_list() -> None:
    """Scenario consume-07."""
    assert await filled(1, 2, 3).to_list() == [1, 2, 3]
    assert await filled().to_list() == []
    with pytest.raises(ValueError, match="E"):
        await filled(1, cause=ValueError("E")).to_list()


async def test_collecting_waits_for_the_end() -> None:
    channel: Channel[int] = Channel()
    seen: list[list[int]] = []

    async def collect() -> None:
        seen.append(await channel.to_list())

    async with create_task_group() as tasks:
        tasks.start_soon(collect)
        await channel.send(1)
        await channel.send(2)
        assert seen == []
        channel.close()
    assert seen == [[1, 2]]


async def test_a_cancelled_channel_is_no_complete_one() -> None:
    channel: Channel[int] = Channel(2)
    channel.send_nowait(1)
    channel.cancel()
    with pytest.raises(ChannelCancelled):
        await channel.to_list()
    with pytest.raises(ChannelCancelled):
        async for value in channel:
            raise AssertionError(value)
