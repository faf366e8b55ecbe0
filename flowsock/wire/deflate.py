"""Compression of messages: what each end wants, and what both agree on (RFC 7692)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import Attribute, evolve, field, frozen

from flowsock.errors import HandshakeError
from flowsock.wire.extensions import Extension

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DeflateLike: TypeAlias = "Deflate | bool | None"
"""What compression can be set to: settings of one's own, or whether to compress with the usual ones."""

_NAME: Final = "permessage-deflate"
_LARGEST: Final = 15
_FLAGS: Final = ("server_no_context_takeover", "client_no_context_takeover")
_WINDOWS: Final = ("server_max_window_bits", "client_max_window_bits")
_WINDOW_VALUES: Final = frozenset(map(str, range(8, _LARGEST + 1)))


def _within(smallest: int, largest: int) -> Callable[[object, Attribute[int], int], None]:
    def check(_settings: object, setting: Attribute[int], value: int) -> None:
        if not smallest <= value <= largest:
            raise ValueError(f"{setting.name} is {smallest} to {largest}, not {value!r}")

    return check


def _positive(_settings: object, setting: Attribute[int], value: int) -> None:
    if value < 1:
        raise ValueError(f"{setting.name} is 1 or more, not {value!r}")


@frozen(kw_only=True)
class Deflate:
    """Say how messages are compressed: what this end wants of a session, or what both ends agreed on (RFC 7692).

    The windows and flags are settings of the session, so the same object serves a server and a client. The usual ones spare
    memory: 50 KiB for a session in which both ends compress, where windows of 15 bits and a memory level of 8 take 300; none
    before its first compressed message.

    Args:
        server_max_window_bits: How far back the server refers to what it has sent, as a power of two: 8 to 15.
        client_max_window_bits: The same for the client. One that cannot be told (Safari) uses 15, so 40 KiB of our memory,
            unless ``client_no_context_takeover`` is set.
        server_no_context_takeover: Whether the server starts every message afresh. It compresses less, needs no memory between
            messages, and a message that goes to many sessions is compressed once.
        client_no_context_takeover: The same for the client.
        level: How hard this end tries, from 1 (fast) to 9 (small).
        mem_level: How much memory this end takes to compress, from 1 to 9: 2 to the power of 9 more, in bytes.
        threshold: Bytes that a message has at least for this end to compress it.

    With a window of 8 bits this end sends nothing compressed, since zlib cannot keep to it; it still reads what is.

    Raises:
        ValueError: A setting is out of its range.

    >>> App(websockets=WebSocketConfig(deflate=Deflate(threshold=1024))).websockets.deflate.level
    6
    """

    server_max_window_bits: int = field(default=12, validator=_within(8, _LARGEST))
    client_max_window_bits: int = field(default=12, validator=_within(8, _LARGEST))
    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    level: int = field(default=6, validator=_within(1, 9))
    mem_level: int = field(default=5, validator=_within(1, 9))
    threshold: int = field(default=256, validator=_positive)


@frozen(kw_only=True)
class DeflateStatistics:
    """Count the bytes of the messages that one connection compressed, without their frame headers.

    Attributes:
        sent: Bytes sent, as they were before.
        sent_compressed: Bytes sent, as they went over the wire.
        received: Bytes received, as they were inflated.
        received_compressed: Bytes received, as they came over the wire.
    """

    sent: int
    sent_compressed: int
    received: int
    received_compressed: int


def as_deflate(setting: DeflateLike) -> Deflate | None:
    """Make settings of whatever compression can be set to; None is no compression."""
    if isinstance(setting, bool):
        return Deflate() if setting else None
    return setting


