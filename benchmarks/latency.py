"""Latency: how soon a client hears from a server that many have opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.crowd import BURST, RATE
from benchmarks.crowds import TO_ALL, TO_ONE, measure_crowds
from benchmarks.measuring import OURS, Gate, Table

if TYPE_CHECKING:
    from benchmarks.crowds import Results
    from benchmarks.measuring import Effort

_PERCENTILES: Final = ("p50", "p99", "p99.9")
_SECONDS: Final = 5
_ECHO_SIZE: Final = 32
_BURST_SIZE: Final = 64
_BURSTS: Final = 5
_GATES: Final[dict[str, tuple[Gate, ...]]] = {"p99": (Gate(OURS, most=3),)}
_ECHO_NOTES: Final = (
    "From the moment a message is sent until its echo is read, each on another session that waits for nothing; the clients",
    "send at that rate whether they are answered or not.",
)
_BURST_NOTES: Final = ("From the moment one session sends all of them until each has come to each session.",)


def measure(effort: Effort) -> list[Table]:
    """Measure echoes on many sessions, bursts to all of them, and bursts while one of them does not read.

    Raises:
        NotImplementedError: it is not Linux, or it allows too few descriptors.
    """
    messages, bursts = effort.scaled(_SECONDS * RATE), effort.scaled(_BURSTS)
    echoes = measure_crowds(effort, TO_ONE, "echo", _ECHO_SIZE, messages)
    title = f"echo of {_ECHO_SIZE} B, {effort.sessions:,} sessions open, {RATE:,} messages/s"
    tables = _tables(title, echoes, _GATES, _ECHO_NOTES)
    title = f"{BURST} messages of {_BURST_SIZE} B at once to {effort.sessions:,} sessions"
    for task, more in (("burst", ""), ("slow", ", one more reads nothing")):
        told = measure_crowds(effort, TO_ALL, task, _BURST_SIZE, bursts)
        tables += _tables(f"{title}{more}", told, {}, _BURST_NOTES)
    return tables


def _tables(title: str, results: Results, gates: dict[str, tuple[Gate, ...]], notes: tuple[str, ...]) -> list[Table]:
    last = _PERCENTILES[-1]
    return [
        Table(
            f"{title}: {percentile}",
            "ms",
            OURS,
            results.rows("ms", percentile),
            gates.get(percentile, ()),
            results.missing,
            (*notes, *results.notes) if percentile == last else (),
        )
        for percentile in _PERCENTILES
    ]
