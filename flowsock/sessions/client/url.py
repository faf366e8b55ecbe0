"""The address of a WebSocket (RFC 6455 section 3)."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

_PORTS: Final = {"ws": 80, "wss": 443}


@frozen
class WebSocketURL:
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


def parse_url(url: str) -> WebSocketURL:
    """Take a URL apart.

    Raises:
        ValueError: the URL is no ``ws://`` or ``wss://`` address, or has a user or a fragment.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"a WebSocket's address begins with ws:// or wss:// and a host: {url!r}")
    if parts.username is not None or parts.fragment:
        raise ValueError(f"a WebSocket's address has no user and no fragment (RFC 6455 section 3): {url!r}")
    default = _PORTS[parts.scheme]
    port = default if parts.port is None else parts.port
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebSocketURL(parts.scheme == "wss", parts.hostname, port, host if port == default else f"{host}:{port}", target)
