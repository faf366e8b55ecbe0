"""Servers with a crowd of clients: what `benchmarks.broadcast` and `benchmarks.latency` share."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from benchmarks.crowd import allow_descriptors
from benchmarks.echo import ROOT, Cores, Peer, cores_to_use, running_server
from benchmarks.floor import FLOOR, compiled_floor, running_floor
from benchmarks.measuring import OURS, loop_name, present

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from benchmarks.measuring import Effort

    Start = Callable[[int], AbstractContextManager[tuple[int, int]]]
    Told = Mapping[str, Any]

TO_ALL: Final = (
    Peer(OURS, "chat"),
    Peer("picows, a loop", "picows to all", ("picows",)),
    Peer("websockets, broadcast()", "websockets to all", ("websockets",)),
)
TO_ONE: Final = (
    Peer(OURS, "collect"),
    Peer("picows callbacks", "picows", ("picows",)),
    Peer("websockets", "websockets", ("websockets",)),
)
_SPARE: Final = 200
_BUSY: Final = 0.9
_DEADLINE: Final = 300.0


@frozen
class Results:
    """Hold what the crowds told, by the row, and what a reader has to know about it."""

    told: Mapping[str, Sequence[Told]]
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    def rows(self, *path: str) -> dict[str, list[float]]:
        """Pick one number out of all that was told."""
        return {row: [_picked(each, path) for each in tasks] for row, tasks in self.told.items()}


def _picked(told: Any, path: Sequence[str]) -> float:
    for name in path:
        told = told[name]
    return float(told)


def measure_crowds(effort: Effort, peers: Sequence[Peer], task: str, size: int, amount: int) -> Results:
    """Run a task against each server, a fresh process in every round, and against the floor.

    Raises:
        NotImplementedError: the operating system lacks something.
    """
    if not (Path("/proc/self/stat").exists() and sys.platform == "linux"):
        raise NotImplementedError("it needs Linux: it reads the server's processor time from /proc, and loads it by epoll")
    allow_descriptors(effort.sessions + _SPARE)
    cores = cores_to_use()
    found, missing = present(peers)
    told: dict[str, list[Told]] = {}
    with _starts(found, "echo" if task == "echo" else "all") as starts:
        order = list(starts.items())
        for _ in range(effort.rounds):
            for row, start in order:
                with start(cores.server) as (port, pid):
                    told.setdefault(row, []).append(_run(task, port, pid, cores.load, effort.sessions, size, amount))
            order.append(order.pop(0))
    told = {row: told[row] for row in starts}
    return Results(told, missing if FLOOR in told else (*missing, "a C compiler (cc)"), _notes(told, cores))


@contextmanager
def _starts(peers: Sequence[Peer], mode: str) -> Iterator[dict[str, Start]]:
    starts: dict[str, Start] = {peer.row: partial(running_server, peer.server) for peer in peers}
    with compiled_floor() as program:
        if program is not None:
            starts[FLOOR] = partial(running_floor, program, mode)
        yield starts


def _run(task: str, *numbers: int) -> Told:
    command = [sys.executable, "-m", "benchmarks.crowd", task, *map(str, numbers)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=_DEADLINE, check=True)
    told: Told = json.loads(done.stdout)
    return told


def _notes(told: Mapping[str, Sequence[Told]], cores: Cores) -> tuple[str, ...]:
    busy = {row: median(each["busy"] for each in tasks) for row, tasks in told.items()}
    late = {row: median(each["late_ms"] for each in tasks) for row, tasks in told.items() if "late_ms" in tasks[0]}
    where = f"server on core {cores.server}, clients on core {cores.load}" if cores.server >= 0 else "not pinned to cores"
    notes = [
        f"{loop_name()}; {where}; 127.0.0.1; binary messages; fresh processes for every row and round.",
        f"How busy the clients' process was: {', '.join(f'{row} {part:.0%}' for row, part in busy.items())}.",
    ]
    if late:
        lags = ", ".join(f"{row} {lag:.1f} ms" for row, lag in late.items())
        notes.append(f"How late 99 % of the messages were sent, at most: {lags}.")
    slow = [row for row, part in busy.items() if part > _BUSY]
    if slow:
        notes.append(f"The clients' process was the bottleneck, not the server: {', '.join(slow)}.")
    return tuple(notes)
