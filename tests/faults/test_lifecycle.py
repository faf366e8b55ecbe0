"""Faults in the life of a session, by the numbers of the list of faults, beside a healthy session that must not notice."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from flowsock import App, CloseReason, Session, SessionAborted, SessionClosed, connect
from tests.faults.support import memory_within, serving
from tests.sessions.conftest import SOCKETS
from tests.sessions.support import (
    BOUND,
    PING,
    PONG,
    Peer,
    Story,
    close,
    close_frame,
    failures,
    handling,
    open_peer,
    text,
    text_frame,
    until,
    ws,
)
from tests.wire.support import frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio

# Time that is not real stands still while somebody is busy without end.
on_sockets = pytest.mark.parametrize("anyio_backend", SOCKETS, indirect=True)


def app_of(handler: Callable[[Session], Awaitable[object]], **settings: Any) -> App:
    app = App()
    app.websocket("/", **settings)(handler)
    return app


async def until_jammed(session: Session) -> None:
    """Wait until nothing more can be sent, the system's buffers being full too."""
    before = -1
    with anyio.fail_after(BOUND):
        while before != (before := session.statistics().bytes_sent):  # noqa: ASYNC110 there is no event to wait for
            await anyio.sleep(0.1)


# 50 to 52: floods


async def test_50_what_comes_after_a_close_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)

    async with serving(app_of(handler)) as server, open_peer(server) as peer:
        await peer.send(text("a"), close(1000), text("b"), close(1001), frame(0x83, b"nonsense"))
        assert await peer.rest() == [close_frame(1000)]
        assert await story.end() == ["a", "returned"]
        assert story.reason == CloseReason(1000)
    assert failures(caplog) == []


async def test_51_pings_while_the_peer_does_not_read_cost_no_memory() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            while True:
                await session.send("x" * 65536)

    app = app_of(handler, send_timeout=30.0, close_timeout=0.05)
    async with serving(app) as server, open_peer(server, receive_buffer=4096) as peer:
        await until(lambda: story.session.statistics().unsent_bytes)
        await until_jammed(story.session)
        with memory_within(2):
            for number in range(50):
                await peer.send(*(frame(PING, f"{number} {each}".encode()) for each in range(100)))
            await until(lambda: story.session.statistics().bytes_received >= 50 * 100 * 6)
            assert story.session.statistics().unsent_bytes < 2**20
        # The peer reads after all, and the last ping is answered.
        while (found := await peer.frame()).first != PONG:
            pass
        assert found.payload == b"49 99"


async def test_51_pings_of_a_peer_that_reads_are_all_answered() -> None:
    async def handler(session: Session) -> None:
        await anyio.sleep_forever()

    async with serving(app_of(handler, close_timeout=0.05)) as server, open_peer(server) as peer:
        for start in range(0, 5000, 500):
            await peer.send(*(frame(PING, str(number).encode()) for number in range(start, start + 500)))
            assert [(await peer.frame()).payload for _ in range(500)] == [
                str(number).encode() for number in range(start, start + 500)
            ]


async def test_52_unsolicited_pongs_mean_nothing() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(session.send)

    async with serving(app_of(handler)) as server, open_peer(server) as peer:
        with memory_within(2):
            await peer.send(*(frame(PONG, bytes([number % 256])) for number in range(5000)), text("a"))
            assert await peer.frame() == text_frame("a")
        assert story.session.statistics().ping_round_trip is None


# 57 and 58: peers that go


async def test_57_a_peer_that_vanishes_is_found_out_by_pings(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await anyio.sleep_forever()

    app = app_of(handler, ping_interval=0.1, ping_timeout=0.1, close_timeout=0.05)
    async with serving(app) as server, open_peer(server) as peer:
        # It is there, and answers nothing any more.
        assert await story.end() == ["cancelled"]
        assert story.reason == CloseReason(1011, "ping timeout")
        found = await peer.rest()
        assert [each.first for each in found] == [PING, 0x88]
        await until(lambda: server.open_sessions == 1)
    assert failures(caplog) == []


async def test_57_any_byte_of_a_peer_keeps_its_session() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)

    app = app_of(handler, ping_interval=0.2, ping_timeout=0.2)
    async with serving(app) as server, open_peer(server) as peer:
        for _ in range(12):
            await anyio.sleep(0.05)
            await peer.send(text("alive"))
        assert story.session.is_open


