"""Echo: what a message costs the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from attrs import frozen

from benchmarks.measuring import OURS, Gate, Table, loop_name, present
from flowsock.wire.reading import compiled_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.measuring import Effort

ROOT: Final = Path(__file__).resolve().parent.parent
_DEADLINE: Final = 120.0
_GRACE: Final = 5.0
_PICOWS: Final = "picows callbacks"
_WEBSOCKETS: Final = "websockets"
_AIOHTTP: Final = "aiohttp"
_UVICORN: Final = "uvicorn, Starlette"
_TORNADO: Final = "tornado"
_SOCKETIFY: Final = "socketify"
_ITERATED: Final = "flowsock, async for"
_UNTYPED: Final = (OURS, _ITERATED, _PICOWS, _WEBSOCKETS, _AIOHTTP, _UVICORN, _TORNADO, _SOCKETIFY)
_TYPED: Final = "flowsock, typed"


@frozen
class Peer:
    """Name a server, the row it gets, and the packages that it needs."""

    row: str
    server: str
    needs: tuple[str, ...] = ()


@frozen
class Shape:
    """Describe the traffic of one table.

    Attributes:
        title: What it is called.
        in_flight: Messages under way on each connection.
        size: Bytes of a message.
        messages: How many are measured in a round.
        gates: What is demanded.
        connections: How many clients there are.
        rows: Which servers are measured.
        reference: The row that the others are compared with.
        text: Whether a message is a JSON object as text, and not bytes.
    """

    title: str
    in_flight: int
    size: int
    messages: int
    gates: tuple[Gate, ...]
    connections: int = 64
    rows: tuple[str, ...] = _UNTYPED
    reference: str = _PICOWS
    text: bool = False


@frozen
class Cores:
    """Say where server and generator run; -1 where a process cannot be pinned."""

    server: int
    load: int


PEERS: Final = (
    Peer(OURS, "collect"),
    Peer(_ITERATED, "iterate"),
    Peer(_TYPED, "typed"),
    Peer(_PICOWS, "picows", ("picows",)),
    Peer(_WEBSOCKETS, "websockets", ("websockets",)),
    Peer(_AIOHTTP, "aiohttp", ("aiohttp",)),
    Peer(_UVICORN, "uvicorn", ("uvicorn", "starlette", "websockets")),
    Peer(_TORNADO, "tornado", ("tornado",)),
    Peer(_SOCKETIFY, "socketify", ("socketify",)),
)
SHAPES: Final = (
    Shape(
        "32 B ping-pong",
        1,
        32,
        30_000,
        (
            Gate(OURS, _PICOWS, most=1.15),
            *(Gate(OURS, peer, most=0.5) for peer in (_WEBSOCKETS, _AIOHTTP, _UVICORN)),
            Gate(_ITERATED, _PICOWS, most=1.4),
        ),
    ),
    Shape("32 B, 16 in flight on each", 16, 32, 100_000, (Gate(OURS, _PICOWS, most=0.5),)),
    Shape("8 KiB ping-pong", 1, 8192, 20_000, (Gate(OURS, _PICOWS, most=1.2),)),
    Shape(
        "32 B of JSON ping-pong",
        1,
        32,
        30_000,
        (Gate(_TYPED, OURS, most=1.5),),
        rows=(OURS, _TYPED),
        reference=OURS,
        text=True,
    ),
    Shape(
        "32 B of JSON, 16 in flight on each",
        16,
        32,
        100_000,
        (Gate(_TYPED, OURS, most=1.5),),
        rows=(OURS, _TYPED),
        reference=OURS,
        text=True,
    ),
)


def measure(effort: Effort, shapes: Sequence[Shape] = SHAPES) -> list[Table]:
    """Measure all servers with each kind of traffic; a server is a fresh process in every round.

    Raises:
        NotImplementedError: the operating system has no ``/proc`` to read a server's processor time from, or no epoll.
    """
    if not (Path("/proc/self/stat").exists() and sys.platform == "linux"):
        raise NotImplementedError("echo needs Linux: it reads the server's processor time from /proc, and loads it by epoll")
    peers, missing = present(PEERS)
    blocks: dict[Shape, dict[str, list[dict[str, int]]]] = {
        shape: {peer.row: [] for peer in peers if peer.row in shape.rows} for shape in shapes
    }
    cores = cores_to_use()
    for _ in range(effort.rounds):
        for peer in peers:
            with running_server(peer.server, cores.server) as (port, pid):
                for shape in shapes:
                    if peer.row in shape.rows:
                        blocks[shape][peer.row].append(_load(shape, effort, port, pid, cores.load))
        peers.append(peers.pop(0))
    return [_table(effort, shape, blocks[shape], missing, cores) for shape in shapes]


def cores_to_use() -> Cores:
    """Choose a core for the server and one for the load."""
    if not hasattr(os, "sched_setaffinity"):
        return Cores(-1, -1)
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[0], usable[1]) if len(usable) > 1 else Cores(-1, -1)


@contextmanager
def running_server(name: str, core: int) -> Iterator[tuple[int, int]]:
    """Start a server; give its port and its process; end it."""
    with running([sys.executable, "-m", "benchmarks.echo_servers", name, str(core)]) as found:
        yield found


@contextmanager
def running(command: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Start a program that prints its port; give that and its process; end it."""
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"it did not start: {' '.join(command)}")
        yield int(line), process.pid
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _load(shape: Shape, effort: Effort, port: int, pid: int, core: int) -> dict[str, int]:
    messages = effort.scaled(shape.messages)
    warm_up = max(messages // 4, 1)
    numbers = (port, pid, shape.connections, shape.in_flight, shape.size, warm_up, messages, core, int(shape.text))
    command = [sys.executable, "-m", "benchmarks.load", *map(str, numbers)]
    # run() kills the child when the time is up or an error comes.
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=_DEADLINE, check=True)
    measured: dict[str, int] = json.loads(done.stdout)
    return measured


def _table(
    effort: Effort, shape: Shape, blocks: dict[str, list[dict[str, int]]], missing: tuple[str, ...], cores: Cores
) -> Table:
    rows = {row: [each["server_ns"] / each["messages"] / 1000 for each in mine] for row, mine in blocks.items()}
    where = f"server on core {cores.server}, load on core {cores.load}" if cores.server >= 0 else "not pinned to cores"
    notes = (
        f"Processor time of the server process, all threads, from /proc; {loop_name()}; {where}; 127.0.0.1;",
        f"{'text' if shape.text else 'binary'} messages;",
        f"flowsock reads frames in {'Python' if compiled_reader() is None else 'C'};",
        "a fresh server process for every row and round. How busy the generator was, and the server (of one core):",
        ", ".join(f"{row} {_busy(mine, 'own_ns')} / {_busy(mine, 'server_ns')}" for row, mine in blocks.items()) + ".",
    )
    title = f"echo, {shape.connections} connections, {shape.title} ({effort.scaled(shape.messages):,} messages a round)"
    reference = shape.reference if shape.reference in rows else OURS
    return Table(title, "µs per message", reference, rows, shape.gates, missing, notes)


def _busy(blocks: Sequence[dict[str, int]], part: str) -> str:
    return f"{median(each[part] / each['wall_ns'] for each in blocks):.0%}"
