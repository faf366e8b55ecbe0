"""One connection between a transport that records and a clock that stands still."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from flowsock.codecs.translation import translations
from flowsock.emitting import FAIR_TURN, READY, TURN
from flowsock.errors import SessionAborted, SessionClosed
from flowsock.sessions.connection.keepalive import Keepalive
from flowsock.wire.close import CloseCode, CloseReason
from tests.sessions.support import (
    BINARY,
    BOUND,
    PING,
    PONG,
    Bench,
    Frame,
    ManualClock,
    close,
    close_frame,
    text,
    text_frame,
)
from tests.wire.support import frame


def ping(payload: bytes) -> bytes:
    return frame(PING, payload)


def received(bench: Bench) -> list[object]:
    """Take all messages that wait."""
    messages: list[object] = []
    while len(bench.connection.messages):
        messages.append(bench.connection.messages.poll())
    return messages


# Messages


def test_messages_are_written_as_frames_at_once() -> None:
    bench = Bench()
    assert bench.connection.send("hello") is READY
    assert bench.connection.send(b"\0\1") is READY
    assert bench.connection.send(bytearray(b"\2")) is READY
    assert bench.connection.send(memoryview(b"\3")) is READY
    assert bench.frames == [text_frame("hello"), Frame(BINARY, b"\0\1"), Frame(BINARY, b"\2"), Frame(BINARY, b"\3")]
    assert len(bench.transport.writes) == 4


def test_only_text_and_bytes_are_sent() -> None:
    bench = Bench()
    with pytest.raises(TypeError, match="str or bytes, not int"):
        bench.connection.send(1)
    assert bench.transport.writes == []
    assert bench.connection.is_open


def test_text_without_utf8_form_is_refused_and_nothing_is_counted() -> None:
    bench = Bench()
    with pytest.raises(UnicodeEncodeError):
        bench.connection.send("\ud800")
    assert bench.connection.statistics().messages_sent == 0
    assert bench.transport.writes == []


def test_replies_to_one_read_leave_in_one_write() -> None:
    bench = Bench()

    class Echo:
        def offer(self, value: Any, /) -> bool:
            bench.connection.send(value)
            return True

        def end(self) -> None:
            raise AssertionError

    bench.connection.messages.wait(Echo())
    bench.receive(text("a"), ping(b"p"), text("b"))
    assert len(bench.transport.writes) == 1
    assert bench.frames == [text_frame("a"), Frame(PONG, b"p"), text_frame("b")]
    bench.connection.send("c")
    assert len(bench.transport.writes) == 2


def test_a_read_without_replies_writes_nothing() -> None:
    bench = Bench()
    bench.receive(text("a"))
    assert bench.transport.writes == []


def test_every_128th_send_gives_the_loop_a_turn() -> None:
    bench = Bench()
    results = [bench.connection.send("x") for _ in range(3 * FAIR_TURN)]
    assert [number for number, result in enumerate(results, 1) if result is TURN] == [FAIR_TURN, 2 * FAIR_TURN, 3 * FAIR_TURN]
    assert all(result is READY or result is TURN for result in results)


def test_messages_of_a_kind_that_is_not_accepted_end_with_1003() -> None:
    bench = Bench(translation=translations((str,)).default)
    bench.receive(text("fine"), frame(BINARY, b"not"), text("late"))
    assert bench.frames == [close_frame(1003, "binary messages are not accepted here")]
    assert bench.connection.messages.poll() == "fine"
    with pytest.raises(SessionAborted, match="1003"):
        bench.connection.messages.poll()
    other = Bench(translation=translations((bytes,)).default)
    other.receive(text("not"))
    assert other.frames == [close_frame(1003, "text messages are not accepted here")]


# Reading as fast as the handler


def test_reading_stops_at_the_limit_of_the_queue_and_goes_on_at_half_of_it() -> None:
    bench = Bench(incoming_queue=4)
    bench.receive(text("1"), text("2"), text("3"))
    assert bench.transport.is_reading()
    bench.receive(text("4"), text("5"))
    assert not bench.transport.is_reading()
    for expected in ("1", "2"):
        assert bench.connection.messages.poll() == expected
        bench.connection.relieve()
        assert not bench.transport.is_reading()
    assert bench.connection.messages.poll() == "3"
    bench.connection.relieve()
    assert bench.transport.is_reading()
    bench.connection.relieve()
    assert received(bench) == ["4", "5"]


def test_a_queue_of_one_works() -> None:
    bench = Bench(incoming_queue=1)
    bench.receive(text("1"))
    assert not bench.transport.is_reading()
    assert bench.connection.messages.poll() == "1"
    bench.connection.relieve()
    assert bench.transport.is_reading()


def test_control_frames_are_answered_while_the_queue_is_full() -> None:
    bench = Bench(incoming_queue=2)
    bench.receive(text("1"), text("2"), text("3"), ping(b"still"), text("4"), close(1000))
    assert bench.frames == [Frame(PONG, b"still"), close_frame(1000)]
    assert bench.code == 1000
    assert [bench.connection.messages.poll() for _ in range(4)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("end", ["close", "fail"])
def test_reading_goes_on_when_the_end_comes_while_the_queue_is_full(end: str) -> None:
    # Otherwise the answer to our Close, or the peer's end, would wait in the network for ever.
    bench = Bench(incoming_queue=1)
    bench.receive(text("1"), *([frame(0x83)] if end == "fail" else []))
    if end == "close":
        bench.connection.close(CloseReason(1000))
        bench.receive(text("2"), text("3"))
    assert bench.transport.is_reading()
    assert received(bench) == ["1"]


def test_nothing_is_queued_after_our_close() -> None:
    bench = Bench()
    bench.connection.close(CloseReason(1000))
    bench.receive(text("late"))
    assert len(bench.connection.messages) == 0
    assert bench.connection.statistics().messages_received == 0


# Pings


def test_pings_are_answered() -> None:
    bench = Bench()
    bench.receive(ping(b"a"), ping(b"b"))
    assert bench.frames == [Frame(PONG, b"a"), Frame(PONG, b"b")]


def test_while_the_peer_does_not_read_only_the_latest_ping_is_answered() -> None:
    bench = Bench()
    bench.connection.pause_writing()
    for number in range(5000):
        bench.receive(ping(b"%d" % number))
    assert bench.transport.writes == []
    bench.connection.resume_writing()
    assert bench.frames == [Frame(PONG, b"4999")]
    bench.connection.pause_writing()
    bench.connection.resume_writing()
    assert len(bench.frames) == 1


def test_unsolicited_pongs_are_ignored() -> None:
    bench = Bench()
    bench.receive(frame(PONG, b"x"))
    assert bench.transport.writes == []
    assert bench.connection.statistics().ping_round_trip is None
    assert bench.connection.is_open


def keep(bench: Bench) -> Keepalive:
    keepalive = Keepalive(bench.clock)
    keepalive.add(bench.connection)
    return keepalive


def test_a_silent_peer_is_pinged_and_given_up_with_1011() -> None:
    bench = Bench(ping_interval=20, ping_timeout=8)
    keep(bench)
    bench.clock.advance(19)
    assert bench.transport.writes == []
    bench.clock.advance(2)
    (only,) = bench.frames
    assert only.first == PING
    bench.clock.advance(6)
    assert bench.connection.is_open
    assert len(bench.frames) == 1
    bench.clock.advance(3)
    assert bench.frames[1:] == [close_frame(1011, "ping timeout")]
    assert bench.connection.reason == CloseReason(1011, "ping timeout")
    assert bench.gone == 1
    bench.clock.advance(2)
    assert bench.calls == ["close", "abort"]
    with pytest.raises(SessionAborted):
        bench.connection.messages.poll()


def test_a_pong_keeps_the_session_and_its_round_trip_is_known() -> None:
    bench = Bench(ping_interval=20, ping_timeout=8)
    keep(bench)
    bench.clock.advance(21)
    (sent,) = bench.frames
    bench.clock.advance(0.25)
    bench.receive(frame(PONG, sent.payload))
    trip = bench.connection.statistics().ping_round_trip
    assert trip is not None
    assert 0.25 <= trip <= 1.25
    bench.clock.advance(18)
    assert bench.connection.is_open
    assert len(bench.frames) == 1


def test_any_byte_counts_as_life() -> None:
    bench = Bench(ping_interval=20, ping_timeout=8)
    keep(bench)
    for number in range(9):
        bench.clock.advance(10)
        bench.receive(text("xyz")[number : number + 1])
    assert bench.transport.writes == []
    bench.clock.advance(21)
    assert len(bench.frames) == 1
    bench.receive(text("no pong"))
    bench.clock.advance(15)
    assert bench.connection.is_open


def test_a_peer_that_answers_each_ping_is_pinged_for_ever() -> None:
    bench = Bench(ping_interval=20, ping_timeout=8)
    keep(bench)
    for number in range(1, 6):
        bench.clock.advance(21)
        assert len(bench.frames) == number
        bench.receive(frame(PONG, bench.frames[-1].payload))
    assert len({found.payload for found in bench.frames}) == 5
    assert bench.connection.is_open


def test_without_an_interval_nobody_is_pinged() -> None:
    bench = Bench(ping_interval=None)
    keep(bench)
    bench.clock.advance(1000)
    assert bench.transport.writes == []
    assert bench.clock.pending == 0


def test_a_peer_is_not_given_up_while_we_do_not_read() -> None:
    bench = Bench(ping_interval=20, ping_timeout=8, incoming_queue=1)
    keep(bench)
    bench.receive(text("1"))
    bench.clock.advance(100)
    assert bench.connection.is_open
    received(bench)
    bench.connection.relieve()
    bench.clock.advance(19)
    assert bench.connection.is_open
    # It had time to answer, and did not.
    bench.clock.advance(12)
    assert bench.code == 1011


def test_a_peer_that_we_do_not_read_is_pinged_so_that_its_loss_is_noticed() -> None:
    bench = Bench(ping_interval=20, ping_timeout=8, incoming_queue=1)
    keep(bench)
    bench.receive(text("1"))
    bench.clock.advance(21)
    assert [found.first for found in bench.frames] == [PING]
    bench.clock.advance(21)
    assert [found.first for found in bench.frames] == [PING, PING]


def test_a_peer_is_not_given_up_for_a_ping_that_was_never_written() -> None:
    bench = Bench(ping_interval=20, ping_timeout=8, send_timeout=60)
    keep(bench)
    bench.connection.pause_writing()
    bench.clock.advance(21)
    assert bench.transport.writes == []
    bench.connection.resume_writing()
    bench.clock.advance(15)
    assert bench.connection.is_open
    bench.clock.advance(7)
    assert [found.first for found in bench.frames] == [PING]


def test_reading_our_bytes_counts_as_life() -> None:
    bench = Bench(ping_interval=20, ping_timeout=8, send_timeout=60)
    keep(bench)
    bench.clock.advance(21)
    assert len(bench.frames) == 1
    bench.connection.pause_writing()
    bench.clock.advance(30)
    assert bench.connection.is_open
    bench.connection.resume_writing()
    bench.clock.advance(15)
    assert bench.connection.is_open


def test_79_a_blocked_event_loop_blames_nobody() -> None:
    bench = Bench(ping_interval=20, ping_timeout=8)
    keep(bench)
    bench.clock.advance(21)
    (sent,) = bench.frames
    # The pong is in the socket, and nobody could read it.
    bench.clock.now += 60
    bench.clock.advance(0)
    assert bench.connection.is_open
    bench.receive(frame(PONG, sent.payload))
    bench.clock.advance(5)
    assert bench.connection.is_open


def test_one_timer_tends_all_connections_and_stops_with_the_last() -> None:
    clock = ManualClock()
    keepalive = Keepalive(clock)
    benches = [Bench(ping_interval=20) for _ in range(3)]
    for bench in benches:
        keepalive.add(bench.connection)
    assert clock.pending == 1
    clock.advance(30)
    assert clock.pending == 1
    assert all(len(bench.frames) == 1 for bench in benches)
    for bench in benches:
        keepalive.discard(bench.connection)
    assert clock.pending == 0
    keepalive.add(benches[0].connection)
    assert clock.pending == 1


# Writing as fast as the peer


@pytest.mark.anyio
async def test_send_suspends_while_the_peer_does_not_read() -> None:
    bench = Bench()
    bench.connection.pause_writing()
    pending = bench.connection.send("a")
    assert pending is not READY
    assert bench.frames == [text_frame("a")]
    done: list[str] = []

    async def wait() -> None:
        await pending
        done.append("a")
        await bench.connection.send("b")
        done.append("b")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert done == []
        bench.connection.resume_writing()
        await anyio.wait_all_tasks_blocked()
        assert done == ["a", "b"]
    assert bench.clock.pending == 0


@pytest.mark.anyio
async def test_a_send_woken_into_the_next_jam_keeps_waiting() -> None:
    bench = Bench()
    bench.connection.pause_writing()
    done: list[str] = []

    async def wait(message: str) -> None:
        await bench.connection.send(message)
        done.append(message)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, "a")
        await anyio.wait_all_tasks_blocked()
        bench.connection.resume_writing()
        bench.connection.pause_writing()
        await anyio.wait_all_tasks_blocked()
        assert done == []
        bench.connection.resume_writing()
        await anyio.wait_all_tasks_blocked()
        assert done == ["a"]


@pytest.mark.anyio
async def test_a_slow_reader_is_given_up_with_1013_after_the_send_timeout() -> None:
    bench = Bench(send_timeout=10)
    bench.connection.pause_writing()
    raised: list[BaseException] = []

    async def wait() -> None:
        try:
            await bench.connection.send("a")
        except SessionClosed as error:
            raised.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        bench.clock.advance(9.9)
        assert bench.connection.is_open
        bench.clock.advance(0.2)
        assert bench.code == 1013
        assert bench.calls == ["abort"]
        assert bench.gone == 1
        await anyio.wait_all_tasks_blocked()
        assert [type(error) for error in raised] == [SessionAborted]
    bench.connection.connection_lost(None)
    assert bench.code == 1013
    assert bench.gone == 1
    assert bench.clock.pending == 0


def test_a_peer_that_reads_in_time_is_not_given_up() -> None:
    bench = Bench(send_timeout=10)
    for _ in range(5):
        bench.connection.pause_writing()
        bench.clock.advance(9)
        bench.connection.resume_writing()
        bench.clock.advance(9)
    assert bench.connection.is_open
    assert bench.calls == []


@pytest.mark.anyio
async def test_cancelling_a_suspended_send_leaves_a_whole_frame_and_no_sleeper() -> None:
    bench = Bench()
    bench.connection.pause_writing()
    with anyio.move_on_after(0):
        await bench.connection.send("whole")
    assert bench.frames == [text_frame("whole")]

    async def wait() -> None:
        await bench.connection.send("next")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    bench.connection.resume_writing()
    assert bench.frames == [text_frame("whole"), text_frame("next")]
    assert bench.connection.is_open


@pytest.mark.anyio
async def test_two_tasks_that_send_keep_their_own_order_and_whole_frames() -> None:
    bench = Bench()

    async def send_all(name: str) -> None:
        for number in range(300):
            await bench.connection.send(f"{name}{number}")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send_all, "a")
        tasks.start_soon(send_all, "b")
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
            bench.connection.pause_writing()
            await anyio.lowlevel.checkpoint()
            bench.connection.resume_writing()
    sent = [found.payload.decode() for found in bench.frames]
    for name in "ab":
        assert [message for message in sent if message[0] == name] == [f"{name}{number}" for number in range(300)]
    assert sent.index("b0") < sent.index("a299")


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["ours", "theirs", "lost"])
async def test_a_suspended_send_raises_when_the_session_ends(how: str) -> None:
    bench = Bench()
    bench.connection.pause_writing()
    raised: list[SessionClosed] = []

    async def wait() -> None:
        try:
            await bench.connection.send("a")
        except SessionClosed as error:
            raised.append(error)

    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            if how == "ours":
                bench.connection.close(CloseReason(1000))
                # uvloop tells of a jam in its next turn.
                bench.connection.pause_writing()
            elif how == "theirs":
                bench.receive(close(1000))
            else:
                bench.connection.connection_lost(None)
    (error,) = raised
    assert error.reason is bench.connection.reason
    assert isinstance(error, SessionAborted) is (how == "lost")


# The end


def test_a_close_is_echoed_and_the_server_ends_the_stream() -> None:
    bench = Bench()
    bench.receive(close(1001, "bye"))
    assert bench.frames == [close_frame(1001, "bye")]
    assert bench.calls == ["close"]
    assert bench.connection.reason == CloseReason(1001, "bye")
    assert bench.gone == 1
    assert bench.connection.messages.is_closed_for_receive


def test_a_close_without_a_code_is_an_end_and_echoed_without_one() -> None:
    bench = Bench()
    bench.receive(close())
    assert bench.frames == [close_frame()]
    assert bench.code == CloseCode.NO_STATUS
    assert bench.connection.messages.cause is None
    with pytest.raises(SessionClosed) as caught:
        bench.connection.send("late")
    assert type(caught.value) is SessionClosed


@pytest.mark.parametrize("code", [1002, 1008, 1011, 3000, 4999])
def test_any_other_close_is_an_error_and_echoed(code: int) -> None:
    bench = Bench()
    bench.receive(text("before"), close(code, "why"))
    assert bench.frames == [close_frame(code, "why")]
    assert bench.connection.messages.poll() == "before"
    with pytest.raises(SessionAborted) as caught:
        bench.connection.messages.poll()
    assert caught.value.reason == CloseReason(code, "why")
    with pytest.raises(SessionAborted):
        bench.connection.send("late")


def test_a_server_that_the_peer_does_not_read_ends_the_stream_in_the_close_timeout() -> None:
    bench = Bench(close_timeout=3)
    bench.connection.pause_writing()
    bench.receive(close(1000))
    bench.clock.advance(2.9)
    assert bench.calls == ["close"]
    bench.clock.advance(0.2)
    assert bench.calls == ["close", "abort"]


def test_the_end_of_a_jam_after_the_end_changes_nothing() -> None:
    bench = Bench(send_timeout=1, close_timeout=3)
    bench.connection.pause_writing()
    bench.receive(ping(b"late"), close(1000))
    bench.connection.resume_writing()
    bench.clock.advance(60)
    bench.connection.connection_lost(None)
    assert bench.code == 1000
    assert bench.gone == 1
    assert bench.frames == [close_frame(1000)]


def test_a_client_waits_for_the_server_to_end_the_stream() -> None:
    bench = Bench(client=True, close_timeout=3)
    bench.receive(close(1000, mask=None))
    assert bench.frames == [close_frame(1000)]
    assert bench.calls == []
    bench.clock.advance(3)
    assert bench.calls == ["abort"]


def test_our_close_waits_for_the_answer() -> None:
    bench = Bench(close_timeout=3)
    bench.connection.close(CloseReason(4000, "enough"))
    assert bench.frames == [close_frame(4000, "enough")]
    assert bench.calls == []
    assert not bench.connection.is_open
    bench.receive(text("late"), close(1000))
    assert bench.calls == ["close"]
    assert bench.connection.reason == CloseReason(4000, "enough")
    assert len(bench.frames) == 1
    assert bench.gone == 0


def test_our_close_ends_the_stream_when_the_answer_does_not_come() -> None:
    bench = Bench(close_timeout=3)
    bench.connection.close(CloseReason(1000))
    bench.clock.advance(2.9)
    assert bench.calls == []
    bench.clock.advance(0.1)
    assert bench.calls == ["abort"]
    bench.connection.connection_lost(None)
    assert bench.code == 1000


def test_a_jam_does_not_stretch_the_close_timeout() -> None:
    bench = Bench(close_timeout=3, send_timeout=100)
    bench.connection.pause_writing()
    bench.connection.close(CloseReason(1000))
    bench.clock.advance(2)
    bench.connection.resume_writing()
    bench.connection.pause_writing()
    bench.clock.advance(1)
    assert bench.calls == ["abort"]


def test_closing_twice_writes_one_close() -> None:
    bench = Bench()
    bench.connection.close(CloseReason(1000))
    bench.connection.close(CloseReason(1001))
    assert bench.frames == [close_frame(1000)]
    assert bench.code == 1000


def test_nothing_is_written_after_our_close() -> None:
    bench = Bench(ping_interval=5)
    keep(bench)
    bench.connection.close(CloseReason(1000))
    bench.receive(ping(b"x"), text("y"))
    with pytest.raises(SessionClosed):
        bench.connection.send("z")
    bench.clock.advance(8)
    bench.receive(ping(b"x"), frame(0x83))
    assert bench.frames == [close_frame(1000)]
    assert bench.code == 1000


def test_a_lost_connection_is_1006() -> None:
    bench = Bench()
    bench.receive(text("before"))
    bench.connection.connection_lost(ConnectionResetError())
    assert bench.code == CloseCode.CLOSED_ABNORMALLY
    assert bench.gone == 1
    assert bench.connection.messages.poll() == "before"
    with pytest.raises(SessionAborted):
        bench.connection.messages.poll()
    with pytest.raises(SessionAborted):
        bench.connection.send("x")
    assert bench.transport.writes == []


def test_a_loss_after_our_close_keeps_our_reason() -> None:
    bench = Bench()
    bench.connection.close(CloseReason(1000, "done"))
    bench.connection.connection_lost(None)
    assert bench.connection.reason == CloseReason(1000, "done")
    assert bench.gone == 0
    with pytest.raises(SessionClosed) as caught:
        bench.connection.check_open()
    assert type(caught.value) is SessionClosed


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(0x83), 1002, id="unknown opcode"),
        pytest.param(frame(0xC1, b"x"), 1002, id="reserved bit"),
        pytest.param(frame(0x81, b"x", mask=None), 1002, id="unmasked"),
        pytest.param(frame(0x81, b"\xff"), 1007, id="not UTF-8"),
        pytest.param(frame(0x82, length=2**20 + 1), 1009, id="too big"),
        pytest.param(close(999), 1002, id="close code 999"),
    ],
)
def test_a_fault_of_the_peer_ends_the_writing_half_after_a_close(data: bytes, code: int) -> None:
    bench = Bench(close_timeout=3)
    bench.receive(text("before"), data, text("behind"))
    (only,) = bench.frames
    assert only.first == close_frame().first
    assert int.from_bytes(only.payload[:2]) == code == bench.code
    assert bench.calls == ["write_eof"]
    assert bench.gone == 1
    assert bench.connection.messages.poll() == "before"
    with pytest.raises(SessionAborted):
        bench.connection.messages.poll()
    bench.receive(text("more"), close(1000))
    bench.clock.advance(3)
    assert bench.calls == ["write_eof", "abort"]
    assert len(bench.frames) == 1


def test_a_fault_of_the_peer_over_tls_ends_the_stream() -> None:
    bench = Bench()
    bench.transport.half_close = False
    bench.receive(frame(0x83))
    assert bench.calls == ["close"]


def test_a_fault_after_our_close_keeps_our_reason() -> None:
    bench = Bench()
    bench.connection.close(CloseReason(1000))
    bench.receive(frame(0x83))
    assert bench.code == 1000
    assert len(bench.frames) == 1
    assert bench.gone == 0


def test_a_dropped_session_says_why_and_ends_within_a_second() -> None:
    bench = Bench()
    bench.connection.abandon(CloseReason(1001))
    assert bench.frames == [close_frame(1001)]
    assert bench.calls == ["close"]
    bench.clock.advance(1)
    assert bench.calls == ["close", "abort"]


def test_dropping_a_session_that_waits_for_the_answer_waits_no_more() -> None:
    bench = Bench(close_timeout=60)
    bench.connection.close(CloseReason(1000))
    bench.connection.abandon(CloseReason(1001))
    assert bench.frames == [close_frame(1000)]
    assert bench.calls == ["close"]
    bench.clock.advance(1)
    assert bench.calls == ["close", "abort"]


def test_dropping_a_lost_session_does_nothing() -> None:
    bench = Bench()
    bench.connection.connection_lost(None)
    bench.connection.abandon(CloseReason(1001))
    assert bench.calls == []
    assert bench.clock.pending == 0


@pytest.mark.anyio
async def test_waiting_for_the_loss_ends_with_it_and_at_once_after_it() -> None:
    bench = Bench()
    with anyio.move_on_after(0) as scope:
        await bench.connection.wait_lost()
    assert scope.cancelled_caught
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.connection.wait_lost)
        tasks.start_soon(bench.connection.wait_lost)
        await anyio.wait_all_tasks_blocked()
        bench.connection.connection_lost(None)
    await bench.connection.wait_lost()


def test_no_timer_survives_the_connection() -> None:
    bench = Bench()
    bench.connection.pause_writing()
    bench.connection.close(CloseReason(1000))
    bench.connection.connection_lost(None)
    assert bench.clock.pending == 0


# Looking


def test_statistics_count_what_passed() -> None:
    bench = Bench()
    bench.receive(text("12345"), frame(BINARY, b"12"), ping(b""))
    bench.connection.send("123")
    statistics = bench.connection.statistics()
    assert statistics.messages_received == 2
    assert statistics.messages_sent == 1
    assert statistics.bytes_received == (6 + 5) + (6 + 2) + 6
    assert statistics.bytes_sent == 2 + (2 + 3)
    assert statistics.queued == 2
    assert statistics.ping_round_trip is None
    assert received(bench) == ["12345", b"12"]
    assert bench.connection.statistics().queued == 0


def test_the_peer_is_known() -> None:
    assert Bench().connection.peer == ("192.0.2.1", 4711)


def test_a_connection_has_no_dict() -> None:
    bench = Bench()
    assert not hasattr(bench.connection, "__dict__")
