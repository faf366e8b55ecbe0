"""The pictures of a page: below each console that draws flows by ``marble``, what it drew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import flowsock.testing
from tests.snippets import page, snippets

if TYPE_CHECKING:
    from pathlib import Path

    from flowsock.testing import MarbleDrawing


def add_drawings(markdown: str, path: Path) -> str:
    """Run the page's blocks, as the tests do, and put the pictures in.

    Args:
        markdown: What the page has become.
        path: Where its blocks are.
    """
    if "await marble(" not in markdown:
        return markdown
    for code, drawings in _run(path):
        if drawings:
            start = markdown.index(code)
            end = markdown.index("```", start) + len("```\n")
            markdown = f"{markdown[:end]}\n{''.join(map(_figure, drawings))}{markdown[end:]}"
    return markdown


def _run(path: Path) -> list[tuple[str, list[MarbleDrawing]]]:
    drawn: list[MarbleDrawing] = []
    marble = flowsock.testing.marble

    async def recorded(*flows: Any, **options: Any) -> MarbleDrawing:
        drawing = await marble(*flows, **options)
        drawn.append(drawing)
        return drawing

    done: list[tuple[str, list[MarbleDrawing]]] = []
    with pytest.MonkeyPatch.context() as patched, page(path.stem.replace("-", "_")) as namespace:
        patched.setattr(flowsock.testing, "marble", recorded)
        for snippet in snippets(path):
            snippet.run(namespace)
            done.append((snippet.code, drawn[:]))
            drawn.clear()
    return done


def _figure(drawing: MarbleDrawing) -> str:
    # What is light and what is dark is chosen on the page here, not in the reader's system.
    svg = drawing.svg().replace("@media(prefers-color-scheme:dark){", '[data-md-color-scheme="slate"]{')
    return f'<figure class="drawing">{svg}</figure>\n\n'
