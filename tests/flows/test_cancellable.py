"""`cancellable`: a cancellation is seen before each value."""

from __future__ import annotations

import pytest

from flowsock import Channel, Flow, MutableSharedFlow, MutableStateFlow, as_flow, coroutine_scope, flow_of
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def seen_after_own_cancellation(make: Flow[int], at: int) -> list[int]:
    seen: list[int] = []
    async with coroutine_scope() as scope:

        def cancel_myself(value: int) -> None:
            seen.append(value)
            if value == at:
                job.cancel()

        job = make.on_each(cancel_myself).launch_in(scope)
        await job.join()
        assert job.is_cancelled
    return seen


async def test_nothing_comes_through_after_a_cancellation() -> None:
    numbers = as_flow(range(1001))
    assert await seen_after_own_cancellation(numbers.cancellable(), 0) == [0]
    assert await seen_after_own_cancellation(numbers.cancellable(), 7) == [*range(8)]
    assert await seen_after_own_cancellation(numbers.map(lambda value: value).cancellable(), 7) == [*range(8)]


async def test_without_it_a_source_that_never_waits_looks_at_every_128th_value() -> None:
    assert await seen_after_own_cancellation(as_flow(range(1001)), 0) == [*range(128)]


async def test_nothing_is_lost_or_reordered() -> None:
    assert await as_flow(range(300)).cancellable().to_list() == [*range(300)]
    assert await flow_of(1, 2, 3).cancellable().take(2).to_list() == [1, 2]
    shared: MutableSharedFlow[int] = MutableSharedFlow(replay=2)
    await shared.emit(1)
    await shared.emit(2)
    assert await shared.take(2).cancellable().to_list() == [1, 2]


async def test_a_hot_flow_looks_before_each_value_anyway() -> None:
    """Scenario shared_flow-30."""
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    state = MutableStateFlow(1)
    assert shared.cancellable() is shared
    assert state.cancellable() is state
    assert shared.buffer(0) is shared
    assert shared.buffer(1) is not shared

    seen: list[int] = []
    channel: Channel[int] = Channel()
    async with coroutine_scope() as scope:
        jobs = [each.cancellable().on_each(seen.append).launch_in(scope) for each in (shared.map(abs), as_flow(channel))]
        await settled()
        await shared.emit(-1)
        await channel.send(2)
        await settled()
        for job in jobs:
            job.cancel()
        await shared.emit(-3)
    assert seen == [1, 2]
