"""Pings that somebody awaits, and settings that change while a session is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import CloseReason, Session, SessionAborted, SessionClosed, connect
from flowsock.sessions.connection.keepalive import Keepalive
from tests.sessions.support import BOUND, PING, PONG, Bench, Frame, close, handling, open_peer, text, ws
from tests.wire.support import frame

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


def pong(payload: bytes) -> bytes:
    return frame(PONG, payload)


class Callers:
    """Tasks that call `Connection.ping`, and what came out of it, in order."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.seen: list[Any] = []

    async def call(self, name: str) -> None:
        try:
            self.seen.append((name, await self.bench.connection.ping()))
        except (SessionClosed, TimeoutError) as error:
            self.seen.append((name, type(error)))


async def test_ping_gives_the_seconds_until_the_pong() -> None:
    bench = Bench()
    callers = Callers(bench)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(callers.call, "a")
        await anyio.wait_all_tasks_blocked()
        (sent,) = bench.frames
        assert sent.first == PING
        bench.clock.advance(0.25)
        bench.receive(pong(b"not this"))
        await anyio.wait_all_tasks_blocked()
        assert callers.seen == []
        bench.receive(pong(sent.payload))
    assert callers.seen == [("a", 0.25)]
    assert bench.connection.statistics().ping_round_trip == 0.25


async def test_each_of_several_pings_gets_its_own_pong() -> None:
    bench = Bench()
    callers = Callers(bench)
    async with anyio.create_task_group() as tasks:
        for name in "ab":
            tasks.start_soon(callers.call, name)
            await anyio.wait_all_tasks_blocked()
            bench.clock.advance(1)
        first, second = bench.frames
        bench.receive(pong(first.payload))
        await anyio.wait_all_tasks_blocked()
        assert callers.seen == [("a", 2.0)]
        bench.clock.advance(1)
        bench.receive(pong(second.payload))
    assert callers.seen == [("a", 2.0), ("b", 2.0)]


async def test_a_pong_answers_the_earlier_pings_too() -> None:
    bench = Bench()
    callers = Callers(bench)
    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(callers.call, name)
            await anyio.wait_all_tasks_blocked()
        bench.receive(pong(bench.frames[1].payload))
        await anyio.wait_all_tasks_blocked()
        assert sorted(callers.seen) == [("a", 0.0), ("b", 0.0)]
        bench.receive(pong(bench.frames[2].payload))
    assert len(callers.seen) == 3


async def test_the_pong_of_a_keepalive_answers_a_ping_that_was_sent_before_it() -> None:
    bench = Bench(ping_interval=20)
    keepalive = Keepalive(bench.clock)
    keepalive.add(bench.connection)
    callers = Callers(bench)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(callers.call, "a")
        await anyio.wait_all_tasks_blocked()
        bench.clock.advance(25)
        assert len(bench.frames) == 2
        bench.receive(pong(bench.frames[1].payload))
    assert callers.seen == [("a", 25.0)]


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (lambda bench: bench.receive(close(1000)), SessionClosed),
        (lambda bench: bench.connection.close(CloseReason(1000)), SessionClosed),
        (lambda bench: bench.connection.connection_lost(None), SessionAborted),
    ],
    ids=["theirs", "ours", "lost"],
)
async def test_ping_raises_when_the_session_ends(end: Callable[[Bench], None], kind: type[SessionClosed]) -> None:
    bench = Bench()
    callers = Callers(bench)
    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(callers.call, "a")
            await anyio.wait_all_tasks_blocked()
            end(bench)
    assert callers.seen == [("a", kind)]
    await callers.call("b")
    assert callers.seen[1:] == [("b", kind)]


async def test_a_ping_without_an_answer_times_out_and_the_session_lives() -> None:
    bench = Bench(ping_timeout=0.02)
    callers = Callers(bench)
    await callers.call("a")
    assert callers.seen == [("a", TimeoutError)]
    assert bench.connection.is_open
    bench.receive(pong(bench.frames[0].payload))
    assert bench.connection.statistics().ping_round_trip is None


async def test_a_cancelled_ping_leaves_nothing() -> None:
    bench = Bench()
    for _ in range(3):
        with anyio.move_on_after(0):
            await bench.connection.ping()
    bench.receive(pong(bench.frames[-1].payload))
    assert bench.connection.statistics().ping_round_trip is None


