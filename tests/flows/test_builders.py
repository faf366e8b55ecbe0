"""Where flows come from: `flow`, `flow_of`, `as_flow`, `empty_flow`, `channel_flow`, and merging many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import Event, fail_after, sleep_forever

from flowsock import (
    CONFLATED,
    Channel,
    ChannelClosed,
    Flow,
    Producer,
    as_flow,
    channel_flow,
    coroutine_scope,
    empty_flow,
    flow,
    flow_of,
    merge,
)
from flowsock.testing import assert_marbles, marbles, turbine
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.anyio


async def test_fixed_values_are_emitted_to_each_collection() -> None:
    """Scenario builders-04."""
    values = flow_of(1, None, 3)
    assert await values.to_list() == await values.to_list() == [1, None, 3]
    assert await empty_flow().to_list() == await flow_of().to_list() == []


async def test_an_iterable_is_iterated_anew_and_an_iterator_gives_what_is_left() -> None:
    """Scenario builders-03."""
    again = as_flow(range(10))
    assert await again.to_list() == await again.to_list() == list(range(10))
    once = as_flow(iter(range(10)))
    assert await once.take(3).to_list() == [0, 1, 2]
    assert await once.to_list() == [3, 4, 5, 6, 7, 8, 9]
    assert await once.to_list() == []


async def test_a_text_is_an_iterable_of_characters() -> None:
    assert await as_flow("abc").to_list() == ["a", "b", "c"]


async def test_an_iterable_that_fails_fails_the_flow() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    async with turbine(as_flow(broken())) as events:
        assert await events.item() == 1
        assert str(await events.error(ValueError)) == "broken"


async def test_a_function_is_called_once_per_collection() -> None:
    calls: list[int] = []

    def function() -> int:
        calls.append(1)
        return len(calls)

    async def coroutine() -> int:
        await a_while()
        return function()

    assert await as_flow(function).to_list() == [1]
    assert await as_flow(coroutine).to_list() == [2]
    assert len(calls) == 2


def test_other_things_are_no_flows() -> None:
    with pytest.raises(TypeError, match="not int"):
        as_flow(3)  # type: ignore[call-overload]
    flow = flow_of(1)
    assert as_flow(flow) is flow


async def test_building_runs_nothing() -> None:
    """Rule G1."""
    log: list[str] = []

    @flow
    async def source(name: str, *, times: int) -> AsyncIterator[str]:
        log.append("run")
        for _ in range(times):
            yield name

    def note(value: str) -> str:
        log.append("map")
        return value

    described = source("a", times=2).map(note).take(5).buffer(3)
    assert log == []
    assert await described.to_list() == ["a", "a"]
    assert log == ["run", "map", "map"]
    assert source.__name__ == "source"


# Channels


async def test_collectors_of_a_channel_share_its_values_and_leave_it_open() -> None:
    """Scenario channel_as_flow-04: an early stop loses nothing; a close with a cause is raised, each time."""
    channel = Channel[int](100)
    for value in range(1, 11):
        channel.send_nowait(value)
    channel.close(ValueError("cause"))
    values = as_flow(channel)
    assert sum(await values.take(5).to_list()) == 15
    assert sum(await values.take(5).to_list()) == 40
    for _ in range(2):
        with pytest.raises(ValueError, match="cause"):
            await values.collect()


async def test_each_value_of_a_channel_goes_to_one_collector() -> None:
    channel = Channel[int]()
    seen: list[list[int]] = [[], []]
    with fail_after(5):
        async with coroutine_scope() as scope:
            for destination in seen:
                scope.launch(as_flow(channel).to_list, destination)
            await settled()
            for value in range(10):
                await channel.send(value)
                await a_while()
            channel.close()
    assert sorted(seen[0] + seen[1]) == list(range(10))
    assert all(values == sorted(values) for values in seen)


async def test_a_failing_collector_leaves_the_channel_open() -> None:
    channel = Channel[int](4)
    channel.send_nowait(1)

    def explode(_value: int) -> None:
        raise ValueError("collector")

    with pytest.raises(ValueError, match="collector"):
        await as_flow(channel).collect(explode)
    channel.send_nowait(2)
    assert await as_flow(channel).first() == 2


# Channel flows


async def test_a_channel_flow_may_send_from_several_jobs() -> None:
    """Scenario transparency-02."""

    @channel_flow
    async def both(producer: Producer[int], source: Flow[int]) -> None:
        producer.scope.launch(source.collect, producer.send)
        await source.collect(producer.send)

    assert await both(flow_of(1, 2)).to_set() == {1, 2}
    assert sorted(await both(flow_of(1, 2)).to_list()) == [1, 1, 2, 2]


async def test_a_channel_flow_completes_when_its_body_and_its_jobs_ended() -> None:
    """Scenario channel_flow-08."""
    log: list[str] = []

    @channel_flow
    async def source(producer: Producer[int]) -> None:
        async def hang() -> None:
            try:
                await sleep_forever()
            finally:
                log.append("cleaned up")

        async def late() -> None:
            await a_while()
            await producer.send(6)

        child = producer.scope.launch(hang)
        await a_while()
        await child.cancel_and_join()
        await producer.send(5)
        producer.scope.launch(late)

    with fail_after(5):
        assert await source().on_each(lambda value: log.append(str(value))).to_list() == [5, 6]
    assert log == ["cleaned up", "5", "6"]


async def test_a_conflated_channel_flow_never_waits() -> None:
    """Scenario channel_flow-03."""

    @channel_flow
    async def source(producer: Producer[int]) -> None:
        await settled()
        for value in (1, 2, 3, 4):
            producer.send_nowait(value)

    for conflated in (source().buffer(CONFLATED), source().conflate()):
        assert await conflated.to_list() == [1, 4]


async def test_a_stopped_channel_flow_cancels_its_jobs() -> None:
    """Scenario channel_flow-07."""
    cancelled: list[str] = []

    @channel_flow
    async def source(producer: Producer[int]) -> None:
        async def send() -> None:
            try:
                await producer.send(1)
                await sleep_forever()
            finally:
                cancelled.append("job")

        producer.scope.launch(send)
        await send()

    with fail_after(5):
        assert await source().take(2).to_list() == [1, 1]
    assert len(cancelled) == 2


async def test_a_channel_flow_that_closes_itself_ends_and_its_body_is_cancelled() -> None:
    """Scenario channel_flow-11."""
    log: list[str] = []

    @channel_flow
    async def source(producer: Producer[int]) -> None:
        producer.close()
        try:
            await sleep_forever()
        finally:
            log.append("cleaned up")

    with fail_after(5):
        assert await source().to_list() == []
    assert log == ["cleaned up"]


async def test_sending_after_the_end_of_a_channel_flow_fails() -> None:
    kept: list[Producer[int]] = []

    @channel_flow
    async def source(producer: Producer[int]) -> None:
        kept.append(producer)

    assert await source().to_list() == []
    with pytest.raises(ChannelClosed):
        await kept[0].send(1)


async def test_a_failing_body_or_job_fails_the_flow() -> None:
    async def explode() -> None:
        raise ValueError("job")

    @channel_flow
    async def body(_producer: Producer[int]) -> None:
        await explode()

    @channel_flow
    async def job(producer: Producer[int]) -> None:
        producer.scope.launch(explode)
        await sleep_forever()

    for failing in (body(), job()):
        with pytest.raises(ValueError, match="job"), fail_after(5):
            await failing.collect()


async def test_a_failing_collector_cancels_the_body_before_the_error_comes_out() -> None:
    """Scenario channel_flow-04."""
    log: list[str] = []

    @channel_flow
    async def source(producer: Producer[int]) -> None:
        try:
            await producer.send(1)
            await sleep_forever()
        finally:
            log.append("cleaned up")

    def explode(_value: int) -> None:
        raise ValueError("collector")

    with pytest.raises(ValueError, match="collector"), fail_after(5):
        await source().collect(explode)
    assert log == ["cleaned up"]


# Merging


async def test_merge_emits_everything_and_keeps_each_flows_order() -> None:
    """Scenario merge-01."""
    assert sum(await merge(*(flow_of(number) for number in range(1, 101))).to_list()) == 5050
    values = await merge(as_flow(range(100)), as_flow(range(100, 200))).to_list()
    assert [value for value in values if value < 100] == list(range(100))
    assert [value for value in values if value >= 100] == list(range(100, 200))
    assert await merge().to_list() == []


@pytest.mark.usefixtures("virtual_clock")
async def test_merge_emits_each_value_at_its_time() -> None:
    source = marbles("--x--y---z|")
    await assert_marbles(merge(marbles("-a--b-|"), source), "-ax-by---z|")
    await assert_marbles(merge(source, marbles("-a-#")), "-ax#")
    assert source.lines == ["--x--y---z|", "--x!"]


async def test_merge_ends_with_its_last_flow_and_fails_with_its_first_failure() -> None:
    gate = Event()
    log: list[str] = []

    @flow
    async def waiting(fail: bool) -> AsyncIterator[int]:
        yield 1
        await gate.wait()
        if fail:
            raise ValueError("one of them")
        yield 2

    @flow
    async def hanging() -> AsyncIterator[int]:
        try:
            yield 0
            await sleep_forever()
        finally:
            log.append("cancelled")

    async with turbine(merge(empty_flow(), waiting(False), empty_flow())) as events:
        assert await events.item() == 1
        await settled()
        events.no_events()
        gate.set()
        assert await events.item() == 2
        await events.complete()
    with pytest.raises(ValueError, match="one of them"), fail_after(5):
        await merge(hanging(), waiting(True), hanging()).collect()
    assert log == ["cancelled", "cancelled"]
