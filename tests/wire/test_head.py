from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock.wire.head import MAX_FIELDS, MAX_HEAD, MAX_LINE, BadRequest, HeadBuffer
from tests.wire.support import bounded, cut_lists, pieces

FIRST = b"GET / HTTP/1.1\r\n"


def outcome(data: bytes, cuts: list[int]) -> tuple[bytes, bytes] | tuple[int, str] | None:
    """Give the head and what follows, or the error, or None when more is awaited."""
    buffer = HeadBuffer()
    parts = pieces(data, cuts)
    try:
        for piece in parts:
            head = buffer.feed(piece)
            if head is not None:
                return head, buffer.trailing + b"".join(parts)
    except BadRequest as error:
        return error.status, error.message
    return None


def status_of(data: bytes) -> int:
    with pytest.raises(BadRequest) as caught:
        HeadBuffer().feed(data)
    return caught.value.status


def test_head_and_what_follows_are_parted() -> None:
    buffer = HeadBuffer()
    assert buffer.feed(FIRST + b"a: b\r\n") is None
    assert buffer.feed(b"\r\n\x81\x00\n\x00") == FIRST + b"a: b\r\n\r\n"
    assert buffer.trailing == b"\x81\x00\n\x00"


lines = st.sampled_from((FIRST, b"a: b\r\n", b"\r\n", b"x\n", b" fold\r\n", b"\r", b"\n", b"c: " + b"d" * 5000 + b"\r\n"))


@bounded
@given(st.lists(lines, max_size=30).map(b"".join), cut_lists)
def test_any_split_gives_the_same_head(data: bytes, cuts: list[int]) -> None:
    assert outcome(data, cuts) == outcome(data, [])


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"\r\n", 400, id="empty first line"),
        pytest.param(b"\x16\x03\x01\x02\x00", 400, id="23 TLS on the plain port, without waiting for a line end"),
        pytest.param(b"GET / HTTP/1.1\n", 400, id="17 bare LF"),
        pytest.param(FIRST + b"a: b\n", 400, id="17 bare LF in a field"),
        pytest.param(FIRST + b"a: b\r\n c\r\n", 400, id="17 fold with a space"),
        pytest.param(FIRST + b"a: b\r\n\tc\r\n", 400, id="17 fold with a tab"),
        pytest.param(FIRST + b" a: b\r\n", 400, id="17 fold of the first line"),
        pytest.param(FIRST + b"a: b\r\n" * (MAX_FIELDS + 1), 431, id="12 129 fields"),
        pytest.param(FIRST + b"a: " + b"b" * 70_000 + b"\r\n", 431, id="13 70 KB field"),
        pytest.param(b"GET /" + b"a" * 70_000, 414, id="14 70 KB target"),
        pytest.param(b"a" * 300_000, 414, id="15 300 KB without a line end"),
        pytest.param(FIRST + b"a" * 300_000, 431, id="15 300 KB without a line end in a field"),
        pytest.param(b"a" * (MAX_LINE + 1) + b"\r\n", 414, id="first line one byte too long"),
        pytest.param(FIRST + b"a" * (MAX_LINE + 1) + b"\r\n", 431, id="field one byte too long"),
        pytest.param(FIRST + (b"a" * 8000 + b"\r\n") * 9, 431, id="head too long"),
    ],
)
def test_malformed_or_too_long(data: bytes, status: int) -> None:
    assert status_of(data) == status


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"a" * MAX_LINE + b"\r\n\r\n", id="longest first line"),
        pytest.param(FIRST + b"a" * MAX_LINE + b"\r\n\r\n", id="longest field"),
        pytest.param(FIRST + b"a: b\r\n" * MAX_FIELDS + b"\r\n", id="most fields"),
        pytest.param(FIRST + b"a" * 8000 + b"\r\n" + (b"a" * 7930 + b"\r\n") * 7 + b"\r\n", id="nearly 64 KiB"),
    ],
)
def test_as_long_as_may_be(head: bytes) -> None:
    assert len(head) <= MAX_HEAD
    assert HeadBuffer().feed(head) == head


def test_a_line_that_never_ends_is_refused_while_it_arrives() -> None:
    buffer = HeadBuffer()
    for _ in range(MAX_LINE + 2):
        assert buffer.feed(b"a") is None
    with pytest.raises(BadRequest):
        buffer.feed(b"a")


def test_16_a_head_in_single_bytes_takes_linear_time() -> None:
    def seconds(data: bytes) -> float:
        best = float("inf")
        for _ in range(3):
            buffer = HeadBuffer()
            start = time.process_time()
            for index in range(len(data)):
                buffer.feed(data[index : index + 1])
            best = min(best, time.process_time() - start)
        return best

    line = b"a: " + b"b" * 995 + b"\r\n"
    assert seconds(FIRST + line * 64) < 4 * 16 * seconds(FIRST + line * 4)
