"""How events are read: the standard's rules, one by one, and its own examples."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock import EventStreamError, ServerSentEvent
from flowsock.wire.event_stream import EventStreamReader

FRAGMENTS = st.sampled_from(
    [
        b"data",
        b"event",
        b"id",
        b"retry",
        b":",
        b": ",
        b" ",
        b"\r",
        b"\n",
        b"\r\n",
        b"7",
        b"x",
        "ü🦆".encode(),
        b"\xff",
        b"\xef\xbb\xbf",
        b"\0",
    ]
)


def read(data: str | bytes) -> list[ServerSentEvent]:
    return EventStreamReader().feed(data.encode() if isinstance(data, str) else data)


def texts(data: str | bytes) -> list[str]:
    return [event.data for event in read(data)]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        pytest.param("data: a\n\n", ["a"], id="one line"),
        pytest.param("data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"], id="lines are joined by LF"),
        pytest.param(
            ": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
            ["first", "second", " third"],
            id="the standard's second example",
        ),
        pytest.param("data\n\ndata\ndata\n\ndata:", ["", "\n"], id="the standard's third example"),
        pytest.param("data:test\n\ndata: test\n\n", ["test", "test"], id="the standard's fourth example"),
        pytest.param("data:a\r\rdata:b\r\n\r\ndata:c\n\n", ["a", "b", "c"], id="CR, CRLF and LF"),
        pytest.param("data:a\r\ndata:b\rdata:c\ndata:d\n\n", ["a\nb\nc\nd"], id="line ends mixed"),
        pytest.param("data:a\n\rdata:b\n\r", ["a", "b"], id="LF CR is two line ends"),
        pytest.param("\ufeffdata:a\n\n", ["a"], id="a byte order mark"),
        pytest.param("\ufeff\ufeffdata:a\n\ndata:b\n\n", ["b"], id="only one"),
        pytest.param("data:a\n\n\ufeffdata:b\n\n", ["a"], id="and only at the start"),
        pytest.param("data: a", [], id="the end of a stream ends no line"),
        pytest.param("data: a\n", [], id="and no event"),
        pytest.param("event: x\nid: 1\nretry: 5\n\n", [], id="an event without data is none"),
        pytest.param("event: x\n\ndata: a\n\n", ["a"], id="and its name is forgotten"),
        pytest.param(" data: a\n\n", [], id="a field begins its line"),
        pytest.param("Data: a\n\n", [], id="names have their case"),
        pytest.param("data : a\n\n", [], id="and no blanks"),
        pytest.param("unknown: a\ndata: b\n\n", ["b"], id="unknown fields"),
        pytest.param("data: a\n \ndata: b\n\n", ["a\nb"], id="a line of blanks is not empty"),
        pytest.param("data:\ta: b\n\n", ["\ta: b"], id="one space is taken off and no tab; more colons stay"),
        pytest.param("data: a\0b\n\n", ["a\0b"], id="NUL in data"),
        pytest.param("data: a\x0b\x85\u2028b\n\n", ["a\x0b\x85\u2028b"], id="no other line ends"),
        pytest.param(b"data: \xff\xe2\x82\n\n", ["\ufffd\ufffd"], id="what is no UTF-8"),
    ],
)
def test_data_is_what_the_standard_says(stream: str | bytes, data: list[str]) -> None:
    assert texts(stream) == data


def test_an_event_has_the_last_name_that_its_lines_tell_or_is_a_message() -> None:
    events = read("event: a\nevent: b\ndata\n\ndata\n\nevent:\ndata\n\n")
    assert [event.event for event in events] == ["b", "message", "message"]


def test_an_id_holds_until_the_next() -> None:
    reader = EventStreamReader("0")
    events = reader.feed(b"data\n\nid: 1\ndata\n\ndata\n\nid: 2\n\ndata\n\nid: a\0b\ndata\n\nid\ndata\n\nid: 3\ndata\n")
    assert [event.id for event in events] == ["0", "1", "1", "2", "2", None]
    assert reader.last_event_id == "", "an event that is not complete has told nothing"


def test_a_wait_is_digits_and_holds_at_once() -> None:
    reader = EventStreamReader()
    for line, seconds in (
        (b"1500", 1.5),
        (b"-1", 1.5),
        (b"1.0", 1.5),
        (b"", 1.5),
        ("٣".encode(), 1.5),
        (b"9" * 400, 1.5),
        (b"0", 0),
    ):
        assert reader.feed(b"retry: " + line + b"\n") == []
        assert reader.retry == seconds
    assert [event.retry for event in reader.feed(b"data\n\ndata\n\n")] == [0, None]


def test_an_event_that_ends_in_cr_is_given_at_once() -> None:
    reader = EventStreamReader()
    assert [event.data for event in reader.feed(b"data: a\r\r")] == ["a"]
    assert reader.feed(b"\n") == []
    assert [event.data for event in reader.feed(b"data: b\r\n\r")] == ["b"]


@pytest.mark.parametrize("stream", [b"data: 12345", b"data: 1\ndata: 2\n", b": 9 8 7 6 5 4", b"data: 1\n: comment\n"])
def test_an_event_that_is_too_big_is_an_error_before_its_end(stream: bytes) -> None:
    reader = EventStreamReader(max_event_size=10)
    assert len(reader.feed(b"data: 1234\n\n" * 9)) == 9
    with pytest.raises(EventStreamError, match="longer than 10 characters"):
        reader.feed(stream)


@given(st.lists(FRAGMENTS, max_size=30).map(b"".join), st.lists(st.integers(0, 120), max_size=12))
def test_any_split_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    whole, split = EventStreamReader(), EventStreamReader()
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert [event for piece in pieces for event in split.feed(piece)] == whole.feed(stream)
    assert (split.last_event_id, split.retry) == (whole.last_event_id, whole.retry)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_line_ends_in_the_middle_of_a_split_count_once(size: int) -> None:
    stream = "\ufeffdata: a\r\ndata: ü\r\n\r\ndata: b\r\rdata: c\n\ndata: d\r\n\r\n".encode()
    for first in range(size):
        reader = EventStreamReader()
        pieces = [stream[:first], *(stream[start : start + size] for start in range(first, len(stream), size))]
        assert [event.data for piece in pieces for event in reader.feed(piece)] == ["a\nü", "b", "c", "d"]
