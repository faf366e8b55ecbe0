"""Where a server listens."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from flowsock import Address, App, Request, Session, serve
from flowsock.sessions.server.address import url_of
from tests.sessions.conftest import socket_backend as anyio_backend  # noqa: F401
from tests.sessions.lines import SocketLine
from tests.sessions.support import Peer, open_peer, opening, request_head, text_frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


def an_app() -> App:
    app = App()

    @app.websocket("/")
    async def greet(session: Session[str, str]) -> None:
        await session.send(f"hello {session.request.client}")

    @app.get("/page")
    def page(request: Request) -> str:
        return f"hello {request.client}"

    return app


@contextmanager
def peer_at(path: Path) -> Iterator[Peer]:
    """Connect to a Unix socket."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        yield Peer(SocketLine(line))


async def greeted_over(path: Path, *fields: str) -> str:
    with peer_at(path) as peer:
        await peer.send(opening("/", *fields))
        assert (await peer.head()).startswith("HTTP/1.1 101 ")
        return (await peer.frame()).payload.decode()


async def test_a_unix_socket_serves_sessions_and_pages(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    async with serve(an_app(), uds=path, drain_timeout=0.1) as server:
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert (server.host, server.port) == ("", 0)
        assert server.url == f"http+unix://{str(path).replace('/', '%2F')}"
        assert await greeted_over(path) == "hello None"
        with peer_at(path) as peer:
            await peer.send(request_head("GET", "/page"))
            assert (await peer.raw_rest()).endswith(b"hello None")
    assert not path.exists()


async def test_a_proxy_at_a_unix_socket_may_be_trusted(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    async with serve(an_app(), uds=path, drain_timeout=0.1, trusted_proxies=["unix"]):
        assert await greeted_over(path, "X-Forwarded-For: 192.0.2.7") == "hello 192.0.2.7"


async def test_a_unix_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    async with serve(an_app(), uds=path, drain_timeout=0.1):
        assert await greeted_over(path) == "hello None"


async def test_a_unix_socket_in_use_and_a_file_are_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    async with serve(an_app(), uds=path, drain_timeout=0.1):
        with pytest.raises(OSError, match=r"in use: .*app\.sock"):
            async with serve(an_app(), uds=path):
                pytest.fail("two servers at one socket")
        assert await greeted_over(path) == "hello None"
    file = tmp_path / "file"
    file.write_text("precious")
    with pytest.raises(OSError, match="file"):
        async with serve(an_app(), uds=file):
            pytest.fail("listens at a file")
    assert file.read_text() == "precious"


async def test_an_inherited_socket_is_served_and_ends_with_the_server() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    descriptor = os.dup(listening.fileno())
    port = listening.getsockname()[1]
    listening.close()
    async with serve(an_app(), Address(fd=descriptor), drain_timeout=0.1) as server:
        assert server.port == port
        async with open_peer(server) as peer:
            assert await peer.frame() == text_frame("hello 127.0.0.1")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


async def test_a_name_with_two_addresses_is_served_at_both() -> None:
    async with serve(an_app(), host="localhost", port=0) as server:
        for family, _, _, _, place in socket.getaddrinfo("localhost", server.port, type=socket.SOCK_STREAM):
            with socket.socket(family, socket.SOCK_STREAM) as client:
                client.connect(place)


async def test_addresses_are_all_open_or_none(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    before = len(os.listdir("/proc/self/fd"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"in use: '127.0.0.1:{port}'"):
            async with serve(an_app(), Address(uds=path), Address(port=port)):
                pytest.fail("half a server")
    assert len(os.listdir("/proc/self/fd")) <= before
    assert not path.exists()


async def test_several_processes_may_share_a_port_if_they_say_so() -> None:
    async with (
        serve(an_app(), port=0, reuse_port=True) as first,
        serve(an_app(), port=first.port, reuse_port=True) as second,
    ):
        assert second.port == first.port


def test_urls() -> None:
    assert url_of(("127.0.0.1", 80), secure=False) == "http://127.0.0.1:80"
    assert url_of(("::1", 443), secure=True) == "https://[::1]:443"
    assert url_of("/run/app.sock", secure=False) == "http+unix://%2Frun%2Fapp.sock"


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match=f"a port is a number from 0 to 65535, not {port}"):
        Address(port=port)


def test_one_place_at_a_time() -> None:
    with pytest.raises(ValueError, match="not both"):
        Address(uds="/x", fd=3)


def test_it_shows_itself_without_its_key() -> None:
    assert str(Address()) == "127.0.0.1:8080"
    assert str(Address(uds="/run/app.sock")) == "/run/app.sock"
    assert str(Address(fd=3)) == "descriptor 3"
    assert "secret" not in repr(Address(ssl=("secret", "secret")))
