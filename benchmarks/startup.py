"""Starting: from the start of a process until a WebSocket is open, the memory it has then, and what an import costs."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Final

from attrs import frozen

from benchmarks.echo import ROOT, Peer, running_server
from benchmarks.load import cpu_ns, opened
from benchmarks.measuring import OURS, Contender, Gate, Table, loop_name, measure_rounds, present
from benchmarks.memory import resident_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.measuring import Effort

PEERS: Final = (
    Peer(OURS, "collect"),
    Peer("picows", "picows", ("picows",)),
    Peer("websockets", "websockets", ("websockets",)),
    Peer("aiohttp", "aiohttp", ("aiohttp",)),
    Peer("uvicorn, Starlette", "uvicorn", ("uvicorn", "starlette", "websockets")),
    Peer("tornado", "tornado", ("tornado",)),
)
_SERVER: Final = "flowsock, a server"
IMPORTS: Final = {
    OURS: "import anyio, flowsock",
    "flowsock, a flow": "import anyio\nfrom flowsock import flow_of",
    _SERVER: "import anyio\nfrom flowsock import App, serve",
    "aioreactive": "import anyio, aioreactive",
    "reactivex": "import anyio, reactivex",
    "websockets": "import anyio, websockets.asyncio.server",
    "aiohttp": "import anyio, aiohttp.web",
}
_IDLE: Final = 0.3
_TIMES: Final = 3
_NOTES: Final = (
    f"A new process, until the client has read its 101; {loop_name()}; 127.0.0.1; compiled modules are in the cache already.",
    "The first table tells the time that passed, to which other work on the machine adds, the second the processor time of the",
    "server in it. The memory is that of the process a moment later, with this one session open.",
)
_IMPORT_NOTES: Final = (
    "Time that passes in a new process for both imports, less that for anyio alone: medians of a round. Negative means noise.",
)


@frozen
class Start:
    """Tell what a start took.

    Attributes:
        seconds: Time until the client had read its 101.
        busy: Processor time of the server in it, in seconds.
        resident: Bytes of memory a moment later.
    """

    seconds: float
    busy: float
    resident: int


def measure(effort: Effort) -> list[Table]:
    """Start every server, and import every package, in a new process each time.

    Raises:
        NotImplementedError: the operating system has no ``/proc`` to read a server's memory from.
    """
    if not Path("/proc/self/statm").exists():
        raise NotImplementedError("startup needs Linux: it reads the server's memory from /proc")
    with _bytecode_cache():
        return [*_starts(effort), _imports(effort)]


@contextmanager
def _bytecode_cache() -> Iterator[None]:
    """Let the processes that are started in a block find and keep compiled modules, as those of an installed package are."""
    before = dict(os.environ)
    with TemporaryDirectory() as directory:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = directory
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _starts(effort: Effort) -> list[Table]:
    peers, missing = present(PEERS)
    seconds, busy, megabytes = ({peer.row: list[float]() for peer in peers} for _ in range(3))
    for peer in peers:
        _start(peer.server)
    for _ in range(effort.rounds):
        for peer in peers:
            start = _start(peer.server)
            seconds[peer.row].append(start.seconds)
            busy[peer.row].append(start.busy)
            megabytes[peer.row].append(start.resident / 1e6)
        peers.append(peers.pop(0))
    return [
        Table("cold start to the first 101", "s", OURS, seconds, (Gate(OURS, most=0.25),), missing, _NOTES),
        Table("the same, processor time of the server", "s", OURS, busy, missing=missing),
        Table("idle, with one session", "MB", OURS, megabytes, (Gate(OURS, most=40),), missing),
    ]


def _start(server: str) -> Start:
    begin = perf_counter()
    with running_server(server, -1) as (port, pid), opened(port):
        seconds, busy = perf_counter() - begin, cpu_ns(pid) / 1e9
        sleep(_IDLE)
        return Start(seconds, busy, resident_bytes(pid))


def _imports(effort: Effort) -> Table:
    contenders, missing = present(
        [Contender(name, partial(_import, code), () if name.startswith(OURS) else (name,)) for name, code in IMPORTS.items()]
    )
    rows = measure_rounds(contenders, effort.rounds)
    gates = (Gate(OURS, most=60),)
    return Table("import beyond import anyio", "ms", _SERVER, rows, gates, missing, _IMPORT_NOTES)


def _import(code: str) -> float:
    pairs = [(_seconds("import anyio"), _seconds(code)) for _ in range(_TIMES)]
    return (median(both for _, both in pairs) - median(alone for alone, _ in pairs)) * 1000


def _seconds(code: str) -> float:
    begin = perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return perf_counter() - begin
