"""Compression with other implementations at the other end: `websockets`, `aiohttp` and, where it is installed, Node's `ws`.

The last needs ``npm install ws`` in a folder and ``NODE_PATH`` set to its ``node_modules``.
"""

from __future__ import annotations

import functools
import random
import shutil
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import anyio
import pytest
import websockets.asyncio.client as their_client
import websockets.asyncio.server as their_server
from aiohttp import web
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

from flowsock import Deflate, Session, connect
from tests.sessions.conftest import ASYNCIO
from tests.sessions.support import BOUND, handling, ws

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


pytestmark = pytest.mark.anyio
on_asyncio = pytest.mark.parametrize("anyio_backend", ASYNCIO, indirect=True)

SETTINGS = [
    Deflate(
        server_max_window_bits=server,
        client_max_window_bits=client,
        server_no_context_takeover=server_forgets,
        client_no_context_takeover=client_forgets,
        threshold=1,
    )
    for server, client in ((15, 15), (12, 12), (9, 15), (15, 9))
    for server_forgets in (False, True)
    for client_forgets in (False, True)
]


def some_messages(seed: int) -> list[str | bytes]:
    """Give messages of every size, of which some refer to others."""
    chance = random.Random(seed)
    noise = chance.randbytes(40_000)
    words = "".join(chance.choices(["flow ", "sock ", "é", "🐟", "\0"], k=20_000))
    messages: list[str | bytes] = ["", b"", "short", "x" * 70_000, bytes(70_000)]
    for size in (1, 125, 126, 300, 5000, 20_000, 40_000):
        messages += [noise[:size], words[: size // 2], noise[size // 2 : size]]
    return messages


async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


async def exchange(session: Session, messages: Sequence[str | bytes]) -> None:
    for message in messages:
        await session.send(message)
        with anyio.fail_after(BOUND):
            assert await session.incoming.first() == message


def without_limits(settings: Deflate) -> Deflate:
    return Deflate(server_max_window_bits=15, client_max_window_bits=15, threshold=settings.threshold)


# websockets


def their_offer(settings: Deflate) -> ClientPerMessageDeflateFactory:
    return ClientPerMessageDeflateFactory(
        server_no_context_takeover=settings.server_no_context_takeover,
        client_no_context_takeover=settings.client_no_context_takeover,
        server_max_window_bits=settings.server_max_window_bits,
        client_max_window_bits=settings.client_max_window_bits,
    )


async def with_their_client(
    server_settings: Deflate, client: ClientPerMessageDeflateFactory, messages: Sequence[str | bytes]
) -> Deflate | None:
    agreed: list[Deflate | None] = []

    async def handler(session: Session) -> None:
        agreed.append(session.deflate)
        await echo(session)

    async with (
        handling(handler, deflate=server_settings) as server,
        their_client.connect(ws(server), compression=None, extensions=[client]) as connection,
    ):
        for message in messages:
            await connection.send(message)
            assert await connection.recv() == message
    return agreed[0]


async def with_their_server(
    settings: Deflate, server_factory: ServerPerMessageDeflateFactory, messages: Sequence[str | bytes]
) -> Deflate | None:
    async def their_echo(connection: their_server.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with their_server.serve(their_echo, "127.0.0.1", 0, compression=None, extensions=[server_factory]) as server:
        (sock,) = server.sockets
        async with connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/", deflate=settings) as session:
            await exchange(session, messages)
            return session.deflate


@pytest.mark.parametrize("anyio_backend", ["uvloop"], indirect=True)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
async def test_their_client_offers_and_we_agree(settings: Deflate) -> None:
    assert await with_their_client(without_limits(settings), their_offer(settings), some_messages(1)) == settings


@pytest.mark.parametrize("anyio_backend", ["uvloop"], indirect=True)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
async def test_we_insist_and_their_client_agrees(settings: Deflate) -> None:
    assert await with_their_client(settings, their_offer(without_limits(settings)), some_messages(2)) == settings


@pytest.mark.parametrize("anyio_backend", ["uvloop"], indirect=True)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
async def test_we_offer_and_their_server_agrees(settings: Deflate) -> None:
    assert await with_their_server(settings, ServerPerMessageDeflateFactory(), some_messages(3)) == settings


@pytest.mark.parametrize("anyio_backend", ["uvloop"], indirect=True)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
async def test_their_server_insists_and_we_agree(settings: Deflate) -> None:
    theirs = ServerPerMessageDeflateFactory(
        server_no_context_takeover=settings.server_no_context_takeover,
        client_no_context_takeover=settings.client_no_context_takeover,
        server_max_window_bits=settings.server_max_window_bits,
        client_max_window_bits=settings.client_max_window_bits,
    )
    assert await with_their_server(without_limits(settings), theirs, some_messages(4)) == settings


units = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.binary(max_size=20)
messages = st.lists(units.flatmap(lambda unit: st.sampled_from((1, 20, 3000)).map(lambda times: unit * times)), max_size=10)


@hypothesis_settings(max_examples=25, deadline=None, database=None)
@given(st.sampled_from(SETTINGS), st.sampled_from(SETTINGS), messages)
def test_any_messages_pass_in_both_roles(ours: Deflate, theirs: Deflate, sent: list[str | bytes]) -> None:
    anyio.run(with_their_client, ours, their_offer(theirs), sent)
    anyio.run(with_their_server, ours, ServerPerMessageDeflateFactory(), sent)


@on_asyncio
async def test_what_browsers_and_websockets_offer_by_themselves() -> None:
    async with handling(echo, deflate=True) as server, their_client.connect(ws(server)) as connection:
        assert connection.response is not None
        assert connection.response.headers["Sec-WebSocket-Extensions"] == (
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
        )
        for message in some_messages(5):
            await connection.send(message)
            assert await connection.recv() == message


# aiohttp


@on_asyncio
@pytest.mark.parametrize("window", [9, 12, 15])
async def test_aiohttps_client(window: int) -> None:
    async with (
        handling(echo, deflate=Deflate(threshold=1)) as server,
        aiohttp.ClientSession() as client,
        client.ws_connect(ws(server), compress=window) as connection,
    ):
        assert connection.compress
        for message in some_messages(6):
            if isinstance(message, str):
                await connection.send_str(message)
                assert await connection.receive_str() == message
            else:
                await connection.send_bytes(message)
                assert await connection.receive_bytes() == message


@asynccontextmanager
async def aiohttps_server() -> AsyncIterator[str]:
    async def their_echo(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        async for message in response:
            if message.type is aiohttp.WSMsgType.TEXT:
                await response.send_str(message.data)
            else:
                await response.send_bytes(message.data)
        return response

    app = web.Application()
    app.router.add_get("/", their_echo)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@on_asyncio
@pytest.mark.parametrize("settings", SETTINGS[:8], ids=str)
async def test_aiohttps_server(settings: Deflate) -> None:
    async with aiohttps_server() as url, connect(url, deflate=settings) as session:
        assert session.deflate is not None
        await exchange(session, some_messages(7))


# ws


@functools.cache
def find_node() -> str | None:
    """Give the path of a Node that has `ws`."""
    path = shutil.which("node")
    if path is None:
        return None
    tried = subprocess.run([path, "-e", "require('ws')"], capture_output=True, check=False, timeout=20)
    return path if tried.returncode == 0 else None


@pytest.fixture
def node() -> str:
    """Give the path of Node, or skip the test where it, or its `ws`, is not there."""
    path = find_node()
    if path is None:
        pytest.skip("needs Node and its ws")
    return path


CLIENT = """
const [url, bits, server, client] = JSON.parse(process.argv[1])
const perMessageDeflate = { threshold: 1, serverNoContextTakeover: server, clientNoContextTakeover: client }
if (bits) Object.assign(perMessageDeflate, { serverMaxWindowBits: bits, clientMaxWindowBits: bits })
const socket = new (require('ws'))(url, { perMessageDeflate })
const messages = Array.from({ length: 40 }, (_, n) => n % 2 ? 'é' + 'text '.repeat(n * 50) : Buffer.alloc(n * 300, n))
let next = 0
socket.on('open', () => socket.send(messages[next]))
socket.on('message', (data, binary) => {
  const sent = messages[next++]
  if (binary ? !data.equals(sent) : data.toString() !== sent) throw new Error('message ' + next)
  next < messages.length ? socket.send(messages[next]) : socket.close(1000)
})
socket.on('close', code => { console.log(socket.extensions + ' ' + next + ' ' + code); process.exit(code === 1000 ? 0 : 1) })
"""

SERVER = """
const [bits, server, client] = JSON.parse(process.argv[1])
const perMessageDeflate = { threshold: 1, serverNoContextTakeover: server, clientNoContextTakeover: client }
if (bits) Object.assign(perMessageDeflate, { serverMaxWindowBits: bits, clientMaxWindowBits: bits })
const listening = new (require('ws').WebSocketServer)({ port: 0, host: '127.0.0.1', perMessageDeflate }, () => {
  console.log(listening.address().port)
})
listening.on('connection', socket => socket.on('message', (data, binary) => socket.send(data, { binary })))
"""

THEIRS = [(bits, server, client) for bits in (0, 9, 12) for server in ("false", "true") for client in ("false", "true")]


@pytest.mark.timeout(60)
@on_asyncio
@pytest.mark.parametrize(("bits", "server_forgets", "client_forgets"), THEIRS)
async def test_nodes_client(node: str, bits: int, server_forgets: str, client_forgets: str) -> None:
    async with handling(echo, deflate=Deflate(threshold=1)) as server:
        arguments = f'["{ws(server)}", {bits}, {server_forgets}, {client_forgets}]'
        finished = await anyio.run_process([node, "-e", CLIENT, arguments])
    assert finished.stdout == b"permessage-deflate 40 1000\n"


@pytest.mark.timeout(60)
@on_asyncio
@pytest.mark.parametrize(("bits", "server_forgets", "client_forgets"), THEIRS)
async def test_nodes_server(node: str, bits: int, server_forgets: str, client_forgets: str) -> None:
    settings = Deflate(threshold=1)
    async with await anyio.open_process([node, "-e", SERVER, f"[{bits}, {server_forgets}, {client_forgets}]"]) as process:
        try:
            assert process.stdout is not None
            with anyio.fail_after(20):
                port = int(await process.stdout.receive())
            async with connect(f"ws://127.0.0.1:{port}/", deflate=settings) as session:
                assert session.deflate == Deflate(
                    server_max_window_bits=min(bits or 12, 12),
                    client_max_window_bits=min(bits or 12, 12),
                    server_no_context_takeover=server_forgets == "true",
                    client_no_context_takeover=client_forgets == "true",
                    threshold=1,
                )
                await exchange(session, some_messages(8))
        finally:
            process.kill()
