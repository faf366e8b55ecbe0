"""Encoding once what goes to many."""

from __future__ import annotations

from functools import lru_cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, Union, cast, get_args, get_origin

from flowsock.codecs.hashing import is_hashable
from flowsock.codecs.immutable import is_immutable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowsock.codecs.message_codec import MessageCodec

    Encode: TypeAlias = Callable[[Any], str | bytes]

_MAX_MEMO: Final = 2**20


def encode_once(annotation: Any, codec: MessageCodec[Any]) -> Encode:
    """Give what encodes messages of a type, each once as long as it comes again and again.

    Laws: what is given is what the message is now: only one that cannot change is remembered, and every other is encoded each
    time. The same type and codec give the same function, so that all sessions share it.
    """
    return (_made if is_hashable(annotation) and is_hashable(codec) else _make)(annotation, codec)


def _make(annotation: Any, codec: MessageCodec[Any]) -> Encode:
    lasting = frozenset(kind for kind in _members(annotation) if is_immutable(kind))
    return _EncodeOnce(codec.encode, lasting).encode if lasting else codec.encode


_made: Final = cast("Callable[[Any, MessageCodec[Any]], Encode]", lru_cache(maxsize=1024)(_make))


def _members(annotation: Any) -> Iterator[type[Any]]:
    """Name the classes that messages of a type have."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    elif isinstance(annotation, type):
        yield annotation


class _EncodeOnce:
    """Remember the last message that was encoded.

    Args:
        encode: Encodes it.
        lasting: The classes whose objects cannot change.
    """

    __slots__ = ("_encode", "_lasting", "_memo")

    def __init__(self, encode: Encode, lasting: frozenset[type[Any]]) -> None:
        self._encode = encode
        self._lasting = lasting
        # One tuple, so that threads see both halves or neither. It keeps the message, so that no other gets its identity.
        self._memo: tuple[Any, str | bytes] = (object(), b"")

    def encode(self, message: Any, /) -> str | bytes:
        last, encoded = self._memo
        if last is not message:
            encoded = self._encode(message)
            if type(message) in self._lasting and len(encoded) <= _MAX_MEMO:
                self._memo = message, encoded
        return encoded
