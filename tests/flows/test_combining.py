"""`combine` and `combine_transform`: the newest value of every flow; `zip_with`: pairs of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anyio import Event, fail_after, move_on_after, sleep_forever
from anyio.lowlevel import checkpoint

from flowsock import (
    Emitter,
    Flow,
    JobCancelled,
    MutableSharedFlow,
    MutableStateFlow,
    as_flow,
    combine,
    combine_transform,
    coroutine_scope,
    empty_flow,
    flow,
    flow_of,
)
from flowsock.testing import assert_marbles, marbles
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio


def pair(a: object, b: object) -> str:
    return f"{a}{b}"


@flow
async def then_hang(value: Any, log: list[str]) -> AsyncIterator[Any]:
    try:
        yield value
        await sleep_forever()
    finally:
        log.append(f"{value} cancelled")


@flow
async def then_fail(value: Any) -> AsyncIterator[Any]:
    yield value
    await a_while()
    raise ValueError("upstream")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(("a", "b", "c"), (1, 2, 3), ["a1", "b2", "c3"]), (("a", None, None), (1, 2, 3), ["a1", "None2", "None3"])],
)
async def test_values_that_are_there_at_the_same_time_are_taken_together(
    first: tuple[object, ...], second: tuple[object, ...], expected: list[str], anyio_backend_name: str
) -> None:
    """Scenarios combine-01 and combine-02; trio runs the two flows in any order."""
    combined = await combine(flow_of(*first), flow_of(*second), pair).to_list()
    assert combined[-1] == expected[-1]
    assert [value[:-1] for value in combined] == sorted(
        (value[:-1] for value in combined), key=[str(value) for value in first].index
    )
    assert [value[-1] for value in combined] == sorted(value[-1] for value in combined)
    if anyio_backend_name == "asyncio":
        assert combined == expected


async def test_two_flows_of_many_values(anyio_backend_name: str) -> None:
    """Scenario combine-09: on a fair scheduler each pair of values makes one result."""
    sums = await combine(as_flow(range(1024)), as_flow(range(1024)), lambda a, b: a + b).to_list()
    assert sums == sorted(sums)
    assert sums[-1] == 2046
    if anyio_backend_name == "asyncio":
        assert sums == [*range(0, 2048, 2)]


async def test_a_flow_that_is_faster_is_combined_with_what_there_is(anyio_backend_name: str) -> None:
    """Scenario combine-10; trio runs the two flows in any order."""

    @flow
    async def slow() -> AsyncIterator[int]:
        yield 1
        await checkpoint()
        await checkpoint()
        yield 2
        await checkpoint()
        yield 3

    combined = await combine(flow_of("a", "b", "c"), slow(), pair).to_list()
    assert combined[-1] == "c3"
    assert combined == sorted(combined)
    if anyio_backend_name == "asyncio":
        assert combined == ["a1", "b1", "c1", "c2", "c3"]


async def test_no_value_of_a_single_flow_is_skipped() -> None:
    assert await combine(as_flow(range(300)), lambda value: value).to_list() == list(range(300))


async def test_one_to_many_flows_and_asynchronous_functions() -> None:
    async def join(*values: object) -> str:
        await a_while()
        return "".join(map(str, values))

    flows: list[Flow[int]] = [flow_of(number) for number in range(6)]
    for count in range(1, 7):
        expected = "".join(map(str, range(count)))
        assert await combine(*flows[:count], join).to_list() == [expected]
        assert await combine(*flows[:count], lambda *values: "".join(map(str, values))).to_list() == [expected]


async def test_nothing_is_emitted_before_every_flow_had_a_value() -> None:
    """Scenarios combine-04, combine-05 and combine-06."""
    log: list[str] = []
    with fail_after(5):
        assert await combine(empty_flow(), empty_flow(), pair).to_list() == []
        assert await combine(lambda: 1).to_list() == []  # type: ignore[call-overload]
        assert await combine(flow_of(1, 2), empty_flow(), pair).to_list() == []
    seen: list[str] = []
    async with coroutine_scope() as scope:
        job = combine(empty_flow(), then_hang(1, log), pair).on_each(seen.append).launch_in(scope)
        await settled()
        assert not job.is_completed
        scope.cancel()
    assert seen == []
    assert log == ["1 cancelled"]


async def test_a_failure_cancels_the_other_flows() -> None:
    """Scenarios combine-12 and combine-13."""

    def explode(_value: object) -> None:
        raise ValueError("downstream")

    log: list[str] = []
    hanging = then_hang("a", log)
    for failing in (combine(hanging, then_fail(1), pair), combine(then_fail(1), hanging, pair)):
        log.clear()
        with pytest.raises(ValueError, match="upstream"), fail_after(5):
            await failing.collect()
        assert log == ["a cancelled"]
    log.clear()
    with pytest.raises(ValueError, match="downstream"), fail_after(5):
        await combine(then_hang("a", log), then_hang("b", log), pair).collect(explode)
    assert sorted(log) == ["a cancelled", "b cancelled"]
    log.clear()
    with pytest.raises(ValueError, match="downstream"), fail_after(5):
        await combine(then_hang("a", log), then_hang("b", log), lambda _a, b: explode(b)).collect()
    assert sorted(log) == ["a cancelled", "b cancelled"]


async def test_a_flow_that_awaited_a_cancelled_job_fails_the_combination() -> None:
    """Scenarios combine-14 and combine-15: Python's nearest to a cancellation that is thrown, not delivered."""
    log: list[str] = []

    async with coroutine_scope() as scope:
        cancelled = scope.launch(sleep_forever)
        cancelled.cancel()

        @flow
        async def awaiting() -> AsyncIterator[int]:
            yield 1
            await cancelled

        async def wait_for_it(_value: object) -> None:
            await a_while()
            await cancelled

        with pytest.raises(JobCancelled), fail_after(5):
            await combine(awaiting(), then_hang("b", log), pair).collect()
        assert log == ["b cancelled"]
        log.clear()
        with pytest.raises(JobCancelled), fail_after(5):
            await combine(then_hang("a", log), then_hang("b", log), pair).on_each(wait_for_it).collect()
        assert sorted(log) == ["a cancelled", "b cancelled"]


