"""What a hostile or absent server can do to a client, by the numbers of the list of faults."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import (
    App,
    Backoff,
    HandshakeError,
    HandshakeRejected,
    Session,
    SessionAborted,
    Stopped,
    Waiting,
    connect,
    reconnecting,
    serve,
)
from flowsock.testing import connect as connect_to_app
from tests.faults.support import memory_within, serving
from tests.sessions.conftest import SOCKETS
from tests.sessions.support import BOUND, Peer, accept, handling, raw_server, until, ws
from tests.wire.support import frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = pytest.mark.anyio

on_sockets = pytest.mark.parametrize("anyio_backend", SOCKETS, indirect=True)


async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


@asynccontextmanager
async def hostile(talk: Callable[[Peer], Awaitable[None]]) -> AsyncIterator[str]:
    """Serve one client badly, beside a healthy session with another server; gives the URL."""
    async with raw_server(talk) as url, serving(App()):
        yield url


# What an answer may cost


@on_sockets
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 101 ", id="a line without end"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n", id="fields without end"),
        pytest.param(b"HTTP/1.1 403 No\r\n\r\n", id="a body without end"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="nothing final"),
    ],
)
async def test_an_answer_without_end_costs_bounded_memory(answer: bytes) -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)
        for _ in range(1000):
            await peer.send(answer * 100 if b"100" in answer else b"x-y: z\r\n" * 1000)
            await anyio.lowlevel.checkpoint()

    async with hostile(talk) as url:
        with memory_within(4), pytest.raises(HandshakeError):
            async with connect(url, open_timeout=5.0):
                pytest.fail("opened")


@pytest.mark.parametrize("talks", [False, True], ids=["silent", "byte by byte"])
async def test_an_answer_that_does_not_come_is_given_up(talks: bool) -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        while True:
            if talks:
                await peer.send(b"H")
            await anyio.sleep(0.05)

    async with hostile(talk) as url:
        with anyio.fail_after(BOUND), pytest.raises((TimeoutError, HandshakeError)):
            async with connect(url, open_timeout=0.2):
                pytest.fail("opened")


# What a session may cost


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(0x81, b"masked"), 1002, id="31 a masked frame"),
        pytest.param(frame(0xC1, b"", mask=None), 1002, id="32 RSV1"),
        pytest.param(frame(0x83, b"", mask=None), 1002, id="34 an unknown opcode"),
        pytest.param(frame(0x82, b"", mask=None, length=2**62), 1009, id="37 a length over the limit"),
        pytest.param(frame(0x81, b"\xff", mask=None), 1007, id="43 not UTF-8"),
        pytest.param(frame(0x88, b"\x03\xed", mask=None), 1002, id="47 a code that must not be sent"),
    ],
)
async def test_a_server_that_breaks_the_protocol_is_left(data: bytes, code: int) -> None:
    async def talk(peer: Peer) -> None:
        await accept(peer, data)
        found = await peer.frame()
        assert (found.first, found.payload[:2]) == (0x88, code.to_bytes(2))

    async with hostile(talk) as url:
        with anyio.fail_after(BOUND), pytest.raises(SessionAborted, match=str(code)):
            async with connect(url, close_timeout=0.2) as session:
                await session.incoming.collect()


@on_sockets
async def test_a_server_that_does_not_read_makes_the_client_wait() -> None:
    async def talk(peer: Peer) -> None:
        await accept(peer)
        await anyio.sleep_forever()

    async with hostile(talk) as url:
        with memory_within(4), anyio.fail_after(BOUND), pytest.raises(SessionAborted, match="1013"):
            async with connect[str, str](url, send_timeout=0.3) as session:
                for number in range(10_000):
                    await session.send(f"{number} ".ljust(65_536, "x"))


@on_sockets
async def test_a_flood_that_nobody_collects_stays_in_the_network() -> None:
    async def talk(peer: Peer) -> None:
        await accept(peer)
        while True:
            await peer.send(frame(0x82, b"x" * 10_000, mask=None))

    async with hostile(talk) as url:
        with memory_within(4):
            async with connect(url, close_timeout=0.1) as session:
                await anyio.sleep(0.3)
                assert session.statistics().queued <= 40


# 57: a server that vanishes


async def test_57_a_server_that_vanishes_ends_the_block() -> None:
    async def talk(peer: Peer) -> None:
        await accept(peer)
        await anyio.sleep_forever()

    async with hostile(talk) as url:
        with anyio.fail_after(BOUND), pytest.raises(SessionAborted, match="ping timeout"):
            async with connect(url, ping_interval=0.1, ping_timeout=0.1, close_timeout=0.1):
                await anyio.sleep_forever()


# 80: a client that comes back


async def test_80_a_minute_without_a_server() -> None:
    """Full jitter: no wait is longer than its bound, and they are not all alike."""
    waits: list[float] = []

    def note(state: object) -> None:
        if isinstance(state, Waiting):
            waits.append(state.seconds)

    app = App()
    app.websocket("/")(echo)
    async with serve(app, port=0) as server:
        port, url = server.port, ws(server)
    backoff = Backoff(0.02, maximum=0.2)
    async with reconnecting[str, str](url, backoff=backoff) as link, anyio.create_task_group() as tasks:
        tasks.start_soon(link.state.collect, note)
        await until(lambda: len(waits) >= 8)
        assert all(0 <= wait <= min(0.2, 0.02 * 2**number) for number, wait in enumerate(waits))
        assert len(set(waits)) == len(waits)
        async with serve(app, port=port, drain_timeout=0.1):
            with anyio.fail_after(BOUND):
                await link.send("back")
                assert await link.incoming.first() == "back"
            await link.close()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("code", [1008, 4001])
async def test_80_a_code_that_says_do_not_come_back_stops(code: int) -> None:
    opened: list[Session] = []

    async def handler(session: Session) -> None:
        opened.append(session)
        await session.close(code)

    options: dict[str, Any] = {"backoff": Backoff(0), "stop_codes": reconnecting.STOP_CODES | {4001}}
    async with handling(handler) as server, reconnecting(ws(server), **options) as link:
        with anyio.fail_after(BOUND), pytest.raises(SessionAborted, match=str(code)):
            await link.incoming.collect()
        assert isinstance(link.state.value, Stopped)
        await anyio.sleep(0.05)
        assert len(opened) == 1


@on_sockets
async def test_80_many_failed_attempts_leave_no_descriptor() -> None:
    app = App()
    async with serve(app, port=0) as server:
        url = ws(server)

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def fail(attempts: int) -> None:
        async with reconnecting(url, backoff=Backoff(0), attempts=attempts) as link:
            with anyio.fail_after(BOUND), pytest.raises(OSError, match=r"refused|Connect"):
                await link.incoming.collect()

    # The first attempt of all opens what an event loop keeps.
    await fail(1)
    before = descriptors()
    await fail(200)
    await until(lambda: descriptors() <= before)


async def test_a_refused_handshake_carries_its_reason_past_the_link() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nnot you")

    async with hostile(talk) as url, reconnecting(url) as link:
        with anyio.fail_after(BOUND), pytest.raises(HandshakeRejected) as caught:
            await link.incoming.collect()
    assert caught.value.body == b"not you"


async def test_many_sessions_at_once_open_and_echo() -> None:
    app = App()
    app.websocket("/")(echo)

    async def client(number: int) -> None:
        async with connect_to_app[str, str](app) as session:
            await session.send(str(number))
            assert await session.incoming.first() == str(number)

    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(client, number)
