"""What happens to a value for which there is no room."""

from __future__ import annotations

import pytest
from anyio import create_task_group

from flowsock import BUFFERED, CONFLATED, RENDEZVOUS, UNLIMITED, BufferOverflow, Channel, ChannelClosed, WouldBlock
from tests.turns import settled

pytestmark = pytest.mark.anyio

DROP_OLDEST, DROP_LATEST = BufferOverflow.DROP_OLDEST, BufferOverflow.DROP_LATEST


@pytest.mark.parametrize(
    ("capacity", "policy", "kept"),
    [
        (RENDEZVOUS, DROP_OLDEST, [4]),
        (RENDEZVOUS, DROP_LATEST, [0]),
        (1, DROP_OLDEST, [4]),
        (2, DROP_OLDEST, [3, 4]),
        (2, DROP_LATEST, [0, 1]),
        (BUFFERED, DROP_OLDEST, [4]),
        (BUFFERED, DROP_LATEST, [0]),
        (UNLIMITED, DROP_OLDEST, [0, 1, 2, 3, 4]),
        (UNLIMITED, DROP_LATEST, [0, 1, 2, 3, 4]),
        (CONFLATED, BufferOverflow.SUSPEND, [4]),
    ],
)
@pytest.mark.parametrize("waiting", [True, False], ids=["send", "send_nowait"])
async def test_a_dropping_channel_never_waits_and_keeps_what_its_policy_says(
    capacity: int, policy: BufferOverflow, kept: list[int], waiting: bool
) -> None:
    """Scenarios channel-10 and channel-19."""
    channel: Channel[int] = Channel(capacity, on_buffer_overflow=policy)
    for value in range(5):
        if waiting:
            await channel.send(value)
        else:
            channel.send_nowait(value)
    assert channel.statistics().dropped == 5 - len(kept)
    channel.close()
    assert [value async for value in channel] == kept


async def test_drop_latest_takes_values_again_as_soon_as_there_is_room() -> None:
    """Scenario channel-19."""
    channel: Channel[int] = Channel(2, on_buffer_overflow=DROP_LATEST)
    for value in (1, 2, 3, 4):
        channel.send_nowait(value)
    assert channel.receive_nowait() == 1
    channel.send_nowait(5)
    channel.send_nowait(6)
    assert [channel.receive_nowait(), channel.receive_nowait()] == [2, 5]
    with pytest.raises(WouldBlock):
        channel.receive_nowait()


async def test_a_conflated_channel_still_delivers_its_value_after_close() -> None:
    """Scenario channel-23."""
    channel: Channel[int] = Channel(CONFLATED)
    channel.send_nowait(1)
    channel.close()
    assert await channel.receive() == 1
    with pytest.raises(ChannelClosed):
        await channel.receive()


@pytest.mark.parametrize("policy", [DROP_OLDEST, DROP_LATEST])
async def test_nothing_is_dropped_while_a_receiver_waits(policy: BufferOverflow) -> None:
    channel: Channel[int] = Channel(1, on_buffer_overflow=policy)
    seen: list[int] = []

    async def receive() -> None:
        seen.append(await channel.receive())

    async with create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(receive)
        await settled()
        for value in range(3):
            channel.send_nowait(value)
    assert sorted(seen) == [0, 1, 2]
    assert channel.statistics().dropped == 0
