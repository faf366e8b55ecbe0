"""Lines in memory: order, time, room and loss."""

from __future__ import annotations

import anyio
import pytest

from flowsock.sessions.drivers.memory import Line, LineEnd, MemoryNetwork
from tests.sessions.support import BOUND

pytestmark = pytest.mark.anyio


async def test_bytes_arrive_in_order_whatever_their_pieces() -> None:
    client, server = Line().ends()
    await client.send(b"abc")
    await client.send(b"")
    await client.send(b"defgh")
    assert [await server.receive(2) for _ in range(5)] == [b"ab", b"c", b"de", b"fg", b"h"]


@pytest.mark.usefixtures("virtual_clock")
async def test_bytes_are_under_way_for_the_delay() -> None:
    client, server = Line(delay=3).ends()
    start = anyio.current_time()
    await client.send(b"a")
    await anyio.sleep(1)
    await client.send(b"b")
    await client.send_eof()
    assert await server.receive() == b"a"
    assert anyio.current_time() - start == pytest.approx(3)
    assert await server.receive() == b"b"
    assert anyio.current_time() - start == pytest.approx(4)
    with pytest.raises(anyio.EndOfStream):
        await server.receive()


@pytest.mark.usefixtures("virtual_clock")
async def test_each_direction_has_a_delay_of_its_own_that_may_change() -> None:
    line = Line()
    line.to_client.delay = 5
    client, server = line.ends()
    start = anyio.current_time()
    await client.send(b"question")
    assert await server.receive() == b"question"
    await server.send(b"answer")
    assert await client.receive() == b"answer"
    assert anyio.current_time() - start == pytest.approx(5)


async def test_a_sender_waits_while_64_kib_are_under_way() -> None:
    client, server = Line().ends()
    await client.send(b"x" * 2**16)
    with anyio.move_on_after(0.01) as scope:
        await client.send(b"y")
    assert scope.cancelled_caught
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.send, b"z")
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(BOUND):
            assert await server.receive(2**16) == b"x" * 2**16
            assert await server.receive() == b"z"


async def test_nothing_arrives_while_a_direction_is_paused() -> None:
    line = Line()
    client, server = line.ends()
    line.to_server.pause()
    await client.send(b"a")
    with anyio.move_on_after(0.01) as scope:
        await server.receive()
    assert scope.cancelled_caught
    await server.send(b"the other way")
    assert await client.receive() == b"the other way"
    line.to_server.resume()
    assert await server.receive() == b"a"


async def test_an_end_that_closes_lets_arrive_what_it_sent_and_ignores_the_rest() -> None:
    client, server = Line().ends()
    await client.send(b"last")
    await client.aclose()
    await server.send(b"x" * 2**20)
    assert await server.receive() == b"last"
    with pytest.raises(anyio.EndOfStream):
        await server.receive()


async def test_a_sender_that_waits_is_let_go_when_the_other_end_closes() -> None:
    client, server = Line().ends()
    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.send, b"x" * 2**20)
            await anyio.wait_all_tasks_blocked()
            server.close()


async def test_a_cut_line_loses_what_is_under_way_and_breaks_both_ends() -> None:
    line = Line()
    ends = line.ends()
    await ends[0].send(b"lost")

    async def is_broken(end: LineEnd) -> None:
        with pytest.raises(anyio.BrokenResourceError):
            await end.receive()
        with pytest.raises(anyio.BrokenResourceError):
            await end.send(b"x")

    line.to_client.pause()
    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(is_broken, ends[0])
            await anyio.wait_all_tasks_blocked()
            line.cut()
            tasks.start_soon(is_broken, ends[1])


def test_a_negative_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="0 seconds or more"):
        Line(delay=-1)


def test_a_port_is_taken_once_and_free_ones_are_found() -> None:
    network = MemoryNetwork()
    first = network.listen(80, lambda _end: None)
    with pytest.raises(OSError, match="port 80"):
        network.listen(80, lambda _end: None)
    assert network.listen(0, lambda _end: None).name[1] not in (0, 80)
    first.close()
    first.close()
    with pytest.raises(ConnectionRefusedError):
        network.connect(80, Line())
    network.listen(80, lambda _end: None)
