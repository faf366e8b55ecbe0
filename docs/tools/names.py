"""Public names in the text of a page, as links to where they are documented."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from docs.tools.reference import public_paths

# Code, headings and what is a link already are left alone.
_PARTS: Final = re.compile(r"(^```.*?^```|^#.*?$|\[[^\]]*\]\([^)]*\)|\[[^\]]*\]\[[^\]]*\])", re.DOTALL | re.MULTILINE)
_NAME: Final = re.compile(r"(?<!`)`@?(\w+)`(?!`)")


def link_names(markdown: str) -> str:
    """Make each public name a link where the page has it first."""
    seen: set[str] = set()

    def linked(found: re.Match[str]) -> str:
        path = _paths().get(found[1])
        if path is None or path in seen:
            return found[0]
        seen.add(path)
        return f"[{found[0]}][{path}]"

    return "".join(part if index % 2 else _NAME.sub(linked, part) for index, part in enumerate(_PARTS.split(markdown)))


@cache
def _paths() -> dict[str, str]:
    """Give where the names are that need no prefix; of two of the same name, that of ``flowsock`` itself."""
    return {path.rpartition(".")[2]: path for path in reversed(public_paths())}
