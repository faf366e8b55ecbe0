"""`buffer` and `conflate` over cold flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import CancelScope, Event, fail_after, sleep, sleep_forever
from anyio.lowlevel import checkpoint

from flowsock import BUFFERED, CONFLATED, UNLIMITED, BufferOverflow, Flow, coroutine_scope, empty_flow, flow, flow_of
from flowsock.testing import assert_marbles, marbles
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio

DROP_OLDEST, DROP_LATEST = BufferOverflow.DROP_OLDEST, BufferOverflow.DROP_LATEST


@flow
async def counting(produced: list[int], end: int = 200) -> AsyncIterator[int]:
    for value in range(end):
        produced.append(value)
        yield value


async def test_without_a_buffer_producer_and_collector_alternate() -> None:
    """Scenario buffer-01."""
    log: list[str] = []

    @flow
    async def source() -> AsyncIterator[int]:
        for value in range(200):
            log.append(f"P{value}")
            yield value

    await source().collect(lambda value: log.append(f"C{value}"))
    assert log == [entry for value in range(200) for entry in (f"P{value}", f"C{value}")]


SIZES: list[tuple[Callable[[Flow[int]], Flow[int]], int]] = [
    (lambda flow: flow.buffer(0), 2),
    (lambda flow: flow.buffer(1), 3),
    (lambda flow: flow.buffer(3), 5),
    (lambda flow: flow.buffer(0).buffer(1), 3),
    (lambda flow: flow.buffer(1).buffer(2).buffer(3), 8),
    (lambda flow: flow.buffer().buffer(7), 9),
    (lambda flow: flow.buffer(), 66),
    (lambda flow: flow.buffer(BUFFERED), 66),
    (lambda flow: flow.buffer(UNLIMITED), 200),
]


@pytest.mark.parametrize(("buffer", "started"), SIZES)
async def test_behind_a_stuck_collector_the_producer_fills_the_buffer_and_waits(
    buffer: Callable[[Flow[int]], Flow[int]], started: int
) -> None:
    """Scenarios buffer-02, buffer-03, buffer-04, buffer-05, buffer-06 and buffer-08, rule F5."""
    produced: list[int] = []
    seen: list[int] = []
    gate = Event()

    async def hold(value: int) -> None:
        seen.append(value)
        await gate.wait()

    async with coroutine_scope() as scope:
        job = scope.launch(buffer(counting(produced)).collect, hold)
        await settled()
        assert len(produced) == started
        assert seen == [0]
        gate.set()
        with fail_after(5):
            await job
    assert seen == list(range(200))


DROPPING: dict[str, tuple[Callable[[Flow[int]], Flow[int]], list[int]]] = {
    "conflate-01": (lambda flow: flow.conflate(), [0, 99]),
    "conflate-02": (lambda flow: flow.buffer(CONFLATED), [0, 99]),
    "conflate-03": (lambda flow: flow.buffer(0, on_buffer_overflow=DROP_OLDEST), [0, 99]),
    "conflate-04": (lambda flow: flow.buffer(10, on_buffer_overflow=DROP_OLDEST), [0, *range(90, 100)]),
    "conflate-05": (lambda flow: flow.buffer(42).conflate(), [0, 99]),
    "conflate-06": (lambda flow: flow.conflate().conflate(), [0, 99]),
    "conflate-07": (lambda flow: flow.conflate().buffer(10), [0, *range(90, 100)]),
    "conflate-08": (lambda flow: flow.buffer(on_buffer_overflow=DROP_LATEST), [0, 1]),
    "conflate-09": (lambda flow: flow.buffer(0, on_buffer_overflow=DROP_LATEST), [0, 1]),
    "conflate-10": (lambda flow: flow.buffer(42).buffer(on_buffer_overflow=DROP_LATEST), [0, 1]),
    "conflate-11": (lambda flow: flow.conflate().buffer(on_buffer_overflow=DROP_LATEST), [0, 1]),
    "conflate-12": (lambda flow: flow.buffer(on_buffer_overflow=DROP_LATEST).buffer(7), [0, *range(1, 8)]),
    "conflate-13": (lambda flow: flow.buffer(on_buffer_overflow=DROP_LATEST).conflate(), [0, 99]),
    "conflate-14": (
        lambda flow: flow.buffer(8, on_buffer_overflow=DROP_LATEST).buffer(3, on_buffer_overflow=DROP_OLDEST),
        [0, 97, 98, 99],
    ),
}


@pytest.mark.parametrize("name", DROPPING)
async def test_a_dropping_buffer_never_holds_the_producer_back(name: str) -> None:
    """Scenarios conflate-01 to conflate-14, rule F6."""
    dropping, expected = DROPPING[name]
    produced: list[int] = []
    seen: list[int] = []
    gate = Event()

    async def hold(value: int) -> None:
        seen.append(value)
        await gate.wait()

    async with coroutine_scope() as scope:
        job = scope.launch(dropping(counting(produced, 100)).collect, hold)
        await settled()
        assert len(produced) == 100
        gate.set()
        with fail_after(5):
            await job
    assert seen == expected


# Kotlin's `flowOn` separates a producer from its collector as a buffer does, whatever its dispatcher.


@flow
async def then_hang(log: list[str]) -> AsyncIterator[int]:
    try:
        yield 1
        await sleep_forever()
    finally:
        await checkpoint_shielded()
        log.append("source cleaned up")


async def checkpoint_shielded() -> None:
    with CancelScope(shield=True):
        await checkpoint()


async def test_a_failure_below_a_buffer_comes_out_after_the_producer_has_cleaned_up() -> None:
    """Scenario flow_on-02."""
    log: list[str] = []

    def explode(_value: int) -> int:
        raise ValueError("below")

    async with coroutine_scope() as scope:
        with pytest.raises(ValueError, match="below"), fail_after(5):
            await then_hang(log).buffer().map(explode).single()
        assert log == ["source cleaned up"]
        assert scope.is_active
        await checkpoint()


async def test_a_cancelled_collector_waits_for_the_producer_to_clean_up() -> None:
    """Scenario flow_on-03."""
    log: list[str] = []
    async with coroutine_scope() as scope:
        job = then_hang(log).buffer().launch_in(scope)
        await settled()
        assert log == []
        job.cancel()
        with fail_after(5):
            await job.join()
        assert job.is_cancelled
        assert log == ["source cleaned up"]


async def test_a_timeout_below_a_buffer_comes_out_after_the_producer_has_cleaned_up() -> None:
    """Scenario flow_on-04."""
    log: list[str] = []

    async def too_late(_value: int) -> None:
        with fail_after(-1):
            await sleep_forever()

    with pytest.raises(TimeoutError), fail_after(5):
        await then_hang(log).buffer().on_each(too_late).collect()
    assert log == ["source cleaned up"]


@pytest.mark.usefixtures("virtual_clock")
async def test_in_time_a_buffer_overlaps_the_work_above_and_below_it_and_conflation_skips() -> None:
    source = marbles("(abc|)").on_each(lambda _value: sleep(3))
    await assert_marbles(source.on_each(lambda _value: sleep(4)), "-------a------b------(c|)")
    await assert_marbles(source.buffer().on_each(lambda _value: sleep(4)), "-------a---b---(c|)")
    await assert_marbles(source.conflate().on_each(lambda _value: sleep(8)), "-----------a-------(c|)")


@pytest.mark.usefixtures("virtual_clock")
async def test_a_slow_collector_skips_to_the_newest_value() -> None:
    """Scenario conflate-15."""

    @flow
    async def source() -> AsyncIterator[int]:
        for value in range(1, 31):
            await sleep(100)
            yield value

    # Not a round 1000, so that nothing happens at the same instant.
    assert await source().conflate().on_each(lambda _value: sleep(990)).to_list() == [1, 10, 20, 30]


async def test_a_stop_below_a_buffer_ends_the_producer() -> None:
    """Scenario buffer-12."""
    log: list[str] = []

    @flow
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
            yield 3
            raise AssertionError("not reached")
        finally:
            log.append("cleaned up")

    with fail_after(5):
        assert await source().buffer(0).take(2).to_list() == [1, 2]
    assert log == ["cleaned up"]


def test_sizes_are_checked_when_the_operator_is_applied() -> None:
    """Scenario buffer-13."""
    for source in (empty_flow(), empty_flow().buffer(3), empty_flow().conflate()):
        with pytest.raises(ValueError, match="capacity"):
            source.buffer(-3)
        for overflow in (DROP_OLDEST, DROP_LATEST):
            with pytest.raises(ValueError, match="CONFLATED"):
                source.buffer(CONFLATED, on_buffer_overflow=overflow)


async def test_a_failing_producer_ends_the_collector_without_draining_the_buffer() -> None:
    """Scenario buffer-14: what waits in the buffer is not delivered, and what is being handled is cancelled."""
    seen: list[int] = []
    log: list[str] = []

    @flow
    async def source() -> AsyncIterator[int]:
        yield 1
        await settled()
        yield 2
        yield 3
        raise ValueError("producer")

    async def hold(value: int) -> None:
        seen.append(value)
        try:
            await sleep_forever()
        finally:
            log.append("cancelled")

    with pytest.raises(ValueError, match="producer"), fail_after(5):
        await source().buffer(8).collect(hold)
    assert seen == [1]
    assert log == ["cancelled"]


async def test_the_collectors_failure_cancels_the_producer() -> None:
    log: list[str] = []

    @flow
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            await sleep_forever()
        finally:
            log.append("cleaned up")

    def explode(_value: int) -> None:
        raise ValueError("collector")

    with pytest.raises(ValueError, match="collector"), fail_after(5):
        await source().buffer().collect(explode)
    assert log == ["cleaned up"]


async def test_the_producers_cleaning_up_runs_when_the_collection_is_cancelled() -> None:
    """Rule F7."""
    log: list[str] = []

    async def begin(_emit: object) -> None:
        log.append("started")
        await sleep_forever()

    async def clean_up(_emit: object, _cause: BaseException | None) -> None:
        log.append("completed")

    async with coroutine_scope() as scope:
        job = flow_of(1).on_start(begin).on_completion(clean_up).buffer().launch_in(scope)
        await settled()
        job.cancel()
    assert log == ["started", "completed"]


async def test_none_passes_a_buffer() -> None:
    assert await flow_of(None, 1, None).buffer(1).to_list() == [None, 1, None]
    assert await flow_of(None).conflate().to_list() == [None]
