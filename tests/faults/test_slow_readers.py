"""Peers that do not read, by the numbers of the list of faults: memory is bounded, and a healthy session does not notice."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from flowsock import App, BufferOverflow, Emitter, MutableSharedFlow, Session, SessionAborted, SessionClosed, as_flow
from tests.faults.support import memory_within, serving
from tests.sessions.conftest import SOCKETS
from tests.sessions.support import BOUND, Story, close, close_frame, failures, open_peer, text, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flowsock import Server

# A source that is busy without end would make time stand still, where it is not real.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", SOCKETS, indirect=True)]

SIZE = 65_536
LOSSY = ["drop_oldest", "drop_latest", "conflate"]


def message(number: int) -> str:
    """Make a message that shares its memory with no other."""
    return f"{number} ".ljust(SIZE, "x")


class Pusher:
    """A handler that sends as fast as it may, and tells of its end."""

    def __init__(self) -> None:
        self.story = Story()
        self.sent = 0

    async def __call__(self, session: Session) -> None:
        async with self.story.of(session):
            for number in itertools.count():
                await session.send(message(number))
                self.sent += 1
                if number % 8 == 0:
                    # A fast source, not one that leaves no time for anything else.
                    await anyio.lowlevel.checkpoint()

    @property
    def statistics(self) -> Any:
        return self.story.session.statistics()


@asynccontextmanager
async def pushing(**settings: Any) -> AsyncIterator[tuple[Server, Pusher]]:
    app, pusher = App(), Pusher()
    app.websocket("/", **settings)(pusher)
    async with serving(app) as server:
        yield server, pusher


# 55: a peer that never reads


async def test_55_a_sender_waits_for_a_peer_that_does_not_read_and_is_then_told() -> None:
    async with pushing(send_timeout=0.5, close_timeout=0.1) as (server, pusher):
        with memory_within(4):
            async with open_peer(server, receive_buffer=4096):
                assert await pusher.story.end() == [SessionAborted]
        assert pusher.story.reason is not None
        assert pusher.story.reason.code == 1013
        await until(lambda: server.open_sessions == 1)
        assert pusher.statistics.dropped == 0
        assert pusher.statistics.unsent_bytes == 0


@pytest.mark.parametrize("policy", LOSSY)
async def test_55_a_peer_that_does_not_read_loses_messages_and_then_its_session(
    policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with pushing(slow_reader=policy, send_timeout=0.5, close_timeout=0.1) as (server, pusher):
        with memory_within(6):
            async with open_peer(server, receive_buffer=4096):
                await until(lambda: pusher.statistics.dropped > 100)
                assert pusher.statistics.unsent <= 16
                assert pusher.statistics.unsent_bytes <= 2**20 + 3 * SIZE
                assert await pusher.story.end() in ([SessionAborted], ["cancelled"])
        assert pusher.story.reason is not None
        assert pusher.story.reason.code == 1013
        await until(lambda: server.open_sessions == 1)
        assert pusher.statistics.messages_sent + pusher.statistics.dropped <= pusher.sent
    assert failures(caplog) == []


async def test_55_close_ends_the_session_when_its_queue_is_full() -> None:
    async with pushing(slow_reader="close", send_timeout=30.0, close_timeout=0.1) as (server, pusher):
        with memory_within(6):
            async with open_peer(server, receive_buffer=4096):
                assert await pusher.story.end() == [SessionAborted]
        assert str(pusher.story.reason) == "1013 (TRY_AGAIN_LATER): the peer did not catch up with a full queue"
        assert pusher.statistics.dropped == 0


@pytest.mark.parametrize("policy", ["suspend", *LOSSY, "close"])
async def test_55_a_room_does_not_wait_for_the_one_who_does_not_read(policy: str) -> None:
    app = App()
    news: MutableSharedFlow[str] = MutableSharedFlow()

    async def member(session: Session) -> None:
        own = news.buffer(16, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
        own.on_each(session.send).launch_in(session.scope)
        await session.incoming.collect()

    app.websocket("/slow", slow_reader=policy, send_timeout=0.5, close_timeout=0.1)(member)
    app.websocket("/fast")(member)
    async with serving(app) as server, open_peer(server, "/fast") as fast, open_peer(server, "/slow", receive_buffer=4096):
        await until(lambda: news.subscription_count.value == 2)
        with memory_within(8):
            for number in range(300):
                with anyio.fail_after(BOUND):
                    await news.emit(message(number))
                assert (await fast.frame()).payload.startswith(f"{number} ".encode())
        await until(lambda: server.open_sessions == 2)


# 56: a peer that reads slowly


@pytest.mark.parametrize("policy", LOSSY)
async def test_56_a_peer_that_reads_a_little_keeps_its_session_and_gets_whole_messages(policy: str) -> None:
    async with pushing(slow_reader=policy, close_timeout=0.1) as (server, pusher):
        with memory_within(8):
            async with open_peer(server, receive_buffer=4096) as peer:
                seen: list[int] = []
                await until(lambda: pusher.statistics.dropped > 10)
                for _ in range(60):
                    found = await peer.frame()
                    number = int(found.payload.split()[0])
                    assert found.payload == message(number).encode()
                    seen.append(number)
                    await anyio.sleep(0.01)
                assert pusher.story.session.is_open
                assert seen == sorted(seen)
                assert len(set(seen)) == 60
        await pusher.story.end()


async def test_56_a_peer_that_catches_up_in_time_loses_nothing() -> None:
    story = Story()

    async def burst(session: Session) -> None:
        async with story.of(session):
            for number in range(100):
                await session.send(message(number))

    app = App()
    app.websocket("/", slow_reader="close", outgoing_queue_size=100 * SIZE)(burst)
    async with serving(app) as server, open_peer(server, receive_buffer=4096) as peer:
        await anyio.sleep(0.1)
        assert [int((await peer.frame()).payload.split()[0]) for _ in range(100)] == list(range(100))
        assert await peer.frame() == close_frame(1000)
        assert story.session.statistics().dropped == 0


async def test_56_the_app_counts_what_its_sessions_lost() -> None:
    app, pusher = App(), Pusher()
    app.websocket("/", slow_reader="conflate", send_timeout=0.3, close_timeout=0.1)(pusher)
    async with serving(app) as server, open_peer(server, receive_buffer=4096):
        await until(lambda: pusher.statistics.dropped > 10)
        assert app.statistics().dropped >= 10
        await pusher.story.end()
        await until(lambda: server.open_sessions == 1)
        assert app.statistics().dropped == pusher.statistics.dropped


# A handler that makes far more of a message than it got


async def test_a_pipeline_that_multiplies_what_it_reads_is_bounded_too() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.flat_map_concat(lambda _text: _many()).collect(session.send)

    app = App()
    app.websocket("/", send_timeout=0.5, close_timeout=0.1)(handler)
    async with serving(app) as server:
        with memory_within(6):
            async with open_peer(server, receive_buffer=4096) as peer:
                await peer.send(text("go"))
                assert await story.end() == [SessionAborted]


def _many() -> Any:
    return as_flow(range(2000)).map(message)


async def test_a_multiplying_stage_inside_one_read_is_bounded_too() -> None:
    story = Story()

    async def multiply(emit: Emitter[str], _text: object) -> None:
        for number in range(2000):
            await emit(message(number))

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.transform(multiply).collect(session.send)

    app = App()
    app.websocket("/", send_timeout=0.5, close_timeout=0.1)(handler)
    async with serving(app) as server:
        with memory_within(6):
            async with open_peer(server, receive_buffer=4096) as peer:
                await peer.send(text("go"))
                assert await story.end() == [SessionAborted]


# 67: joining and leaving in the middle of a broadcast


async def test_67_who_joins_or_leaves_in_the_middle_skips_and_doubles_nothing() -> None:
    app = App()
    news: MutableSharedFlow[str] = MutableSharedFlow()

    @app.websocket("/")
    async def member(session: Session) -> None:
        news.on_each(session.send).launch_in(session.scope)
        await session.incoming.collect()

    async def come_and_go(server: Server) -> None:
        while True:
            async with open_peer(server) as peer:
                await peer.frame()
                peer.reset()

    async with serving(app) as server, open_peer(server) as steady, anyio.create_task_group() as tasks:
        await until(lambda: news.subscription_count.value == 1)
        for _ in range(3):
            tasks.start_soon(come_and_go, server)
        for number in range(300):
            with anyio.fail_after(BOUND):
                await news.emit(str(number))
                await anyio.sleep(0.001)
        assert [int((await steady.frame()).payload) for _ in range(300)] == list(range(300))
        tasks.cancel_scope.cancel()


# 68: replay larger than the collector's buffer


async def test_68_a_replay_that_is_larger_than_what_a_session_takes_at_once_does_not_deadlock() -> None:
    app = App()
    news: MutableSharedFlow[str] = MutableSharedFlow(replay=100)

    @app.websocket("/", outgoing_high_water=1024)
    async def member(session: Session) -> None:
        await news.buffer(1).collect(session.send)

    async with serving(app) as server:
        for number in range(100):
            await news.emit(message(number))
        async with open_peer(server, receive_buffer=4096) as peer:
            for number in range(100):
                assert int((await peer.frame()).payload.split()[0]) == number


# A send that waits is told of every end


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_send_that_waits_is_told_when_the_peer_goes(how: str) -> None:
    async with pushing(send_timeout=30.0, close_timeout=0.1) as (server, pusher):
        async with open_peer(server, receive_buffer=4096) as peer:
            await until(lambda: pusher.statistics.unsent_bytes > SIZE)
            if how == "reset":
                peer.reset()
            else:
                await peer.send(close(1000))
            (seen,) = await pusher.story.end()
            assert seen is (SessionAborted if how == "reset" else SessionClosed)
        await until(lambda: server.open_sessions == 1)
