"""What the type checkers infer for each method of a flow, with plain and coroutine callbacks; read by them, run by nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

from flowsock import Backoff, BufferOverflow, Flow, Producer, SharedFlow, StateFlow, as_flow, channel_flow, flow_of
from flowsock.flows.statistics import SharedFlowStatistics

if TYPE_CHECKING:
    from aioreactive import AsyncObservable


@channel_flow
async def halves(producer: Producer[float], number: int) -> None:
    await producer.send(number / 2)


async def is_even(number: int) -> bool:
    return number % 2 == 0


async def text_of(number: int) -> str:
    return str(number)


async def halves_later(number: int) -> Flow[float]:
    return halves(number)


def each_value(numbers: Flow[int]) -> None:
    assert_type(numbers.filter(is_even), Flow[int])
    assert_type(numbers.filter_not(is_even), Flow[int])
    assert_type(numbers.filter_not(lambda number: number > 1), Flow[int])
    assert_type(numbers.drop_while(is_even), Flow[int])
    assert_type(numbers.take_while(lambda number: number > 1), Flow[int])
    assert_type(numbers.on_each(text_of).on_each(print), Flow[int])
    assert_type(numbers.map_not_none(text_of), Flow[str])
    assert_type(numbers.distinct_until_changed(), Flow[int])
    assert_type(numbers.distinct_until_changed(lambda old, new: old == new), Flow[int])
    assert_type(numbers.distinct_until_changed_by(lambda number: number % 3), Flow[int])
    assert_type(numbers.buffer(1, on_buffer_overflow=BufferOverflow.DROP_OLDEST), Flow[int])
    assert_type(numbers.debounce(lambda number: number / 10), Flow[int])


def flows_of_flows(numbers: Flow[int]) -> None:
    assert_type(numbers.flat_map_concat(halves), Flow[float])
    assert_type(numbers.flat_map_concat(lambda number: flow_of(str(number))), Flow[str])
    assert_type(numbers.flat_map_concat(halves_later), Flow[float])
    assert_type(numbers.flat_map_merge(halves, concurrency=2), Flow[float])
    assert_type(numbers.flat_map_merge(halves_later), Flow[float])
    assert_type(numbers.flat_map_latest(halves_later), Flow[float])


def ends_and_failures(numbers: Flow[int]) -> None:
    assert_type(numbers.on_empty(lambda emit: emit(0)), Flow[int])
    assert_type(numbers.catch(), Flow[int])
    assert_type(numbers.catch(lambda emit, error: emit(len(error.args)), OSError, ValueError), Flow[int])
    assert_type(numbers.retry(OSError, attempts=3, backoff=Backoff(0.1)), Flow[int])
    assert_type(numbers.retry_when(lambda _emit, _error, attempt: attempt < 3), Flow[int])


async def results(numbers: Flow[int]) -> None:
    assert_type(await numbers.last(), int)
    assert_type(await numbers.last(default=None), int | None)
    assert_type(await numbers.first(is_even, default=""), int | str)
    assert_type(await numbers.all(is_even), bool)
    assert_type(await numbers.none(lambda number: number > 1), bool)
    assert_type(await numbers.to_set(), set[int])
    assert_type(await numbers.fold("", lambda text, number: text + str(number)), str)
    assert_type(await numbers.collect(print), None)
    assert_type(await numbers.collect_latest(text_of), None)


def hot(shared: SharedFlow[int], state: StateFlow[str]) -> None:
    assert_type(shared.replay_cache, list[int])
    assert_type(shared.subscription_count, StateFlow[int])
    assert_type(shared.resume_after(lambda number: number == 1), Flow[int])
    assert_type(shared.statistics(), SharedFlowStatistics)
    assert_type(state.statistics(), SharedFlowStatistics)
    assert_type(state.value, str)
    assert_type(state.map(len), Flow[int])


def elsewhere(numbers: Flow[int], observable: AsyncObservable[bytes]) -> None:
    assert_type(as_flow(observable), Flow[bytes])
    assert_type(numbers.to_observable(), "AsyncObservable[int]")


def wrong(numbers: Flow[int]) -> Any:
    numbers.map(len)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    numbers.filter(str.isdigit)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return numbers.flat_map_merge(text_of)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
