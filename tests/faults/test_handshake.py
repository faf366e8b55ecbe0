"""Bad openings, by the numbers of the list of faults: each is refused, and a healthy session does not notice."""

from __future__ import annotations

import os
import time
from contextlib import AsyncExitStack, suppress

import anyio
import pytest

from flowsock import Address, App, Request, Session
from tests.faults.support import memory_within, serving
from tests.sessions.conftest import SOCKETS
from tests.sessions.lines import dial
from tests.sessions.support import Peer, failures, open_peer, opening, raw_peer, request_head, text, text_frame, until
from tests.tls import certificate

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


async def test_16_a_head_byte_by_byte_costs_no_more_than_its_length() -> None:
    request = opening("/", *(f"X-{number}: {'y' * 100}" for number in range(100)))
    async with serving(an_app()) as server, raw_peer(server) as peer:
        with memory_within(4):
            before = time.process_time()
            for position in range(len(request)):
                await peer.send(request[position : position + 1])
                if position % 512 == 0:
                    await anyio.lowlevel.checkpoint()
            assert (await peer.head()).startswith("HTTP/1.1 101 ")
        # Some 11,000 bytes; where each of them meant another look at all before it, that would be 60 million.
        assert time.process_time() - before < 20


@pytest.mark.parametrize("offer", ["permessage-deflate; server_max_window_bits=99", "x-unknown; a=b", ", ".join(["x"] * 150)])
async def test_21_an_extension_that_is_not_spoken_is_declined_by_silence(offer: str) -> None:
    async with serving(an_app()) as server, raw_peer(server) as peer:
        await peer.send(opening("/", f"Sec-WebSocket-Extensions: {offer}"))
        head = await peer.head()
        assert head.startswith("HTTP/1.1 101 ")
        assert "sec-websocket-extensions" not in head.lower()


@pytest.mark.parametrize("anyio_backend", SOCKETS.values(), ids=SOCKETS.keys())
@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", b"", b"\x16\x03\x01", bytes(100)])
async def test_23_whoever_speaks_no_tls_is_gone_within_the_deadline(first: bytes, caplog: pytest.LogCaptureFixture) -> None:
    places = Address(port=0), Address(port=0, ssl=certificate())
    async with serving(an_app(), *places, handshake_timeout=0.3) as server:
        line = await dial("127.0.0.1", int(server.urls[1].rpartition(":")[2]), None)
        await line.send(first)
        await Peer(line).raw_rest()
        line.hang_up()
        await until(lambda: not server.unfinished)
    assert failures(caplog) == []


@pytest.mark.parametrize("start", [b"", b"GET / HT", opening()[:-1]], ids=["silent", "in the first line", "before the end"])
async def test_24_a_request_that_does_not_come_is_408(start: bytes) -> None:
    async with serving(an_app(), handshake_timeout=0.2) as server, raw_peer(server) as peer:
        await peer.send(start)
        assert (await peer.raw_rest()).startswith(b"HTTP/1.1 408 ")
        peer.hang_up()
        await until(lambda: not server.unfinished)


async def test_25_the_deadline_is_for_the_whole_request_and_not_for_each_read() -> None:
    async with serving(an_app(), handshake_timeout=0.3) as server, raw_peer(server) as peer:

        async def trickle() -> None:
            with suppress(OSError):
                for byte in opening():
                    await peer.send(bytes((byte,)))
                    await anyio.sleep(0.05)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trickle)
            assert (await peer.raw_rest()).startswith(b"HTTP/1.1 408 ")
            tasks.cancel_scope.cancel()


