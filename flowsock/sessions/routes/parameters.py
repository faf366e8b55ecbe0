"""What the parameters of a path are to a handler: values of the types that its annotations name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any, Final, TypeAlias, get_type_hints

import msgspec
from msgspec.inspect import BoolType, DateType, EnumType, FloatType, IntType, LiteralType, StrType, UUIDType, type_info

Convert: TypeAlias = Callable[[str], Any]
"""Turns a segment into a value; a ``ValueError`` says that it is none."""

_any: Final = re.compile(r".*", re.DOTALL)
# One way to write each value, as far as a type has one: where "7", "7.0" and "7e0" were all room 7, a cache or a guard that
# looks at the path would take them for three.
_forms: Final[dict[type, re.Pattern[str]]] = {
    BoolType: re.compile(r"true|false"),
    DateType: _any,
    EnumType: _any,
    FloatType: re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?"),
    IntType: re.compile(r"-?[0-9]+"),
    LiteralType: _any,
    StrType: _any,
    UUIDType: _any,
}


def converter(annotation: Any) -> Convert:
    """Make the function that turns a segment into a value of a type.

    Args:
        annotation: ``str``, ``int``, ``float``, ``bool``, ``UUID``, ``date``, an ``Enum``, a ``Literal``, one of them with
            limits (``Annotated[int, msgspec.Meta(ge=1)]``), or ``PurePosixPath``.

    Raises:
        TypeError: the annotation is none of these.
    """
    if annotation is str or annotation is PurePosixPath:
        return annotation
    form = _forms.get(type(type_info(annotation)))
    if form is None:
        raise TypeError(
            f"{annotation!r} is no type for a parameter of a path: take str, int, float, bool, UUID, date, an Enum, a Literal "
            f"or PurePosixPath, and make more of it in the handler"
        )

    def convert(text: str) -> Any:
        if form.fullmatch(text) is None:
            raise ValueError(text)
        return msgspec.convert(text, annotation, strict=False)

    return convert


def convert_all(found: dict[str, str], converters: dict[str, Convert]) -> dict[str, Any] | None:
    """Convert the values that a path has, or give ``None`` if one of them does not convert."""
    try:
        return {name: converters[name](text) for name, text in found.items()}
    except ValueError:
        return None


def parameter_types(function: Callable[..., Any]) -> dict[str, Any]:
    """Give the types of a function's parameters.

    Raises:
        TypeError: an annotation cannot be resolved.
    """
    routine = function if inspect.isroutine(function) else type(function).__call__
    # What it returns is of no interest here, and often imported for type checkers only.
    stated = {name: kind for name, kind in getattr(routine, "__annotations__", {}).items() if name != "return"}
    try:
        return get_type_hints(SimpleNamespace(__annotations__=stated), getattr(routine, "__globals__", {}), include_extras=True)
    except NameError as error:
        raise TypeError(
            f"an annotation of {name_of(function)} cannot be resolved ({error}): "
            f"the types of a handler must be importable names of its module, not local to a function"
        ) from error


def name_of(function: Callable[..., Any]) -> str:
    """Name a function in a message."""
    return f"{getattr(function, '__qualname__', function)!s}()"
