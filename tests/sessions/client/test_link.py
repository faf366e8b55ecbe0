"""A link: one session after another, as if they were one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import (
    Backoff,
    CloseReason,
    Connected,
    Connecting,
    HandshakeError,
    HandshakeRejected,
    Link,
    Request,
    Session,
    SessionAborted,
    SessionClosed,
    Stopped,
    Waiting,
    WebSocketConfig,
    coroutine_scope,
)
from flowsock.sessions.client.link_rules import LinkRules
from flowsock.sessions.scope import session_scope
from flowsock.sessions.terms import Terms
from flowsock.testing.clock import virtual_time
from tests.sessions.support import ManualClock, RecordingTransport, close, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

STEADY = Backoff(1.0, maximum=8.0, jitter=lambda: 1.0)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, Any]:
    return virtual_time(request.param)


class Line:
    """A way to sessions whose peers are in the test's hands."""

    def __init__(self, *refusals: Exception, **settings: Any) -> None:
        self.refusals = list(refusals)
        self.config = WebSocketConfig(**settings)
        self.sessions: list[Session[Any, Any]] = []
        self.transports: list[RecordingTransport] = []
        self.clocks: list[ManualClock] = []
        self.dialled: list[float] = []
        self.left = 0

    async def dial(self) -> Any:
        self.dialled.append(anyio.current_time())
        await anyio.lowlevel.checkpoint()
        if self.refusals:
            raise self.refusals.pop(0)
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Session[Any, Any]]:
        transport = RecordingTransport()
        terms = Terms(request=Request("GET", "/"), config=self.config)
        self.clocks.append(ManualClock())
        session = terms.session(transport, self.clocks[-1])
        self.transports.append(transport)
        self.sessions.append(session)
        try:
            async with session_scope(session) as scope:
                session.enter(scope)
                yield session
                scope.cancel()
        finally:
            session.leave()
            self.left += 1

    def receive(self, *data: bytes) -> None:
        """Let bytes arrive at the newest session, in one read."""
        self.sessions[-1].connection.data_received(b"".join(data))

    def lose(self) -> None:
        """Cut the newest session's line."""
        self.sessions[-1].connection.connection_lost(None)


class Bench:
    """A link over a line, what came through it, and its states."""

    def __init__(self, line: Line, link: Link[Any, Any]) -> None:
        self.line = line
        self.link = link
        self.seen: list[Any] = []
        self.states: list[Any] = []

    async def collect(self) -> None:
        try:
            await self.link.incoming.collect(self.seen.append)
            self.seen.append("completed")
        except Exception as error:
            self.seen.append(type(error))

    @property
    def kinds(self) -> list[str]:
        return [type(state).__name__ for state in self.states]


@asynccontextmanager
async def bench(line: Line, *, setup: Any = None, collects: bool = True, **rules: Any) -> AsyncIterator[Bench]:
    rules.setdefault("backoff", STEADY)
    async with coroutine_scope() as scope:
        link = Link[Any, Any](scope, line.dial, LinkRules(**rules), setup)
        made = Bench(line, link)
        link.state.on_each(made.states.append).launch_in(scope)
        if collects:
            scope.launch(made.collect)
        await anyio.wait_all_tasks_blocked()
        yield made
        scope.cancel()


settle = anyio.wait_all_tasks_blocked


# Coming back


async def test_messages_of_all_sessions_come_in_order() -> None:
    async with bench(Line()) as b:
        b.line.receive(text("a"), text("b"))
        b.line.lose()
        await settle()
        await anyio.sleep(1)
        await settle()
        b.line.receive(text("c"))
        assert b.seen == ["a", "b", "c"]
        assert b.kinds == ["Connecting", "Connected", "Waiting", "Connecting", "Connected"]
        assert b.line.left == 1


async def test_the_waits_grow_up_to_their_maximum() -> None:
    line = Line(*(ConnectionRefusedError() for _ in range(6)))
    async with bench(line):
        await anyio.sleep(40)
        start = line.dialled[0]
        assert [round(time - start, 6) for time in line.dialled] == [0, 1, 3, 7, 15, 23, 31]


async def test_jitter_draws_each_wait() -> None:
    draws = iter([0.5, 0.0, 0.25])
    line = Line(*(ConnectionRefusedError() for _ in range(3)))
    async with bench(line, backoff=Backoff(1.0, jitter=lambda: next(draws))):
        await anyio.sleep(10)
        start = line.dialled[0]
        assert [round(time - start, 6) for time in line.dialled] == [0, 0.5, 0.5, 1.5]


async def test_a_session_that_lasted_begins_the_waits_afresh() -> None:
    line = Line(ConnectionRefusedError(), ConnectionRefusedError())
    async with bench(line, stable_after=30) as b:
        await anyio.sleep(3)
        await settle()
        assert b.states[-3:] == [Waiting(2.0, b.states[-3].error), Connecting(3), Connected(line.sessions[0])]
        await anyio.sleep(31)
        line.lose()
        await settle()
        assert b.states[-1] == Waiting(1.0, b.states[-1].error)
        assert isinstance(b.states[-1].error, SessionAborted)
        await anyio.sleep(1)
        await settle()
        assert b.states[-2] == Connecting(1)


