"""Who notices that a job failed, or was cancelled, and what he is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypeAlias

import pytest
from anyio import CancelScope, Event, create_task_group, fail_after, sleep_forever, to_thread
from anyio.lowlevel import checkpoint

from flowsock import (
    Backoff,
    Cancellation,
    Channel,
    ChannelCancelled,
    CompletableDeferred,
    JobCancelled,
    Producer,
    Restart,
    Scope,
    coroutine_scope,
    current_scope,
    produce,
    supervisor_scope,
)
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock import Job

pytestmark = pytest.mark.anyio

Body: TypeAlias = "Callable[[], Awaitable[object]]"
Middle: TypeAlias = "Callable[[Scope, Body], Awaitable[object]]"


async def fail(error: Exception) -> NoReturn:
    await checkpoint()
    raise error


# What may be between a parent and the grandchild that a body launches


async def in_a_job(parent: Scope, body: Body) -> None:
    async def child() -> None:
        async with coroutine_scope():
            await body()

    await parent.launch(child).join()


async def in_a_produced_channel(parent: Scope, body: Body) -> None:
    async def child(_producer: Producer[int]) -> None:
        await body()

    await produce(parent, child).receive(closed=None)


async def in_a_task_group(parent: Scope, body: Body) -> None:
    async def child() -> None:
        async with create_task_group() as group:
            await body_in(Scope(group), body)

    await parent.launch(child).join()


async def in_a_scope(_parent: Scope, body: Body) -> None:
    async with coroutine_scope():
        await body()


async def in_a_timeout(_parent: Scope, body: Body) -> None:
    with fail_after(1000):
        async with coroutine_scope():
            await body()


async def in_a_supervisor(_parent: Scope, body: Body) -> None:
    async with supervisor_scope(on_error=lambda _job, _error: None):
        await body()


async def body_in(scope: Scope, body: Body) -> None:
    await scope.launch(body)


def launching(function: Callable[[], Awaitable[object]]) -> Body:
    """Give a body that launches a grandchild in the scope that it is in, and joins it."""

    async def body() -> None:
        scope = current_scope()
        assert scope is not None
        await scope.launch(function).join()

    return body


@pytest.mark.parametrize("middle", [in_a_job, in_a_produced_channel, in_a_task_group])
async def test_a_failure_goes_up_through_jobs(middle: Middle) -> None:
    """Scenarios propagation-01 and propagation-02 (one kind of job here), propagation-03, propagation-04."""
    reported: list[Exception] = []
    cancelled: list[str] = []

    async def wait_and_tell() -> None:
        try:
            await sleep_forever()
        finally:
            cancelled.append("sibling")

    with fail_after(5):
        async with supervisor_scope(on_error=lambda _job, error: reported.append(error)) as outermost:

            async def family() -> None:
                async with coroutine_scope() as parent:
                    parent.launch(wait_and_tell)
                    await settled()
                    await middle(parent, launching(lambda: fail(ValueError("grandchild"))))
                    raise AssertionError("the parent was not cancelled")

            await outermost.launch(family).join()
    assert cancelled == ["sibling"]
    [error] = reported
    assert "grandchild" in str(error) or isinstance(error, ExceptionGroup)


@pytest.mark.parametrize("middle", [in_a_scope, in_a_timeout])
async def test_a_failure_in_a_nested_block_is_raised_there(middle: Middle) -> None:
    """Scenarios propagation-06 and propagation-07."""
    async with coroutine_scope() as parent:
        with pytest.raises(ValueError, match="grandchild"):
            await middle(parent, launching(lambda: fail(ValueError("grandchild"))))
        assert parent.is_active
        await checkpoint()


MIDDLES = [in_a_job, in_a_produced_channel, in_a_task_group, in_a_scope, in_a_timeout, in_a_supervisor]


@pytest.mark.parametrize("middle", MIDDLES)
@pytest.mark.parametrize("kind", [Cancellation, JobCancelled, ChannelCancelled])
async def test_a_cancellation_that_leaves_a_job_is_no_failure(middle: Middle, kind: type[Exception]) -> None:
    """Scenario propagation-08, rule J2."""
    ended: list[bool] = []

    async def grandchild() -> None:
        scope = current_scope()
        assert scope is not None
        job: Job[NoReturn] = scope.launch(fail, kind("thrown"))
        job.invoke_on_completion(lambda cause: ended.append(isinstance(cause, JobCancelled) and cause.__cause__ is not None))
        await job.join()
        await checkpoint()

    with fail_after(5):
        async with coroutine_scope() as parent:
            await middle(parent, grandchild)
            assert parent.is_active
            await checkpoint()
    assert ended == [True]


async def test_who_awaits_a_cancelled_job_is_cancelled_with_it() -> None:
    async with coroutine_scope() as scope:
        first = scope.launch(sleep_forever, name="first")

        async def depend() -> None:
            await first

        second = scope.launch(depend, name="second")
        await settled()
        first.cancel("not needed")
        await second.join()
        assert scope.is_active
        assert second.is_cancelled
        assert second.error is None
        with pytest.raises(JobCancelled, match="second") as raised:
            await second
        assert isinstance(raised.value.__cause__, JobCancelled)
        assert str(raised.value.__cause__) == "job 'first' was cancelled: not needed"


async def test_a_cancellation_is_neither_reported_nor_restarted() -> None:
    calls: list[str] = []

    def run() -> NoReturn:
        calls.append("run")
        raise Cancellation("enough")

    async with supervisor_scope(on_error=lambda _job, _error: calls.append("reported")) as scope:
        job: Job[NoReturn] = scope.launch(run, restart=Restart(backoff=Backoff(0)))
        await job.join()
    assert calls == ["run"]
    assert job.is_cancelled


async def test_who_sends_to_a_cancelled_channel_ends_quietly() -> None:
    channel: Channel[int] = Channel()

    async def send() -> None:
        await channel.send(1)

    async with coroutine_scope() as scope:
        sender = scope.launch(send)
        await settled()
        channel.cancel()
        await sender.join()
        assert scope.is_active
    assert sender.is_cancelled


async def test_a_cancellation_that_leaves_the_body_of_a_scope_is_raised() -> None:
    """As in Kotlin, where the caller of a scope is no child of it."""
    deferred: CompletableDeferred[int] = CompletableDeferred()
    deferred.cancel()
    with pytest.raises(JobCancelled):
        async with coroutine_scope():
            await deferred


# What the cancelled are told


async def test_the_cause_of_a_cancelled_job_is_what_failed_its_scope() -> None:
    """Scenarios supervisor-10 and completable-10, rule J3."""
    error = ValueError("E")
    for make in (coroutine_scope, supervisor_scope):
        with pytest.raises(ValueError, match="E"):
            async with make() as scope:
                waiting = scope.launch(sleep_forever)
                await settled()
                raise error
        with pytest.raises(JobCancelled, match="its scope failed") as raised:
            await waiting
        assert raised.value.__cause__ is error


async def test_the_cause_of_a_cancelled_sibling_is_the_failed_job() -> None:
    error = ValueError("E")
    with pytest.raises(ValueError, match="E"):
        async with coroutine_scope() as scope:
            waiting = scope.launch(sleep_forever)
            lazy = scope.launch(sleep_forever, lazy=True)
            await settled()
            scope.launch(fail, error)
    for job in (waiting, lazy):
        with pytest.raises(JobCancelled) as raised:
            await job
        assert raised.value.__cause__ is error


async def test_failing_a_supervisor_fails_the_scope_around_it() -> None:
    """Scenario supervisor-09."""
    with pytest.raises(ValueError, match="supervisor"):
        async with coroutine_scope() as parent:

            async def child() -> None:
                async with supervisor_scope():
                    raise ValueError("supervisor")

            parent.launch(child)
            await sleep_forever()


async def test_a_cancellation_may_give_its_reason_and_its_cause() -> None:
    cause = ValueError("cause")
    async with coroutine_scope() as scope:
        alone = scope.launch(sleep_forever, name="alone")
        alone.cancel("a reason", cause=cause)
        alone.cancel("too late")
        together = scope.launch(sleep_forever, name="together")
        scope.cancel("the end")
        late = scope.launch(sleep_forever, name="late")
    for job, message in (
        (alone, "job 'alone' was cancelled: a reason"),
        (together, "job 'together' was cancelled: the end"),
        (late, "job 'late' was cancelled: its scope was cancelled"),
    ):
        with pytest.raises(JobCancelled) as raised:
            await job
        assert str(raised.value) == message
    assert alone.is_completed
    with pytest.raises(JobCancelled) as raised:
        alone.result()
    assert raised.value.__cause__ is cause


async def test_siblings_are_marked_at_once_when_one_fails() -> None:
    seen: list[bool] = []

    async def look() -> None:
        try:
            await sleep_forever()
        finally:
            seen.append(other.is_active)

    with pytest.raises(ValueError, match="E"):
        async with coroutine_scope() as scope:
            other = scope.launch(look)
            scope.launch(look)
            await settled()
            raise ValueError("E")
    assert seen == [False, False]


async def test_what_cancels_an_outer_scope_shows_at_once_in_all_that_is_inside() -> None:
    inner_scopes: list[Scope] = []

    async def open_a_scope(cancel: Callable[[], None]) -> None:
        async with coroutine_scope() as middle, coroutine_scope() as inner:
            inner_scopes[:] = [middle, inner]
            job = inner.launch(sleep_forever)
            await settled()
            middle.ensure_active()
            cancel()
            assert (job.is_active, job.is_completed, job.is_cancelled) == (False, False, True)
            assert not inner.is_active
            assert middle.is_cancelled
            for each in (middle, inner, job):
                with pytest.raises(JobCancelled):
                    each.ensure_active()
            assert not inner.launch(sleep_forever).is_active

    async with coroutine_scope() as outer:
        outer.launch(open_a_scope, outer.cancel)
    async with coroutine_scope() as outer:
        owner: Job[None] = outer.launch(open_a_scope, lambda: owner.cancel())
        await owner.join()
        assert outer.is_active
        assert [each.is_active for each in inner_scopes] == [False, False]


async def test_the_cause_of_a_cancellation_from_far_above_leads_to_the_failure() -> None:
    error = ValueError("E")
    jobs: list[Job[None]] = []

    async def open_a_scope() -> None:
        async with supervisor_scope() as inner:
            jobs.append(inner.launch(sleep_forever))

    with pytest.raises(ValueError, match="E"):
        async with coroutine_scope() as outer:
            outer.launch(open_a_scope)
            await settled()
            raise error
    with pytest.raises(JobCancelled) as raised:
        await jobs[0]
    causes: list[BaseException] = []
    cause = raised.value.__cause__
    while cause is not None:
        causes.append(cause)
        cause = cause.__cause__
    assert causes[-1] is error


async def test_a_task_that_outlives_the_job_that_started_it_keeps_its_scope() -> None:
    seen: list[Scope | None] = []
    go = Event()

    async def look() -> None:
        await go.wait()
        seen.append(current_scope())

    async def start() -> None:
        group.start_soon(look)

    async with create_task_group() as group, coroutine_scope() as scope:
        await scope.launch(start).join()
        go.set()
        await settled()
    assert seen == [scope]


async def test_a_scope_in_a_task_that_outlives_what_started_it_is_its_own() -> None:
    go = Event()
    done: list[int] = []

    async def detached() -> None:
        await go.wait()
        async with coroutine_scope() as own:
            own.ensure_active()
            done.append(await own.launch(lambda: 42))

    async with create_task_group() as group:

        async def start_and_hang() -> None:
            group.start_soon(detached)
            await sleep_forever()

        async with coroutine_scope() as scope:
            group.start_soon(detached)
            job = scope.launch(start_and_hang)
            await settled()
            await job.cancel_and_join()
            scope.cancel()
        go.set()
    assert done == [42, 42]


# Asking instead of waiting


async def test_asking_a_job_whether_it_is_active() -> None:
    """Scenario job-14."""
    async with coroutine_scope() as scope:
        job = scope.launch(checkpoint)
        job.ensure_active()
        await job
        with pytest.raises(JobCancelled, match="not active"):
            job.ensure_active()
        lazy = scope.launch(checkpoint, lazy=True)
        with pytest.raises(JobCancelled, match="not active"):
            lazy.ensure_active()
        lazy.cancel("why")
        with pytest.raises(JobCancelled, match="why"):
            lazy.ensure_active()


async def test_asking_a_scope_that_failed_tells_why() -> None:
    """Scenario job-13."""
    error = ValueError("E")
    with pytest.raises(ValueError, match="E"):
        async with coroutine_scope() as scope:
            scope.ensure_active()
            raise error
    for _ in range(2):
        with pytest.raises(JobCancelled, match="the scope was cancelled") as raised:
            scope.ensure_active()
        assert raised.value.__cause__ is error


async def test_a_loop_that_never_waits_may_ask_its_scope() -> None:
    log: list[str] = []

    def loop(scope: Scope) -> None:
        for _ in range(10):
            scope.ensure_active()
            log.append("turn")
            if log.count("turn") == 3:
                scope.cancel()

    async with coroutine_scope() as scope:
        job = scope.launch(loop, scope)
        await job.join()
        log.append("not reached")
    assert job.is_cancelled
    assert log == ["turn"] * 3
    log.clear()
    async with coroutine_scope() as scope:
        loop(scope)
    assert log == ["turn"] * 3


async def test_the_quiet_end_of_a_body_does_not_hide_a_failure() -> None:
    with pytest.raises(ValueError, match="E"):
        async with coroutine_scope() as scope:
            scope.launch(fail, ValueError("E"))
            with CancelScope(shield=True):
                await settled()
            scope.ensure_active()


# Where it is detached, or shielded


async def test_a_detached_job_that_fails_fails_only_who_awaits_it() -> None:
    """Scenario deferred-04."""
    async with supervisor_scope(on_error=lambda _job, _error: None) as elsewhere, coroutine_scope() as scope:

        async def outer() -> int:
            with pytest.raises(ValueError, match="inner"):
                await elsewhere.launch(fail, ValueError("inner"))
            return 42

        assert await scope.launch(outer) == 42


async def test_a_cancelled_task_enters_no_other_context() -> None:
    """Scenario scope-11: the way into a thread is a cancellation point."""
    ran: list[str] = []
    with CancelScope() as scope:
        scope.cancel()
        await to_thread.run_sync(ran.append, "ran")
    assert scope.cancelled_caught
    assert ran == []


async def test_body_and_children_that_fail_together_come_as_a_group() -> None:
    """Scenario scope-13; Kotlin attaches the later errors to that of the body."""
    ready = Event()

    async def fail_when_cancelled(error: Exception) -> NoReturn:
        try:
            await sleep_forever()
        finally:
            raise error

    errors = [ValueError("E0"), KeyError("E1"), TypeError("E2")]
    with pytest.raises(ExceptionGroup) as raised:
        async with coroutine_scope() as scope:
            scope.launch(fail_when_cancelled, errors[1])
            scope.launch(fail_when_cancelled, errors[2])
            await settled()
            ready.set()
            raise errors[0]
    assert set(raised.value.exceptions) == set(errors)
