"""`reconnecting` against servers on real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import (
    App,
    Backoff,
    Connected,
    HandshakeRejected,
    Session,
    SessionAborted,
    Stopped,
    Waiting,
    reconnecting,
    serve,
)
from tests.sessions.support import BOUND, Story, failures, handling, until, ws

if TYPE_CHECKING:
    from flowsock import LinkState

pytestmark = pytest.mark.anyio

SOON = Backoff(0.01, maximum=0.05)


async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


def is_waiting(state: LinkState) -> bool:
    return isinstance(state, Waiting)


def is_connected(state: LinkState) -> bool:
    return isinstance(state, Connected)


async def test_a_link_outlives_its_server() -> None:
    app = App()
    app.websocket("/")(echo)
    async with serve(app, port=0) as server:
        port, url = server.port, ws(server)
    with anyio.fail_after(BOUND):
        async with reconnecting[str, str](url, backoff=SOON) as link:
            await link.state.first(is_waiting)
            for message in ("a", "b"):
                async with serve(app, port=port, drain_timeout=0.1):
                    await link.send(message)
                    assert await link.incoming.first() == message
                await link.state.first(is_waiting)


async def test_leaving_the_block_closes_with_1000() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)

    async with handling(handler) as server:
        async with reconnecting[str, str](ws(server)) as link:
            await link.send("hi")
        assert await story.end() == ["hi", "returned"]
        assert story.reason is not None
        assert story.reason.code == 1000
        assert isinstance(link.state.value, Stopped)


async def test_leaving_by_an_error_tells_the_server_that_we_go() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()

    async with handling(handler) as server:
        with pytest.raises(RuntimeError, match="mine"):
            async with reconnecting(ws(server)) as link:
                await link.state.first(is_connected)
                raise RuntimeError("mine")
        await story.end()
        assert story.reason is not None
        assert story.reason.code == 1001


async def test_headers_are_made_afresh_for_each_attempt() -> None:
    tokens = iter(["old", "new"])
    seen: list[Any] = []

    async def handler(session: Session) -> None:
        seen.append(session.request.headers.get("authorization"))
        if len(seen) == 1:
            await session.close(4000)
        await session.incoming.collect()

    async def headers() -> dict[str, str]:
        return {"authorization": next(tokens)}

    async with handling(handler) as server, reconnecting(ws(server), headers=headers, backoff=SOON):
        await until(lambda: seen == ["old", "new"])


async def test_a_refusal_reaches_whoever_collects(caplog: pytest.LogCaptureFixture) -> None:
    async with handling(echo) as server, reconnecting(ws(server, "/nowhere"), backoff=SOON) as link:
        with pytest.raises(HandshakeRejected, match="404"), anyio.fail_after(BOUND):
            await link.incoming.collect()
    assert failures(caplog) == []


async def test_a_fatal_code_reaches_whoever_collects() -> None:
    async def handler(session: Session) -> None:
        await session.close(1008, "not you")

    async with handling(handler) as server, reconnecting(ws(server)) as link:
        with pytest.raises(SessionAborted, match="not you"), anyio.fail_after(BOUND):
            await link.incoming.collect()


async def test_message_types_are_chosen_as_for_connect() -> None:
    async with handling(echo) as server, reconnecting[bytes, bytes](ws(server)) as link:
        await link.send(b"binary")
        with anyio.fail_after(BOUND):
            assert await link.incoming.first() == b"binary"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"url": "http://test/"}, ValueError),
        ({"url": "ws://test/", "ping_intervall": 1}, TypeError),
        ({"url": "ws://test/", "attempts": 0}, ValueError),
        ({"url": "ws://test/", "headers": {"host": "x"}}, ValueError),
        ({"url": "ws://test/", "socket": None}, TypeError),
    ],
)
def test_what_is_wrong_is_wrong_before_anything_is_opened(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        reconnecting(**arguments)