def test_a_peer_that_talks_and_never_answers_pings_costs_no_memory() -> None:
    bench = Bench(ping_interval=20)
    Keepalive(bench.clock).add(bench.connection)
    for _ in range(50):
        bench.receive(text("alive"))
        bench.clock.advance(25)
    pings = bench.frames
    assert len(pings) > 20
    bench.receive(pong(pings[-2].payload))
    assert bench.connection.statistics().ping_round_trip is None
    bench.receive(pong(pings[-1].payload))
    assert bench.connection.statistics().ping_round_trip is not None


async def test_both_ends_measure_their_round_trip() -> None:
    trips: list[float] = []

    async def handler(session: Session) -> None:
        trips.append(await session.ping())
        await session.incoming.collect()

    async with handling(handler) as server, connect(ws(server)) as session:
        with anyio.fail_after(BOUND):
            trips.extend([await session.ping(), await session.ping()])
        assert session.statistics().ping_round_trip == trips[-1]
    assert len(trips) == 3
    assert all(0 <= trip < BOUND for trip in trips)


# Settings of an open session


def test_a_new_interval_holds_at_once() -> None:
    bench = Bench(ping_interval=None)
    keepalive = Keepalive(bench.clock)
    keepalive.add(bench.connection)
    bench.clock.advance(100)
    assert bench.frames == []
    bench.connection.configure(bench.config.changed({"ping_interval": 0.5, "ping_timeout": 1.0}))
    bench.clock.advance(0.6)
    assert [found.first for found in bench.frames] == [PING]
    bench.connection.configure(bench.config)
    bench.clock.advance(100)
    assert len(bench.frames) == 1
    assert bench.clock.pending == 0


def test_a_shorter_interval_does_not_wait_for_the_next_tick_of_the_longer() -> None:
    bench = Bench(ping_interval=20)
    Keepalive(bench.clock).add(bench.connection)
    bench.connection.configure(bench.config.changed({"ping_interval": 0.01}))
    bench.clock.advance(0.02)
    assert len(bench.frames) == 1


def test_a_connection_that_is_tended_no_more_is_not_tended_again_by_a_change() -> None:
    bench = Bench(ping_interval=20)
    keepalive = Keepalive(bench.clock)
    keepalive.add(bench.connection)
    keepalive.discard(bench.connection)
    bench.connection.configure(bench.config.changed({"ping_interval": 1}))
    assert bench.clock.pending == 0


def test_a_new_size_limit_holds_from_the_next_frame_on() -> None:
    bench = Bench(max_message_size=10)
    bench.connection.configure(bench.config.changed({"max_message_size": 20}))
    bench.receive(text("x" * 20))
    assert bench.connection.is_open
    bench.connection.configure(bench.connection.config.changed({"max_message_size": 5}))
    bench.receive(text("x" * 6))
    assert bench.code == 1009


def test_a_new_limit_of_fragments_holds_too() -> None:
    bench = Bench()
    bench.connection.configure(bench.config.changed({"max_fragments": 1}))
    bench.receive(frame(0x01, b"a"), frame(0x80, b"b"))
    assert bench.code == 1009


def test_a_longer_incoming_queue_reads_on() -> None:
    bench = Bench(incoming_queue=1)
    bench.receive(text("a"))
    assert not bench.transport.is_reading()
    bench.connection.configure(bench.config.changed({"incoming_queue": 8}))
    assert bench.transport.is_reading()


def test_a_new_high_water_mark_reaches_the_transport() -> None:
    bench = Bench()
    bench.connection.configure(bench.config.changed({"outgoing_high_water": 1000}))
    assert bench.transport.high_water == 1000


async def test_a_handler_changes_its_own_session_only() -> None:
    async def handler(session: Session) -> None:
        session.configure(max_message_size=3)
        assert session.config.max_message_size == 3
        await session.send("ready")
        await session.incoming.collect(session.send)

    async with handling(handler) as server, open_peer(server) as peer:
        await peer.frame()
        await peer.send(text("abc"))
        assert (await peer.frame()).payload == b"abc"
        await peer.send(text("abcd"))
        found = await peer.frame()
        assert found == Frame(0x88, (1009).to_bytes(2) + b"message longer than 3 bytes")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"ping_intervall": 1}, TypeError),
        ({"ping_interval": -1}, ValueError),
        ({"slow_reader": "conflate"}, ValueError),
        ({"origins": "*"}, ValueError),
        ({"subprotocols": ["chat"]}, ValueError),
    ],
)
def test_a_setting_that_is_fixed_or_wrong_is_refused(settings: dict[str, Any], error: type[Exception]) -> None:
    bench = Bench()
    with pytest.raises(error):
        bench.config.changed(settings)
