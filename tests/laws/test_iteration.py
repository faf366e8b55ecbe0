"""Law of iteration: `async for` works on every flow, leaving it early stops the producer at once, and nothing leaks."""

from __future__ import annotations

import gc
import warnings
import weakref
from typing import TYPE_CHECKING

import pytest
from anyio import CancelScope, Event, create_task_group, fail_after, get_current_task, sleep_forever

from flowsock import (
    Flow,
    FlowsockError,
    MutableSharedFlow,
    MutableStateFlow,
    combine,
    coroutine_scope,
    current_scope,
    empty_flow,
    flow,
    flow_of,
    merge,
)
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left_to_the_garbage_collector")]


@flow
async def numbers(log: list[str]) -> AsyncIterator[int]:
    try:
        for number in range(100):
            yield number
    finally:
        log.append("cleaned up")


CONCURRENT: dict[str, Callable[[Flow[int]], Flow[int]]] = {
    "buffer": lambda flow: flow.buffer(2),
    "merge": lambda flow: merge(flow, empty_flow()),
    "combine": lambda flow: combine(flow, lambda value: value),
    "concat": lambda flow: flow.flat_map_concat(lambda value: flow_of(value)),
    "stages below": lambda flow: flow.conflate().buffer(200).map(lambda value: value).take(90),
    "flat_map_latest": lambda flow: flow_of(0).flat_map_latest(lambda _value: flow),
}


async def test_a_sequential_flow_runs_in_the_calling_task() -> None:
    log: list[str] = []
    tasks: set[int] = set()
    values = []

    async def stage(value: int) -> int:
        tasks.add(get_current_task().id)
        await a_while()
        return value

    async for value in numbers(log).map(stage).take(3):
        values.append(value)
        assert len(values) == value + 1
    assert values == [0, 1, 2]
    assert tasks == {get_current_task().id}
    assert log == ["cleaned up"]


async def test_leaving_a_sequential_loop_early_cleans_up_at_once() -> None:
    log: list[str] = []
    async for value in numbers(log).take_while(lambda _value: True).catch().on_each(lambda _value: None):
        if value == 2:
            break
    assert log == ["cleaned up"]


async def test_an_exception_in_the_loop_cleans_up_and_survives() -> None:
    log: list[str] = []
    with pytest.raises(ValueError, match="loop"):
        async for _value in numbers(log):
            raise ValueError("loop")
    assert log == ["cleaned up"]


async def test_the_sources_error_comes_out_of_the_loop() -> None:
    def explode(value: int) -> int:
        if value == 1:
            raise ValueError("one")
        return value

    seen = []
    with pytest.raises(ValueError, match="one"):
        async for value in numbers([]).map(explode):
            seen.append(value)  # noqa: PERF401
    assert seen == [0]


async def test_at_its_end_an_iterator_stays_ended() -> None:
    iterator = aiter(flow_of(1))
    assert await anext(iterator) == 1
    assert await anext(iterator, None) is None
    assert await anext(iterator, None) is None
    assert [value async for value in empty_flow()] == []


async def test_none_is_a_value() -> None:
    assert [value async for value in flow_of(None, 1, None)] == [None, 1, None]
    async with coroutine_scope():
        assert [value async for value in flow_of(None, 1, None).buffer(1)] == [None, 1, None]


async def test_a_cancellation_while_the_loop_waits_unwinds_the_flow() -> None:
    log: list[str] = []

    @flow
    async def waiting() -> AsyncIterator[int]:
        try:
            yield 1
            await sleep_forever()
        finally:
            log.append("cleaned up")

    async def loop() -> None:
        async for value in waiting():
            log.append(str(value))  # noqa: PERF401

    async with coroutine_scope() as scope:
        job = scope.launch(loop)
        await settled()
        with fail_after(5):
            await job.cancel_and_join()
    assert log == ["1", "cleaned up"]


async def test_a_loop_over_a_shared_flow_subscribes_and_unsubscribes() -> None:
    shared = MutableSharedFlow[int](replay=1, extra_buffer_capacity=10)
    shared.emit_nowait(0)
    seen: list[int] = []

    async def loop() -> None:
        async for value in shared.map(lambda value: 2 * value):
            seen.append(value)
            if value == 8:
                break
            await a_while()

    async with coroutine_scope() as scope:
        job = scope.launch(loop)
        await settled()
        for value in range(1, 8):
            shared.emit_nowait(value)
        with fail_after(5):
            await job
        assert seen == [0, 2, 4, 6, 8]
        assert shared.subscription_count.value == 0


async def test_a_loop_over_a_state_flow_sees_the_newest_value() -> None:
    state = MutableStateFlow(0)
    seen = []
    async for value in state:
        seen.append(value)
        if value == 3:
            break
        state.value = value + 1
        state.value = 3
    assert seen == [0, 3]
    assert state.subscription_count.value == 0


@pytest.mark.parametrize("make", CONCURRENT.values(), ids=CONCURRENT.keys())
async def test_outside_any_scope_a_concurrent_flow_asks_for_open(make: Callable[[Flow[int]], Flow[int]]) -> None:
    assert current_scope() is None
    log: list[str] = []
    with pytest.raises(FlowsockError, match=r"flow\.open\(\)"):
        async for _value in make(numbers(log)):
            pass
    assert log == []