async def test_a_session_that_did_not_last_does_not() -> None:
    async with bench(Line(), stable_after=30) as b:
        for seconds in (1, 2, 4):
            b.line.lose()
            await settle()
            assert b.states[-1].seconds == seconds
            await anyio.sleep(seconds)
            await settle()
        assert b.states[-2] == Connecting(4)


async def test_a_long_wait_for_a_refusal_is_no_stable_session() -> None:
    line = Line(HandshakeError(), HandshakeError())

    async def slowly() -> Any:
        await anyio.sleep(60)
        return await line.dial()

    async with coroutine_scope() as scope:
        link = Link[Any, Any](scope, slowly, LinkRules(backoff=STEADY, attempts=2), None)
        await anyio.sleep(125)
        assert isinstance(link.state.value, Stopped)
        scope.cancel()


async def test_what_the_collector_has_not_taken_when_the_line_is_lost_comes_first() -> None:
    async with bench(Line(), collects=False) as b:
        b.line.receive(text("a"), text("b"), text("c"))
        b.line.lose()
        # Longer than the scope of a lost session lives.
        b.line.clocks[-1].advance(100)
        await anyio.sleep(100)
        assert len(b.line.sessions) == 1
        async with coroutine_scope() as scope:
            scope.launch(b.collect)
            await settle()
            assert b.seen == ["a", "b", "c"]
            await anyio.sleep(1)
            await settle()
            b.line.receive(text("d"))
            assert b.seen == ["a", "b", "c", "d"]
            scope.cancel()


async def test_nobody_collecting_stops_the_socket_from_being_read() -> None:
    async with bench(Line(incoming_queue=4), collects=False) as b:
        b.line.receive(*(text("x") for _ in range(6)))
        await settle()
        assert not b.line.transports[-1].is_reading()


# Setting up


async def test_a_session_is_set_up_before_anybody_may_send() -> None:
    may_go_on = anyio.Event()
    heard: list[str] = []

    async def setup(session: Session[Any, Any]) -> None:
        await session.send("login")
        heard.append(await session.incoming.first())
        await may_go_on.wait()

    async with bench(Line(), setup=setup) as b, coroutine_scope() as scope:
        job = scope.launch(b.link.send, "hello")
        await settle()
        b.line.receive(text("welcome"), text("first"))
        await settle()
        assert not job.is_completed
        assert b.kinds == ["Connecting"]
        may_go_on.set()
        await job
        assert [frame.payload for frame in b.line.transports[-1].frames] == [b"login", b"hello"]
        assert heard == ["welcome"]
        assert b.seen == ["first"]


async def test_every_session_is_set_up() -> None:
    setups: list[Any] = []
    async with bench(Line(), setup=setups.append) as b:
        b.line.lose()
        await anyio.sleep(1)
        await settle()
        assert setups == b.line.sessions
        assert len(setups) == 2


async def test_a_session_that_ends_while_it_is_set_up_is_followed_by_another() -> None:
    async def setup(session: Session[Any, Any]) -> None:
        await session.incoming.first()

    async with bench(Line(), setup=setup) as b:
        b.line.receive(close(1001))
        b.line.lose()
        await settle()
        assert isinstance(b.states[-1], Waiting)
        assert isinstance(b.states[-1].error, SessionClosed)


async def test_a_setup_that_fails_stops_the_link() -> None:
    def setup(_session: Session[Any, Any]) -> None:
        raise KeyError("no password")

    async with bench(Line(), setup=setup) as b:
        assert b.seen == [KeyError]
        assert isinstance(b.states[-1], Stopped)
        with pytest.raises(KeyError, match="no password"):
            await b.link.send("too late")
        assert b.line.left == 1


# Stopping


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1010])
async def test_a_fatal_code_is_raised(code: int) -> None:
    async with bench(Line()) as b:
        b.line.receive(text("a"), close(code, "why"))
        b.line.lose()
        await settle()
        assert b.seen == ["a", SessionAborted]
        state = b.states[-1]
        assert isinstance(state, Stopped)
        assert isinstance(state.error, SessionAborted)
        assert state.error.reason == CloseReason(code, "why")
        with pytest.raises(SessionAborted):
            await b.link.send("too late")
        await anyio.sleep(100)
        assert len(b.line.dialled) == 1


@pytest.mark.parametrize("code", [None, 1001, 1011, 1012, 1013, 4001])
async def test_any_other_code_is_not_final(code: int | None) -> None:
    async with bench(Line()) as b:
        b.line.receive(close(code))
        b.line.lose()
        await anyio.sleep(1)
        await settle()
        assert b.seen == []
        assert len(b.line.sessions) == 2


