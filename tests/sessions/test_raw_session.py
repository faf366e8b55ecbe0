"""Raw sessions: frames, and nothing by themselves."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import App, CloseReason, Frame, Opcode, RawSession, Session, SessionAborted, SessionClosed, connect_raw, serve
from flowsock.sessions.config import WebSocketConfig, raw_config
from flowsock.sessions.connection.raw_connection import RawConnection
from flowsock.sessions.terms import Terms
from flowsock.wire.request import Request
from tests.sessions.support import (
    BOUND,
    PING,
    PONG,
    Bench,
    Story,
    close,
    close_frame,
    failures,
    open_peer,
    text,
    text_frame,
    until,
    ws,
)
from tests.sessions.support import Frame as SeenFrame
from tests.wire.support import frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from flowsock import Server

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def handling(handler: Callable[[RawSession], Awaitable[object]], **settings: Any) -> AsyncIterator[Server]:
    """Serve one raw handler at ``/``."""
    app = App()
    app.raw_websocket("/", **settings)(handler)
    async with serve(app, port=0, drain_timeout=0.2) as server:
        yield server


class RawBench(Bench):
    """A raw connection between a recording transport and a manual clock."""

    connection_type = RawConnection


# What is left to the user


async def test_frames_come_as_they_are_and_nothing_is_answered() -> None:
    story = Story()

    async def handler(session: RawSession) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(frame(0x01, b"a"), frame(PING, b"?"), frame(0x80, b"b"), frame(PONG, b"!"), frame(0xC2, b"c"))
        await peer.send(close(4000, "why"))
        assert await story.end() == [
            Frame(Opcode.TEXT, b"a", final=False),
            Frame(Opcode.PING, b"?"),
            Frame(Opcode.CONTINUATION, b"b"),
            Frame(Opcode.PONG, b"!"),
            Frame(Opcode.BINARY, b"c", rsv1=True),
            Frame.close(4000, "why"),
            "returned",
        ]
        assert story.reason == CloseReason(4000, "why")
        # The end of the handler answers what it did not.
        assert await peer.rest() == [close_frame(4000, "why")]


async def test_frames_go_out_as_they_are() -> None:
    async def handler(session: RawSession) -> None:
        await session.send(Frame(Opcode.TEXT, b"a", final=False))
        await session.send(Frame(Opcode.PING, b"?"))
        await session.send(Frame(Opcode.CONTINUATION, b"b", rsv2=True))

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(close(1000))
        assert await peer.rest() == [
            SeenFrame(0x01, b"a"),
            SeenFrame(PING, b"?"),
            SeenFrame(0xA0, b"b"),
            close_frame(1000),
        ]


async def test_both_ends_raw() -> None:
    async def echo(session: RawSession) -> None:
        await session.incoming.collect(session.send)

    async with handling(echo) as server, connect_raw(ws(server)) as session:
        sent = [Frame(Opcode.TEXT, "a", final=False), Frame(Opcode.CONTINUATION, "b"), Frame.close(4000, "bye")]
        for each in sent:
            await session.send(each)
        with anyio.fail_after(BOUND):
            assert await session.incoming.to_list() == sent
        assert session.close_reason == CloseReason(4000, "bye")


async def test_a_handler_answers_the_close_by_itself() -> None:
    story = Story()

    async def handler(session: RawSession) -> None:
        async with story.of(session):
            await session.incoming.collect()
            assert not session.is_open
            await session.send(Frame(Opcode.TEXT, "last words"))
            await session.send(Frame.close(4001))
            with pytest.raises(SessionClosed):
                await session.send(Frame(Opcode.TEXT, "too late"))

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(close(1000))
        assert await peer.rest() == [text_frame("last words"), close_frame(4001)]
        assert await story.end() == ["returned"]
        assert story.reason == CloseReason(1000)


async def test_a_ping_of_ours_is_answered_and_its_pong_visible() -> None:
    seen: list[Frame] = []

    async def handler(session: RawSession) -> None:
        session.incoming.on_each(seen.append).launch_in(session.scope)
        assert await session.ping() >= 0

    async with handling(handler) as server, open_peer(server) as peer:
        sent = await peer.frame()
        assert sent.first == PING
        await peer.send(frame(PONG, sent.payload))
        assert await peer.frame() == close_frame(1000)
    assert seen == [Frame(Opcode.PONG, sent.payload)]


# The end


async def test_a_handler_that_returns_closes_and_waits_for_the_answer() -> None:
    async def handler(session: RawSession) -> None:
        await session.send(Frame(Opcode.TEXT, "hi"))

    async with handling(handler) as server, open_peer(server) as peer:
        assert await peer.frame() == text_frame("hi")
        assert await peer.frame() == close_frame(1000)
        await peer.send(text("late"), close(1000))
        assert await peer.rest() == []
        await until(lambda: server.open_sessions == 0)


async def test_a_handler_that_fails_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(_session: RawSession) -> None:
        raise RuntimeError

    async with handling(handler) as server, open_peer(server) as peer:
        assert await peer.frame() == close_frame(1011)
    assert len(failures(caplog)) == 1


async def test_a_loss_without_a_close_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def handler(session: RawSession) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(text("a"))
        await until(lambda: story.seen)
        peer.reset()
        assert await story.end() == [Frame(Opcode.TEXT, "a"), SessionAborted]
    assert failures(caplog) == []


@pytest.mark.parametrize(("data", "code"), [(frame(0x83, b""), 1002), (frame(0x80, b""), 1002), (frame(0x82, b"x" * 11), 1009)])
async def test_a_fault_of_the_peer_ends_it_safely(data: bytes, code: int) -> None:
    story = Story()

    async def handler(session: RawSession) -> None:
        async with story.of(session):
            await session.incoming.collect()

    async with handling(handler, max_message_size=10) as server, open_peer(server) as peer:
        await peer.send(data)
        found = await peer.frame()
        assert (found.first, found.payload[:2]) == (0x88, code.to_bytes(2))
        assert await story.end() == [SessionAborted]
        assert story.reason is not None
        assert story.reason.code == code


async def test_a_sleeping_handler_is_cancelled_when_the_peer_closes() -> None:
    story = Story()

    async def handler(session: RawSession) -> None:
        async with story.of(session):
            await anyio.sleep_forever()

    async with handling(handler, close_timeout=0.05) as server, open_peer(server) as peer:
        await peer.send(close(1001))
        assert await peer.rest() == [close_frame(1001)]
        assert await story.end() == ["cancelled"]


async def test_a_stopping_server_closes_with_1001() -> None:
    async def handler(session: RawSession) -> None:
        await session.incoming.collect()

    async with handling(handler) as server, open_peer(server) as peer:
        await server.drain(0)
        assert await peer.frame() == close_frame(1001)


# The connection alone


def test_frames_after_our_close_are_delivered_up_to_the_peers() -> None:
    bench = RawBench()
    bench.connection.send(Frame.close(1000))
    bench.receive(text("a"), close(1001))
    assert [bench.connection.messages.receive_nowait() for _ in range(2)] == [Frame(Opcode.TEXT, "a"), Frame.close(1001)]
    assert bench.connection.messages.is_closed_for_receive
    assert bench.connection.reason == CloseReason(1000)
    assert bench.calls == ["close"]


def test_a_close_of_ours_that_is_not_answered_ends_in_the_close_timeout() -> None:
    bench = RawBench(close_timeout=10)
    bench.connection.send(Frame.close(1000))
    with pytest.raises(SessionClosed):
        bench.connection.send(Frame(Opcode.TEXT, "b"))
    assert bench.frames == [close_frame(1000)]
    bench.clock.advance(10)
    assert bench.calls == ["abort"]
    bench.connection.connection_lost(None)
    assert bench.connection.messages.is_closed_for_receive
    assert bench.clock.pending == 0


def test_reading_pauses_after_our_close_too_until_nobody_wants_to_read() -> None:
    bench = RawBench(incoming_queue=2)
    bench.connection.send(Frame.close(1000))
    bench.receive(text("a"), text("b"))
    assert not bench.transport.is_reading()
    bench.connection.close(CloseReason(1000))
    assert bench.transport.is_reading()
    bench.receive(text("c"), text("d"))
    assert bench.transport.is_reading()
    assert bench.frames == [close_frame(1000)]


@pytest.mark.parametrize("how", ["lost", "abandoned", "slow"])
def test_an_end_between_the_two_closes_keeps_the_peers_reason(how: str) -> None:
    bench = RawBench()
    bench.receive(close(4000))
    assert bench.gone == 1
    if how == "lost":
        bench.connection.connection_lost(None)
    elif how == "abandoned":
        bench.connection.abandon(CloseReason(1001))
        assert bench.frames == [close_frame(4000)]
        assert "close" in bench.calls
    else:
        bench.connection.pause_writing()
        bench.clock.advance(10)
        assert bench.calls == ["abort"]
    bench.connection.connection_lost(None)
    assert bench.code == 4000
    assert bench.gone == 1
    assert bench.clock.pending == 0


async def test_a_send_that_waits_between_the_two_closes_ends_with_the_connection() -> None:
    bench = RawBench()
    bench.receive(close(1000))
    bench.connection.pause_writing()
    pending = bench.connection.send(Frame(Opcode.TEXT, "a"))

    async def wait() -> None:
        with pytest.raises(SessionClosed):
            await pending

    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            bench.connection.connection_lost(None)


def test_nobody_is_pinged_unless_somebody_said_so() -> None:
    assert raw_config(WebSocketConfig(), {}).ping_interval is None
    assert raw_config(WebSocketConfig(), {"ping_interval": 5}).ping_interval == 5


# What is refused


def test_frames_are_not_dropped() -> None:
    app = App(websockets=WebSocketConfig(slow_reader="drop_oldest"))
    app.raw_websocket("/")
    with pytest.raises(ValueError, match="a raw session loses no frames"):
        app.raw_websocket("/", slow_reader="conflate")
    with pytest.raises(ValueError, match="a raw session loses no frames"):
        connect_raw("ws://test/", slow_reader="close")


@pytest.mark.parametrize("message", ["text", b"bytes", 1])
def test_only_frames_are_sent(message: object) -> None:
    with pytest.raises(TypeError, match="sends Frame values, not"):
        RawBench().connection.send(message)


def test_the_route_and_the_annotation_agree() -> None:
    app = App()

    async def raw(session: RawSession) -> None: ...

    async def cooked(session: Session[str, str]) -> None: ...

    with pytest.raises(TypeError, match=r"is to take a Session from @app\.websocket"):
        app.websocket("/")(raw)
    with pytest.raises(TypeError, match=r"is to take a RawSession from @app\.raw_websocket"):
        app.raw_websocket("/")(cooked)


def test_a_raw_session_says_so() -> None:
    terms = Terms(request=Request("GET", "/x"), config=WebSocketConfig(), raw=True)
    bench = RawBench()
    session = terms.session(bench.transport, bench.clock)
    assert repr(session) == "<RawSession '/x' open>"
    assert not hasattr(session, "__dict__")
