"""Memory: what an open session costs the server, and what many cost in all."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from benchmarks.echo import ROOT, Peer, running_server
from benchmarks.measuring import OURS, Gate, Table, loop_name, present

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.measuring import Effort

SESSIONS: Final = 10_000
_CHAT: Final = "flowsock, chat"
PEERS: Final = (
    Peer(_CHAT, "chat"),
    Peer(OURS, "collect"),
    Peer("picows callbacks", "picows", ("picows",)),
    Peer("websockets", "websockets", ("websockets",)),
)
_WARM_UP: Final = 100
_PAUSE: Final = 0.1
_PATIENCE: Final = 10.0
_NOTES: Final = (
    f"Resident memory of the server process (RSS) from /proc, once it does not change any more; {loop_name()}; 127.0.0.1. The",
    f"first {_WARM_UP} sessions, with which whatever is made once is made, count only in the sum. flowsock, chat: a handler",
    "that collects, and a launched, buffered subscription to one shared flow; all others echo.",
)


def measure(effort: Effort) -> list[Table]:
    """Open many sessions on each server, in a fresh process in every round; nobody sends anything.

    Raises:
        NotImplementedError: the operating system has no ``/proc`` to read a server's memory from.
    """
    if not Path("/proc/self/statm").exists():
        raise NotImplementedError("memory needs Linux: it reads the server's memory from /proc")
    sessions = effort.sessions
    peers, missing = present(PEERS)
    each: dict[str, list[float]] = {peer.row: [] for peer in peers}
    total: dict[str, list[float]] = {peer.row: [] for peer in peers}
    for _ in range(effort.rounds):
        for peer in peers:
            before, after = _hold(peer.server, sessions)
            each[peer.row].append((after - before) / sessions / 1024)
            total[peer.row].append(after / 1e6)
    most = (Gate(_CHAT, most=110),) if sessions == SESSIONS else ()
    return [
        Table(f"memory of {sessions:,} open sessions", "KiB per session", OURS, each, (Gate(_CHAT, most=8),), missing, _NOTES),
        Table("the same, with the process around them", "MB in all", OURS, total, most, missing),
    ]


def _hold(server: str, sessions: int) -> tuple[int, int]:
    """Give the server's resident bytes before and after so many sessions were opened."""
    with running_server(server, -1) as (port, pid), _holder(port) as opened:
        opened(_WARM_UP)
        before = _settled(pid)
        opened(sessions)
        return before, _settled(pid)


@contextmanager
def _holder(port: int) -> Iterator[Callable[[int], None]]:
    """Run a process that holds clients; give what opens so many more of them."""
    command = [sys.executable, "-m", "benchmarks.holding", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def opened(count: int) -> None:
            requests.write(f"{count}\n")
            requests.flush()
            if not answers.readline():
                raise RuntimeError(f"{count} sessions could not be opened: is `ulimit -n` high enough?")

        try:
            yield opened
        except BaseException:
            process.kill()
            raise


def _settled(pid: int) -> int:
    """Read the resident bytes of a process once they do not change any more."""
    deadline = monotonic() + _PATIENCE
    found = resident_bytes(pid)
    while monotonic() < deadline:
        sleep(_PAUSE)
        before, found = found, resident_bytes(pid)
        if found == before:
            break
    return found


def resident_bytes(pid: int) -> int:
    """Read how many bytes of a process are in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
