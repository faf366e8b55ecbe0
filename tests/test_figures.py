"""The pictures of marble diagrams: what they show is where it happened."""

from __future__ import annotations

from xml.etree import ElementTree

from docs.tools.docstrings import pictures
from docs.tools.figures import figure
from flowsock.testing import parse_marbles
from tests.docstrings import everything


def drawn(*lines: str) -> ElementTree.Element:
    *inputs, call, output = lines
    return ElementTree.fromstring(
        figure([parse_marbles(line) for line in inputs], call, parse_marbles(output), "\n".join(lines))
    )


def values(svg: ElementTree.Element) -> list[tuple[str, float, float]]:
    """Give what is written on the marbles, and where."""
    return [
        (each.text or "", float(each.get("x", "")), float(each.get("y", "")))
        for each in svg.iter("text")
        if each.get("class") == "value"
    ]


def marks(svg: ElementTree.Element, kind: str) -> int:
    return sum(each.get("class") == kind for each in svg.iter())


def test_values_stand_where_they_happened_in_the_row_of_their_flow() -> None:
    [(a, at_a, row_a), (b, at_b, row_b), (c, at_c, row_c)] = values(drawn("-a--b|", "map(f)", "----c|"))
    assert (a, b, c) == ("a", "b", "c")
    assert row_a == row_b < row_c
    assert at_a < at_b == at_c
    # A tick is as long everywhere.
    [(_, first, _), (_, second, _)] = values(drawn("map(f)", "ab"))
    assert at_b - at_a == 3 * (second - first)


def test_a_value_has_the_same_colour_wherever_it_appears() -> None:
    svg = drawn("-a-b|", "filter(f)", "---b|")
    colours = [each.get("class") for each in svg.iter("rect") if (each.get("class") or "").startswith("value")]
    assert colours[1] == colours[2] != colours[0]


def test_ends_are_marked() -> None:
    svg = drawn("-a|", "--#", "-b!", "merge(a, b, c)", "-x-")
    assert [marks(svg, kind) for kind in ("end", "error", "left")] == [1, 1, 1]
    # A line each, and the arrow of the one that goes on.
    assert marks(svg, "line") == 5


def test_what_stands_in_the_call_or_a_value_is_text() -> None:
    svg = drawn("'<b>'|", "filter(lambda n: n < 3)", "|")
    assert [text for text, *_ in values(svg)] == ["<b>"]
    assert "filter(lambda n: n < 3)" in [each.text for each in svg.iter("text")]


def test_there_is_a_picture_of_each_diagram() -> None:
    assert sum(map(len, pictures().values())) == sum(len(docs.diagrams) for docs in everything())