async def test_77_a_wall_clock_that_jumps_back_delays_no_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(session: Session) -> None:
        await session.incoming.collect()

    async with serving(app_of(handler, ping_interval=0.1)) as server, open_peer(server) as peer:
        monkeypatch.setattr(time, "time", lambda: 0.0)
        for _ in range(3):
            found = await peer.frame()
            assert found.first == PING
            await peer.send(frame(PONG, found.payload))


@pytest.mark.parametrize("how", ["reset", "hang up", "half-close"])
async def test_58_a_loss_in_mid_message_ends_with_1006_and_finalizers_run_once(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    story = Story()
    finalized: list[str] = []

    async def handler(session: Session) -> None:
        async with story.of(session):
            try:
                await session.incoming.collect(story.seen.append)
            finally:
                finalized.append("once")

    async with serving(app_of(handler)) as server, open_peer(server) as peer:
        await peer.send(text("whole"), frame(0x01, b"half a mess"))
        await until(lambda: story.seen)
        if how == "reset":
            peer.reset()
        elif how == "hang up":
            peer.hang_up()
        else:
            await peer.end_sending()
        assert await story.end() == ["whole", SessionAborted]
        assert story.reason is not None
        assert story.reason.code == 1006
        assert finalized == ["once"]
        await until(lambda: server.open_sessions == 1)
    assert failures(caplog) == []


# 59 to 61: handlers


async def test_59_a_handler_that_raises_ends_its_session_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(session: Session) -> None:
        await session.incoming.first()
        raise RuntimeError("secret")

    async with serving(app_of(handler)) as server:
        for _ in range(3):
            async with open_peer(server) as peer:
                await peer.send(text("now"))
                assert await peer.frame() == close_frame(1011)
    assert len(failures(caplog)) == 3


async def test_59_a_job_of_the_session_that_raises_ends_it_as_the_handler_would(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def job() -> None:
        raise RuntimeError("in a job")

    async def handler(session: Session) -> None:
        async with story.of(session):
            session.scope.launch(job)
            await session.incoming.collect()

    async with serving(app_of(handler)) as server, open_peer(server) as peer:
        assert await peer.frame() == close_frame(1011)
        assert await story.end() == ["cancelled"]
    (record,) = caplog.records
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "in a job"


async def test_60_a_handler_that_ignores_its_cancellation_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    let_go = anyio.Event()
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            with anyio.CancelScope(shield=True):
                await let_go.wait()

    async with serving(app_of(handler, close_timeout=0.05)) as server, open_peer(server) as peer:
        await peer.send(close(1000))
        # The peer does not wait for the handler.
        assert await peer.rest() == [close_frame(1000)]
        await until(lambda: failures(caplog))
        assert server.open_sessions == 2
        let_go.set()
        await story.end()
        await until(lambda: server.open_sessions == 1)
    assert failures(caplog) == ["what runs for the session of '/' did not end in 0.05 s of being cancelled"]


async def test_60_a_handler_that_swallows_its_cancellation_and_returns_ends_quietly(caplog: pytest.LogCaptureFixture) -> None:
    swallowed: list[str] = []

    async def handler(session: Session) -> None:
        try:
            await anyio.sleep_forever()
        except BaseException as error:
            swallowed.append(type(error).__name__)

    async with serving(app_of(handler, close_timeout=0.05)) as server, open_peer(server) as peer:
        await peer.send(close(1000))
        assert await peer.rest() == [close_frame(1000)]
        await until(lambda: server.open_sessions == 1)
    assert len(swallowed) == 1
    assert failures(caplog) == []


async def test_61_a_handler_that_returns_while_the_peer_sends_drains_and_closes() -> None:
    async def handler(_session: Session) -> None:
        return

    async with serving(app_of(handler)) as server, open_peer(server) as peer:
        for _ in range(50):
            await peer.send(*(text("x" * 1000) for _ in range(20)))
        assert await peer.frame() == close_frame(1000)
        await peer.send(close(1000))
        assert await peer.raw_rest() == b""
        await until(lambda: server.open_sessions == 1)


async def test_61_what_a_handler_has_queued_when_it_returns_arrives() -> None:
    async def handler(session: Session) -> None:
        for number in range(200):
            await session.send(f"{number}".ljust(10_000))

    app = app_of(handler, slow_reader="close", outgoing_queue=1000, outgoing_queue_size=2**22)
    async with serving(app) as server, open_peer(server, receive_buffer=4096) as peer:
        await anyio.sleep(0.05)
        assert [int((await peer.frame()).payload) for _ in range(200)] == list(range(200))
        assert await peer.frame() == close_frame(1000)


# 62 to 66: closing


@pytest.mark.parametrize("how", ["silent", "talking"])
async def test_62_a_close_that_is_not_answered_ends_in_the_close_timeout(how: str) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.close(1000)

    async with serving(app_of(handler, close_timeout=0.1)) as server, open_peer(server) as peer:
        assert await peer.frame() == close_frame(1000)
        if how == "talking":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_talk_on, peer)
                await story.end()
                tasks.cancel_scope.cancel()
        assert await story.end() == ["returned"]
        assert story.reason == CloseReason(1000)
        await until(lambda: server.open_sessions == 1)


async def _talk_on(peer: Peer) -> None:
    try:
        while True:
            await peer.send(text("I do not listen"))
            await anyio.sleep(0.01)
    except OSError:
        pass


@on_sockets
@pytest.mark.parametrize("policy", ["suspend", "drop_oldest"])
async def test_63_closing_while_a_send_waits_ends_both(policy: str) -> None:
    story = Story()

    async def push(session: Session) -> None:
        try:
            while True:
                await session.send("x" * 65536)
                if policy != "suspend":
                    await anyio.lowlevel.checkpoint()
        except SessionClosed as error:
            story.seen.append(type(error))

    async def handler(session: Session) -> None:
        async with story.of(session):
            session.scope.launch(push, session)
            await until(lambda: session.statistics().unsent_bytes > 65536)
            await session.close(1000)

    app = app_of(handler, close_timeout=0.1, slow_reader=policy)
    async with serving(app) as server, open_peer(server, receive_buffer=4096):
        assert await story.end() == [SessionClosed, "returned"]
        await until(lambda: server.open_sessions == 1)


async def test_64_cancelling_a_send_leaves_whole_frames() -> None:
    async def handler(session: Session) -> None:
        while True:
            with anyio.move_on_after(0.05) as limit:
                while True:
                    await session.send("x" * 30_000)
            if limit.cancelled_caught:
                break
        await session.incoming.first()
        await session.send("the end")

    async with serving(app_of(handler)) as server, open_peer(server, receive_buffer=4096) as peer:
        await anyio.sleep(0.2)
        await peer.send(text("go on"))
        while (found := await peer.frame()) != text_frame("the end"):
            assert found == text_frame("x" * 30_000)
        assert await peer.frame() == close_frame(1000)


async def test_65_two_tasks_that_send_at_once_send_whole_frames_in_their_order() -> None:
    async def push(session: Session, name: str) -> None:
        for number in range(100):
            await session.send(f"{name}{number} ".ljust(5_000, name))

    async def handler(session: Session) -> None:
        jobs = [session.scope.launch(push, session, name) for name in "ab"]
        for job in jobs:
            await job

    async with serving(app_of(handler)) as server, open_peer(server, receive_buffer=4096) as peer:
        seen = [(await peer.frame()).payload.decode().split(" ")[0] for _ in range(200)]
        for name in "ab":
            assert [each for each in seen if each[0] == name] == [f"{name}{number}" for number in range(100)]


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        pytest.param(lambda peer: peer.send(close(1000)), SessionClosed, id="clean"),
        pytest.param(lambda peer: peer.send(close(1011)), SessionAborted, id="with an error"),
        pytest.param(lambda peer: peer.send(frame(0x83, b"")), SessionAborted, id="fault"),
    ],
)
async def test_66_a_send_after_the_end_is_session_closed(
    end: Callable[[Peer], Awaitable[None]], kind: type[SessionClosed]
) -> None:
    seen: list[BaseException] = []
    done = anyio.Event()

    async def handler(session: Session) -> None:
        await until(lambda: not session.is_open)
        for call in (lambda: session.send("late"), session.ping):
            try:
                await call()
            except Exception as error:
                seen.append(error)
        done.set()

    async with serving(app_of(handler, close_timeout=0.1)) as server, open_peer(server) as peer:
        await end(peer)
        with anyio.fail_after(BOUND):
            await done.wait()
    assert [type(error) for error in seen] == [kind, kind]


