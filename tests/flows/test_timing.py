"""`interval`, `debounce`, `sample`, `chunked`, `timeout`, `throttle_first` and `rate_limit`, in virtual time."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, TypeVar

import pytest
from anyio import CancelScope, current_time, fail_after, sleep, sleep_forever

from flowsock import (
    ChannelClosed,
    MutableSharedFlow,
    Producer,
    channel_flow,
    coroutine_scope,
    empty_flow,
    flow,
    flow_of,
    interval,
)
from flowsock.testing import assert_marbles, marbles
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

T = TypeVar("T")


@flow
async def timed(*values: tuple[float, T], end: float = 0.0) -> AsyncIterator[T]:
    """Yield each value at its time since the start, and end at ``end``."""
    start = current_time()
    for when, value in values:
        await sleep(max(start + when - current_time(), 0))
        yield value
    await sleep(max(start + end - current_time(), 0))


@flow
async def one_then_error() -> AsyncIterator[int]:
    yield 1
    raise ValueError("upstream")


# interval


async def test_interval_counts_at_its_rate() -> None:
    await assert_marbles(interval(2), "--0-1-2-3-4-5-6-7")
    await assert_marbles(interval(5, initial_delay=0), "0----1----2")
    await assert_marbles(interval(5, initial_delay=1), "-0----1----2")


async def test_interval_skips_the_ticks_that_a_slow_collector_missed_and_keeps_its_rate() -> None:
    slow_at_first = interval(2).on_each(lambda tick: sleep(5 if tick == 0 else 0))
    await assert_marbles(slow_at_first, "-------0a-b-c-d", values={"a": 1, "b": 2, "c": 3, "d": 4})


def test_interval_checks_its_arguments() -> None:
    for arguments in ((0, None), (-1, None), (1, -1)):
        with pytest.raises(ValueError, match="interval"):
            interval(arguments[0] or 0, initial_delay=arguments[1])


# debounce


async def test_debounce_emits_what_nothing_followed_for_a_while() -> None:
    """Scenario debounce-06: ten values 99 apart are suppressed, those 101 apart are not."""

    @flow
    async def source() -> AsyncIterator[int]:
        for value in range(10):
            yield -value
            await sleep(99)
        for value in range(10):
            yield value
            await sleep(101)

    assert await source().debounce(100).to_list() == list(range(10))


async def test_debounce_flushes_the_last_value_on_completion_without_waiting() -> None:
    """Scenarios debounce-03, debounce-04 and debounce-05."""
    start = current_time()
    assert await flow_of(1, 2, 3).debounce(1000).to_list() == [3]
    assert await flow_of(None).debounce(inf).to_list() == [None]
    assert await empty_flow().debounce(inf).to_list() == []
    assert current_time() == start


async def test_debounce_asks_a_function_for_each_value() -> None:
    """Scenario debounce-09."""
    source = marbles("A-----B-CD-------(E|)", tick=250)
    debounced = source.debounce(lambda value: 0 if value == "C" else 1000)
    await assert_marbles(debounced, "----A---C----D---(E|)", tick=250)


async def test_a_value_with_no_timeout_is_emitted_even_if_the_next_one_is_there_already() -> None:
    assert await flow_of(1, 2, 3).debounce(lambda value: 0 if value == 2 else 10).to_list() == [2, 3]
    assert await flow_of(1, 2, 3).debounce(lambda _value: 0).to_list() == [1, 2, 3]


async def test_debounce_drops_the_pending_value_when_the_upstream_fails() -> None:
    """Scenario debounce-10."""
    seen: list[int] = []
    with pytest.raises(ValueError, match="upstream"):
        await one_then_error().debounce(inf).map(seen.append).collect()
    assert seen == []


async def test_a_failing_upstream_cancels_the_handler_below_debounce() -> None:
    """Scenario debounce-11."""
    log: list[str] = []

    @flow
    async def source() -> AsyncIterator[int]:
        yield 1
        await sleep(10)
        raise TimeoutError

    async def hang(_value: int) -> None:
        try:
            await sleep_forever()
        finally:
            log.append("cancelled")

    with pytest.raises(TimeoutError):
        await source().debounce(1).collect(hang)
    assert log == ["cancelled"]


async def test_a_closed_channel_below_debounce_is_an_error_like_any_other() -> None:
    def closed(_value: int) -> None:
        raise ChannelClosed("another one")

    with pytest.raises(ChannelClosed, match="another one"):
        await flow_of(1).debounce(1).collect(closed)


def test_debounce_checks_its_argument() -> None:
    """Scenario debounce-13."""
    with pytest.raises(ValueError, match="debounce"):
        flow_of(1).debounce(-1)
    source = flow_of(1)
    assert source.debounce(0) is source


async def test_debounce_checks_what_its_function_says() -> None:
    with pytest.raises(ValueError, match="debounce"):
        await flow_of(1).debounce(lambda _value: -1).collect()


async def test_a_slow_collector_below_debounce_holds_the_upstream_back() -> None:
    produced: list[int] = []

    async def handle(_value: int) -> None:
        before = len(produced)
        await sleep(100)
        assert len(produced) <= before + 1

    source = timed(*((float(3 * number), number) for number in range(10)))
    await source.on_each(produced.append).debounce(1).collect(handle)


async def test_a_burst_is_debounced_from_its_last_value_on() -> None:
    await assert_marbles(marbles("-a--bcd----e-f|").debounce(3), "----a----d----(f|)")
    await assert_marbles(marbles("-a--bcd#").debounce(2), "---a---#")


# sample


async def test_sample_emits_the_newest_value_of_each_period() -> None:
    """Scenario sample-01: C comes at the instant of a tick, and E is lost, because the flow ended before the next one."""
    source = marbles("A-----B-CD-------(E|)", tick=250)
    for _ in range(10):  # trio shuffles what happens at the same instant
        await assert_marbles(source.sample(1000), "----A---B---D----|", tick=250)


async def test_sample_ticks_from_the_start_and_says_nothing_twice() -> None:
    """Scenarios sample-03 and sample-07: at the same instant, the tick comes before a value and before the end."""
    await assert_marbles(marbles("A--(B|)", tick=50).sample(100), "--A|", tick=50)
    for _ in range(10):
        await assert_marbles(marbles("abcde-f-g-h-|").sample(2), "--b-d-e-f-g-(h|)")


async def test_a_failure_below_sample_cleans_up_the_upstream() -> None:
    """Scenario sample-10."""
    log: list[str] = []

    @flow
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            await sleep_forever()
        finally:
            log.append("cleaned up")

    async def explode(_value: int) -> None:
        await sleep(1)
        raise ValueError("below")

    with pytest.raises(ValueError, match="below"):
        await source().sample(100).map(explode).collect()
    assert log == ["cleaned up"]


async def test_the_end_of_the_upstream_does_not_cut_the_handler_below_sample() -> None:
    seen: list[str] = []

    async def handle(value: str) -> None:
        await sleep(500)
        seen.append(value)

    await timed((0, "A"), (150, "B"), end=250).sample(100).collect(handle)
    assert seen == ["A"]


async def test_sample_ends_at_once_with_its_upstream() -> None:
    await assert_marbles(marbles("a---|").sample(1000), "----|")
    await assert_marbles(empty_flow().sample(1), "|")


async def test_sample_passes_its_upstreams_failure_on() -> None:
    with pytest.raises(ValueError, match="upstream"):
        await one_then_error().sample(1).collect()


async def test_sample_of_a_flow_that_never_emits_can_be_cancelled() -> None:
    @flow
    async def never() -> AsyncIterator[int]:
        await sleep_forever()
        yield 0

    with pytest.raises(TimeoutError):
        with fail_after(10):
            await never().sample(1).collect()
    await settled()


def test_sample_checks_its_argument() -> None:
    for period in (0, -1):
        with pytest.raises(ValueError, match="sample"):
            flow_of(1).sample(period)


# chunked within a time


async def test_a_chunk_is_emitted_when_it_is_full_or_some_time_after_its_first_value() -> None:
    source = marbles("ab--c(de)------f|")
    chunks = {"x": ["a", "b"], "y": ["c", "d", "e"], "z": ["f"]}
    await assert_marbles(source.chunked(3, within=3), "---x-y----------(z|)", values=chunks)


async def test_a_chunk_that_waits_is_emitted_on_completion_and_dropped_on_failure() -> None:
    assert await flow_of(1, 2, 3).chunked(2, within=inf).to_list() == [[1, 2], [3]]
    assert await empty_flow().chunked(2, within=1).to_list() == []
    assert await flow_of(1, 2, 3).chunked(1, within=1).take(2).to_list() == [[1], [2]]
    seen: list[list[int]] = []
    with pytest.raises(ValueError, match="upstream"):
        await one_then_error().chunked(2, within=10).collect(seen.append)
    assert seen == []


# timeout


async def test_a_flow_that_is_silent_for_too_long_fails() -> None:
    """Scenario flow_timeout-02."""
    source = marbles("ABC---|")
    await assert_marbles(source.timeout(3), "ABC--#", error=TimeoutError)
    assert source.lines == ["ABC--!"]
    with pytest.raises(TimeoutError, match="3 s"):
        await source.timeout(3).collect()
    await assert_marbles(source.timeout(3).catch(lambda emit, _error: emit("x"), TimeoutError), "ABC--(x|)")
    await assert_marbles(marbles("a-b-|").timeout(2.5), "a-b-|")
    assert await timed((100, 1)).timeout(inf).to_list() == [1]
    assert await timed((0, 1), (500, 2)).timeout(100).take(1).to_list() == [1]


async def test_the_time_of_the_collector_does_not_count() -> None:
    seen: list[int] = []

    async def handle(value: int) -> None:
        await sleep(1000)
        seen.append(value)

    with pytest.raises(TimeoutError):
        await timed((0, 1), (50, 2), end=5000).timeout(100).collect(handle)
    assert seen == [1, 2]


async def test_a_flow_without_values_times_out() -> None:
    """Scenarios flow_timeout-08 and flow_timeout-10."""
    start = current_time()
    with pytest.raises(TimeoutError):
        await MutableSharedFlow[int]().timeout(100).collect()
    assert current_time() - start == pytest.approx(100)
    for seconds in (0, -1):
        with pytest.raises(TimeoutError):
            await empty_flow().timeout(seconds).collect()


async def test_a_hot_flow_restarts_the_timer_and_a_cancellation_is_no_timeout() -> None:
    """Scenario flow_timeout-09."""
    shared = MutableSharedFlow[int]()
    seen: list[int] = []
    async with coroutine_scope() as scope:
        job = shared.timeout(100).on_each(seen.append).launch_in(scope)
        for value in range(10):
            await sleep(50)
            await shared.emit(value)
        await job.cancel_and_join()
    assert job.is_cancelled
    assert seen == list(range(10))


async def test_what_the_cleanup_raises_wins_over_the_timeout() -> None:
    """Scenario flow_timeout-06."""

    @flow
    async def stubborn() -> AsyncIterator[int]:
        yield 1
        with CancelScope(shield=True):
            await sleep(2)
        try:
            await sleep_forever()
        finally:
            raise ValueError("cleanup")

    with pytest.raises(ValueError, match="cleanup"):
        await stubborn().timeout(1).collect()


async def test_a_value_that_comes_too_late_does_not_pass() -> None:
    @flow
    async def late() -> AsyncIterator[int]:
        with CancelScope(shield=True):
            await sleep(2)
        yield 1

    seen: list[int] = []
    with pytest.raises(TimeoutError):
        await late().timeout(1).collect(seen.append)
    assert seen == []


async def test_errors_from_above_and_below_pass_a_timeout() -> None:
    """Scenarios flow_timeout-07 and flow_timeout-11."""
    log: list[str] = []

    @flow
    async def then_hang() -> AsyncIterator[int]:
        try:
            yield 1
            await sleep_forever()
        finally:
            log.append("cleaned up")

    async def explode(_value: int) -> None:
        await sleep(1)
        raise ValueError("downstream")

    for flow_with_timeout in (then_hang().map(explode).timeout(100), then_hang().timeout(100).map(explode)):
        with pytest.raises(ValueError, match="downstream"):
            await flow_with_timeout.collect()
    assert log == ["cleaned up"] * 2
    with pytest.raises(ValueError, match="upstream"):
        await one_then_error().timeout(inf).collect()

    @channel_flow
    async def closed(producer: Producer[int]) -> None:
        producer.close(ValueError("cause"))

    with pytest.raises(ValueError, match="cause"):
        await closed().timeout(inf).collect(lambda _value: pytest.fail("called"))


async def test_a_flow_with_a_timeout_can_be_iterated() -> None:
    async with coroutine_scope():
        assert [value async for value in timed((0, 1), (10, 2)).timeout(100)] == [1, 2]
        async for value in timed((0, 1), (10, 2)).timeout(100):
            assert value == 1
            break


# throttle_first


async def test_throttle_first_drops_what_follows_within_the_time() -> None:
    throttled = marbles("ab-------c-de---------f|").throttle_first(10)
    for _ in range(2):
        await assert_marbles(throttled, "a----------d----------f|")


# rate_limit


async def test_rate_limit_delays_and_drops_nothing() -> None:
    limited = flow_of(*"abcde").on_each(lambda _value: None).rate_limit(2, per=10)
    await assert_marbles(limited, "(ab)------(cd)------(e|)")
    await assert_marbles(limited.take(2), "(ab|)")


async def test_rate_limit_counts_in_any_window() -> None:
    source = marbles("a--------(bcd)------------e|")
    await assert_marbles(source.rate_limit(2, per=10), "a--------bc--------d------e|")


async def test_rate_limit_over_a_shared_flow_makes_nobody_else_wait() -> None:
    shared = MutableSharedFlow[int](extra_buffer_capacity=8)
    seen: list[int] = []
    quick: list[int] = []
    async with coroutine_scope() as scope:
        shared.rate_limit(1, per=10).on_each(seen.append).launch_in(scope)
        shared.on_each(quick.append).launch_in(scope)
        await settled()
        for value in range(3):
            shared.emit_nowait(value)
        assert (seen, quick) == ([0], [0, 1, 2])
        await sleep(10)
        await settled()
        assert seen == [0, 1]
        scope.cancel()
    assert seen == [0, 1]


def test_times_and_counts_are_checked_when_the_operator_is_applied() -> None:
    with pytest.raises(ValueError, match="throttle_first"):
        empty_flow().throttle_first(0)
    for count, per in ((0, 1), (1, 0), (1, -1)):
        with pytest.raises(ValueError, match="rate_limit"):
            empty_flow().rate_limit(count, per=per)
