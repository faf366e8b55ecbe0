"""Drawing what really happened in flows."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import anyio
import pytest
from anyio import sleep

from flowsock import BufferOverflow, MutableSharedFlow, as_flow, coroutine_scope, interval, merge
from flowsock.testing import Complete, Error, Item, Left, MarbleDrawing, marble, marbles
from tests.laws.operators import OPERATORS, Operator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

SVG = "{http://www.w3.org/2000/svg}"


def slow(seconds: float) -> Any:
    return lambda _value: sleep(seconds)


def events_of(drawing: MarbleDrawing, row: int) -> list[Any]:
    return [mark.event for mark in drawing.rows[row].marks]


# What is written down


async def test_each_stage_has_a_row() -> None:
    drawing = await marble(marbles("-1-2|").map(str).filter(str.isdigit).take(1))
    assert [row.name for row in drawing.rows] == ["marbles", ".map(str)", ".filter(str.isdigit)", ".take(1)"]
    assert str(drawing).splitlines() == [
        "marbles               -(1!)",
        ".map(str)             -('1' !)",
        ".filter(str.isdigit)  -('1' !)",
        ".take(1)              -('1' |)",
    ]


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
async def test_a_stage_has_the_name_of_its_operator(operator: Operator) -> None:
    flow = operator.apply(marbles("-1-|"), lambda callback: callback)
    names = [row.name for row in (await marble(flow)).rows]
    wanted = {"map_not_none": "filter_not_none", "combine_transform": "combine"}.get(operator.method, operator.method)
    assert any(re.fullmatch(rf"\.?{wanted}\(.*\)", name) for name in names), names


async def test_an_error_is_where_it_happened_and_is_not_raised() -> None:
    drawing = await marble(marbles("-1-0-|").map(lambda n: 1 // n).on_each(print_nothing))
    assert events_of(drawing, 0) == [Item(1), Item(0), Left()]
    assert [type(event) for event in events_of(drawing, 1)] == [Item, Error]
    assert [type(event) for event in events_of(drawing, 2)] == [Item, Error]


def print_nothing(_value: object) -> None:
    pass


async def test_a_stage_whose_time_is_up_fails_and_cancels_what_is_above() -> None:
    drawing = await marble(marbles("-a----|").timeout(2).catch())
    assert [type(events_of(drawing, row)[-1]) for row in range(3)] == [Left, Error, Complete]


async def test_what_waits_in_a_buffer_and_what_it_drops_is_there() -> None:
    flow = marbles("-abcd|").buffer(1, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(slow(9))
    [_source, buffer, _collector] = (await marble(flow)).rows
    waiting = [(each.value, each.at, each.until, each.dropped) for each in buffer.queued]
    assert waiting == [("a", 1, 1, False), ("b", 2, 3, True), ("c", 3, 4, True), ("d", 4, 10, False)]


async def test_a_producer_that_has_to_wait_is_seen_waiting() -> None:
    [source, _collector] = (await marble(marbles("-ab---|").on_each(slow(3)))).rows
    assert [(mark.at, mark.until) for mark in source.marks] == [(1, 4), (4, 7), (7, 7)]
    assert str(await marble(marbles("-a----|").on_each(slow(3)))) == "marbles      -a==--|\n.on_each(…)  ----a-|"


async def test_the_buffer_of_a_merge_is_one_too() -> None:
    flow = merge(marbles("-a---|"), marbles("--b--|")).on_each(slow(4))
    [_first, _second, merged, _collector] = (await marble(flow)).rows
    assert [(each.value, each.at, each.until) for each in merged.queued] == [("a", 1, 1), ("b", 2, 5)]


async def test_a_flow_that_is_made_meanwhile_has_rows_of_its_own() -> None:
    drawing = await marble(marbles("-a-b|").flat_map_merge(lambda value: marbles(f"--{value}|").map(str.upper)))
    assert [row.name for row in drawing.rows] == ["marbles", *["marbles", ".map(str.upper)"] * 2, ".flat_map_merge(16, …)"]
    assert [row.start for row in drawing.rows] == [0, 1, 1, 3, 3, 0]


async def test_a_flow_that_is_collected_again_goes_on_in_its_row() -> None:
    drawing = await marble(marbles("-a#").retry(attempts=1))
    assert [type(event) for event in events_of(drawing, 0)] == [Item, Error, Item, Error]


async def test_a_hot_flow_is_drawn_beside_what_feeds_it() -> None:
    shared: MutableSharedFlow[str] = MutableSharedFlow()
    heard = shared.map(str.upper).buffer(2, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(slow(2))
    drawing = await marble(marbles("-a-b-").on_each(shared.emit), heard, seconds=8)
    names = [row.name for row in drawing.rows]
    assert names == ["marbles", ".on_each()", "shared flow", ".map(str.upper)", ".buffer(2, DROP_OLDEST)", ".on_each(…)"]
    assert events_of(drawing, 5) == [Item("A"), Item("B")], "cut off by the end of the observation, which is no event"
    assert drawing.duration == 8


async def test_what_the_buffer_of_a_subscription_drops_is_there() -> None:
    shared: MutableSharedFlow[str] = MutableSharedFlow()
    heard = shared.buffer(1, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(slow(9))
    drawing = await marble(marbles("-abcd-").on_each(shared.emit), heard, seconds=20)
    waiting = [(each.value, each.at, each.until, each.dropped) for each in drawing.rows[3].queued]
    assert waiting == [("a", 1, 1, False), ("b", 2, 3, True), ("c", 3, 4, True), ("d", 4, 10, False)]


async def test_a_failing_stage_above_a_buffer_of_a_hot_flow() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    heard = shared.map(lambda n: 1 // n).buffer(2)
    drawing = await marble(as_flow([1, 0]).on_start(slow(1)).on_each(shared.emit), heard, seconds=8)
    assert events_of(drawing, 3) == [Item(1), Item(0), Left()]
    assert [type(event) for event in events_of(drawing, 4)] == [Item, Error]
    assert [type(event) for event in events_of(drawing, 5)] == [Item, Error]


async def test_a_collector_that_fails_leaves_all_stages_of_a_subscription() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow()
    heard = shared.map(abs).buffer(2).map(lambda n: 1 // n)
    drawing = await marble(as_flow([0]).on_start(slow(1)).on_each(shared.emit), heard, seconds=8)
    assert [type(events_of(drawing, row)[-1]) for row in (3, 4, 5, 6)] == [Left, Left, Left, Error]


# When it is over


async def test_an_observation_ends_in_time() -> None:
    drawing = await marble(interval(1), seconds=3.5)
    assert events_of(drawing, 0) == [Item(0), Item(1), Item(2)]
    assert str(drawing) == "interval  --0-1-2>"


async def test_an_observation_ends_before_there_is_too_much_to_draw() -> None:
    [row] = (await marble(as_flow(range(10**9)))).rows
    assert 1000 <= len(row.marks) < 1200


async def test_a_cancelled_observation_is_cancelled() -> None:
    with anyio.move_on_after(2) as scope:
        await marble(interval(1))
    assert scope.cancelled_caught


async def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="needs a flow"):
        await marble()
    with pytest.raises(ValueError, match="more than 0 s"):
        await marble(interval(1), seconds=0)


async def test_the_flows_run_in_a_scope_of_their_own_on_a_virtual_clock() -> None:
    async with coroutine_scope():
        drawing = await marble(interval(3600).take(3), seconds=1e5, virtual=True)
    assert [mark.at for mark in drawing.rows[1].marks] == [3600, 7200, 10800, 10800]


# Text and picture


async def test_values_that_are_long_are_cut_and_keep_their_place() -> None:
    drawing = await marble(as_flow(["x" * 100, "<&>"]).map(lambda text: text))
    assert f"('{'x' * 14}… '<&>' |)" in str(drawing)
    assert "&lt;&amp;&gt;" in drawing.svg()


async def test_rows_have_their_instants_below_each_other() -> None:
    lines = str(await marble(marbles("-a-b-|").map(lambda value: value * 3).map(str.upper))).splitlines()
    assert lines[0].index("-b") + 1 == lines[1].index("'bbb'") == lines[2].index("'BBB'")


async def test_the_picture_is_svg_with_a_title_and_a_mark_for_each_event() -> None:
    drawing = await marble(marbles("-ab-#").buffer(1).on_each(slow(5)).catch(), title="a & b")
    root = ElementTree.fromstring(drawing.svg())
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert root.tag == f"{SVG}svg"
    assert texts[0] == "a & b"
    assert {row.name for row in drawing.rows} < set(texts)
    told = [element.text or "" for element in root.iter(f"{SVG}title")]
    assert [text for text in told if "dropped" in text] == ["'b' dropped, 2 to 4 s"], "a buffer is not drained after an error"
    assert sum("MarbleError" in text for text in told) == 3
    assert drawing.svg() == drawing._repr_svg_() == drawing.svg()


async def test_a_flow_that_was_never_collected_has_an_empty_row() -> None:
    drawing = await marble(marbles("#").flat_map_concat(lambda _value: interval(1)).catch())
    assert repr(drawing).splitlines()[0] == "marbles              #"
    drawing = await marble(interval(1).on_start(lambda _emit: sleep(100)), seconds=9)
    assert drawing.rows[0].start is None
    assert re.fullmatch(r"interval\n\.on_start\(…\)  -+>", repr(drawing))
