"""A connection whose route prefers loss, or the end, to a sender that waits."""

from __future__ import annotations

from typing import Any

import pytest

from flowsock import SlowReader
from flowsock.emitting import READY, TURN
from flowsock.errors import SessionAborted
from flowsock.wire.close import CloseReason
from tests.sessions.support import PONG, TEXT, Bench, Frame, close, close_frame, text_frame
from tests.wire.support import frame

LOSSY = [SlowReader.DROP_OLDEST, SlowReader.DROP_LATEST, SlowReader.CONFLATE]


def slow(**settings: Any) -> Bench:
    """Give a connection whose peer has stopped reading."""
    bench = Bench(**settings)
    bench.transport.unread = 100
    bench.connection.pause_writing()
    return bench


def texts(bench: Bench) -> list[str]:
    return [found.payload.decode() for found in bench.frames if found.first == TEXT]


def send_all(bench: Bench, messages: str) -> None:
    for message in messages:
        assert bench.connection.send(message) is READY


@pytest.mark.parametrize(
    ("policy", "kept", "dropped"),
    [
        (SlowReader.DROP_OLDEST, ["c", "d", "e"], 2),
        (SlowReader.DROP_LATEST, ["a", "b", "c"], 2),
        (SlowReader.CONFLATE, ["e"], 4),
    ],
)
def test_a_full_queue_loses_what_the_policy_says(policy: SlowReader, kept: list[str], dropped: int) -> None:
    bench = slow(slow_reader=policy, outgoing_queue=3)
    send_all(bench, "abcde")
    assert texts(bench) == []
    statistics = bench.connection.statistics()
    assert statistics.dropped == dropped
    assert statistics.unsent == len(kept)
    assert statistics.unsent_bytes == 100 + len(kept)
    bench.connection.resume_writing()
    assert texts(bench) == kept
    assert bench.connection.statistics().unsent == 0
    assert bench.connection.statistics().messages_sent == len(kept)
    send_all(bench, "z")
    assert texts(bench) == [*kept, "z"]
    assert bench.clock.pending == 0


@pytest.mark.parametrize(("policy", "kept"), [("drop_oldest", ["ccc", "dd"]), ("drop_latest", ["aaa", "bb"])])
def test_the_queue_is_bounded_in_bytes_too(policy: str, kept: list[str]) -> None:
    bench = slow(slow_reader=policy, outgoing_queue_size=5)
    for message in ("aaa", "bb", "ccc", "dd"):
        bench.connection.send(message)
    bench.connection.resume_writing()
    assert texts(bench) == kept


@pytest.mark.parametrize("policy", LOSSY)
def test_one_message_always_fits(policy: SlowReader) -> None:
    bench = slow(slow_reader=policy, outgoing_queue_size=5)
    bench.connection.send("longer than five")
    assert bench.connection.statistics().unsent == 1
    assert bench.connection.statistics().dropped == 0


def test_bytes_are_counted_as_the_wire_counts_them() -> None:
    bench = slow(slow_reader="drop_oldest")
    bench.connection.send("ä€")
    bench.connection.send(b"123")
    assert bench.connection.statistics().unsent_bytes == 100 + 2 + 3 + 3


def test_what_the_sender_changes_later_is_sent_as_it_was() -> None:
    bench = slow(slow_reader="drop_oldest")
    changing = bytearray(b"before")
    bench.connection.send(changing)
    bench.connection.send(memoryview(changing)[:2])
    changing[:] = b"later!"
    bench.connection.resume_writing()
    assert [found.payload for found in bench.frames] == [b"before", b"be"]


def test_what_is_no_message_is_refused_while_the_peer_is_slow_too() -> None:
    bench = slow(slow_reader="drop_oldest")
    with pytest.raises(TypeError, match="not int"):
        bench.connection.send(1)


def test_a_queue_that_the_peer_takes_in_parts_keeps_its_order() -> None:
    bench = slow(slow_reader="drop_oldest")
    send_all(bench, "abcd")
    write = bench.transport.write

    def write_and_jam(data: bytes, /) -> None:
        write(data)
        bench.connection.pause_writing()

    bench.transport.write = write_and_jam  # type: ignore[method-assign]
    bench.connection.resume_writing()
    assert texts(bench) == ["a"]
    send_all(bench, "e")
    bench.connection.resume_writing()
    assert texts(bench) == ["a", "b"]
    bench.transport.write = write  # type: ignore[method-assign]
    bench.connection.resume_writing()
    assert texts(bench) == ["a", "b", "c", "d", "e"]


