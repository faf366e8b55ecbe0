"""`current_scope`: the innermost scope that the running code is inside of."""

from __future__ import annotations

import pytest
from anyio import create_task_group, sleep_forever
from anyio.lowlevel import checkpoint

from flowsock import Scope, coroutine_scope, current_scope, supervisor_scope
from tests.turns import settled

pytestmark = pytest.mark.anyio


async def give_current() -> Scope | None:
    await checkpoint()
    return current_scope()


async def test_scopes_nest() -> None:
    assert current_scope() is None
    async with coroutine_scope() as outer:
        assert current_scope() is outer
        async with supervisor_scope() as inner:
            assert current_scope() is inner
        assert current_scope() is outer
    assert current_scope() is None


async def test_a_failed_block_restores_the_scope_around_it() -> None:
    async with coroutine_scope() as outer:
        with pytest.raises(ValueError, match="body"):
            async with coroutine_scope():
                raise ValueError("body")
        assert current_scope() is outer


async def test_a_job_is_inside_its_scope() -> None:
    async with coroutine_scope() as scope:
        assert await scope.launch(give_current) is scope


async def test_a_job_is_inside_the_scope_that_owns_it_wherever_it_was_launched() -> None:
    async with coroutine_scope() as outer, coroutine_scope():
        job = outer.launch(give_current)
        assert await job is outer


async def test_a_task_of_another_group_inherits_the_scope() -> None:
    seen: list[Scope | None] = []

    async def look() -> None:
        seen.append(await give_current())

    async with coroutine_scope() as scope, create_task_group() as tasks:
        tasks.start_soon(look)
    assert seen == [scope]


async def test_one_task_does_not_see_the_scopes_of_another() -> None:
    async def own_scope() -> None:
        async with coroutine_scope():
            await sleep_forever()

    async with create_task_group() as tasks:
        tasks.start_soon(own_scope)
        await settled()
        assert current_scope() is None
        tasks.cancel_scope.cancel()
