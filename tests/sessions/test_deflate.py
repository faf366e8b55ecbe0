"""Compression, as sessions agree on it and use it."""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio
import pytest

from flowsock import (
    App,
    CloseCode,
    Deflate,
    HandshakeError,
    MutableSharedFlow,
    RawSession,
    Request,
    Session,
    SessionAborted,
    SlowReader,
    WebSocketConfig,
    connect,
    connect_raw,
    serve,
)
from flowsock.sessions.connection.connection import Connection
from flowsock.sessions.terms import Terms
from flowsock.wire.deflate import DeflateStatistics
from flowsock.wire.deflate_codec import DeflateCodec
from flowsock.wire.deflater import Deflater
from flowsock.wire.handshake import Agreement
from tests.sessions.support import (
    BOUND,
    ManualClock,
    Peer,
    RecordingTransport,
    accept,
    handling,
    opening,
    raw_peer,
    raw_server,
    until,
    ws,
)

pytestmark = pytest.mark.anyio

LONG = "a message that is worth it, " * 40
ALONE = Deflate(server_no_context_takeover=True)


async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


@pytest.mark.parametrize(
    ("server_setting", "client_setting", "agreed"),
    [
        (True, True, Deflate()),
        (Deflate(server_max_window_bits=10), Deflate(client_max_window_bits=9), None),
        (False, True, False),
        (True, False, False),
        (None, None, False),
    ],
)
async def test_both_sides_have_to_want_it(
    server_setting: Deflate | bool | None, client_setting: Deflate | bool | None, agreed: Deflate | bool | None
) -> None:
    if agreed is None:
        agreed = Deflate(server_max_window_bits=10, client_max_window_bits=9)
    theirs: list[Deflate | None] = []

    async def handler(session: Session) -> None:
        theirs.append(session.deflate)
        await echo(session)

    async with handling(handler, deflate=server_setting) as server, connect(ws(server), deflate=client_setting) as session:
        assert [session.deflate] == [agreed or None]
        for message in (LONG, LONG.encode(), "short", "", b"", LONG):
            await session.send(message)
            assert await session.incoming.first() == message
        assert theirs == [agreed or None]
        sent, received = session.statistics().bytes_sent, session.statistics().bytes_received
        assert (max(sent, received) < len(LONG)) is bool(agreed)


async def test_it_is_off_unless_it_is_asked_for() -> None:
    async with handling(echo) as server, connect(ws(server)) as session:
        assert session.deflate is None
        await session.send(LONG)
        assert session.statistics().bytes_sent > len(LONG)
    assert WebSocketConfig().deflate is None


async def test_statistics_tell_what_it_saves() -> None:
    async with handling(echo, deflate=ALONE) as server, connect(ws(server), deflate=Deflate(threshold=1)) as session:
        assert session.statistics().deflate == DeflateStatistics(sent=0, sent_compressed=0, received=0, received_compressed=0)
        for message in ("short", LONG, LONG):
            await session.send(message)
            assert await session.incoming.first() == message
        counts = session.statistics().deflate
        assert counts is not None
        # What is short went compressed, and came back plain.
        assert (counts.sent, counts.received) == (len("short") + 2 * len(LONG), 2 * len(LONG))
        assert 0 < counts.sent_compressed < 200
        assert 0 < counts.received_compressed < 200
    async with handling(echo) as server, connect(ws(server)) as session:
        assert session.statistics().deflate is None


@pytest.mark.parametrize("policy", [SlowReader.DROP_OLDEST, SlowReader.DROP_LATEST, SlowReader.CONFLATE])
def test_what_is_dropped_for_a_slow_reader_was_not_compressed(policy: SlowReader) -> None:
    agreed = Deflate(threshold=1)
    config = WebSocketConfig(slow_reader=policy, outgoing_queue=5)
    terms = Terms(request=Request("GET", "/"), config=config, agreement=Agreement(deflate=agreed))
    transport = RecordingTransport()
    connection = Connection(terms, transport, ManualClock(), terms.codec(), on_gone=lambda: None)
    connection.send(f"{LONG} first")
    connection.pause_writing()
    for number in range(20):
        connection.send(f"{LONG} {number}")
    connection.resume_writing()
    connection.send(f"{LONG} last")
    events = DeflateCodec(agreed, client=True).receive(b"".join(transport.writes))
    assert len(events) == 22 - connection.statistics().dropped < 22
    assert (events[0], events[-1]) == (f"{LONG} first", f"{LONG} last")


