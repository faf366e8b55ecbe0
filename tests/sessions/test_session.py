"""A session and its scope, between a recording transport and a clock that stands still."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import CloseReason, Request, Session, SessionAborted, WebSocketConfig
from flowsock.sessions.scope import session_scope
from flowsock.sessions.terms import Terms
from tests.sessions.support import ManualClock, RecordingTransport, close, close_frame, text, text_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flowsock import Scope

pytestmark = pytest.mark.anyio


def is_active(scope: Scope) -> bool:
    return scope.is_active


class Stage:
    """A session whose peer and time are in the test's hands."""

    def __init__(self, **settings: Any) -> None:
        self.transport = RecordingTransport()
        self.clock = ManualClock()
        terms = Terms(request=Request("GET", "/here"), config=WebSocketConfig(**settings))
        self.session: Session[Any, Any] = Session(terms, self.transport, self.clock, terms.codec())
        self.seen: list[Any] = []

    @asynccontextmanager
    async def scope(self) -> AsyncIterator[Scope]:
        async with session_scope(self.session) as scope:
            self.session.enter(scope)
            try:
                yield scope
            finally:
                self.session.leave()

    def receive(self, *data: bytes) -> None:
        self.session.connection.data_received(b"".join(data))

    async def settle(self) -> None:
        for _ in range(5):
            await anyio.wait_all_tasks_blocked()


async def test_a_scope_whose_peer_goes_is_cancelled_a_second_later_if_nobody_collects() -> None:
    stage = Stage()
    async with stage.scope() as scope:
        stage.receive(close(1000))
        stage.clock.advance(0.9)
        assert is_active(scope)
        stage.clock.advance(0.1)
        assert not is_active(scope)
        await anyio.sleep_forever()
    assert stage.clock.pending == 1  # of the connection, until its transport is gone


async def test_a_collector_that_is_through_does_not_count_when_the_peer_goes_later() -> None:
    stage = Stage(close_timeout=10)
    async with stage.scope() as scope:
        stage.receive(text("a"))
        assert await stage.session.incoming.first() == "a"
        stage.receive(close(1000))
        stage.clock.advance(1)
        assert not is_active(scope)


async def test_whoever_begins_to_collect_in_that_second_gets_the_close_timeout() -> None:
    stage = Stage(close_timeout=10)
    async with stage.scope() as scope:
        stage.receive(close(1000))
        assert await stage.session.incoming.to_list() == []
        stage.clock.advance(9)
        assert is_active(scope)
        stage.clock.advance(2)
        assert not is_active(scope)


async def test_a_collector_gets_the_close_timeout() -> None:
    stage = Stage(close_timeout=10)
    async with stage.scope() as scope:
        scope.launch(stage.session.incoming.collect, stage.seen.append)
        await stage.settle()
        stage.receive(text("a"), close(1000))
        await stage.settle()
        assert stage.seen == ["a"]
        stage.clock.advance(9.9)
        assert is_active(scope)
        stage.clock.advance(0.1)
        assert not is_active(scope)


async def test_unread_messages_get_the_close_timeout() -> None:
    stage = Stage(close_timeout=10)
    async with stage.scope() as scope:
        stage.receive(text("a"), close(1000))
        stage.clock.advance(9.9)
        assert is_active(scope)
        assert await stage.session.incoming.to_list() == ["a"]
        stage.clock.advance(0.1)
        assert not is_active(scope)


async def test_our_own_close_does_not_cancel_the_scope() -> None:
    stage = Stage(close_timeout=10)
    async with stage.scope() as scope:
        stage.session.connection.close(CloseReason(1000))
        stage.session.connection.connection_lost(None)
        stage.clock.advance(1000)
        assert is_active(scope)


async def test_a_scope_that_ended_is_not_cancelled_again() -> None:
    stage = Stage(close_timeout=10)
    async with stage.scope():
        stage.receive(close(1000))
    stage.session.connection.connection_lost(None)
    assert stage.clock.pending == 0


async def test_a_peer_that_went_before_the_handler_began_is_noticed() -> None:
    stage = Stage()
    stage.session.connection.connection_lost(None)
    async with stage.scope() as scope:
        stage.clock.advance(1)
        assert not is_active(scope)


async def test_a_message_is_dispatched_and_answered_inside_the_read() -> None:
    stage = Stage()
    async with stage.scope() as scope:
        scope.launch(stage.session.incoming.map("re: {}".format).collect, stage.session.send)
        await stage.settle()
        stage.receive(text("a"), text("b"))
        assert stage.transport.frames == [text_frame("re: a"), text_frame("re: b")]
        assert len(stage.transport.writes) == 1
        scope.cancel()


async def test_what_one_read_causes_is_gathered_but_not_without_bound() -> None:
    stage = Stage(outgoing_high_water=1000)

    def multiply(message: str) -> None:
        for _ in range(10):
            stage.session.send(message * 100)

    async with stage.scope() as scope:
        stage.session.incoming.on_each(multiply).launch_in(scope)
        await stage.settle()
        stage.receive(text("abc"), text("def"))
        sizes = [len(data) for data in stage.transport.writes]
        assert sum(sizes) == 20 * (4 + 300)
        assert len(sizes) < 20
        assert max(sizes) <= 1000 + 4 + 300
        scope.cancel()


async def test_reading_pauses_for_a_busy_collector_and_resumes_when_it_has_caught_up() -> None:
    stage = Stage(incoming_queue=4)
    gate = anyio.Event()

    async def slow(message: str) -> None:
        await gate.wait()
        stage.seen.append(message)

    async with stage.scope() as scope:
        scope.launch(stage.session.incoming.collect, slow)
        await stage.settle()
        stage.receive(*(text(f"{number}") for number in range(5)))
        assert not stage.transport.is_reading()
        assert stage.session.statistics().queued == 4
        gate.set()
        await stage.settle()
        assert stage.transport.is_reading()
        assert stage.seen == ["0", "1", "2", "3", "4"]
        scope.cancel()


