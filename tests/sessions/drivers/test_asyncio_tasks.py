"""A task group of asyncio's own tasks keeps the laws of anyio's, as far as servers rely on them."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from flowsock.sessions.drivers.asyncio_tasks import AsyncioTasks

pytestmark = pytest.mark.asyncio


class Story:
    """What happened, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def note_after_turns(self, name: str, turns: int = 1) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        self.events.append(name)

    async def note_cancellation(self, name: str, turns: int = 0) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            for _ in range(turns):
                await asyncio.sleep(0)
            self.events.append(f"{name} cancelled")


async def fail(error: BaseException) -> None:
    raise error


async def test_leaving_waits_for_all_tasks() -> None:
    story = Story()
    async with AsyncioTasks() as tasks:
        tasks.start_soon(story.note_after_turns, "slow", 5)
        tasks.start_soon(story.note_after_turns, "quick")
        story.events.append("body")
    assert story.events == ["body", "quick", "slow"]


async def test_tasks_may_start_more_while_the_end_is_waited_for() -> None:
    story = Story()

    async def start_another() -> None:
        await asyncio.sleep(0)
        tasks.start_soon(story.note_after_turns, "another", name="another")

    async with AsyncioTasks() as tasks:
        tasks.start_soon(start_another)
    assert story.events == ["another"]


async def test_nothing_can_be_started_after_the_end() -> None:
    async with AsyncioTasks() as tasks:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        tasks.start_soon(asyncio.sleep, 0)


async def test_a_failure_cancels_body_and_siblings() -> None:
    story, error = Story(), ValueError("x")
    with pytest.raises(ValueError, match="x") as raised:
        async with AsyncioTasks() as tasks:
            tasks.start_soon(story.note_cancellation, "sibling", 3)
            tasks.start_soon(fail, error)
            await story.note_cancellation("body")
    assert raised.value is error
    assert story.events == ["body cancelled", "sibling cancelled"]
    assert tasks.cancel_called


async def test_a_failing_body_cancels_the_tasks() -> None:
    story, error = Story(), ValueError("x")
    with pytest.raises(ValueError, match="x") as raised:
        async with AsyncioTasks() as tasks:
            tasks.start_soon(story.note_cancellation, "task", 3)
            await asyncio.sleep(0)
            raise error
    assert raised.value is error
    assert story.events == ["task cancelled"]


async def test_several_failures_are_a_group() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with AsyncioTasks() as tasks:
            tasks.start_soon(fail, ValueError("a"))
            tasks.start_soon(fail, ValueError("b"))
    assert [str(error) for error in raised.value.exceptions] == ["a", "b"]


async def test_cancelling_the_group_leaves_the_block_quietly() -> None:
    story = Story()
    async with AsyncioTasks() as tasks:
        tasks.start_soon(story.note_cancellation, "task", 3)
        await asyncio.sleep(0)
        tasks.cancel_scope.cancel()
        tasks.cancel_scope.cancel()
        await story.note_cancellation("body")
    assert story.events == ["body cancelled", "task cancelled"]


async def test_a_task_that_is_started_in_a_cancelled_group_never_runs() -> None:
    story = Story()
    async with AsyncioTasks() as tasks:
        tasks.cancel()
        tasks.start_soon(story.note_after_turns, "task", 0)
    assert story.events == []


async def test_a_timeout_around_the_block_cancels_the_tasks_and_is_told() -> None:
    story = Story()
    with anyio.move_on_after(0.01) as timeout:
        async with AsyncioTasks() as tasks:
            tasks.start_soon(story.note_cancellation, "task", 3)
    assert timeout.cancelled_caught
    assert story.events == ["task cancelled"]


async def test_a_cancelled_body_cancels_the_tasks() -> None:
    story = Story()
    with anyio.CancelScope() as around:
        async with AsyncioTasks() as tasks:
            tasks.start_soon(story.note_cancellation, "task", 3)
            await asyncio.sleep(0)
            around.cancel()
            await story.note_cancellation("body")
    assert around.cancelled_caught
    assert story.events == ["body cancelled", "task cancelled"]


async def test_asyncios_own_cancellation_goes_on_outwards() -> None:
    story = Story()

    async def block() -> None:
        async with AsyncioTasks() as tasks:
            tasks.start_soon(story.note_cancellation, "task", 3)
            await asyncio.sleep(0)

    running = asyncio.create_task(block())
    for _ in range(4):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert story.events == ["task cancelled"]
