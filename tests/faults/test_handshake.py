"""Bad openings, by the numbers of the list of faults: each is refused, and a healthy session does not notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flowsock import App, Session
from tests.faults.support import memory_within, serving
from tests.sessions.support import failures, opening, raw_peer, request_head

if TYPE_CHECKING:
    from tests.sessions.support import Peer

pytestmark = pytest.mark.anyio


def an_app() -> App:
    app = App()

    @app.websocket("/")
    async def echo(session: Session) -> None:
        await session.incoming.collect(session.send)

    return app


async def answer(peer: Peer, request: bytes) -> tuple[int, str, bytes]:
    """Send a request, and give the status, the head and the body of the answer."""
    await peer.send(request)
    head = await peer.head()
    return int(head.split()[1]), head.lower(), await peer.raw_rest()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(opening().replace(b"GET", b"POST"), 405, id="1 POST"),
        pytest.param(opening().replace(b"GET", b"PUT"), 405, id="1 PUT"),
        pytest.param(opening().replace(b"HTTP/1.1", b"HTTP/1.0"), 505, id="2 HTTP/1.0"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, id="3 HTTP/2 preface"),
        pytest.param(request_head("GET", "/"), 426, id="4 no upgrade"),
        pytest.param(opening().replace(b"Connection: Upgrade", b"Connection: keep-alive"), 426, id="4 no Connection"),
        pytest.param(opening().replace(b"Upgrade: websocket", b"Upgrade: h2c"), 426, id="4 another upgrade"),
        pytest.param(opening().replace(b"Sec-WebSocket-Key", b"X"), 400, id="5 no key"),
        pytest.param(opening().replace(b"AAEC", b"AA"), 400, id="6 short key"),
        pytest.param(opening().replace(b"AAEC", b"AA!C"), 400, id="7 key not base64"),
        pytest.param(opening("/", "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw=="), 400, id="8 two keys"),
        pytest.param(opening().replace(b"Sec-WebSocket-Version", b"X"), 426, id="9 no version"),
        pytest.param(opening().replace(b"Version: 13", b"Version: 12"), 426, id="9 version 12"),
        pytest.param(opening().replace(b"Host: test\r\n", b""), 400, id="10 no Host"),
        pytest.param(opening("/", "Host: test"), 400, id="10 two Hosts"),
        pytest.param(opening(host="a/?x="), 400, id="10 malformed Host"),
        pytest.param(opening("/", "Origin: http://evil.example"), 403, id="11 foreign Origin"),
        pytest.param(opening("/", "Origin: null"), 403, id="11 null Origin"),
        pytest.param(opening("/", "Origin: http://test/?"), 403, id="11 malformed Origin"),
        pytest.param(opening("/", "Origin: http://test", "Origin: http://evil.example"), 400, id="11 two Origins"),
        pytest.param(opening("/", *(f"X-{number}: y" for number in range(129))), 431, id="12 too many fields"),
        pytest.param(opening("/", "X: " + "y" * 70_000), 431, id="13 a field too long"),
        pytest.param(opening("/" + "x" * 70_000), 414, id="14 a target too long"),
        pytest.param(opening("/", "X: y\r\n folded"), 400, id="17 folding"),
        pytest.param(opening("/", "X : y"), 400, id="17 space before the colon"),
        pytest.param(opening("/", "X: a\0b"), 400, id="17 NUL"),
        pytest.param(opening("/", "X: a\rb"), 400, id="17 bare CR"),
        pytest.param(opening().replace(b"\r\n", b"\n"), 400, id="17 bare LF"),
        pytest.param(opening("/", "Content-Length: 1", "Transfer-Encoding: chunked"), 400, id="18 two lengths"),
        pytest.param(opening("/", "Content-Length: 5") + b"12345", 400, id="19 a body"),
        pytest.param(opening("/", "Sec-WebSocket-Protocol: a" + ", a" * 1000), 400, id="20 too many subprotocols"),
        pytest.param(opening("/", "Sec-WebSocket-Protocol: a" + " " * 6000 + "b"), 400, id="20 spaces inside"),
        pytest.param(opening("/", "Sec-WebSocket-Protocol: a b"), 400, id="20 no token"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 400, id="23 TLS on the plain port"),
        pytest.param(opening("/elsewhere"), 404, id="29 unknown path"),
    ],
)
async def test_a_bad_opening_is_refused(request_bytes: bytes, status: int, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(an_app()) as server, raw_peer(server) as peer:
        found, head, body = await answer(peer, request_bytes)
        assert found == status
        assert "connection: close" in head
        assert 0 < len(body) < 200
        assert b"\x1b" not in body
    assert failures(caplog) == []


async def test_15_bytes_without_a_line_end_are_not_kept() -> None:
    async with serving(an_app()) as server, raw_peer(server) as peer:
        with memory_within(2):
            found, _, _ = await answer(peer, b"x" * 300_000)
            assert found == 414
