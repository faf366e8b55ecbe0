"""Docstrings as Markdown, for mkdocstrings: names become links, examples and diagrams blocks of their own."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
from griffe import Extension

sys.path.insert(0, str(Path(__file__).parents[2]))

from docs.tools.figures import figure
from docs.tools.reference import public_paths
from flowsock.testing import virtual_time
from tests.docstrings import SETTING, Documented, everything, perform, run_console

if TYPE_CHECKING:
    from griffe import Object

_NAME: Final = re.compile(r"(?<![`\w\[])`([A-Za-z_][\w.]*)`(?![`\]])")
_LAW: Final = re.compile(r"^(Laws?)\b(.*?):(?=\s)", re.MULTILINE)


class Docstrings(Extension):
    """Rewrites the docstrings of the package while they are loaded."""

    def __init__(self) -> None:
        self._public = {path.rpartition(".")[2]: path for path in reversed(public_paths())}

    def on_object(self, *, obj: Object, **_kwargs: Any) -> None:
        """Rewrite the docstring of a module, a class, a function or an attribute."""
        if obj.docstring is not None and obj.path.startswith("flowsock"):
            text = "\n\n".join(self._paragraph(part, obj) for part in _paragraphs(obj.docstring.value))
            for paragraph, picture in pictures().get(obj.path, {}).items():
                text = text.replace(paragraph, picture)
            obj.docstring.value = text

    def _paragraph(self, text: str, obj: Object) -> str:
        if text.startswith(">>> "):
            return f"```pycon\n{text}\n```"
        if text.startswith("    "):
            return text
        return _LAW.sub(r"*\1\2:*", _NAME.sub(lambda found: self._linked(found[1], obj), text))

    def _linked(self, name: str, obj: Object) -> str:
        path = self._path(name, obj)
        return f"[`{name}`][{path}]" if path else f"`{name}`"

    def _path(self, name: str, obj: Object) -> str | None:
        owner = obj if obj.is_class else obj.parent
        if owner is not None and owner.is_class:
            member = owner.all_members.get(name)
            if member is not None:
                return member.canonical_path if member.has_docstring else None
        first, _, rest = name.removeprefix("flowsock.").partition(".")
        return f"{self._public[first]}.{rest}".rstrip(".") if first in self._public else None


@cache
def pictures() -> dict[str, dict[str, str]]:
    """Run the diagrams of all docstrings, on virtual time; give the picture of each paragraph, by where it is defined."""
    backend, options = virtual_time("asyncio")
    return {
        _home(docs): anyio.run(_drawn, docs, backend=backend, backend_options=dict(options))
        for docs in everything()
        if docs.diagrams
    }


async def _drawn(docs: Documented) -> dict[str, str]:
    namespace: dict[str, Any] = {}
    exec(SETTING, namespace)
    await run_console(docs.name, docs.examples, namespace)
    drawn: dict[str, str] = {}
    for diagram in docs.diagrams:
        lines = (*diagram.inputs, diagram.call, diagram.output)
        inputs, output = await perform(docs, diagram, namespace)
        drawn["\n".join(f"    {line}" for line in lines)] = figure(inputs, diagram.call, output, "\n".join(lines))
    return drawn


def _home(docs: Documented) -> str:
    owner = docs.owner or docs.target
    home = f"{owner.__module__}.{owner.__qualname__}"
    return home if docs.owner is None else f"{home}.{docs.name.rpartition('.')[2]}"


def _paragraphs(text: str) -> list[str]:
    return re.split(r"\n{2,}", text)
