"""Connections come and go, most of them badly: what do they leave behind in the server?

``python -m benchmarks churn`` judges it, ``python -m benchmarks.churn`` tells more, and goes on for minutes if it is asked to.

After a warm-up the server's tasks, descriptors, objects and memory are counted, then so many connections are opened and ended
in every way there is, and then all is counted again. Linux only.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import struct
import subprocess
import sys
from argparse import ArgumentParser
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from attrs import frozen

from benchmarks.load import masked_frame
from benchmarks.measuring import OURS, Gate, Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from benchmarks.measuring import Effort

    Ending = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_ROOT: Final = Path(__file__).resolve().parent.parent
_CYCLES: Final = 10_000
_MOST: Final = {"tasks": 1.0, "descriptors": 1.0, "objects": 1.05, "resident": 1.05}
_NOTES: Final = ("Counted in the server once no session is left; resident is its memory. It is one run: there are no rounds.",)
_AT_ONCE: Final = 50
_WARM_UP: Final = 500
# A peer that is gone while nobody reads what it sent is found by the ping after 20 s, and its handler has 10 s more.
_PATIENCE: Final = 60.0
_REQUEST: Final = (
    b"GET /%b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_CLOSE: Final = b"\x88\x82\0\0\0\0\x03\xe8"
_UNMASKED: Final = b"\x82\x05hello"
_PART_OF_A_FRAME: Final = masked_frame(bytes(1000))[:300]
_TOO_BIG: Final = b"\x82\xff" + (2**40).to_bytes(8) + b"\0\0\0\0"
_PATHS: Final = (b"echo", b"chat", b"sleep", b"fail")


@frozen
class Counted:
    """Say what a server process holds at one moment.

    Attributes:
        tasks: Tasks of its event loop.
        descriptors: Open files and sockets.
        sessions: Sessions that its app knows.
        objects: Objects that the garbage collector tracks, after a collection.
        resident: Bytes of memory, after the C library gave back what it keeps in reserve.
    """

    tasks: int
    descriptors: int
    sessions: int
    objects: int
    resident: int


class Server:
    """The server process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        self._output = process.stdout
        self._input = process.stdin
        self._pid = process.pid
        self.port = int(self._output.readline())

    def count(self) -> Counted:
        """Ask the process what it holds."""
        self._input.write("count\n")
        self._input.flush()
        told: dict[str, int] = json.loads(self._output.readline())
        pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        descriptors = len(list(Path(f"/proc/{self._pid}/fd").iterdir()))
        return Counted(descriptors=descriptors, resident=pages * os.sysconf("SC_PAGE_SIZE"), **told)

    async def at_rest(self) -> Counted:
        """Count once the sessions are over, or when it is time to tell that they are not."""
        deadline = monotonic() + _PATIENCE
        while (counted := self.count()).sessions and monotonic() < deadline:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.1)
        return counted


@contextmanager
def running_server() -> Iterator[Server]:
    """Run the server process while a block lasts."""
    command = [sys.executable, "-m", "benchmarks.churn_server"]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.kill()


# How a connection ends; the server has answered the handshake with 101.


async def close_cleanly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say goodbye, and wait for the answer."""
    writer.write(masked_frame(b"hello") + _CLOSE)
    await reader.read()


async def vanish(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End the stream without a Close."""
    writer.write(masked_frame(b"hello"))


