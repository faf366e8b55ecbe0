"""Law of early stop: only the operator that stopped the flow swallows the stop; nobody else can."""

from __future__ import annotations

import gc
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from anyio import Event, create_task_group, fail_after, sleep, sleep_forever

from flowsock import Emitter, Flow, MutableSharedFlow, as_flow, coroutine_scope, flow, flow_of, merge
from tests.laws.laws import nothing_left_running
from tests.laws.operators import OPERATORS, Operator, slowly
from tests.laws.upstream import PACE, Upstream
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = pytest.mark.anyio


@flow
async def numbers() -> AsyncIterator[int]:
    for number in count(1):
        yield number


LIMITS: dict[str, Callable[[Flow[int]], Flow[int]]] = {
    "take": lambda flow: flow.take(1),
    "take_while": lambda flow: flow.take_while(lambda value: value < 2),
    "take_while async": lambda flow: flow.take_while(slowly(lambda value: value < 2)),
    "transform_while": lambda flow: flow.transform_while(emit_one),
    "chunked": lambda flow: flow.chunked(1).take(1).map(lambda chunk: chunk[0]),
    "take of an async stage": lambda flow: flow.map(slowly(lambda value: value)).take(1),
    "zip_with": lambda flow: flow.zip_with(flow_of(0), lambda value, _zero: value),
    "timeout": lambda flow: flow.timeout(60).take(1),
}


async def emit_one(emit: Emitter[int], value: int) -> bool:
    await emit(value)
    return False


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS.keys())
async def test_a_limit_cancels_and_awaits_what_the_upstream_runs(limit: Callable[[Flow[int]], Flow[int]]) -> None:
    """Scenarios limit-03, limit-09 and chunked-05; what is between a limit and its source is of no importance."""
    source = Upstream(endless=True, in_a_group=True)
    async with nothing_left_running():
        await limit(source.emitted()).collect(source.see)
        assert (source.opened, source.closed) == (2, 2)
    assert source.seen == [1]
    assert len(source.tasks) == 1


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
async def test_a_stop_ends_the_subscription_to_a_shared_flow(operator: Operator) -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=64)
    seen = {value: Event() for value in (1, 2)}
    async with nothing_left_running(), coroutine_scope() as scope:
        flow = operator.through()(shared).on_each(lambda value: seen[value].set())
        job = scope.launch(flow.take(2).to_list)
        await settled()
        for value, event in seen.items():
            await sleep(PACE)
            shared.emit_nowait(value)
            await event.wait()
        shared.emit_nowait(3)
        assert await job == [1, 2]
        assert shared.subscription_count.value == 0


async def test_the_last_value_is_delivered_and_the_code_after_its_emission_does_not_run() -> None:
    """Scenario limit-04: a, b once, and no retry."""
    log: list[str] = []

    @flow
    async def source() -> AsyncIterator[int]:
        log.append("a")
        yield 1
        log.append("b")
        yield 2
        log.append("c")

    def never(_error: Exception) -> bool:
        raise AssertionError("an early stop is no failure")

    assert await source().retry(attempts=2, when=never).take(2).fold(0, lambda total, value: total + value) == 3
    assert log == ["a", "b"]


async def test_a_take_inside_a_take_and_the_outer_one_stop_only_themselves() -> None:
    """Scenario limit-06."""

    @flow
    async def inner() -> AsyncIterator[int]:
        yield 1
        raise AssertionError("stopped before")

    forever = as_flow(count())
    emitting: Flow[int] = forever.transform(lambda emit, _value: emit.all(inner().take(1)))
    for outer in (forever.flat_map_concat(lambda _value: inner().take(1)), emitting):
        with fail_after(5):
            assert await outer.take(3).to_list() == [1, 1, 1]


async def test_takes_that_stop_at_the_same_value_end_one_after_the_other() -> None:
    causes: list[BaseException | None] = []

    def note(_emit: object, cause: BaseException | None) -> None:
        causes.append(cause)

    flow = numbers().take(2).on_completion(note).take(2).on_completion(note).take(1).on_completion(note)
    assert await flow.to_list() == [1]
    assert [cause is None for cause in causes] == [False, False, True]


async def test_an_exception_handler_in_a_transform_cannot_swallow_the_stop() -> None:
    async def careless(emit: Emitter[int], value: int) -> None:
        with suppress(Exception):
            await emit(value)
        with suppress(Exception):
            await emit(-value)

    assert await numbers().transform(careless).take(3).to_list() == [1, -1, 2]
    assert await numbers().transform(careless).first() == 1


async def test_even_who_swallows_everything_gets_no_value_past_a_take() -> None:
    """Scenario transparency-06."""
    seen: list[int] = []

    async def reckless(emit: Emitter[int], value: int) -> None:
        try:
            await emit(value)
        except BaseException:
            await emit(-value)

    async def handle(value: int) -> None:
        await a_while()
        seen.append(value)

    with pytest.raises(RuntimeError, match="emitted again"):
        await numbers().transform(reckless).take(1).collect(handle)
    assert seen == [1]

    @flow
    async def stubborn() -> AsyncIterator[int]:
        try:
            yield 2
        except BaseException:
            yield -2

    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        await stubborn().take(1).collect(handle)
    assert seen == [1, 2]


