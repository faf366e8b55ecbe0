"""Bad and costly compression, by the numbers of the list of faults: one session ends, and a healthy one does not notice.

What a fault does is decided by the codec, so two of the hosts are enough.
"""

from __future__ import annotations

import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from flowsock import App, Session
from tests.faults.support import memory_within, serving
from tests.sessions.support import CLOSE, PING, TEXT, failures, opening, raw_peer
from tests.wire.support import frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flowsock import Server
    from tests.sessions.support import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["uvloop", "trio"], indirect=True)]

RSV1 = 0x40
LIMIT = 2**20
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


def deflated(payload: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -12)
    return (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


BOMB = deflated(bytes(64 * LIMIT))


def an_app() -> App:
    app = App()

    @app.websocket("/", deflate=True)
    async def echo(session: Session) -> None:
        await session.incoming.collect(session.send)

    return app


@asynccontextmanager
async def compressing_peer(server: Server, *fields: str) -> AsyncIterator[Peer]:
    """Open a session that has agreed on compression."""
    async with raw_peer(server) as peer:
        await peer.send(opening("/", *(fields or (DEFLATE,))))
        head = await peer.head()
        assert head.startswith("HTTP/1.1 101 ")
        assert "permessage-deflate" in head
        yield peer


async def close_code(peer: Peer) -> int:
    """Give the code of the Close that ends the stream."""
    last = (await peer.rest())[-1]
    assert last.first == CLOSE
    return int.from_bytes(last.payload[:2])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(PING | RSV1), 1002, id="33 RSV1 on a ping"),
        pytest.param(frame(CLOSE | RSV1, b"\x03\xe8"), 1002, id="33 RSV1 on a close"),
        pytest.param(frame(0x01 | RSV1, b"\xf2") + frame(0x80 | RSV1), 1002, id="33 RSV1 on a continuation"),
        pytest.param(frame(TEXT | 0x20), 1002, id="32 RSV2"),
        pytest.param(frame(0x82 | RSV1, length=2**62), 1009, id="37 a declared length of 2^62"),
        pytest.param(frame(TEXT | RSV1, b"\xff\xff\xff\xff"), 1007, id="45 no DEFLATE"),
        pytest.param(frame(TEXT | RSV1, deflated(b"\xff\xfe")), 1007, id="46 not UTF-8"),
        pytest.param(frame(0x01 | RSV1, deflated(b"\xff\xfe")), 1007, id="46 not UTF-8, before the message ends"),
        pytest.param(frame(0x82 | RSV1, b"\x03\x00" * 10_000), 1008, id="10 000 streams in one message"),
    ],
)
async def test_a_fault_ends_the_session(data: bytes, code: int, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(an_app()) as server, compressing_peer(server) as peer:
        await peer.send(data)
        assert await close_code(peer) == code
    assert failures(caplog) == []


async def test_32_compression_without_an_agreement() -> None:
    async with serving(an_app()) as server, raw_peer(server) as peer:
        await peer.send(opening(), frame(TEXT | RSV1, deflated(b"hello")))
        assert "permessage-deflate" not in await peer.head()
        assert await close_code(peer) == 1002


@pytest.mark.parametrize("size", [len(BOMB), 1000, 1], ids=["one frame", "fragments of 1000 bytes", "fragments of a byte"])
async def test_44_a_bomb_is_refused_within_the_limit(size: int) -> None:
    pieces = [BOMB[start : start + size] for start in range(0, len(BOMB), size)][: 2 * LIMIT // 1000]
    firsts = [0x82 | RSV1, *[0x80] * (len(pieces) - 1)] if len(pieces) == 1 else [0x02 | RSV1, *[0x00] * (len(pieces) - 1)]
    data = b"".join(frame(first, piece) for first, piece in zip(firsts, pieces, strict=True))
    async with serving(an_app()) as server, compressing_peer(server) as peer:
        with memory_within(3):
            await peer.send(data)
            assert await close_code(peer) == 1009


async def test_44_a_bomb_behind_many_honest_messages() -> None:
    async with serving(an_app()) as server, compressing_peer(server) as peer:
        stream = zlib.compressobj(9, zlib.DEFLATED, -12)
        for _ in range(100):
            piece = stream.compress(b"honest " * 100) + stream.flush(zlib.Z_SYNC_FLUSH)
            await peer.send(frame(TEXT | RSV1, piece[:-4]))
            assert (await peer.frame()).first == TEXT | RSV1
        bomb = stream.compress(bytes(64 * LIMIT)) + stream.flush(zlib.Z_SYNC_FLUSH)
        with memory_within(3):
            await peer.send(frame(0x82 | RSV1, bomb[:-4]))
            assert await close_code(peer) == 1009


async def test_21_a_client_that_asks_for_the_impossible_is_served_plain() -> None:
    offers = ", ".join(["permessage-deflate; server_max_window_bits=99", "x-unknown; a=b"] * 75)
    async with serving(an_app()) as server, raw_peer(server) as peer:
        await peer.send(opening("/", f"Sec-WebSocket-Extensions: {offers}"), frame(TEXT, b"x" * 1000))
        assert "permessage-deflate" not in await peer.head()
        assert (await peer.frame()).first == TEXT
