"""`close` ends a channel behind what was sent; `cancel` ends it at once."""

from __future__ import annotations

from traceback import walk_tb

import pytest
from anyio import create_task_group, from_thread, to_thread

from flowsock import BUFFERED, CONFLATED, RENDEZVOUS, UNLIMITED, Channel, ChannelClosed, WouldBlock
from tests.turns import settled

pytestmark = pytest.mark.anyio

ANY_CAPACITY = pytest.mark.parametrize("capacity", [RENDEZVOUS, 1, CONFLATED, BUFFERED, UNLIMITED])


@ANY_CAPACITY
async def test_only_the_first_close_closes(capacity: int) -> None:
    """Scenario channel-24."""
    channel: Channel[int] = Channel(capacity)
    first, second = ValueError("first"), ValueError("second")
    assert channel.close(first) is True
    assert channel.close(second) is False
    assert channel.cancel(second) is False
    assert channel.cause is first


@ANY_CAPACITY
async def test_a_closed_channel_refuses_values(capacity: int) -> None:
    channel: Channel[int] = Channel(capacity)
    channel.close()
    with pytest.raises(ChannelClosed):
        channel.send(1)
    with pytest.raises(ChannelClosed):
        channel.send_nowait(1)
    assert len(channel) == 0


@ANY_CAPACITY
async def test_a_closed_channel_raises_its_cause_on_both_sides(capacity: int) -> None:
    channel: Channel[int] = Channel(capacity)
    cause = ValueError("cause")
    channel.close(cause)
    for use in (lambda: channel.send(1), lambda: channel.send_nowait(1), channel.receive_nowait):
        with pytest.raises(ValueError, match="cause") as raised:
            use()
        assert raised.value is cause
    with pytest.raises(ValueError, match="cause") as raised:
        await channel.receive()
    assert raised.value is cause


async def test_close_does_not_disturb_a_suspended_sender() -> None:
    """Scenario channel-05."""
    channel: Channel[int] = Channel()
    sent: list[int] = []

    async def send() -> None:
        await channel.send(42)
        sent.append(42)

    async with create_task_group() as tasks:
        tasks.start_soon(send)
        await settled()
        channel.close()
        await settled()
        assert sent == []
        assert not channel.is_closed_for_receive
        assert await channel.receive() == 42
    assert sent == [42]
    with pytest.raises(ChannelClosed):
        await channel.receive()


async def test_what_was_sent_before_close_is_received_before_the_end() -> None:
    """Scenarios channel-14 and channel_close-09."""
    channel: Channel[int] = Channel(1)

    def state() -> tuple[bool, bool, bool]:
        return channel.is_closed_for_send, channel.is_closed_for_receive, channel.is_empty

    assert state() == (False, False, True)
    await channel.send(42)
    assert state() == (False, False, False)
    channel.close()
    assert state() == (True, False, False)
    assert await channel.receive() == 42
    assert state() == (True, True, False)
    with pytest.raises(ChannelClosed):
        await channel.receive()


@pytest.mark.parametrize("end", [Channel.close, Channel.cancel])
async def test_all_suspended_receivers_learn_of_the_end(end: object) -> None:
    """Scenario channel_close-11."""
    channel: Channel[int] = Channel()
    ended: list[int] = []

    async def receive(number: int) -> None:
        with pytest.raises(ChannelClosed):
            await channel.receive()
        ended.append(number)

    async with create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(receive, number)
        await settled()
        assert callable(end)
        end(channel)
        assert channel.statistics().waiting_receivers == 0
    assert sorted(ended) == [0, 1, 2]


async def test_cancel_drops_everything_and_ends_both_sides_at_once() -> None:
    """Scenarios channel-16 and channel_close-12."""
    channel: Channel[int] = Channel(5)
    refused: list[int] = []

    async def send(value: int) -> None:
        with pytest.raises(ChannelClosed):
            await channel.send(value)
        refused.append(value)

    for value in range(5):
        channel.send_nowait(value)
    async with create_task_group() as tasks:
        for value in range(5, 10):
            tasks.start_soon(send, value)
        await settled()
        assert channel.cancel() is True
        assert channel.is_closed_for_send
        assert channel.is_closed_for_receive
        with pytest.raises(ChannelClosed):
            channel.receive_nowait()
    assert sorted(refused) == [5, 6, 7, 8, 9]
    statistics = channel.statistics()
    assert (statistics.size, statistics.waiting_senders) == (0, 0)


