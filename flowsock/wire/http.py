"""Reading HTTP/1.1 with h11, which nothing but this file and `wire.content` knows (RFC 9112).

Only what a WebSocket endpoint needs: one head a connection, no request bodies, and the start of a refusal's.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from sys import intern
from typing import TYPE_CHECKING, Final

import h11
from attrs import evolve

from flowsock.errors import HandshakeError
from flowsock.wire.head import BadRequest, HeadBuffer
from flowsock.wire.headers import Headers
from flowsock.wire.request import Request, is_host
from flowsock.wire.response import Response, ResponseHead, encode_response, plain_response

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BadRequest",
    "Headers",
    "Request",
    "RequestReader",
    "Response",
    "ResponseHead",
    "ResponseReader",
    "encode_response",
    "plain_response",
]

_absolute: Final = re.compile(r"(?:http|ws)s?://([^/?#]*)((?:[/?].*)?)", re.IGNORECASE)
_MAX_BODY: Final = 64 * 1024
_MAX_SKIPPED: Final = 16


class RequestReader:
    """Read the head of one request from bytes as they arrive."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = HeadBuffer()

    def feed(self, data: bytes) -> Request | None:
        """Take received bytes, give the request once its head is there; feed nothing more then.

        Raises:
            BadRequest: The request cannot be served: 400 malformed, 413 with a body, 414 and 431 too long, 505 not
                HTTP/1.1 (RFC 9112 sections 2 to 6).
        """
        head = self._buffer.feed(data)
        return None if head is None else _parse_request(head)

    @property
    def trailing(self) -> bytes:
        """Give the bytes behind the head: the peer's first frames, if it was in a hurry."""
        return self._buffer.trailing


def _parse_request(head: bytes) -> Request:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head)
    try:
        event = connection.next_event()
        assert isinstance(event, h11.Request)
        headers = _decode_headers(event.headers)
    except (h11.RemoteProtocolError, ValueError):
        raise BadRequest(400, "malformed request") from None
    # Method and version are the same ones nearly always.
    method, version = intern(event.method.decode()), intern(event.http_version.decode())
    request = Request(method, event.target.decode(), headers, version)
    _check_request(request)
    target = _origin_form(request)
    return request if target == request.target else evolve(request, target=target)


def _decode_headers(fields: Iterable[tuple[bytes, bytes]]) -> Headers:
    return Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)


def _check_request(request: Request) -> None:
    if request.http_version != "1.1":
        raise BadRequest(505, "only HTTP/1.1 is served")
    if not is_host(request.headers.get("host") or ""):
        raise BadRequest(400, "malformed Host")
    _check_body(request)


def _origin_form(request: Request) -> str:
    """Give the path and the query; ``*`` asks for the OPTIONS of the whole server (RFC 9112 section 3.2)."""
    target = request.target
    if (absolute := _absolute.fullmatch(target)) is not None:
        # A second host, from which the first one must not differ: two servers could believe one of them each.
        if absolute[1].lower() != request.host.lower():
            raise BadRequest(400, "the request target is of another Host")
        target = absolute[2] if absolute[2].startswith("/") else f"/{absolute[2]}"
    if "#" in target or not (target.startswith("/") or (target, request.method) == ("*", "OPTIONS")):
        raise BadRequest(400, "malformed request target")
    return target


def _check_body(request: Request) -> None:
    length, coding = request.headers.get("content-length"), request.headers.get("transfer-encoding")
    if length is not None and coding is not None:
        raise BadRequest(400, "both Content-Length and Transfer-Encoding")
    if request.method in ("GET", "HEAD") and (coding is not None or int(length or 0) > 0):
        # Other methods are not served at all: whoever answers that closes the connection, body and all.
        raise BadRequest(400 if "upgrade" in request.headers else 413, "a request with a body is not served")


class ResponseReader:
    """Read the response to an opening handshake from bytes as they arrive: the head, and what a refusal says.

    Attributes:
        trailing: The bytes behind a 101: the server's first frames, if it was in a hurry.
    """

    __slots__ = ("_buffer", "_refusal", "_skipped", "trailing")

    def __init__(self) -> None:
        self._buffer = HeadBuffer()
        self._skipped = 0
        self._refusal: _Refusal | None = None
        self.trailing = b""

    def feed(self, data: bytes) -> ResponseHead | None:
        """Take received bytes, give the answer once it is there; feed nothing more then.

        Other informational responses than 101 are skipped, up to 16 of them (RFC 9110 section 15.2).

        Raises:
            HandshakeError: The answer is malformed or too long.
        """
        while self._refusal is None:
            head = self._feed_head(data)
            if head is None:
                return None
            data = self._buffer.trailing
            status, headers, connection = parse_response(head)
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                self.trailing = data
                return ResponseHead(status, headers)
            if status >= 200:
                self._refusal = _Refusal(status, headers, connection)
                break
            self._skipped += 1
            if self._skipped > _MAX_SKIPPED:
                raise HandshakeError(f"the server sent more than {_MAX_SKIPPED} informational responses, and no answer")
            self._buffer = HeadBuffer()
        return self._refusal.answer() if self._refusal.feed(data) else None

    def end(self) -> ResponseHead | None:
        """Give what there is of a refusal when nothing more comes, or ``None``."""
        return None if self._refusal is None else self._refusal.answer()

    def _feed_head(self, data: bytes) -> bytes | None:
        try:
            return self._buffer.feed(data)
        except BadRequest as error:
            raise HandshakeError(f"the server's answer is malformed: {error.message}") from None


class _Refusal:
    """An answer that opens no session, whose content is being read, up to a limit."""

    __slots__ = ("_body", "_connection", "_headers", "_status")

    def __init__(self, status: int, headers: Headers, connection: h11.Connection) -> None:
        self._status = status
        self._headers = headers
        self._connection = connection
        self._body = bytearray()

    def feed(self, data: bytes) -> bool:
        """Take received bytes, tell whether that is all, or enough."""
        try:
            if data:
                self._connection.receive_data(data)
            while isinstance(event := self._connection.next_event(), h11.Data):
                self._body += event.data
        except h11.RemoteProtocolError:
            # A refusal is one also if its end is malformed.
            return True
        return isinstance(event, h11.EndOfMessage) or len(self._body) >= _MAX_BODY

    def answer(self) -> ResponseHead:
        return ResponseHead(self._status, self._headers, bytes(self._body[:_MAX_BODY]))


def parse_response(head: bytes) -> tuple[int, Headers, h11.Connection]:
    """Give status and fields of a head, and what reads the content behind it.

    Raises:
        HandshakeError: the head is malformed.
    """
    connection = h11.Connection(h11.CLIENT)
    # h11 reads an answer only to a question, and 101 only to one that asked for it.
    question = [("Host", "_"), ("Connection", "Upgrade"), ("Upgrade", "websocket")]
    connection.send(h11.Request(method="GET", target="/", headers=question))
    connection.send(h11.EndOfMessage())
    connection.receive_data(head)
    try:
        event = connection.next_event()
        assert isinstance(event, h11.Response | h11.InformationalResponse)
        return event.status_code, _decode_headers(event.headers), connection
    except (h11.RemoteProtocolError, ValueError):
        raise HandshakeError("the server's answer is malformed") from None
