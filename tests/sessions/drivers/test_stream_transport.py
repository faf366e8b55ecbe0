"""asyncio's transports, made of a stream and two tasks."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from flowsock.sessions.drivers.memory import Line
from flowsock.sessions.drivers.stream_transport import StreamTransport
from tests.sessions.support import BOUND, failures, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flowsock.sessions.drivers.memory import LineEnd

pytestmark = pytest.mark.anyio


class Notes:
    """A protocol that writes down what it is told."""

    def __init__(self, *, stays: bool = False) -> None:
        self.stays = stays
        self.data = b""
        self.told: list[str] = []
        self.error: Exception | None = None

    def data_received(self, data: bytes) -> None:
        assert "lost" not in self.told
        self.data += data

    def eof_received(self) -> bool:
        self.told.append("eof")
        return self.stays

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append("lost")
        self.error = error

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


class Stage:
    """A transport at one end of a line, and the peer's end in the test's hands."""

    def __init__(self, notes: Notes | None = None) -> None:
        self.line = Line()
        self.peer: LineEnd
        self.peer, end = self.line.ends()
        self.notes = notes or Notes()
        self.transport = StreamTransport(end, self.notes)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with anyio.fail_after(BOUND):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.transport.run)
                yield
                self.transport.abort()
        assert self.notes.told.count("lost") == 1
        assert self.notes.told[-1] == "lost"

    async def lost(self) -> None:
        await until(lambda: "lost" in self.notes.told)


async def test_bytes_pass_in_both_directions() -> None:
    stage = Stage()
    async with stage.running():
        stage.transport.write(b"to the peer")
        assert await stage.peer.receive() == b"to the peer"
        await stage.peer.send(b"from the peer")
        await until(lambda: stage.notes.data)
    assert stage.notes.data == b"from the peer"


async def test_what_one_turn_queued_leaves_in_one_write() -> None:
    stage = Stage()
    async with stage.running():
        for number in range(10):
            stage.transport.write(b"%d" % number)
        assert await stage.peer.receive() == b"0123456789"


async def test_what_is_queued_before_the_tasks_run_is_not_lost() -> None:
    stage = Stage()
    stage.transport.write(b"early")
    async with stage.running():
        assert await stage.peer.receive() == b"early"


async def test_above_the_high_water_mark_writing_pauses_and_below_a_quarter_it_resumes() -> None:
    stage = Stage()
    stage.transport.set_write_buffer_limits(1000)
    async with stage.running():
        stage.transport.write(b"x" * 1000)
        assert stage.notes.told == []
        stage.transport.write(b"x")
        stage.transport.write(b"x" * 99_000)
        assert stage.notes.told == ["pause"]
        assert stage.transport.get_write_buffer_size() == 100_001
        received = 0
        while received < 100_001:
            received += len(await stage.peer.receive(1000))
        await until(lambda: stage.notes.told == ["pause", "resume"])
        assert stage.transport.get_write_buffer_size() == 0


async def test_writing_does_not_resume_between_the_marks() -> None:
    stage = Stage()
    stage.transport.set_write_buffer_limits(4 * 2**16)
    async with stage.running():
        stage.transport.write(b"x" * 5 * 2**16)
        for left in (4, 3, 2):
            await anyio.wait_all_tasks_blocked()
            assert stage.transport.get_write_buffer_size() == left * 2**16
            assert stage.notes.told == ["pause"]
            await stage.peer.receive()
        await anyio.wait_all_tasks_blocked()
        assert stage.notes.told == ["pause", "resume"]


async def test_a_lower_mark_counts_at_once() -> None:
    stage = Stage()
    stage.transport.write(b"x" * 5000)
    stage.transport.set_write_buffer_limits(4999)
    assert stage.notes.told == ["pause"]
    async with stage.running():
        pass


async def test_while_reading_is_paused_nothing_is_told_and_the_peer_is_held_up() -> None:
    stage = Stage()
    async with stage.running():
        stage.transport.pause_reading()
        with anyio.move_on_after(0.1) as scope:
            for _ in range(10):
                await stage.peer.send(b"x" * 2**16)
        assert scope.cancelled_caught
        assert stage.notes.data == b""
        stage.transport.resume_reading()
        await until(lambda: len(stage.notes.data) >= 2**16)


async def test_reading_that_is_paused_by_what_was_read_keeps_the_rest_back() -> None:
    class Careful(Notes):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            stage.transport.pause_reading()

    stage = Stage(Careful())
    async with stage.running():
        await stage.peer.send(b"a")
        await until(lambda: stage.notes.data)
        await stage.peer.send(b"b")
        await anyio.wait_all_tasks_blocked()
        assert stage.notes.data == b"a"
        stage.transport.resume_reading()
        await until(lambda: stage.notes.data == b"ab")


async def test_reading_that_is_paused_while_a_read_is_under_way_keeps_it_back() -> None:
    stage = Stage()
    async with stage.running():
        await anyio.wait_all_tasks_blocked()
        stage.transport.pause_reading()
        await stage.peer.send(b"a")
        await anyio.wait_all_tasks_blocked()
        assert stage.notes.data == b""
        stage.transport.resume_reading()
        await until(lambda: stage.notes.data == b"a")


async def test_nothing_is_heard_after_closing_while_a_read_is_under_way() -> None:
    stage = Stage()
    async with stage.running():
        stage.transport.write(b"x" * 2**20)
        await anyio.wait_all_tasks_blocked()
        stage.transport.close()
        await stage.peer.send(b"unheard")
        await anyio.wait_all_tasks_blocked()
    assert stage.notes.data == b""


async def test_the_writing_half_ends_after_what_was_queued_and_reading_goes_on() -> None:
    stage = Stage()
    async with stage.running():
        assert stage.transport.can_write_eof()
        stage.transport.write(b"last")
        stage.transport.write_eof()
        assert await stage.peer.receive() == b"last"
        with pytest.raises(anyio.EndOfStream):
            await stage.peer.receive()
        await stage.peer.send(b"still")
        await until(lambda: stage.notes.data == b"still")


async def test_closing_writes_what_was_queued_and_hears_nothing_more() -> None:
    stage = Stage()
    async with stage.running():
        await stage.peer.send(b"unheard")
        stage.transport.write(b"x" * 200_000)
        stage.transport.close()
        stage.transport.write(b"too late")
        received = b""
        with pytest.raises(anyio.EndOfStream):
            while True:
                received += await stage.peer.receive()
        assert received == b"x" * 200_000
        await stage.lost()
    assert stage.notes.data == b""
    assert stage.notes.error is None


async def test_the_end_of_what_the_peer_sends_closes_after_what_was_queued() -> None:
    stage = Stage()
    async with stage.running():
        stage.transport.write(b"answer")
        await stage.peer.send(b"question")
        await stage.peer.send_eof()
        await stage.lost()
        assert await stage.peer.receive() == b"answer"
    assert stage.notes.data == b"question"
    assert [note for note in stage.notes.told if note != "pause"] == ["eof", "lost"]
    assert stage.notes.error is None


async def test_aborting_does_not_wait_for_a_peer_that_does_not_read() -> None:
    stage = Stage()
    async with stage.running():
        stage.transport.write(b"x" * 2**20)
        await anyio.wait_all_tasks_blocked()
        stage.transport.abort()
        await stage.lost()
    assert stage.notes.error is None


async def test_a_cut_line_is_told_once_though_both_tasks_find_it() -> None:
    stage = Stage()
    async with stage.running():
        stage.transport.write(b"x" * 2**20)
        await anyio.wait_all_tasks_blocked()
        stage.line.cut()
        await stage.lost()
    assert isinstance(stage.notes.error, anyio.BrokenResourceError)


async def test_a_protocol_that_fails_is_logged_and_loses_its_stream(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Notes):
        def data_received(self, data: bytes) -> None:
            raise KeyError("boom")

    stage = Stage(Failing())
    async with stage.running():
        await stage.peer.send(b"x")
        await stage.lost()
    assert isinstance(stage.notes.error, KeyError)
    assert len(failures(caplog)) == 1


async def test_a_cancelled_task_goes_on_until_the_stream_is_closed() -> None:
    stage = Stage()
    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stage.transport.run)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                stage.transport.write(b"last words")
                assert await stage.peer.receive() == b"last words"
                assert stage.notes.told == []
                stage.transport.close()
                await stage.lost()


async def test_a_new_protocol_is_told_from_then_on() -> None:
    stage = Stage()
    other = Notes()
    async with stage.running():
        await stage.peer.send(b"old")
        await until(lambda: stage.notes.data)
        stage.transport.set_protocol(other)
        await stage.peer.send(b"new")
        await until(lambda: other.data)
        stage.transport.abort()
        await until(lambda: other.told == ["lost"])
        stage.notes.told.append("lost")
    assert (stage.notes.data, other.data) == (b"old", b"new")


async def test_addresses_are_told_and_what_nobody_knows_is_not() -> None:
    stage = Stage()
    assert stage.transport.get_extra_info("peername") == ("127.0.0.1", 0)
    assert stage.transport.get_extra_info("ssl_object") is None
    assert stage.transport.get_extra_info("horoscope", "none") == "none"


async def test_a_protocol_may_stay_when_the_peer_has_ended_its_half() -> None:
    stage = Stage(Notes(stays=True))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.transport.run)
        await stage.peer.send_eof()
        await anyio.wait_all_tasks_blocked()
        assert stage.notes.told == ["eof"]
        stage.transport.write(b"still here")
        stage.transport.close()
        assert await stage.peer.receive() == b"still here"
    assert stage.notes.told == ["eof", "lost"]