@frozen
class _Parameters:
    """What an offer or an answer says; None is not a word of it."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | None = None


def _parse(extension: Extension, *, offer: bool) -> _Parameters:
    values: dict[str, Any] = {}
    for name, value in extension.parameters:
        if name in values:
            raise ValueError(f"{name} twice")
        values[name] = _parse_value(name, value, offer=offer)
    return _Parameters(**values)


def _parse_value(name: str, value: str | None, *, offer: bool) -> bool | int:
    if value is None:
        if name in _FLAGS:
            return True
        if name == "client_max_window_bits" and offer:
            # The client can be told, and says nothing of its own.
            return _LARGEST
        raise ValueError(name)
    if name in _WINDOWS and value in _WINDOW_VALUES:
        return int(value)
    raise ValueError(f"{name}={value}")


def _write(settings: Deflate, *windows: tuple[str, str | None]) -> Extension:
    flags = tuple((name, None) for name in _FLAGS if getattr(settings, name))
    return Extension(_NAME, flags + windows)


def offer_deflate(settings: Deflate) -> Extension:
    """Write what a client offers.

    Args:
        settings: What it wants (RFC 7692 section 7.1).
    """
    server, client = settings.server_max_window_bits, settings.client_max_window_bits
    limit = (("server_max_window_bits", str(server)),) if server < _LARGEST else ()
    return _write(settings, *limit, ("client_max_window_bits", str(client) if client < _LARGEST else None))


def accept_deflate(settings: Deflate, offers: Sequence[Extension]) -> Deflate | None:
    """Choose the client's first offer that can be kept to, and give what it comes to with our own limits.

    An offer that is unknown or wrong in any part is declined, so another one, or none, is chosen (RFC 7692 section 7).

    Args:
        settings: What the server wants.
        offers: What the client offers, the preferred first.
    """
    for offer in offers:
        if offer.name == _NAME:
            try:
                return _accept(settings, _parse(offer, offer=True))
            except ValueError:
                continue
    return None


def _accept(settings: Deflate, offer: _Parameters) -> Deflate:
    server, client = offer.server_max_window_bits, offer.client_max_window_bits
    return evolve(
        settings,
        server_no_context_takeover=settings.server_no_context_takeover or offer.server_no_context_takeover,
        client_no_context_takeover=settings.client_no_context_takeover or offer.client_no_context_takeover,
        server_max_window_bits=min(settings.server_max_window_bits, server or _LARGEST),
        # Who does not offer it cannot be told (RFC 7692 section 7.1.2.2).
        client_max_window_bits=min(settings.client_max_window_bits, client) if client else _LARGEST,
    )


def answer_deflate(agreed: Deflate) -> Extension:
    """Write what the server answers.

    Args:
        agreed: What `accept_deflate` gave.
    """
    client = agreed.client_max_window_bits
    limit = (("client_max_window_bits", str(client)),) if client < _LARGEST else ()
    return _write(agreed, ("server_max_window_bits", str(agreed.server_max_window_bits)), *limit)


def check_deflate(settings: Deflate | None, answers: Sequence[Extension]) -> Deflate | None:
    """Check the server's answer, and give what was agreed on; None when the server does not compress.

    Args:
        settings: What the client offered; None when it offered no extension.
        answers: The extensions that the server named.

    Raises:
        HandshakeError: The answer is not one to the offer (RFC 7692 section 7.1).
    """
    if not answers:
        return None
    if settings is None or [answer.name for answer in answers] != [_NAME]:
        raise HandshakeError("the server uses an extension that was not offered")
    try:
        answer = _parse(answers[0], offer=False)
    except ValueError as error:
        raise HandshakeError(f"the server answered {_NAME} with a wrong parameter: {error}") from None
    server, client = answer.server_max_window_bits or _LARGEST, answer.client_max_window_bits or _LARGEST
    if settings.server_no_context_takeover and not answer.server_no_context_takeover:
        raise HandshakeError("the server keeps its context, which it was asked not to")
    if server > settings.server_max_window_bits:
        raise HandshakeError("the server uses a larger window than it was asked to")
    return evolve(
        settings,
        server_no_context_takeover=answer.server_no_context_takeover,
        client_no_context_takeover=settings.client_no_context_takeover or answer.client_no_context_takeover,
        server_max_window_bits=server,
        # The server may allow more than we said we use (RFC 7692 section 7.1.2.2).
        client_max_window_bits=min(client, settings.client_max_window_bits),
    )
