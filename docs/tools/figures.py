"""Marble diagrams as pictures: the flows that go in, the call, and what came out of it."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from flowsock.testing import Complete, Error, Item, Left

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowsock.testing import Timeline

_TICK: Final = 30
_ROW: Final = 44
_BOX: Final = 38
_MARGIN: Final = 30
_RADIUS: Final = 13
_LETTER: Final = 7.9
_COLOURS: Final = 6


def figure(inputs: Sequence[Timeline[Any]], call: str, output: Timeline[Any], text: str) -> str:
    """Draw a diagram as one line of HTML, which takes its colours from the page.

    Args:
        inputs: The flows that go in, from the top.
        call: What is called on them.
        output: What came out.
        text: The diagram in marble notation, for those who do not see the picture.
    """
    timelines = [*inputs, output]
    ticks = max(timeline.duration for timeline in timelines) + 1.5
    width = max(2 * _MARGIN + ticks * _TICK, 2 * _MARGIN + len(call) * _LETTER + 20)
    colours = _Colours()
    rows = [_row(timeline, number * _ROW + _ROW / 2, width, colours) for number, timeline in enumerate(inputs)]
    labels = [_text(12, n * _ROW + _ROW / 2, "abcdef"[n], "label") for n in range(len(inputs))] if len(inputs) > 1 else []
    top = len(inputs) * _ROW
    box = (
        f'<rect class="call" x="{_MARGIN}" y="{top + 4}" width="{width - 2 * _MARGIN:g}" height="{_BOX - 8}" rx="6"/>'
        f"{_text(width / 2, top + _BOX / 2, call, 'code')}"
    )
    result = _row(output, top + _BOX + _ROW / 2, width, colours)
    height = top + _BOX + _ROW
    return (
        f'<figure class="marbles"><svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img">'
        f"<title>{escape(text)}</title>{''.join([*rows, *labels, box, result])}</svg></figure>"
    )


class _Colours:
    """Give each value a colour of its own, the same wherever it appears."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, value: Any) -> int:
        return self._known.setdefault(repr(value), len(self._known)) % _COLOURS


def _row(timeline: Timeline[Any], y: float, width: float, colours: _Colours) -> str:
    return "".join(_marks(timeline, y, width, colours))


def _marks(timeline: Timeline[Any], y: float, width: float, colours: _Colours) -> Iterator[str]:
    end = width - 14 if timeline.end is None else _x(timeline.events[-1].at) + 12 * (_crowd(timeline) - 1)
    yield f'<path class="line" d="M{_MARGIN - 8} {y:g}H{end:g}"/>'
    if timeline.end is None:
        yield f'<path class="line" d="m{end - 6:g} {y - 5:g} 6 5-6 5"/>'
    for at, moment in groupby(timeline.events, key=lambda timed: timed.at):
        for place, timed in enumerate(moment):
            yield _mark(timed.event, _x(at) + place * (_RADIUS + 5), y, colours)


def _mark(event: object, x: float, y: float, colours: _Colours) -> str:
    match event:
        case Item(value):
            shown = value if isinstance(value, str) else repr(value)
            half = max(_RADIUS, len(shown) * _LETTER / 2 + 5)
            pill = f'x="{x - half:g}" y="{y - _RADIUS:g}" width="{2 * half:g}" height="{2 * _RADIUS}" rx="{_RADIUS}"'
            return f'<rect class="value c{colours.of(value)}" {pill}/>{_text(x, y, shown, "value")}'
        case Complete():
            return f'<path class="end" d="M{x:g} {y - 12:g}v24"/>'
        case Error():
            return f'<path class="error" d="m{x - 8:g} {y - 8:g} 16 16m0-16-16 16"/>'
        case Left():
            return f'<path class="left" d="M{x:g} {y - 12:g}v24"/>'
        case _:
            raise TypeError(event)


def _x(at: float) -> float:
    return _MARGIN + at * _TICK


def _crowd(timeline: Timeline[Any]) -> int:
    """Count the events of the last instant."""
    return sum(timed.at == timeline.events[-1].at for timed in timeline.events)


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y + 4.5:g}">{escape(text)}</text>'
