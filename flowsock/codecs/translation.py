"""How the messages of a session become frames, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Final, TypeAlias, Union, cast, get_args, get_origin

from attrs import field, frozen

from flowsock.codecs.choosing import CodecSetting, codec_for
from flowsock.codecs.encode_once import encode_once
from flowsock.codecs.message_codec import MessageCodec, MessageFormat
from flowsock.codecs.plain import PLAIN, PlainCodec
from flowsock.codecs.undecodable import Undecodable

CodecChoice: TypeAlias = CodecSetting | Mapping[str, CodecSetting]
"""How messages are written; if that is for the subprotocol to say, the choice of each."""


@frozen
class Translation:
    """Hold what translates the messages of a session; all sessions of a route have one.

    Args:
        accepts: The kinds of frame that messages come in.
        decode: Decodes their content.
        encode: Encodes what is sent, once if it goes to many sessions.
        is_plain: Whether messages are what frames carry, and both functions change nothing.
        tells_undecodable: Whether `Undecodable` is one of the incoming messages.
    """

    accepts: frozenset[type]
    decode: Callable[[Any], Any]
    encode: Callable[[Any], str | bytes]
    is_plain: bool = False
    tells_undecodable: bool = False


_plain: Final = PlainCodec(PLAIN)
AS_THEY_ARE: Final = Translation(PLAIN, _plain.decode, _plain.encode, is_plain=True)
"""Text and bytes, both ways."""


@frozen
class Translations:
    """Hold the codecs of the sessions of a route, or of a client.

    Args:
        default: For a session whose subprotocol does not say.
        by_subprotocol: For one whose subprotocol does.
    """

    default: Translation = AS_THEY_ARE
    by_subprotocol: Mapping[str | None, Translation] = field(factory=dict[str | None, Translation])

    def of(self, subprotocol: str | None) -> Translation:
        """Give that of a session."""
        return self.by_subprotocol.get(subprotocol, self.default)


def translations(types: tuple[Any, ...], choice: CodecChoice = MessageFormat.JSON) -> Translations:
    """Choose the codecs of a session's types.

    Args:
        types: What stands in the brackets of ``Session[In, Out]``, if anything does.
        choice: How messages are to be written.

    Raises:
        TypeError: there is no codec for one of them.
    """
    if not isinstance(choice, Mapping):
        return Translations(_translation(types, choice))
    by_name: dict[str | None, Translation] = {name: _translation(types, each) for name, each in choice.items()}
    return Translations(next(iter(by_name.values())), by_name)


def _translation(types: tuple[Any, ...], setting: CodecSetting) -> Translation:
    if not types:
        return AS_THEY_ARE
    incoming, tells_undecodable = without_undecodable(types[0])
    outgoing = types[1] if len(types) > 1 else str | bytes
    decoder, encoder = codec_for(incoming, setting), codec_for(outgoing, setting)
    return Translation(
        decoder.accepts,
        decoder.decode,
        encode_once(outgoing, encoder),
        is_plain=isinstance(decoder, PlainCodec) and isinstance(encoder, PlainCodec) and not tells_undecodable,
        tells_undecodable=tells_undecodable,
    )


def without_undecodable(annotation: Any) -> tuple[Any, bool]:
    """Take `Undecodable` out of a union, and tell whether it was there."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    if Undecodable not in members:
        return annotation, False
    return Union[tuple(member for member in members if member is not Undecodable)], True  # noqa: UP007


def as_codec_choice(value: str | CodecChoice | Mapping[str, str | CodecSetting]) -> CodecChoice:
    """Make a choice of what a user wrote.

    Raises:
        ValueError: there is no such format, or nothing to choose from.
        TypeError: it is neither a format, nor a codec, nor a choice of these by subprotocol.
    """
    if not isinstance(value, Mapping):
        return _as_setting(value)
    if not value:
        raise ValueError("codec= has subprotocols to choose by, but none of them is there")
    return {name: _as_setting(each) for name, each in value.items()}


def _as_setting(value: object) -> CodecSetting:
    if isinstance(value, str):
        return MessageFormat(value)
    if not all(hasattr(value, name) for name in ("accepts", "encode", "decode")):
        raise TypeError(
            f"codec= takes 'json', 'msgpack', a MessageCodec with accepts, encode and decode, or a dict of these by "
            f"subprotocol, and not {value!r}"
        )
    return cast("MessageCodec[Any]", value)


def settings_of(choice: CodecChoice) -> tuple[CodecSetting, ...]:
    """Give what there is to choose from, the default first."""
    return tuple(choice.values()) if isinstance(choice, Mapping) else (choice,)


def codec_names(choice: CodecChoice) -> tuple[str, ...]:
    """Give the subprotocols that choose a codec."""
    return tuple(choice) if isinstance(choice, Mapping) else ()