async def test_a_failure_before_every_flow_had_a_value_is_all_that_is_seen() -> None:
    """Scenario combine-17."""

    def explode(_value: int) -> int:
        raise ValueError("upstream")

    combined = combine(flow_of(1), flow_of(0).map(explode), pair)
    assert await combined.catch(lambda emit, _error: emit("error")).to_list() == ["error"]


async def test_nothing_is_combined_in_a_cancelled_scope() -> None:
    """Scenario combine-16."""
    seen: list[str] = []
    with move_on_after(100) as scope:
        scope.cancel()
        await combine(flow_of(1), flow_of(2), pair).collect(seen.append)
    assert scope.cancelled_caught
    assert seen == []


async def test_nothing_is_combined_after_the_collector_was_cancelled() -> None:
    seen: list[int] = []

    async with coroutine_scope() as scope:

        def cancel_at_the_third(value: int) -> None:
            seen.append(value)
            if len(seen) == 3:
                scope.cancel()

        await combine(as_flow(range(100)), as_flow(range(100)), lambda a, b: a + b).collect(cancel_at_the_third)
    assert len(seen) == 3


async def test_what_on_start_emits_takes_part(anyio_backend_name: str) -> None:
    """Scenario combine-18; on trio A may come when 1 has come too."""
    numbers = flow_of(1).on_start(lambda emit: emit(0))
    combined = await combine(flow_of("A"), numbers, pair).to_list()
    assert combined[-1] == "A1"
    assert combined == ["A0", "A1"] or anyio_backend_name == "trio"


