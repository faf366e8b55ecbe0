"""Tables as text and as JSON."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict

from benchmarks.measuring import loop_name, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.measuring import Effort, Gate, Spread, Table

_PACKAGES: Final = (
    "flowsock",
    "anyio",
    "uvloop",
    "aiohttp",
    "aioreactive",
    "aiostream",
    "picows",
    "reactivex",
    "socketify",
    "starlette",
    "tornado",
    "uvicorn",
    "websockets",
)


def table_text(table: Table) -> str:
    """Lay a table out for a terminal."""
    compared = (f"x {table.reference}", "range") if table.reference else ("", "")
    lines: list[tuple[str, ...]] = [("", table.unit, "range", *compared, "gate")]
    for name in table.rows:
        lines += _row_lines(table, name)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = [_aligned(line, widths) for line in lines]
    texts.insert(1, "-" * max(map(len, texts)))
    missing = [f"not installed, so left out: {', '.join(table.missing)}"] if table.missing else []
    return "\n".join([table.title, "", *texts, "", *missing, *table.notes])


def _row_lines(table: Table, name: str) -> list[tuple[str, ...]]:
    times = spread(table.rows[name])
    ratios = table.ratios(name, table.reference)
    cells = (name, *_cells(times), *(_cells(spread(ratios)) if ratios else ("", "")))
    gates = [gate_text(table, gate) for gate in table.gates if gate.row == name] or [""]
    return [(*cells, gates[0]), *(("", "", "", "", "", more) for more in gates[1:])]


def _cells(values: Spread) -> tuple[str, str]:
    return number_text(values.median), f"{number_text(values.low)}-{number_text(values.high)}"


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *middle, last = line
    cells = [cell.rjust(width) for cell, width in zip(middle, widths[1:-1], strict=True)]
    return "  ".join([first.ljust(widths[0]), *cells, last]).rstrip()


def number_text(value: float) -> str:
    """Write a number with about three digits that mean something."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def gate_text(table: Table, gate: Gate) -> str:
    """Say what is demanded, and whether it holds in this run."""
    demand = _demand(table, gate)
    verdict = table.verdict(gate)
    if verdict is None:
        return f"{demand}: not measured"
    outcome = "holds" if verdict.missed_by is None else f"misses by {verdict.missed_by:.2f}x"
    return f"{demand}: {number_text(verdict.value)}, {outcome}"


def _demand(table: Table, gate: Gate) -> str:
    if gate.than is None:
        return f"≤ {gate.most:g} {table.unit.partition(' ')[0]}"
    if gate.faster:
        return f"≥ {gate.least:g}x faster than {gate.than}"
    if gate.least:
        return f"{gate.least:g}-{gate.most:g}x {gate.than}"
    return f"≤ {gate.most:g}x {gate.than}"


def header_text(effort: Effort) -> str:
    """Say where and with what the tables came to be."""
    versions = ", ".join(f"{name} {number}" for name, number in _versions().items())
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"{python} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores; loop: {loop_name()}\n{versions}\n"
        f"{effort.rounds} rounds; each ratio is of two times of the same round; medians, and ranges over the rounds."
    )


def as_json(effort: Effort, areas: Mapping[str, Sequence[Table]]) -> dict[str, Any]:
    """Give all that was measured as plain data."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "loop": loop_name(),
        "versions": _versions(),
        "effort": asdict(effort),
        "areas": {name: [_table_json(table) for table in tables] for name, tables in areas.items()},
    }


def _table_json(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "unit": table.unit,
        "reference": table.reference,
        "rows": [_row_json(table, name) for name in table.rows],
        "gates": [_gate_json(table, gate) for gate in table.gates],
        "missing": list(table.missing),
        "notes": list(table.notes),
    }


def _row_json(table: Table, name: str) -> dict[str, Any]:
    ratios = table.ratios(name, table.reference)
    return {
        "name": name,
        "times": list(table.rows[name]),
        "time": asdict(spread(table.rows[name])),
        "ratios": ratios,
        "ratio": asdict(spread(ratios)) if ratios else None,
    }


def _gate_json(table: Table, gate: Gate) -> dict[str, Any]:
    verdict = table.verdict(gate)
    outcome = {"holds": verdict.missed_by is None, **asdict(verdict)} if verdict else {"holds": None}
    return {**asdict(gate), **outcome}


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
