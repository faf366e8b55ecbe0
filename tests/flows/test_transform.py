"""Operators that turn each value into others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flowsock import Emitter, Flow, empty_flow, flow_of
from tests.turns import a_while

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio


def slowly(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def later(*arguments: Any) -> Any:
        await a_while()
        return function(*arguments)

    return later


SYNC_AND_ASYNC = pytest.mark.parametrize("made", [lambda function: function, slowly], ids=["sync", "async"])


@SYNC_AND_ASYNC
async def test_map(made: Callable[..., Any]) -> None:
    """Scenario transform-01."""
    assert await flow_of(1, 2).map(made(lambda value: value + 1)).to_list() == [2, 3]


@SYNC_AND_ASYNC
async def test_filter_and_filter_not(made: Callable[..., Any]) -> None:
    """Any truth value will do."""
    assert await flow_of(0, 1, 2, 3).filter(made(lambda value: value % 2)).to_list() == [1, 3]
    assert await flow_of(0, 1, 2, 3).filter_not(made(lambda value: value % 2)).to_list() == [0, 2]
    assert await flow_of("", "a", None, []).filter(made(lambda value: value)).to_list() == ["a"]


async def test_filter_is_keeps_instances_of_subclasses_too() -> None:
    """Scenario transform-05."""

    class Base: ...

    class Derived(Base): ...

    values = flow_of(*(kind() for kind in (Base, Derived) * 3))
    assert await values.filter_is(Base).count() == 6
    assert await values.filter_is(Derived).count() == 3


@SYNC_AND_ASYNC
async def test_on_each_runs_before_the_value_goes_on(made: Callable[..., Any]) -> None:
    log: list[str] = []
    await (
        flow_of(1, 2)
        .on_each(made(lambda value: log.append(f"each {value}")))
        .collect(lambda value: log.append(f"collect {value}"))
    )
    assert log == ["each 1", "collect 1", "each 2", "collect 2"]


@SYNC_AND_ASYNC
async def test_a_value_whose_action_fails_does_not_go_on(made: Callable[..., Any]) -> None:
    def explode(value: int) -> None:
        if value == 2:
            raise ValueError("two")

    seen: list[int] = []
    with pytest.raises(ValueError, match="two"):
        await flow_of(1, 2, 3).on_each(made(explode)).collect(seen.append)
    assert seen == [1]


async def test_transform_emits_as_often_as_it_likes() -> None:
    """Scenario transform-07."""

    async def twice(emit: Emitter[int], value: int) -> None:
        await emit(value)
        await emit(value)

    async def odd(emit: Emitter[int], value: int) -> None:
        if value % 2:
            await emit(value)

    assert await flow_of(1, 2, 3).transform(twice).to_list() == [1, 1, 2, 2, 3, 3]
    assert await flow_of(1, 2, 3).transform(odd).to_list() == [1, 3]
    negative: Flow[int] = flow_of(1, 2).transform(lambda emit, value: emit(-value))
    assert await negative.to_list() == [-1, -2]


async def test_emit_in_a_transform_waits_for_the_collector() -> None:
    log: list[str] = []

    async def twice(emit: Emitter[int], value: int) -> None:
        for _ in range(2):
            await emit(value)
            log.append("emitted")

    async def handle(_value: int) -> None:
        await a_while()
        log.append("handled")

    await flow_of(1).transform(twice).collect(handle)
    assert log == ["handled", "emitted"] * 2


async def test_with_index() -> None:
    """Scenario transform-08, and transform-09: a second collection counts afresh."""
    indexed = flow_of(3, 2, 1).with_index()
    assert await indexed.to_list() == await indexed.to_list() == [(0, 3), (1, 2), (2, 1)]
    assert await empty_flow().with_index().to_list() == []


@SYNC_AND_ASYNC
async def test_scan_emits_the_initial_value_first(made: Callable[..., Any]) -> None:
    """Scenario scan-03."""
    sums = flow_of(1, 2, 3, 4, 5).scan(0, made(lambda total, value: total + value))
    assert await sums.to_list() == await sums.to_list() == [0, 1, 3, 6, 10, 15]
    assert await empty_flow().scan(0, made(lambda total, value: total + value)).to_list() == [0]


async def test_none_is_a_real_accumulator() -> None:
    """Scenario scan-04."""

    def step(total: int | None, value: int | None) -> int | None:
        if value is None:
            return total
        return value if total is None else total + value

    values = flow_of(None, 2, None, None, None, 5)
    assert await values.scan(None, step).drop(1).to_list() == [None, 2, 2, 2, 2, 7]


@SYNC_AND_ASYNC
async def test_map_not_none_and_filter_not_none(made: Callable[..., Any]) -> None:
    """Scenario transform-03."""
    assert await flow_of(1, None, 2).map_not_none(made(lambda value: value)).to_list() == [1, 2]
    assert await flow_of(0, 1, 2).map_not_none(made(lambda value: None if value == 1 else value)).to_list() == [0, 2]
    assert await flow_of(0, None, "").filter_not_none().to_list() == [0, ""]


@SYNC_AND_ASYNC
async def test_running_reduce_starts_from_the_first_value(made: Callable[..., Any]) -> None:
    """Scenarios scan-01, scan-03 and scan-04."""
    sums = flow_of(1, 2, 3, 4, 5).running_reduce(made(lambda total, value: total + value))
    assert await sums.to_list() == await sums.to_list() == [1, 3, 6, 10, 15]
    assert await empty_flow().running_reduce(made(lambda total, value: total + value)).to_list() == []

    def step(total: int | None, value: int | None) -> int | None:
        if value is None:
            return total
        return value if total is None else total + value

    values = flow_of(None, 2, None, None, None, 5)
    assert await values.running_reduce(made(step)).to_list() == [None, 2, 2, 2, 2, 7]


async def test_pairwise() -> None:
    pairs = flow_of(1, None, 3).pairwise()
    assert await pairs.to_list() == await pairs.to_list() == [(1, None), (None, 3)]
    assert await flow_of(1).pairwise().to_list() == await empty_flow().pairwise().to_list() == []


async def test_chunked() -> None:
    """Scenarios chunked-01 and chunked-03."""
    chunks = flow_of(1, 2, 3, 4, 5).chunked(2)
    assert await chunks.to_list() == await chunks.to_list() == [[1, 2], [3, 4], [5]]
    assert await flow_of(1, 2, 3, 4, 5).chunked(3).to_list() == [[1, 2, 3], [4, 5]]
    assert await flow_of(1).chunked(3).to_list() == [[1]]
    assert await empty_flow().chunked(1).to_list() == await empty_flow().chunked(2).to_list() == []


async def test_a_chunk_that_is_not_full_is_dropped_when_the_flow_fails() -> None:
    def explode(value: int) -> None:
        if value == 3:
            raise ValueError("three")

    seen: list[list[int]] = []
    with pytest.raises(ValueError, match="three"):
        await flow_of(1, 2, 3).on_each(explode).chunked(3).collect(seen.append)
    assert seen == []


def test_the_size_of_chunks_is_checked_when_the_operator_is_applied() -> None:
    """Scenario chunked-04."""
    for size, within in ((0, None), (-1, None), (0, 1), (1, 0), (1, -1)):
        with pytest.raises(ValueError, match="chunked"):
            empty_flow().chunked(size, within=within)


async def test_start_with_emits_first() -> None:
    seen: list[int] = []
    await flow_of(2).on_each(seen.append).start_with(0, 1).collect(seen.append)
    assert seen == [0, 1, 2, 2]
    assert await empty_flow().start_with().to_list() == []
    assert await flow_of(3).start_with(1, 2).take(1).to_list() == [1]


async def test_start_with_waits_for_the_collector() -> None:
    log: list[int] = []

    async def handle(value: int) -> None:
        await a_while()
        log.append(value)

    await flow_of(3).start_with(1, 2).collect(handle)
    assert log == [1, 2, 3]


async def test_pipe_applies_a_function_to_the_flow() -> None:
    def doubled(numbers: Flow[int]) -> Flow[int]:
        return numbers.map(lambda number: number * 2)

    assert await flow_of(1, 2).pipe(doubled).to_list() == [2, 4]
    assert await flow_of(1, 2).pipe(Flow.count) == 2


class Box:
    """Has no equality of its own."""

    def __init__(self, number: int) -> None:
        self.number = number


async def test_distinct_until_changed() -> None:
    """Scenarios distinct-02 and distinct-03."""
    assert await flow_of(None, 1, None, None, 1, 1).distinct_until_changed().to_list() == [None, 1, None, 1]
    boxes = flow_of(Box(1), Box(1), Box(2), Box(1))
    assert sum(box.number for box in await boxes.distinct_until_changed().to_list()) == 5
    assert sum(box.number for box in await boxes.distinct_until_changed_by(lambda box: box.number).to_list()) == 4


def test_what_is_distinct_is_not_compared_again() -> None:
    def same(old: object, new: object) -> bool:
        return old is new

    once = flow_of(1).distinct_until_changed()
    assert once.distinct_until_changed() is once
    own = flow_of(1).distinct_until_changed(same)
    assert own.distinct_until_changed(same) is own
    assert own.distinct_until_changed() is not own
    by_key = flow_of(1).distinct_until_changed_by(abs)
    assert by_key.distinct_until_changed_by(abs) is by_key
    assert by_key.distinct_until_changed_by(str) is not by_key
    assert by_key.map(abs).distinct_until_changed_by(abs) is not by_key


async def test_the_first_value_is_not_compared() -> None:
    """Scenario distinct-04."""

    def never(_old: object, _new: object) -> bool:
        raise AssertionError("nothing to compare")

    assert await flow_of(1).distinct_until_changed(never).to_list() == [1]


async def test_values_are_compared_with_the_last_one_that_was_emitted() -> None:
    near = flow_of(1, 2, 3, 4, 5).distinct_until_changed(lambda old, new: new - old < 2)
    assert await near.to_list() == await near.to_list() == [1, 3, 5]


async def test_elements_are_never_compared_hashed_or_shown() -> None:
    """Rule G11, scenario terminal-09."""

    class Touchy:
        def __eq__(self, _other: object) -> bool:
            raise AssertionError

        def __hash__(self) -> int:
            raise AssertionError

        def __repr__(self) -> str:
            raise AssertionError

        def __bool__(self) -> bool:
            raise AssertionError

    touchy = Touchy()
    pipeline = (
        flow_of(touchy).map(lambda value: value).on_each(lambda _value: None).take(5).with_index().map(lambda pair: pair[1])
    )
    assert (await pipeline.to_list())[0] is touchy
    assert await pipeline.first() is touchy
    assert await pipeline.first(default=None) is touchy
    assert await pipeline.last() is touchy
    assert await pipeline.single() is touchy
    assert await pipeline.first(lambda _value: True) is touchy
