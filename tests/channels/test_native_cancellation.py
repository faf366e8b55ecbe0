"""``task.cancel()`` of asyncio itself, which, unlike anyio's, also hits a task that was already woken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from flowsock import Channel, on_timeout, select

if TYPE_CHECKING:
    from collections.abc import Coroutine

pytestmark = pytest.mark.asyncio


async def waiting_task(function: Coroutine[None, None, object]) -> asyncio.Task[object]:
    task = asyncio.create_task(function)
    await asyncio.sleep(0)
    return task


async def send(channel: Channel[str], value: str) -> None:
    await channel.send(value)


async def test_a_receiver_that_was_already_handed_a_value_reports_it() -> None:
    lost: list[str] = []
    channel: Channel[str] = Channel(on_undelivered=lost.append)
    task = await waiting_task(channel.receive())
    channel.send_nowait("a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lost == ["a"]


async def test_a_waiting_receiver_that_is_cancelled_reports_nothing() -> None:
    lost: list[str] = []
    channel: Channel[str] = Channel(1, on_undelivered=lost.append)
    task = await waiting_task(channel.receive())
    task.cancel()
    channel.send_nowait("a")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lost == []
    assert channel.receive_nowait() == "a", "the value went past the receiver that was cancelled before it came"


async def test_a_waiting_sender_that_is_cancelled_is_gone_in_the_same_step() -> None:
    lost: list[str] = []
    channel: Channel[str] = Channel(on_undelivered=lost.append)
    task = await waiting_task(send(channel, "a"))
    task.cancel()
    assert channel.statistics().waiting_senders == 0
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lost == ["a"]


async def test_a_sender_whose_value_was_taken_does_not_report_it() -> None:
    lost: list[str] = []
    channel: Channel[str] = Channel(on_undelivered=lost.append)
    task = await waiting_task(send(channel, "a"))
    assert channel.receive_nowait() == "a"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lost == []


async def test_a_receiver_that_was_told_of_the_end_ends_cancelled() -> None:
    lost: list[str] = []
    channel: Channel[str] = Channel(on_undelivered=lost.append)
    task = await waiting_task(channel.receive())
    channel.close()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lost == []


async def test_wait_for_takes_a_late_value_or_leaves_it_in_the_channel() -> None:
    channel: Channel[str] = Channel(1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(channel.receive(), 0)
    channel.send_nowait("a")
    assert await asyncio.wait_for(channel.receive(), 1) == "a"


async def test_a_select_that_was_already_handed_a_value_reports_it() -> None:
    """Scenario undelivered-14."""
    lost: list[str] = []
    channel: Channel[str] = Channel(on_undelivered=lost.append)
    for clauses in ([channel.on_receive()], [channel.on_receive(), on_timeout(1000)]):
        task = await waiting_task(select(*clauses))
        channel.send_nowait("a")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert lost == ["a", "a"]


async def test_a_waiting_select_that_is_cancelled_is_gone_in_the_same_step() -> None:
    lost: list[str] = []
    source: Channel[str] = Channel(1, on_undelivered=lost.append)
    full: Channel[str] = Channel(on_undelivered=lost.append)
    task = await waiting_task(select(source.on_receive(), full.on_send("b"), on_timeout(1000)))
    task.cancel()
    assert (source.statistics().waiting_receivers, full.statistics().waiting_senders) == (0, 0)
    source.send_nowait("a")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.receive_nowait() == "a"
    assert lost == ["b"]


async def test_a_select_whose_coroutine_is_closed_leaves_the_queues() -> None:
    source: Channel[str] = Channel()
    coroutine = select(source.on_receive())
    coroutine.send(None)
    assert source.statistics().waiting_receivers == 1
    coroutine.close()
    assert source.statistics().waiting_receivers == 0
