"""Values go from senders to receivers: capacities, order, the immediate twins, iteration, what can be read off."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest
from anyio import create_task_group

from flowsock import BUFFERED, CONFLATED, RENDEZVOUS, UNLIMITED, BufferOverflow, Channel, ChannelClosed, WouldBlock
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


async def receive_into(seen: list[int], channel: Channel[int]) -> None:
    seen.append(await channel.receive())


async def send_and_tell(sent: list[int], channel: Channel[int], value: int) -> None:
    await channel.send(value)
    sent.append(value)


async def test_a_rendezvous_sender_waits_until_its_value_is_taken() -> None:
    channel: Channel[int] = Channel()
    sent: list[int] = []
    async with create_task_group() as tasks:
        tasks.start_soon(send_and_tell, sent, channel, 1)
        await settled()
        assert sent == []
        assert await channel.receive() == 1
        await settled()
        assert sent == [1]


async def test_a_rendezvous_with_nobody_on_the_other_side_blocks_both_twins() -> None:
    """Scenario channel-02."""
    channel: Channel[int] = Channel(RENDEZVOUS)
    with pytest.raises(WouldBlock):
        channel.send_nowait(1)
    with pytest.raises(WouldBlock):
        channel.receive_nowait()


async def test_send_nowait_reaches_a_waiting_receiver() -> None:
    """Scenario channel-03."""
    channel: Channel[int] = Channel()
    seen: list[int] = []
    async with create_task_group() as tasks:
        tasks.start_soon(receive_into, seen, channel)
        await settled()
        channel.send_nowait(2)
    assert seen == [2]


async def test_receive_nowait_takes_from_a_waiting_sender() -> None:
    """Scenario channel-04."""
    channel: Channel[int] = Channel()
    sent: list[int] = []
    async with create_task_group() as tasks:
        tasks.start_soon(send_and_tell, sent, channel, 3)
        await settled()
        assert channel.receive_nowait() == 3
    assert sent == [3]


@pytest.mark.parametrize(("capacity", "room"), [(1, 1), (3, 3), (BUFFERED, 64)])
async def test_a_buffer_takes_as_many_values_as_it_has_room_for(capacity: int, room: int) -> None:
    channel: Channel[int] = Channel(capacity)
    for value in range(room):
        channel.send_nowait(value)
    with pytest.raises(WouldBlock):
        channel.send_nowait(room)
    assert [channel.receive_nowait() for _ in range(room)] == list(range(room))


async def test_an_unlimited_channel_never_makes_a_sender_wait() -> None:
    """Scenario channel-24."""
    channel: Channel[int] = Channel(UNLIMITED)
    for value in range(10_000):
        channel.send_nowait(value)
    assert [await channel.receive() for _ in range(10_000)] == list(range(10_000))


async def test_a_huge_capacity_costs_nothing_in_advance() -> None:
    """Scenario channel-18."""
    channel: Channel[int] = Channel(10**9)
    for value in range(1000):
        await channel.send(value)
    assert [await channel.receive() for _ in range(1000)] == list(range(1000))


async def test_a_value_taken_from_a_full_buffer_lets_the_first_waiting_sender_in() -> None:
    channel: Channel[int] = Channel(1)
    sent: list[int] = []
    async with create_task_group() as tasks:
        for value in range(3):
            tasks.start_soon(send_and_tell, sent, channel, value)
            await settled()
        assert sent == [0]
        assert await channel.receive() == 0
        await settled()
        assert sent == [0, 1]
        assert len(channel) == 1
        assert [await channel.receive(), await channel.receive()] == [1, 2]


async def test_senders_are_served_first_come_first_served() -> None:
    channel: Channel[int] = Channel()
    async with create_task_group() as tasks:
        for value in range(5):
            tasks.start_soon(send_and_tell, [], channel, value)
            await settled()
        assert [await channel.receive() for _ in range(5)] == [0, 1, 2, 3, 4]


async def test_receivers_are_served_first_come_first_served() -> None:
    channel: Channel[int] = Channel()
    seen: list[list[int]] = [[] for _ in range(5)]
    async with create_task_group() as tasks:
        for mine in seen:
            tasks.start_soon(receive_into, mine, channel)
            await settled()
        for value in range(5):
            await channel.send(value)
    assert seen == [[0], [1], [2], [3], [4]]


async def test_the_place_in_the_order_is_taken_at_the_call_of_send() -> None:
    channel: Channel[int] = Channel()
    first = channel.send(1)
    async with create_task_group() as tasks:
        tasks.start_soon(send_and_tell, [], channel, 2)
        await settled()
        assert [await channel.receive(), await channel.receive()] == [1, 2]
    await first


async def test_every_value_of_many_senders_reaches_exactly_one_of_many_receivers() -> None:
    channel: Channel[int] = Channel(3)
    seen: list[int] = []

    async def send_hundred(start: int) -> None:
        for value in range(start, start + 100):
            await channel.send(value)

    async def receive_all() -> None:
        mine = [value async for value in channel]
        for start in range(0, 1000, 100):
            of_one_sender = [value for value in mine if start <= value < start + 100]
            assert of_one_sender == sorted(of_one_sender)
        seen.extend(mine)

    async with create_task_group() as receivers:
        for _ in range(7):
            receivers.start_soon(receive_all)
        async with create_task_group() as senders:
            for start in range(0, 1000, 100):
                senders.start_soon(send_hundred, start)
        channel.close()
    assert sorted(seen) == list(range(1000))


async def test_none_is_a_value() -> None:
    channel: Channel[int | None] = Channel(1)
    await channel.send(None)
    assert len(channel) == 1
    seen = [await channel.receive()]
    assert seen == [None]
    with pytest.raises(WouldBlock):
        channel.receive_nowait()


async def test_a_receiver_that_at_once_waits_again_waits_behind_the_others() -> None:
    class Eager:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def offer(self, value: int, /) -> bool:
            self.seen.append(value)
            return True

        def end(self) -> None:
            raise AssertionError("the channel is not closed here")

    channel: Channel[int] = Channel()
    first, second = Eager(), Eager()
    channel.wait(first)
    channel.wait(second)
    for value in range(4):
        await channel.send(value)
    assert (first.seen, second.seen) == ([0, 2], [1, 3])


class Untouchable:
    def __eq__(self, other: object) -> NoReturn:
        raise AssertionError("compared")

    def __hash__(self) -> NoReturn:
        raise AssertionError("hashed")

    def __bool__(self) -> NoReturn:
        raise AssertionError("asked for its truth")

    def __repr__(self) -> NoReturn:
        raise AssertionError("printed")


@pytest.mark.parametrize("capacity", [RENDEZVOUS, 1, CONFLATED, UNLIMITED])
async def test_a_value_is_never_looked_at(capacity: int) -> None:
    """Scenario channel-12."""
    channel: Channel[Untouchable] = Channel(capacity)
    value = Untouchable()
    async with create_task_group() as tasks:

        async def send() -> None:
            await channel.send(value)

        tasks.start_soon(send)
        assert await channel.receive() is value


async def test_an_exception_is_a_value_like_any_other() -> None:
    """Scenario channel_close-13."""
    channel: Channel[Exception] = Channel(1)
    value, cause = KeyError("value"), ValueError("cause")
    await channel.send(value)
    channel.close(cause)
    assert await channel.receive() is value
    with pytest.raises(ValueError, match="cause"):
        await channel.receive()


async def test_iteration_gives_all_values_and_ends_with_the_channel() -> None:
    """Scenario channel_iter-01."""
    channel: Channel[int] = Channel(2)
    channel.send_nowait(1)
    channel.send_nowait(2)
    channel.close()
    assert [value async for value in channel] == [1, 2]


async def test_a_waiting_iteration_ends_when_the_channel_is_closed() -> None:
    """Scenario channel_iter-02."""
    channel: Channel[int] = Channel()
    seen: list[int] = []

    async def iterate() -> None:
        seen.extend([value async for value in channel])
        seen.append(-1)

    async with create_task_group() as tasks:
        tasks.start_soon(iterate)
        await settled()
        channel.close()
    assert seen == [-1]


@pytest.mark.parametrize("capacity", [RENDEZVOUS, 1, CONFLATED, BUFFERED, UNLIMITED])
async def test_iteration_raises_the_error_that_the_channel_was_closed_with(capacity: int) -> None:
    """Scenario channel_iter-05."""
    channel: Channel[int] = Channel(capacity)
    channel.close(ValueError("cause"))
    with pytest.raises(ValueError, match="cause"):
        await anext(channel)


async def test_iteration_raises_a_cause_that_happens_to_be_channel_closed() -> None:
    channel: Channel[int] = Channel()
    channel.close(ChannelClosed("another channel's end"))
    with pytest.raises(ChannelClosed, match="another"):
        await anext(channel)


async def test_leaving_an_iteration_early_leaves_the_channel_open() -> None:
    channel: Channel[int] = Channel(3)
    for value in range(3):
        channel.send_nowait(value)

    async def first(values: AsyncIterator[int]) -> int | None:
        async for value in values:
            return value
        return None

    assert await first(channel) == 0
    assert not channel.is_closed_for_send
    assert [channel.receive_nowait(), channel.receive_nowait()] == [1, 2]


async def test_statistics_count_buffer_and_waiting_parties() -> None:
    channel: Channel[int] = Channel(1)
    async with create_task_group() as tasks:
        for value in range(3):
            tasks.start_soon(send_and_tell, [], channel, value)
        await settled()
        statistics = channel.statistics()
        assert (statistics.size, statistics.waiting_senders, statistics.waiting_receivers) == (1, 2, 0)
        for _ in range(3):
            await channel.receive()
        seen: list[int] = []
        tasks.start_soon(receive_into, seen, channel)
        await settled()
        statistics = channel.statistics()
        assert (statistics.size, statistics.waiting_senders, statistics.waiting_receivers) == (0, 0, 1)
        channel.send_nowait(9)
        assert channel.statistics().waiting_receivers == 0
    assert seen == [9]


async def test_a_channel_is_true_even_when_it_is_empty() -> None:
    channel: Channel[int] = Channel()
    assert len(channel) == 0
    assert bool(channel) is True


@pytest.mark.parametrize(
    ("capacity", "shown"),
    [(RENDEZVOUS, "size=0/0"), (CONFLATED, "size=0/1"), (BUFFERED, "size=0/64"), (UNLIMITED, "size=0/unlimited")],
)
async def test_repr_tells_state_and_size(capacity: int, shown: str) -> None:
    channel: Channel[int] = Channel(capacity)
    assert repr(channel) == f"<Channel open {shown}>"
    channel.close()
    assert repr(channel) == f"<Channel closed {shown}>"


@pytest.mark.parametrize("capacity", [-3, -100])
def test_an_unknown_negative_capacity_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match="capacity"):
        Channel(capacity)


@pytest.mark.parametrize("policy", [BufferOverflow.DROP_OLDEST, BufferOverflow.DROP_LATEST])
def test_conflated_with_a_policy_of_its_own_is_refused(policy: BufferOverflow) -> None:
    with pytest.raises(ValueError, match="CONFLATED"):
        Channel(CONFLATED, on_buffer_overflow=policy)