async def test_a_route_decides_for_itself() -> None:
    app = App(websockets=WebSocketConfig(deflate=Deflate(level=1)))
    app.websocket("/as-the-app")(echo)
    app.websocket("/plain", deflate=False)(echo)
    app.websocket("/own", deflate=ALONE)(echo)
    async with serve(app, port=0) as server:
        found: list[Deflate | None] = []
        for path in ("/as-the-app", "/plain", "/own"):
            async with connect(ws(server, path), deflate=True) as session:
                found.append(session.deflate)
    assert found == [Deflate(), None, ALONE]


async def test_21_a_client_whose_offers_are_wrong_is_served_without() -> None:
    offers = "Sec-WebSocket-Extensions: " + ", ".join(["permessage-deflate; server_max_window_bits=99"] * 150)
    async with handling(echo, deflate=True) as server, raw_peer(server) as peer:
        await peer.send(opening("/", offers))
        head = await peer.head()
        assert head.startswith("HTTP/1.1 101 ")
        assert "permessage-deflate" not in head


@pytest.mark.parametrize("answer", ["permessage-deflate", "permessage-deflate; server_max_window_bits=99", "x", "a b"])
async def test_a_client_hangs_up_on_a_wrong_answer(answer: str) -> None:
    async def script(peer: Peer) -> None:
        await accept(peer, fields=f"Sec-WebSocket-Extensions: {answer}\r\n")
        assert await peer.raw_rest() == b""

    async with raw_server(script) as url:
        with pytest.raises(HandshakeError):
            async with connect(url, deflate=True):
                raise AssertionError


async def test_a_broadcast_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    room: MutableSharedFlow[str] = MutableSharedFlow()
    sizes: list[int] = []
    deflate = Deflater.deflate

    def counting(self: Deflater, payload: bytes) -> bytes:
        sizes.append(len(payload))
        return deflate(self, payload)

    async def handler(session: Session[str, str]) -> None:
        await room.collect(session.send)

    monkeypatch.setattr(Deflater, "deflate", counting)
    message = LONG.strip()  # an object that nobody has sent yet
    async with handling(handler, deflate=ALONE) as server, AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(connect[str, str](ws(server), deflate=True)) for _ in range(10)]
        narrow = Deflate(server_max_window_bits=9)
        sessions.append(await stack.enter_async_context(connect[str, str](ws(server), deflate=narrow)))
        sessions.append(await stack.enter_async_context(connect[str, str](ws(server))))
        await until(lambda: room.subscription_count.value == 12)
        await room.emit(message)
        with anyio.fail_after(BOUND):
            assert {await session.incoming.first() for session in sessions} == {message}
    assert sizes == [len(message)] * 2


async def test_raw_sessions_agree_on_none() -> None:
    app = App(websockets=WebSocketConfig(deflate=True))

    @app.raw_websocket("/")
    async def raw_echo(session: RawSession) -> None:
        await session.incoming.collect(session.send)

    async with serve(app, port=0) as server, connect(ws(server), deflate=True) as session:
        assert session.deflate is None
        await session.send(LONG)
        assert await session.incoming.first() == LONG
    with pytest.raises(ValueError, match="deflate"):
        app.raw_websocket("/other", deflate=True)
    with pytest.raises(ValueError, match="deflate"):
        connect_raw("ws://localhost/", deflate=True)


async def test_it_cannot_be_changed_while_a_session_is_open() -> None:
    async with handling(echo, deflate=True) as server, connect(ws(server), deflate=True) as session:
        with pytest.raises(ValueError, match="deflate"):
            session.configure(deflate=False)
        session.configure(max_message_size=len(LONG) - 1)
        await session.send(LONG)
        with pytest.raises(SessionAborted):
            await session.incoming.first()
        assert session.close_reason is not None
        assert session.close_reason.code == CloseCode.TOO_BIG
