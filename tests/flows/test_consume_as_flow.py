"""`consume_as_flow`: a channel that ends with its one collection."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from anyio import fail_after

from flowsock import UNLIMITED, Channel, ChannelClosed, as_flow, consume_as_flow, coroutine_scope
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from flowsock import Flow

pytestmark = pytest.mark.anyio


def filled(count: int, cause: Exception | None = None) -> Channel[int]:
    channel: Channel[int] = Channel(UNLIMITED)
    for value in range(1, count + 1):
        channel.send_nowait(value)
    channel.close(cause)
    return channel


async def test_it_is_collected_once_and_raises_what_the_channel_was_closed_with() -> None:
    """Scenario channel_as_flow-06."""
    values = consume_as_flow(filled(10, ValueError("cause")))
    seen: list[int] = []
    with pytest.raises(ValueError, match="cause"):
        await values.collect(seen.append)
    assert sum(seen) == 55
    with pytest.raises(RuntimeError, match="only once"):
        await values.collect()


async def test_the_end_of_the_channel_is_the_flows() -> None:
    assert await consume_as_flow(filled(3)).to_list() == [1, 2, 3]


def explode(_value: int) -> None:
    raise ValueError("collector")


LEAVING: dict[str, Callable[[Flow[int]], Coroutine[Any, Any, object]]] = {
    "a failing collector": lambda flow: flow.collect(explode),
    "an early stop": lambda flow: flow.take(1).to_list(),
    "a buffer": lambda flow: flow.buffer(1).first(),
}


@pytest.mark.parametrize("name", LEAVING)
async def test_leaving_cancels_the_channel(name: str) -> None:
    undelivered: list[int] = []
    channel: Channel[int] = Channel(3, on_undelivered=undelivered.append)
    async with coroutine_scope() as scope:
        for value in range(3):
            channel.send_nowait(value)

        async def send_one_more() -> None:
            with pytest.raises(ValueError if name == "a failing collector" else ChannelClosed):
                for value in range(3, 10):
                    await channel.send(value)

        sender = scope.launch(send_one_more)
        await settled()
        with fail_after(5):
            with suppress(ValueError):
                await LEAVING[name](consume_as_flow(channel))
            await sender
    assert channel.is_closed_for_receive
    assert 0 not in undelivered
    assert len(undelivered) >= 2
    assert undelivered == sorted(undelivered)


async def test_a_cancelled_collector_cancels_the_channel() -> None:
    channel: Channel[int] = Channel()
    async with coroutine_scope() as scope:
        job = consume_as_flow(channel).launch_in(scope)
        await settled()
        assert not channel.is_closed_for_send
        await job.cancel_and_join()
        assert channel.is_closed_for_send


async def test_a_channel_that_is_received_from_stays_open() -> None:
    channel: Channel[int] = Channel(UNLIMITED)
    for value in range(3):
        channel.send_nowait(value)
    assert await as_flow(channel).first() == 0
    assert await as_flow(channel).first() == 1
    assert not channel.is_closed_for_send


async def test_a_second_collection_does_not_disturb_the_first() -> None:
    channel: Channel[int] = Channel()
    values = consume_as_flow(channel)
    seen: list[int] = []
    async with coroutine_scope() as scope:
        job = values.on_each(seen.append).launch_in(scope)
        await settled()
        with pytest.raises(RuntimeError, match="only once"):
            await values.first()
        await channel.send(1)
        channel.close()
        with fail_after(5):
            await job
    assert seen == [1]