async def test_states_are_combined_as_they_change() -> None:
    name, count = MutableStateFlow("a"), MutableStateFlow(1)
    seen: list[str] = []
    async with coroutine_scope() as scope:
        combine(name, count, pair).on_each(seen.append).launch_in(scope)
        await settled()
        name.value = "b"
        await settled()
        count.value = 2
        await settled()
        assert seen == ["a1", "b1", "b2"]
        scope.cancel()
    assert name.subscription_count.value == 0


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize(
    "make",
    [lambda a: combine(a, lambda x: x), lambda a: a.debounce(lambda _value: 0), lambda a: a.buffer(2), lambda a: a.conflate()],
)
async def test_whenever_the_collector_is_cancelled_nothing_reaches_it_afterwards(
    make: Callable[[Flow[int]], Flow[int]], turns: int
) -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    seen: list[int] = []
    ready = Event()
    async with coroutine_scope() as scope:
        job = make(shared.on_start(lambda _emit: ready.set())).on_each(seen.append).launch_in(scope)
        await settled()
        shared.emit_nowait(1)
        shared.emit_nowait(2)
        for _ in range(turns):
            await checkpoint()
        job.cancel()
        before = list(seen)
        shared.emit_nowait(3)
        await settled()
        assert seen == before


@pytest.mark.usefixtures("virtual_clock")
async def test_each_value_is_combined_at_its_time_and_the_last_flow_ends_it() -> None:
    combined = combine(marbles("-a---b-----|"), marbles("---1---2|"), pair)
    values = {"w": "a1", "x": "b1", "y": "b2"}
    await assert_marbles(combined, "---w-x-y---|", values=values)
    await assert_marbles(combine(marbles("-a--|"), marbles("--1#"), pair), "--w#", values=values)


async def test_combine_transform_emits_as_often_as_it_likes() -> None:
    async def both(emit: Emitter[object], a: object, b: object) -> None:
        await emit(a)
        await emit(b)

    assert await combine_transform(flow_of(1), flow_of("a"), both).to_list() == [1, "a"]
    assert await combine_transform(flow_of(1), empty_flow(), both).to_list() == []
    assert await combine_transform(flow_of(1), flow_of("a"), lambda _emit, _a, _b: None).to_list() == []
    assert await combine_transform(flow_of(1), flow_of("a"), both).take(1).to_list() == [1]
    flows: list[Flow[int]] = [flow_of(number) for number in range(5)]
    assert await combine_transform(*flows, lambda emit, *values: emit(sum(values))).to_list() == [10]


# zip_with


@flow
async def values_then(*values: Any, end: Callable[[], Any] = settled) -> AsyncIterator[Any]:
    for value in values:
        yield value
    await end()


async def slow_pair(a: object, b: object) -> str:
    await a_while()
    return pair(a, b)


@pytest.mark.parametrize("join", [pair, slow_pair])
async def test_zip_pairs_until_either_ends(join: Callable[[Any, Any], Any]) -> None:
    """Scenarios zip-01, zip-02 and zip-03."""
    letters, numbers = flow_of("a", "b", "c", "d", "e"), flow_of(1, 2, 3)
    for _ in range(2):
        assert await letters.zip_with(numbers, join).to_list() == ["a1", "b2", "c3"]
        assert await numbers.zip_with(letters, join).to_list() == ["1a", "2b", "3c"]
    assert await flow_of("a", None, None, "d").zip_with(numbers, join).to_list() == ["a1", "None2", "None3"]
    assert await flow_of("a").zip_with(empty_flow(), join).to_list() == []
    assert await empty_flow().zip_with(letters, join).to_list() == []
    assert await empty_flow().zip_with(empty_flow(), join).to_list() == []


async def test_zip_makes_tuples_without_a_function() -> None:
    assert await flow_of(1, 2).zip_with(flow_of("a", "b")).to_list() == [(1, "a"), (2, "b")]


async def test_the_end_of_either_flow_cancels_the_other_even_if_that_waits() -> None:
    """Scenarios zip-05 and zip-06."""
    log: list[str] = []
    with fail_after(5):
        assert await values_then("a", end=settled).zip_with(then_hang(1, log)).to_list() == [("a", 1)]
        assert log == ["1 cancelled"]
        assert await then_hang(1, log).zip_with(values_then("a", end=settled)).to_list() == [(1, "a")]
        assert log == ["1 cancelled"] * 2
        assert await then_hang(1, log).zip_with(empty_flow()).to_list() == []
        assert await MutableSharedFlow[int]().zip_with(empty_flow()).to_list() == []


