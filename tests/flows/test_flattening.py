"""Flows of flows: one after the other, at once, or only the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import Event, current_time, fail_after, sleep, sleep_forever
from anyio.lowlevel import checkpoint

from flowsock import BUFFERED, Emitter, Flow, JobCancelled, as_flow, coroutine_scope, empty_flow, flow, flow_of, merge
from flowsock.testing import assert_marbles, marbles
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio


async def up_to(value: int) -> Flow[int]:
    await a_while()
    return as_flow(range(1, value + 1))


FLATTENED: dict[str, Callable[[Flow[int]], Flow[int]]] = {
    "concat": lambda flow: flow.flat_map_concat(lambda value: as_flow(range(1, value + 1))),
    "concat async": lambda flow: flow.flat_map_concat(up_to),
    "merge": lambda flow: flow.flat_map_merge(lambda value: as_flow(range(1, value + 1))),
    "merge async": lambda flow: flow.flat_map_merge(up_to),
    "flatten_concat": lambda flow: flow.map(lambda value: as_flow(range(1, value + 1))).flatten_concat(),
    "flatten_merge": lambda flow: flow.map(lambda value: as_flow(range(1, value + 1))).flatten_merge(),
    "merge 1": lambda flow: flow.flat_map_merge(lambda value: as_flow(range(1, value + 1)), concurrency=1),
    "merge buffered": lambda flow: flow.flat_map_merge(lambda value: as_flow(range(1, value + 1))).buffer(0),
}


@pytest.mark.parametrize("name", FLATTENED)
async def test_all_values_of_all_inner_flows_arrive(name: str) -> None:
    """Scenario flat_map_merge-01."""
    values = await FLATTENED[name](as_flow(range(1, 41))).to_list()
    assert sum(values) == sum(sum(range(1, value + 1)) for value in range(1, 41))
    if "concat" in name or name == "merge 1":
        assert values == [inner for value in range(1, 41) for inner in range(1, value + 1)]


async def test_empty_inner_flows_do_not_hold_places() -> None:
    """Scenario flat_map_merge-02."""
    flattened = as_flow(range(100)).flat_map_merge(lambda value: flow_of(42) if value == 99 else empty_flow())
    with fail_after(5):
        assert await flattened.to_list() == [42]


@pytest.mark.parametrize(
    ("flatten", "running"),
    [
        (lambda flow, inner: flow.flat_map_merge(inner, concurrency=2), 2),
        (lambda flow, inner: flow.flat_map_merge(inner), 16),
        (lambda flow, inner: flow.flat_map_merge(inner, concurrency=1), 1),
        (lambda flow, inner: flow.flat_map_concat(inner), 1),
        (lambda flow, inner: flow.map(inner).flatten_merge(concurrency=2), 2),
        (lambda flow, inner: flow.map(inner).flatten_concat(), 1),
    ],
)
async def test_no_more_than_so_many_inner_flows_run(
    flatten: Callable[[Flow[int], Callable[[int], Flow[int]]], Flow[int]], running: int
) -> None:
    """Scenarios flat_map_merge-06 and flat_map_concat-01."""
    started: list[int] = []
    stopped: list[int] = []
    seen: list[int] = []

    @flow
    async def inner(value: int) -> AsyncIterator[int]:
        started.append(value)
        try:
            yield value
            await sleep_forever()
        finally:
            stopped.append(value)

    async with coroutine_scope() as scope:
        flatten(as_flow(range(100)), inner).on_each(seen.append).launch_in(scope)
        await settled()
        assert sorted(started) == sorted(seen) == list(range(running))
        scope.cancel()
    assert sorted(stopped) == list(range(running))


async def test_a_failing_mapping_cancels_the_inner_flows_and_stops_the_upstream_there() -> None:
    """Scenario flat_map_merge-05."""
    log: list[str] = []

    @flow
    async def source() -> AsyncIterator[int]:
        yield 1
        await a_while()
        yield 2
        log.append("after 2")

    @flow
    async def hang() -> AsyncIterator[int]:
        try:
            await sleep_forever()
            yield 0
        finally:
            log.append("cancelled")

    def mapping(value: int) -> Flow[int]:
        if value == 2:
            raise ValueError("mapping")
        return hang()

    with pytest.raises(ValueError, match="mapping"), fail_after(5):
        await source().flat_map_merge(mapping).collect()
    assert log == ["cancelled"]


async def test_a_failing_inner_flow_cancels_the_others() -> None:
    log: list[int] = []

    @flow
    async def inner(value: int) -> AsyncIterator[int]:
        try:
            await a_while()
            if value == 2:
                raise ValueError("inner")
            yield value
            await sleep_forever()
        finally:
            log.append(value)

    with pytest.raises(ValueError, match="inner"), fail_after(5):
        await flow_of(1, 2, 3).flat_map_merge(inner).collect()
    assert sorted(log) == [1, 2, 3]


async def test_an_inner_flow_that_waited_for_something_cancelled_ends_alone() -> None:
    """Scenario flat_map_merge-08, in contrast to `combine` (combine-14) and to the concatenation."""
    async with coroutine_scope() as scope:
        cancelled = scope.launch(sleep_forever)
        cancelled.cancel()

        @flow
        async def inner(value: int) -> AsyncIterator[int]:
            yield value
            await cancelled
            yield -value

        numbers = flow_of(1, 2, 3)
        with fail_after(5):
            for alone in (
                numbers.flat_map_merge(inner),
                numbers.flat_map_merge(inner, concurrency=1),
                numbers.map(inner).flatten_merge(),
                merge(inner(1), inner(2), inner(3)),
            ):
                assert sorted(await alone.to_list()) == [1, 2, 3]
            seen: list[int] = []
            with pytest.raises(JobCancelled):
                await numbers.flat_map_concat(inner).collect(seen.append)
        assert seen == [1]


def test_the_concurrency_is_checked_when_the_operator_is_applied() -> None:
    """Scenario flat_map_merge-10."""
    with pytest.raises(ValueError, match="concurrency"):
        flow_of(1).flat_map_merge(flow_of, concurrency=0)


# The newest only


async def test_a_block_that_never_waits_is_never_cut() -> None:
    """Scenarios latest-01 and collect_latest-01."""
    assert await flow_of(1, 2, 3).flat_map_latest(lambda value: flow_of(value, value + 1)).to_list() == [1, 2, 2, 3, 3, 4]
    seen: list[int] = []
    await flow_of(1, 2, 3).collect_latest(seen.append)
    assert seen == [1, 2, 3]
    assert await flow_of(1, 2, 3).map_latest(lambda value: -value).to_list() == [-1, -2, -3]


async def test_a_block_that_waits_is_cut_by_the_next_value() -> None:
    """Scenario collect_latest-02."""
    done: list[int] = []

    async def action(value: int) -> None:
        await checkpoint()
        await checkpoint()
        done.append(value)

    with fail_after(5):
        await flow_of(1, 2, 3).collect_latest(action)
    assert done == [3]


async def test_a_new_value_waits_until_the_cut_block_has_cleaned_up() -> None:
    """Scenario latest-06."""
    log: list[str] = []

    async def block(emit: Emitter[int], value: int) -> None:
        log.append(f"begin {value}")
        if value != 4:
            try:
                await sleep_forever()
            finally:
                log.append(f"end {value}")
        await emit(42)

    with fail_after(5):
        assert await flow_of(1, 2, 3, 4).transform_latest(block).to_list() == [42]
    assert log == ["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3", "begin 4"]


async def test_the_last_block_runs_to_its_end_after_the_upstreams() -> None:
    gate = Event()

    async def wait(value: int) -> int:
        await gate.wait()
        return value

    async with coroutine_scope() as scope:
        job = scope.launch(flow_of(1, 2).map_latest(wait).to_list)
        await settled()
        assert not job.is_completed
        gate.set()
        with fail_after(5):
            assert await job == [2]
    empty: Flow[int] = empty_flow().transform_latest(lambda emit, _value: emit(1))
    assert await empty.to_list() == []  # scenario latest-07


async def test_failures_of_upstream_block_and_collector_cancel_each_other() -> None:
    """Scenarios latest-09, latest-10, collect_latest-03 and collect_latest-04."""
    log: list[str] = []

    @flow
    async def upstream(fail: bool) -> AsyncIterator[int]:
        try:
            yield 1
            await a_while()
            if fail:
                raise ValueError("upstream")
            await sleep_forever()
        finally:
            log.append("upstream")

    async def hang(emit: Emitter[int], value: int) -> None:
        try:
            await emit(value)
            await sleep_forever()
        finally:
            log.append("block")

    def explode(_value: int) -> None:
        raise ValueError("collector")

    async def explode_later(_value: int) -> None:
        await a_while()
        raise ValueError("action")

    with fail_after(5):
        with pytest.raises(ValueError, match="upstream"):
            await upstream(True).transform_latest(hang).collect()
        assert sorted(log) == ["block", "upstream"]
        log.clear()
        with pytest.raises(ValueError, match="collector"):
            await upstream(False).transform_latest(hang).buffer(2).collect(explode)
        assert sorted(log) == ["block", "upstream"]
        log.clear()
        with pytest.raises(ValueError, match="action"):
            await upstream(False).collect_latest(explode_later)
        assert log == ["upstream"]
        seen: list[int] = []
        with pytest.raises(ValueError, match="upstream"):
            await upstream(True).collect_latest(seen.append)
        assert seen == [1]


@pytest.mark.usefixtures("virtual_clock")
async def test_the_newest_in_time() -> None:
    """Scenarios latest-12, latest-13 and collect_latest-05."""
    log: list[str] = []

    @flow
    async def source() -> AsyncIterator[str]:
        yield "a"
        await sleep(100)
        yield "b"

    async def slow(value: str) -> str:
        log.append(f"start {value}")
        await sleep(200)
        log.append(f"done {value}")
        return value

    @flow
    async def inner(value: str) -> AsyncIterator[str]:
        yield value
        await sleep(200)
        yield f"{value} last"

    assert await source().map_latest(slow).to_list() == ["b"]
    assert log == ["start a", "start b", "done b"]
    log.clear()
    await source().collect_latest(slow)
    assert log == ["start a", "start b", "done b"]
    assert await source().flat_map_latest(inner).to_list() == ["a", "b", "b last"]


@pytest.mark.usefixtures("virtual_clock")
async def test_a_newer_value_cancels_the_flow_of_the_older_one_at_once() -> None:
    inner = marbles("x--y--z|")
    await assert_marbles(marbles("-a---b-c-|").flat_map_latest(lambda _value: inner), "-x--yx-x--y--z|")
    assert inner.lines == ["x--y!", "x-!", "x--y--z|"]


@pytest.mark.usefixtures("virtual_clock")
async def test_the_flows_of_flat_map_merge_run_beside_each_other_and_those_of_flat_map_concat_after_each_other() -> None:
    outer, inner = marbles("-a--b----|"), marbles("-x---y|")
    await assert_marbles(outer.flat_map_merge(lambda _value: inner), "--x--xy--y|")
    await assert_marbles(outer.flat_map_concat(lambda _value: inner), "--x---y-x---y|")
    await assert_marbles(outer.flat_map_merge(lambda _value: inner, concurrency=1), "--x---y-x---y|")


async def test_without_a_buffer_a_block_may_be_cut_at_its_emit_but_the_last_value_arrives() -> None:
    """Scenario latest-04."""
    seen: list[int] = []
    with fail_after(5):
        await flow_of(1, 2, 3, 4, 5).map_latest(lambda value: value).buffer(0).collect(seen.append)
        assert seen[-1] == 5
        assert seen == sorted(seen)
        assert await flow_of(1, 2).map_latest(lambda value: value).buffer(BUFFERED).to_list() == [1, 2]


# map_concurrent


class Work:
    """A function that takes time: its value in seconds."""

    def __init__(self) -> None:
        self.running = self.peak = 0

    async def __call__(self, value: int) -> int:
        self.running += 1
        self.peak = max(self.peak, self.running)
        await sleep(value)
        self.running -= 1
        return -value


@pytest.mark.usefixtures("virtual_clock")
@pytest.mark.parametrize(("limit", "seconds"), [(1, 10), (2, 7), (4, 4), (9, 4)])
async def test_map_concurrent_keeps_the_order_unless_told_otherwise(limit: int, seconds: int) -> None:
    work = Work()
    start = current_time()
    assert await flow_of(4, 1, 3, 2).map_concurrent(work, limit=limit).to_list() == [-4, -1, -3, -2]
    assert work.peak <= limit
    assert current_time() - start == pytest.approx(seconds)
    unordered = await flow_of(4, 1, 3, 2).map_concurrent(work, limit=limit, ordered=False).to_list()
    assert sorted(unordered) == [-4, -3, -2, -1]
    if limit >= 4:
        assert unordered == [-1, -2, -3, -4]
    assert work.peak == min(limit, 4)


async def test_map_concurrent_of_a_plain_function_or_of_nothing() -> None:
    assert await as_flow(range(200)).map_concurrent(lambda value: value + 1, limit=3).to_list() == list(range(1, 201))
    assert await empty_flow().map_concurrent(lambda value: value, limit=1).to_list() == []


async def test_the_upstream_of_map_concurrent_waits_for_a_place() -> None:
    asked: list[int] = []

    async def hang(_value: int) -> None:
        await sleep_forever()

    async with coroutine_scope() as scope:
        as_flow(range(100)).on_each(asked.append).map_concurrent(hang, limit=3).launch_in(scope)
        await settled()
        assert asked == [0, 1, 2, 3]
        scope.cancel()


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_failing_call_of_map_concurrent_cancels_the_others(ordered: bool) -> None:
    log: list[int] = []

    async def work(value: int) -> int:
        try:
            await (settled() if value == 2 else sleep_forever())
        finally:
            log.append(value)
        raise ValueError("call")

    with pytest.raises(ValueError, match="call"), fail_after(5):
        await flow_of(1, 2, 3).map_concurrent(work, limit=3, ordered=ordered).collect()
    assert sorted(log) == [1, 2, 3]
    log.clear()

    async def first_is_quick(value: int) -> int:
        if value > 1:
            try:
                await sleep_forever()
            finally:
                log.append(value)
        return value

    with fail_after(5):
        assert await flow_of(1, 2, 3).map_concurrent(first_is_quick, limit=3, ordered=ordered).take(1).to_list() == [1]
    assert log in ([], [2, 3], [3, 2])


def test_concurrency_is_checked_when_the_operator_is_applied() -> None:
    """Scenario flat_map_merge-10."""
    with pytest.raises(ValueError, match="map_concurrent"):
        flow_of(1).map_concurrent(str, limit=0)
    with pytest.raises(ValueError, match="concurrency"):
        flow_of(flow_of(1)).flatten_merge(concurrency=0)
