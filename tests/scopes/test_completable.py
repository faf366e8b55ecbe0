"""`CompletableDeferred`: set once by anybody, awaited by many."""

from __future__ import annotations

import pytest
from anyio import CancelScope, fail_after, sleep_forever

from flowsock import Channel, CompletableDeferred, JobCancelled, coroutine_scope, select, supervisor_scope
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def await_into(seen: list[object], deferred: CompletableDeferred[int]) -> None:
    try:
        seen.append(await deferred)
    except Exception as error:
        seen.append(error)


async def test_everybody_gets_the_value() -> None:
    deferred: CompletableDeferred[int] = CompletableDeferred(name="answer")
    seen: list[object] = []
    assert (deferred.is_active, deferred.is_completed, deferred.is_cancelled) == (True, False, False)
    assert repr(deferred) == "<Job answer (active)>"
    async with coroutine_scope() as scope:
        for _ in range(3):
            scope.launch(await_into, seen, deferred)
        await settled()
        assert seen == []
        assert deferred.complete(42) is True
        assert deferred.is_completed
        assert seen == [], "those who wait run at their next turn"
    assert seen == [42, 42, 42]
    assert await deferred == deferred.result() == 42
    assert repr(deferred) == "<Job answer (completed)>"


async def test_everybody_gets_the_error() -> None:
    deferred: CompletableDeferred[int] = CompletableDeferred()
    error = ValueError("no")
    seen: list[object] = []
    async with coroutine_scope() as scope:
        scope.launch(await_into, seen, deferred)
        scope.launch(await_into, seen, deferred)
        await settled()
        assert deferred.complete_exceptionally(error) is True
    assert seen == [error, error]
    assert deferred.error is error
    assert (deferred.is_active, deferred.is_completed, deferred.is_cancelled) == (False, True, True)


async def test_only_the_first_call_decides() -> None:
    value, error, cancelled = (CompletableDeferred[int]() for _ in range(3))
    assert value.complete(1)
    assert error.complete_exceptionally(ValueError("first"))
    cancelled.cancel("never mind")
    assert cancelled.is_completed
    for deferred in (value, error, cancelled):
        assert deferred.complete(2) is False
        assert deferred.complete_exceptionally(KeyError("second")) is False
        deferred.cancel()
    assert await value == 1
    with pytest.raises(ValueError, match="first"):
        await error
    with pytest.raises(JobCancelled, match="never mind"):
        await cancelled


async def test_a_value_may_be_none() -> None:
    deferred: CompletableDeferred[int | None] = CompletableDeferred()
    assert deferred.complete(None) is True
    assert deferred.complete(None) is False
    assert await deferred is None


async def test_a_result_that_is_not_there_yet() -> None:
    with pytest.raises(RuntimeError, match="has not ended"):
        CompletableDeferred[int]().result()


async def test_it_may_be_selected() -> None:
    deferred: CompletableDeferred[int] = CompletableDeferred()
    channel: Channel[int] = Channel()
    async with coroutine_scope() as scope:
        waiting = scope.launch(select, channel.on_receive(), deferred.on_await(lambda value: value + 1))
        await settled()
        deferred.complete(41)
        assert await waiting == 42
    assert channel.statistics().waiting_receivers == 0
    assert await select(deferred.on_join(lambda: "ended")) == "ended"


async def test_a_cancelled_awaiter_leaves_it_alone() -> None:
    deferred: CompletableDeferred[int] = CompletableDeferred()
    seen: list[object] = []
    with CancelScope() as outside:
        async with coroutine_scope() as scope:
            scope.launch(await_into, seen, deferred)
            await settled()
            outside.cancel()
    assert deferred.is_active
    deferred.complete(1)
    assert seen == []


async def test_a_child_keeps_its_scope_from_ending() -> None:
    log: list[str] = []

    async def run(deferred: CompletableDeferred[int]) -> None:
        await settled()
        log.append("completing")
        deferred.complete(1)

    async with coroutine_scope() as outer:
        async with coroutine_scope() as scope:
            outer.launch(run, CompletableDeferred[int](scope))
        log.append("ended")
    assert log == ["completing", "ended"]


async def test_cancelling_the_scope_completes_its_child_at_once() -> None:
    """Scenario completable-04."""
    async with coroutine_scope() as scope:
        deferred: CompletableDeferred[int] = CompletableDeferred(scope)
        await settled()
        scope.cancel()
        assert deferred.is_completed
        assert deferred.is_cancelled
        assert deferred.complete(1) is False
    with CancelScope() as outside:
        async with coroutine_scope() as scope:
            deferred = CompletableDeferred(scope)
            await settled()
            outside.cancel()
    with pytest.raises(JobCancelled):
        await deferred


async def test_cancelling_a_child_leaves_its_scope_active() -> None:
    """Scenario completable-06."""
    async with coroutine_scope() as scope:
        deferred: CompletableDeferred[int] = CompletableDeferred(scope)
        await settled()
        deferred.cancel()
        await settled()
        assert scope.is_active
        assert scope.jobs == ()


async def test_a_child_that_completes_exceptionally_fails_its_scope() -> None:
    error = ValueError("child")
    with pytest.raises(ValueError, match="child") as raised, fail_after(5):
        async with coroutine_scope() as scope:
            CompletableDeferred[int](scope).complete_exceptionally(error)
            await sleep_forever()
    assert raised.value is error
    reported: list[Exception] = []
    async with supervisor_scope(on_error=lambda _job, failure: reported.append(failure)) as scope:
        CompletableDeferred[int](scope).complete_exceptionally(error)
    assert reported == [error]


async def test_an_error_wins_against_a_cancellation_from_outside() -> None:
    with pytest.raises(ValueError, match="child"), CancelScope() as outside:
        async with coroutine_scope() as scope:
            deferred: CompletableDeferred[int] = CompletableDeferred(scope)
            await settled()
            outside.cancel()
            deferred.complete_exceptionally(ValueError("child"))


async def test_a_child_of_a_scope_that_has_ended_is_refused() -> None:
    async with coroutine_scope() as scope:
        pass
    with pytest.raises(RuntimeError):
        CompletableDeferred[int](scope)
