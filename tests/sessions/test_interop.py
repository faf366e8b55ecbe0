"""Our server with the `websockets` library as client, and our client with it as server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import websockets.asyncio.client as their_client
import websockets.asyncio.server as their_server
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.protocol import State

from flowsock import App, CloseReason, HandshakeRejected, Session, SessionAborted, connect, serve
from tests.sessions.conftest import ASYNCIO
from tests.sessions.support import BOUND, Story, failures, handling, until, ws

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ASYNCIO, indirect=True)]

MESSAGES: list[Any] = [
    pytest.param("hello", id="text"),
    pytest.param("", id="empty text"),
    pytest.param("Grüße, 世界 🐟\0", id="unicode"),
    pytest.param(b"\0\xff" * 10, id="binary"),
    pytest.param(b"", id="empty binary"),
    *(pytest.param("x" * size, id=f"{size} characters") for size in (125, 126, 127, 65535, 65536, 2**20)),
    pytest.param(bytes(range(256)) * 4096, id="1 MiB binary"),
]


async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


@asynccontextmanager
async def their_serving(
    handler: Callable[[their_server.ServerConnection], Awaitable[None]], **settings: Any
) -> AsyncIterator[str]:
    async with their_server.serve(handler, "127.0.0.1", 0, **settings) as server:
        (sock,) = server.sockets
        yield f"ws://127.0.0.1:{sock.getsockname()[1]}/"


async def their_echo(connection: their_server.ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


# Their client, our server


@pytest.mark.parametrize("message", MESSAGES)
async def test_their_client_gets_every_message_back(message: str | bytes) -> None:
    async with handling(echo) as server, their_client.connect(ws(server), compression=None) as client:
        await client.send(message)
        assert await client.recv() == message


async def test_their_client_that_offers_compression_is_served_without() -> None:
    async with handling(echo) as server, their_client.connect(ws(server), compression="deflate") as client:
        await client.send("x" * 1000)
        assert await client.recv() == "x" * 1000
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers


@pytest.mark.parametrize("parts", [["a", "", "ü", "x" * 70_000], [b"a", b"", b"\xff" * 70_000]])
async def test_their_clients_fragments_make_one_message(parts: list[str] | list[bytes]) -> None:
    async with handling(echo) as server, their_client.connect(ws(server)) as client:
        await client.send(parts)
        assert await client.recv() == parts[0][:0].join(parts)  # type: ignore[arg-type]


async def test_their_clients_ping_inside_a_fragmented_message_is_answered() -> None:
    async with handling(echo) as server, their_client.connect(ws(server)) as client:

        async def parts() -> AsyncIterator[str]:
            yield "before "
            with anyio.fail_after(BOUND):
                await (await client.ping(b"in between"))
            yield "after"

        await client.send(parts())
        assert await client.recv() == "before after"


async def test_our_servers_pings_are_answered_by_their_client() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await until(lambda: session.statistics().ping_round_trip is not None)

    async with handling(handler, ping_interval=0.03) as server, their_client.connect(ws(server)) as client:
        await client.wait_closed()
        assert client.close_code == 1000
    assert story.seen == ["returned"]


@pytest.mark.parametrize(("code", "message"), [(1000, ""), (1000, "bye"), (1001, "ü" * 61), (3000, "x"), (4999, "")])
async def test_their_client_closes_and_we_see_why(code: int, message: str) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()

    async with handling(handler) as server:
        async with their_client.connect(ws(server)) as client:
            await client.close(code, message)
        assert await story.end() == ["returned" if code < 3000 else SessionAborted]
        assert story.reason == CloseReason(code, message)
        assert (client.close_code, client.close_reason) == (code, message)


@pytest.mark.parametrize(("code", "message"), [(1000, ""), (1001, "bye"), (1008, "ü" * 61), (4321, "x")])
async def test_our_server_closes_and_their_client_sees_why(code: int, message: str) -> None:
    async def handler(session: Session) -> None:
        await session.close(code, message)

    async with handling(handler) as server, their_client.connect(ws(server)) as client:
        with pytest.raises(ConnectionClosedOK if code <= 1001 else ConnectionClosedError):
            await client.recv()
        assert (client.close_code, client.close_reason) == (code, message)


async def test_their_clients_too_big_message_is_1009() -> None:
    async with handling(echo, max_message_size=1000) as server, their_client.connect(ws(server)) as client:
        await client.send("x" * 1000)
        assert len(await client.recv()) == 1000
        await client.send("x" * 1001)
        with pytest.raises(ConnectionClosedError):
            await client.recv()
        assert client.close_code == 1009


async def test_their_clients_stream_comes_back_in_order() -> None:
    async def send(client: their_client.ClientConnection) -> None:
        for number in range(2000):
            await client.send(f"{number}")

    async with handling(echo) as server, their_client.connect(ws(server)) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(send, client)
        assert [await client.recv() for _ in range(2000)] == [f"{number}" for number in range(2000)]


async def test_our_server_chooses_a_subprotocol_of_theirs() -> None:
    seen: list[str | None] = []

    async def handler(session: Session) -> None:
        seen.append(session.subprotocol)

    async with handling(handler, subprotocols=["v2", "v1"]) as server:
        async with their_client.connect(ws(server), subprotocols=["v1", "v2"]) as client:  # type: ignore[list-item]
            assert client.subprotocol == "v2"
        async with their_client.connect(ws(server), subprotocols=["v3"]) as client:  # type: ignore[list-item]
            assert client.subprotocol is None
        async with their_client.connect(ws(server)) as client:
            assert client.subprotocol is None
    assert seen == ["v2", None, None]


@pytest.mark.parametrize(
    ("origins", "origin", "accepted"),
    [
        ("same", None, True),
        ("same", "http://{host}", True),
        ("same", "http://evil.example", False),
        ("same", "null", False),
        ("*", "http://evil.example", True),
        (["https://good.example"], "https://good.example", True),
        (["https://good.example"], "https://good.example.evil.example", False),
    ],
)
async def test_our_server_looks_at_the_origin(origins: Any, origin: str | None, accepted: bool) -> None:
    async with handling(echo, origins=origins) as server:
        stated = origin and origin.format(host=f"{server.host}:{server.port}")
        if accepted:
            async with their_client.connect(ws(server), origin=stated) as client:  # type: ignore[arg-type]
                assert client.state is State.OPEN
        else:
            with pytest.raises(InvalidStatus) as caught:
                await their_client.connect(ws(server), origin=stated)  # type: ignore[arg-type]
            assert caught.value.response.status_code == 403


async def test_their_client_is_told_404() -> None:
    async with handling(echo) as server:
        with pytest.raises(InvalidStatus) as caught:
            await their_client.connect(ws(server, "/elsewhere"))
        assert caught.value.response.status_code == 404
        assert caught.value.response.body == b"not found\n"


async def test_many_of_their_clients_at_once() -> None:
    async with handling(echo) as server:

        async def talk(name: int) -> None:
            async with their_client.connect(ws(server)) as client:
                for number in range(20):
                    await client.send(f"{name}/{number}")
                    assert await client.recv() == f"{name}/{number}"

        async with anyio.create_task_group() as tasks:
            for name in range(30):
                tasks.start_soon(talk, name)
        await until(lambda: server.open_sessions == 0)


async def test_our_stopping_server_tells_their_client() -> None:
    async with handling(echo) as server:
        client = await their_client.connect(ws(server))
    assert client.close_code == 1001
    await client.close()


# Our client, their server


@pytest.mark.parametrize("message", MESSAGES)
async def test_our_client_gets_every_message_back(message: str | bytes) -> None:
    async with their_serving(their_echo) as url, connect(url) as session:
        await session.send(message)
        assert await session.incoming.first() == message


@pytest.mark.parametrize("parts", [["a", "", "ü", "x" * 70_000], [b"a", b"", b"\xff" * 70_000]])
async def test_their_servers_fragments_make_one_message(parts: list[str] | list[bytes]) -> None:
    async def handler(connection: their_server.ServerConnection) -> None:
        await connection.send(parts)

    async with their_serving(handler) as url, connect(url) as session:
        assert await session.incoming.to_list() == [parts[0][:0].join(parts)]  # type: ignore[arg-type]
        assert session.close_reason == CloseReason(1000)


async def test_pings_go_both_ways_with_their_server() -> None:
    async def handler(connection: their_server.ServerConnection) -> None:
        with anyio.fail_after(BOUND):
            await (await connection.ping(b"theirs"))
        await connection.send("ponged")
        await connection.wait_closed()

    async with their_serving(handler) as url, connect(url, ping_interval=0.03) as session:
        assert await session.incoming.first() == "ponged"
        await until(lambda: session.statistics().ping_round_trip is not None)


@pytest.mark.parametrize(("code", "message"), [(1000, ""), (1001, "bye"), (1008, "ü" * 61), (4321, "x")])
async def test_their_server_closes_and_we_see_why(code: int, message: str) -> None:
    async def handler(connection: their_server.ServerConnection) -> None:
        await connection.close(code, message)

    async with their_serving(handler) as url, connect(url) as session:
        if code <= 1001:
            assert await session.incoming.to_list() == []
        else:
            with pytest.raises(SessionAborted) as caught:
                await session.incoming.to_list()
            assert caught.value.reason == CloseReason(code, message)
        assert session.close_reason == CloseReason(code, message)


@pytest.mark.parametrize(("code", "message"), [(1000, ""), (1001, "bye"), (4321, "ü" * 61)])
async def test_our_client_closes_and_their_server_sees_why(code: int, message: str) -> None:
    ended: list[tuple[int | None, str | None]] = []

    async def handler(connection: their_server.ServerConnection) -> None:
        await connection.wait_closed()
        ended.append((connection.close_code, connection.close_reason))

    async with their_serving(handler) as url:
        async with connect(url) as session:
            await session.close(code, message)
        await until(lambda: ended)
    assert ended == [(code, message)]


async def test_our_client_that_fails_closes_with_1011() -> None:
    ended: list[int | None] = []

    async def handler(connection: their_server.ServerConnection) -> None:
        await connection.wait_closed()
        ended.append(connection.close_code)

    async with their_serving(handler) as url:
        with pytest.raises(RuntimeError, match="boom"):
            async with connect(url):
                raise RuntimeError("boom")
        await until(lambda: ended)
    assert ended == [1011]


async def test_our_client_refuses_what_is_too_big() -> None:
    ended: list[int | None] = []

    async def handler(connection: their_server.ServerConnection) -> None:
        await connection.send("x" * 1001)
        await connection.wait_closed()
        ended.append(connection.close_code)

    async with their_serving(handler) as url:
        async with connect(url, max_message_size=1000) as session:
            with pytest.raises(SessionAborted, match="1009"):
                await session.incoming.first()
        await until(lambda: ended)
    assert ended == [1009]


async def test_their_server_chooses_a_subprotocol_of_ours() -> None:
    async with their_serving(their_echo, subprotocols=["v2", "v1"]) as url:
        async with connect(url, subprotocols=["v1", "v2"]) as session:
            assert session.subprotocol in ("v1", "v2")
        async with connect(url, subprotocols=["v1"]) as session:
            assert session.subprotocol == "v1"


async def test_their_server_reads_our_headers() -> None:
    seen: list[str | None] = []

    async def handler(connection: their_server.ServerConnection) -> None:
        assert connection.request is not None
        seen.extend([connection.request.headers.get("Authorization"), connection.request.headers.get("Origin")])

    async with their_serving(handler, origins=["http://page.example"]) as url:
        headers = {"Authorization": "Bearer x", "Origin": "http://page.example"}
        async with connect(url, headers=headers) as session:
            await session.incoming.collect()
        with pytest.raises(HandshakeRejected) as caught:
            await connect(url, headers={"Origin": "http://evil.example"}).__aenter__()
        assert caught.value.status == 403
    assert seen == ["Bearer x", "http://page.example"]


async def test_our_client_is_told_why_their_server_refuses() -> None:
    def refuse(connection: their_server.ServerConnection, _request: object) -> Any:
        return connection.respond(401, "no entry\n")

    async with their_serving(their_echo, process_request=refuse) as url:
        with pytest.raises(HandshakeRejected, match="401") as caught:
            await connect(url).__aenter__()
        assert (caught.value.status, caught.value.body) == (401, b"no entry\n")


async def test_many_of_our_clients_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async with their_serving(their_echo) as url:

        async def talk(name: int) -> None:
            async with connect[str, str](url) as session:
                for number in range(20):
                    await session.send(f"{name}/{number}")
                    assert await session.incoming.first() == f"{name}/{number}"

        async with anyio.create_task_group() as tasks:
            for name in range(30):
                tasks.start_soon(talk, name)
    assert failures(caplog) == []


async def test_their_server_that_crashes_is_1006() -> None:
    async def handler(connection: their_server.ServerConnection) -> None:
        connection.transport.abort()

    async with their_serving(handler) as url:
        with pytest.raises(SessionAborted, match="1006"):
            async with connect(url) as session:
                await session.incoming.collect()


async def test_two_apps_of_ours_talk_through_each_other() -> None:
    app = App()

    @app.websocket("/relay")
    async def relay(session: Session) -> None:
        async with connect(session.request.query["to"]) as further:
            further.incoming.on_each(session.send).launch_in(session.scope)
            await session.incoming.collect(further.send)

    async with (
        handling(echo) as server,
        serve(app, port=0, drain_timeout=1) as outer,
        connect(ws(outer, f"/relay?to={ws(server)}")) as session,
    ):
        await session.send("there and back")
        assert await session.incoming.first() == "there and back"
