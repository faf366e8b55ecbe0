"""Answers that go on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock import EventStreamError
from flowsock.wire.content import ContentReader

UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\ndata: b\n\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: a\n\r\nb\r\n\ndata: b\n\n.\r\n0\r\n\r\n"
COUNTED = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"


@pytest.mark.parametrize(
    ("answer", "status", "content", "is_complete"),
    [
        (UNTIL_CLOSED, 200, b"data: a\n\ndata: b\n\n", False),
        (CHUNKED, 200, b"data: a\n\ndata: b\n\n.", True),
        (COUNTED, 404, b"nope", True),
    ],
    ids=["until closed", "chunked", "counted"],
)
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_an_answer_is_read_in_pieces(answer: bytes, status: int, content: bytes, is_complete: bool, size: int) -> None:
    reader = ContentReader()
    read = b"".join(reader.feed(answer[start : start + size]) for start in range(0, len(answer), size))
    assert read == content
    assert reader.head is not None
    assert reader.head.status == status
    assert reader.is_complete is is_complete
    assert reader.end()


@pytest.mark.parametrize(
    "answer", [CHUNKED[:-5], COUNTED[:-1], UNTIL_CLOSED[:20], b""], ids=["chunked", "counted", "head", "none"]
)
def test_an_end_that_comes_too_early_is_seen(answer: bytes) -> None:
    reader = ContentReader()
    reader.feed(answer)
    assert not reader.end()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9000,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 17,
    ],
    ids=["no HTTP", "chunk", "long", "101", "hints"],
)
def test_what_is_no_answer_is_an_error(answer: bytes) -> None:
    with pytest.raises(EventStreamError, match="malformed"):
        ContentReader().feed(answer)


@given(st.binary(max_size=60), st.integers(1, 9))
def test_garbage_gives_an_error_or_nothing(garbage: bytes, size: int) -> None:
    reader = ContentReader()
    try:
        for start in range(0, len(garbage), size):
            reader.feed(garbage[start : start + size])
    except EventStreamError:
        return
    assert reader.head is None or garbage.startswith(b"HTTP/")
