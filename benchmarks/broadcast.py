"""Broadcast: what it costs the server to tell everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.crowds import TO_ALL, measure_crowds
from benchmarks.floor import FLOOR
from benchmarks.measuring import OURS, Gate, Table

if TYPE_CHECKING:
    from benchmarks.measuring import Effort

_SIZE: Final = 64
_MESSAGES: Final = 10
_NOTES: Final = (
    "One session says it, all of them get it. Processor time of the server process, all threads, from /proc. flowsock: a",
    "handler that collects, and a launched, buffered subscription to one shared flow, for each session.",
)


def measure(effort: Effort) -> list[Table]:
    """Open many sessions, and have some messages told to all of them.

    Raises:
        NotImplementedError: it is not Linux, or it allows too few descriptors.
    """
    results = measure_crowds(effort, TO_ALL, "broadcast", _SIZE, effort.scaled(_MESSAGES))
    rows = results.rows("server_ms")
    title = f"broadcast, {_SIZE} B to {effort.sessions:,} sessions"
    gates = (Gate(OURS, FLOOR, most=1.3),)
    reference = FLOOR if FLOOR in rows else OURS
    return [Table(title, "ms per message", reference, rows, gates, results.missing, (*_NOTES, *results.notes))]
