"""JSON and MessagePack by msgspec: Structs, dataclasses, attrs classes, and everything that JSON is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.inspect import CustomType, type_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowsock.codecs.message_codec import MessageCodec

_TEXT: Final[frozenset[type]] = frozenset({str})
_BINARY: Final[frozenset[type]] = frozenset({bytes})
_json: Final = msgspec.json.Encoder()
_msgpack: Final = msgspec.msgpack.Encoder()


def msgspec_codec(annotation: Any, *, binary: bool) -> MessageCodec[Any]:
    """Make the codec of a type, in MessagePack or in JSON.

    Raises:
        TypeError: msgspec knows no such type, or could not tell the members of the union apart.
    """
    for foreign in _foreign_types(type_info(annotation), set()):
        raise TypeError(f"{foreign.cls!r} is a type that msgspec does not know")
    return MsgpackCodec(annotation) if binary else JsonCodec(annotation)


class JsonCodec:
    """JSON, as text."""

    __slots__ = ("_decode",)

    accepts = _TEXT

    def __init__(self, annotation: Any) -> None:
        self._decode: Callable[[Any], Any] = msgspec.json.Decoder(annotation).decode

    def encode(self, message: Any, /) -> str:
        return _json.encode(message).decode()

    def decode(self, data: str | bytes, /) -> Any:
        try:
            return self._decode(data)
        except RecursionError:
            raise too_deep() from None


class MsgpackCodec:
    """MessagePack, as bytes."""

    __slots__ = ("_decode",)

    accepts = _BINARY

    def __init__(self, annotation: Any) -> None:
        self._decode: Callable[[Any], Any] = msgspec.msgpack.Decoder(annotation).decode

    def encode(self, message: Any, /) -> bytes:
        return _msgpack.encode(message)

    def decode(self, data: str | bytes, /) -> Any:
        try:
            return self._decode(data)
        except RecursionError:
            raise too_deep() from None


def too_deep() -> ValueError:
    """Make the error for data that is nested without end."""
    return ValueError("nested too deeply")


def _foreign_types(info: object, seen: set[int]) -> Iterator[CustomType]:
    """Find what a type consists of that msgspec would leave to its user."""
    if isinstance(info, CustomType):
        yield info
    if not isinstance(info, msgspec.Struct) or id(info) in seen:
        return
    seen.add(id(info))
    held: list[Any] = [getattr(info, name) for name in info.__struct_fields__]
    for each in held:
        parts: list[Any] = [*each] if isinstance(each, tuple) else [each]
        yield from (foreign for part in parts for foreign in _foreign_types(part, seen))
