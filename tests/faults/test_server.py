"""Faults of the server and around it, by the numbers of the list of faults."""

from __future__ import annotations

import gc
import logging
import os
import resource
import ssl
from contextlib import AsyncExitStack, contextmanager, suppress
from socket import socket
from typing import TYPE_CHECKING

import anyio
import pytest

from flowsock import Address, App, Session, connect, serve
from flowsock.sessions.server import server as server_module
from tests.faults.support import healthy_neighbour, serving
from tests.sessions.conftest import SOCKETS
from tests.sessions.lines import SocketLine, dial
from tests.sessions.support import (
    Peer,
    close,
    close_frame,
    failures,
    open_peer,
    opening,
    raw_peer,
    text,
    text_frame,
    until,
    ws,
)
from tests.tls import certificate, client_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

on_sockets = pytest.mark.parametrize("anyio_backend", SOCKETS.values(), ids=SOCKETS.keys())


def an_app() -> App:
    app = App()

    @app.websocket("/")
    async def echo(session: Session) -> None:
        await session.incoming.collect(session.send)

    return app


async def test_59_a_handler_that_fails_is_1011_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    app = an_app()

    @app.websocket("/failing")
    async def failing(session: Session) -> None:
        raise RuntimeError("secret")

    async with serving(app) as server, open_peer(server, "/failing") as peer:
        frame = await peer.frame()
        assert frame == close_frame(1011)
    assert failures(caplog) == ["the handler of '/failing' failed"]


@on_sockets  # Virtual time does not pass while a task is busy.
async def test_60_a_handler_that_ignores_its_cancellation_is_reported_and_its_connection_cut(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server_module, "STUBBORN", 0.1)
    app = App()
    finish = False

    @app.websocket("/stubborn")
    async def stubborn(session: Session) -> None:
        while not finish:
            # What nobody should write: a cancellation that is swallowed.
            with suppress(BaseException):
                await anyio.sleep(0.01)

    async def wait_for_the_cut(peer: Peer) -> None:
        nonlocal finish
        try:
            await until(lambda: failures(caplog))
            assert await peer.rest() == [close_frame(1001)]
        finally:
            finish = True

    async with (
        AsyncExitStack() as stack,
        anyio.create_task_group() as tasks,
        serve(app, port=0, drain_timeout=0.05) as server,
    ):
        tasks.start_soon(wait_for_the_cut, await stack.enter_async_context(open_peer(server, "/stubborn")))
        await until(lambda: server.open_sessions)
    assert failures(caplog) == ["the handler of '/stubborn' was cancelled 0.1 s ago and has not ended"]


async def test_69_many_sessions_are_told_in_batches_and_new_ones_refused() -> None:
    async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
        told: list[float] = []

        async def wait(peer: Peer) -> None:
            assert await peer.frame() == close_frame(1001)
            told.append(anyio.current_time())
            await peer.send(close(1001))

        async with serve(an_app(), port=0, drain_timeout=10) as server:
            for _ in range(250):
                tasks.start_soon(wait, await stack.enter_async_context(open_peer(server)))
            await until(lambda: server.open_sessions == 250)
            began = anyio.current_time()
            tasks.start_soon(server.drain, 10)
            await until(lambda: told)
            with pytest.raises(ConnectionRefusedError):
                await dial(server.host, server.port, None)
            await until(lambda: len(told) == 250)
        ended = anyio.current_time()
    # Two pauses of a tenth of a second between three batches.
    assert told[-1] - began >= 0.2
    assert ended - began < 5


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    """Take all the descriptors that the process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 8, hard))
    taken: list[int] = []
    try:
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@on_sockets
async def test_71_without_descriptors_connections_wait_and_one_line_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with serving(an_app()) as server, healthy_neighbour(server) as healthy:
        with socket() as client:
            with no_descriptors_left():
                client.connect((server.host, server.port))
                await until(lambda: failures(caplog))
                # Two or three more attempts to take it.
                await anyio.sleep(0.6)
                await healthy.is_served()
                assert failures(caplog) == [
                    "no new connection can be taken until there are resources again: Too many open files"
                ]
            peer = Peer(SocketLine(client))
            await peer.send(opening())
            assert (await peer.head()).startswith("HTTP/1.1 101 ")
            await peer.send(text("hi"))
            assert await peer.frame() == text_frame("hi")
    assert failures(caplog)[1:] == ["new connections are taken again"]


@on_sockets
async def test_72_a_server_that_cannot_listen_everywhere_does_not_listen_at_all(tmp_path: Path) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    async with serve(an_app(), port=0) as server:
        with pytest.raises(OSError, match="in use"):
            async with serve(App(), Address(uds=tmp_path / "a.sock"), Address(port=server.port)):
                pytest.fail("half a server")
        with pytest.raises(ValueError, match="cannot be used"):
            async with serve(App(), Address(uds=tmp_path / "b.sock"), Address(port=0, ssl=("no.pem", "no.pem"))):
                pytest.fail("half a server")
        async with connect(ws(server)) as session:
            await session.send("hi")
            assert await session.incoming.first() == "hi"
    assert os.listdir(tmp_path) == []
    await until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors + 4)


@contextmanager
def nothing_grows() -> Iterator[None]:
    """Assert that not much is left of 300 connections: a session that stayed would be some 50 objects, a timer is a few."""
    gc.collect()
    before = len(gc.get_objects())
    yield
    gc.collect()
    assert len(gc.get_objects()) - before < 4000


async def test_78_coming_and_going_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(an_app()) as server:

        async def come_and_go(count: int) -> None:
            for number in range(count):
                async with raw_peer(server) as peer:
                    await peer.send(opening("/" if number % 3 else "/elsewhere"))
                    await peer.head()
                    if number % 2:
                        peer.reset()
            await until(lambda: not server.unfinished and server.open_sessions == 1)

        await come_and_go(60)
        descriptors = len(os.listdir("/proc/self/fd"))
        with nothing_grows():
            await come_and_go(300)
        assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert failures(caplog) == []


@on_sockets
@pytest.mark.parametrize("fault", ["expired", "of another name", "of a stranger"])
async def test_81_a_client_refuses_a_certificate_that_proves_nothing(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    files = certificate("other.example" if fault == "of another name" else "127.0.0.1", expired=fault == "expired")
    context = ssl.create_default_context() if fault == "of a stranger" else client_context()
    async with serving(an_app(), Address(port=0), Address(port=0, ssl=files)) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            async with connect(server.urls[1].replace("https", "wss"), ssl=context):
                pytest.fail("connected")
        await until(lambda: not server.unfinished)
    assert failures(caplog) == []


async def test_a_request_while_the_server_stops_is_told_to_come_later() -> None:
    async with serve(an_app(), port=0, drain_timeout=0.2) as server, open_peer(server), raw_peer(server) as late:
        await until(lambda: server.unfinished)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.drain, 5)
            await anyio.wait_all_tasks_blocked()
            await late.send(opening())
            head = await late.head()
            assert head.startswith("HTTP/1.1 503 ")
            assert "retry-after: 10\r\n" in head
            tasks.cancel_scope.cancel()
