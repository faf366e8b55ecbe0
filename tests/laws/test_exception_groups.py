"""Several errors are raised as a group, and a cancellation is never wrapped; one error is raised as itself: see laws.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import CancelScope, Event, create_task_group, fail_after, sleep_forever

from flowsock import Flow, MutableSharedFlow, as_flow, combine, coroutine_scope, flow, flow_of, merge
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio


@flow
async def failing() -> AsyncIterator[int]:
    yield 1
    await a_while()
    raise ValueError("one")


@flow
async def hanging() -> AsyncIterator[int]:
    yield 1
    await sleep_forever()


@flow
async def failing_when_cancelled() -> AsyncIterator[int]:
    try:
        yield 1
        await sleep_forever()
    finally:
        raise KeyError("two")


CONCURRENT: dict[str, Callable[[Flow[int], Flow[int]], Flow[int]]] = {
    "buffer": lambda a, _b: a.buffer(3),
    "merge": lambda a, b: merge(a, b),
    "combine": lambda a, b: combine(a, b, lambda x, y: x + y),
    "flat_map_merge": lambda a, b: flow_of(a, b).flat_map_merge(lambda flow: flow),
    "flat_map_latest": lambda a, _b: flow_of(0).flat_map_latest(lambda _value: a),
    "debounce": lambda a, _b: a.debounce(10),
    "sample": lambda a, _b: a.sample(10),
    "merge of buffers": lambda a, b: merge(a.buffer(1), b.buffer(1)).buffer(1),
    "channel over a shared flow": lambda a, b: merge(a, MutableSharedFlow[int]().buffer(), b),
}


@pytest.mark.parametrize("name", ["merge", "combine", "flat_map_merge", "merge of buffers", "channel over a shared flow"])
async def test_two_errors_are_raised_as_a_group(name: str) -> None:
    with pytest.raises(ExceptionGroup) as raised, fail_after(5):
        await CONCURRENT[name](failing(), failing_when_cancelled()).collect()
    assert {type(error) for error in raised.value.exceptions} == {ValueError, KeyError}
    assert all(not isinstance(error, BaseExceptionGroup) for error in raised.value.exceptions)


@pytest.mark.parametrize("make", CONCURRENT.values(), ids=CONCURRENT.keys())
async def test_a_cancellation_is_not_wrapped(make: Callable[[Flow[int], Flow[int]], Flow[int]]) -> None:
    left: list[str] = []
    with CancelScope() as scope:
        async with coroutine_scope() as inner:

            async def cancel() -> None:
                await settled()
                scope.cancel()

            inner.launch(cancel)
            try:
                await make(hanging(), hanging()).collect()
            except BaseExceptionGroup:
                left.append("wrapped")
                raise
            except BaseException:
                left.append("bare")
                raise
    assert left == ["bare"]
    assert scope.cancelled_caught


async def test_a_group_the_user_made_on_purpose_stays_one() -> None:
    @flow
    async def source() -> AsyncIterator[int]:
        async with create_task_group() as group:
            group.start_soon(explode, "one")
            await Event().wait()
        yield 0

    async def explode(message: str) -> None:
        raise ValueError(message)

    with pytest.raises(ExceptionGroup):
        await source().collect()


async def test_an_error_of_a_job_that_emits_into_the_collector_is_raised_as_itself() -> None:
    shared = MutableSharedFlow[int]()

    def explode(_value: int) -> None:
        raise ValueError("one")

    with pytest.raises(ValueError, match="one"), fail_after(5):
        async with coroutine_scope() as scope:
            shared.on_each(explode).launch_in(scope)
            as_flow([1]).on_start(lambda _emit: a_while()).on_each(shared.emit).launch_in(scope)
            await sleep_forever()
