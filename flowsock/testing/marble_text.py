"""A drawing as lines of text, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flowsock.testing.events import Item
from flowsock.testing.lanes import in_lanes
from flowsock.testing.notation import ENDS
from flowsock.testing.time_axis import TimeAxis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowsock.testing.tracks import Mark, Queued, Row

_COLUMNS: Final = 72


def short(value: Any, most: int = 16) -> str:
    """Write a value down: a letter as it is, others as in Python, and not too long."""
    text = value if isinstance(value, str) and len(value) == 1 and value.isalpha() else repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def text_of(rows: Sequence[Row], duration: float) -> str:
    """Draw rows: a line for each, and lines for what waited in it."""
    axis = TimeAxis(rows, duration, width=lambda marks: len(_moment(marks)), unit=1, room=_COLUMNS)
    margin = max((len(row.name) for row in rows), default=0) + 2
    lines: list[str] = []
    for row in rows:
        lines += [f"{'':{margin}}{lane}" for lane in _queue(row, axis)]
        lines.append(f"{row.name:{margin}}{_line(row, axis)}".rstrip())
    return "\n".join(lines)


def _line(row: Row, axis: TimeAxis) -> str:
    if row.start is None:
        return ""
    line = " " * int(axis.place(row.start))
    for marks in axis.instants_of(row):
        line = line.ljust(int(axis.place(marks[0].at)), "-") + _moment(marks)
        line = line.ljust(int(axis.place(marks[-1].until)), "=")
    goes_on = not row.marks or isinstance(row.marks[-1].event, Item)
    return f"{line.ljust(int(axis.end), '-')}>" if goes_on else line


def _queue(row: Row, axis: TimeAxis) -> Iterator[str]:
    for lane in in_lanes(row.queued, axis, lambda queued: len(_waiting(queued, axis)) + 1):
        line = ""
        for queued in lane:
            line = line.ljust(int(axis.place(queued.at))) + _waiting(queued, axis)
        yield line


def _waiting(queued: Queued, axis: TimeAxis) -> str:
    width = int(axis.place(queued.until) - axis.place(queued.at))
    return short(queued.value).ljust(width, "=") + ("x" if queued.dropped else "")


def _moment(marks: Sequence[Mark]) -> str:
    tokens = [short(mark.event.value) if isinstance(mark.event, Item) else ENDS[type(mark.event)] for mark in marks]
    if len(tokens) == 1:
        return tokens[0]
    return f"({('' if all(len(token) == 1 for token in tokens) else ' ').join(tokens)})"
