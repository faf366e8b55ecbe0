"""The readers of whole messages, in Python and in C: the same answer to every input."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock.wire.frames import BINARY, FINAL, TEXT, encode_frame
from flowsock.wire.reading import compiled_reader, read_in_python, read_messages
from tests.wire.support import bounded

if TYPE_CHECKING:
    from flowsock.wire.reading import Reader

COMPILED: Final = compiled_reader()
READERS: Final = [read_in_python] if COMPILED is None else [read_in_python, COMPILED]
every_reader = pytest.mark.parametrize("reader", READERS, ids=["python", "compiled"][: len(READERS)])
every_role = pytest.mark.parametrize("masked", [False, True], ids=["client", "server"])

Outcome = tuple[object, list[Any]]


def outcome(reader: Reader, data: bytes, position: int, masked: bool, limit: int | None) -> Outcome:
    events: list[Any] = []
    try:
        return reader(data, position, masked, limit, events), events
    except UnicodeDecodeError as error:
        return (error.reason, error.start, error.end), events


payloads = (
    st.binary(max_size=20) | st.text(max_size=10).map(str.encode) | st.sampled_from((125, 126, 300)).map(lambda n: b"x" * n)
)


@st.composite
def received(draw: st.DrawFn) -> tuple[bytes, bool]:
    """Frames of one role, some of them of the other or damaged, and cut anywhere."""
    masked = draw(st.booleans())
    data = bytearray()
    for _ in range(draw(st.integers(0, 4))):
        opcode = draw(st.sampled_from((TEXT, BINARY, TEXT, BINARY, 0, 8, 9)))
        data += encode_frame(opcode, draw(payloads)[: 125 if opcode >= 8 else None], masked=masked)
    if data and draw(st.booleans()):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data), masked


@pytest.mark.skipif(COMPILED is None, reason="there are no speedups here")
@bounded
@given(received(), st.integers(0, 3), st.none() | st.integers(0, 400) | st.just(2**70))
def test_both_readers_give_the_same(data: tuple[bytes, bool], position: int, limit: int | None) -> None:
    assert COMPILED is not None
    assert outcome(COMPILED, data[0], position, data[1], limit) == outcome(read_in_python, data[0], position, data[1], limit)


@every_reader
@every_role
@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 7, 8, 9, 125, 126, 127, 8192, 65535])
def test_a_message_of_any_size_is_read_whole(reader: Reader, masked: bool, size: int) -> None:
    payload = bytes(index * 7 & 0x7F for index in range(size))
    data = encode_frame(BINARY, payload, masked=masked) + encode_frame(TEXT, payload, masked=masked)
    assert outcome(reader, data, 0, masked, None) == (len(data), [payload, payload.decode()])
    for cut in (1, 2, 3, len(data) // 2):
        assert outcome(reader, data[:-cut], 0, masked, None)[0] in (0, len(data) // 2)


@every_reader
@every_role
def test_what_is_no_such_frame_stays_unread(reader: Reader, masked: bool) -> None:
    good = encode_frame(TEXT, b"good", masked=masked)
    malformed = encode_frame(BINARY, b"x" * 126, masked=masked).replace(b"\x00\x7e", b"\x00\x7d", 1)
    others = (
        encode_frame(9, b"ping", masked=masked),
        encode_frame(TEXT, b"of the other role", masked=not masked),
        bytes((TEXT,)) + good[1:],
        bytes((FINAL | TEXT | 0x40,)) + good[1:],
        encode_frame(BINARY, b"x" * 65536, masked=masked),
        malformed,
        encode_frame(BINARY, b"x" * 11, masked=masked),
    )
    for other in others:
        assert outcome(reader, good + other + good, 0, masked, 10 if len(other) < 30 else None) == (len(good), ["good"])


@every_reader
def test_what_came_before_bad_text_was_read(reader: Reader) -> None:
    events: list[Any] = []
    data = encode_frame(TEXT, b"good", masked=True) + encode_frame(TEXT, b"b\xffd", masked=True)
    with pytest.raises(UnicodeDecodeError):
        reader(data, 0, True, None, events)
    assert events == ["good"]


def test_the_compiled_reader_is_used_where_there_is_one() -> None:
    assert read_messages is (COMPILED or read_in_python)


def test_without_a_compiled_reader_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flowsock.wire._speedups", None)
    assert compiled_reader() is None


@pytest.mark.skipif(COMPILED is None, reason="there are no speedups here")
@pytest.mark.parametrize("arguments", [(), ("text", 0, True, None, []), (b"", -1, True, None, []), (b"", 0, True, "no", [])])
def test_the_compiled_reader_refuses_what_it_cannot_read(arguments: tuple[Any, ...]) -> None:
    assert COMPILED is not None
    with pytest.raises((TypeError, ValueError)):
        COMPILED(*arguments)