async def test_26_silent_connections_are_bounded_and_it_recovers(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(an_app(), max_handshakes=20, handshake_timeout=1) as server, AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(raw_peer(server))
        await until(lambda: len(server.unfinished) == 20)
        async with raw_peer(server) as surplus:
            answered = await surplus.raw_rest()
            assert answered.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 10\r\n" in answered
        with memory_within(4):
            for _ in range(300):
                await stack.enter_async_context(raw_peer(server))
            await anyio.wait_all_tasks_blocked()
            assert len(server.unfinished) <= 20 + 128
        await stack.aclose()
        await until(lambda: not server.unfinished)
        async with open_peer(server) as again:
            await again.send(text("hi"))
            assert await again.frame() == text_frame("hi")
    assert failures(caplog) == []


@pytest.mark.parametrize("start", [b"", b"GET / HT", opening()], ids=["silent", "in the head", "after it"])
async def test_27_a_reset_leaves_no_task_and_no_descriptor(start: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(an_app()) as server:
        await until(lambda: not server.unfinished)
        descriptors = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            async with raw_peer(server) as peer:
                await peer.send(start)
                peer.reset()
        await until(lambda: not server.unfinished and server.open_sessions == 1)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)
    assert failures(caplog) == []


@pytest.mark.parametrize(("fault", "status"), [("raises", 500), ("hangs", 503)])
async def test_28_a_guard_that_cannot_tell_lets_nobody_in(fault: str, status: int, caplog: pytest.LogCaptureFixture) -> None:
    app = an_app()

    async def guard(request: Request) -> bool:
        if fault == "raises":
            raise RuntimeError("secret")
        await anyio.sleep_forever()
        return True

    @app.websocket("/guarded", guard=guard)
    async def handler(session: Session) -> None:
        raise AssertionError("let in")

    async with serving(app, handshake_timeout=0.3) as server, raw_peer(server) as peer:
        found, _, body = await answer(peer, opening("/guarded"))
        assert found == status
        assert b"secret" not in body
    assert len(failures(caplog)) == 1


async def test_30_frames_behind_the_request_wait_for_the_guard() -> None:
    app = an_app()
    go = anyio.Event()

    async def guard(request: Request) -> bool:
        await go.wait()
        return True

    @app.websocket("/guarded", guard=guard)
    async def echo(session: Session) -> None:
        await session.incoming.collect(session.send)

    async with serving(app) as server, raw_peer(server) as peer:
        await peer.send(opening("/guarded"), text("early"))
        await anyio.sleep(0.05)
        await peer.send(text("earlier than the session"))
        go.set()
        assert (await peer.head()).startswith("HTTP/1.1 101 ")
        assert [await peer.frame(), await peer.frame()] == [text_frame("early"), text_frame("earlier than the session")]


async def test_30_what_comes_before_the_session_is_bounded() -> None:
    app = an_app()

    async def guard(request: Request) -> bool:
        await anyio.sleep_forever()
        return True

    @app.websocket("/guarded", guard=guard)
    async def handler(session: Session) -> None: ...

    async with serving(app, handshake_timeout=2) as server, raw_peer(server) as peer:
        junk = bytes(50_000)
        with memory_within(4):
            await peer.send(opening("/guarded"))
            with anyio.move_on_after(0.5):
                while True:
                    await peer.send(junk)
                    await anyio.lowlevel.checkpoint()


async def test_sessions_that_are_too_many_are_refused_and_the_others_live() -> None:
    async with serving(an_app(), max_sessions=3) as server, open_peer(server), open_peer(server), raw_peer(server) as peer:
        found, head, _ = await answer(peer, opening())
        assert (found, "retry-after: 10\r\n" in head) == (503, True)


async def test_an_address_with_too_many_sessions_is_refused_and_the_others_live() -> None:
    fields = ["X-Forwarded-For: 192.0.2.7"]
    async with (
        serving(an_app(), max_sessions_per_address=1, trusted_proxies=["127.0.0.1"]) as server,
        raw_peer(server) as one,
        raw_peer(server) as two,
        raw_peer(server) as other,
    ):
        await one.send(opening("/", *fields))
        assert (await one.head()).startswith("HTTP/1.1 101 ")
        found, head, _ = await answer(two, opening("/", *fields))
        assert (found, "retry-after: 10\r\n" in head) == (429, True)
        await other.send(opening("/", "X-Forwarded-For: 192.0.2.8"))
        assert (await other.head()).startswith("HTTP/1.1 101 ")
