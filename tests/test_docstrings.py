"""``help(flowsock.Flow)`` is the reference: what it shows is complete, and true because it is run.

The rule for whoever adds a public name: look at `Flow.map`. A docstring has

- the sentence, in the imperative;
- the law, in a paragraph that starts with ``Law:``: what holds for order, back-pressure, cancellation and completion, where
  that is not what every operator does anyway;
- an example, ``>>>``, of one call and its output. ``await`` may be used as in a notebook, time is virtual, and ``sleep`` and
  all public names are there;
- if it makes a flow, a marble diagram: a paragraph, indented by four blanks, of the lines of the flows that go in, the call,
  and the line of what comes out. The flows are called a, b, … from the top; a method is called on the first. Names of the
  example and ``scope`` may be used. ``help(flowsock.testing.notation)`` explains the lines.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

import anyio
import attrs
import pytest
from anyio import fail_after

from flowsock import Flow
from flowsock.testing import virtual_time
from tests.docstrings import SETTING, Documented, everything, run_console, run_diagrams

NOTEBOOK = "flowsock.notebook"
ALL = list(everything())
OPERATORS = [docs for docs in ALL if docs.owner is not None and issubclass(docs.owner, Flow)]
NAMES = [docs for docs in ALL if docs.owner is None]

# Without an example, and why.
NO_EXAMPLE = {"WouldBlock": "anyio's own"}
# On asyncio only, and why.
ASYNCIO_ONLY = {
    "Flow.to_observable": "aioreactive is asyncio's",
    **{
        docs.name: "Jupyter's kernels run on asyncio"
        for docs in ALL
        if (docs.owner or docs.target).__module__.startswith(NOTEBOOK)
    },
}

RULE = f"; the rule is in {__name__}"


def is_value(kind: Any) -> bool:
    """Tell whether a class does nothing that a law could be about."""
    return isinstance(kind, type) and (issubclass(kind, Exception | Enum) or attrs.has(kind))


@pytest.mark.parametrize("docs", [*OPERATORS, *NAMES], ids=lambda docs: docs.name)
def test_a_public_name_has_a_law_an_example_and_if_it_makes_a_flow_a_diagram(docs: Documented) -> None:
    missing = []
    if not (docs.has_law or is_value(docs.target) or docs.name in NO_EXAMPLE):
        missing.append("law (`Law: …`)")
    if not docs.examples and docs.name not in NO_EXAMPLE:
        missing.append("example (`>>> …`)")
    if docs.makes_a_flow and not docs.diagrams:
        missing.append("marble diagram")
    assert not missing, f"{docs.name} has no {' and no '.join(missing)} in its docstring{RULE}:\n{__doc__}"


@pytest.mark.parametrize("docs", OPERATORS, ids=lambda docs: docs.name)
def test_the_example_and_the_diagram_are_about_the_operator(docs: Documented) -> None:
    name = docs.name.split(".")[-1]
    assert any(name in example.source for example in docs.examples)
    assert all(name in diagram.call for diagram in docs.diagrams)


def test_no_exception_is_made_for_what_is_not_there_or_needs_none() -> None:
    by_name = {docs.name: docs for docs in ALL}
    assert set(NO_EXAMPLE) | set(ASYNCIO_ONLY) <= set(by_name)
    assert [name for name in NO_EXAMPLE if by_name[name].examples] == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("docs", [docs for docs in ALL if docs.examples or docs.diagrams], ids=lambda docs: docs.name)
def test_what_a_docstring_shows_is_true(docs: Documented, backend: str) -> None:
    if backend == "trio" and docs.name in ASYNCIO_ONLY:
        pytest.skip(ASYNCIO_ONLY[docs.name])
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(SETTING, namespace)

    backend, options = clock(docs, backend)

    async def run() -> None:
        with fail_after(1000 if options else 10):
            await run_console(docs.name, docs.examples, namespace)
            await run_diagrams(docs, namespace)

    anyio.run(run, backend=backend, backend_options=dict(options))


def clock(docs: Documented, backend: str) -> tuple[str, Any]:
    """Choose virtual time, except where a socket has to be waited for."""
    return (backend, {}) if re.search(r"\bserve\(", docs.text) else virtual_time(backend)


def test_the_page_of_flow_lists_its_operators_by_what_they_are_for() -> None:
    [index] = [part for part in (Flow.__doc__ or "").split("\n\n") if part.lstrip().startswith("- *Running*")]
    listed = re.findall(r"`(\w+)`", index)
    assert sorted(listed) == sorted(docs.name.removeprefix("Flow.") for docs in OPERATORS if docs.owner is Flow), RULE
