"""What a server answers: whole responses to write, and the heads of received ones (RFC 9110 section 15)."""

from __future__ import annotations

from http import HTTPStatus
from time import gmtime
from typing import Final

from attrs import field, frozen

from flowsock.wire.headers import Headers, HeadersLike, as_headers

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FRAMING: Final = ("connection", "content-length", "transfer-encoding")


@frozen
class ResponseHead:
    """Hold what a server answered.

    Args:
        status: The final status, or 101.
        headers: The header fields.
        body: The content, 64 KiB at most; empty for 101.
    """

    status: int
    headers: Headers
    body: bytes = b""


def _check_response(response: Response, _attribute: object, headers: Headers) -> None:
    if not 200 <= response.status <= 599:
        raise ValueError(f"{response.status} is not the status of a final response")
    for name in _FRAMING:
        if name in headers:
            raise ValueError(f"header {name!r} is written by the library")


@frozen
class Response:
    """Hold a whole response, which ends its connection.

    Args:
        status: A final status, 200 to 599.
        headers: Header fields, without those that frame the body.
        body: The content.

    Raises:
        ValueError: The status is not final, or a header is malformed or the library's own.

    >>> Response(200, {"content-type": "text/html"}, b"<h1>hello</h1>").status
    200
    """

    status: int
    headers: Headers = field(default=Headers(), converter=as_headers, validator=_check_response)
    body: bytes = b""


def plain_response(status: int, message: str, headers: HeadersLike = ()) -> Response:
    """Make a response that says one line to a person."""
    fields = [*Headers(headers), ("content-type", "text/plain; charset=utf-8")]
    return Response(status, fields, f"{message}\n".encode())


def encode_response(response: Response, *, head_only: bool = False) -> bytes:
    """Write a response.

    Args:
        response: What to write.
        head_only: Whether it answers a HEAD request, so has no content (RFC 9110 section 9.3.2).
    """
    fields = list(response.headers)
    empty = response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    if not empty:
        fields.append(("content-length", str(len(response.body))))
    head = _closing_head(response.status, fields)
    return head if head_only or empty else head + response.body


def encode_open_response(headers: Headers) -> bytes:
    """Write the head of a response with 200 whose content goes on until the connection ends (RFC 9112 section 6.3)."""
    return _closing_head(HTTPStatus.OK, list(headers))


def _closing_head(status: int, fields: list[tuple[str, str]]) -> bytes:
    names = [name for name, _value in fields]
    # Whoever names a protocol to upgrade to says so in Connection too (RFC 9110 section 7.8).
    fields.append(("connection", "close, upgrade" if "upgrade" in names else "close"))
    if "date" not in names:
        fields.append(("date", _date()))
    return encode_head(f"HTTP/1.1 {status} {_phrase(status)}", Headers(fields))


def encode_head(first_line: str, headers: Headers) -> bytes:
    """Write a head (RFC 9112 section 2.1)."""
    lines = [first_line, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _date() -> str:
    # strftime() would speak the process's language, HTTP is English (RFC 9110 section 5.6.7).
    now = gmtime()
    day = f"{_DAYS[now.tm_wday]}, {now.tm_mday:02} {_MONTHS[now.tm_mon - 1]} {now.tm_year}"
    return f"{day} {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} GMT"
