"""What an ASGI host tells of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from flowsock.wire.handshake import new_key
from flowsock.wire.headers import Headers
from flowsock.wire.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_UNESCAPED: Final = "/:@!$&'()*+,;=~"


def request_of(scope: Mapping[str, Any]) -> Request:
    """Make the request of a call; the path of an application that is mounted somewhere begins where that ends.

    What opens a WebSocket over HTTP/2 has no fields for it (RFC 8441 section 5): it gets those that it would have had.

    Raises:
        ValueError: a header is malformed.
    """
    headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    if scope["type"] == "websocket":
        headers = Headers([*headers, *((name, value) for name, value in _opening(scope) if name not in headers)])
    query = scope.get("query_string", b"").decode("latin-1")
    target = _path(scope) + (f"?{query}" if query else "")
    client, secure = scope.get("client"), scope.get("scheme") in ("https", "wss")
    return Request(scope.get("method", "GET"), target, headers, client=client[0] if client else None, secure=secure)


def _opening(scope: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from (("upgrade", "websocket"), ("connection", "Upgrade"))
    yield from (("sec-websocket-version", "13"), ("sec-websocket-key", new_key()))
    if subprotocols := scope.get("subprotocols"):
        yield "sec-websocket-protocol", ", ".join(subprotocols)


def _path(scope: Mapping[str, Any]) -> str:
    """Give the path as it was sent, without the root: routes look at escapes themselves."""
    path, root = scope["path"], scope.get("root_path", "").rstrip("/")
    sent = scope.get("raw_path")
    sent = quote(path, safe=_UNESCAPED) if sent is None else sent.decode("latin-1").partition("?")[0]
    if root and (path == root or path.startswith(f"{root}/")):
        below = sent.split("/")[root.count("/") + 1 :]
        return "/" + "/".join(below)
    return sent or "/"
