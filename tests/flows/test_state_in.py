"""`await flow.state_in(scope)`: a state that starts as the flow's first value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anyio import Event, create_task_group, fail_after, get_cancelled_exc_class, sleep_forever

from flowsock import (
    Flow,
    JobCancelled,
    NoSuchElement,
    Scope,
    SharingStarted,
    coroutine_scope,
    empty_flow,
    flow,
    flow_of,
)
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


@flow
async def slow(log: list[str], gate: Event) -> AsyncIterator[int]:
    log.append("started")
    try:
        await gate.wait()
        yield 1
        await a_while()
        yield 2
        await sleep_forever()
    finally:
        log.append("ended")


async def test_the_first_value_is_waited_for_and_later_ones_follow() -> None:
    log: list[str] = []
    gate = Event()
    async with coroutine_scope() as scope:
        waiting = scope.launch(slow(log, gate).state_in, scope)
        await settled()
        assert log == ["started"]
        assert waiting.is_active
        gate.set()
        with fail_after(5):
            state = await waiting
            assert state.value in (1, 2)
            assert await state.first(lambda value: value == 2) == 2
        assert state.replay_cache == [2]
        scope.cancel()
    assert log == ["started", "ended"]


async def test_an_empty_flow_has_nothing_to_start_with_and_the_scope_is_unharmed() -> None:
    async with coroutine_scope() as scope:
        with pytest.raises(NoSuchElement):
            await empty_flow().state_in(scope)
        assert scope.is_active
        assert len(scope.jobs) == 0


async def test_a_flow_that_ends_leaves_its_last_value() -> None:
    async with coroutine_scope() as scope:
        state = await flow_of(1, 2, 3).state_in(scope)
        await settled()
        assert state.value == 3
        assert len(scope.jobs) == 0


@flow
async def failing(*values: int) -> AsyncIterator[int]:
    for value in values:
        yield value
    raise ValueError("upstream")


async def test_a_failure_before_the_first_value_is_the_callers_and_the_scopes() -> None:
    """Scenario state_in-04: the caller is outside of the scope, so that both can be told."""
    told: list[BaseException] = []

    async with create_task_group() as tasks:
        ready = Event()
        scopes: list[Scope] = []

        async def own() -> None:
            with pytest.raises(ValueError, match="upstream") as raised:
                async with coroutine_scope() as scope:
                    scopes.append(scope)
                    ready.set()
                    await sleep_forever()
            told.append(raised.value)

        tasks.start_soon(own)
        await ready.wait()
        with pytest.raises(ValueError, match="upstream") as raised, fail_after(5):
            await failing().state_in(scopes[0])
        told.append(raised.value)
    assert len(told) == 2
    assert told[0] is told[1]


async def test_a_failure_before_the_first_value_comes_out_of_the_scope_of_the_caller_once() -> None:
    with pytest.raises(ValueError, match="upstream"):
        async with coroutine_scope() as scope:
            await failing().state_in(scope)


async def test_a_failure_after_the_first_value_is_the_scopes() -> None:
    with pytest.raises(ValueError, match="upstream"):
        async with coroutine_scope() as scope:
            state = await failing(1).state_in(scope)
            await sleep_forever()
    assert state.value == 1


async def test_a_cancelled_scope_gives_no_state() -> None:
    async with coroutine_scope() as scope:
        scope.cancel()
        with pytest.raises(get_cancelled_exc_class()):
            await flow_of(1).state_in(scope)

    async with coroutine_scope() as scope:
        other = await scope.launch(ended_scope)
        with pytest.raises(RuntimeError):
            await flow_of(1).state_in(other)


async def ended_scope() -> Scope:
    async with coroutine_scope() as scope:
        return scope


async def test_a_scope_that_is_cancelled_meanwhile_tells_a_caller_outside_of_it() -> None:
    scopes: list[Scope] = []

    async def own() -> None:
        async with coroutine_scope() as scope:
            scopes.append(scope)
            await sleep_forever()

    async with coroutine_scope() as outer:
        outer.launch(own)
        await settled()

        async def cancel() -> None:
            await settled()
            scopes[0].cancel()

        outer.launch(cancel)
        with pytest.raises(JobCancelled), fail_after(5):
            await slow([], Event()).state_in(scopes[0])


async def test_a_caller_that_is_cancelled_ends_the_collection() -> None:
    log: list[str] = []
    async with coroutine_scope() as scope:
        waiting = scope.launch(slow(log, Event()).state_in, scope)
        await settled()
        assert len(scope.jobs) == 2
        await waiting.cancel_and_join()
        await settled()
        assert log == ["started", "ended"]
        assert len(scope.jobs) == 0


async def test_started_goes_with_an_initial_value_only() -> None:
    async with coroutine_scope() as scope:
        state_in: Any = Flow.state_in
        with pytest.raises(ValueError, match="initial"):
            state_in(flow_of(1), scope, started=SharingStarted.LAZILY)
        assert len(scope.jobs) == 0


async def test_none_is_an_initial_value_and_a_first_value() -> None:
    async with coroutine_scope() as scope:
        assert flow_of(1).state_in(scope, initial=None).value is None
        assert (await flow_of(None).state_in(scope)).value is None
        scope.cancel()
