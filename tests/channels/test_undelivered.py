"""`on_undelivered` sees each value that a channel took and nobody will ever receive, once."""

from __future__ import annotations

import pytest
from anyio import CancelScope, create_task_group

from flowsock import CONFLATED, RENDEZVOUS, UNLIMITED, BufferOverflow, Channel, ChannelClosed, WouldBlock
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def send_in(scope: CancelScope, channel: Channel[str], value: str) -> None:
    with scope:
        await channel.send(value)


async def test_a_value_that_arrives_is_not_reported() -> None:
    lost: list[str] = []
    channel: Channel[str] = Channel(1, on_undelivered=lost.append)
    await channel.send("a")
    assert await channel.receive() == "a"
    channel.close()
    channel.cancel()
    assert lost == []


async def test_a_suspended_sender_that_is_cancelled_takes_its_value_back_and_reports_it() -> None:
    """Scenario undelivered-02."""
    lost: list[str] = []
    channel: Channel[str] = Channel(on_undelivered=lost.append)
    scope = CancelScope()
    async with create_task_group() as tasks:
        tasks.start_soon(send_in, scope, channel, "a")
        await settled()
        scope.cancel()
    assert lost == ["a"]
    with pytest.raises(WouldBlock):
        channel.receive_nowait()


async def test_the_sender_and_then_the_channel_are_cancelled() -> None:
    """Scenario undelivered-03."""
    lost: list[str] = []
    channel: Channel[str] = Channel(1, on_undelivered=lost.append)
    channel.send_nowait("a")
    scope = CancelScope()
    async with create_task_group() as tasks:
        tasks.start_soon(send_in, scope, channel, "b")
        await settled()
        scope.cancel()
    assert lost == ["b"]
    channel.cancel()
    assert lost == ["b", "a"]


async def test_sender_and_channel_cancelled_in_the_same_step_report_the_value_once() -> None:
    lost: list[str] = []
    channel: Channel[str] = Channel(on_undelivered=lost.append)
    scope = CancelScope()
    async with create_task_group() as tasks:
        tasks.start_soon(send_in, scope, channel, "a")
        await settled()
        scope.cancel()
        channel.cancel()
    assert lost == ["a"]


async def test_channel_and_then_sender_cancelled_in_the_same_step_report_the_value_once() -> None:
    lost: list[str] = []
    channel: Channel[str] = Channel(on_undelivered=lost.append)
    scope = CancelScope()

    async def send() -> None:
        with scope, pytest.raises(ChannelClosed):
            await channel.send("a")

    async with create_task_group() as tasks:
        tasks.start_soon(send)
        await settled()
        channel.cancel()
        scope.cancel()
    assert lost == ["a"]


async def test_cancelling_the_channel_reports_buffered_and_suspended_values_in_order() -> None:
    """Scenario undelivered-04."""
    lost: list[str] = []
    channel: Channel[str] = Channel(2, on_undelivered=lost.append)

    async def send(value: str) -> None:
        with pytest.raises(ChannelClosed):
            await channel.send(value)

    channel.send_nowait("a")
    channel.send_nowait("b")
    async with create_task_group() as tasks:
        tasks.start_soon(send, "c")
        await settled()
        channel.cancel()
    assert lost == ["a", "b", "c"]


async def test_a_conflated_channel_reports_what_it_replaces() -> None:
    """Scenario undelivered-05."""
    lost: list[str] = []
    channel: Channel[str] = Channel(CONFLATED, on_undelivered=lost.append)
    channel.send_nowait("a")
    assert lost == []
    channel.send_nowait("b")
    assert lost == ["a"]
    channel.close()
    assert lost == ["a"]
    channel.cancel()
    assert lost == ["a", "b"]


@pytest.mark.parametrize("waiting", [True, False], ids=["send", "send_nowait"])
async def test_drop_latest_reports_the_value_that_it_took_and_dropped(waiting: bool) -> None:
    """Unlike Kotlin, also for the immediate twin (undelivered-09): the call succeeded, so its caller cannot know."""
    lost: list[str] = []
    channel: Channel[str] = Channel(1, on_buffer_overflow=BufferOverflow.DROP_LATEST, on_undelivered=lost.append)
    for value in ("a", "b"):
        if waiting:
            await channel.send(value)
        else:
            channel.send_nowait(value)
    assert lost == ["b"]


