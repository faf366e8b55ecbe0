"""What a GET handler gives, as a response."""

from __future__ import annotations

import logging
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import msgspec

from flowsock.emitting import settle
from flowsock.sessions.routes.admission import FAILED, admit
from flowsock.wire.response import Response, plain_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio import CancelScope

    from flowsock.sessions.routes.router import Page
    from flowsock.wire.headers import HeadersLike
    from flowsock.wire.request import Request

_logger = logging.getLogger("flowsock")

_COMMON: Final = (("cache-control", "no-cache"), ("x-content-type-options", "nosniff"))


async def page_response(request: Request, page: Page, patience: Callable[[], CancelScope]) -> Response:
    """Give the answer to a request for a page: the guard's, the page, or 500 and one log entry.

    Args:
        patience: Makes what ends the guard, and not the page; see `admit`.
    """
    admitted = await admit(request, page, patience)
    if isinstance(admitted, Response):
        return admitted
    route = page.route
    try:
        result = await settle(route.handler(**route.arguments(request, page.parameters, admitted)))
        return await to_response(result, route.media_type)
    except Exception:
        _logger.exception("the page handler of %r failed", route.entry.pattern.path)
        return FAILED


async def to_response(result: Any, media_type: str | None) -> Response:
    """Turn a handler's result into a response: a `Response` as it is, a ``Path`` by its content, text, bytes, or JSON."""
    match result:
        case Response():
            return result
        case Path():
            return await _file(result, media_type)
        case str():
            return _content(result.encode(), media_type or "text/plain")
        case bytes():
            return _content(result, media_type or "application/octet-stream")
        case _:
            return _content(msgspec.json.encode(result), media_type or "application/json")


async def _file(path: Path, media_type: str | None) -> Response:
    try:
        content = await anyio.Path(path).read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return plain_response(404, "not found")
    return _content(content, media_type or guess_type(path.name)[0] or "application/octet-stream")


def _content(body: bytes, media_type: str) -> Response:
    if media_type.startswith("text/") and "charset" not in media_type:
        media_type += "; charset=utf-8"
    headers: HeadersLike = [*_COMMON, ("content-type", media_type)]
    return Response(200, headers, body)
