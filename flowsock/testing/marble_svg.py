"""A drawing as a picture, for a notebook or a page: it brings its own colours, for light and dark, and needs nothing else."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from flowsock.testing.events import Complete, Error, Item, Left
from flowsock.testing.lanes import in_lanes
from flowsock.testing.marble_text import short
from flowsock.testing.time_axis import TimeAxis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowsock.testing.tracks import Mark, Queued, Row

_CHAR: Final = 7.3
_MARBLE: Final = 24
_ROW: Final = 40
_LANE: Final = 21
_MARGIN: Final = 16
_ROOM: Final = 640
_HUES: Final = ("#ffd6a5", "#a8d8ff", "#c7f0bd", "#ffc2d4", "#d9c9ff", "#fff1a8", "#b5ece6", "#e3d5ca")

_STYLE: Final = """\
.flowsock-marbles{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}
.flowsock-marbles .card{fill:#fff;stroke:#d0d7de}
.flowsock-marbles text{fill:#1f2328;stroke:none}
.flowsock-marbles .time{fill:#59636e;font-size:10px}
.flowsock-marbles .on{fill:#1b1f24}
.flowsock-marbles .line,.flowsock-marbles .end{stroke:#59636e;stroke-width:1.5;fill:none}
.flowsock-marbles .end{stroke-width:2.5}
.flowsock-marbles .grid{stroke:#d0d7de;stroke-dasharray:2 3}
.flowsock-marbles .ball{stroke:#59636e}
.flowsock-marbles .held{stroke:#bc4c00;stroke-width:5;opacity:.55}
.flowsock-marbles .waits{stroke:#0969da;stroke-width:5;opacity:.45}
.flowsock-marbles .error{stroke:#cf222e;stroke-width:3;fill:none}
.flowsock-marbles .left{stroke:#8250df;stroke-width:2;fill:none;stroke-dasharray:3 2}
@media(prefers-color-scheme:dark){
.flowsock-marbles .card{fill:#161b22;stroke:#3d444d}
.flowsock-marbles text{fill:#e6edf3}
.flowsock-marbles .time{fill:#9198a1}
.flowsock-marbles .on{fill:#1b1f24}
.flowsock-marbles .line,.flowsock-marbles .end,.flowsock-marbles .ball{stroke:#9198a1}
.flowsock-marbles .grid{stroke:#3d444d}
.flowsock-marbles .held{stroke:#f0883e}
.flowsock-marbles .waits{stroke:#4493f8}
.flowsock-marbles .error{stroke:#ff7b72}
.flowsock-marbles .left{stroke:#bc8cff}
}"""


def svg_of(rows: Sequence[Row], duration: float, title: str) -> str:
    """Draw rows: a line for each, above it what waited in it, and the time below."""
    return _Picture(rows, duration, title).svg()


class _Picture:
    __slots__ = ("_axis", "_colours", "_duration", "_left", "_rows", "_title")

    def __init__(self, rows: Sequence[Row], duration: float, title: str) -> None:
        self._rows = rows
        self._duration = duration
        self._title = title
        self._axis = TimeAxis(rows, duration, width=_moment_width, unit=_MARBLE + 4, room=_ROOM)
        self._left = 2 * _MARGIN + _CHAR * max((len(row.name) for row in rows), default=0) + _MARBLE / 2
        values = [short(mark.event.value) for row in rows for mark in row.marks if isinstance(mark.event, Item)]
        self._colours = {text: _HUES[index % len(_HUES)] for index, text in enumerate(dict.fromkeys(values))}

    def svg(self) -> str:
        y = _MARGIN / 2 + (22 if self._title else 0)
        body: list[str] = []
        for row in self._rows:
            lanes = in_lanes(row.queued, self._axis, self._bar_width)
            for lane in lanes:
                body += [self._waiting(queued, y + _LANE / 2) for queued in lane]
                y += _LANE
            y += _ROW
            body += self._row(row, y - _ROW / 2)
        top = _MARGIN / 2 + (22 if self._title else 0)
        grid = list(self._grid(top, y))
        width, height = self._left + self._axis.end + 2 * _MARGIN + 8, y + 20
        head = f'<text x="{_MARGIN}" y="22" font-weight="bold">{escape(self._title)}</text>' if self._title else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="flowsock-marbles" role="img" width="{width:.0f}" '
            f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"><title>{escape(self._title or "marbles")}</title>'
            f"<style>{_STYLE}</style>"
            f'<rect class="card" x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="8"/>'
            f"{head}{''.join(grid)}{''.join(body)}</svg>"
        )

    def _x(self, time: float) -> float:
        return self._left + self._axis.place(time)

    def _grid(self, top: float, bottom: float) -> Iterator[str]:
        free = 0.0
        for time, place in self._axis.times():
            x = self._left + place
            label = f"{time:.3g} s"
            if x >= free:
                free = x + len(label) * 6.5 + 6
                yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'
                yield f'<text class="time" x="{x:.1f}" y="{bottom + 12:.1f}" text-anchor="middle">{label}</text>'

    def _row(self, row: Row, y: float) -> Iterator[str]:
        yield f'<text x="{_MARGIN}" y="{y + 4:.1f}">{escape(row.name)}</text>'
        if row.start is None:
            return
        yield self._line(row, y)
        moments = self._axis.instants_of(row)
        for marks in moments:
            end = self._x(marks[-1].until)
            if end > self._x(marks[0].at):
                yield f'<line class="held" x1="{self._x(marks[0].at):.1f}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        for marks in moments:
            x = self._x(marks[0].at)
            for mark in marks:
                yield self._mark(mark, x, y)
                x += _width(mark)

    def _line(self, row: Row, y: float) -> str:
        start = self._x(row.start or 0)
        goes_on = not row.marks or isinstance(row.marks[-1].event, Item)
        if not goes_on:
            end = self._x(row.marks[-1].at)
            return f'<path class="line" d="M{start:.1f} {y:.1f}H{end:.1f}"/>'
        end = self._left + self._axis.end + _MARGIN
        return f'<path class="line" d="M{start:.1f} {y:.1f}H{end:.1f}m-6 -4l6 4l-6 4"/>'

    def _mark(self, mark: Mark, x: float, y: float) -> str:
        match mark.event:
            case Item(value):
                return self._ball(value, x, y, _MARBLE, f"{value!r} at {mark.at:g} s")
            case Complete():
                shape = f'<path class="end" d="M{x:.1f} {y - 12:.1f}v24"/>'
                told = "completion"
            case Error(error):
                shape = f'<path class="error" d="M{x - 8:.1f} {y - 8:.1f}l16 16m0 -16l-16 16"/>'
                told = repr(error)
            case Left():
                shape = f'<path class="left" d="M{x:.1f} {y - 12:.1f}v24"/>'
                told = "cancelled from below"
        return f"<g>{shape}<title>{escape(f'{told} at {mark.at:g} s')}</title></g>"

    def _waiting(self, queued: Queued, y: float) -> str:
        x, end = self._x(queued.at), self._x(queued.until)
        end = max(end, x + _text_width(short(queued.value), 18))
        bar = f'<line class="waits" x1="{x:.1f}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        cross = f'<path class="error" d="M{end - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"/>' if queued.dropped else ""
        told = f"{queued.value!r} {'dropped' if queued.dropped else 'queued'}, {queued.at:g} to {queued.until:g} s"
        return f"<g>{bar}{self._ball(queued.value, x, y, 18, told)}{cross}</g>"

    def _bar_width(self, queued: Queued) -> float:
        cross = 14 if queued.dropped else 4
        waited = self._axis.place(queued.until) - self._axis.place(queued.at)
        return max(_text_width(short(queued.value), 18), waited) + cross

    def _ball(self, value: Any, x: float, y: float, height: float, told: str) -> str:
        text = short(value)
        width = _text_width(text, height)
        return (
            f'<g><rect class="ball" x="{x - height / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" '
            f'height="{height:.0f}" rx="{height / 2:.0f}" fill="{self._colours.get(text, _HUES[0])}"/>'
            f'<text class="on" x="{x - height / 2 + width / 2:.1f}" y="{y + 4:.1f}" text-anchor="middle">{escape(text)}</text>'
            f"<title>{escape(told)}</title></g>"
        )


def _text_width(text: str, height: float) -> float:
    return max(height, len(text) * _CHAR + 10)


def _width(mark: Mark) -> float:
    return _text_width(short(mark.event.value), _MARBLE) + 2 if isinstance(mark.event, Item) else _MARBLE / 2


def _moment_width(marks: Sequence[Mark]) -> float:
    return sum(map(_width, marks))
