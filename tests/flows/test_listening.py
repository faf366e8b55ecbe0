"""A launched hot flow has no task while its collector is idle, and is a job like any other all the same."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import pytest
from anyio import CancelScope, Event, create_task_group, get_running_tasks
from anyio.lowlevel import checkpoint

from flowsock import (
    BufferOverflow,
    Flow,
    Job,
    JobCancelled,
    MutableSharedFlow,
    MutableStateFlow,
    Scope,
    as_flow,
    coroutine_scope,
    current_scope,
    supervisor_scope,
)
from flowsock.channels.channel import Channel
from tests.turns import settled

pytestmark = pytest.mark.anyio


def plain(shared: MutableSharedFlow[Any]) -> Flow[Any]:
    return shared


def staged(shared: MutableSharedFlow[Any]) -> Flow[Any]:
    return shared.map(lambda value: value).filter(lambda _value: True)


def buffered(shared: MutableSharedFlow[Any]) -> Flow[Any]:
    return shared.buffer(4, on_buffer_overflow=BufferOverflow.DROP_OLDEST)


def staged_and_buffered(shared: MutableSharedFlow[Any]) -> Flow[Any]:
    return shared.map(lambda value: value).buffer(4).map(lambda value: value)


@pytest.fixture(params=[plain, staged, buffered, staged_and_buffered])
def listened(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_many_launched_flows_have_one_task(listened: Any) -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow(extra_buffer_capacity=4)
    seen: list[int] = []
    before = len(get_running_tasks())
    async with coroutine_scope() as scope:
        for _ in range(10):
            listened(shared).on_each(seen.append).launch_in(scope)
        await settled()
        assert len(get_running_tasks()) == before + 1
        await shared.emit(1)
        assert seen == [1] * 10
        scope.cancel_children()
        await settled()
        assert len(get_running_tasks()) == before
        await shared.emit(2)
    assert seen == [1] * 10
    assert shared.subscription_count.value == 0


async def test_a_job_that_has_to_wait_gets_a_task_and_its_context(listened: Any) -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow(extra_buffer_capacity=4)
    name: ContextVar[str] = ContextVar("name")
    seen: list[tuple[int, str, Scope | None]] = []
    gate = Event()

    async def note(value: int) -> None:
        await gate.wait()
        seen.append((value, name.get(), current_scope()))

    async with coroutine_scope() as scope:
        name.set("launcher")
        job = listened(shared).on_each(note).launch_in(scope)
        await settled()
        name.set("emitter")
        await shared.emit(1)
        await shared.emit(2)
        await settled()
        assert seen == []
        gate.set()
        await settled()
        assert job.is_active
        job.cancel()
    assert seen == [(1, "launcher", scope), (2, "launcher", scope)]


async def test_the_block_waits_for_it(listened: Any) -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    seen: list[int] = []
    jobs: list[Job[None]] = []
    left = Event()

    async def block() -> None:
        async with coroutine_scope() as scope:
            jobs.append(listened(shared).on_each(seen.append).launch_in(scope))
        left.set()

    async with create_task_group() as tasks:
        tasks.start_soon(block)
        await settled()
        await shared.emit(1)
        assert not left.is_set()
        assert jobs[0].is_active
        jobs[0].cancel()
        await settled()
        assert left.is_set()
    assert seen == [1]
    assert jobs[0].is_cancelled


async def test_cancel_ends_it_at_once(listened: Any) -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    seen: list[int] = []
    told: list[BaseException | None] = []
    async with coroutine_scope() as scope:
        job = listened(shared).on_each(seen.append).launch_in(scope)
        job.invoke_on_completion(told.append)
        await settled()
        job.cancel("enough")
        assert job.is_completed
        assert job not in scope.jobs
        assert shared.subscription_count.value == 0
        assert [str(error) for error in told] == ["job 'launch_in' was cancelled: enough"]
        with pytest.raises(JobCancelled, match="enough"):
            await job
    assert seen == []


async def test_a_cancellation_from_around_the_scope_silences_it_at_once(listened: Any) -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    seen: list[int] = []
    jobs: list[Job[None]] = []
    with CancelScope() as around:
        async with coroutine_scope() as scope:
            jobs += [listened(shared).on_each(seen.append).launch_in(scope) for _ in range(3)]
            await settled()
            around.cancel()
            with CancelScope(shield=True):
                shared.emit_nowait(1)
                await checkpoint()
                shared.emit_nowait(2)
    assert seen == []
    assert [job.is_cancelled for job in jobs] == [True] * 3
    with pytest.raises(JobCancelled, match="a scope around it was cancelled"):
        jobs[0].result()


async def test_whoever_watches_for_the_others_may_end_first() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    seen: list[int] = []
    with CancelScope() as around:
        async with coroutine_scope() as scope:
            first = shared.launch_in(scope)
            await settled()
            second = shared.on_each(seen.append).launch_in(scope)
            await settled()
            first.cancel()
            await settled()
            await shared.emit(1)
            second.cancel()
            third = shared.on_each(seen.append).launch_in(scope)
            await settled()
            await shared.emit(2)
            around.cancel()
            shared.emit_nowait(3)
    assert seen == [1, 2]
    assert third.is_cancelled


async def test_a_failure_of_its_chain_is_the_scopes(listened: Any) -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    other: list[int] = []
    job: Job[None] | None = None
    with pytest.raises(ZeroDivisionError):
        async with coroutine_scope() as scope:
            job = listened(shared).on_each(lambda n: 1 // n).launch_in(scope)
            shared.on_each(other.append).launch_in(scope)
            await settled()
            await shared.emit(0)
            await settled()
    assert job is not None
    assert isinstance(job.error, ZeroDivisionError)
    assert other == [0]
    assert shared.subscription_count.value == 0


async def test_a_failure_above_its_buffer_is_the_scopes() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    with pytest.raises(ZeroDivisionError):
        async with coroutine_scope() as scope:
            shared.map(lambda n: 1 // n).buffer(4).launch_in(scope)
            await settled()
            await shared.emit(0)
            await settled()
    assert shared.subscription_count.value == 0


async def test_a_supervisor_is_told_of_its_failure() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    told: list[str] = []
    async with supervisor_scope(on_error=lambda job, error: told.append(f"{job.name}: {error}")) as scope:
        shared.on_each(lambda n: 1 // n).launch_in(scope, name="division")
        await settled()
        await shared.emit(0)
    assert told == ["division: integer division or modulo by zero"]


async def test_a_job_may_cancel_itself_in_its_chain(listened: Any) -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow(extra_buffer_capacity=4)
    seen: list[int] = []
    async with coroutine_scope() as scope:

        def once(value: int) -> None:
            seen.append(value)
            job.cancel()

        job = listened(shared).on_each(once).launch_in(scope)
        await settled()
        await shared.emit(1)
        await shared.emit(2)
    assert seen == [1]
    assert job.is_cancelled


async def test_a_state_gives_its_value_first() -> None:
    state = MutableStateFlow(1)
    seen: list[int] = []
    async with coroutine_scope() as scope:
        state.on_each(seen.append).launch_in(scope)
        assert seen == []  # it starts at the job's first turn
        await settled()
        state.value = 2
        scope.cancel()
    assert seen == [1, 2]


async def test_a_job_that_is_cancelled_before_its_task_is_there_leaves_nothing_behind(listened: Any) -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow(extra_buffer_capacity=4)
    started: list[int] = []

    async def never(value: int) -> None:
        started.append(value)

    async with coroutine_scope() as scope:
        job = listened(shared).on_each(never).launch_in(scope)
        await settled()
        shared.emit_nowait(1)
        job.cancel()
    assert started == []
    assert shared.subscription_count.value == 0


async def test_jobs_in_a_task_group_of_ones_own_end_with_it() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    seen: list[int] = []
    async with create_task_group() as tasks:
        job = shared.on_each(seen.append).launch_in(Scope(tasks))
        await settled()
        await shared.emit(1)
        tasks.cancel_scope.cancel()
        shared.emit_nowait(2)
    assert seen == [1]
    assert job.is_cancelled


async def test_a_flow_that_has_an_end_completes_the_job() -> None:
    channel: Channel[int] = Channel(4)
    async with coroutine_scope() as scope:
        job = as_flow(channel).launch_in(scope)
        await settled()
        channel.close()
    assert not job.is_cancelled
