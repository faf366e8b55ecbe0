"""Lines over the last seconds, as SVG."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from math import floor, isfinite, log10
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WIDTH: Final = 640
HEIGHT: Final = 260
_LEFT: Final = 58
_RIGHT: Final = 16
_TOP: Final = 36
_BOTTOM: Final = 28
_HUES: Final = ("#0969da", "#cf222e", "#1a7f37", "#9a6700", "#8250df", "#0f7f8a")
_DARK_HUES: Final = ("#4493f8", "#ff7b72", "#3fb950", "#d29922", "#bc8cff", "#39c5cf")

_STYLE: Final = "\n".join(
    [
        ".flowsock-chart{font:11px system-ui,sans-serif;max-width:100%}",
        ".flowsock-chart .card{fill:#fff;stroke:#d0d7de}.flowsock-chart text{fill:#59636e}",
        ".flowsock-chart .title{fill:#1f2328;font-weight:bold;font-size:12px}.flowsock-chart .error{fill:#cf222e}",
        ".flowsock-chart .grid{stroke:#d0d7de}.flowsock-chart .line{fill:none;stroke-width:1.8;stroke-linejoin:round}",
        *(f".flowsock-chart .hue{index}{{stroke:{hue}}}" for index, hue in enumerate(_HUES)),
        "@media(prefers-color-scheme:dark){",
        ".flowsock-chart .card{fill:#161b22;stroke:#3d444d}.flowsock-chart text{fill:#9198a1}",
        ".flowsock-chart .title{fill:#e6edf3}.flowsock-chart .error{fill:#ff7b72}.flowsock-chart .grid{stroke:#3d444d}",
        *(f".flowsock-chart .hue{index}{{stroke:{hue}}}" for index, hue in enumerate(_DARK_HUES)),
        "}",
    ]
)


def picture(
    lines: Mapping[str, Sequence[tuple[float, float]]], *, now: float, seconds: float, title: str = "", error: str = ""
) -> str:
    """Draw lines.

    Args:
        lines: The points of each line, by its name: when, and the value.
        now: The time at the right end.
        seconds: How long before it the left end is.
        title: What stands above.
        error: What went wrong, if something did.
    """
    plot = _Plot(lines, now, seconds)
    parts = [*plot.grid(), *plot.paths(), *plot.legend(title)]
    if error:
        parts.append(f'<text class="error" x="{_LEFT + 6}" y="{_TOP + 16}">{escape(error)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flowsock-chart" role="img" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}"><title>{escape(title or ", ".join(lines))}</title><style>{_STYLE}</style>'
        f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>{"".join(parts)}</svg>'
    )


class _Plot:
    __slots__ = ("_bottom", "_lines", "_now", "_seconds", "_step", "_top")

    def __init__(self, lines: Mapping[str, Sequence[tuple[float, float]]], now: float, seconds: float) -> None:
        self._lines = lines
        self._now = now
        self._seconds = seconds
        values = [value for points in lines.values() for _time, value in points if isfinite(value)] or [0.0, 1.0]
        self._step = _nice((max(values) - min(values) or abs(max(values)) or 1.0) / 4)
        self._bottom = floor(min(values) / self._step) * self._step
        self._top = (floor(max(values) / self._step) + 1) * self._step

    def _x(self, time: float) -> float:
        return WIDTH - _RIGHT - (self._now - time) / self._seconds * (WIDTH - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (value - self._bottom) / (self._top - self._bottom) * (HEIGHT - _TOP - _BOTTOM)

    def grid(self) -> Iterator[str]:
        for number in range(round((self._top - self._bottom) / self._step) + 1):
            value = self._bottom + number * self._step
            y = self._y(value)
            yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.6g}</text>'
        for part in range(5):
            ago = self._seconds * part / 4
            label = "now" if not part else f"-{ago:g} s"
            anchor = "end" if not part else "middle"
            yield f'<text x="{self._x(self._now - ago):.1f}" y="{HEIGHT - 10}" text-anchor="{anchor}">{label}</text>'

    def paths(self) -> Iterator[str]:
        for index, points in enumerate(self._lines.values()):
            shown = self._in_sight(points)
            path = " ".join(f"{self._x(time):.1f},{self._y(value):.1f}" for time, value in shown)
            yield f'<polyline class="line hue{index % len(_HUES)}" points="{path}"/>'

    def _in_sight(self, points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
        """Leave out what is not finite, and what is left of the left end but for the point that a line comes from."""
        start = self._now - self._seconds
        finite = [(time, value) for time, value in points if isfinite(value)]
        for (time, value), (following, _) in pairwise([*finite, (self._now, 0.0)]):
            if time >= start:
                yield time, value
            elif following > start:
                yield start, value

    def legend(self, title: str) -> Iterator[str]:
        yield f'<text class="title" x="14" y="22">{escape(title)}</text>'
        x = float(WIDTH - _RIGHT)
        for index, (name, points) in reversed(list(enumerate(self._lines.items()))):
            label = f"{name} {points[-1][1]:.4g}" if points else name
            x -= len(label) * 6.2 + 30
            yield f'<line class="line hue{index % len(_HUES)}" x1="{x:.1f}" x2="{x + 16:.1f}" y1="18" y2="18"/>'
            yield f'<text x="{x + 20:.1f}" y="22">{escape(label)}</text>'


def _nice(step: float) -> float:
    """Round up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(step))
    return next(nice * power for nice in (1, 2, 5, 10) if nice * power >= step * 0.999)
