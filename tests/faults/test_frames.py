"""Bad frames, by the numbers of the list of faults: one session ends with the right code, and a healthy one does not notice.

What a fault does is decided by the codec, so two of the hosts are enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flowsock import App, Session
from tests.faults.support import memory_within, serving
from tests.sessions.support import (
    BINARY,
    BOUND,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Frame,
    close,
    close_frame,
    failures,
    open_peer,
    text,
    until,
)
from tests.wire.support import frame

if TYPE_CHECKING:
    from tests.sessions.support import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["uvloop", "trio"], indirect=True)]

LIMIT = 2**20
BEGIN_TEXT = 0x01
BEGIN_BINARY = 0x02
GO_ON = 0x00
END = 0x80
UNKNOWN = [*range(0x3, 0x8), *range(0xB, 0x10)]
FORBIDDEN = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]


class Echo:
    """An app that sends back what it gets, and notes it."""

    def __init__(self) -> None:
        self.app = App()
        self.app.websocket("/")(self._handle)
        self.received: list[object] = []

    async def _handle(self, session: Session) -> None:
        async for message in session.incoming:
            self.received.append(message)
            await session.send(message)


async def last(peer: Peer, bound: float = BOUND) -> Frame:
    """Give the one frame before the end of the stream."""
    (found,) = await peer.rest(bound)
    return found


def bad_frames() -> list[object]:
    """List frames that end a session, with the code of the Close that tells the peer."""
    faults: list[tuple[str, bytes, int]] = [
        ("31 no mask on a text", frame(TEXT, b"hello", mask=None), 1002),
        ("31 no mask on a ping", frame(PING, b"hello", mask=None), 1002),
        ("31 no mask on a close", frame(CLOSE, b"\x03\xe8", mask=None), 1002),
        ("32 RSV1 that was not agreed on", frame(TEXT | 0x40, b"hello"), 1002),
        ("32 RSV2", frame(TEXT | 0x20, b"hello"), 1002),
        ("32 RSV3", frame(TEXT | 0x10, b"hello"), 1002),
        ("33 RSV1 on a pong", frame(PONG | 0x40), 1002),
        ("33 RSV1 on a continuation", frame(BEGIN_TEXT, b"a") + frame(END | 0x40, b"b"), 1002),
        *((f"34 opcode {opcode:X}", frame(0x80 | opcode), 1002) for opcode in UNKNOWN),
        *((f"34 opcode {opcode:X} without FIN", frame(opcode), 1002) for opcode in UNKNOWN),
        ("34 an unknown opcode inside a message", frame(BEGIN_TEXT, b"a") + frame(0x83), 1002),
        ("35 a ping of 126 bytes", frame(PING, bytes(126)), 1002),
        ("35 a close of 126 bytes", close(1000, "x" * 124), 1002),
        ("35 a ping that declares 2^62 bytes", frame(PING, length=2**62), 1002),
        ("35 a ping in pieces", frame(PING & 0x0F, b"a"), 1002),
        ("35 a close in pieces", frame(CLOSE & 0x0F, b"\x03\xe8"), 1002),
        ("36 a continuation of nothing", frame(END, b"a"), 1002),
        ("36 a first continuation of nothing", frame(GO_ON, b"a"), 1002),
        ("36 a text inside a message", frame(BEGIN_TEXT, b"a") + text("b"), 1002),
        ("36 a message that begins inside another", frame(BEGIN_BINARY, b"a") + frame(BEGIN_BINARY, b"b"), 1002),
        ("37 one byte over the limit", frame(BINARY, length=LIMIT + 1), 1009),
        ("37 2^62", frame(BINARY, length=2**62), 1009),
        ("37 2^63 - 1", frame(BINARY, length=2**63 - 1), 1009),
        ("37 2^63", frame(BINARY, length=2**63), 1002),
        ("37 2^64 - 1", frame(BINARY, length=2**64 - 1), 1002),
        ("38 a small fragment, then 2^63 - 1", frame(BEGIN_BINARY, b"abc") + frame(END, length=2**63 - 1), 1009),
        ("38 a small fragment, then 2^64 - 4", frame(BEGIN_BINARY, b"abc") + frame(END, length=2**64 - 4), 1002),
        ("39 5 bytes as 16 bits", bytes((TEXT, 0x80 | 126)) + b"\0\5" + bytes(4) + b"hello", 1002),
        ("39 125 bytes as 64 bits", bytes((TEXT, 0x80 | 127)) + (125).to_bytes(8) + bytes(4) + bytes(125), 1002),
        ("39 65535 bytes as 64 bits", bytes((BINARY, 0x80 | 127)) + (65_535).to_bytes(8) + bytes(4), 1002),
        ("40 one fragment too much", fragments(LIMIT, b"x"), 1009),
        ("43 not UTF-8", frame(TEXT, b"\xff"), 1007),
        ("43 a surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007),
        ("43 an overlong form", frame(TEXT, b"\xc0\xaf"), 1007),
        ("43 above U+10FFFF", frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
        ("43 cut off at the end", frame(TEXT, b"\xce"), 1007),
        ("43 cut off at the end of the last fragment", frame(BEGIN_TEXT, b"a") + frame(END, b"\xe2\x82"), 1007),
        ("43 split over two fragments, with no end in sight", frame(BEGIN_TEXT, b"\xce") + frame(GO_ON, b"\xce"), 1007),
        ("43 in the first fragment, with no end in sight", frame(BEGIN_TEXT, b"\xff"), 1007),
        ("47 a close of one byte", frame(CLOSE, b"\x03"), 1002),
        *((f"47 code {code}", close(code), 1002) for code in FORBIDDEN),
        ("48 a close reason that is not UTF-8", frame(CLOSE, b"\x03\xe8\xff"), 1007),
        ("48 a close reason cut off", frame(CLOSE, b"\x03\xe8\xe2\x82"), 1007),
    ]
    return [pytest.param(data, code, id=name) for name, data, code in faults]


def fragments(size: int, last: bytes) -> bytes:
    """Make a message without an end: fragments of so many bytes in all, and one more."""
    return frame(BEGIN_BINARY, bytes(size // 2)) + frame(GO_ON, bytes(size - size // 2)) + frame(GO_ON, last)


@pytest.mark.parametrize(("data", "code"), bad_frames())
async def test_a_bad_frame_ends_its_session(data: bytes, code: int, caplog: pytest.LogCaptureFixture) -> None:
    echo = Echo()
    async with serving(echo.app) as server, open_peer(server) as peer:
        # The peer goes on as if nothing had happened.
        await peer.send(data, text("not to be seen"))
        found = await last(peer)
        assert (found.first, int.from_bytes(found.payload[:2])) == (CLOSE, code)
        peer.hang_up()
        await until(lambda: server.open_sessions == 1)
    assert echo.received == []
    assert failures(caplog) == []


@pytest.mark.parametrize("length", [LIMIT + 1, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
async def test_37_a_declared_length_takes_no_memory(length: int) -> None:
    async with serving(Echo().app) as server, open_peer(server) as peer:
        with memory_within(0.5):
            await peer.send(frame(BINARY, length=length))
            assert (await last(peer)).first == CLOSE


async def test_37_a_declared_length_within_the_limit_takes_no_memory_before_the_bytes_are_there() -> None:
    async with serving(Echo().app) as server, open_peer(server) as peer:
        with memory_within(0.5):
            await peer.send(text("first"), frame(BINARY, b"only this", length=LIMIT))
            assert (await peer.frame()).payload == b"first"
        peer.hang_up()
        await until(lambda: server.open_sessions == 1)


async def test_40_a_message_is_refused_as_soon_as_it_is_too_large() -> None:
    """The end of it, and the rest of the fragment that is too much, are not waited for."""
    echo = Echo()
    async with serving(echo.app) as server, open_peer(server) as peer:
        with memory_within(4):
            await peer.send(frame(BEGIN_BINARY, bytes(LIMIT)), frame(GO_ON, length=1000))
            assert (await last(peer)).payload[:2] == (1009).to_bytes(2)
    assert echo.received == []


async def test_40_a_message_of_just_the_limit_passes() -> None:
    async with serving(Echo().app) as server, open_peer(server) as peer:
        await peer.send(fragments(LIMIT - 1, b"x"), frame(END))
        found = await peer.frame()
        assert (found.first, len(found.payload)) == (BINARY, LIMIT)


@pytest.mark.parametrize("payload", [b"", b"x"], ids=["empty", "of a byte"])
async def test_41_200_000_fragments_are_too_many(payload: bytes) -> None:
    echo = Echo()
    async with serving(echo.app) as server, open_peer(server) as peer:
        with memory_within(6):
            flood = frame(GO_ON, payload) * 10_000
            await peer.send(frame(BEGIN_BINARY))
            for _ in range(20):
                await peer.send(flood)
            # Counting the memory makes it slow.
            assert (await last(peer, bound=20)).payload[:2] == (1009).to_bytes(2)
    assert echo.received == []


async def test_41_131_072_fragments_are_a_message() -> None:
    async with serving(Echo().app) as server, open_peer(server) as peer:
        await peer.send(frame(BEGIN_BINARY), frame(GO_ON) * (131_072 - 2), frame(END, b"whole"))
        assert await peer.frame() == Frame(BINARY, b"whole")


async def test_42_a_frame_that_comes_byte_by_byte_costs_no_more_than_the_frame() -> None:
    size = 20_000
    data = frame(BINARY, bytes(size))
    async with serving(Echo().app) as server, open_peer(server) as peer:
        # What the neighbour does meanwhile needs some as well; 20,000 objects would be more than 1 MiB.
        with memory_within(0.25):
            for position in range(len(data)):
                await peer.send(data[position : position + 1])
        assert await peer.frame() == Frame(BINARY, bytes(size))


async def test_49_a_close_inside_a_fragmented_message_is_answered_with_its_code() -> None:
    echo = Echo()
    async with serving(echo.app) as server, open_peer(server) as peer:
        await peer.send(frame(BEGIN_TEXT, b"half a mess"), close(4123, "enough"))
        assert await last(peer) == close_frame(4123, "enough")
        await until(lambda: server.open_sessions == 1)
    assert echo.received == []


@pytest.mark.parametrize("code", [None, 1000, 1003, 1007, 1014, 3000, 4999])
async def test_47_codes_that_may_be_sent_are_answered_with_themselves(code: int | None) -> None:
    async with serving(Echo().app) as server, open_peer(server) as peer:
        await peer.send(close(code))
        assert (await last(peer)).payload == close_frame(code).payload


async def test_48_a_reason_may_hold_any_text() -> None:
    async with serving(Echo().app) as server, open_peer(server) as peer:
        await peer.send(close(4000, "\x1b[31m\r\n€"))
        assert (await last(peer)).payload[:2] == (4000).to_bytes(2)