async def stop_inside_a_frame(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End the stream in the middle of a message."""
    writer.write(_PART_OF_A_FRAME)


async def break_the_protocol(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a frame without a mask."""
    writer.write(_UNMASKED)
    await reader.read()


async def send_too_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Announce a terabyte."""
    writer.write(_TOO_BIG)
    await reader.read()


async def read_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a lot, read none of the replies, and reset."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(masked_frame(bytes(60_000)) * 20)
    await asyncio.sleep(0.05)
    await vanish(_reader, writer)


ENDINGS: Final[tuple[Ending, ...]] = (
    close_cleanly,
    close_cleanly,
    vanish,
    hang_up,
    stop_inside_a_frame,
    break_the_protocol,
    send_too_much,
    read_nothing,
)


async def churn(port: int, connections: int, seed: int, until: float | None = None) -> Counter[str]:
    """Open and end so many connections, or as many as there is time for; tell how many ended in which way."""
    chance = random.Random(seed)
    ended: Counter[str] = Counter()
    left = connections

    async def worker() -> None:
        nonlocal left
        while left > 0 if until is None else monotonic() < until:
            left -= 1
            ended[await _one(port, chance)] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(worker())
    return ended


async def _one(port: int, chance: random.Random) -> str:
    path, ending, stage = chance.choice(_PATHS), chance.choice(ENDINGS), chance.random()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with suppress(ConnectionError):
            async with asyncio.timeout(_PATIENCE):
                return await _live(reader, writer, _REQUEST % (path, port), ending, stage)
        return "reset by the server"
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _live(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, ending: Ending, stage: float
) -> str:
    if stage < 0.05:
        return "no request"
    if stage < 0.1:
        writer.write(request[: len(request) // 2])
        return "half a request"
    if stage < 0.15:
        writer.write(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
        await reader.read()
        return "no HTTP"
    writer.write(request)
    if stage < 0.2:
        return "gone before the answer"
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 "):
        raise AssertionError(f"no session: {head!r}")
    await ending(reader, writer)
    return ending.__name__


async def compare(server: Server, cycles: int, minutes: float) -> tuple[Counter[str], Counted, Counted]:
    """Count, churn, and count again."""
    await churn(server.port, _WARM_UP, seed=0)
    before = await server.at_rest()
    until = monotonic() + 60 * minutes if minutes else None
    ended = await churn(server.port, cycles, seed=1, until=until)
    return ended, before, await server.at_rest()


def measure(effort: Effort) -> list[Table]:
    """Churn once.

    Raises:
        NotImplementedError: the operating system has no ``/proc`` to count in.
    """
    if not Path("/proc/self/statm").exists():
        raise NotImplementedError("churn needs Linux: it counts descriptors and memory in /proc")
    cycles = effort.scaled(_CYCLES)
    with running_server() as server:
        _, before, after = asyncio.run(compare(server, cycles, 0))
    rows = {f"{OURS}, {name}": [getattr(after, name) / getattr(before, name)] for name in _MOST}
    gates = tuple(Gate(f"{OURS}, {name}", most=most) for name, most in _MOST.items())
    title = f"{cycles:,} connections came and went, most of them badly"
    return [Table(title, "times as many after as before", "", rows, gates, notes=_NOTES)]


def report(ended: Counter[str], before: Counted, after: Counted) -> str:
    """Write what came and went, and what is left."""
    lines = [f"{ended.total():,} connections came and went:"]
    lines += [f"  {count:6,}  {how.replace('_', ' ')}" for how, count in ended.most_common()]
    lines.append(f"{'in the server':<16}{'before':>14}{'after':>14}{'more':>12}")
    for name in ("tasks", "descriptors", "sessions", "objects", "resident"):
        first, last = getattr(before, name), getattr(after, name)
        lines.append(f"  {name:<14}{first:>14,}{last:>14,}{last - first:>12,}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the churn that is asked for; 1 if tasks, descriptors or sessions are left."""
    parser = ArgumentParser(
        "python -m benchmarks.churn", description="Open and end connections in every way; count what is left."
    )
    parser.add_argument("--cycles", type=int, default=_CYCLES, metavar="N", help="how many connections (10,000)")
    parser.add_argument("--minutes", type=float, default=0, metavar="M", help="go on for so long instead")
    options = parser.parse_args(arguments)
    with running_server() as server:
        ended, before, after = asyncio.run(compare(server, options.cycles, options.minutes))
    sys.stdout.write(f"{report(ended, before, after)}\n")
    return int((after.tasks, after.descriptors, after.sessions) != (before.tasks, before.descriptors, before.sessions))


if __name__ == "__main__":
    sys.exit(main())
