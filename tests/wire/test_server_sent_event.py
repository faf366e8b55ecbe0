"""How events are written."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock import codec_for
from flowsock.wire.event_stream import EventStreamReader
from flowsock.wire.server_sent_event import ServerSentComment, ServerSentEvent, encode_retry

# Without surrogates, which UTF-8 has no form for.
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ONE_LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))


@pytest.mark.parametrize(
    ("event", "written"),
    [
        pytest.param(ServerSentEvent("hello"), b"data: hello\n\n", id="data"),
        pytest.param(ServerSentEvent(""), b"data: \n\n", id="no text is data too"),
        pytest.param(ServerSentEvent(" hello"), b"data:  hello\n\n", id="a leading space stays"),
        pytest.param(ServerSentEvent("a\nb\r\nc\rd"), b"data: a\ndata: b\ndata: c\ndata: d\n\n", id="line ends"),
        pytest.param(ServerSentEvent("a\n"), b"data: a\ndata: \n\n", id="last line end"),
        pytest.param(ServerSentEvent("a\x0bb\x85\u2028"), "data: a\x0bb\x85\u2028\n\n".encode(), id="what ends no line here"),
        pytest.param(ServerSentEvent("data: x"), b"data: data: x\n\n", id="what looks like a field"),
        pytest.param(
            ServerSentEvent("x", event="tick", id="7", retry=1.5),
            b"event: tick\ndata: x\nid: 7\nretry: 1500\n\n",
            id="all fields",
        ),
        pytest.param(ServerSentEvent("x", event="message"), b"data: x\n\n", id="the name that it has anyway"),
        pytest.param(ServerSentEvent("x", event=""), b"data: x\n\n", id="no name"),
        pytest.param(ServerSentEvent("x", id=""), b"data: x\nid: \n\n", id="an id that resets"),
        pytest.param(ServerSentComment("hi"), b": hi\n\n", id="comment"),
        pytest.param(ServerSentComment(), b":\n\n", id="empty comment"),
        pytest.param(ServerSentComment("a\r\ndata: b"), b": a\n: data: b\n\n", id="comment of two lines"),
    ],
)
def test_an_event_is_written_as_the_standard_says(event: ServerSentEvent | ServerSentComment, written: bytes) -> None:
    assert event.encoded == written


@pytest.mark.parametrize("message_format", ["json", "msgpack"])
def test_an_event_is_a_message_too_as_of_a_topic(message_format: str) -> None:
    codec = codec_for(ServerSentEvent, message_format)
    event = ServerSentEvent("a", event="x", id="1", retry=2)
    fresh = codec.encode(event)
    assert event.encoded is event.encoded, "once, however many get it"
    assert len(codec_for(list[ServerSentEvent], message_format).encode([event])) <= len(fresh) + 2
    read = codec.decode(fresh)
    assert read == event
    assert read.encoded == event.encoded


def test_a_wait_alone_is_in_milliseconds() -> None:
    assert encode_retry(2.5) == b"retry: 2500\n\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"event": "a\nb"}, "the event of an event is one line"),
        ({"id": "a\rb"}, "the id of an event is one line"),
        ({"id": "a\0b"}, "a client ignores an id with U+0000"),
        ({"retry": -1}, "retry"),
    ],
)
def test_what_would_break_out_of_its_field_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ServerSentEvent("x", **arguments)


@given(data=ANY_TEXT, name=ONE_LINE, last=ONE_LINE.filter(lambda text: "\0" not in text), comment=ANY_TEXT)
def test_what_is_written_is_read(data: str, name: str, last: str, comment: str) -> None:
    event = ServerSentEvent(data, event=name, id=last, retry=0.25)
    (read,) = EventStreamReader().feed(b"\xef\xbb\xbf" + ServerSentComment(comment).encoded + event.encoded)
    assert read.data == re.sub("\r\n|\r", "\n", data)
    assert (read.event, read.id, read.retry) == (name or "message", last or None, 0.25)
