"""Law of fairness: a source that never suspends gives the others a turn every 128 emissions, and sees cancellation there."""

from __future__ import annotations

from itertools import count, pairwise, repeat
from typing import TYPE_CHECKING, Any

import pytest
from anyio import fail_after
from anyio.lowlevel import checkpoint

from flowsock import (
    BufferOverflow,
    Flow,
    MutableSharedFlow,
    MutableStateFlow,
    Producer,
    as_flow,
    channel_flow,
    coroutine_scope,
    empty_flow,
    flow,
    flow_of,
)
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio


@flow
async def forever() -> AsyncIterator[int]:
    """Scenario builders-06: every 128th emit is a cancellation point."""
    for number in count():
        yield number


@channel_flow
async def sending(producer: Producer[int]) -> None:
    for number in count():
        await producer.send(number)


async def emit_forever(emit: Any, _value: object = None, _more: object = None) -> None:
    for number in count():
        await emit(number)


def fail(_value: int) -> int:
    raise ValueError


def most(backend: str) -> int:
    # Trio runs those who are ready in any order, so that two turns of one task may follow each other.
    return 256 if backend == "trio" else 128


SOURCES: dict[str, Callable[[], Flow[int]]] = {
    "iterable": lambda: as_flow(count()),
    "stages": lambda: as_flow(count()).map(lambda value: value + 1).filter(lambda value: value > 0),
    "generator": forever,
    "transform": lambda: flow_of(1).transform(emit_forever),
    "on_start": lambda: flow_of(1).on_start(emit_forever),
    "on_completion": lambda: flow_of(1).on_completion(emit_forever),
    "on_empty": lambda: empty_flow().on_empty(emit_forever),
    "catch": lambda: flow_of(1).map(fail).catch(emit_forever),
    "concat": lambda: as_flow(count()).flat_map_concat(lambda value: flow_of(value)),
    "concat of endless": lambda: flow_of(1).flat_map_concat(lambda _value: as_flow(count())),
    "buffer": lambda: as_flow(count()).buffer(4),
    "conflate": lambda: as_flow(count()).conflate(),
    "channel_flow": sending,
    "conflated channel_flow": lambda: sending().conflate(),
    "dropping channel_flow": lambda: sending().buffer(4, on_buffer_overflow=BufferOverflow.DROP_LATEST),
    "transform_latest": lambda: flow_of(1).transform_latest(emit_forever).conflate(),
    "filtered out": lambda: as_flow(count()).filter(lambda _value: False),
    "flat_map_merge": lambda: as_flow(repeat(1)).flat_map_merge(lambda _value: empty_flow()),
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES.keys())
async def test_an_endless_source_does_not_starve_the_others_and_can_be_cancelled(make: Callable[[], Flow[int]]) -> None:
    async with coroutine_scope() as scope:
        job = make().launch_in(scope)
        for _ in range(10):
            await checkpoint()
        job.cancel()
        with fail_after(5):
            await job.join()
        assert job.is_completed


async def test_an_endless_retry_does_not_starve_the_others() -> None:
    """Scenario retry-06."""
    for failing in (flow_of(1).map(fail).retry(), flow_of(1).map(fail).retry_when(lambda _emit, _error, _attempt: True)):
        async with coroutine_scope() as scope:
            job = failing.launch_in(scope)
            for _ in range(10):
                await checkpoint()
            job.cancel()
            with fail_after(5):
                await job.join()


@pytest.mark.parametrize("name", ["iterable", "stages", "generator", "transform", "on_start", "concat of endless"])
async def test_others_have_a_turn_after_128_emissions_at_the_latest(name: str, anyio_backend_name: str) -> None:
    seen: list[int] = []
    marks: list[int] = []
    async with coroutine_scope() as scope:
        job = SOURCES[name]().on_each(seen.append).launch_in(scope)
        for _ in range(20):
            await checkpoint()
            marks.append(len(seen))
        job.cancel()
    gaps = [after - before for before, after in pairwise(marks)]
    assert max(gaps) <= most(anyio_backend_name)
    assert marks[-1] > 128


async def test_awaiting_the_emit_of_a_hot_flow_is_fair() -> None:
    shared = MutableSharedFlow[int]()
    async with coroutine_scope() as scope:
        job = scope.launch(emit_forever, shared.emit)
        for _ in range(10):
            await checkpoint()
        job.cancel()
        with fail_after(5):
            await job.join()


async def test_emit_nowait_does_not_use_up_the_turn_of_emit() -> None:
    shared = MutableSharedFlow[int]()

    async def emit() -> None:
        while True:
            await shared.emit(1)
            shared.emit_nowait(2)

    async with coroutine_scope() as scope:
        job = scope.launch(emit)
        for _ in range(10):
            await checkpoint()
        job.cancel()
        with fail_after(5):
            await job.join()


async def test_flows_that_emit_into_each_other_give_a_turn() -> None:
    ping = MutableSharedFlow[int](extra_buffer_capacity=1)
    pong = MutableSharedFlow[int](extra_buffer_capacity=1)
    async with coroutine_scope() as scope:
        ping.on_each(pong.emit).launch_in(scope)
        pong.on_each(ping.emit).launch_in(scope)
        await settled()
        await ping.emit(1)
        for _ in range(10):
            await checkpoint()
        scope.cancel()


async def test_a_long_backlog_is_worked_off_in_turns(anyio_backend_name: str) -> None:
    shared = MutableSharedFlow[int](replay=10_000)
    for value in range(10_000):
        shared.emit_nowait(value)
    seen: list[int] = []
    async with coroutine_scope() as scope:
        job = shared.on_each(seen.append).launch_in(scope)
        marks = []
        for _ in range(10):
            await checkpoint()
            marks.append(len(seen))
        job.cancel()
    assert 128 <= marks[-1] < 10_000
    assert max(after - before for before, after in pairwise(marks)) <= most(anyio_backend_name)


async def test_a_state_that_is_set_without_end_lets_others_run() -> None:
    state = MutableStateFlow(0)
    others_ran = False

    async def other() -> None:
        nonlocal others_ran
        others_ran = True

    async with coroutine_scope() as scope:
        scope.launch(other)
        for number in range(10_000):
            await state.emit(number)
            if others_ran:
                break
    assert others_ran
    assert state.value < 10_000 - 1
