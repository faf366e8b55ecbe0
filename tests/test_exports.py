"""What ``import flowsock`` gives: all of it, documented, and nothing heavy."""

from __future__ import annotations

import ast
import inspect
import pydoc
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import flowsock

ROOT = Path(flowsock.__file__).parent
INIT = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
HEAVY = {"asyncio", "ssl", "h11", "msgspec", "aioreactive", "expression", "trio", "uvloop", "socket", "zlib", "http"}


def constants_then_classes_then_functions(name: str) -> tuple[int, str]:
    """Sort as ruff sorts ``__all__``."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def names_imported_by(tree: ast.AST) -> set[str]:
    return {alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names if alias.asname}


def test_all_is_a_sorted_tuple_without_duplicates() -> None:
    assert isinstance(flowsock.__all__, tuple)
    assert list(flowsock.__all__) == sorted(set(flowsock.__all__), key=constants_then_classes_then_functions)


def test_all_names_exactly_what_is_imported() -> None:
    assert set(flowsock.__all__) == names_imported_by(INIT)


@pytest.mark.parametrize("name", flowsock.__all__)
def test_every_name_resolves(name: str) -> None:
    value = getattr(flowsock, name)
    assert not isinstance(value, ModuleType)
    assert getattr(value, "__name__", name) == name


def test_what_type_checkers_see_is_what_is_imported_lazily() -> None:
    [for_checkers] = [node for node in INIT.body if isinstance(node, ast.If)]
    lazy: dict[str, str] = vars(flowsock)["_HOMES"]
    assert names_imported_by(for_checkers) == set(lazy) == set(flowsock.__all__)
    for node in for_checkers.body:
        assert isinstance(node, ast.ImportFrom)
        assert {lazy[alias.name] for alias in node.names} == {node.module}


def test_dir_lists_every_name() -> None:
    assert set(flowsock.__all__) <= set(dir(flowsock))


def test_an_unknown_name_is_refused() -> None:
    name = "no_such_name"
    with pytest.raises(AttributeError, match=name):
        getattr(flowsock, name)


def public_members(kind: type[Any]) -> dict[str, Any]:
    return {
        name: member
        for base in kind.__mro__
        if base.__module__.startswith("flowsock")
        for name, member in vars(base).items()
        if not name.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod))
    }


@pytest.mark.parametrize("name", [name for name in flowsock.__all__ if not name.isupper()])
def test_every_public_thing_is_documented(name: str) -> None:
    value = getattr(flowsock, name)
    assert value.__doc__, name
    if isinstance(value, type):
        undocumented = [member for member in public_members(value) if not inspect.getdoc(getattr(value, member))]
        assert undocumented == []


def test_every_module_and_every_public_definition_in_it_is_documented() -> None:
    """The functions behind the operators are documented where they are public: in the methods of `Flow`."""
    undocumented: list[str] = []
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if tree.body and not ast.get_docstring(tree):
            undocumented.append(str(path))
        undocumented.extend(
            f"{path}: {node.name}"
            for node in tree.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and not (node.name.startswith("_") or ast.get_docstring(node) or is_overload(node))
            and not (path.parent.name == "operators" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        )
    assert undocumented == []


def is_overload(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)


def loaded_by(code: str) -> set[str]:
    """Give the modules that a new interpreter has loaded after running some code."""
    script = f"{code}\nimport sys\nprint(*sorted(sys.modules))"
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=25, check=True
    )
    return set(finished.stdout.split())


def test_importing_the_package_loads_nothing_of_it() -> None:
    assert {name for name in loaded_by("import flowsock") if name.startswith("flowsock")} == {"flowsock"}


def test_flows_scopes_and_channels_load_nothing_heavy() -> None:
    assert loaded_by("from flowsock import Channel, Flow, coroutine_scope, flow_of") & HEAVY == set()


def test_a_pipeline_without_sockets_loads_no_server() -> None:
    code = "import anyio, flowsock\nanyio.run(flowsock.flow_of(1, 2).map(str).to_list)"
    loaded = loaded_by(code)
    assert "flowsock.flows.flow" in loaded
    assert {name for name in loaded if name.startswith(("flowsock.sessions", "flowsock.wire", "h11", "msgspec"))} == set()


def test_help_shows_the_package_and_its_names() -> None:
    page = pydoc.plain(pydoc.render_doc(flowsock))
    assert "Kotlin's coroutine vocabulary" in page
    for name in flowsock.__all__:
        assert name in page
