"""The code in Markdown, as it is printed there: whole programs, and consoles with what they print."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from doctest import DocTestParser
from textwrap import dedent
from types import ModuleType
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import fail_after
from attrs import frozen

from flowsock import App
from flowsock.testing import virtual_time
from tests.docstrings import run_console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FENCE = re.compile(r"^( *)```(\w+).*?\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


@frozen
class Snippet:
    """A block of code, in the language that its fence names."""

    path: Path
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"

    def run(self, namespace: dict[str, Any]) -> None:
        """Run what is Python: ``python`` as a program, ``pycon`` as a console with top-level await, on virtual time."""
        if self.language == "python":
            # Tracebacks show the line in the file.
            exec(compile("\n" * self.line + self.code, str(self.path), "exec", dont_inherit=True), namespace)
        elif self.language == "pycon":
            # What waits for a socket cannot run on virtual time.
            backend, options = ("asyncio", {}) if re.search(r"\b(serve|connect)\(", self.code) else virtual_time("asyncio")
            anyio.run(self._talk, namespace, backend=backend, backend_options=dict(options))

    async def _talk(self, namespace: dict[str, Any]) -> None:
        with fail_after(100_000):
            await run_console(str(self), DocTestParser().get_examples(self.code), namespace)


def snippets(path: Path) -> list[Snippet]:
    """Find the blocks of code in a file."""
    text = path.read_text(encoding="utf-8")
    return [
        Snippet(path, text.count("\n", 0, found.start()) + 1, found[2], dedent(found[3])) for found in _FENCE.finditer(text)
    ]


@contextmanager
def page(name: str) -> Iterator[dict[str, Any]]:
    """Give a namespace for blocks that follow each other. In them ``app.run()`` returns at once."""
    # Handlers' annotations are looked up in the module that they say they are of.
    module = ModuleType(name)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(App, "run", lambda _app, *_addresses, **_options: None)
        patched.setitem(sys.modules, name, module)
        yield module.__dict__
