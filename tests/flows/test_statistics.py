"""What hot flows tell of themselves in numbers."""

from __future__ import annotations

import anyio
import pytest

from flowsock import BufferOverflow, MutableSharedFlow, MutableStateFlow, coroutine_scope

pytestmark = pytest.mark.anyio


async def test_a_shared_flow_counts_what_it_took_and_what_waits() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow(extra_buffer_capacity=2)
    assert shared.statistics().emitted == 0
    go_on = anyio.Event()
    async with coroutine_scope() as scope:
        shared.on_each(lambda _n: go_on.wait()).launch_in(scope)
        shared.launch_in(scope)
        await anyio.wait_all_tasks_blocked()
        for number in range(4):
            scope.launch(shared.emit, number)
        await anyio.wait_all_tasks_blocked()
        now = shared.as_shared_flow().statistics()
        assert (now.emitted, now.collectors, now.lag, now.suspended, now.dropped) == (3, 2, 2, 1, 0)
        go_on.set()
        await anyio.wait_all_tasks_blocked()
        then = shared.statistics()
        assert (then.emitted, then.collectors, then.lag, then.suspended) == (4, 2, 0, 0)
        scope.cancel()
    assert shared.statistics().collectors == 0


async def test_what_a_policy_drops_is_counted() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow(extra_buffer_capacity=1, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
    async with coroutine_scope() as scope:
        shared.on_each(lambda _n: anyio.sleep_forever()).launch_in(scope)
        await anyio.wait_all_tasks_blocked()
        for number in range(4):
            shared.emit_nowait(number)
        assert (shared.statistics().emitted, shared.statistics().dropped) == (4, 2)
        scope.cancel()


def test_a_state_counts_its_changes() -> None:
    state = MutableStateFlow(0)
    for value in (1, 1, 2):
        state.value = value
    assert (state.statistics().emitted, state.statistics().lag) == (2, 0)
