"""A chart of flows that moves, and its picture."""

from __future__ import annotations

from math import nan
from typing import Any
from xml.etree import ElementTree

import anyio.lowlevel
import pytest
from anyio import sleep

from flowsock import MutableSharedFlow, as_flow, empty_flow, flow_of, interval
from flowsock.notebook import LiveChart, chart, scope
from flowsock.notebook.line_picture import HEIGHT, WIDTH, picture

pytestmark = pytest.mark.anyio

SVG = "{http://www.w3.org/2000/svg}"


def lines_in(svg: str) -> list[list[tuple[float, float]]]:
    polylines = ElementTree.fromstring(svg).iter(f"{SVG}polyline")
    return [[tuple(map(float, point.split(","))) for point in line.get("points", "").split()] for line in polylines]  # type: ignore[misc]


def texts_in(svg: str) -> list[str | None]:
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


# The picture


def test_the_newest_value_is_at_the_right_and_a_greater_one_above() -> None:
    [line] = lines_in(picture({"load": [(90, 1), (95, 3), (100, 2)]}, now=100, seconds=20))
    xs, ys = zip(*line, strict=True)
    assert xs == tuple(sorted(xs))
    assert xs[-1] == WIDTH - 16
    assert ys[1] < ys[2] < ys[0]
    assert all(0 < y < HEIGHT for y in ys)


def test_what_is_out_of_sight_is_left_out_but_the_line_comes_from_the_left_end() -> None:
    [line] = lines_in(picture({"load": [(1, 5), (50, 7), (95, 3)]}, now=100, seconds=20))
    assert len(line) == 2
    assert line[0][0] == 58


def test_what_is_no_number_is_left_out() -> None:
    [line] = lines_in(picture({"load": [(90, 1), (95, nan), (100, 2)]}, now=100, seconds=20))
    assert len(line) == 2


@pytest.mark.parametrize("values", [[], [5], [0, 0], [-3, -3], [1e9, 1e9 + 1], [0.001, 0.002]])
def test_every_range_has_a_scale(values: list[float]) -> None:
    svg = picture({"x": list(enumerate(values))}, now=10, seconds=20, title="<t>", error="a & b")
    assert {"<t>", "a & b", "now", "-20 s"} < set(texts_in(svg))
    assert all(0 < y < HEIGHT for line in lines_in(svg) for _x, y in line)


def test_a_line_has_a_name_a_colour_and_its_last_value() -> None:
    svg = picture({"a": [(1, 5)], "b": []}, now=10, seconds=20)
    assert {"a 5", "b"} < set(texts_in(svg))
    assert 'class="line hue0"' in svg
    assert 'class="line hue1"' in svg


# The chart


async def test_a_chart_moves_and_shows_the_last_values() -> None:
    pictures: list[str] = []
    moving = chart({"a": interval(0.01).take(50).map(float), "b": flow_of(7)}, title="two")
    moving.observe(lambda change: pictures.append(change["new"]), "svg")
    await moving.job
    assert moving.lines == {"a": [float(n) for n in range(50)], "b": [7]}
    assert 5 <= len(pictures) <= 8, "in half a second"
    assert [len(line) for line in lines_in(moving.svg)] == [50, 1]
    assert {"a 49", "b 7", "two"} < set(texts_in(moving.svg))
    assert moving.snapshot()._repr_svg_() == moving.svg == pictures[-1]


async def test_an_error_stands_in_the_chart() -> None:
    moving = chart(as_flow([1, 0]).map(lambda n: 1 / n))
    with pytest.raises(ZeroDivisionError):
        await moving.job
    assert "ZeroDivisionError: division by zero" in texts_in(moving.svg)


async def test_a_chart_that_is_made_again_replaces_its_job_and_is_stopped_by_name() -> None:
    shared: MutableSharedFlow[float] = MutableSharedFlow()
    first, second = chart(shared), chart(shared)
    await anyio.lowlevel.checkpoint()
    await first.job.join()
    await sleep(0.01)
    await shared.emit(3)
    await scope().stop("chart")
    assert (first.lines, second.lines) == ({"value": []}, {"value": [3]})
    assert shared.subscription_count.value == 0


async def test_a_line_has_a_limit() -> None:
    moving = chart(as_flow(range(10_000)))
    await moving.job
    assert moving.lines["value"] == list(range(9400, 10_000))


@pytest.mark.parametrize("wrong", [{"max_rate": 0}, {"seconds": 0}])
async def test_arguments_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        chart(empty_flow(), **wrong)
    with pytest.raises(ValueError, match="needs a flow"):
        chart({})


def test_the_widget_says_how_to_show_itself() -> None:
    assert "innerHTML" in str(LiveChart._esm)
