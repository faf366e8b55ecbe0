"""Loops over hot flows: in the calling task, without a collection between the source and the loop."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
from anyio import CancelScope, create_task_group, fail_after

from flowsock import Channel, Flow, MutableSharedFlow, MutableStateFlow, coroutine_scope
from flowsock.flows.conduit import ChannelSubscriber
from flowsock.flows.source import HotSource
from tests.turns import settled

if TYPE_CHECKING:
    from flowsock.emitting import Emit
    from flowsock.flows.subscriber import Subscriber

pytestmark = pytest.mark.anyio


class Inbox(HotSource[int]):
    """What comes through a channel, as the messages of a session do."""

    __slots__ = ("channel",)

    direct = True

    def __init__(self) -> None:
        self.channel = Channel[int](10)

    def subscribe(self, emit: Emit[Any]) -> Subscriber[Any]:
        return ChannelSubscriber(self.channel, emit)


async def test_a_loop_takes_what_waits_and_then_each_value_as_it_comes() -> None:
    inbox = Inbox()
    inbox.channel.send_nowait(1)
    inbox.channel.send_nowait(2)
    seen: list[int] = []

    async def loop() -> None:
        seen.extend([value async for value in Flow(inbox)])
        seen.append(-1)

    async with create_task_group() as tasks:
        tasks.start_soon(loop)
        await settled()
        inbox.channel.send_nowait(3)
        await settled()
        inbox.channel.send_nowait(4)
        inbox.channel.send_nowait(5)
        inbox.channel.close()
    assert seen == [1, 2, 3, 4, 5, -1]


async def test_the_error_that_a_source_ended_with_comes_out_of_the_loop_behind_its_values() -> None:
    inbox = Inbox()
    inbox.channel.send_nowait(1)
    inbox.channel.close(ValueError("the end"))
    seen: list[int] = []
    with pytest.raises(ValueError, match="the end"):
        async for value in Flow(inbox):
            seen.append(value)  # noqa: PERF401
    assert seen == [1]


@pytest.mark.parametrize("anyio_backend", ["asyncio", "uvloop"], indirect=True)
async def test_what_anext_gives_is_fit_for_asyncios_own_functions() -> None:
    inbox = Inbox()
    iterator = aiter(Flow(inbox))
    inbox.channel.send_nowait(1)
    assert await asyncio.wait_for(anext(iterator), 5) == 1
    waiting = asyncio.ensure_future(anext(iterator))
    await settled()
    assert not waiting.done()
    inbox.channel.send_nowait(2)
    done, _ = await asyncio.wait([waiting], timeout=5)
    assert done == {waiting}
    assert waiting.result() == 2
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(iterator), 0.001)
    inbox.channel.send_nowait(3)
    inbox.channel.close()
    assert [value async for value in Flow(inbox)] == [3]


async def test_at_its_end_an_iterator_stays_ended() -> None:
    inbox = Inbox()
    inbox.channel.close()
    iterator = aiter(Flow(inbox))
    assert await anext(iterator, None) is None
    assert await anext(iterator, None) is None


async def test_a_value_that_came_while_the_loop_was_cancelled_is_the_next_one() -> None:
    inbox = Inbox()
    scope = CancelScope()
    seen: list[int] = []

    async def loop() -> None:
        with scope:
            async for value in Flow(inbox):
                seen.append(value)  # noqa: PERF401

    async with create_task_group() as tasks:
        tasks.start_soon(loop)
        await settled()
        inbox.channel.send_nowait(1)
        inbox.channel.send_nowait(2)
        scope.cancel()
    assert seen == []
    inbox.channel.close()
    assert [value async for value in Flow(inbox)] == [1, 2]


async def test_a_loop_that_cancels_itself_takes_nothing_more() -> None:
    inbox = Inbox()
    for value in range(3):
        inbox.channel.send_nowait(value)
    with CancelScope() as scope:
        async for value in Flow(inbox):
            assert value == 0
            scope.cancel()
    assert scope.cancelled_caught
    inbox.channel.close()
    assert [value async for value in Flow(inbox)] == [1, 2]


async def test_a_value_given_back_goes_to_whoever_waits() -> None:
    inbox = Inbox()
    scope = CancelScope()
    seen: list[int] = []

    async def loop(scope: CancelScope) -> None:
        with scope:
            async for value in Flow(inbox):
                seen.append(value)  # noqa: PERF401

    async with create_task_group() as tasks:
        tasks.start_soon(loop, scope)
        await settled()
        tasks.start_soon(loop, CancelScope())
        await settled()
        inbox.channel.send_nowait(1)
        scope.cancel()
        await settled()
        assert seen == [1]
        inbox.channel.close()


async def test_a_shared_flow_without_a_buffer_waits_until_the_loop_has_taken_the_value() -> None:
    shared = MutableSharedFlow[int]()
    log: list[str] = []

    async def loop() -> None:
        async for value in shared:
            log.append(f"got {value}")
            if value == 2:
                break

    async with create_task_group() as tasks, coroutine_scope():
        tasks.start_soon(loop)
        await settled()
        with fail_after(5):
            for value in range(3):
                await shared.emit(value)
                log.append(f"emitted {value}")
    assert [entry for entry in log if entry.startswith("got")] == ["got 0", "got 1", "got 2"]
    assert shared.subscription_count.value == 0


async def test_a_cancelled_loop_does_not_hold_up_the_emitter() -> None:
    shared = MutableSharedFlow[int]()
    scope = CancelScope()

    async def loop() -> None:
        with scope:
            async for value in shared:
                raise AssertionError(value)

    async with create_task_group() as tasks:
        tasks.start_soon(loop)
        await settled()
        with fail_after(5):
            pending = shared.emit(1)
            scope.cancel()
            await pending
            await shared.emit(2)


async def test_dropping_an_iterator_unsubscribes_at_once() -> None:
    state = MutableStateFlow(0)
    gc.disable()
    try:
        iterator = aiter(state)
        assert await anext(iterator) == 0
        assert state.subscription_count.value == 1
        del iterator
        assert state.subscription_count.value == 0
    finally:
        gc.enable()
