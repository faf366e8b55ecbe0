"""The ``emit`` that callbacks get: one value, or all of a flow."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from anyio import fail_after, move_on_after, sleep_forever

from flowsock import (
    Channel,
    Emitter,
    Flow,
    MutableSharedFlow,
    as_flow,
    combine_transform,
    consume_as_flow,
    empty_flow,
    flow,
    flow_of,
)
from tests.turns import a_while

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


async def all_of(emit: Emitter[int], count: int) -> None:
    await emit.all(as_flow(range(count)))


async def until_two(emit: Emitter[int], count: int) -> bool:
    await all_of(emit, count)
    return count < 2


@flow
async def failing() -> AsyncIterator[int]:
    yield 0
    raise ValueError("upstream")


async def test_every_callback_that_may_emit_may_emit_a_flow() -> None:
    some = flow_of(-1, -2)
    assert await flow_of(1, 2).transform(all_of).to_list() == [0, 0, 1]
    assert await flow_of(1, 2, 3).transform_while(until_two).to_list() == [0, 0, 1]
    assert await flow_of(2).transform_latest(all_of).to_list() == [0, 1]
    assert await combine_transform(flow_of(2), all_of).to_list() == [0, 1]
    assert await flow_of(0).on_start(lambda emit: emit.all(some)).to_list() == [-1, -2, 0]
    assert await flow_of(0).on_completion(lambda emit, _cause: emit.all(some)).to_list() == [0, -1, -2]
    assert await empty_flow().on_empty(lambda emit: emit.all(some)).to_list() == [-1, -2]
    assert await failing().catch(lambda emit, _error: emit.all(some)).to_list() == [0, -1, -2]
    shared: MutableSharedFlow[int] = MutableSharedFlow(replay=1)
    await shared.emit(0)
    assert await shared.on_subscription(lambda emit: emit.all(some)).take(3).to_list() == [-1, -2, 0]


async def test_what_the_flow_or_the_collector_raises_comes_out_and_an_early_stop_goes_through() -> None:
    caught: list[Exception] = []

    async def guarded(emit: Emitter[int], _value: int) -> None:
        try:
            await emit.all(failing())
        except ValueError as error:
            caught.append(error)
            await emit(-1)

    assert await flow_of(0).transform(guarded).to_list() == [0, -1]
    assert len(caught) == 1
    assert await flow_of(5).transform(all_of).take(2).to_list() == [0, 1]

    def explode(_value: int) -> None:
        raise KeyError("collector")

    with pytest.raises(KeyError, match="collector"):
        await flow_of(5).transform(all_of).collect(explode)


@pytest.mark.parametrize("slow", [False, True])
async def test_a_collector_that_failed_is_not_called_again(slow: bool) -> None:
    """Rule G4: who swallows the error of the collector and goes on breaks the law of transparency, and hears of it."""
    seen: list[int] = []

    async def fail(value: int) -> None:
        seen.append(value)
        if slow:
            await a_while()
        raise KeyError("collector")

    async def swallow(emit: Emitter[int], value: int) -> None:
        with suppress(KeyError):
            await emit(value)
        await emit(-value)

    async def swallow_all(emit: Emitter[int], value: int) -> None:
        with suppress(KeyError):
            await emit.all(flow_of(value))
        await emit(-value)

    for careless in (swallow, swallow_all):
        seen.clear()
        with pytest.raises(RuntimeError, match="emitted again") as raised:
            await flow_of(1, 2).transform(careless).collect(fail)
        assert isinstance(raised.value.__cause__, KeyError)
        assert seen == [1]


async def test_a_timeout_of_the_callbacks_own_is_no_failure_of_the_collector() -> None:
    seen: list[int] = []

    async def wait(value: int) -> None:
        if value > 0:
            await sleep_forever()
        seen.append(value)

    async def impatient(emit: Emitter[int], value: int) -> None:
        for _ in range(2):
            with move_on_after(0.01):
                await emit(value)
        await emit(-value)

    with fail_after(5):
        await flow_of(1, 2).transform(impatient).collect(wait)
    assert seen == [-1, -2]


async def refuse_all(*flows: Flow[int]) -> list[bool]:
    """Emit flows after an early stop; tell for each that was refused whether it was with the cause."""
    refused: list[bool] = []

    async def end(emit: Emitter[Any], cause: BaseException | None) -> None:
        for each in flows:
            try:
                await emit.all(each)
            except BaseException as error:
                refused.append(error is cause)

    with fail_after(5):
        assert await flow_of(1, 2, 3).on_completion(end).take(1).to_list() == [1]
    return refused


async def test_after_an_early_stop_no_flow_is_started() -> None:
    """Scenarios on_completion-13 and on_completion-14: not even one that would never end."""
    channel: Channel[int] = Channel()
    runs: list[int] = []
    counted = flow_of(1).on_start(lambda _emit: runs.append(1))
    never: MutableSharedFlow[int] = MutableSharedFlow()
    assert await refuse_all(never, consume_as_flow(channel), as_flow(channel), counted) == [True] * 4
    assert runs == []
    assert not channel.is_closed_for_send
