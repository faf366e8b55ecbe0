"""The life cycle of a session, row by row of the design's table: on the wire, in the handler, and as its close reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from flowsock import (
    App,
    CloseCode,
    CloseReason,
    MutableSharedFlow,
    Session,
    SessionAborted,
    SessionClosed,
    connect,
    serve,
)
from flowsock.sessions.server.server import STUBBORN
from tests.sessions.support import (
    BINARY,
    BOUND,
    PING,
    PONG,
    Frame,
    Peer,
    Story,
    close,
    close_frame,
    failures,
    handling,
    open_peer,
    opening,
    raw_peer,
    text,
    text_frame,
    until,
    ws,
)
from tests.wire.support import frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock import Request

pytestmark = pytest.mark.anyio


class Collector:
    """A handler that collects until the end, and tells of it."""

    def __init__(self) -> None:
        self.story = Story()
        self.opened = anyio.Event()

    async def __call__(self, session: Session) -> None:
        async with self.story.of(session):
            self.opened.set()
            await session.incoming.collect(self.story.seen.append)


class Sleeper:
    """A handler that only sleeps, and tells of its end."""

    def __init__(self) -> None:
        self.story = Story()
        self.opened = anyio.Event()

    async def __call__(self, session: Session) -> None:
        async with self.story.of(session):
            self.opened.set()
            await anyio.sleep_forever()


# The handler ends


async def test_a_handler_that_returns_closes_with_1000() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.send("hi")

    async with handling(handler) as server, open_peer(server) as peer:
        assert await peer.frame() == text_frame("hi")
        assert await peer.frame() == close_frame(1000)
        await peer.send(close(1000))
        assert await peer.rest() == []
        assert story.reason == CloseReason(1000)
        await until(lambda: server.open_sessions == 0)


async def test_a_handler_that_returns_while_the_peer_sends_closes_without_a_reset() -> None:
    async def handler(session: Session) -> None:
        await session.incoming.first()

    async with handling(handler, incoming_queue=1) as server, open_peer(server) as peer:
        await peer.send(*(text("x" * 1000) for _ in range(500)))
        assert await peer.frame() == close_frame(1000)
        await peer.send(*(text("x" * 1000) for _ in range(500)), close(1000))
        await peer.end()


async def test_a_handler_that_returns_while_the_queue_is_full_gets_the_peers_answer() -> None:
    async def handler(session: Session) -> None:
        await until(lambda: session.statistics().queued == 4)

    async with handling(handler, incoming_queue=4, close_timeout=30.0) as server, open_peer(server) as peer:
        await peer.send(*(text("x") for _ in range(4)))
        assert await peer.frame() == close_frame(1000)
        await peer.send(close(1000))
        assert await peer.rest() == []


async def test_a_handler_that_raises_closes_with_1011_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            raise RuntimeError("secret")

    async with handling(handler) as server:
        async with open_peer(server) as peer:
            assert await peer.frame() == close_frame(1011)
            await peer.send(close(1011))
            assert await peer.rest() == []
        assert story.reason == CloseReason(1011)
        (record,) = caplog.records
        assert record.name == "flowsock"
        assert record.exc_info is not None
        assert str(record.exc_info[1]) == "secret"
        # The server lives.
        async with open_peer(server) as peer:
            assert await peer.frame() == close_frame(1011)


# The peer closes


@pytest.mark.parametrize("code", [1000, 1001, None])
async def test_a_clean_close_is_echoed_and_completes_incoming(code: int | None, caplog: pytest.LogCaptureFixture) -> None:
    story = Story()
    raised: list[SessionClosed] = []

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)
            story.seen.append("completed")
            with pytest.raises(SessionClosed) as caught:
                await session.send("late")
            raised.append(caught.value)

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(text("a"), text("b"), close(code))
        assert await peer.rest() == [close_frame(code)]
        assert await story.end() == ["a", "b", "completed", "returned"]
        assert story.reason == CloseReason(code or 1005)
        assert type(raised[0]) is SessionClosed
        assert raised[0].reason is story.reason
    assert failures(caplog) == []


async def test_the_error_of_a_late_send_that_leaves_the_handler_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()
            await session.send("late")

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(close(1000))
        assert await peer.rest() == [close_frame(1000)]
        assert await story.end() == [SessionClosed]
    assert failures(caplog) == []


@pytest.mark.parametrize("code", [1008, 1011, 3000, 4999])
async def test_any_other_close_is_echoed_and_raised(code: int, caplog: pytest.LogCaptureFixture) -> None:
    handler = Collector()
    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(text("a"), close(code, "why"))
        assert await peer.rest() == [close_frame(code, "why")]
        assert await handler.story.end() == ["a", SessionAborted]
        assert handler.story.reason == CloseReason(code, "why")
    assert failures(caplog) == []


async def test_the_error_carries_the_reason() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            try:
                await session.incoming.collect()
            except SessionAborted as error:
                story.seen.append(error.reason)

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(close(4000, "why"))
        assert await story.end() == [CloseReason(4000, "why"), "returned"]


@pytest.mark.parametrize("code", [1000, 4000])
async def test_a_handler_that_only_sleeps_is_cancelled_when_the_peer_closes(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Sleeper()
    async with handling(handler, close_timeout=0.05) as server, open_peer(server) as peer:
        await peer.send(close(code))
        assert await peer.rest() == [close_frame(code)]
        assert await handler.story.end() == ["cancelled"]
        assert handler.story.reason == CloseReason(code)
    assert failures(caplog) == []


async def test_unread_messages_are_delivered_before_the_completion() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await until(lambda: not session.is_open)
            story.seen.append(session.close_reason)
            await session.incoming.collect(story.seen.append)

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(text("a"), text("b"), text("c"), close(1000))
        assert await story.end() == [CloseReason(1000), "a", "b", "c", "returned"]


async def test_unread_messages_are_delivered_before_the_error() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await until(lambda: not session.is_open)
            async for message in session.incoming:
                story.seen.append(message)

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(text("a"), text("b"))
        peer.hang_up()
        assert await story.end() == ["a", "b", SessionAborted]


async def test_a_collector_finishes_in_peace_after_a_clean_close() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            async for message in session.incoming:
                await anyio.sleep(0.02)
                story.seen.append(message)
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            await anyio.sleep(0.02)
            story.seen.append("epilogue")

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(text("a"), text("b"), close(1000))
        assert await story.end() == ["a", "b", "epilogue", "returned"]


async def test_a_collector_that_does_not_end_is_cancelled_after_the_close_timeout() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()
            story.seen.append("completed")
            await anyio.sleep_forever()

    async with handling(handler, close_timeout=0.05) as server, open_peer(server) as peer:
        await peer.send(close(1000))
        assert await story.end() == ["completed", "cancelled"]
        assert story.reason == CloseReason(1000)


async def test_a_handler_that_is_about_to_collect_finds_the_end_there() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await until(lambda: not session.is_open)
            await session.incoming.collect()
            story.seen.append("completed")

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(close(1000))
        assert await story.end() == ["completed", "returned"]


async def test_a_handler_with_a_collecting_child_is_cancelled_after_the_close_timeout() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            session.incoming.on_each(story.seen.append).launch_in(session.scope)
            await anyio.sleep_forever()

    async with handling(handler, close_timeout=0.05) as server, open_peer(server) as peer:
        await peer.send(text("a"))
        await until(lambda: story.seen)
        peer.hang_up()
        assert await story.end() == ["a", "cancelled"]


# The connection is lost


def hang_up(peer: Peer) -> None:
    peer.hang_up()


def reset(peer: Peer) -> None:
    peer.reset()


ways_to_go = pytest.mark.parametrize("go", [hang_up, reset])


@ways_to_go
async def test_a_loss_is_raised_where_the_handler_collects(
    go: Callable[[Peer], None], caplog: pytest.LogCaptureFixture
) -> None:
    handler = Collector()
    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(text("a"))
        await until(lambda: handler.story.seen)
        go(peer)
        assert await handler.story.end() == ["a", SessionAborted]
        assert handler.story.session.close_reason is not None
        assert handler.story.session.close_reason.code == CloseCode.CLOSED_ABNORMALLY
        await until(lambda: server.open_sessions == 0)
    assert failures(caplog) == []


@ways_to_go
async def test_a_loss_cancels_a_handler_that_only_sleeps(go: Callable[[Peer], None], caplog: pytest.LogCaptureFixture) -> None:
    handler = Sleeper()
    async with handling(handler, close_timeout=0.05) as server, open_peer(server) as peer:
        await handler.opened.wait()
        go(peer)
        assert await handler.story.end() == ["cancelled"]
        await until(lambda: server.open_sessions == 0)
    assert failures(caplog) == []


@ways_to_go
async def test_a_loss_ends_a_handler_that_only_sends(go: Callable[[Peer], None], caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            while True:
                await session.send("x" * 10_000)

    async with handling(handler, close_timeout=0.05) as server, open_peer(server) as peer:
        await peer.frame()
        go(peer)
        assert await story.end() in ([SessionAborted], ["cancelled"])
        await until(lambda: server.open_sessions == 0)
    assert failures(caplog) == []


async def test_a_loss_in_mid_message_is_1006_and_finalizers_run_once() -> None:
    handler = Collector()
    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(text("whole"), text("in the middle")[:9])
        await until(lambda: handler.story.seen)
        peer.hang_up()
        assert await handler.story.end() == ["whole", SessionAborted]
        assert handler.story.session.close_reason is not None
        assert handler.story.session.close_reason.code == 1006


async def test_a_task_group_of_the_handlers_own_does_not_turn_the_end_into_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session), anyio.create_task_group() as tasks:
            tasks.start_soon(session.incoming.collect, story.seen.append)

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(text("a"))
        await until(lambda: story.seen)
        peer.hang_up()
        assert await story.end() == ["a", ExceptionGroup]
        await until(lambda: server.open_sessions == 0)
    assert failures(caplog) == []


# The handler closes


async def test_close_sends_code_and_message_and_waits_for_the_answer() -> None:
    story = Story()
    closing = anyio.Event()

    async def handler(session: Session) -> None:
        async with story.of(session):
            closing.set()
            await session.close(4321, "enough")
            story.seen.append(session.close_reason)
            await session.incoming.collect(story.seen.append)
            story.seen.append("completed")

    async with handling(handler) as server, open_peer(server) as peer:
        assert await peer.frame() == close_frame(4321, "enough")
        await anyio.wait_all_tasks_blocked()
        assert story.seen == []
        await peer.send(text("late"), close(1000, "their own"))
        assert await peer.rest() == []
        assert await story.end() == [CloseReason(4321, "enough"), "completed", "returned"]
        assert story.reason == CloseReason(4321, "enough")


async def test_close_aborts_a_peer_that_does_not_answer_in_the_close_timeout() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.close()

    async with handling(handler, close_timeout=0.05) as server, open_peer(server) as peer:
        assert await peer.frame() == close_frame(1000)
        assert await story.end() == ["returned"]
        assert await peer.rest() == []
        assert story.reason == CloseReason(1000)


async def test_closing_twice_and_from_two_tasks_sends_one_close() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            session.scope.launch(session.close, 1000, "first")
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
            await session.close(1008, "second")
            await session.close(1011, "third")

    async with handling(handler) as server, open_peer(server) as peer:
        assert await peer.frame() == close_frame(1000, "first")
        await peer.send(close(1000))
        assert await peer.rest() == []
        assert await story.end() == ["returned"]
        assert story.reason == CloseReason(1000, "first")


@pytest.mark.parametrize(
    ("code", "message"), [(1005, ""), (1006, ""), (999, ""), (1004, ""), (1015, ""), (5000, ""), (1000, "x" * 124)]
)
async def test_a_close_that_must_not_be_sent_is_refused_and_the_session_goes_on(code: int, message: str) -> None:
    async def handler(session: Session) -> None:
        with pytest.raises(ValueError, match=str(code) if code != 1000 else "123"):
            await session.close(code, message)
        await session.send("still here")

    async with handling(handler) as server, open_peer(server) as peer:
        assert await peer.frame() == text_frame("still here")


async def test_a_send_after_our_close_raises_and_writes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.close()
            await session.send("late")

    async with handling(handler) as server, open_peer(server) as peer:
        assert await peer.frame() == close_frame(1000)
        await peer.send(frame(PING, b"late"), close(1000))
        assert await peer.rest() == []
        assert await story.end() == [SessionClosed]
    assert failures(caplog) == []


async def test_the_reason_never_changes_once_it_is_there() -> None:
    reasons: list[CloseReason | None] = []

    async def handler(session: Session) -> None:
        reasons.append(session.close_reason)
        session.scope.launch(session.close, 4000)
        await until(lambda: session.close_reason is not None)
        reasons.append(session.close_reason)
        try:
            await anyio.sleep_forever()
        finally:
            reasons.append(session.close_reason)

    async with handling(handler, close_timeout=0.05, drain_timeout=0.05) as server, open_peer(server) as peer:
        assert await peer.frame() == close_frame(4000)
        await peer.send(close(1011))
        await peer.rest()
    assert reasons == [None, CloseReason(4000), CloseReason(4000)]


# Silence and faults


async def test_a_peer_that_answers_no_ping_is_closed_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    handler = Collector()
    async with handling(handler, ping_interval=0.05, ping_timeout=0.05) as server, open_peer(server) as peer:
        first, *others = await peer.rest()
        assert first.first == PING
        assert others == [close_frame(1011, "ping timeout")]
        assert await handler.story.end() == [SessionAborted]
        assert handler.story.reason == CloseReason(1011, "ping timeout")
    assert failures(caplog) == []


async def test_a_peer_that_answers_pings_stays() -> None:
    handler = Sleeper()
    async with handling(handler, ping_interval=0.03, ping_timeout=0.5) as server, open_peer(server) as peer:
        for _ in range(4):
            ping = await peer.frame()
            assert ping.first == PING
            await peer.send(frame(PONG, ping.payload))
        await until(lambda: handler.story.session.statistics().ping_round_trip is not None)
        assert handler.story.session.is_open


async def test_pings_are_answered_while_the_handler_is_busy_and_the_queue_full() -> None:
    handler = Sleeper()
    async with handling(handler, incoming_queue=2) as server, open_peer(server) as peer:
        await peer.send(text("1"), text("2"), text("3"), frame(PING, b"there?"))
        assert await peer.frame() == Frame(PONG, b"there?")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(BINARY, length=101), 1009, id="too big, as declared"),
        pytest.param(frame(0x02, b"x" * 60) + frame(0x80, b"x" * 60), 1009, id="too big, in fragments"),
        pytest.param(frame(BINARY, length=2**62), 1009, id="2**62 bytes"),
        pytest.param(frame(0x83, b"x"), 1002, id="unknown opcode"),
        pytest.param(frame(0xC1, b"x"), 1002, id="reserved bit"),
        pytest.param(frame(0x81, b"x", mask=None), 1002, id="unmasked"),
        pytest.param(frame(0x80, b"x"), 1002, id="continuation of nothing"),
        pytest.param(frame(0x09, b"x"), 1002, id="fragmented ping"),
        pytest.param(close(1005), 1002, id="close code 1005"),
        pytest.param(frame(0x88, b"\x03"), 1002, id="half a close code"),
        pytest.param(frame(0x81, b"\xff"), 1007, id="not UTF-8"),
        pytest.param(frame(0x01, b"\xf0\x9f") + frame(0x80, b"x"), 1007, id="not UTF-8 over fragments"),
        pytest.param(frame(0x88, b"\x03\xe8\xff"), 1007, id="close message not UTF-8"),
    ],
)
async def test_a_fault_of_the_peer(data: bytes, code: int, caplog: pytest.LogCaptureFixture) -> None:
    handler = Collector()
    async with handling(handler, max_message_size=100) as server, open_peer(server) as healthy, open_peer(server) as peer:
        await peer.send(text("before"), data, text("behind"))
        (only,) = await peer.rest()
        assert only.first == close_frame().first
        assert int.from_bytes(only.payload[:2]) == code
        assert await handler.story.end() == ["before", SessionAborted]
        assert handler.story.reason is not None
        assert handler.story.reason.code == code
        await healthy.send(frame(PING, b"well?"))
        assert await healthy.frame() == Frame(PONG, b"well?")
    assert failures(caplog) == []


async def test_a_fault_is_answered_even_if_the_peer_goes_on_sending() -> None:
    handler = Collector()
    async with handling(handler, close_timeout=0.2) as server, open_peer(server) as peer:
        await peer.send(frame(0x83))
        await peer.send(*(text("x" * 1000) for _ in range(1000)))
        assert (await peer.frame()).payload[:2] == (1002).to_bytes(2)


@pytest.mark.parametrize(
    ("accepted", "data"), [pytest.param(str, frame(BINARY, b"x"), id="binary"), pytest.param(bytes, text("x"), id="text")]
)
async def test_a_message_of_the_wrong_kind_is_1003(accepted: type, data: bytes) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)

    # What `Session[str, str]` and `Session[bytes, bytes]` say in a module's own handlers.
    handler.__annotations__["session"] = Session[accepted, accepted]  # type: ignore[valid-type]
    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(data)
        (only,) = await peer.rest()
        assert int.from_bytes(only.payload[:2]) == 1003
        assert await story.end() == [SessionAborted]
        assert story.reason is not None
        assert story.reason.code == 1003


# Slow readers


async def test_a_reader_that_never_reads_suspends_send_and_is_closed_with_1013(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            while True:
                await session.send("x" * 60_000)

    async with handling(handler, send_timeout=0.2) as server, open_peer(server, receive_buffer=4096):
        assert (await story.end())[-1] in (SessionAborted, "cancelled")
        assert story.reason is not None
        assert story.reason.code == CloseCode.TRY_AGAIN_LATER
        # Bounded by the kernel's buffers and the high-water mark, not by the speed of the sender.
        assert story.session.statistics().messages_sent < 500
    assert failures(caplog) == []


async def test_a_reader_that_reads_again_in_time_gets_everything() -> None:
    async def handler(session: Session) -> None:
        for number in range(300):
            await session.send(f"{number:05}" + "x" * 20_000)

    async with handling(handler, send_timeout=5.0) as server, open_peer(server, receive_buffer=4096) as peer:
        for number in range(300):
            assert (await peer.frame()).payload[:5] == b"%05d" % number
        assert await peer.frame() == close_frame(1000)


# The scope


async def test_children_end_with_the_handler() -> None:
    story = Story()

    async def child() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            story.seen.append("child ended")

    async def handler(session: Session) -> None:
        async with story.of(session):
            session.scope.launch(child)
            await session.incoming.first()

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.send(text("go"))
        assert await peer.frame() == close_frame(1000)
        assert story.seen == ["returned", "child ended"]


async def test_children_end_with_the_peer() -> None:
    story = Story()

    async def child() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            story.seen.append("child ended")

    async def handler(session: Session) -> None:
        async with story.of(session):
            session.scope.launch(child)
            await anyio.sleep_forever()

    async with handling(handler, close_timeout=0.05) as server, open_peer(server) as peer:
        await until(lambda: server.open_sessions)
        peer.hang_up()
        await until(lambda: server.open_sessions == 0)
        assert sorted(story.seen) == ["cancelled", "child ended"]


async def test_a_child_that_fails_closes_with_1011_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def child() -> None:
        raise RuntimeError("secret")

    async def handler(session: Session) -> None:
        async with story.of(session):
            session.scope.launch(child)
            await anyio.sleep_forever()

    async with handling(handler) as server, open_peer(server) as peer:
        assert await peer.frame() == close_frame(1011)
        assert await story.end() == ["cancelled"]
        await peer.send(close(1011))
        assert await peer.rest() == []
    assert len(failures(caplog)) == 1


async def test_a_childs_send_after_the_end_does_not_disturb_the_epilogue(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()
    numbers: MutableSharedFlow[str] = MutableSharedFlow(extra_buffer_capacity=64)

    async def child(session: Session) -> None:
        while True:
            await session.send("tick")
            await anyio.sleep(0.001)

    async def handler(session: Session) -> None:
        async with story.of(session):
            session.scope.launch(child, session)
            numbers.on_each(session.send).launch_in(session.scope)
            await session.incoming.collect()
            await numbers.emit("late")
            await anyio.sleep(0.02)
            story.seen.append("epilogue")

    async with handling(handler) as server, open_peer(server) as peer:
        assert await peer.frame() == text_frame("tick")
        await peer.send(close(1000))
        assert (await peer.rest())[-1] == close_frame(1000)
        assert await story.end() == ["epilogue", "returned"]
    assert failures(caplog) == []


# The server stops


async def test_a_stopping_server_closes_with_1001_and_lets_handlers_end() -> None:
    handlers = [Collector(), Collector()]
    app = App()
    app.websocket("/0")(handlers[0])
    app.websocket("/1")(handlers[1])
    async with serve(app, port=0, drain_timeout=5) as server, anyio.create_task_group() as tasks:
        for number in range(2):

            async def watch(number: int = number) -> None:
                async with open_peer(server, f"/{number}") as peer:
                    assert await peer.frame() == close_frame(1001)
                    await peer.send(close(1001))
                    assert await peer.rest() == []

            tasks.start_soon(watch)
        await until(lambda: server.open_sessions == 2)
        await handlers[0].opened.wait()
        await handlers[1].opened.wait()
        tasks.start_soon(server.drain, 5)
    for handler in handlers:
        assert handler.story.seen == ["returned"]
        assert handler.story.reason == CloseReason(1001)


async def test_handlers_that_do_not_end_are_cancelled_after_the_drain_timeout() -> None:
    handler = Sleeper()
    story = handler.story
    with anyio.fail_after(BOUND):
        async with handling(handler, drain_timeout=0.1) as server:
            peer_context = open_peer(server)
            peer = await peer_context.__aenter__()
            await handler.opened.wait()
            await peer.send(close(1001))
    assert story.seen == ["cancelled"]
    assert await peer.frame() == close_frame(1001)
    await peer_context.__aexit__(None, None, None)


async def test_a_server_left_by_an_error_cancels_handlers_at_once_and_tells_the_peers() -> None:
    handler = Sleeper()
    with anyio.fail_after(BOUND):
        with pytest.raises(RuntimeError, match="boom"):
            async with handling(handler, drain_timeout=60) as server:
                peer_context = open_peer(server)
                peer = await peer_context.__aenter__()
                await handler.opened.wait()
                raise RuntimeError("boom")
        assert handler.story.seen == ["cancelled"]
        assert handler.story.reason == CloseReason(1001)
        assert await peer.rest() == [close_frame(1001)]
        await peer_context.__aexit__(None, None, None)


async def test_a_stopping_server_cancels_what_handlers_await_while_they_clean_up() -> None:
    told: list[str] = []
    opened = anyio.Event()

    async def stubborn(who: str) -> None:
        try:
            opened.set()
            await anyio.sleep_forever()
        finally:
            try:
                await anyio.sleep_forever()
            finally:
                told.append(who)

    async def handler(session: Session) -> None:
        session.scope.launch(stubborn, "job")
        await stubborn("handler")

    since = anyio.current_time()
    with anyio.fail_after(BOUND):
        with pytest.raises(RuntimeError, match="boom"):
            async with handling(handler, drain_timeout=60) as server:
                peer_context = open_peer(server)
                await peer_context.__aenter__()
                await opened.wait()
                raise RuntimeError("boom")
    assert sorted(told) == ["handler", "job"]
    # Later than that, the server helps by cutting the connection.
    assert anyio.current_time() - since < STUBBORN
    await peer_context.__aexit__(None, None, None)


async def test_the_client_of_a_stopping_server_sees_a_clean_end() -> None:
    handler = Collector()
    async with handling(handler) as server:
        client = connect(ws(server))
        session = await client.__aenter__()
        await handler.opened.wait()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.drain, 5)
            assert await session.incoming.to_list() == []
        await client.__aexit__(None, None, None)
        assert session.close_reason == CloseReason(1001)


async def test_a_handler_that_ignores_its_cancellation_for_a_while_is_waited_for_and_finally_blocks_run() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.05)
                    story.seen.append("cleaned up")

    with anyio.fail_after(BOUND):
        async with handling(handler, drain_timeout=0.01) as server, open_peer(server):
            await until(lambda: server.open_sessions)
    assert story.seen == ["cleaned up", "cancelled"]


async def test_a_session_that_opens_while_the_server_stops_is_refused() -> None:
    handler = Sleeper()
    async with handling(handler) as server, open_peer(server), raw_peer(server) as late:
        await handler.opened.wait()
        await until(lambda: server.unfinished)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.drain, 60)
            await anyio.wait_all_tasks_blocked()
            await late.send(opening())
            assert (await late.head()).startswith("HTTP/1.1 503 ")
            tasks.cancel_scope.cancel()
        assert server.open_sessions == 1


async def test_a_session_that_is_under_way_when_the_server_stops_is_refused() -> None:
    app = App()
    looking, go = anyio.Event(), anyio.Event()

    async def guard(_request: Request) -> bool:
        looking.set()
        await go.wait()
        return True

    app.websocket("/")(Collector())
    app.websocket("/late", guard=guard)(Collector())
    async with (
        serve(app, port=0, drain_timeout=0.2) as server,
        open_peer(server) as early,
        raw_peer(server) as late,
        anyio.create_task_group() as tasks,
    ):
        await late.send(opening("/late"))
        await looking.wait()
        tasks.start_soon(server.drain, 60)
        assert await early.frame() == close_frame(1001)
        go.set()
        assert (await late.head()).startswith("HTTP/1.1 503 ")
        tasks.cancel_scope.cancel()
