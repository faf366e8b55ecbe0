"""`SharedFlow.on_subscription`: what a collector does between its registration and its first value."""

from __future__ import annotations

import pytest
from anyio import move_on_after, sleep_forever

from flowsock import Emitter, MutableSharedFlow, MutableStateFlow, coroutine_scope
from tests.turns import a_while, settled

pytestmark = pytest.mark.anyio


async def test_on_subscription_runs_when_the_collector_is_registered_and_before_any_value() -> None:
    shared = MutableSharedFlow[str](replay=1, extra_buffer_capacity=4)
    shared.emit_nowait("replayed")
    seen: list[str] = []
    other: list[str] = []

    async def greet(emit: Emitter[str]) -> None:
        assert shared.subscription_count.value == 2
        await emit("hello")
        shared.emit_nowait("missed by nobody")
        await a_while()
        await emit("welcome")

    async with coroutine_scope() as scope:
        shared.drop(1).on_each(other.append).launch_in(scope)
        await settled()
        shared.on_subscription(greet).on_each(seen.append).launch_in(scope)
        await settled()
        shared.emit_nowait("live")
        scope.cancel()
    assert seen == ["hello", "welcome", "replayed", "missed by nobody", "live"]
    assert other == ["missed by nobody", "live"]
    assert shared.subscription_count.value == 0


async def test_of_several_subscription_actions_the_first_applied_runs_first() -> None:
    shared = MutableSharedFlow[int](replay=1)
    shared.emit_nowait(3)
    hooked = shared.on_subscription(lambda emit: emit(1)).on_subscription(lambda emit: emit(2))
    assert await hooked.take(3).to_list() == await hooked.take(3).to_list() == [1, 2, 3]
    assert hooked.replay_cache == [3]
    assert await hooked.take(1).to_list() == [1]
    assert await hooked.buffer(1).take(3).to_list() == [1, 2, 3]
    assert shared.subscription_count.value == hooked.subscription_count.value == 0


async def test_a_failing_subscription_action_fails_the_collector_before_it_got_anything() -> None:
    """Scenario shared_flow-22."""

    def explode(_emit: object) -> None:
        raise ValueError("subscription")

    shared = MutableSharedFlow[str](replay=1)
    shared.emit_nowait("OK")
    seen: list[str] = []
    with pytest.raises(ValueError, match="subscription"):
        await shared.on_subscription(explode).collect(seen.append)
    assert await shared.on_subscription(explode).catch(lambda emit, _error: emit("caught")).to_list() == ["caught"]
    assert seen == []
    assert shared.subscription_count.value == 0


async def test_a_cancelled_subscription_action_leaves_no_collector_behind() -> None:
    shared = MutableSharedFlow[int]()
    with move_on_after(0):
        await shared.on_subscription(lambda _emit: sleep_forever()).collect()
    assert shared.subscription_count.value == 0


async def test_a_state_flow_has_subscription_actions_too() -> None:
    state = MutableStateFlow(1)
    assert await state.on_subscription(lambda emit: emit(0)).take(2).to_list() == [0, 1]
