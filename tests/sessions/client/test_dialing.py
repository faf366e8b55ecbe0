"""How the client gets to a server: over TLS, through somebody else's socket, and what a refusal says."""

from __future__ import annotations

import socket
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import pytest
import trustme
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSListener

from flowsock import HandshakeRejected, Session, connect, connect_raw
from tests.sessions.conftest import SOCKETS
from tests.sessions.support import BOUND, Peer, accept, handling, raw_server, until, ws
from tests.wire.support import frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import AnyByteStream

pytestmark = pytest.mark.anyio

on_sockets = pytest.mark.parametrize("anyio_backend", SOCKETS, indirect=True)


async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class _TLSLine:
    """What a peer speaks over, behind TLS."""

    def __init__(self, stream: AnyByteStream) -> None:
        self._stream = stream

    async def send(self, data: bytes, /) -> None:
        await self._stream.send(data)

    async def receive(self) -> bytes:
        try:
            return await self._stream.receive()
        except anyio.EndOfStream:
            return b""

    async def end_sending(self) -> None:
        raise NotImplementedError

    def hang_up(self) -> None:
        raise NotImplementedError

    def reset(self) -> None:
        raise NotImplementedError


@asynccontextmanager
async def tls_server(authority: trustme.CA, *names: str) -> AsyncIterator[str]:
    """A server made of bytes behind TLS, which echoes one message; gives the URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)

    async def echo_one(stream: AnyByteStream) -> None:
        peer = Peer(_TLSLine(stream))
        with suppress(anyio.BrokenResourceError):
            await accept(peer)
            found = await peer.frame()
            await peer.send(frame(found.first, found.payload, mask=None))
            # Its Close.
            await peer.frame()
        await anyio.aclose_forcefully(stream)

    async def refused(_error: BaseException, stream: AnyByteStream) -> None:
        await anyio.aclose_forcefully(stream)

    sockets = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = sockets.extra(SocketAttribute.local_port)
    async with TLSListener(sockets, context) as listener, anyio.create_task_group() as tasks:
        listener.handle_handshake_error = refused  # type: ignore[method-assign, assignment]
        tasks.start_soon(listener.serve, echo_one)
        yield f"wss://127.0.0.1:{port}/"
        tasks.cancel_scope.cancel()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@on_sockets
async def test_a_context_of_ones_own_says_whom_to_trust(authority: trustme.CA) -> None:
    trust = trusting(authority)
    async with (
        tls_server(authority, "127.0.0.1") as url,
        connect[str, str](url, ssl=trust, close_timeout=0.1) as session,
    ):
        await session.send("over TLS")
        with anyio.fail_after(BOUND):
            assert await session.incoming.first() == "over TLS"


@on_sockets
async def test_a_certificate_that_nobody_vouches_for_is_refused(authority: trustme.CA) -> None:
    async with tls_server(authority, "127.0.0.1") as url:
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
            async with connect(url):
                pytest.fail("opened")


@on_sockets
async def test_a_certificate_of_another_host_is_refused(authority: trustme.CA) -> None:
    async with tls_server(authority, "example.org") as url:
        with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
            async with connect(url, ssl=trusting(authority)):
                pytest.fail("opened")


def test_a_context_for_an_address_without_tls_is_refused() -> None:
    with pytest.raises(ValueError, match="wss://"):
        connect("ws://test/", ssl=ssl.create_default_context())


# Somebody else's socket


def connected_socket(host: str, port: int) -> socket.socket:
    sock = socket.create_connection((host, port))
    sock.setblocking(False)
    return sock


@on_sockets
async def test_a_session_over_a_socket_that_is_connected_already() -> None:
    async with handling(echo) as server:
        sock = connected_socket(server.host, server.port)
        async with connect[str, str]("ws://some.where/", socket=sock) as session:
            assert session.request.headers.get("host") == "some.where"
            await session.send("through a tunnel")
            with anyio.fail_after(BOUND):
                assert await session.incoming.first() == "through a tunnel"
        assert sock.fileno() == -1


@on_sockets
async def test_tls_over_a_socket_verifies_the_name_in_the_url(authority: trustme.CA) -> None:
    async with tls_server(authority, "some.where") as url:
        port = int(url.rpartition(":")[2].rstrip("/"))
        sock = connected_socket("127.0.0.1", port)
        async with connect[str, str]("wss://some.where/", ssl=trusting(authority), socket=sock, close_timeout=0.1) as session:
            await session.send("both")
            with anyio.fail_after(BOUND):
                assert await session.incoming.first() == "both"
        sock = connected_socket("127.0.0.1", port)
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            async with connect("wss://else.where/", ssl=trusting(authority), socket=sock):
                pytest.fail("opened")
        await until(lambda: sock.fileno() == -1)


@on_sockets
async def test_a_raw_session_over_a_socket() -> None:
    async with handling(echo) as server:
        sock = connected_socket(server.host, server.port)
        async with connect_raw("ws://some.where/", socket=sock) as session:
            assert session.is_open


@on_sockets
async def test_a_socket_is_closed_when_the_server_refuses() -> None:
    async with handling(echo) as server:
        sock = connected_socket(server.host, server.port)
        with pytest.raises(HandshakeRejected):
            async with connect(ws(server, "/nowhere"), socket=sock):
                pytest.fail("opened")
        await until(lambda: sock.fileno() == -1)


def test_a_socket_that_is_not_connected_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(ValueError, match="a connected socket"):
        connect("ws://some.where/", socket=sock)


# Refusals


async def test_a_redirect_is_not_followed_and_the_error_says_so() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 302 Found\r\nLocation: https://example.org/login?next=%1b\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(talk) as url:
        with pytest.raises(HandshakeRejected, match=r"302 .* 'https://example\.org/login.*redirects are not followed"):
            async with connect(url):
                pytest.fail("opened")


async def test_a_refusal_that_comes_in_pieces_is_whole() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nX-Why: because\r\nContent-Length: 11\r\n\r\nnot ")
        await anyio.sleep(0.02)
        await peer.send(b"for you")

    async with raw_server(talk) as url:
        with pytest.raises(HandshakeRejected) as caught:
            async with connect(url):
                pytest.fail("opened")
    assert caught.value.status == 403
    assert caught.value.headers["x-why"] == "because"
    assert caught.value.body == b"not for you"


async def test_a_refusal_without_its_end_is_one_when_the_time_is_over() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nlater")
        await peer.raw_rest()

    async with raw_server(talk) as url:
        with pytest.raises(HandshakeRejected, match="503") as caught:
            async with connect(url, open_timeout=0.1):
                pytest.fail("opened")
    assert caught.value.body == b"later"


async def test_a_refusal_that_has_no_end_is_cut() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 500 Oops\r\n\r\n")
        while True:
            await peer.send(b"x" * 10_000)

    async with raw_server(talk) as url:
        with pytest.raises(HandshakeRejected) as caught:
            async with connect(url):
                pytest.fail("opened")
    assert len(caught.value.body) == 65536


async def test_a_refusal_that_is_cut_off_is_one() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100\r\n\r\nsorry")

    async with raw_server(talk) as url:
        with pytest.raises(HandshakeRejected) as caught:
            async with connect(url):
                pytest.fail("opened")
    assert (caught.value.status, caught.value.body) == (502, b"sorry")


def test_the_server_cannot_write_into_a_log() -> None:
    error = HandshakeRejected(302, {"location": "\x1b[31m\r\nevil" + "x" * 1000}, b"")
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 500
