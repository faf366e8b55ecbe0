"""The opening handshake of RFC 6455 section 4, both ends of it."""

from __future__ import annotations

import os
import re
from base64 import b64decode, b64encode
from hashlib import sha1
from typing import TYPE_CHECKING, Final

from attrs import frozen

from flowsock.errors import HandshakeError, HandshakeRejected
from flowsock.wire.deflate import Deflate, accept_deflate, answer_deflate, check_deflate, offer_deflate
from flowsock.wire.extensions import FIELD as EXTENSIONS
from flowsock.wire.extensions import Extension, parse_extensions
from flowsock.wire.headers import Headers, HeadersLike, as_headers, is_token
from flowsock.wire.request import Request, is_host
from flowsock.wire.response import Response, ResponseHead, encode_head, plain_response

if TYPE_CHECKING:
    from collections.abc import Sequence

SESSION_METHODS: Final = "GET, OPTIONS"
"""What a path that opens sessions answers."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MAX_OFFERS: Final = 64
_OURS: Final = {"upgrade": "websocket", "sec-websocket-version": "13"}
_OWN_FIELDS: Final = ("host", "upgrade", "connection")
_target: Final = re.compile(r"/[!-~]*")


def new_key() -> str:
    """Draw the key of one handshake (RFC 6455 section 4.1)."""
    return b64encode(os.urandom(16)).decode()


def accept_key(key: str) -> str:
    """Answer a key (RFC 6455 section 4.2.2)."""
    return b64encode(sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def upgrade_error(request: Request) -> Response | None:
    """Check whether the request opens a WebSocket connection; None when it does, else how to refuse it.

    Args:
        request: What the client asked (RFC 6455 section 4.2.1).
    """
    headers = request.headers
    if request.method != "GET":
        return plain_response(405, "a WebSocket is opened with GET", {"allow": SESSION_METHODS})
    if not (wants_websocket(request) and _has_element(headers, "connection", "upgrade")):
        return plain_response(426, "this is a WebSocket", _OURS)
    if headers.get_all("sec-websocket-version") != ("13",):
        return plain_response(426, "only version 13 is spoken", _OURS)
    keys = headers.get_all("sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        return plain_response(400, "malformed Sec-WebSocket-Key")
    if _offered_subprotocols(request) is None:
        return plain_response(400, "malformed Sec-WebSocket-Protocol")
    if _offered_extensions(request) is None:
        return plain_response(400, "malformed Sec-WebSocket-Extensions")
    return None


def wants_websocket(request: Request) -> bool:
    """Tell whether the client asks for a WebSocket, and not for a page."""
    return _has_element(request.headers, "upgrade", "websocket")


def _has_element(headers: Headers, name: str, wanted: str) -> bool:
    return any(element.lower() == wanted for element in headers.elements(name))


def _is_key(key: str) -> bool:
    try:
        return len(b64decode(key, validate=True)) == 16
    except ValueError:
        return False


def _offered_subprotocols(request: Request) -> tuple[str, ...] | None:
    offered = request.headers.elements("sec-websocket-protocol")
    unique = len(set(offered)) == len(offered) <= _MAX_OFFERS
    return offered if unique and all(map(is_token, offered)) else None


@frozen
class Agreement:
    """Hold what the server chose of what the client offered.

    Args:
        subprotocol: What is spoken, or None.
        deflate: How messages are compressed, or None.
    """

    subprotocol: str | None = None
    deflate: Deflate | None = None


def _offered_extensions(request: Request) -> tuple[Extension, ...] | None:
    try:
        return parse_extensions(request.headers)
    except ValueError:
        return None


def choose_deflate(request: Request, settings: Deflate | None) -> Deflate | None:
    """Choose how messages are compressed, by what the client offers; None is not at all.

    Args:
        request: What the client asked (RFC 7692 section 5).
        settings: What the server wants; None when it does not compress.
    """
    return None if settings is None else accept_deflate(settings, _offered_extensions(request) or ())


def choose_subprotocol(request: Request, supported: Sequence[str]) -> str | None:
    """Choose the first supported subprotocol that the client offers, or none.

    Args:
        request: What the client asked (RFC 6455 section 4.2.2).
        supported: What the server speaks, the preferred first.
    """
    offered = _offered_subprotocols(request) or ()
    return next((name for name in supported if name in offered), None)


def accept_response(request: Request, agreement: Agreement) -> bytes:
    """Write the 101 that opens the connection.

    Args:
        request: One that passed `upgrade_error` (RFC 6455 section 4.2.2).
        agreement: What was chosen.

    Raises:
        ValueError: The subprotocol was not offered.
    """
    fields = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-accept", accept_key(request.headers.get("sec-websocket-key") or "")),
    ]
    subprotocol = agreement.subprotocol
    if subprotocol is not None:
        if subprotocol not in (_offered_subprotocols(request) or ()):
            raise ValueError(f"subprotocol {subprotocol!r} was not offered")
        fields.append(("sec-websocket-protocol", subprotocol))
    if agreement.deflate is not None:
        fields.append((EXTENSIONS, str(answer_deflate(agreement.deflate))))
    return encode_head("HTTP/1.1 101 Switching Protocols", Headers(fields))


def client_request(
    host: str,
    target: str,
    key: str,
    *,
    headers: HeadersLike = (),
    subprotocols: Sequence[str] = (),
    deflate: Deflate | None = None,
) -> bytes:
    """Write the request that opens a connection.

    Args:
        host: The host, with its port unless that is the default one.
        target: The path and query, escaped.
        key: One of `new_key`.
        headers: More header fields.
        subprotocols: What to offer, the preferred first (RFC 6455 section 4.1).
        deflate: How to compress messages, which is offered too (RFC 7692 section 5).

    Raises:
        ValueError: A part is malformed, or a header is the handshake's own.
    """
    more = as_headers(headers)
    _check_client_request(host, target, more, subprotocols)
    fields = [
        ("host", host),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", key),
        ("sec-websocket-version", "13"),
    ]
    if subprotocols:
        fields.append(("sec-websocket-protocol", ", ".join(subprotocols)))
    if deflate is not None:
        fields.append((EXTENSIONS, str(offer_deflate(deflate))))
    return encode_head(f"GET {target} HTTP/1.1", Headers([*fields, *more]))


def _check_client_request(host: str, target: str, headers: Headers, subprotocols: Sequence[str]) -> None:
    if not is_host(host):
        raise ValueError(f"malformed host {host!r}")
    if _target.fullmatch(target) is None:
        raise ValueError(f"malformed request target {target!r}")
    for name, _ in headers:
        if name in _OWN_FIELDS or name.startswith("sec-websocket-"):
            raise ValueError(f"header {name!r} belongs to the handshake")
    if len(set(subprotocols)) < len(subprotocols) or not all(map(is_token, subprotocols)):
        raise ValueError(f"malformed subprotocols {subprotocols!r}")


def check_response(
    response: ResponseHead, key: str, *, subprotocols: Sequence[str] = (), deflate: Deflate | None = None
) -> Agreement:
    """Check the server's answer, and give what it chose.

    Args:
        response: What the server answered (RFC 6455 section 4.1).
        key: The key that was sent.
        subprotocols: What was offered.
        deflate: How messages were to be compressed, if that was offered.

    Raises:
        HandshakeRejected: The status is not 101.
        HandshakeError: It is, but the rest does not answer what was asked.
    """
    headers = response.headers
    if response.status != 101:
        raise HandshakeRejected(response.status, headers.as_dict(), response.body)
    if not (_has_element(headers, "upgrade", "websocket") and _has_element(headers, "connection", "upgrade")):
        raise HandshakeError("the server upgrades to something else")
    if headers.get_all("sec-websocket-accept") != (accept_key(key),):
        raise HandshakeError("the server did not answer the key")
    try:
        answers = parse_extensions(headers)
    except ValueError as error:
        raise HandshakeError(f"the server answered with {error}") from None
    agreed = check_deflate(deflate, answers)
    chosen = headers.get_all("sec-websocket-protocol")
    if len(chosen) > 1 or any(name not in subprotocols for name in chosen):
        raise HandshakeError("the server chose a subprotocol that was not offered")
    return Agreement(chosen[0] if chosen else None, agreed)