async def test_the_end_of_the_first_flow_cancels_the_other_which_may_have_gone_on_to_its_next_wait() -> None:
    """Scenario zip-07, where Kotlin never resumes the other flow: an anyio task that was handed on runs to its next wait."""
    log: list[str] = []

    @flow
    async def other() -> AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
            await sleep_forever()
            log.append("unreachable")
        finally:
            log.append("cancelled")

    with fail_after(5):
        assert await flow_of(1, 2).zip_with(other(), pair).to_list() == ["1a", "2b"]
    assert log == ["cancelled"]


async def test_the_end_of_the_other_flow_does_not_cancel_the_collector() -> None:
    seen: list[tuple[str, int]] = []

    async def handle(both: tuple[str, int]) -> None:
        await settled()
        seen.append(both)

    log: list[str] = []
    with fail_after(5):
        await then_hang("a", log).zip_with(flow_of(1)).collect(handle)
    assert seen == [("a", 1)]
    assert log == ["a cancelled"]


async def test_the_other_flow_is_one_value_ahead_at_most() -> None:
    log: list[str] = []
    numbers = flow_of(1, 2, 3).on_each(lambda value: log.append(f"other {value}"))

    async def handle(both: tuple[str, int]) -> None:
        await settled()
        log.append(f"handled {both[1]}")

    await flow_of("a", "b", "c").on_each(lambda value: log.append(f"own {value}")).zip_with(numbers).collect(handle)
    assert log[-1] == "handled 3"
    for value in (1, 2):
        assert log.index(f"other {value + 1}") < log.index(f"handled {value}") < log.index("own b" if value == 1 else "own c")
    assert log.index("handled 1") < log.index("other 3")


async def test_a_failure_in_a_zip_cancels_the_others() -> None:
    """Scenario zip-09."""

    def explode(*_values: object) -> None:
        raise ValueError("downstream")

    log: list[str] = []
    hanging = then_hang("a", log)
    for failing in (
        hanging.zip_with(then_fail(1)),
        then_fail(1).zip_with(hanging),
        hanging.zip_with(then_hang(1, log), explode),
        hanging.zip_with(flow_of(1)).on_each(explode),
    ):
        log.clear()
        with pytest.raises(ValueError, match="stream"), fail_after(5):
            await failing.collect()
        assert "a cancelled" in log


async def test_a_zip_can_be_stopped_early() -> None:
    log: list[str] = []
    with fail_after(5):
        assert await then_hang(1, log).zip_with(then_hang(2, log)).first() == (1, 2)
        assert sorted(log) == ["1 cancelled", "2 cancelled"]
        async with coroutine_scope():
            async for both in then_hang(1, log).zip_with(then_hang(2, log)):
                assert both == (1, 2)
                break
    assert sorted(log) == ["1 cancelled"] * 2 + ["2 cancelled"] * 2


async def test_zip_of_shared_flows() -> None:
    left, right = MutableSharedFlow[int](extra_buffer_capacity=8), MutableSharedFlow[int](extra_buffer_capacity=8)
    seen: list[tuple[int, int]] = []
    async with coroutine_scope() as scope:
        left.zip_with(right).on_each(seen.append).launch_in(scope)
        await settled()
        for value in range(3):
            left.emit_nowait(value)
        right.emit_nowait(10)
        await settled()
        assert seen == [(0, 10)]
        right.emit_nowait(11)
        await settled()
        assert seen == [(0, 10), (1, 11)]
        scope.cancel()
    assert left.subscription_count.value == right.subscription_count.value == 0


@pytest.mark.usefixtures("virtual_clock")
async def test_a_pair_comes_when_its_later_value_does_and_the_end_when_the_first_flow_ends() -> None:
    letters, numbers = marbles("-a------b---|"), marbles("---1-2---------3|")
    await assert_marbles(letters.zip_with(numbers, pair), "---x----y---|", values={"x": "a1", "y": "b2"})
    await assert_marbles(numbers.zip_with(letters, pair), "---x----y---|", values={"x": "1a", "y": "2b"})
    assert letters.lines == ["-a------b---|"] * 2
    assert numbers.lines == ["---1-2------!"] * 2