@pytest.mark.parametrize("make", CONCURRENT.values(), ids=CONCURRENT.keys())
async def test_a_concurrent_flow_runs_in_the_current_scope(make: Callable[[Flow[int]], Flow[int]]) -> None:
    with fail_after(5):
        async with coroutine_scope() as scope:
            values = [value async for value in make(numbers([]))]
            await settled()
            assert scope.jobs == ()
    assert values == sorted(values)
    assert values[0] == 0


@pytest.mark.parametrize("make", CONCURRENT.values(), ids=CONCURRENT.keys())
async def test_leaving_a_concurrent_loop_early_cancels_its_job_at_once(make: Callable[[Flow[int]], Flow[int]]) -> None:
    log: list[str] = []
    async with coroutine_scope() as scope:
        async for _value in make(numbers(log)):
            break
        assert all(not job.is_active for job in scope.jobs)
        await settled()
        assert scope.jobs == ()
        assert log == ["cleaned up"]


@pytest.mark.parametrize("make", CONCURRENT.values(), ids=CONCURRENT.keys())
async def test_open_runs_a_flow_in_a_child_and_waits_for_its_cleaning_up(make: Callable[[Flow[int]], Flow[int]]) -> None:
    log: list[str] = []
    with fail_after(5):
        async with make(numbers(log)).open() as items:
            async for _value in items:
                break
        assert log == ["cleaned up"]
        async with make(numbers(log)).open() as items:
            values = [value async for value in items]
            assert [value async for value in items] == []
    assert values[-1] in (89, 99)


async def test_open_raises_the_sources_error_in_the_loop_and_the_bodys_as_itself() -> None:
    def explode(value: int) -> int:
        if value == 1:
            raise ValueError("one")
        return value

    seen: list[int] = []
    with fail_after(5):
        with pytest.raises(ValueError, match="one"):
            async with numbers([]).map(explode).open() as items:
                async for value in items:
                    seen.append(value)  # noqa: PERF401
        assert seen == [0]
        with pytest.raises(KeyError):
            async with numbers([]).open() as items:
                raise KeyError


async def test_with_open_the_source_is_one_value_ahead_at_most() -> None:
    produced: list[int] = []
    async with numbers([]).on_each(produced.append).open() as items:
        async for value in items:
            await settled()
            assert produced[-1] <= value + 1
            if value == 5:
                break


async def test_cancelling_around_open_cleans_up() -> None:
    log: list[str] = []
    async with create_task_group() as group:

        async def loop() -> None:
            async with numbers(log).buffer(2).open() as items:
                async for _value in items:
                    await sleep_forever()

        group.start_soon(loop)
        await settled()
        group.cancel_scope.cancel()
    assert log == ["cleaned up"]


async def test_a_loop_whose_cleaning_up_has_to_wait_says_so_when_left_early() -> None:
    @flow
    async def slow_to_close() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await sleep_forever()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async for _value in slow_to_close():
            break
    assert [warning.category for warning in caught] == [ResourceWarning]
    assert "flow.open()" in str(caught[0].message)


async def test_a_finished_loop_leaves_no_cycle_behind() -> None:
    class Value:
        pass

    value = Value()
    reference = weakref.ref(value)
    gc.collect()
    gc.disable()
    try:
        async for item in flow_of(value):
            assert item is value
        del item, value
        assert reference() is None
    finally:
        gc.enable()


async def test_a_cancelled_scope_ends_a_concurrent_loop() -> None:
    log: list[str] = []
    with CancelScope() as outer:
        async with coroutine_scope():
            async for _value in numbers(log).buffer(1):
                outer.cancel()
                await sleep_forever()
    assert log == ["cleaned up"]


async def test_a_loop_whose_job_is_cancelled_does_not_hang() -> None:
    gate = Event()
    with fail_after(5):
        async with coroutine_scope() as scope:
            seen: list[int] = []

            async def cancel_children() -> None:
                await gate.wait()
                scope.cancel_children()

            loop = scope.launch(cancel_children)
            with pytest.raises(FlowsockError):
                async for value in MutableStateFlow(0).buffer(1):
                    seen.append(value)
                    gate.set()
            assert seen == [0]
            assert loop.is_cancelled


@pytest.mark.parametrize("slow", [False, True])
async def test_a_callback_that_raises_the_end_of_another_iteration_does_not_end_this_one(slow: bool) -> None:
    """As in generators: a forgotten default of `anext` must not look like the end of the flow."""

    async def exhausted(_value: int) -> int:
        if slow:
            await a_while()
        raise StopAsyncIteration

    failing = flow_of(1, 2).map(exhausted)
    with pytest.raises(RuntimeError, match="StopAsyncIteration") as raised:
        async for _value in failing:
            pass
    assert isinstance(raised.value.__cause__, StopAsyncIteration)
    with pytest.raises(RuntimeError, match="StopAsyncIteration"):
        async with failing.open() as items:
            async for _value in items:
                pass
    with pytest.raises(RuntimeError, match="StopAsyncIteration"):
        async with coroutine_scope():
            async for _value in failing.buffer():
                pass