async def test_a_code_of_ones_own_may_be_final() -> None:
    async with bench(Line(), stop_codes={4001}) as b:
        b.line.receive(close(1008))
        b.line.lose()
        await anyio.sleep(1)
        await settle()
        b.line.receive(close(4001))
        b.line.lose()
        await settle()
        assert b.seen == [SessionAborted]


async def test_a_normal_close_completes() -> None:
    async with bench(Line()) as b:
        b.line.receive(close(1000))
        b.line.lose()
        await settle()
        assert b.seen == ["completed"]
        with pytest.raises(SessionClosed):
            await b.link.send("too late")


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (HandshakeRejected(401, {}, b""), True),
        (HandshakeRejected(403, {}, b""), True),
        (HandshakeRejected(404, {}, b""), True),
        (HandshakeRejected(503, {}, b""), False),
        (HandshakeRejected(429, {}, b""), False),
        (HandshakeError(), False),
        (ConnectionRefusedError(), False),
        (TimeoutError(), False),
        (ValueError(), True),
        (RuntimeError(), True),
    ],
    ids=repr,
)
async def test_what_stops_before_a_session_is_there(error: Exception, final: bool) -> None:
    async with bench(Line(error)) as b:
        assert b.seen == ([type(error)] if final else [])
        await anyio.sleep(1)
        await settle()
        assert len(b.line.dialled) == (1 if final else 2)


async def test_the_last_attempt_raises_its_error() -> None:
    line = Line(*(ConnectionRefusedError(number) for number in range(5)))
    async with bench(line, attempts=3) as b:
        await anyio.sleep(100)
        assert len(line.dialled) == 3
        assert b.seen == [ConnectionRefusedError]
        assert b.states[-1].error.args == (2,)


async def test_a_thousand_failures_leave_nothing() -> None:
    line = Line(*(ConnectionRefusedError() for _ in range(1000)))
    async with bench(line) as b:
        await anyio.sleep(8 * 1000)
        await settle()
        b.line.receive(text("at last"))
        assert b.seen == ["at last"]


# Sending


async def test_send_waits_for_the_next_session() -> None:
    async with bench(Line()) as b, coroutine_scope() as scope:
        await b.link.send("a")
        b.line.lose()
        await settle()
        jobs = [scope.launch(b.link.send, message) for message in "bc"]
        await settle()
        assert not any(job.is_completed for job in jobs)
        await anyio.sleep(1)
        for job in jobs:
            await job
        assert [frame.payload for frame in b.line.transports[0].frames] == [b"a"]
        assert sorted(frame.payload for frame in b.line.transports[1].frames) == [b"b", b"c"]


async def test_a_send_that_waits_can_be_cancelled_and_is_then_not_sent() -> None:
    async with bench(Line(ConnectionRefusedError())) as b:
        with anyio.move_on_after(0.5) as scope:
            await b.link.send("never")
        assert scope.cancelled_caught
        await anyio.sleep(1)
        await settle()
        assert b.line.transports[-1].frames == []


async def test_a_send_that_waits_raises_when_the_link_stops() -> None:
    line = Line(ConnectionRefusedError(), HandshakeRejected(403, {}, b""))
    async with bench(line) as b:
        with pytest.raises(HandshakeRejected):
            await b.link.send("never")


async def test_a_send_that_waits_for_a_slow_peer_raises_when_that_session_ends() -> None:
    async with bench(Line()) as b:
        b.line.sessions[-1].connection.pause_writing()
        pending = b.link.send("perhaps")
        b.line.lose()
        with pytest.raises(SessionAborted):
            await pending


# The end


async def test_closing_while_waiting_stops_at_once() -> None:
    async with bench(Line(ConnectionRefusedError())) as b:
        await b.link.close()
        await settle()
        assert b.seen == ["completed"]
        await b.link.close()
        await anyio.sleep(100)
        assert len(b.line.dialled) == 1
        with pytest.raises(SessionClosed):
            await b.link.send("too late")
        assert repr(b.link).startswith("<Link Stopped(")


async def test_closing_while_connecting_stops_at_once() -> None:
    async def setup(_session: Session[Any, Any]) -> None:
        await anyio.sleep_forever()

    async with bench(Line(), setup=setup) as b:
        await b.link.close()
        await settle()
        assert b.seen == ["completed"]
        assert b.line.left == 1


async def test_a_bad_code_closes_nothing() -> None:
    async with bench(Line()) as b:
        with pytest.raises(ValueError, match="must not be sent"):
            await b.link.close(1005)
        assert isinstance(b.link.state.value, Connected)


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0, 1.5])
async def test_cancelling_leaves_nothing_running(moment: float) -> None:
    line = Line(ConnectionRefusedError())
    with anyio.move_on_after(moment):
        async with bench(line):
            await anyio.sleep_forever()
    assert line.left == len(line.sessions)


def test_rules_are_checked() -> None:
    with pytest.raises(ValueError, match="'stable_after' must be >= 0"):
        LinkRules(stable_after=-1)
    with pytest.raises(ValueError, match="'attempts' must be >= 1"):
        LinkRules(attempts=0)
