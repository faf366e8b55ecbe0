"""The access log."""

from __future__ import annotations

import logging
import re

import pytest

from flowsock import App, Session, connect, reject, serve
from flowsock.sessions.server.access import Access, SessionAccess
from tests.sessions.support import open_peer, raw_peer, request_head, until, ws

pytestmark = pytest.mark.anyio


def an_app() -> App:
    app = App()
    app.websocket("/{room}")(echo)
    app.websocket("/closed/{room}", guard=lambda _request: reject(401))(echo)
    app.get("/")(lambda: "page")
    return app


async def echo(session: Session, room: str) -> None:
    await session.incoming.collect(session.send)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "flowsock.access"]


async def test_a_session_is_a_line_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "flowsock.access")
    async with serve(an_app(), port=0, access_log=True) as server:
        async with connect(ws(server, "/red?token=secret"), headers={"cookie": "id=secret"}) as session:
            await session.send("hello")
            await session.incoming.first()
            assert lines(caplog) == []
            await session.close(4000, "secret")
        await until(lambda: lines(caplog))
    (line,) = lines(caplog)
    assert re.fullmatch(r'127\.0\.0\.1 "GET /red" 101 [\d.]+s closed 4000 messages 1/1 bytes \d+/\d+', line)
    (entry,) = [record.args for record in caplog.records if record.name == "flowsock.access"]
    assert isinstance(entry, tuple)
    (access,) = entry
    assert isinstance(access, SessionAccess)
    assert (access.code, access.messages_received, access.bytes_sent) == (4000, 1, 7 + 10)


async def test_a_page_and_a_refusal_are_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "flowsock.access")
    async with serve(an_app(), port=0, access_log=True) as server:
        for target in ("/?a=secret", "/closed/x", "/nowhere/at/all"):
            async with raw_peer(server) as peer:
                await peer.send(request_head("GET", target, {"Authorization": "secret"}))
                await peer.raw_rest()
    found = [re.sub(r"[\d.]+s$", "0s", line) for line in lines(caplog)]
    assert found == [
        '127.0.0.1 "GET /" 200 0s',
        '127.0.0.1 "GET /closed/x" 426 0s',
        '127.0.0.1 "GET /nowhere/at/all" 404 0s',
    ]


async def test_without_the_setting_there_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "flowsock.access")
    async with serve(an_app(), port=0) as server, open_peer(server, "/red"):
        pass
    assert lines(caplog) == []


async def test_22_a_path_cannot_write_to_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "flowsock.access")
    async with serve(an_app(), port=0, access_log=True) as server:
        for target in ("/%1b%5b31m%0d%0aforged", "/" + "x" * 5000):
            async with raw_peer(server) as peer:
                await peer.send(request_head("GET", target))
                await peer.raw_rest()
    escaped, long = lines(caplog)
    assert '"GET /%1b%5b31m%0d%0aforged" 404' in escaped
    assert len(long) < 260
    assert all(line.isprintable() for line in (escaped, long))


def test_an_entry_shows_itself() -> None:
    assert str(Access("-", "GET", "/", 200, 0.0123)) == '- "GET /" 200 0.012s'
    session = SessionAccess("::1", "GET", "/x", 101, 1.5, None, 1, 2, 3, 4)
    assert str(session) == '::1 "GET /x" 101 1.500s closed - messages 1/2 bytes 3/4'
