"""`Channel.invoke_on_close`: plain code at the moment a channel ends."""

from __future__ import annotations

from typing import NoReturn

import pytest
from anyio import create_task_group

from flowsock import BUFFERED, CONFLATED, RENDEZVOUS, UNLIMITED, Channel, ChannelCancelled, ChannelClosed
from tests.turns import settled

pytestmark = pytest.mark.anyio

ANY_CAPACITY = pytest.mark.parametrize("capacity", [RENDEZVOUS, 1, CONFLATED, BUFFERED, UNLIMITED])


def test_the_handler_gets_the_cause_in_place() -> None:
    """Scenario channel_close-04."""
    seen: list[Exception | None] = []
    channel: Channel[int] = Channel(1)
    channel.invoke_on_close(seen.append)
    channel.send_nowait(42)
    error = ValueError("E")
    assert channel.close(error)
    assert seen == [error]
    channel.close()
    channel.cancel()
    assert seen == [error]


@ANY_CAPACITY
def test_the_handler_of_a_closed_channel_is_called_at_once_and_is_the_only_one(capacity: int) -> None:
    """Scenario channel_close-05."""
    seen: list[Exception | None] = []
    channel: Channel[int] = Channel(capacity)
    channel.close()
    channel.invoke_on_close(seen.append)
    assert seen == [None]
    with pytest.raises(RuntimeError, match="handler"):
        channel.invoke_on_close(seen.append)
    assert seen == [None]


@ANY_CAPACITY
def test_a_second_handler_is_refused_and_the_first_stays(capacity: int) -> None:
    """Scenario channel_close-06."""
    seen: list[str] = []
    channel: Channel[int] = Channel(capacity)
    channel.invoke_on_close(lambda _cause: seen.append("first"))
    with pytest.raises(RuntimeError, match="handler"):
        channel.invoke_on_close(lambda _cause: seen.append("second"))
    channel.close()
    assert seen == ["first"]


def test_a_plain_cancel_is_told_as_a_cancellation() -> None:
    """Scenario channel_close-07."""
    seen: list[Exception | None] = []
    channel: Channel[int] = Channel()
    channel.invoke_on_close(seen.append)
    channel.cancel()
    [cause] = seen
    assert isinstance(cause, ChannelCancelled)
    assert channel.cause is cause


@pytest.mark.parametrize("end", ["close", "cancel"])
def test_what_the_handler_raises_comes_out_and_the_channel_is_closed(end: str) -> None:
    """Scenario channel_close-08."""

    def handler(_cause: Exception | None) -> NoReturn:
        raise ValueError("E")

    channel: Channel[int] = Channel()
    channel.invoke_on_close(handler)
    with pytest.raises(ValueError, match="E"):
        channel.close() if end == "close" else channel.cancel()
    assert channel.is_closed_for_send
    assert channel.is_closed_for_receive
    assert channel.close() is False


def test_the_state_is_final_when_the_handler_of_a_cancel_is_called() -> None:
    lost: list[int] = []
    states: list[tuple[bool, bool, list[int]]] = []
    channel: Channel[int] = Channel(2, on_undelivered=lost.append)
    channel.invoke_on_close(lambda _cause: states.append((channel.is_closed_for_send, channel.is_closed_for_receive, [*lost])))
    channel.send_nowait(1)
    channel.send_nowait(2)
    channel.cancel()
    assert states == [(True, True, [1, 2])]


async def test_suspended_senders_and_receivers_run_after_the_handler() -> None:
    log: list[str] = []
    channel: Channel[int] = Channel()

    async def receive() -> None:
        with pytest.raises(ChannelClosed):
            await channel.receive()
        log.append("receiver")

    async with create_task_group() as tasks:
        tasks.start_soon(receive)
        await settled()
        channel.invoke_on_close(lambda _cause: log.append("handler"))
        channel.close()
    assert log == ["handler", "receiver"]
