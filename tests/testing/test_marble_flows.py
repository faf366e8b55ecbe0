"""Playing lines of marbles, and comparing flows with them."""

from __future__ import annotations

from typing import Any

import pytest
from anyio import create_task_group, current_time, sleep

from flowsock import Channel, MutableSharedFlow, coroutine_scope, empty_flow, flow_of, interval
from flowsock.testing import (
    Complete,
    Error,
    Item,
    Left,
    MarbleError,
    Timed,
    Timeline,
    assert_marbles,
    marbles,
    observe,
    play,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

BROKEN = ValueError("broken")


async def times_of(line: str, **options: Any) -> list[tuple[Any, float]]:
    start = current_time()
    return [(value, current_time() - start) async for value in marbles(line, **options)]


# Playing


async def test_a_line_is_played_at_its_times() -> None:
    assert await times_of("-a--(bc)-d|") == [("a", 1), ("b", 4), ("c", 4), ("d", 9)]
    start = current_time()
    await marbles("--a-|", tick=0.5).collect()
    assert current_time() - start == 2


async def test_each_collection_plays_it_from_the_start() -> None:
    source = marbles("-a-b|")
    assert await source.to_list() == await source.to_list() == ["a", "b"]
    assert source.lines == ["-a-b|", "-a-b|"]


async def test_letters_stand_for_values_and_the_error_for_another() -> None:
    seen: list[object] = []
    with pytest.raises(ValueError, match="broken"):
        await marbles("-a-#", values={"a": None}, error=BROKEN).collect(seen.append)
    assert seen == [None]
    with pytest.raises(MarbleError):
        await marbles("#").collect()


async def test_a_slow_collector_delays_a_value_and_not_those_after_it() -> None:
    source = marbles("-a-b------c|")
    await assert_marbles(source.on_each(lambda _value: sleep(4)), "-----a---b----(c|)")
    assert source.lines == ["-a---b----c---|"]


async def test_a_line_without_an_end_goes_on() -> None:
    source = marbles("-a-")
    assert (await observe(source, ticks=100)) == Timeline((Timed(1, Item("a")),), 100)
    assert await source.first() == "a"


async def test_a_played_flow_remembers_how_its_collector_left() -> None:
    source = marbles("-a-b-c|")
    await source.take(2).collect()
    await source.timeout(0.5).catch().collect()
    with pytest.raises(ValueError, match="broken"):
        await source.on_each(fail).collect()
    await source.catch().collect()
    [first, second, third, fourth] = source.collections
    assert first == Timeline((Timed(1, Item("a")), Timed(3, Item("b")), Timed(3, Left())), 3)
    assert second.events == (Timed(0.5, Left()),)
    assert third.events == (Timed(1, Item("a")), Timed(1, Left()))
    assert fourth.end == Complete()
    assert source.lines[0] == "-a-(b!)"
    assert source.lines[1] == "Left() at 0.5"


def fail(_value: object) -> None:
    raise BROKEN


async def test_a_collection_that_still_runs_has_no_end() -> None:
    source = marbles("-a-b|")
    async with create_task_group() as group:
        group.start_soon(source.collect)
        await sleep(2)
        assert source.lines == ["-a"]
        group.cancel_scope.cancel()
    assert source.lines == ["-a!"]


async def test_a_failing_line_is_told_from_a_failing_collector() -> None:
    source = marbles("-a-#", error=BROKEN)
    await source.catch().collect()
    assert source.collections[0].end == Error(BROKEN)


async def test_a_line_is_played_into_a_hot_flow() -> None:
    start = current_time()
    shared: MutableSharedFlow[str] = MutableSharedFlow()
    async with coroutine_scope() as scope:
        job = scope.launch(play, "-a-(bc)--", shared.emit)
        await assert_marbles(shared.map(str.upper), "-A-(BC)")
        assert job.is_active, "the line covers 9 ticks, 7 of them were observed"
        await job
    assert current_time() == start + 9


async def test_a_line_is_played_into_a_channel_that_makes_it_wait() -> None:
    channel: Channel[int] = Channel()
    async with coroutine_scope() as scope:
        scope.launch(play, "1-2-(3|)", channel.send)
        await sleep(10)
        assert [await channel.receive() for _ in range(3)] == [1, 2, 3]


async def test_the_error_of_a_hot_line_is_the_players() -> None:
    with pytest.raises(ValueError, match="broken"):
        await play("a#", [].append, error=BROKEN)


def test_what_cannot_be_played_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing that a flow can do"):
        marbles("-a!")
    with pytest.raises(ValueError, match="tick 1"):
        marbles("-?")
    with pytest.raises(ValueError, match="more than 0 s, not 0"):
        marbles("-a", tick=0)


# Observing


async def test_what_happens_is_recorded_with_its_time() -> None:
    assert await observe(interval(2).take(2)) == Timeline((Timed(2, Item(0)), Timed(4, Item(1)), Timed(4, Complete())), 4)
    assert await observe(empty_flow()) == Timeline((Timed(0, Complete()),), 0)
    assert await observe(marbles("#", error=BROKEN)) == Timeline((Timed(0, Error(BROKEN)),), 0)
    assert await observe(interval(0.1).take(3), tick=0.1) == await observe(interval(1).take(3))


async def test_an_observation_ends_before_the_tick_after_the_last() -> None:
    assert await observe(interval(1), ticks=3) == Timeline((Timed(1, Item(0)), Timed(2, Item(1))), 3)


async def test_a_flow_that_does_what_the_line_says_passes() -> None:
    await assert_marbles(interval(1).take(3), "-ab(c|)", values={"a": 0, "b": 1, "c": 2})
    await assert_marbles(interval(3), "---0--1--2--")
    await assert_marbles(marbles("-a#", error=BROKEN), "-a#", error=ValueError)
    await assert_marbles(flow_of([1], (1, 2)), "([1] (1,2)|)")
    await assert_marbles(interval(0.1).take(1), "-(0|)", tick=0.1)


@pytest.mark.parametrize(
    ("played", "line"),
    [
        ("-a-b|", "-a--b|"),
        ("-a-b|", "-a-c|"),
        ("-a-b|", "-a-b-|"),
        ("-a-b|", "-a-b#"),
        ("-a-b|", "-a-b--"),
        ("-a-b-", "-a-b|"),
        ("-a-b", "-a-|"),
        ("-a-b", "-a--"),
        ("-(ab)|", "-(ba)|"),
    ],
)
async def test_a_flow_that_does_something_else_fails_and_both_lines_are_shown(played: str, line: str) -> None:
    with pytest.raises(AssertionError) as caught:
        await assert_marbles(marbles(played), line)
    [expected, found] = str(caught.value).splitlines()
    assert expected == f"expected {line}"
    assert found.startswith(f"   found {played}"[: len(line) + 9].rstrip("-"))


async def test_an_error_of_another_class_fails_with_that_error_as_its_cause() -> None:
    with pytest.raises(AssertionError) as caught:
        await assert_marbles(marbles("-#", error=BROKEN), "-#", error=TypeError)
    assert caught.value.__cause__ is BROKEN
    assert str(caught.value) == "expected -# TypeError\n   found -# ValueError('broken')"


async def test_what_no_line_can_show_is_listed() -> None:
    with pytest.raises(AssertionError, match=r"found Item\(value=0\) at 0.5, Complete\(\) at 0.5") as caught:
        await assert_marbles(interval(0.5).take(1), "-a|")
    assert ["between two ticks" in note for note in caught.value.__notes__] == [True]
    with pytest.raises(AssertionError, match=r"found Item\(value={}\) at 0, nothing more up to 1"):
        await assert_marbles(marbles("a", values={"a": {}}), "b")
