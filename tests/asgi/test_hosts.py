"""An app under uvicorn and hypercorn, with our own client at the other end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import App, CloseReason, HandshakeRejected, Session, SessionAborted, connect
from tests.sessions.lines import dial
from tests.sessions.support import BOUND, Peer, Story, failures, opening, request_head, text, text_frame, until

if TYPE_CHECKING:
    from tests.asgi.conftest import Hosting

pytestmark = pytest.mark.anyio


def app_of(handler: Any, path: str = "/", **settings: Any) -> App:
    app = App()
    app.websocket(path, **settings)(handler)
    return app


async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


async def raw_peer(address: str, receive_buffer: int | None = None) -> Peer:
    """Connect and say nothing."""
    name, _, port = address.partition(":")
    return Peer(await dial(name, int(port), receive_buffer))


async def open_peer(address: str, receive_buffer: int | None = None) -> Peer:
    """Connect and open a session."""
    peer = await raw_peer(address, receive_buffer)
    await peer.send(opening())
    assert (await peer.head()).startswith("HTTP/1.1 101 ")
    return peer


async def test_messages_of_both_kinds_and_of_any_size_come_back(hosting: Hosting) -> None:
    messages: list[Any] = ["", "hello", "Grüße 🐟", b"", b"\0\xff", "x" * 500_000, b"y" * 500_000]
    async with hosting(app_of(echo)) as address, connect(f"ws://{address}/") as session:
        for message in messages:
            await session.send(message)
        with anyio.fail_after(BOUND):
            assert await session.incoming.take(len(messages)).to_list() == messages


async def test_the_handlers_close_reaches_the_client(hosting: Hosting, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(session: Session) -> None:
        await session.send("last")
        await session.close(4000, "bye")

    with anyio.fail_after(BOUND):
        async with hosting(app_of(handler)) as address, connect(f"ws://{address}/") as session:
            assert await session.incoming.first() == "last"
            with pytest.raises(SessionAborted):
                await session.incoming.collect()
            assert session.close_reason == CloseReason(4000, "bye")


async def test_the_clients_close_reaches_the_handler(hosting: Hosting, host: str) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)

    async with hosting(app_of(handler)) as address:
        async with connect(f"ws://{address}/") as session:
            await session.send("a")
            await session.close(4000)
        assert await story.end() == ["a", SessionAborted]
        assert story.reason is not None
        # hypercorn says 1006, whatever the client said.
        assert story.reason.code == (1006 if host.startswith("hypercorn") else 4000)


async def test_a_handler_that_only_sends_ends_when_the_client_has_gone(hosting: Hosting) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            while True:
                await session.send("tick")
                await anyio.sleep(0.01)

    app = app_of(handler, close_timeout=0.1)
    async with hosting(app) as address:
        peer = await open_peer(address)
        assert await peer.frame() == text_frame("tick")
        peer.hang_up()
        ended = await story.end()
        assert len(ended) == 1
        await until(lambda: len(app.sessions) == 0)


async def test_a_client_that_does_not_read_holds_up_the_handler(hosting: Hosting) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            while True:
                await session.send("x" * 60_000)

    app = app_of(handler, send_timeout=0.2, close_timeout=0.1)
    async with hosting(app) as address:
        peer = await open_peer(address, receive_buffer=4096)
        assert (await story.end())[-1] in (SessionAborted, "cancelled")
        assert story.reason is not None
        assert story.reason.code == 1013
        assert story.session.statistics().messages_sent < 500
        peer.hang_up()


async def test_refusals_keep_their_status_and_body(hosting: Hosting) -> None:
    async with hosting(app_of(echo, "/only")) as address:
        for path, headers, status in (("/nowhere", {}, 404), ("/only", {"Origin": "http://evil.example"}, 403)):
            with pytest.raises(HandshakeRejected) as caught:
                async with connect(f"ws://{address}{path}", headers=headers):
                    pytest.fail("opened")
            assert caught.value.status == status


async def test_subprotocol_path_and_query_pass(hosting: Hosting) -> None:
    async def handler(session: Session, room: str) -> None:
        await session.send(f"{room} {session.request.query['q']}")

    app = app_of(handler, "/rooms/{room}", subprotocols=["v1"])
    offer = ["v2", "v1"]
    async with hosting(app) as address, connect(f"ws://{address}/rooms/a%2Fb?q=%20", subprotocols=offer) as session:
        assert session.subprotocol == "v1"
        assert await session.incoming.first() == "a/b  "


async def test_pages_and_background_jobs_are_served_too(hosting: Hosting) -> None:
    app = App()
    running: list[str] = []

    @app.get("/state")
    async def state() -> list[str]:
        return running

    @app.background()
    async def job() -> None:
        running.append("job")
        try:
            await anyio.sleep_forever()
        finally:
            running.clear()

    async with hosting(app) as address:
        peer = await raw_peer(address)
        await peer.send(request_head("GET", "/state", {"connection": "close"}))
        answer = await peer.raw_rest()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b'["job"]')
        peer.hang_up()
    assert running == []


async def test_a_host_that_stops_ends_the_handlers(hosting: Hosting, caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)

    with anyio.fail_after(BOUND):
        async with hosting(app_of(handler)) as address:
            peer = await open_peer(address)
            await peer.send(text("a"))
            await until(lambda: story.seen)
    assert (await story.end())[0] == "a"
    peer.hang_up()
    assert [line for line in failures(caplog) if "flowsock" in line or "handler" in line] == []
