"""Which messages cannot change, so that one encoding of them is good for ever."""

from __future__ import annotations

from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Final, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import attrs
import msgspec

_ATOMS: Final[frozenset[Any]] = frozenset(
    {None, NoneType, bool, bytes, date, datetime, Decimal, float, int, str, time, timedelta, UUID}
)
_WRAPPERS: Final = (Annotated, UnionType, Union, tuple, frozenset)


def is_immutable(kind: type[Any]) -> bool:
    """Tell whether an object of a class cannot change, nor anything that it holds, by what its annotations say."""
    return _is_immutable(kind, frozenset())


def _is_immutable(annotation: Any, above: frozenset[type[Any]]) -> bool:
    origin = get_origin(annotation)
    if origin in _WRAPPERS:
        parts = get_args(annotation)[:1] if origin is Annotated else get_args(annotation)
        return all(part is ... or _is_immutable(part, above) for part in parts)
    if origin is Literal or origin is ClassVar or annotation is ClassVar:
        return True
    if not isinstance(annotation, type):
        return False
    kind: type[Any] = annotation
    if kind in _ATOMS or kind in above or issubclass(kind, Enum):
        return True
    return _is_frozen(kind) and _has_immutable_fields(kind, above | {kind})


def _is_frozen(kind: type[Any]) -> bool:
    """Tell whether the fields of a class cannot be assigned to."""
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_config__.frozen
    if is_pydantic(kind):
        from flowsock.codecs.pydantic_codec import is_value

        return is_value(kind)
    if attrs.has(kind):
        return attrs.inspect(kind).is_frozen
    if is_dataclass(kind):
        return bool(vars(kind)["__dataclass_params__"].frozen)
    return hasattr(kind, "_fields") and tuple in kind.__mro__


def _has_immutable_fields(kind: type[Any], above: frozenset[type[Any]]) -> bool:
    try:
        hints = get_type_hints(kind, include_extras=True)
    except NameError:
        # A name that is imported for type checkers only: nobody knows.
        return False
    return all(_is_immutable(hint, above) for hint in hints.values())


def is_pydantic(kind: object) -> bool:
    """Tell whether a class is a model or a dataclass of pydantic's, without importing pydantic."""
    return isinstance(kind, type) and "__pydantic_core_schema__" in vars(kind)
