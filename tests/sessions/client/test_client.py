"""The client: how it gets its session, what can go wrong, and how its block ends."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from flowsock import (
    App,
    CloseReason,
    HandshakeError,
    HandshakeRejected,
    Session,
    SessionAborted,
    SessionClosed,
    connect,
    serve,
)
from flowsock.sessions.client.client_handshake import ClientHandshake
from flowsock.sessions.client.url import ServerURL, parse_url
from tests.sessions.conftest import ASYNCIO
from tests.sessions.support import (
    BOUND,
    Bench,
    HandedOver,
    Peer,
    Story,
    accept,
    close,
    close_frame,
    failures,
    handling,
    raw_server,
    until,
    ws,
)
from tests.wire.support import frame

pytestmark = pytest.mark.anyio


async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


async def sleeper(session: Session) -> None:
    await anyio.sleep_forever()


# Opening


async def test_what_a_server_sends_right_behind_its_answer_is_read_though_it_sends_nothing_more() -> None:
    bench, transport, handshake = Bench(client=True), HandedOver(), ClientHandshake()
    handshake.connection_made(transport)
    assert not handshake.eof_received()
    handshake.data_received(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + frame(0x81, b"bye", mask=None))
    # The stream is not to end before the session is there to read this.
    assert handshake.eof_received()
    handshake.hand_over(bench.connection)
    assert bench.connection.messages.poll() == "bye"
    assert transport.calls == ["close"]


async def test_a_refused_connection_is_an_os_error() -> None:
    async with serve(App(), port=0) as server:
        url = ws(server)
    with pytest.raises(ConnectionRefusedError):
        async with connect(url):
            pytest.fail("nobody listens")


async def test_a_404_carries_status_headers_and_body() -> None:
    async with serve(App(), port=0) as server:
        with pytest.raises(HandshakeRejected, match="answered 404 instead of 101") as caught:
            async with connect(ws(server, "/nowhere")):
                pytest.fail("there is no route")
    assert caught.value.status == 404
    assert caught.value.headers["content-type"] == "text/plain; charset=utf-8"
    assert caught.value.body == b"not found\n"


async def test_a_wrong_accept_is_refused() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        )
        assert await peer.raw_rest() == b""

    async with raw_server(talk) as url:
        with pytest.raises(HandshakeError, match="did not answer the key"):
            async with connect(url):
                pytest.fail("opened")


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 101 Switching\r\n folded\r\n\r\n", b"x" * 100_000])
async def test_a_malformed_answer_is_refused(answer: bytes) -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)
        await peer.raw_rest()

    async with raw_server(talk) as url:
        with pytest.raises(HandshakeError, match="malformed"):
            async with connect(url):
                pytest.fail("opened")


async def test_an_extension_that_was_not_offered_is_refused() -> None:
    async def talk(peer: Peer) -> None:
        await accept(peer, fields="Sec-WebSocket-Extensions: permessage-deflate\r\n")

    async with raw_server(talk) as url:
        with pytest.raises(HandshakeError, match="extension"):
            async with connect(url):
                pytest.fail("opened")


async def test_a_server_that_closes_before_it_answers_is_a_handshake_error() -> None:
    async def talk(peer: Peer) -> None:
        await peer.head()

    async with raw_server(talk) as url:
        with pytest.raises(HandshakeError, match="closed the connection before it answered"):
            async with connect(url):
                pytest.fail("opened")


async def test_a_server_that_does_not_answer_is_given_up_and_left() -> None:
    left = anyio.Event()

    async def talk(peer: Peer) -> None:
        await peer.head()
        await peer.raw_rest()
        left.set()

    async with raw_server(talk) as url:
        with pytest.raises(TimeoutError, match=r"no session with 127.0.0.1:.* within 0.05 s"):
            async with connect(url, open_timeout=0.05):
                pytest.fail("opened")
        with anyio.fail_after(BOUND):
            await left.wait()


async def test_cancelling_while_opening_leaves_the_server() -> None:
    asked, left = anyio.Event(), anyio.Event()

    async def talk(peer: Peer) -> None:
        await peer.head()
        asked.set()
        await peer.raw_rest()
        left.set()

    async def run(url: str) -> None:
        async with connect(url):
            pytest.fail("opened")

    async with raw_server(talk) as url, anyio.create_task_group() as tasks:
        tasks.start_soon(run, url)
        with anyio.fail_after(BOUND):
            await asked.wait()
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await left.wait()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://x/", "begins with ws://"),
        ("ws://", "begins with ws://"),
        ("x", "begins with ws://"),
        ("", "begins with ws://"),
        ("ws://user@x/", "no user"),
        ("ws://x/#fragment", "no fragment"),
        ("ws://x:70000/", "[Pp]ort"),
        ("ws://a b/", "malformed host"),
        ("ws://x/a b", "malformed request target"),
    ],
)
def test_a_bad_url_is_refused_before_anything_is_sent(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        connect(url)


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("ws://x", ServerURL(False, "x", 80, "x", "/")),
        ("wss://X/p?q=1&r", ServerURL(True, "x", 443, "x", "/p?q=1&r")),
        ("ws://x:8080/", ServerURL(False, "x", 8080, "x:8080", "/")),
        ("ws://x:80/", ServerURL(False, "x", 80, "x", "/")),
        ("ws://x:0/", ServerURL(False, "x", 0, "x:0", "/")),
        ("ws://[::1]:8080/", ServerURL(False, "::1", 8080, "[::1]:8080", "/")),
        ("ws://[::1]/", ServerURL(False, "::1", 80, "[::1]", "/")),
    ],
)
def test_a_url_says_where_to_connect_and_what_to_ask_for(url: str, parsed: ServerURL) -> None:
    assert parse_url(url) == parsed


@pytest.mark.parametrize("headers", [{"Host": "x"}, {"Sec-WebSocket-Key": "x"}, {"X": "a\r\nb"}, {"a b": "c"}])
def test_a_bad_header_is_refused_before_anything_is_sent(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        connect("ws://x/", headers=headers)


async def test_headers_and_subprotocols_reach_the_server() -> None:
    app = App()
    seen: list[Any] = []

    @app.websocket("/x", subprotocols=["v2", "v1"])
    async def handler(session: Session) -> None:
        seen.extend([session.request.headers.get("authorization"), session.request.cookies, session.subprotocol])

    async with serve(app, port=0) as server:
        headers = {"Authorization": "Bearer x", "Cookie": "a=1; b=2"}
        async with connect(ws(server, "/x"), headers=headers, subprotocols=["v1", "v2"]) as session:
            await session.incoming.collect()
            assert session.subprotocol == "v2"
            assert session.request.headers.get("authorization") == "Bearer x"
    assert seen == ["Bearer x", {"a": "1", "b": "2"}, "v2"]


async def test_first_frames_right_behind_the_answer_are_not_lost() -> None:
    async def talk(peer: Peer) -> None:
        await accept(peer, frame(0x81, b"early", mask=None), frame(0x81, b"too", mask=None)[:3])
        await peer.send(frame(0x81, b"too", mask=None)[3:], close(1000, mask=None))
        assert await peer.frame() == close_frame(1000)

    async with raw_server(talk) as url, connect(url) as session:
        assert await session.incoming.to_list() == ["early", "too"]
        assert session.close_reason == CloseReason(1000)


async def test_a_server_that_closes_right_behind_its_answer_completes_incoming() -> None:
    async def talk(peer: Peer) -> None:
        await accept(peer, close(1000, mask=None))
        assert await peer.frame() == close_frame(1000)

    async with raw_server(talk) as url, connect(url) as session:
        await anyio.lowlevel.checkpoint()
        assert await session.incoming.to_list() == []


async def test_a_server_that_goes_right_behind_its_answer_is_1006() -> None:
    async def talk(peer: Peer) -> None:
        await accept(peer)
        peer.reset()

    async with raw_server(talk) as url:
        with pytest.raises(SessionAborted, match="1006"):
            async with connect(url) as session:
                await session.incoming.collect()


async def test_a_masked_frame_from_the_server_is_1002() -> None:
    seen: list[Any] = []

    async def talk(peer: Peer) -> None:
        await accept(peer, frame(0x81, b"masked"))
        seen.append(await peer.frame())

    async with raw_server(talk) as url, connect(url) as session:
        with pytest.raises(SessionAborted, match="1002"):
            await session.incoming.collect()
    assert seen == [close_frame(1002, "masked frame")]


# The message types


async def test_the_message_types_are_chosen_as_an_annotation_chooses_them() -> None:
    async def send_both(session: Session) -> None:
        await session.send("text")
        await session.send(b"bytes")
        await session.incoming.collect()

    async with handling(send_both) as server:
        async with connect[str | bytes, str](ws(server)) as session:
            assert await session.incoming.take(2).to_list() == ["text", b"bytes"]
        async with connect[str, str](ws(server)) as texts:
            assert await texts.incoming.first() == "text"
            with pytest.raises(SessionAborted, match="1003"):
                await texts.incoming.first()


async def test_a_message_type_without_codec_is_refused() -> None:
    async with handling(echo) as server:
        with pytest.raises(TypeError, match="no codec"):
            async with connect[object, str](ws(server)):
                pytest.fail("opened")
        assert server.open_sessions == 0


# The block's end


async def test_leaving_the_block_closes_with_1000_and_waits_for_the_answer() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()

    async with handling(handler) as server:
        async with connect(ws(server)) as session:
            pass
        assert await story.end() == ["returned"]
        assert story.reason == session.close_reason == CloseReason(1000)
        assert not session.is_open


async def test_a_body_that_raises_closes_with_1011() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()

    async with handling(handler) as server:
        with pytest.raises(KeyError, match="boom") as caught:
            async with connect(ws(server)) as session:
                raise KeyError("boom")
        assert await story.end() == [SessionAborted]
        assert story.reason == session.close_reason == CloseReason(1011)
        assert caught.value.__context__ is None


async def test_a_child_that_raises_ends_the_body_and_closes_with_1011() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()

    async def child() -> None:
        raise KeyError("boom")

    async with handling(handler) as server:
        with pytest.raises(KeyError, match="boom"):
            async with connect(ws(server)) as session:
                session.scope.launch(child)
                await anyio.sleep_forever()
        assert await story.end() == [SessionAborted]
        assert story.reason == CloseReason(1011)


class Sleeping:
    """A client that only sleeps, and what its server is told at its end."""

    def __init__(self) -> None:
        self.opened = anyio.Event()
        self.told: list[Any] = []

    async def talk(self, peer: Peer) -> None:
        await accept(peer)
        self.told.append(await peer.frame())

    async def run(self, url: str) -> None:
        async with connect(url, close_timeout=60):
            self.opened.set()
            await anyio.sleep_forever()


async def test_a_body_cancelled_from_outside_tells_the_server_and_does_not_wait() -> None:
    client = Sleeping()
    async with raw_server(client.talk) as url:
        with anyio.fail_after(BOUND):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.run, url)
                await client.opened.wait()
                tasks.cancel_scope.cancel()
            await until(lambda: client.told)
    assert client.told == [close_frame(1001)]


@pytest.mark.parametrize("anyio_backend", [*ASYNCIO, "memory on asyncio"], indirect=True)
async def test_a_task_cancelled_from_outside_tells_the_server_and_does_not_wait() -> None:
    client = Sleeping()
    async with raw_server(client.talk) as url:
        with anyio.fail_after(BOUND):
            task = asyncio.create_task(client.run(url))
            await client.opened.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: client.told)
    assert client.told == [close_frame(1001)]


async def test_a_timeout_around_the_block_is_a_timeout() -> None:
    async with handling(echo) as server:
        with pytest.raises(TimeoutError):
            with anyio.fail_after(0.05):
                async with connect(ws(server)):
                    await anyio.sleep_forever()


async def test_a_cancellation_while_waiting_for_the_answer_does_not_wait_on() -> None:
    closing, left = anyio.Event(), anyio.Event()

    async def talk(peer: Peer) -> None:
        await accept(peer)
        assert await peer.frame() == close_frame(1000)
        closing.set()
        await peer.raw_rest()
        left.set()

    async def run(url: str) -> None:
        async with connect(url, close_timeout=60):
            pass

    async with raw_server(talk) as url:
        with anyio.fail_after(BOUND):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run, url)
                await closing.wait()
                tasks.cancel_scope.cancel()
            await left.wait()


async def test_a_server_that_goes_ends_a_sleeping_body_with_an_error() -> None:
    async def talk(peer: Peer) -> None:
        await accept(peer)

    async with raw_server(talk) as url:
        with anyio.fail_after(BOUND), pytest.raises(SessionAborted, match="1006"):
            async with connect(url, close_timeout=0.05):
                await anyio.sleep_forever()


async def test_a_server_that_closes_cleanly_ends_a_sleeping_body() -> None:
    async def talk(peer: Peer) -> None:
        await accept(peer, close(1001, "bye", mask=None))
        assert await peer.frame() == close_frame(1001, "bye")

    async with raw_server(talk) as url:
        with anyio.fail_after(BOUND), pytest.raises(SessionClosed) as caught:
            async with connect(url, close_timeout=0.05):
                await anyio.sleep_forever()
    assert type(caught.value) is SessionClosed
    assert caught.value.reason == CloseReason(1001, "bye")


async def test_a_body_that_ends_after_the_server_went_ends_in_peace() -> None:
    async def talk(peer: Peer) -> None:
        await accept(peer)

    async with raw_server(talk) as url, connect(url) as session:
        await until(lambda: not session.is_open)


async def test_a_body_that_cancels_its_scope_leaves_quietly_and_closes() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()

    async with handling(handler) as server:
        async with connect(ws(server)) as session:
            session.scope.cancel()
            await anyio.sleep_forever()
        assert await story.end() == ["returned"]
        assert story.reason == CloseReason(1000)


async def test_jobs_end_with_the_block() -> None:
    ended: list[str] = []

    async def job() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("job")

    async with handling(echo) as server:
        async with connect(ws(server)) as session:
            session.scope.launch(job)
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
        assert ended == ["job"]


async def test_a_block_inside_a_block_closes_inside_out() -> None:
    async with handling(echo) as server, connect(ws(server)) as outer, connect(ws(server)) as inner:
        inner.incoming.on_each(outer.send).launch_in(inner.scope)
        await inner.send("through")
        assert await outer.incoming.first() == "through"


async def test_echo_pipelines_and_async_for_work_on_this_end_too() -> None:
    async def count(session: Session) -> None:
        for number in range(100):
            await session.send(f"{number}")

    async with handling(count) as server, connect[str, str](ws(server)) as session:
        assert [int(message) async for message in session.incoming] == list(range(100))
        assert session.close_reason == CloseReason(1000)


async def test_many_clients_open_and_close(caplog: pytest.LogCaptureFixture) -> None:
    async with handling(echo) as server:
        before = len(anyio.get_running_tasks())

        async def talk() -> None:
            for number in range(5):
                async with connect(ws(server)) as session:
                    await session.send(f"{number}")
                    assert await session.incoming.first() == f"{number}"

        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(talk)
        await until(lambda: server.open_sessions == 0)
        await until(lambda: len(anyio.get_running_tasks()) <= before)
    assert failures(caplog) == []
