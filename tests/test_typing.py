"""The files that only the type checkers read speak of each method of a flow."""

from __future__ import annotations

import ast
from pathlib import Path

from flowsock import Flow, SharedFlow, StateFlow

FILES = sorted(Path(__file__).parent.glob("typing/check_*.py"))


def methods() -> set[str]:
    """Name the public methods; ``source`` is for the layers below."""
    return {name for kind in (Flow, SharedFlow, StateFlow) for name in dir(kind) if not name.startswith("_")} - {"source"}


def used() -> set[str]:
    """Name the attributes that the files use."""
    nodes = (node for path in FILES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_the_inferred_type_of_each_method_is_asserted_somewhere() -> None:
    assert methods() - used() == set()
