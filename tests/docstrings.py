"""Docstrings as data: their law, their examples and their marble diagrams, each of which can be run."""

from __future__ import annotations

import ast
import inspect
import sys
from contextlib import contextmanager, redirect_stdout
from doctest import ELLIPSIS, DocTestParser, OutputChecker
from io import StringIO
from math import inf
from traceback import format_exception_only
from typing import TYPE_CHECKING, Any

from attrs import frozen

import flowsock.asyncapi
import flowsock.metrics.otel
import flowsock.metrics.prometheus
import flowsock.metrics.tracing
import flowsock.notebook
import flowsock.testing
from flowsock import Flow, MutableSharedFlow, MutableStateFlow, SharedFlow, StateFlow, coroutine_scope
from flowsock.testing import MarbleFlow, assert_marbles, marbles, observe, parse_marbles, play

if TYPE_CHECKING:
    import doctest
    from collections.abc import Iterable, Iterator

    from flowsock import Scope
    from flowsock.testing import Timeline

PUBLIC = {
    flowsock: "",
    flowsock.testing: "testing.",
    flowsock.asyncapi: "asyncapi.",
    flowsock.notebook: "notebook.",
    flowsock.metrics: "metrics.",
    flowsock.metrics.otel: "metrics.otel.",
    flowsock.metrics.prometheus: "metrics.prometheus.",
    flowsock.metrics.tracing: "metrics.tracing.",
}
"""What users import, and what stands before the names in messages."""

SETTING = """
from collections.abc import AsyncIterator
from anyio import sleep
from flowsock import notebook, testing
from flowsock.asyncapi import describe
from flowsock.testing import *
from flowsock.metrics import *
from flowsock.metrics.otel import *
from flowsock.metrics.prometheus import *
from flowsock.metrics.tracing import *
from flowsock import *
"""
"""What is imported for every example."""

HOT = (SharedFlow, StateFlow, MutableSharedFlow, MutableStateFlow)


@frozen
class Diagram:
    """A marble diagram: the lines of its flows, a call, and the line of what comes out."""

    inputs: tuple[str, ...]
    call: str
    output: str


@frozen
class Documented:
    """A public name, or a public member of a class, and what its docstring consists of."""

    name: str
    target: Any
    owner: type | None
    text: str
    examples: tuple[doctest.Example, ...]
    diagrams: tuple[Diagram, ...]

    @property
    def has_law(self) -> bool:
        return any(line.startswith(("Law:", "Laws:", "Laws ")) for line in self.text.splitlines())

    @property
    def makes_a_flow(self) -> bool:
        function = self.target.fget if isinstance(self.target, property) else self.target
        return inspect.isfunction(function) and "Flow[" in str(inspect.signature(function).return_annotation)


def documented(name: str, target: Any, owner: type | None = None) -> Documented:
    text = inspect.cleandoc(target.__doc__ or "")
    examples = DocTestParser().get_examples(text)
    return Documented(name, target, owner, text, tuple(examples), tuple(diagrams_in(text)))


def diagrams_in(text: str) -> Iterator[Diagram]:
    """Find the paragraphs that are indented as a whole; the examples are not."""
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines()
        if lines and all(line.startswith("    ") for line in lines):
            *inputs, call, output = (line.removeprefix("    ") for line in lines)
            yield Diagram(tuple(inputs), call, output)


def members(kind: type) -> Iterator[Documented]:
    for name, member in vars(kind).items():
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            yield documented(f"{kind.__name__}.{name}", member, kind)


def everything() -> Iterator[Documented]:
    """Find every public class and function, and the public members of the classes, where they are defined."""
    for module, prefix in PUBLIC.items():
        for name in module.__all__:
            target = getattr(module, name)
            # A number, or an alias, has no docstring of its own.
            if callable(target):
                yield documented(prefix + name, target)
            if isinstance(target, type) and target.__module__.startswith("flowsock"):
                yield from members(target)


