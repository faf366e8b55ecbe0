"""How an app finds what a request is for, and what it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from flowsock import App, Request, Session, WebSocketConfig, connect, serve
from flowsock.sessions.routes.router import Page, Upgrade
from flowsock.wire.response import Response
from tests.sessions.support import KEY, until, ws

if TYPE_CHECKING:
    from collections.abc import Mapping

UPGRADE = {
    "host": "test",
    "upgrade": "websocket",
    "connection": "keep-alive, Upgrade",
    "sec-websocket-key": KEY,
    "sec-websocket-version": "13",
}


async def handler(session: Session) -> None:
    await session.incoming.collect(session.send)


async def handler_of_room(session: Session, room: str) -> None: ...


def status(found: object) -> int:
    assert isinstance(found, Response)
    return found.status


def opening(path: str = "/", changes: Mapping[str, str | None] | None = None) -> Request:
    fields = {**UPGRADE, **(changes or {})}
    return Request("GET", path, {name: value for name, value in fields.items() if value is not None})


def test_a_session_and_a_page_share_a_path() -> None:
    app = App()
    app.websocket("/")(handler)
    app.get("/")(lambda: "page")
    assert isinstance(app.find(opening()), Upgrade)
    assert isinstance(app.find(Request("GET", "/", {"host": "test"})), Page)
    assert isinstance(app.find(Request("HEAD", "/", {"host": "test"})), Page)


def test_a_session_route_alone_asks_for_an_upgrade() -> None:
    app = App()
    app.websocket("/")(handler)
    found = app.find(Request("GET", "/", {"host": "test"}))
    assert status(found) == 426
    assert isinstance(found, Response)
    assert found.headers.get("upgrade") == "websocket"
    assert status(app.find(Request("POST", "/", UPGRADE))) == 405


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sec-websocket-key": None}, 400),
        ({"sec-websocket-key": "short"}, 400),
        ({"sec-websocket-version": None}, 426),
        ({"sec-websocket-version": "12"}, 426),
        ({"upgrade": None}, 426),
        ({"connection": "close"}, 426),
        ({"origin": "http://evil.example"}, 403),
        ({"sec-websocket-protocol": "a, b c"}, 400),
    ],
)
def test_a_bad_opening_is_refused(changes: dict[str, str | None], expected: int) -> None:
    app = App()
    app.websocket("/")(handler)
    assert status(app.find(opening(changes=changes))) == expected


def test_the_first_route_that_matches_wins() -> None:
    app = App()
    app.websocket("/{room}")(handler_of_room)
    app.websocket("/fixed")(handler)
    found = app.find(opening("/fixed?x=1"))
    assert isinstance(found, Upgrade)
    assert found.parameters == {"room": "fixed"}


def test_nothing_is_found_in_an_empty_app() -> None:
    assert status(App().find(opening())) == 404


def test_a_route_overrides_the_settings_of_its_app() -> None:
    app = App(websockets=WebSocketConfig(ping_interval=7, max_message_size=100))
    app.websocket("/", ping_interval=None, subprotocols=["v1"])(handler)
    found = app.find(opening(changes={"sec-websocket-protocol": "v0, v1"}))
    assert isinstance(found, Upgrade)
    assert found.route.config.ping_interval is None
    assert found.route.config.max_message_size == 100
    assert found.agreement.subprotocol == "v1"
    assert app.websockets.ping_interval == 7


@pytest.mark.anyio
async def test_statistics_count_open_and_ended_sessions() -> None:
    app = App()
    app.websocket("/")(handler)
    async with serve(app, port=0) as server:
        async with connect(ws(server)) as first, connect(ws(server)) as second:
            await first.send("hello")
            await first.incoming.first()
            await second.send(b"12")
            await second.incoming.first()
            assert len(app.sessions) == 2
            assert {session.request.path for session in app.sessions} == {"/"}
            now = app.statistics()
            assert (now.sessions, now.opened) == (2, 2)
            assert (now.messages_received, now.messages_sent) == (2, 2)
        await until(lambda: server.open_sessions == 0)
        async with connect(ws(server)) as third:
            await third.send("x")
            await third.incoming.first()
        await until(lambda: server.open_sessions == 0)
    then = app.statistics()
    assert (then.sessions, then.opened) == (0, 3)
    assert (then.messages_received, then.messages_sent) == (3, 3)
    # Three echoes of 5, 2 and 1 bytes, and a Close with a code from each client and its echo.
    assert then.bytes_received == (6 + 5) + (6 + 2) + (6 + 1) + 3 * 8
    assert then.bytes_sent == (2 + 5) + (2 + 2) + (2 + 1) + 3 * 4


@pytest.mark.anyio
async def test_the_registry_reaches_every_open_session() -> None:
    app = App()
    app.websocket("/")(handler)
    async with serve(app, port=0) as server, connect(ws(server)) as first, connect(ws(server)) as second:
        await until(lambda: len(app.sessions) == 2)
        for session in app.sessions:
            await session.send("to all")
        with anyio.fail_after(5):
            assert await first.incoming.first() == await second.incoming.first() == "to all"
