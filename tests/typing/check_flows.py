"""What the type checkers infer; read by them, run by nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from flowsock import (
    Channel,
    Emitter,
    Flow,
    Job,
    MutableSharedFlow,
    MutableStateFlow,
    Producer,
    Scope,
    SharedFlow,
    SharingStarted,
    StateFlow,
    as_flow,
    callback_flow,
    combine,
    combine_transform,
    consume_as_flow,
    flow,
    flow_of,
    interval,
    merge,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@flow
async def ticks(period: float) -> AsyncIterator[int]:
    yield int(period)


@callback_flow
async def clicks(producer: Producer[str], name: str) -> None:
    producer.send_nowait(name)
    await producer.await_close()


async def shout(number: int) -> str:
    return str(number)


def measure(number: int) -> float:
    return number / 2


async def builders(channel: Channel[bytes]) -> None:
    assert_type(ticks(0.5), Flow[int])
    assert_type(clicks("left"), Flow[str])
    assert_type(flow_of(1, 2), Flow[int])
    assert_type(as_flow([1.5]), Flow[float])
    assert_type(as_flow(channel), Flow[bytes])
    assert_type(consume_as_flow(channel), Flow[bytes])
    assert_type(interval(1.0), Flow[int])
    assert_type(merge(flow_of(1), flow_of(2)), Flow[int])
    assert_type(flow_of(1).zip_with(flow_of("a")), Flow[tuple[int, str]])
    assert_type(flow_of(1).zip_with(flow_of("a"), lambda number, text: text * number), Flow[str])
    assert_type(combine_transform(flow_of(1), half), Flow[float])
    assert_type(combine(flow_of(1), flow_of("a"), lambda number, text: (number, text)), Flow[tuple[int, str]])


async def operators(numbers: Flow[int]) -> None:
    assert_type(numbers.map(shout), Flow[str])
    assert_type(numbers.map(measure), Flow[float])
    assert_type(numbers.map(lambda number: [number]), Flow[list[int]])
    assert_type(numbers.filter(lambda number: number > 1), Flow[int])
    assert_type(numbers.filter_is(bool), Flow[bool])
    assert_type(numbers.with_index(), Flow[tuple[int, int]])
    assert_type(numbers.scan("", lambda text, number: text + str(number)), Flow[str])
    assert_type(numbers.map_not_none(lambda number: "a" if number else None), Flow[str])
    assert_type(numbers.running_reduce(lambda total, number: total + number), Flow[int])
    assert_type(numbers.pairwise(), Flow[tuple[int, int]])
    assert_type(numbers.chunked(2, within=0.5), Flow[list[int]])
    assert_type(numbers.start_with("a"), Flow[str | int])
    assert_type(numbers.pipe(lambda flow: flow.map(shout)), Flow[str])
    assert_type(numbers.flat_map_latest(ticks), Flow[int])
    assert_type(numbers.map_latest(shout), Flow[str])
    assert_type(numbers.map_concurrent(shout, limit=2), Flow[str])
    assert_type(numbers.map_concurrent(measure, limit=2, ordered=False), Flow[float])
    assert_type(numbers.map(ticks).flatten_concat(), Flow[int])
    assert_type(numbers.map(ticks).flatten_merge(concurrency=2), Flow[int])
    assert_type(numbers.timeout(1).throttle_first(1).rate_limit(1, per=1), Flow[int])
    assert_type(numbers.take(1).drop(1).buffer(2).conflate().sample(1).debounce(1), Flow[int])


def optional(maybe: Flow[int | None]) -> None:
    assert_type(maybe.filter_not_none(), Flow[int])


async def half(emit: Emitter[float], number: int) -> bool:
    await emit(number / 2)
    return number > 1


async def measured(emit: Emitter[float], number: int) -> None:
    await emit.all(flow_of(number).map(measure))
    await emit(0.5)


async def greet(emit: Emitter[int]) -> None:
    await emit(1)


def emitting(numbers: Flow[int]) -> None:
    assert_type(numbers.transform(half), Flow[float])
    assert_type(numbers.transform_while(half), Flow[float])
    assert_type(numbers.transform(measured), Flow[float])
    assert_type(numbers.transform_latest(measured), Flow[float])
    assert_type(numbers.cancellable(), Flow[int])
    assert_type(numbers.on_start(greet).on_completion(lambda emit, _cause: emit.all(numbers)), Flow[int])


async def terminals(numbers: Flow[int]) -> None:
    assert_type(await numbers.first(), int)
    assert_type(await numbers.first(default=None), int | None)
    assert_type(await numbers.to_list(), list[int])
    assert_type(await numbers.fold(0.0, lambda total, number: total + number), float)
    assert_type(await numbers.count(), int)
    assert_type(await numbers.reduce(lambda total, number: total + number), int)
    assert_type(await numbers.single(), int)
    assert_type(await numbers.single(default=""), int | str)
    assert_type(await numbers.any(lambda number: number > 1), bool)
    assert_type(await numbers.to_dict(lambda number: (str(number), number)), dict[str, int])
    assert_type(await numbers.group_by(shout), dict[str, list[int]])
    assert_type(await numbers.collect_indexed(lambda index, number: index + number), None)
    async for number in numbers:
        assert_type(number, int)
    async with numbers.open() as items:
        async for item in items:
            assert_type(item, int)


async def sharing(numbers: Flow[int], scope: Scope) -> None:
    assert_type(numbers.share_in(scope), SharedFlow[int])
    assert_type(numbers.state_in(scope, initial=None), StateFlow[int | None])
    assert_type(numbers.state_in(scope, initial="", started=SharingStarted.EAGERLY), StateFlow[int | str])
    assert_type(await numbers.state_in(scope), StateFlow[int])
    assert_type(numbers.launch_in(scope), Job[None])
    assert_type(numbers.produce_in(scope), Channel[int])
    assert_type(scope.launch(shout, 1), Job[str])
    assert_type(await scope.launch(shout, 1), str)
    assert_type(MutableStateFlow(1).value, int)
    assert_type(MutableSharedFlow[str]().as_shared_flow(), SharedFlow[str])
    assert_type(MutableStateFlow(1).on_subscription(lambda emit: emit(0)), SharedFlow[int])