STOPPING: dict[str, Callable[[Flow[int], Callable[[int], bool]], Awaitable[object]]] = {
    "take_while": lambda flow, stop: flow.take_while(lambda value: not stop(value)).collect(),
    "transform_while": lambda flow, stop: flow.transform_while(lambda _emit, value: not stop(value)).collect(),
    "first": lambda flow, stop: flow.first(stop),
    "any": lambda flow, stop: flow.any(stop),
    "all": lambda flow, stop: flow.all(lambda value: not stop(value)),
    "none": lambda flow, stop: flow.none(stop),
}


@pytest.mark.parametrize("name", STOPPING)
async def test_a_stop_does_not_hide_a_cancellation(name: str) -> None:
    """Rule G9: what was found is not handed to a task that was cancelled while it was looked for."""
    log: list[str] = []
    async with coroutine_scope() as scope:

        def stop(value: int) -> bool:
            scope.cancel()
            return value == 1

        await STOPPING[name](numbers(), stop)
        log.append("not reached")
    assert log == []


@pytest.mark.parametrize("limit", [lambda flow: flow.take(1).to_list(), lambda flow: flow.first()])
async def test_a_stop_leaves_a_users_task_group_as_itself(limit: Callable[[Flow[int]], Awaitable[Any]]) -> None:
    """Scenario limit-03, in a generator and in a callback: the child is cancelled, and the stop is not wrapped."""
    log: list[str] = []

    async def hang() -> None:
        try:
            await sleep_forever()
        finally:
            log.append("cancelled")

    @flow
    async def generator() -> AsyncIterator[int]:
        async with create_task_group() as group:
            group.start_soon(hang)
            await a_while()
            yield 1
            raise AssertionError("not reached")

    async def callback(emit: Emitter[int]) -> None:
        async with create_task_group() as group:
            group.start_soon(hang)
            await a_while()
            await emit(1)
            raise AssertionError("not reached")

    async def scoped(emit: Emitter[int]) -> None:
        async with coroutine_scope() as scope:
            scope.launch(hang)
            await a_while()
            await emit(1)
            raise AssertionError("not reached")

    for source in (generator(), flow_of(0).on_start(callback), flow_of(0).on_start(scoped)):
        with fail_after(5):
            assert await limit(source) in (1, [1])
        assert log == ["cancelled"]
        log.clear()


async def test_a_stop_after_an_asynchronous_handler_waits_for_it() -> None:
    log: list[str] = []

    async def handle(value: int) -> None:
        log.append(f"begin {value}")
        await a_while()
        log.append(f"end {value}")

    await numbers().take(2).collect(handle)
    assert log == ["begin 1", "end 1", "begin 2", "end 2"]


async def test_cleaning_up_after_a_stop_may_wait() -> None:
    """Rule G8: the task is not cancelled."""
    log: list[str] = []

    @flow
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await a_while()
            log.append("cleaned up")

    assert await source().take(1).to_list() == [1]
    assert log == ["cleaned up"]


async def test_a_real_error_while_a_stop_unwinds_wins() -> None:
    """Rule G5: and it is none of the business of the operators above."""

    @flow
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise ValueError("while cleaning up")

    caught: list[Exception] = []
    with pytest.raises(ValueError, match="while cleaning up"):
        await source().catch(lambda _emit, error: caught.append(error)).retry().take(1).to_list()
    assert caught == []


async def test_a_stop_cancels_what_runs_at_the_same_time() -> None:
    """Scenarios flat_map_merge-06 and channel_flow-07, stopped."""
    log: list[int] = []

    @flow
    async def hanging(number: int) -> AsyncIterator[int]:
        try:
            yield number
            await Event().wait()
        finally:
            log.append(number)

    with fail_after(5):
        assert sorted(await merge(*(hanging(number) for number in range(4))).take(4).to_list()) == [0, 1, 2, 3]
        assert sorted(log) == [0, 1, 2, 3]
        flow_of_flows = flow_of(4, 5, 6).flat_map_merge(hanging)
        assert sorted(await flow_of_flows.take(3).to_list()) == [4, 5, 6]
    assert sorted(log) == [0, 1, 2, 3, 4, 5, 6]


async def test_a_loop_inside_a_generator_ends_its_job_without_the_garbage_collector() -> None:
    """The cancellation that ends the inner loop has a traceback, which must not keep what the loop iterated."""

    def looping(inner: Flow[int]) -> Flow[int]:
        @flow
        async def loop() -> AsyncIterator[int]:
            async for value in inner:
                yield value

        return loop()

    gc.disable()
    try:
        with fail_after(5):
            async with coroutine_scope():
                stack = looping(looping(as_flow(range(1000)).buffer(2)).buffer(2))
                assert await stack.take(3).to_list() == [0, 1, 2]
    finally:
        gc.enable()
