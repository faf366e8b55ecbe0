"""`interval`, `debounce` and `sample`, in virtual time."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, TypeVar

import pytest
from anyio import current_time, fail_after, sleep, sleep_forever

from flowsock import ChannelClosed, empty_flow, flow, flow_of, interval
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
    start = current_time()
    times = [(tick, round(current_time() - start, 3)) async for tick in interval(2).take(3)]
    assert times == [(0, 2), (1, 4), (2, 6)]
    start = current_time()
    assert await interval(5, initial_delay=0).first() == 0
    assert current_time() == start
    assert await interval(5, initial_delay=1).take(2).last() == 1
    assert current_time() - start == pytest.approx(6)


async def test_interval_skips_the_ticks_that_a_slow_collector_missed_and_keeps_its_rate() -> None:
    start = current_time()
    seen: list[tuple[int, float]] = []

    async def handle(tick: int) -> None:
        seen.append((tick, round(current_time() - start, 3)))
        if tick == 0:
            await sleep(2.5)

    await interval(1).take(4).collect(handle)
    assert seen == [(0, 1), (1, 4), (2, 5), (3, 6)]


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
    source = timed((0, "A"), (1500, "B"), (2000, "C"), (2250, "D"), (4250, "E"))
    assert await source.debounce(lambda value: 0 if value == "C" else 1000).to_list() == ["A", "C", "D", "E"]


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


# sample


async def test_sample_emits_the_newest_value_of_each_period() -> None:
    """Scenario sample-01 (without the tie): E is lost, because the flow ended before the next tick."""
    source = timed((0, "A"), (1500, "B"), (2001, "C"), (2250, "D"), (4250, "E"), end=4251)
    assert await source.sample(1000).to_list() == ["A", "B", "D"]


async def test_sample_ticks_from_the_start_and_says_nothing_twice() -> None:
    """Scenario sample-03; scenario sample-07 without its ties."""
    assert await timed((0, "A"), (150, "B"), end=150).sample(100).to_list() == ["A"]
    source = timed((0, 0), (50, -1), (110, -2), (150, -3), (210, 0), (310, 1), (410, 2), (510, 3), end=601)
    assert await source.sample(100).to_list() == [-1, -3, 0, 1, 2, 3]


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
    start = current_time()
    assert await timed((0, 1), end=10).sample(1000).to_list() == []
    assert current_time() - start == pytest.approx(10)
    assert await empty_flow().sample(1).to_list() == []


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