async def test_taking_one_message_at_a_time_reads_on() -> None:
    stage = Stage(incoming_queue=2)
    async with stage.scope():
        stage.receive(text("1"), text("2"))
        assert not stage.transport.is_reading()
        assert await stage.session.incoming.first() == "1"
        assert stage.transport.is_reading()
        stage.receive(text("3"))
        assert await stage.session.incoming.take(2).to_list() == ["2", "3"]


async def test_each_message_goes_to_one_of_several_collectors() -> None:
    stage = Stage()
    others: list[str] = []
    async with stage.scope() as scope:
        scope.launch(stage.session.incoming.collect, stage.seen.append)
        scope.launch(stage.session.incoming.collect, others.append)
        await stage.settle()
        stage.receive(*(text(f"{number}") for number in range(10)))
        await stage.settle()
        assert sorted(stage.seen + others) == [f"{number}" for number in range(10)]
        scope.cancel()


async def test_a_buffer_below_incoming_takes_what_the_collector_cannot_yet_and_nothing_is_lost() -> None:
    stage = Stage(incoming_queue=4)
    gate = anyio.Event()

    async def slow(message: str) -> None:
        await gate.wait()
        stage.seen.append(message)

    async with stage.scope() as scope:
        scope.launch(stage.session.incoming.buffer(3).collect, slow)
        await stage.settle()
        # One is with the collector, three in the buffer, one waits to get there, four in the queue.
        stage.receive(*(text(f"{number}") for number in range(9)))
        await stage.settle()
        assert stage.session.statistics().queued == 4
        assert not stage.transport.is_reading()
        stage.receive(close(1000))
        gate.set()
        await stage.settle()
        assert stage.seen == [f"{number}" for number in range(9)]
        scope.cancel()


async def test_a_conflated_collector_gets_the_latest_and_reading_never_pauses() -> None:
    stage = Stage(incoming_queue=4)
    gate = anyio.Event()

    async def slow(message: str) -> None:
        await gate.wait()
        stage.seen.append(message)

    async with stage.scope() as scope:
        scope.launch(stage.session.incoming.conflate().collect, slow)
        await stage.settle()
        for number in range(20):
            stage.receive(text(f"{number}"))
        assert stage.transport.is_reading()
        gate.set()
        await stage.settle()
        assert stage.seen == ["0", "19"]
        scope.cancel()


@pytest.mark.parametrize("lost", [False, True])
async def test_the_end_passes_through_a_buffer(lost: bool) -> None:
    stage = Stage()
    async with stage.scope() as scope:
        job = scope.launch(stage.session.incoming.buffer(3).collect, stage.seen.append)
        await stage.settle()
        stage.receive(text("a"))
        if lost:
            stage.session.connection.connection_lost(None)
        else:
            stage.receive(close(1000))
        await job.join()
        assert stage.seen == ["a"]
        assert (job.error is not None) is lost


async def test_a_pipeline_may_close_the_session() -> None:
    stage = Stage()

    async def quit_or_note(message: str) -> None:
        if message == "quit":
            await stage.session.close(1000, "as you wish")
        else:
            stage.seen.append(message)

    async with stage.scope() as scope:
        job = scope.launch(stage.session.incoming.collect, quit_or_note)
        await stage.settle()
        stage.receive(text("a"), text("quit"), text("b"))
        await stage.settle()
        assert stage.transport.frames == [close_frame(1000, "as you wish")]
        stage.receive(text("late"), close(1000))
        assert stage.transport.calls == ["close"]
        stage.session.connection.connection_lost(None)
        await job
        assert stage.seen == ["a", "b"]


async def test_a_failing_collector_keeps_what_it_did_not_take() -> None:
    stage = Stage()

    def refuse(message: str) -> None:
        raise RuntimeError(message)

    async with stage.scope():
        stage.receive(text("1"), text("2"))
        with pytest.raises(RuntimeError, match="1"):
            await stage.session.incoming.collect(refuse)
        assert await stage.session.incoming.first() == "2"


async def test_a_collector_that_fails_while_being_dispatched_to_fails_in_its_own_task() -> None:
    stage = Stage()

    def refuse(message: str) -> None:
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="1"):
        async with stage.scope() as scope:
            scope.launch(stage.session.incoming.collect, refuse)
            await stage.settle()
            stage.receive(text("1"), text("2"))
            assert stage.session.is_open
            await anyio.sleep_forever()


async def test_a_job_that_ends_because_the_session_is_over_is_no_failure() -> None:
    stage = Stage()
    async with stage.scope() as scope:
        job = scope.launch(stage.session.incoming.collect)
        await stage.settle()
        stage.session.connection.connection_lost(None)
        await job.join()
        await anyio.lowlevel.checkpoint()
        assert is_active(scope)
        assert isinstance(job.error, SessionAborted)


async def test_the_end_of_another_session_is_a_failure() -> None:
    stage, other = Stage(), Stage()
    with pytest.raises(SessionAborted):
        async with stage.scope() as scope, other.scope():
            other.session.connection.connection_lost(None)
            scope.launch(other.session.send, "late")
            await anyio.sleep_forever()


async def test_statistics_and_repr_tell_what_is_going_on() -> None:
    stage = Stage()
    assert repr(stage.session) == "<Session '/here' open>"
    stage.receive(text("a"))
    assert stage.session.statistics().queued == 1
    stage.receive(close(1000, "bye"))
    assert repr(stage.session) == "<Session '/here' closed: 1000 (NORMAL): bye>"
    assert stage.transport.frames == [close_frame(1000, "bye")]
