"""The notebooks run from top to bottom, and show what they are meant to show."""

from __future__ import annotations

import ast
import json
from inspect import CO_COROUTINE
from pathlib import Path
from types import FunctionType
from typing import Any

import anyio

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def run_notebook(name: str) -> list[Any]:
    """Run the code cells as a kernel does, with top-level await, and give what each one's last expression was."""
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]
    return anyio.run(run_cells, [cell["source"] for cell in cells if cell["cell_type"] == "code"])


async def run_cells(sources: list[str]) -> list[Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    return [await run_cell(source, namespace) for source in sources]


async def run_cell(source: str, namespace: dict[str, Any]) -> Any:
    tree = ast.parse(source)
    namespace.pop("_", None)
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        tree.body[-1] = ast.copy_location(ast.Assign([ast.Name("_", ast.Store())], last.value), last)
    code = compile(ast.fix_missing_locations(tree), "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = FunctionType(code, namespace)()
    if code.co_flags & CO_COROUTINE:
        await result
    return namespace.get("_")


def test_first_flows() -> None:
    squares, ticks, shared, states = run_notebook("first_flows")
    assert squares == [1, 9, 25, 49, 81]
    assert ticks == ["tick 0", "tick 1", "tick 2"]
    assert shared == (["ONE", "TWO", "THREE"], ["two", "three"])
    assert states == [0, 1, 2]
