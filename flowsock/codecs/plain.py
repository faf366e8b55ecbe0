"""Message types that need no encoding: text and bytes."""

from __future__ import annotations

from types import UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin

Message: TypeAlias = str | bytes


def message_types(annotation: Any) -> frozenset[type]:
    """Give the kinds of message that a type annotation of a session stands for.

    Raises:
        TypeError: the annotation is neither ``str`` nor ``bytes`` nor their union.
    """
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    if not members or not all(member in (str, bytes) for member in members):
        raise TypeError(
            f"there is no codec for messages of type {annotation!r}: use str for text, bytes for binary, or str | bytes, "
            f"and encode your own types with .map(...)"
        )
    return frozenset(members)
