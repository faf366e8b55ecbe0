"""TLS on the server, and the client that verifies it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from flowsock import Address, App, Request, Session, connect, serve
from flowsock.sessions.server.tls import server_context
from tests.sessions.conftest import socket_backend as anyio_backend  # noqa: F401
from tests.sessions.support import failures, until
from tests.tls import certificate, client_context

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def an_app() -> App:
    app = App()

    @app.websocket("/")
    async def echo(session: Session[str, str]) -> None:
        await session.incoming.collect(session.send)

    @app.websocket("/secure")
    async def secure(session: Session[str, str]) -> None:
        await session.send(f"{session.request.secure} {session.request.client}")

    return app


async def test_a_certificate_and_its_key_are_all_it_takes() -> None:
    async with serve(an_app(), port=0, ssl=certificate()) as server:
        assert server.url == f"https://127.0.0.1:{server.port}"
        async with connect[str, str](f"wss://127.0.0.1:{server.port}/", ssl=client_context()) as session:
            for text in ("hello", "x" * 300_000):
                await session.send(text)
                assert await session.incoming.first() == text
        assert session.close_reason is not None
        assert session.close_reason.code == 1000


async def test_a_context_of_ones_own_is_taken_as_it_is() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate())
    assert server_context(context) is context
    async with (
        serve(an_app(), port=0, ssl=context) as server,
        connect[str, str](f"wss://127.0.0.1:{server.port}/secure", ssl=client_context()) as session,
    ):
        assert await session.incoming.first() == "True 127.0.0.1"


async def test_plain_and_secure_at_once_are_one_server(caplog: pytest.LogCaptureFixture) -> None:
    app = an_app()
    async with serve(app, Address(port=0), Address(port=0, ssl=certificate())) as server:
        plain, secure = server.urls
        assert (plain[:7], secure[:8]) == ("http://", "https://")
        async with (
            connect[str, str](plain.replace("http", "ws") + "/secure") as one,
            connect[str, str](secure.replace("http", "ws") + "/secure", ssl=client_context()) as two,
        ):
            assert (await one.incoming.first(), await two.incoming.first()) == ("False 127.0.0.1", "True 127.0.0.1")
            assert app.statistics().opened == 2
    assert failures(caplog) == []


async def test_pages_come_over_tls_too() -> None:
    app = App()

    @app.get("/")
    def page(request: Request) -> str:
        return "x" * 200_000

    async with serve(app, port=0, ssl=certificate()) as server:
        stream = await open_tls(server.port)
        await stream.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = await read_all(stream)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\n" + b"x" * 200_000)
        await stream.aclose()
        await until(lambda: not server.unfinished)


async def open_tls(port: int) -> Any:
    import anyio

    return await anyio.connect_tcp("127.0.0.1", port, ssl_context=client_context(), tls_standard_compatible=False)


async def read_all(stream: Any) -> bytes:
    import anyio

    data = b""
    with anyio.fail_after(5):
        while True:
            try:
                data += await stream.receive()
            except anyio.EndOfStream:
                return data


async def test_what_tls_allows() -> None:
    context = server_context(certificate())
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    async with serve(an_app(), port=0, ssl=certificate()) as server:
        stream = await open_tls(server.port)
        from anyio.streams.tls import TLSAttribute

        assert stream.extra(TLSAttribute.tls_version) in ("TLSv1.2", "TLSv1.3")
        await stream.aclose()


def a_file(folder: Path, content: bytes) -> Path:
    path = folder / "file.pem"
    path.write_bytes(content)
    return path


def test_a_certificate_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    file, key = certificate()
    _, other_key = certificate("other.example")
    with pytest.raises(ValueError, match=r"certificate .*cannot be used: the key is not that of the certificate"):
        server_context((file, other_key))
    with pytest.raises(ValueError, match="cannot be used: No such file"):
        server_context((tmp_path / "missing.pem", key))
    with pytest.raises(ValueError, match="cannot be used: not PEM, or damaged"):
        server_context((a_file(tmp_path, b"junk"), key))


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_password(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    file, key = certificate()
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    encrypted = loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    with pytest.raises(ValueError, match="the key is encrypted"):
        server_context((file, a_file(tmp_path, encrypted)))


def test_a_context_for_a_plain_address_is_refused() -> None:
    with pytest.raises(ValueError, match="ssl= is for wss:// addresses"):
        connect("ws://127.0.0.1/", ssl=client_context())
