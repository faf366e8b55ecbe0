"""Marble notation: a flow over time as a line of text.

One character is one tick:

- ``-`` is a tick in which nothing happens.
- ``a``: a letter is a value, itself unless a mapping says otherwise. Other values are written as in Python: ``10`` (digits next
  to each other are one number), ``1.5``, ``'text'``, ``None``, ``True``, ``False``, ``[1,a]``, ``(1,a)``.
- ``(ab|)``: events of one instant, without commas. Numbers in it need a blank between them, and may be negative: ``(1 -2)``.
- ``|`` is completion, ``#`` an error, and ``!`` the collector's leaving. A line without any of them ends, and the flow goes on.

What is longer than a character happens at its first one and covers as many ticks as it is long: in ``-10-(ab|)``, 10 comes at
tick 1, the rest at tick 4.
"""

from __future__ import annotations

import re
from ast import literal_eval
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from flowsock.flows.conflation import same_value
from flowsock.testing.events import Complete, Error, Item, Left
from flowsock.testing.timelines import Timed, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flowsock.testing.events import Event

LITERAL: Final = re.compile(r"""-?\d+(?:\.\d+)?|None|True|False|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
ENDS: Final[dict[type[object], str]] = {Complete: "|", Error: "#", Left: "!"}


class MarbleError(Exception):
    """What a ``#`` in a line stands for, unless told otherwise.

    >>> await marbles("-a-#").collect()
    Traceback (most recent call last):
    flowsock.testing.notation.MarbleError: #
    """


def parse_marbles(line: str, *, values: Mapping[str, Any] | None = None, error: Exception | None = None) -> Timeline[Any]:
    """Read a line in marble notation (see ``help(flowsock.testing.notation)``); blanks around it do not count.

    Args:
        line: What happens, tick by tick.
        values: What letters stand for, if not for themselves.
        error: What ``#`` stands for; a `MarbleError` if left out.

    Raises:
        ValueError: the line is not in this notation; the message says where and why.

    Law: what `render_marbles` draws of the timeline is the same line.

    >>> print(parse_marbles("-a-(b|)"))
    Item(value='a') at 1, Item(value='b') at 3, Complete() at 3
    """
    reader = _Reader(line.strip(), values or {}, MarbleError("#") if error is None else error)
    events = tuple(reader.timeline())
    timeline = Timeline(events, len(reader.line))
    return Timeline(events, events[-1].at) if timeline.end else timeline


def render_marbles(timeline: Timeline[Any], *, values: Mapping[str, Any] | None = None) -> str:
    """Draw a timeline as the line that `parse_marbles` reads it from.

    Args:
        timeline: What happened.
        values: What letters stand for, if not for themselves.

    Raises:
        ValueError: something happened between two ticks, or too soon after something whose text is long, or a value can be
            written neither as Python does nor by a letter.

    Law: what `parse_marbles` reads from the line is the same timeline.

    >>> render_marbles(await observe(interval(2).take(3)))
    '--0-1-(2|)'
    """
    line = ""
    for at, moment in groupby(timeline.events, key=lambda timed: timed.at):
        if at != int(at) or at < len(line):
            raise ValueError(f"a line of marbles has no place at {at:g}: {timeline}")
        line = line.ljust(int(at), "-") + _moment([timed.event for timed in moment], values or {})
    if len(parse_marbles(line, values=values).events) != len(timeline.events):
        raise ValueError(f"neighbours in marbles {line!r} would be read as one value: {timeline}")
    return line if timeline.end else line.ljust(int(timeline.duration), "-")


class _Reader:
    """A line, and how far it was read."""

    __slots__ = ("_at", "_ends", "_values", "line")

    def __init__(self, line: str, values: Mapping[str, Any], error: Exception) -> None:
        for letter in values:
            if not _is_letter(letter):
                raise ValueError(f"in marbles a value's name is one letter, not {letter!r}")
        self.line = line
        self._values = values
        self._ends: dict[str, Event[Any] | Left] = {"|": Complete(), "#": Error(error), "!": Left()}
        self._at = 0

    def timeline(self) -> Iterator[Timed[Any]]:
        while self._at < len(self.line):
            at = self._at
            if not self._take("-"):
                for event in self._moment():
                    yield Timed(at, event)

    def _moment(self) -> list[Event[Any] | Left]:
        start = self._at
        if not self._take("("):
            return [self._event(then="")]
        events: list[Event[Any] | Left] = []
        while not self._take(")"):
            if events and self._take(","):
                self._at = start
                return [Item(self._value())]
            events.append(self._event(then=")"))
            self._skip_blanks()
        return events or self._fail("there is nothing in this group", at=start)

    def _event(self, *, then: str) -> Event[Any] | Left:
        end = self._ends.get(self._next)
        if end is None:
            return Item(self._value())
        self._at += 1
        if self._next != then:
            self._fail("nothing can follow the end")
        return end

    def _value(self) -> Any:
        if self._take("["):
            return self._elements("]")
        if self._take("("):
            return tuple(self._elements(")"))
        literal = LITERAL.match(self.line, self._at)
        if literal is not None:
            return self._literal(literal[0])
        letter = self._next
        if not _is_letter(letter):
            self._fail(f"{letter!r} is neither a value nor one of - ( ) | # !" if letter else "the line ends in a bracket")
        self._at += 1
        return self._values.get(letter, letter)

    def _literal(self, text: str) -> Any:
        try:
            value = literal_eval(text)
        except SyntaxError:
            self._fail(f"digits next to each other are one number, and {text} is none")
        self._at += len(text)
        return value

    def _elements(self, close: str) -> list[Any]:
        elements: list[Any] = []
        more = True
        while not self._take(close):
            if not more:
                self._fail(f"expected a comma or {close}")
            elements.append(self._value())
            self._skip_blanks()
            more = self._take(",")
            self._skip_blanks()
        if close == ")" and len(elements) == 1 and not more:
            self._fail("a tuple of one is written with a comma, as in Python")
        return elements

    @property
    def _next(self) -> str:
        return self.line[self._at : self._at + 1]

    def _take(self, char: str) -> bool:
        taken = self._next == char
        self._at += taken
        return taken

    def _skip_blanks(self) -> None:
        while self._take(" "):
            pass

    def _fail(self, reason: str, *, at: int | None = None) -> NoReturn:
        raise ValueError(f"marbles {self.line!r}, at tick {self._at if at is None else at}: {reason}")


def _is_letter(text: str) -> bool:
    return len(text) == 1 and text.isalpha()


def _moment(events: list[Event[Any] | Left], values: Mapping[str, Any]) -> str:
    tokens = [_token(event.value, values) for event in events if isinstance(event, Item)]
    end = "".join(ENDS[type(event)] for event in events if not isinstance(event, Item))
    if not tokens:
        return end
    if len(events) == 1 and not tokens[0].startswith(("-", "()")):
        return tokens[0]
    return f"({('' if all(map(_is_letter, tokens)) else ' ').join(tokens)}{end})"


def _token(value: object, values: Mapping[str, Any]) -> str:
    for letter, named in values.items():
        if type(named) is type(value) and same_value(named, value):
            return letter
    if isinstance(value, str) and _is_letter(value) and value not in values:
        return value
    if type(value) is list:
        return f"[{_listed(cast('list[object]', value), values)}]"
    if type(value) is tuple:
        elements = cast("tuple[object, ...]", value)
        return f"({_listed(elements, values)}{',' if len(elements) == 1 else ''})"
    text = repr(value)
    if LITERAL.fullmatch(text):
        return text
    raise ValueError(f"marbles need a letter for {text}: values={{'a': …}}")


def _listed(elements: Iterable[object], values: Mapping[str, Any]) -> str:
    return ",".join(_token(each, values) for each in elements)
