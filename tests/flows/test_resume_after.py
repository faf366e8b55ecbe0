"""Going on in a shared flow where a collector once stood."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from flowsock import BufferOverflow, MutableSharedFlow, coroutine_scope, flow_of

pytestmark = pytest.mark.anyio


async def shared_with(*values: int, replay: int = 5, **settings: Any) -> MutableSharedFlow[Any]:
    shared: MutableSharedFlow[Any] = MutableSharedFlow(replay=replay, **settings)
    await flow_of(*values).collect(shared.emit)
    return shared


async def collected(flow: Any, shared: MutableSharedFlow[Any], *later: int) -> list[Any]:
    """Collect beside an emitter, up to what it emits last."""
    got: list[Any] = []
    async with coroutine_scope() as scope:
        flow.on_each(got.append).launch_in(scope)
        await anyio.wait_all_tasks_blocked()
        for value in later:
            await shared.emit(value)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
    return got


@pytest.mark.parametrize(("seen", "got"), [(1, [2, 3, 4]), (2, [3, 4]), (3, [4]), (9, [1, 2, 3, 4])])
async def test_only_what_was_not_seen_comes(seen: int, got: list[int]) -> None:
    shared = await shared_with(1, 2, 3)
    assert await collected(shared.resume_after(lambda n: n == seen), shared, 4) == got


async def test_the_newest_value_that_fits_counts() -> None:
    shared = await shared_with(1, 2, 1, 3)
    assert await collected(shared.resume_after(lambda n: n == 1), shared, 1, 2) == [3, 1, 2]


@pytest.mark.parametrize("values", [(7, 8), ()], ids=["replay", "no replay"])
async def test_a_gap_is_told_before_anything_else(values: tuple[int, ...]) -> None:
    shared = await shared_with(*values)
    flow = shared.resume_after(lambda n: n == 1, on_gap=lambda emit: emit("gap"))
    assert await collected(flow, shared, 9) == ["gap", *values, 9]


async def test_no_gap_is_told_where_there_is_none() -> None:
    shared = await shared_with(1)
    assert await collected(shared.resume_after(lambda n: n == 1, on_gap=lambda emit: emit("gap")), shared, 2) == [2]


async def test_what_comes_while_the_gap_is_told_is_not_missed() -> None:
    shared = await shared_with(5)

    async def tell(emit: Any) -> None:
        await shared.emit(6)
        await emit("gap")

    assert await collected(shared.resume_after(lambda n: n == 1, on_gap=tell), shared, 7) == ["gap", 5, 6, 7]


async def test_each_collection_looks_anew() -> None:
    shared = await shared_with(1, 2)
    flow = shared.resume_after(lambda n: n == 2)
    assert await collected(flow, shared, 3) == [3]
    assert await collected(flow, shared, 4) == [3, 4]


async def test_a_collector_that_waits_has_skipped_what_was_seen_before_it_can_be_lost() -> None:
    shared = await shared_with(10, 20, 30, replay=3, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
    got: list[Any] = []
    go_on = anyio.Event()

    async def slowly(value: Any) -> None:
        got.append(value)
        await go_on.wait()

    async with coroutine_scope() as scope:
        shared.resume_after(lambda n: n == 20).on_each(slowly).launch_in(scope)
        await anyio.wait_all_tasks_blocked()
        for value in (40, 50, 60, 70):
            shared.emit_nowait(value)
        go_on.set()
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
    assert got == [30, 50, 60, 70]


async def test_actions_on_subscription_still_run() -> None:
    shared = await shared_with(1, 2)
    flow = shared.on_subscription(lambda emit: emit(0)).resume_after(lambda n: n == 1)
    assert await collected(flow, shared) == [0, 2]
