"""Marble notation: lines into timelines and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock.testing import Complete, Error, Item, Left, MarbleError, Timed, Timeline, parse_marbles, render_marbles

BROKEN = ValueError("broken")


def values_of(line: str) -> list[tuple[float, Any]]:
    return [(timed.at, timed.event.value) for timed in parse_marbles(line).events if isinstance(timed.event, Item)]


# Reading


def test_a_character_is_a_tick() -> None:
    assert parse_marbles("-a--bc|") == Timeline(
        (Timed(1, Item("a")), Timed(4, Item("b")), Timed(5, Item("c")), Timed(6, Complete())), 6
    )


def test_a_line_without_an_end_goes_on_for_its_length() -> None:
    timeline = parse_marbles("-a---")
    assert timeline == Timeline((Timed(1, Item("a")),), 5)
    assert timeline.end is None
    assert parse_marbles("") == Timeline((), 0)


def test_an_error_and_a_leaving_are_ends_as_well() -> None:
    assert parse_marbles("a#", error=BROKEN) == Timeline((Timed(0, Item("a")), Timed(1, Error(BROKEN))), 1)
    assert parse_marbles("--!").events == (Timed(2, Left()),)
    end = parse_marbles("#").end
    assert isinstance(end, Error)
    assert isinstance(end.error, MarbleError)


def test_a_group_is_one_instant_and_covers_its_length() -> None:
    assert parse_marbles("-(ab)-(c|)").events == (
        Timed(1, Item("a")),
        Timed(1, Item("b")),
        Timed(6, Item("c")),
        Timed(6, Complete()),
    )
    assert values_of("(1 2)3") == [(0, 1), (0, 2), (5, 3)]
    assert values_of("(-1)") == [(0, -1)]
    assert values_of("(1 -2a)") == [(0, 1), (0, -2), (0, "a")]


def test_other_values_are_written_as_in_python() -> None:
    assert values_of("-10-2.5-007".removesuffix("-007")) == [(1, 10), (4, 2.5)]
    assert values_of("'two words'-\"'\"") == [(0, "two words"), (12, "'")]
    assert values_of("NoneTrueFalse") == [(0, None), (4, True), (8, False)]
    assert values_of("[1,2]-(1,a)-[(a,), [-1]]-[]") == [(0, [1, 2]), (6, (1, "a")), (12, [("a",), [-1]]), (25, [])]
    assert values_of("((1,2)(3,4))") == [(0, (1, 2)), (0, (3, 4))]
    assert values_of("(())") == [(0, ())]


def test_letters_stand_for_other_values() -> None:
    timeline = parse_marbles("a-[a,b]", values={"a": None})
    assert [timed.event for timed in timeline.events] == [Item(None), Item([None, "b"])]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-a?", "at tick 2: '\\?' is neither a value nor one of"),
        ("a b", "at tick 1: ' ' is neither"),
        ("a|b", "at tick 2: nothing can follow the end"),
        ("(a|b)", "at tick 3: nothing can follow the end"),
        ("--(a", "at tick 4: the line ends in a bracket"),
        ("[a", "at tick 2: expected a comma or ]"),
        ("[1 2]", "at tick 3: expected a comma or ]"),
        ("[a,", "at tick 3: the line ends in a bracket"),
        ("(a,|)", "at tick 3: '\\|' is neither"),
        ("-()", "at tick 1: there is nothing in this group"),
        ("((a))", "a tuple of one is written with a comma"),
        ("-01", "at tick 1: digits next to each other are one number, and 01 is none"),
        ("'a", 'at tick 0: "\'" is neither'),
        (")", "at tick 0: '\\)' is neither"),
    ],
)
def test_what_is_no_line_is_refused_with_its_place(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_marbles(line)


def test_a_name_for_a_value_is_a_letter() -> None:
    with pytest.raises(ValueError, match="one letter, not 'ab'"):
        parse_marbles("a", values={"ab": 1})
    with pytest.raises(ValueError, match="one letter, not '1'"):
        parse_marbles("a", values={"1": 1})


# Drawing


@pytest.mark.parametrize(
    "line",
    [
        "",
        "---",
        "|",
        "-a--bc|",
        "-a---",
        "(ab)-(c|)",
        "(1 2|)",
        "(-1)",
        "(a#)",
        "-!",
        "[1,a]--(1,)-(())-'ab'-None",
        "(ab 12)".replace("b", ""),
    ],
)
def test_a_line_is_drawn_as_it_was_read(line: str) -> None:
    assert render_marbles(parse_marbles(line, error=BROKEN)) == line


def test_values_are_drawn_by_their_letters() -> None:
    values = {"a": {"key": 1}, "t": True}
    line = "-a-[a,1]-t-'a'|"
    assert render_marbles(parse_marbles(line, values=values), values=values) == line


@pytest.mark.parametrize(
    "timeline",
    [
        Timeline((Timed(0.5, Item(1)),), 2),
        Timeline((Timed(0, Item(10)), Timed(1, Item(2))), 2),
    ],
)
def test_what_has_no_place_in_a_line_is_told(timeline: Timeline[int]) -> None:
    with pytest.raises(ValueError, match="has no place at"):
        render_marbles(timeline)


@pytest.mark.parametrize("neighbours", [[1, 2], list("None")])
def test_neighbours_that_would_be_read_as_one_value_are_told(neighbours: list[object]) -> None:
    timeline = Timeline(tuple(Timed(at, Item(value)) for at, value in enumerate(neighbours)), 4)
    with pytest.raises(ValueError, match="would be read as one value"):
        render_marbles(timeline)


def test_a_value_that_cannot_be_written_is_told() -> None:
    with pytest.raises(ValueError, match=r"need a letter for {}"):
        render_marbles(Timeline((Timed(0, Item({})),), 1))


scalars = st.one_of(
    st.sampled_from("abcxyz"),
    st.text(max_size=4),
    st.integers(-20, 200),
    st.sampled_from([0.5, -12.25]),
    st.none(),
    st.booleans(),
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple), max_leaves=4)


@given(
    st.lists(st.lists(values, min_size=1, max_size=3), max_size=5),
    st.sampled_from([None, Complete(), Error(BROKEN), Left()]),
)
def test_what_was_drawn_reads_back_as_the_same(moments: list[list[Any]], end: Any) -> None:
    """Moments lie far enough apart for any text."""
    events = [Timed(200 * n, Item(value)) for n, moment in enumerate(moments) for value in moment]
    duration = 200 * len(moments)
    if end is not None:
        events.append(Timed(duration, end))
    timeline = Timeline(tuple(events), duration)
    assert repr(parse_marbles(render_marbles(timeline), error=BROKEN)) == repr(timeline)
