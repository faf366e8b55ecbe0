"""The heads of the opening handshake, as either end reads them."""

from __future__ import annotations

from flowsock.errors import HandshakeError
from flowsock.wire.deflate import Deflate
from flowsock.wire.handshake import (
    Agreement,
    accept_response,
    check_response,
    choose_deflate,
    choose_subprotocol,
    upgrade_error,
)
from flowsock.wire.http import BadRequest, RequestReader, ResponseReader, encode_response
from flowsock.wire.origins import origin_error
from fuzz.pieces import pieces

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def check(data: bytes) -> None:
    """Read the bytes as a request and as a response, whole and in pieces."""
    size, head = (data[0], data[1:]) if data else (0, b"")
    assert request_outcome(head, 0) == request_outcome(head, size)
    assert response_outcome(head, 0) == response_outcome(head, size)


def request_outcome(head: bytes, size: int) -> object:
    reader = RequestReader()
    for piece in pieces(head, size):
        try:
            request = reader.feed(piece)
        except BadRequest:
            # Where a head that is malformed and too long fails first depends on how much of it there is.
            return BadRequest
        if request is not None:
            refusal = upgrade_error(request) or origin_error(request, "same")
            if refusal is not None:
                assert encode_response(refusal).startswith(b"HTTP/1.1 4")
                return refusal
            return accept_response(request, Agreement(choose_subprotocol(request, ["a"]), choose_deflate(request, Deflate())))
    return None


def response_outcome(head: bytes, size: int) -> object:
    reader = ResponseReader()
    for piece in pieces(head, size):
        try:
            response = reader.feed(piece)
            if response is not None:
                return check_response(response, KEY, subprotocols=["a"], deflate=Deflate())
        except HandshakeError as error:
            return type(error)
    return None
