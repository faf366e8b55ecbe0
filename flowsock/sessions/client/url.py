"""The addresses that clients connect to."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

_WEBSOCKET: Final = {"ws": 80, "wss": 443}
_HTTP: Final = {"http": 80, "https": 443}


@frozen
class ServerURL:
    """Where a client connects to.

    Attributes:
        secure: Whether over TLS.
        host: The host's name or address, without brackets.
        port: The port.
        authority: What the Host field says: the host, and the port unless it is the scheme's own.
        target: The path and query.
    """

    secure: bool
    host: str
    port: int
    authority: str
    target: str


def parse_url(url: str) -> ServerURL:
    """Take the address of a WebSocket apart (RFC 6455 section 3).

    Raises:
        ValueError: the URL is no ``ws://`` or ``wss://`` address, or has a user or a fragment.
    """
    return _parse(url, _WEBSOCKET, "a WebSocket's address")


def parse_http_url(url: str) -> ServerURL:
    """Take the address of an event stream apart.

    Raises:
        ValueError: the URL is no ``http://`` or ``https://`` address, or has a user or a fragment.
    """
    return _parse(url, _HTTP, "an event stream's address")


def _parse(url: str, schemes: dict[str, int], what: str) -> ServerURL:
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"{what} begins with {':// or '.join(schemes)}:// and a host: {url!r}")
    if parts.username is not None or parts.fragment:
        raise ValueError(f"{what} has no user and no fragment: {url!r}")
    default = schemes[parts.scheme]
    port = default if parts.port is None else parts.port
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    secure = parts.scheme in ("wss", "https")
    return ServerURL(secure, parts.hostname, port, host if port == default else f"{host}:{port}", target)