# Closes that cross


async def test_closes_that_cross_end_both_and_each_keeps_its_own_reason() -> None:
    story = Story()
    both_open = anyio.Event()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await both_open.wait()
            await session.close(4001, "server")

    async with serving(app_of(handler)) as server:
        with anyio.fail_after(BOUND):
            async with connect(ws(server)) as session:
                both_open.set()
                await session.close(4002, "client")
                assert session.close_reason == CloseReason(4002, "client")
            await story.end()
            assert story.reason in (CloseReason(4001, "server"), CloseReason(4002, "client"))
            await until(lambda: server.open_sessions == 1)


async def test_a_close_that_crosses_ours_on_the_wire_is_its_answer() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.first()
            await session.close(4001)

    async with serving(app_of(handler)) as server, open_peer(server) as peer:
        # Sent before the peer can have seen the server's.
        await peer.send(text("now"), close(4002))
        assert len(await peer.rest()) == 1
        await story.end()
        assert story.reason in (CloseReason(4001), CloseReason(4002))


async def test_a_peer_that_closes_while_the_server_drains_gets_one_close() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()

    # Nobody outlives this: there is no neighbour.
    async with handling(handler, drain_timeout=2.0) as server, open_peer(server) as peer:
        await until(lambda: server.open_sessions == 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.drain, 0.1)
            await peer.send(close(4000))
            found = await peer.rest()
        assert len(found) == 1
        assert await story.end() in (["returned"], [SessionAborted])


async def test_a_handler_that_closes_while_the_server_drains_closes_once() -> None:
    async def handler(session: Session) -> None:
        await session.incoming.collect()
        await session.close(4000)

    async with handling(handler) as server, open_peer(server) as peer:
        await until(lambda: server.open_sessions == 1)
        await server.drain(0)
        await peer.send(close(1001))
        assert await peer.rest() == [close_frame(1001)]


# 78: churn


async def test_78_sessions_that_end_in_any_way_leave_nothing() -> None:
    async def handler(session: Session) -> None:
        session.scope.launch(anyio.Event().wait)
        await session.incoming.collect(session.send)

    def sessions() -> int:
        gc.collect()
        return sum(isinstance(each, Session) for each in gc.get_objects())

    async with serving(app_of(handler, close_timeout=0.1)) as server:
        before = sessions()
        for number in range(60):
            async with open_peer(server) as peer:
                await peer.send(text("a"))
                await peer.frame()
                if number % 3 == 0:
                    peer.reset()
                elif number % 3 == 1:
                    await peer.send(close(1000))
                    await peer.rest()
        await until(lambda: server.open_sessions == 1)
        assert sessions() <= before + 1
