"""Each number of the list of faults is tested, here or where its part is tested."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS: Final = Path(__file__).parent.parent
ALL: Final = set(range(1, 82))
IN_A_NAME: Final = re.compile(r"test_((?:\d{1,2}_)+)")
IN_AN_ID: Final = re.compile(r"(\d{1,2})(?:$|[ ,])")


def numbers() -> Iterator[int]:
    """Give the numbers that begin the names of tests anywhere, and the ids of parameters among the faults."""
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found = IN_A_NAME.match(node.name)
                yield from map(int, found[1].strip("_").split("_") if found else ())
            elif path.parent == TESTS / "faults" and isinstance(node, ast.Constant) and isinstance(node.value, str):
                found = IN_AN_ID.match(node.value)
                yield from map(int, found.groups() if found else ())


def test_each_fault_is_tested() -> None:
    assert ALL - set(numbers()) == set()
