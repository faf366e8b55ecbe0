"""Message types that need no encoding: text and bytes."""

from __future__ import annotations

from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

PLAIN: Final[frozenset[type]] = frozenset({str, bytes})


def plain_kinds(annotation: Any) -> frozenset[type] | None:
    """Give the kinds of frame that a type stands for, if it is ``str``, ``bytes`` or their union."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return frozenset(members) if all(member in (str, bytes) for member in members) else None


class PlainCodec:
    """Let text and bytes pass as they are.

    Args:
        accepts: Which of them; where it is one, the other is converted, by UTF-8.
    """

    __slots__ = ("accepts",)

    def __init__(self, accepts: frozenset[type]) -> None:
        self.accepts = accepts

    def encode(self, message: Any, /) -> str | bytes:
        """Give the message, as what does not change.

        Raises:
            TypeError: it is neither text nor bytes.
        """
        if isinstance(message, str):
            return message
        if isinstance(message, bytes | bytearray):
            return bytes(message)
        if isinstance(message, memoryview):
            return message.tobytes()
        raise TypeError(f"a session sends str or bytes, not {type(message).__name__}: encode it first")

    def decode(self, data: str | bytes, /) -> str | bytes:
        """Give the data, as text or bytes.

        Raises:
            UnicodeDecodeError: it is to be text, and is none.
        """
        if type(data) in self.accepts:
            return data
        return data.encode() if isinstance(data, str) else data.decode()