@pytest.mark.parametrize("capacity", [RENDEZVOUS, 1, CONFLATED, UNLIMITED])
async def test_send_to_a_closed_channel_reports_its_value(capacity: int) -> None:
    """Scenario undelivered-06."""
    lost: list[str] = []
    channel: Channel[str] = Channel(capacity, on_undelivered=lost.append)
    channel.close()
    with pytest.raises(ChannelClosed):
        channel.send("a")
    assert lost == ["a"]


async def test_a_value_that_send_nowait_refused_stays_with_its_caller() -> None:
    """Scenario undelivered-08."""
    lost: list[str] = []
    channel: Channel[str] = Channel(1, on_undelivered=lost.append)
    channel.send_nowait("a")
    with pytest.raises(WouldBlock):
        channel.send_nowait("b")
    channel.close()
    with pytest.raises(ChannelClosed):
        channel.send_nowait("c")
    assert lost == []


def fail(value: str) -> None:
    raise ValueError(f"cannot dispose of {value}")


async def test_an_error_of_the_callback_comes_out_of_the_send_that_dropped() -> None:
    """Scenario undelivered-12."""
    channel: Channel[str] = Channel(1, on_buffer_overflow=BufferOverflow.DROP_OLDEST, on_undelivered=fail)
    await channel.send("a")
    with pytest.raises(ValueError, match="dispose of a"):
        await channel.send("b")
    assert channel.receive_nowait() == "b"


async def test_an_error_of_the_callback_comes_out_of_cancel_after_all_values_were_reported() -> None:
    """Scenario undelivered-11."""
    lost: list[str] = []

    def report(value: str) -> None:
        lost.append(value)
        if value in "bc":
            fail(value)

    channel: Channel[str] = Channel(4, on_undelivered=report)
    for value in "abcd":
        channel.send_nowait(value)
    with pytest.raises(ExceptionGroup) as raised:
        channel.cancel()
    assert lost == ["a", "b", "c", "d"]
    assert [str(error) for error in raised.value.exceptions] == ["cannot dispose of b", "cannot dispose of c"]
    assert channel.is_closed_for_receive


async def test_a_single_error_of_the_callback_comes_out_of_cancel_as_itself() -> None:
    channel: Channel[str] = Channel(1, on_undelivered=fail)
    channel.send_nowait("a")
    with pytest.raises(ValueError, match="dispose of a"):
        channel.cancel()


async def test_an_error_of_the_callback_comes_out_of_the_send_that_was_cancelled() -> None:
    channel: Channel[str] = Channel(on_undelivered=fail)
    scope = CancelScope()

    async def send() -> None:
        with pytest.raises(ValueError, match="dispose of a"):
            await send_in(scope, channel, "a")

    async with create_task_group() as tasks:
        tasks.start_soon(send)
        await settled()
        scope.cancel()


async def test_the_callback_may_use_the_channel() -> None:
    returned: Channel[str] = Channel(UNLIMITED)

    def give_back(value: str) -> None:
        returned.send_nowait(value)
        if value == "a":
            channel.send_nowait("again")

    channel: Channel[str] = Channel(1, on_buffer_overflow=BufferOverflow.DROP_OLDEST, on_undelivered=give_back)
    channel.send_nowait("a")
    channel.send_nowait("b")
    assert channel.receive_nowait() == "again"
    returned.close()
    assert [value async for value in returned] == ["a", "b"]


async def test_a_channel_is_closed_when_the_callback_of_cancel_runs() -> None:
    refused: list[str] = []

    def try_again(channel: Channel[str], value: str) -> None:
        with pytest.raises(ChannelClosed):
            channel.send_nowait(value)
        refused.append(value)

    channel: Channel[str] = Channel(1, on_undelivered=lambda value: try_again(channel, value))
    channel.send_nowait("a")
    channel.cancel()
    assert refused == ["a"]
