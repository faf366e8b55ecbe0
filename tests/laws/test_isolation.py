"""Law of isolation: a failing chain ends its own collection, in its own task; nobody else notices."""

from __future__ import annotations

import traceback

import pytest
from anyio import Event, fail_after, get_current_task

from flowsock import Job, MutableSharedFlow, MutableStateFlow, coroutine_scope, supervisor_scope
from tests.turns import a_while, settled

pytestmark = pytest.mark.anyio


def explode(value: int) -> int:
    if value == 2:
        raise ValueError("two")
    return value


async def test_an_error_ends_the_failing_collection_and_nothing_else() -> None:
    shared = MutableSharedFlow[int]()
    before: list[int] = []
    failing: list[int] = []
    after: list[int] = []
    failed: list[Job[None]] = []
    async with supervisor_scope(on_error=lambda job, _error: failed.append(job)) as scope:
        shared.on_each(before.append).launch_in(scope)
        await settled()
        job = shared.map(explode).on_each(failing.append).launch_in(scope)
        await settled()
        shared.on_each(after.append).launch_in(scope)
        await settled()
        for value in (1, 2, 3):
            await shared.emit(value)  # does not raise
        await settled()
        assert (before, failing, after) == ([1, 2, 3], [1], [1, 2, 3])
        assert failed == [job]
        scope.cancel()


async def test_the_error_is_raised_in_the_collectors_task_with_its_original_traceback() -> None:
    shared = MutableSharedFlow[int]()
    raised_in: list[int] = []
    errors: list[ValueError] = []

    async def collect() -> None:
        raised_in.append(get_current_task().id)
        try:
            await shared.map(explode).collect()
        except ValueError as error:
            raised_in.append(get_current_task().id)
            errors.append(error)

    async with coroutine_scope() as scope:
        job = scope.launch(collect)
        await settled()
        await shared.emit(2)
        assert shared.subscription_count.value == 0  # it has left by now, although its task did not run yet
        with fail_after(5):
            await job
    assert raised_in[0] == raised_in[1] != get_current_task().id
    assert traceback.extract_tb(errors[0].__traceback__)[-1].name == "explode"


async def test_an_error_in_an_asynchronous_stage_is_isolated_too() -> None:
    shared = MutableSharedFlow[int]()
    errors: list[Exception] = []
    healthy: list[int] = []

    async def explode_later(value: int) -> None:
        await a_while()
        explode(value)

    async with supervisor_scope(on_error=lambda _job, error: errors.append(error)) as scope:
        shared.on_each(explode_later).launch_in(scope)
        shared.on_each(healthy.append).launch_in(scope)
        await settled()
        await shared.emit(2)
        await settled()
        await shared.emit(3)
        assert [str(error) for error in errors] == ["two"]
        assert healthy == [2, 3]
        scope.cancel()


async def test_a_failing_subscriber_frees_the_emitter_that_waits_for_it() -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=1)
    gate = Event()

    async def fail_at_the_gate(_value: int) -> None:
        await gate.wait()
        raise ValueError

    async with supervisor_scope(on_error=lambda _job, _error: None) as scope:
        shared.on_each(fail_at_the_gate).launch_in(scope)
        await settled()
        shared.emit_nowait(1)
        shared.emit_nowait(2)
        emitter = scope.launch(shared.emit, 3)
        await settled()
        assert not emitter.is_completed
        gate.set()
        with fail_after(5):
            await emitter


async def test_a_state_flow_isolates_its_collectors() -> None:
    state = MutableStateFlow(0)
    seen: list[int] = []
    errors: list[Exception] = []
    async with supervisor_scope(on_error=lambda _job, error: errors.append(error)) as scope:
        state.map(explode).launch_in(scope)
        state.on_each(seen.append).launch_in(scope)
        await settled()
        state.value = 2
        state.value = 3
        await settled()
        scope.cancel()
    assert seen == [0, 2, 3]
    assert [str(error) for error in errors] == ["two"]


async def test_an_error_does_not_leak_into_an_emit_from_another_chain() -> None:
    """The chain of one flow emits into another, whose subscriber fails: the first chain goes on."""
    outer = MutableSharedFlow[int]()
    inner = MutableSharedFlow[int]()
    handled: list[int] = []
    errors: list[Exception] = []
    async with supervisor_scope(on_error=lambda _job, error: errors.append(error)) as scope:
        outer.on_each(inner.emit).on_each(handled.append).launch_in(scope)
        inner.map(explode).launch_in(scope)
        await settled()
        await outer.emit(2)
        await settled()
        assert handled == [2]
        assert len(errors) == 1
        scope.cancel()
