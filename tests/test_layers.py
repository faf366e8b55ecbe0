"""The layers of the package, read from its imports: what may import what."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import flowsock

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(flowsock.__file__).parent
FILES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}

LAYERS = {
    "errors": 0,
    "emitting": 0,
    "clause": 0,
    "parking": 0,
    "settings": 0,
    "_parking_asyncio": 0,
    "_parking_trio": 0,
    "wire": 1,
    "scopes": 1,
    "channels": 2,
    "codecs": 2,
    "flows": 3,
    "brokers": 4,
    "sessions": 5,
}
TOP = 6

# Imports inside functions that point up on purpose: what is rarely needed and slow to import.
LAZY_UPWARD = {
    ("flowsock.flows.builders", "flowsock.interop.aioreactive"),
    ("flowsock.flows.flow", "flowsock.interop.aioreactive"),
}

# Which files may import what is not always installed, or not always wanted.
OPTIONAL: dict[str, set[str]] = {
    "IPython": {"flowsock.notebook.displays"},
    "anywidget": {"flowsock.notebook.charts"},
    "traitlets": {"flowsock.notebook.charts"},
    "aioreactive": {"flowsock.interop.aioreactive"},
    "coredis": {"flowsock.brokers.redis_pubsub"},
    "opentelemetry": {"flowsock.metrics.otel", "flowsock.metrics.tracing"},
    "prometheus_client": {"flowsock.metrics.prometheus"},
    "nats": {"flowsock.brokers.nats_core", "flowsock.brokers.nats_jetstream"},
    "expression": {"flowsock.interop.aioreactive"},
    "pydantic": {"flowsock.codecs.pydantic_codec"},
    "trio": {"flowsock._parking_trio", "flowsock.testing.clock"},
    "uvloop": set(),
}


class Import(NamedTuple):
    """One import that happens at run time."""

    source: str
    target: str
    in_function: bool


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
        return
    assert node.level == 0, "imports are absolute"
    assert node.module is not None
    for alias in node.names:
        submodule = f"{node.module}.{alias.name}"
        yield submodule if submodule in FILES else node.module


def imports_of(module: str) -> list[Import]:
    found: list[Import] = []

    def walk(node: ast.AST, in_function: bool) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.extend(Import(module, target, in_function) for target in imported(node))
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt) and is_type_checking(child):
                continue
            walk(child, inside)

    walk(ast.parse(FILES[module].read_text(encoding="utf-8")), in_function=False)
    return found


IMPORTS = [each for module in FILES for each in imports_of(module)]
INTERNAL = [each for each in IMPORTS if each.target in FILES]


def folder(module: str) -> str:
    """Give the folder below the package, or the module itself if it is in none."""
    return module.split(".")[1] if "." in module else ""


def layer(module: str) -> int:
    return LAYERS.get(folder(module), TOP)


def outside(module: str) -> set[str]:
    """Give the top-level packages that a module imports from outside."""
    return {each.target.split(".")[0] for each in IMPORTS if each.source == module} - {"flowsock"}


def test_the_imports_were_read() -> None:
    assert Import("flowsock.scopes.scope", "flowsock.scopes.job", in_function=False) in IMPORTS
    assert Import("flowsock.flows.flow", "flowsock.interop.aioreactive", in_function=True) in IMPORTS
    assert Import("flowsock.scopes.groups", "anyio", in_function=False) in IMPORTS
    assert "flowsock.wire.close" not in {each.target for each in IMPORTS if each.source == "flowsock.errors"}, "for types only"


def test_every_folder_with_a_layer_is_there() -> None:
    assert set(LAYERS) <= {folder(module) for module in FILES}


def test_imports_point_down_or_stay_in_their_folder() -> None:
    upward = [
        each
        for each in INTERNAL
        if each.source != "flowsock"
        and (each.source, each.target) not in LAZY_UPWARD
        and not (layer(each.target) < layer(each.source) or folder(each.target) == folder(each.source))
        and not (layer(each.source) == layer(each.target) in (0, TOP))
    ]
    assert upward == []


def test_the_exceptions_to_the_layers_are_in_functions_and_still_needed() -> None:
    lazy = {(each.source, each.target) for each in INTERNAL if each.in_function}
    eager = {(each.source, each.target) for each in INTERNAL if not each.in_function}
    assert lazy >= LAZY_UPWARD
    assert not eager & LAZY_UPWARD


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in FILES}
    for each in INTERNAL:
        if not each.in_function:
            graph[each.source].add(each.target)
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
    assert order.index("flowsock.errors") < order.index("flowsock.flows.flow") < order.index("flowsock.sessions.session")


def test_the_wire_knows_no_event_loop() -> None:
    for module in FILES:
        if folder(module) == "wire":
            assert not outside(module) & {"anyio", "asyncio", "trio", "sniffio", "selectors", "socket", "ssl"}, module


def test_operators_do_not_know_the_facade() -> None:
    assert [each for each in INTERNAL if ".operators." in each.source and each.target == "flowsock.flows.flow"] == []


@pytest.mark.parametrize("library", OPTIONAL)
def test_an_optional_library_is_imported_where_it_is_allowed_only(library: str) -> None:
    assert {module for module in FILES if library in outside(module)} <= OPTIONAL[library]


def test_flows_and_all_below_them_name_asyncio_in_one_file() -> None:
    assert {module for module in FILES if layer(module) <= LAYERS["flows"] and "asyncio" in outside(module)} == {
        "flowsock._parking_asyncio"
    }


def test_no_submodule_has_the_name_of_a_public_function() -> None:
    functions = {name for name in flowsock.__all__ if name.islower()}
    clashing = {module for module in FILES if module.count(".") == 1 and module.split(".")[1] in functions}
    assert clashing == set()


def test_the_init_files_below_the_top_hold_nothing_but_imports() -> None:
    for module, path in FILES.items():
        if path.name == "__init__.py" and module != "flowsock":
            body = ast.parse(path.read_text(encoding="utf-8")).body
            for node in body:
                is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                is_all = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
                assert is_docstring or is_all or isinstance(node, ast.ImportFrom), module


def test_no_file_grows_too_long() -> None:
    # Most of the façade is its docstrings, each of which has an example and a diagram.
    longest = {"flowsock.flows.flow": 2000}
    too_long = {
        module: lines
        for module, path in FILES.items()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > longest.get(module, 500)
    }
    assert too_long == {}
