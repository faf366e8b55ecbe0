"""The emit protocol: what has to be awaited, and by whom."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from anyio import CancelScope, create_task_group
from anyio.lowlevel import checkpoint

from flowsock.emitting import FAIR_TURN, READY, TURN, Emitter, Then, discard, ignore, settle, waiting
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

pytestmark = pytest.mark.anyio


def suspensions(awaitable: Awaitable[object]) -> int:
    """Count how often an awaitable suspends; to be used where nothing real is waited for."""
    return sum(1 for _ in awaitable.__await__())


async def test_ready_never_suspends_however_often_it_is_awaited() -> None:
    assert [suspensions(READY) for _ in range(3)] == [0, 0, 0]
    with CancelScope() as cancelled:
        cancelled.cancel()
        await READY
    assert not cancelled.cancelled_caught
    assert repr(READY) == "READY"


async def test_turn_lets_other_tasks_run_and_sees_cancellation() -> None:
    log: list[str] = []

    async def other() -> None:
        log.append("other")

    async with create_task_group() as tasks:
        tasks.start_soon(other)
        # Twice, because trio may run this task first, of those that can run.
        await TURN
        await TURN
        assert log == ["other"]
    with CancelScope() as cancelled:
        cancelled.cancel()
        await TURN
    assert cancelled.cancelled_caught
    assert repr(TURN) == "TURN"


@pytest.mark.parametrize("plain", [None, 0, "", [], False, object(), len, READY], ids=repr)
async def test_there_is_nothing_to_wait_for_in_a_plain_value(plain: object) -> None:
    assert waiting(plain) is None
    await settle(plain)


class Custom:
    def __init__(self) -> None:
        self.awaited = 0

    def __await__(self) -> Generator[None, None, str]:
        self.awaited += 1
        yield from ()
        return "result"


async def test_whatever_can_be_awaited_is_waited_for() -> None:
    awaitable = Custom()
    assert waiting(awaitable) is awaitable
    await settle(awaitable)
    assert awaitable.awaited == 1
    assert waiting(TURN) is TURN
    coroutine = checkpoint()
    assert waiting(coroutine) is coroutine
    await settle(coroutine)


@pytest.mark.asyncio
async def test_a_future_is_waited_for() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    assert waiting(future) is future
    future.set_result(None)
    await settle(future)


async def test_then_awaits_first_and_goes_on_with_the_result() -> None:
    log: list[object] = []

    async def pending() -> int:
        await checkpoint()
        log.append("awaited")
        return 42

    await Then(pending(), log.append)
    assert log == ["awaited", 42]


async def test_then_awaits_what_its_continuation_returns() -> None:
    log: list[object] = []

    async def go_on(value: str) -> None:
        await checkpoint()
        log.append(value)

    await Then(Custom(), go_on)
    assert log == ["result"]


async def test_then_passes_errors_on_and_does_not_go_on_after_one() -> None:
    async def fail() -> int:
        await checkpoint()
        raise ValueError("pending")

    log: list[int] = []
    with pytest.raises(ValueError, match="pending"):
        await Then(fail(), log.append)
    assert log == []


async def test_closing_a_then_that_nobody_awaited_drops_all_it_is_made_of() -> None:
    # A coroutine that is neither awaited nor closed would warn, and fail this test.
    innermost = checkpoint()
    discard(Then(Then(innermost, ignore), ignore))
    with pytest.raises(RuntimeError, match="cannot reuse"):
        await innermost


async def test_discard_closes_coroutines_and_leaves_other_awaitables_alone() -> None:
    coroutine = checkpoint()
    discard(coroutine)
    with pytest.raises(RuntimeError, match="cannot reuse"):
        await coroutine
    awaitable = Custom()
    discard(awaitable)
    assert awaitable.awaited == 0


async def test_an_emitter_gives_user_code_something_to_await_in_any_case() -> None:
    seen: list[object] = []
    await Emitter[str](seen.append)("plain")
    await Emitter[str](lambda _value: len(seen))("ignored")

    async def emit(value: object) -> None:
        await checkpoint()
        seen.append(value)

    await Emitter(emit)("awaited")
    assert seen == ["plain", "awaited"]


async def test_an_emitter_that_never_has_to_wait_takes_a_turn_now_and_then() -> None:
    log: list[object] = []

    async def other() -> None:
        await settled()
        log.append("other")

    async with create_task_group() as tasks:
        tasks.start_soon(other)
        emit = Emitter(ignore)
        results = [emit(number) for number in range(3 * FAIR_TURN)]
        assert [index for index, result in enumerate(results) if result is TURN] == [127, 255, 383]
        assert all(result in (READY, TURN) for result in results)