async def run_console(name: str, examples: Iterable[doctest.Example], namespace: dict[str, Any]) -> None:
    """Run examples as a console with top-level await would, and compare what they print."""
    for example in examples:
        found = await _printed(example, namespace)
        options = ELLIPSIS if "..." in example.want else 0
        assert OutputChecker().check_output(example.want, found, options), (
            f"{name}: {example.source}says\n{example.want}and prints\n{found}"
        )


async def _printed(example: doctest.Example, namespace: dict[str, Any]) -> str:
    code = compile(example.source, "<docstring>", "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    with redirect_stdout(StringIO()) as output, _plain_display():
        try:
            running = eval(code, namespace)
            if code.co_flags & inspect.CO_COROUTINE:
                await running
        except Exception as error:
            if example.exc_msg is None:
                raise
            # What doctest takes for the output is the traceback as the example shows it: its first line, and the last.
            return example.want.replace(example.exc_msg, "") + format_exception_only(error)[-1]
    return output.getvalue()


@contextmanager
def _plain_display() -> Iterator[None]:
    shown, sys.displayhook = sys.displayhook, lambda value: None if value is None else print(repr(value))  # noqa: T201
    try:
        yield
    finally:
        sys.displayhook = shown


async def run_diagrams(docs: Documented, namespace: dict[str, Any]) -> None:
    """Play each diagram's lines, make the call, and compare what comes out with the diagram's last line."""
    for diagram in docs.diagrams:
        async with coroutine_scope() as scope:
            flow = _call(docs, diagram, _inputs(docs, diagram, scope), {**namespace, "scope": scope})
            try:
                await assert_marbles(flow, diagram.output)
            except AssertionError as error:
                raise AssertionError(f"{docs.name}: {diagram.call}\n{error}") from error
            scope.cancel()


async def perform(docs: Documented, diagram: Diagram, namespace: dict[str, Any]) -> tuple[list[Timeline[Any]], Timeline[Any]]:
    """Play a diagram's lines and make the call; give the lines, as far as they were collected, and what really came out."""
    expected = parse_marbles(diagram.output)
    async with coroutine_scope() as scope:
        inputs = _inputs(docs, diagram, scope)
        flow = _call(docs, diagram, inputs, {**namespace, "scope": scope})
        output = await observe(flow, ticks=inf if expected.end else expected.duration)
        scope.cancel()
    return [_collected(*each) for each in zip(diagram.inputs, inputs, strict=True)], output


def _collected(line: str, flow: Flow[Any]) -> Timeline[Any]:
    """Give what one collector saw of a line; all of it, where there were several collectors."""
    timelines = flow.collections if isinstance(flow, MarbleFlow) else []
    return timelines[0] if len(timelines) == 1 and timelines[0].end else parse_marbles(line)


def _inputs(docs: Documented, diagram: Diagram, scope: Scope) -> list[Flow[Any]]:
    return [_hot(docs, line, scope) if docs.owner in HOT else marbles(line) for line in diagram.inputs]


def _call(docs: Documented, diagram: Diagram, inputs: list[Flow[Any]], namespace: dict[str, Any]) -> Flow[Any]:
    """Make the call: of a method on the first flow, ``a``; the others are its arguments ``b``, ``c``, …"""
    names = dict(zip("abcdef", inputs, strict=False))
    call = f"a.{diagram.call}" if docs.owner is not None else diagram.call
    flow: Flow[Any] = eval(call, {**namespace, **names})
    return flow


def _hot(docs: Documented, line: str, scope: Scope) -> Flow[Any]:
    """Make a hot flow that the line is played into; a state begins with the line's first value."""
    first: Any = parse_marbles(line).events[0].event
    hot = MutableStateFlow(first.value) if issubclass(docs.owner or Flow, StateFlow) else MutableSharedFlow[Any]()
    scope.launch(play, line, hot.emit)
    return hot