def test_a_sender_to_a_slow_peer_gives_the_loop_its_turns() -> None:
    bench = slow(slow_reader="conflate")
    assert [bench.connection.send("a") for _ in range(256)].count(TURN) == 2


def test_a_send_that_jams_the_peer_does_not_wait_either() -> None:
    bench = Bench(slow_reader="drop_latest")
    write = bench.transport.write

    def write_and_jam(data: bytes, /) -> None:
        write(data)
        bench.connection.pause_writing()

    bench.transport.write = write_and_jam  # type: ignore[method-assign]
    assert bench.connection.send("a") is READY
    assert texts(bench) == ["a"]


@pytest.mark.parametrize("policy", LOSSY)
def test_a_peer_that_reads_nothing_is_given_up_with_1013(policy: SlowReader) -> None:
    bench = slow(slow_reader=policy, send_timeout=10)
    bench.connection.send("a")
    bench.clock.advance(9.9)
    assert bench.connection.is_open
    bench.clock.advance(0.2)
    assert bench.code == 1013
    assert bench.calls == ["abort"]
    assert bench.gone == 1
    assert bench.connection.statistics().unsent == 0
    assert bench.clock.pending == 0


@pytest.mark.parametrize("policy", LOSSY)
def test_a_peer_that_reads_a_little_stays(policy: SlowReader) -> None:
    bench = slow(slow_reader=policy, send_timeout=10)
    for unread in range(99, 89, -1):
        bench.transport.unread = unread
        bench.connection.send("a")
        bench.clock.advance(9.9)
    assert bench.connection.is_open
    bench.clock.advance(20)
    assert bench.code == 1013


def test_close_ends_a_peer_that_has_not_caught_up_in_time() -> None:
    bench = slow(slow_reader="close", send_timeout=10)
    send_all(bench, "abc")
    bench.transport.unread = 90
    bench.clock.advance(9.9)
    assert bench.connection.is_open
    bench.transport.unread = 50
    bench.clock.advance(0.2)
    assert bench.code == 1013
    assert bench.connection.statistics().dropped == 0


def test_close_ends_a_peer_whose_queue_is_full() -> None:
    bench = slow(slow_reader="close", outgoing_queue=2)
    send_all(bench, "ab")
    with pytest.raises(SessionAborted, match="1013"):
        bench.connection.send("c")
    assert bench.code == 1013
    assert bench.calls == ["abort"]
    assert bench.clock.pending == 0


def test_close_loses_nothing_of_a_peer_that_catches_up() -> None:
    bench = slow(slow_reader="close", send_timeout=10)
    send_all(bench, "abc")
    bench.connection.resume_writing()
    assert texts(bench) == ["a", "b", "c"]
    bench.clock.advance(20)
    assert bench.connection.is_open


def test_our_close_comes_behind_what_waits() -> None:
    bench = slow(slow_reader="drop_oldest")
    send_all(bench, "ab")
    bench.connection.close(CloseReason(1000))
    assert bench.frames == [text_frame("a"), text_frame("b"), close_frame(1000)]


def test_the_echo_of_a_close_comes_behind_what_waits() -> None:
    bench = slow(slow_reader="drop_oldest")
    send_all(bench, "ab")
    bench.receive(close(1000))
    assert bench.frames == [text_frame("a"), text_frame("b"), close_frame(1000)]


@pytest.mark.parametrize("how", ["fault", "lost", "abandoned"])
def test_an_end_with_an_error_keeps_nothing(how: str) -> None:
    bench = slow(slow_reader="drop_oldest")
    send_all(bench, "ab")
    if how == "fault":
        bench.receive(frame(0x83, b""))
    elif how == "lost":
        bench.connection.connection_lost(None)
    else:
        bench.connection.abandon(CloseReason(1001))
    assert texts(bench) == []
    assert bench.connection.statistics().unsent == 0
    bench.connection.resume_writing()
    assert texts(bench) == []


def test_a_pong_does_not_wait_behind_the_queue() -> None:
    bench = slow(slow_reader="drop_oldest")
    send_all(bench, "ab")
    bench.receive(frame(0x89, b"1"), frame(0x89, b"2"))
    bench.connection.resume_writing()
    assert sorted(bench.frames) == sorted([text_frame("a"), text_frame("b"), Frame(PONG, b"2")])


def test_there_is_no_such_policy() -> None:
    with pytest.raises(ValueError, match="'newest' is not a valid SlowReader"):
        Bench(slow_reader="newest")
