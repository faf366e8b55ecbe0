"""A server and its connections: what opens a session, what is refused, and what is left when all is over."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import App, Session, connect, serve
from flowsock.sessions.server.server_handshake import ServerHandshake
from tests.sessions.lines import dial
from tests.sessions.support import (
    BOUND,
    PING,
    PONG,
    Bench,
    Frame,
    HandedOver,
    ManualClock,
    Story,
    close,
    close_frame,
    failures,
    handling,
    open_peer,
    opening,
    raw_peer,
    request_head,
    text,
    text_frame,
    until,
    ws,
)
from tests.wire.support import frame

if TYPE_CHECKING:
    from flowsock import Request
    from tests.sessions.support import Peer

pytestmark = pytest.mark.anyio


async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


# The opening handshake


async def test_the_opening_of_rfc_6455_section_1_3_is_answered() -> None:
    async with handling(echo) as server, raw_peer(server) as peer:
        await peer.send(opening().replace(b"AAECAwQFBgcICQoLDA0ODw==", b"dGhlIHNhbXBsZSBub25jZQ=="))
        head = await peer.head()
        assert head.startswith("HTTP/1.1 101 Switching Protocols\r\n")
        assert "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head


async def test_frames_right_behind_the_opening_are_not_lost() -> None:
    async with handling(echo) as server, raw_peer(server) as peer:
        await peer.send(opening(), text("early"), frame(PING, b"p"), text("too")[:3])
        await peer.head()
        assert sorted([await peer.frame(), await peer.frame()]) == [text_frame("early"), Frame(PONG, b"p")]
        await peer.send(text("too")[3:])
        assert await peer.frame() == text_frame("too")


async def test_frames_that_come_while_the_opening_is_looked_at_are_not_lost() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            story.seen.extend(await session.incoming.take(300).to_list())

    async with handling(handler) as server, raw_peer(server) as peer:
        await peer.send(opening())
        for number in range(300):
            await peer.send(text(f"{number}"))
        assert await story.end() == [*(f"{number}" for number in range(300)), "returned"]


async def test_a_message_and_a_close_right_behind_the_opening_are_both_seen() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)

    async with handling(handler) as server, raw_peer(server) as peer:
        await peer.send(opening(), text("early"), close(1000))
        await peer.head()
        assert await peer.rest() == [close_frame(1000)]
        assert await story.end() == ["early", "returned"]


async def test_an_opening_byte_by_byte_is_answered() -> None:
    async with handling(echo) as server, raw_peer(server) as peer:
        data = opening() + text("hi")
        for position in range(len(data)):
            await peer.send(data[position : position + 1])
            if position % 16 == 0:
                await anyio.lowlevel.checkpoint()
        assert (await peer.head()).startswith("HTTP/1.1 101 ")
        assert await peer.frame() == text_frame("hi")


@pytest.mark.parametrize(
    "offer", ["permessage-deflate; server_max_window_bits=99", "permessage-deflate", "x-unknown", ", ".join(["x"] * 150)]
)
async def test_an_extension_is_declined_by_silence(offer: str) -> None:
    async with handling(echo) as server, raw_peer(server) as peer:
        await peer.send(opening("/", f"Sec-WebSocket-Extensions: {offer}"))
        head = await peer.head()
        assert head.startswith("HTTP/1.1 101 ")
        assert "extensions" not in head.lower()


@pytest.mark.parametrize("start", [b"", b"GET / HT", opening()[:-1]])
async def test_a_connection_that_does_not_finish_its_request_gets_408(start: bytes) -> None:
    app = App()
    async with serve(app, port=0, handshake_timeout=0.05) as server, raw_peer(server) as peer:
        await peer.send(start)
        answer = await peer.raw_rest()
        assert answer.startswith(b"HTTP/1.1 408 ")
        peer.hang_up()
        await until(lambda: not server.unfinished)


async def test_a_client_that_does_not_hang_up_after_its_answer_is_dropped() -> None:
    async with serve(App(), port=0, handshake_timeout=0.05) as server, raw_peer(server) as peer:
        await peer.send(request_head("GET", "/"))
        assert (await peer.raw_rest()).startswith(b"HTTP/1.1 404 ")
        await until(lambda: not server.unfinished)


async def test_a_client_that_never_reads_its_answer_is_dropped() -> None:
    app = App()
    app.get("/")(lambda: b"x" * 20_000_000)
    async with serve(app, port=0, handshake_timeout=0.05) as server, raw_peer(server, receive_buffer=4096) as peer:
        await peer.send(request_head("GET", "/"))
        await until(lambda: server.unfinished)
        await until(lambda: not server.unfinished)


@pytest.mark.parametrize("way", ["hang_up", "reset"])
@pytest.mark.parametrize("start", [b"", b"GET / HT", opening()], ids=["silent", "in the head", "after it"])
async def test_a_client_that_goes_in_mid_handshake_leaves_nothing(
    start: bytes, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with handling(echo, close_timeout=0.05) as server:
        before = len(anyio.get_running_tasks())
        for _ in range(10):
            async with raw_peer(server) as peer:
                await peer.send(start)
                getattr(peer, way)()
        await until(lambda: not server.unfinished and server.open_sessions == 0)
        await until(lambda: len(anyio.get_running_tasks()) <= before)
    assert failures(caplog) == []


async def test_what_a_refused_client_sends_is_not_taken_for_a_request() -> None:
    async with handling(echo) as server, raw_peer(server) as peer:
        await peer.send(request_head("GET", "/elsewhere"), opening())
        answer = await peer.raw_rest()
        assert answer.count(b"HTTP/1.1") == 1
        assert server.open_sessions == 0


async def test_parameters_reach_the_handler() -> None:
    app = App()
    seen: list[Any] = []

    @app.websocket("/{room}/{user}")
    async def handler(session: Session, user: str, room: str) -> None:
        seen.append((room, user, session.request.path, session.request.query))

    async with serve(app, port=0) as server, open_peer(server, "/a%2Fb/%E4%B8%96?x=1") as peer:
        assert await peer.frame() == close_frame(1000)
    assert seen == [("a/b", "世", "/a/b/世", {"x": "1"})]


async def test_a_page_and_a_session_on_one_path() -> None:
    app = App()
    app.websocket("/")(echo)
    app.get("/")(lambda: "page")
    async with serve(app, port=0) as server, raw_peer(server) as browser, open_peer(server) as peer:
        await browser.send(request_head("GET", "/"))
        assert (await browser.raw_rest()).endswith(b"\r\n\r\npage")
        await peer.send(text("hi"))
        assert await peer.frame() == text_frame("hi")


async def test_an_answer_survives_a_body_that_nobody_reads() -> None:
    async with serve(App(), port=0) as server, raw_peer(server) as peer:
        # Nothing is read before all is sent: a reset would take the answer away.
        await peer.send(request_head("POST", "/") + b"x" * 5_000_000)
        assert (await peer.raw_rest()).startswith(b"HTTP/1.1 404 ")


def handshake_on(transport: HandedOver) -> tuple[ServerHandshake, list[Request]]:
    requests: list[Request] = []
    protocol = ServerHandshake(lambda _, request: requests.append(request), ManualClock(), 10, set())
    protocol.connection_made(transport)
    return protocol, requests


async def test_bytes_that_come_before_the_session_wait_in_the_network_but_for_one_read() -> None:
    bench = Bench(outgoing_high_water=1000)
    transport = HandedOver()
    protocol, requests = handshake_on(transport)
    protocol.data_received(opening() + text("a")[:2])
    assert [request.path for request in requests] == ["/"]
    protocol.data_received(text("a")[2:] + text("b"))
    assert not transport.is_reading()
    protocol.accept(bench.connection, b"101")
    assert transport.protocol is bench.connection
    assert transport.is_reading()
    assert transport.high_water == 1000
    assert transport.writes == [b"101"]
    assert [bench.connection.messages.poll() for _ in range(2)] == ["a", "b"]


async def test_a_client_that_went_before_the_session_is_1006() -> None:
    bench = Bench()
    transport = HandedOver()
    protocol, _ = handshake_on(transport)
    protocol.data_received(opening() + text("a"))
    protocol.connection_lost(None)
    protocol.accept(bench.connection, b"101")
    assert bench.code == 1006
    assert transport.writes == []
    assert bench.gone == 1


# Listening


async def test_a_port_in_use_is_an_os_error_and_nothing_is_left() -> None:
    async with serve(App(), port=0) as server:
        before = len(anyio.get_running_tasks())
        with pytest.raises(OSError, match=str(server.port)):
            async with serve(App(), port=server.port):
                pytest.fail("two servers on one port")
        assert len(anyio.get_running_tasks()) == before


async def test_two_servers_at_once_serve_one_app() -> None:
    app = App()
    app.websocket("/")(echo)
    async with serve(app, port=0) as first, serve(app, port=0) as second:
        assert first.port != second.port
        async with connect(ws(first)) as one, connect(ws(second)) as two:
            await one.send("1")
            await two.send("2")
            assert (await one.incoming.first(), await two.incoming.first()) == ("1", "2")
            assert (first.open_sessions, second.open_sessions) == (1, 1)
            assert len(app.sessions) == 2


async def test_a_server_that_stopped_can_be_followed_by_another_on_its_port() -> None:
    async with serve(App(), port=0) as server, raw_peer(server) as peer:
        peer.hang_up()
    async with serve(App(), port=server.port) as again:
        assert again.port == server.port


async def test_a_stopped_server_does_not_listen() -> None:
    async with serve(App(), port=0) as server:
        pass
    with pytest.raises(ConnectionRefusedError):
        await dial(server.host, server.port, None)


async def test_a_server_left_by_an_error_raises_that_error_itself() -> None:
    with pytest.raises(KeyError, match="boom"):
        async with handling(echo) as server, open_peer(server):
            raise KeyError("boom")


async def test_a_server_cancelled_from_outside_ends_its_handlers_at_once() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await anyio.sleep_forever()

    async def run(started: anyio.Event) -> None:
        async with handling(handler, drain_timeout=60) as server, open_peer(server):
            await until(lambda: server.open_sessions)
            started.set()
            await anyio.sleep_forever()

    with anyio.fail_after(BOUND):
        started = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, started)
            await started.wait()
            tasks.cancel_scope.cancel()
    assert story.seen == ["cancelled"]


async def test_a_cancellation_while_draining_ends_the_handlers_at_once() -> None:
    story = Story()
    left = anyio.Event()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await anyio.sleep_forever()

    async def run() -> None:
        async with handling(handler, drain_timeout=60) as server:
            await stack.enter_async_context(open_peer(server))
            await until(lambda: server.open_sessions)
            left.set()

    with anyio.fail_after(BOUND):
        async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await left.wait()
            await anyio.wait_all_tasks_blocked()
            assert story.seen == []
            tasks.cancel_scope.cancel()
    assert story.seen == ["cancelled"]


async def test_a_page_under_way_is_finished_by_a_stopping_server() -> None:
    app = App()
    asked, go = anyio.Event(), anyio.Event()

    @app.get("/")
    async def page() -> str:
        asked.set()
        await go.wait()
        return "done"

    async with anyio.create_task_group() as tasks:
        peers: list[Peer] = []
        async with serve(app, port=0, drain_timeout=5) as server:
            context = raw_peer(server)
            peers.append(await context.__aenter__())
            await peers[0].send(request_head("GET", "/"))
            await asked.wait()

            async def later() -> None:
                await anyio.wait_all_tasks_blocked()
                go.set()

            tasks.start_soon(later)
        assert (await peers[0].raw_rest()).endswith(b"done")
        await context.__aexit__(None, None, None)


async def test_silent_connections_do_not_hold_up_a_stopping_server() -> None:
    with anyio.fail_after(BOUND):
        async with serve(App(), port=0, drain_timeout=60) as server:
            context = raw_peer(server)
            peer = await context.__aenter__()
            await until(lambda: server.unfinished)
        assert await peer.raw_rest() == b""
        await context.__aexit__(None, None, None)


async def test_two_drains_at_once_both_end_with_the_last_session() -> None:
    with anyio.fail_after(BOUND):
        async with handling(echo, drain_timeout=60) as server, open_peer(server) as peer:
            await until(lambda: server.open_sessions)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(server.drain, 60)
                tasks.start_soon(server.drain, 60)
                assert await peer.frame() == close_frame(1001)
                await anyio.wait_all_tasks_blocked()
                await peer.send(close(1001))


async def test_an_answer_that_nobody_reads_does_not_hold_up_a_stopping_server() -> None:
    app = App()
    app.get("/")(lambda: b"x" * 20_000_000)
    async with AsyncExitStack() as stack:
        with anyio.fail_after(BOUND):
            async with serve(app, port=0, handshake_timeout=60, drain_timeout=60) as server:
                peer = await stack.enter_async_context(raw_peer(server, receive_buffer=4096))
                await peer.send(request_head("GET", "/"))
                await peer.head()


async def test_a_background_job_runs_with_the_server_and_ends_with_it() -> None:
    app = App()
    seen: list[str] = []

    @app.background()
    async def job() -> None:
        seen.append("started")
        try:
            await anyio.sleep_forever()
        finally:
            seen.append("ended")

    async with serve(app, port=0):
        await until(lambda: seen)
    assert seen == ["started", "ended"]


async def test_a_background_job_that_fails_is_logged_and_the_server_lives(caplog: pytest.LogCaptureFixture) -> None:
    app = App()
    app.websocket("/")(echo)

    @app.background()
    async def job() -> None:
        raise RuntimeError("boom")

    async with serve(app, port=0) as server, open_peer(server) as peer:
        await until(lambda: failures(caplog))
        await peer.send(text("hi"))
        assert await peer.frame() == text_frame("hi")
    assert len(failures(caplog)) == 1


# Churn


async def test_connecting_and_leaving_many_times_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with handling(echo, close_timeout=0.05) as server:
        async with open_peer(server):
            pass
        await until(lambda: server.open_sessions == 0)
        tasks, descriptors = len(anyio.get_running_tasks()), len(os.listdir("/proc/self/fd"))
        for number in range(200):
            async with open_peer(server) as peer:
                await peer.send(text("x"))
                assert await peer.frame() == text_frame("x")
                if number % 4 == 0:
                    await peer.send(close(1000))
                    await peer.rest()
                elif number % 4 == 1:
                    peer.hang_up()
                elif number % 4 == 2:
                    peer.reset()
                else:
                    await peer.send(frame(0x83))
                    await peer.rest()
        await until(lambda: server.open_sessions == 0)
        await until(lambda: len(anyio.get_running_tasks()) <= tasks)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)
        assert not server.unfinished
    assert failures(caplog) == []


async def test_a_server_counts_what_it_does_and_how_it_answered() -> None:
    app = App()
    app.get("/")(lambda: "hello")

    @app.websocket("/session")
    async def handler(session: Session) -> None:
        await session.incoming.collect()

    async with serve(app, port=0) as server:
        for target in ("/", "/", "/nowhere"):
            async with raw_peer(server) as peer:
                await peer.send(request_head("GET", target))
                await peer.raw_rest()
        async with open_peer(server, "/session"), raw_peer(server):
            await until(lambda: server.statistics().handshakes == 1)
            now = server.statistics()
            assert (now.sessions, now.streams, dict(now.answers)) == (1, 0, {200: 2, 404: 1})
