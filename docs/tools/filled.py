"""Places in pages that are filled from the code: a line ``<!-- settings: ServerConfig -->``."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import attrs

import flowsock
from docs.tools.reference import HOMES, entry, pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MARK: Final = re.compile(r"^<!-- (\w+)(?:: (\w+))? -->$", re.MULTILINE)


def fill(markdown: str) -> str:
    """Put what is asked for in the place of each mark.

    Raises:
        KeyError: there is no such mark.
    """
    return _MARK.sub(lambda mark: _FILLERS[mark[1]](*filter(None, [mark[2]])), markdown)


def operators() -> str:
    """Document the methods of `Flow`, in the order and under the headings of its docstring."""
    index = re.findall(
        r"^- \*(.+?)\*: (.+?)[.;]$", inspect.cleandoc(flowsock.Flow.__doc__ or "").replace("\n  ", " "), re.MULTILINE
    )
    return "\n\n".join(f"## {title}\n\n{_methods(names)}" for title, names in index)


def _methods(names: str) -> str:
    return _entries(f"flowsock.Flow.{name}" for name in re.findall(r"`(\w+)`", names))


def builders() -> str:
    """Document what makes flows."""
    return _entries(f"flowsock.{name}" for name, home in HOMES.items() if home == "flowsock.flows.builders")


def _entries(paths: Iterable[str]) -> str:
    return "\n\n".join(entry(path, heading_level=3) for path in paths)


def names() -> str:
    """List the public names, page by page, with what they are."""
    return "\n\n".join("\n".join((f"## {page.title}", "", *map(_line, page.paths))) for page in pages())


def _line(path: str) -> str:
    name = path.removeprefix("flowsock.")
    value = getattr(flowsock, name, None)
    summary = " ".join((inspect.getdoc(value) or "").partition("\n\n")[0].split()) if callable(value) else ""
    return f"- [`{name}`][{path}] {summary}"


def settings(name: str) -> str:
    """Make a table of the settings of a class, with their defaults."""
    kind: Any = getattr(flowsock, name)
    meanings = dict(_arguments(inspect.getdoc(kind) or ""))
    rows = [f"| `{each.name}` | `{_shown(each.default)}` | {meanings[each.name]} |" for each in attrs.fields(kind) if each.init]
    return "\n".join(("| setting | default | what it is |", "| --- | --- | --- |", *rows))


def commands() -> str:
    """Show the help of each command."""
    names = re.findall(r"^    (\w+)  ", _help(), re.MULTILINE)
    return "\n\n".join(f"## flowsock {name}\n\n```text\n{_help(name)}\n```" for name in names)


def _help(*command: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", "flowsock", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "88", "NO_COLOR": "1"},
    )
    return finished.stdout.strip()


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    [listed] = re.findall(r"^Args:\n(.+?)(?:\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    for argument in re.split(r"\n    (?=\w+: )", "\n" + listed)[1:]:
        name, meaning = argument.split(": ", 1)
        yield name, " ".join(meaning.split()).replace("|", "\\|")


def _shown(default: Any) -> str:
    value = getattr(default, "value", default)
    return f"{value:_}" if type(value) is int else repr(value)


_FILLERS: Final[dict[str, Callable[..., str]]] = {
    each.__name__: each for each in (operators, builders, names, settings, commands)
}
