"""What the parts of a pipeline are called by the person who wrote it."""

from __future__ import annotations

import re
from functools import partial
from inspect import getclosurevars, isfunction
from typing import TYPE_CHECKING, Any, Final

from flowsock.channels.capacity import CONFLATED, BufferOverflow
from flowsock.flows.operators.buffering import Buffered, Channeled
from flowsock.flows.operators.combining import Combine, Merge
from flowsock.flows.operators.flattening import itself
from flowsock.flows.source import Wrapper

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flowsock.flows.source import Source, Stage
    from flowsock.flows.steps import Step

OPERATORS: Final = {
    "Keep": "filter",
    "Drop": "filter_not",
    "Inspect": "on_each",
    "not_none": "filter_not_none",
    "transformed": "transform",
    "paired": "pairwise",
    "indexed": "with_index",
    "accumulated": "running_reduce",
    "dropped": "drop",
    "dropped_while": "drop_while",
    "throttled": "throttle_first",
    "rate_limited": "rate_limit",
    "retry_when": "retry_when",
    "_Distinction": "distinct_until_changed",
    "TimedChunks": "chunked",
    "Zip": "zip_with",
    "Subscribed": "buffer",
    "Buffered": "buffer",
}
"""What operators are called whose class or function has another name."""

SOURCES: Final = {
    "_Played": "marbles",
    "IterableSource": "as_flow",
    "IntervalSource": "interval",
    "FunctionSource": "as_flow",
    "ProducedSource": "channel_flow",
    "ChannelSource": "channel",
    "ConsumedSource": "channel",
    "Broadcast": "shared flow",
    "Conflation": "state flow",
}
"""What flows are called that others are made from."""


def name_of_step(step: Step) -> str:
    """Name a step: the operator that was applied."""
    return _operator(_kind(step), [step.function])


def name_of_stage(stage: Stage) -> str:
    """Name a stage with state."""
    if isinstance(stage, Wrapper):
        free: list[object] = list(getclosurevars(stage.wrap).nonlocals.values()) if isfunction(stage.wrap) else []
        return _operator(stage.wrap.__qualname__.partition(".")[0], free)
    return _operator("distinct_until_changed_by" if getattr(stage, "key", None) else _kind(stage), [])


def name_of_operator(source: Source[Any]) -> str:
    """Name an operator that collects what is above it in its own way."""
    if isinstance(source, Combine | Merge):
        # What was called was no method of the first flow.
        return f"{_kind(source).lower()}()"
    return _buffer(source) if isinstance(source, Buffered) else _operator(_kind(source), _own_values(source))


def name_of_root(source: Source[Any]) -> str:
    """Name what a pipeline begins with."""
    kind, values = _kind(source), _values(source)
    if kind == "GeneratorSource":
        return next((found for each in values if (found := _function(each))), "flow")
    return SOURCES.get(kind) or _called(_snake(kind), [each for each in values if isinstance(each, int | float)])


def fields_of(part: object) -> Iterator[tuple[str, Any]]:
    """Give what a part of a pipeline is made of, its base classes' share first."""
    for kind in reversed(type(part).__mro__):
        for name in vars(kind).get("__slots__", ()):
            if hasattr(part, name):
                yield name, getattr(part, name)


def _operator(kind: str, values: Iterable[object]) -> str:
    parts = list(values)
    # Where the façade made the function, it knows the name of the method.
    facade = next((match[1] for each in parts if (match := re.match(r"Flow\.(\w+)\.<locals>", _qualified(each)))), None)
    inner = next((OPERATORS[head] for each in parts if (head := _qualified(each).partition(".")[0]) in OPERATORS), None)
    name = facade or inner or OPERATORS.get(kind) or _snake(kind)
    if itself in parts:
        name = name.replace("flat_map", "flatten")
    return f".{_called(name, parts)}"


def _buffer(buffer: Buffered) -> str:
    if buffer.overflow is BufferOverflow.DROP_OLDEST and buffer.capacity in (0, CONFLATED):
        return ".conflate()"
    policy = [] if buffer.overflow is BufferOverflow.SUSPEND else [buffer.overflow]
    return f".{_called('buffer', [*([] if buffer.capacity < 0 else [buffer.capacity]), *policy])}"


def _called(name: str, values: Iterable[object]) -> str:
    return f"{name}({', '.join(_arguments(values))})"


def _arguments(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, BufferOverflow):
            yield value.name
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{value:g}"
        elif function := _function(value):
            yield function


def _function(value: object) -> str:
    """Name a function that has a name of its own, and is not one of ours."""
    if isinstance(value, partial):
        return _function(value.func)
    name = _qualified(value)
    if not name or str(getattr(value, "__module__", "")).startswith("flowsock."):
        return ""
    return "…" if name.endswith("<lambda>") else name.rpartition("<locals>.")[2]


def _qualified(value: object) -> str:
    return str(getattr(value, "__qualname__", "")) if callable(value) else ""


def _own_values(source: Source[Any]) -> Iterator[object]:
    """Leave out what every source with a channel has."""
    channel = Channeled.__slots__ if isinstance(source, Channeled) else ()
    return (value for name, value in fields_of(source) if name not in channel)


def _values(part: object) -> list[object]:
    return [value for _name, value in fields_of(part)]


def _kind(part: object) -> str:
    return type(part).__name__


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.lstrip("_")).lower()