async def test_cancel_with_a_cause_raises_it_in_suspended_senders_and_receivers() -> None:
    cause = ValueError("cause")
    full: Channel[int] = Channel()
    empty: Channel[int] = Channel()
    raised: list[Exception] = []

    async def send() -> None:
        try:
            await full.send(1)
        except ValueError as error:
            raised.append(error)

    async def receive() -> None:
        try:
            await empty.receive()
        except ValueError as error:
            raised.append(error)

    async with create_task_group() as tasks:
        tasks.start_soon(send)
        tasks.start_soon(receive)
        await settled()
        full.cancel(cause)
        empty.cancel(cause)
    assert raised == [cause, cause]


async def test_cancel_after_close_drops_the_rest_and_keeps_the_first_cause() -> None:
    channel: Channel[int] = Channel(2)
    channel.send_nowait(1)
    channel.close(ValueError("first"))
    assert channel.cancel(ValueError("second")) is False
    with pytest.raises(ValueError, match="first"):
        await channel.receive()


async def test_a_send_that_nobody_awaited_yet_raises_what_the_channel_was_cancelled_with() -> None:
    channel: Channel[int] = Channel()
    pending = channel.send(1)
    channel.cancel(ValueError("cause"))
    with pytest.raises(ValueError, match="cause"):
        await pending


async def test_raising_the_cause_again_and_again_does_not_make_its_traceback_grow() -> None:
    channel: Channel[int] = Channel()
    try:
        raise ValueError("cause")
    except ValueError as error:
        channel.close(error)
    depths: set[int] = set()
    for _ in range(5):
        with pytest.raises(ValueError, match="cause") as raised:
            await channel.receive()
        frames = list(walk_tb(raised.value.__traceback__))
        depths.add(len(frames))
        assert "test_raising_the_cause" in frames[-1][0].f_code.co_name, "the place where the cause was raised is kept"
    assert len(depths) == 1


async def test_closing_from_inside_a_waiting_receivers_turn_is_seen_by_the_next() -> None:
    channel: Channel[int] = Channel()
    seen: list[object] = []

    async def receive_then_close() -> None:
        seen.append(await channel.receive())
        channel.close()

    async def receive() -> None:
        with pytest.raises(ChannelClosed):
            await channel.receive()
        seen.append("closed")

    async with create_task_group() as tasks:
        tasks.start_soon(receive_then_close)
        await settled()
        tasks.start_soon(receive)
        await settled()
        channel.send_nowait(1)
    assert seen == [1, "closed"]


async def test_a_closed_channel_refuses_at_once_and_keeps_what_was_sent() -> None:
    """Scenario channel_close-01."""
    buffered: Channel[int] = Channel(1)
    suspended: Channel[int] = Channel()
    async with create_task_group() as tasks:
        for channel in (buffered, suspended):
            tasks.start_soon(send_one, channel, 42)
            await settled()
            channel.close()
            with pytest.raises(ChannelClosed):
                channel.send_nowait(2)
            assert await channel.receive() == 42


async def send_one(channel: Channel[int], value: int) -> None:
    await channel.send(value)


async def test_a_full_channel_is_no_closed_one() -> None:
    """Scenario channel_close-03."""
    channel: Channel[int] = Channel(1)
    channel.send_nowait(42)
    with pytest.raises(WouldBlock) as raised:
        channel.send_nowait(1)
    assert not isinstance(raised.value, ChannelClosed)
    assert not channel.is_closed_for_send


async def test_the_end_may_be_received_as_a_value() -> None:
    """What Kotlin's ``receiveCatching`` is for."""
    channel: Channel[int] = Channel()
    seen: list[int | None] = []

    async def receive() -> None:
        seen.append(await channel.receive(closed=None))

    async with create_task_group() as tasks:
        tasks.start_soon(receive)
        await settled()
        channel.send_nowait(1)
        tasks.start_soon(receive)
        await settled()
        channel.close()
    assert seen == [1, None]
    assert await channel.receive(closed=None) is None
    failed: Channel[int] = Channel(1)
    failed.send_nowait(1)
    failed.close(ValueError("E"))
    assert await failed.receive(closed=None) == 1
    with pytest.raises(ValueError, match="E"):
        await failed.receive(closed=None)


@pytest.mark.parametrize("end", ["close", "fail", "cancel"])
async def test_a_thread_learns_of_the_end(end: str) -> None:
    """Scenario channel_close-17."""
    channel: Channel[int] = Channel(1)

    async def send() -> None:
        await channel.send(1)

    def send_from_a_thread() -> None:
        from_thread.run(send)

    await to_thread.run_sync(send_from_a_thread)
    assert await channel.receive() == 1
    cause = ValueError("cause")
    match end:
        case "close":
            channel.close()
        case "fail":
            channel.close(cause)
        case _:
            channel.cancel(cause)
    with pytest.raises(ChannelClosed if end == "close" else ValueError):
        await to_thread.run_sync(send_from_a_thread)
