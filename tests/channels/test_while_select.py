"""`while_select`: select until a clause says that it is enough."""

from __future__ import annotations

import pytest
from anyio import fail_after
from anyio.lowlevel import checkpoint

from flowsock import UNLIMITED, Channel, ChannelClosed, coroutine_scope, on_timeout, while_select
from flowsock.emitting import FAIR_TURN
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def test_it_goes_on_until_the_result_is_false() -> None:
    """Rule SE9."""
    seen: list[int] = []
    channel: Channel[int] = Channel(UNLIMITED)
    for value in range(5):
        channel.send_nowait(value)

    async def keep(value: int) -> bool:
        await checkpoint()
        seen.append(value)
        return value < 3

    await while_select(channel.on_receive(keep))
    assert seen == [0, 1, 2, 3]
    assert len(channel) == 1


async def test_it_ends_with_a_channel_or_a_job() -> None:
    seen: list[int] = []
    channel: Channel[int] = Channel()

    def keep(value: int) -> bool:
        seen.append(value)
        return True

    with fail_after(5):
        async with coroutine_scope() as scope:
            loop = scope.launch(while_select, channel.on_receive(keep, closed=False))
            await channel.send(1)
            await channel.send(2)
            channel.close()
            await loop
            other: Channel[int] = Channel()
            job = scope.launch(settled)
            await while_select(other.on_receive(keep), job.on_join(lambda: False))
    assert seen == [1, 2]


async def test_a_clause_that_fails_ends_it() -> None:
    channel: Channel[bool] = Channel()
    channel.close()
    with pytest.raises(ChannelClosed):
        await while_select(channel.on_receive())
    with pytest.raises(ValueError, match="at least one"):
        await while_select()


async def test_it_gives_the_others_a_turn() -> None:
    count = 0
    turns: list[int] = []

    def go_on() -> bool:
        nonlocal count
        count += 1
        return count < 30 * FAIR_TURN

    async with coroutine_scope() as scope:
        scope.launch(lambda: turns.append(count))
        await while_select(on_timeout(0, go_on))
    assert turns[0] <= 2 * FAIR_TURN, "either task may be the first in a turn of trio"
