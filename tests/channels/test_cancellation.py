"""A cancelled send or receive leaves no trace, whenever the cancellation comes."""

from __future__ import annotations

from functools import partial

import pytest
from anyio import CancelScope, create_task_group, get_cancelled_exc_class
from anyio.lowlevel import checkpoint

from flowsock import Channel, WouldBlock
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def send_in(scope: CancelScope, channel: Channel[int], value: int) -> None:
    with scope:
        await channel.send(value)


async def receive_in(scope: CancelScope, channel: Channel[int], seen: list[int]) -> None:
    with scope:
        seen.append(await channel.receive())


def assert_untouched(channel: Channel[int]) -> None:
    statistics = channel.statistics()
    assert (statistics.size, statistics.waiting_senders, statistics.waiting_receivers) == (0, 0, 0)


async def test_a_cancelled_sender_is_gone_at_once() -> None:
    channel: Channel[int] = Channel()
    scope = CancelScope()
    async with create_task_group() as tasks:
        tasks.start_soon(send_in, scope, channel, 1)
        await settled()
        assert channel.statistics().waiting_senders == 1
        scope.cancel()
        await settled()
        assert_untouched(channel)
        with pytest.raises(WouldBlock):
            channel.receive_nowait()


async def test_a_cancelled_receiver_gets_nothing_and_the_next_one_is_served() -> None:
    channel: Channel[int] = Channel()
    scope = CancelScope()
    gone: list[int] = []
    seen: list[int] = []
    async with create_task_group() as tasks:
        tasks.start_soon(receive_in, scope, channel, gone)
        await settled()
        tasks.start_soon(receive_in, CancelScope(), channel, seen)
        await settled()
        scope.cancel()
        await channel.send(1)
    assert (gone, seen) == ([], [1])
    assert_untouched(channel)


async def test_a_receiver_cancelled_in_the_step_of_the_send_does_not_swallow_the_value() -> None:
    channel: Channel[int] = Channel(1)
    scope = CancelScope()
    gone: list[int] = []
    async with create_task_group() as tasks:
        tasks.start_soon(receive_in, scope, channel, gone)
        await settled()
        scope.cancel()
        channel.send_nowait(1)
    assert gone == []
    assert channel.receive_nowait() == 1


async def test_a_value_that_was_handed_over_wins_against_a_later_cancellation() -> None:
    """What Kotlin calls prompt cancellation (undelivered-14) is the other way round here: see the catalog, G13."""
    channel: Channel[int] = Channel()
    scope = CancelScope()
    seen: list[int] = []
    reached_end = False

    async def receive() -> None:
        nonlocal reached_end
        with scope:
            seen.append(await channel.receive())
            await checkpoint()
            reached_end = True

    async with create_task_group() as tasks:
        tasks.start_soon(receive)
        await settled()
        channel.send_nowait(1)
        scope.cancel()
    assert seen == [1]
    assert not reached_end, "the cancellation is seen at the next checkpoint"


async def test_a_send_that_was_received_wins_against_a_later_cancellation() -> None:
    channel: Channel[int] = Channel()
    scope = CancelScope()
    sent = False

    async def send() -> None:
        nonlocal sent
        with scope:
            await channel.send(1)
            sent = True

    async with create_task_group() as tasks:
        tasks.start_soon(send)
        await settled()
        assert channel.receive_nowait() == 1
        scope.cancel()
    assert sent


async def test_using_a_channel_that_need_not_wait_does_not_check_for_cancellation() -> None:
    channel: Channel[int] = Channel(2)
    with CancelScope() as scope:
        scope.cancel()
        await channel.send(1)
        assert await channel.receive() == 1
    assert not scope.cancelled_caught


async def test_a_wait_that_starts_in_a_cancelled_scope_leaves_no_trace() -> None:
    channel: Channel[int] = Channel()
    cancelled = get_cancelled_exc_class()
    with CancelScope() as scope:
        scope.cancel()
        with pytest.raises(cancelled):
            await channel.send(1)
    with CancelScope() as scope:
        scope.cancel()
        with pytest.raises(cancelled):
            await channel.receive()
    assert_untouched(channel)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("order", ["send first", "receive first"])
@pytest.mark.parametrize("victim", ["sender", "receiver"])
async def test_a_cancellation_at_any_turn_of_a_rendezvous_loses_nothing(turns: int, order: str, victim: str) -> None:
    lost: list[int] = []
    seen: list[int] = []
    channel: Channel[int] = Channel(on_undelivered=lost.append)
    sender, receiver = CancelScope(), CancelScope()
    parties = [partial(send_in, sender, channel, 1), partial(receive_in, receiver, channel, seen)]
    async with create_task_group() as tasks:
        for party in parties if order == "send first" else reversed(parties):
            tasks.start_soon(party)
        for _ in range(turns):
            await checkpoint()
        (sender if victim == "sender" else receiver).cancel()
        await settled()
        waiting = channel.statistics().waiting_senders
        assert len(seen) + len(lost) + waiting == 1
        sender.cancel()
        receiver.cancel()
    assert len(seen) + len(lost) == 1
    assert_untouched(channel)


async def test_a_thousand_cancelled_parties_leave_nothing() -> None:
    channel: Channel[int] = Channel()
    async with create_task_group() as tasks:
        for value in range(1000):
            tasks.start_soon(send_in, CancelScope(), channel, value)
        await settled()
        assert channel.statistics().waiting_senders == 1000
        tasks.cancel_scope.cancel()
    async with create_task_group() as tasks:
        for _ in range(1000):
            tasks.start_soon(receive_in, CancelScope(), channel, [])
        await settled()
        assert channel.statistics().waiting_receivers == 1000
        tasks.cancel_scope.cancel()
    assert_untouched(channel)
