"""Choosing the codec of a message type."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast, get_args

from flowsock.codecs.hashing import is_hashable
from flowsock.codecs.immutable import is_pydantic
from flowsock.codecs.message_codec import MessageCodec, MessageFormat
from flowsock.codecs.plain import PlainCodec, plain_kinds

if TYPE_CHECKING:
    from collections.abc import Callable

CodecSetting: TypeAlias = MessageFormat | MessageCodec[Any]
"""A format, in which each type has its codec, or a codec for all types."""


def codec_for(annotation: Any, setting: CodecSetting | str = MessageFormat.JSON) -> MessageCodec[Any]:
    """Give the codec of a message type.

    Laws: ``str``, ``bytes`` and their union pass as they are, in any format. For everything else the type chooses the library:
    pydantic for its models and for what contains them, msgspec for the rest. The same type has the same codec.

    Args:
        annotation: ``str``, ``bytes``, what JSON is made of (``dict``, ``list``, ``int``, a ``TypedDict``, …), a msgspec
            ``Struct``, an attrs class or a dataclass, a pydantic model; or a union whose members can be told apart: tagged
            Structs, or models with a discriminator.
        setting: A `MessageFormat`, or its name; or a codec of your own, for everything but text and bytes.

    Raises:
        TypeError: there is no codec for the type.
        ValueError: there is no such format.

    >>> codec = codec_for(dict[str, int])
    >>> codec.encode({"answer": 42}), codec.decode('{"answer": 42}')
    ('{"answer":42}', {'answer': 42})
    >>> codec_for(list[int], "msgpack").encode([1, 2])
    b'\\x92\\x01\\x02'
    >>> codec_for(dict[str, int]).decode("[]")
    Traceback (most recent call last):
    msgspec.ValidationError: Expected `object`, got `array`
    """
    if isinstance(setting, str):
        setting = MessageFormat(setting)
    return (_made if is_hashable(annotation) and is_hashable(setting) else _make)(annotation, setting)


def _make(annotation: Any, setting: CodecSetting) -> MessageCodec[Any]:
    kinds = plain_kinds(annotation)
    return _choose(annotation, setting) if kinds is None else PlainCodec(kinds)


_made: Final = cast("Callable[[Any, CodecSetting], MessageCodec[Any]]", lru_cache(maxsize=1024)(_make))


def _choose(annotation: Any, setting: CodecSetting) -> MessageCodec[Any]:
    if not isinstance(setting, MessageFormat):
        return setting
    binary = setting is MessageFormat.MSGPACK
    try:
        if is_for_pydantic(annotation):
            from flowsock.codecs.pydantic_codec import pydantic_codec

            return pydantic_codec(annotation, binary=binary)
        from flowsock.codecs.msgspec_codec import msgspec_codec

        return msgspec_codec(annotation, binary=binary)
    except Exception as error:
        raise TypeError(
            f"there is no codec for messages of type {annotation!r}: {error}. Use str, bytes, what JSON is made of, msgspec "
            f"Structs (tagged ones in a union), dataclasses, attrs classes or pydantic models; or give a codec= of your own"
        ) from error


def is_for_pydantic(annotation: Any) -> bool:
    """Tell whether a type is a model, or contains one."""
    return is_pydantic(annotation) or any(map(is_for_pydantic, get_args(annotation)))
