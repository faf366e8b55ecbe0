"""TLS on the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl import SSLContext

    from flowsock.sessions.client.url import ServerURL


def client_context(url: ServerURL, own: SSLContext | None) -> SSLContext | None:
    """Give what to connect with over TLS: a context of the user's own, or one that verifies; ``None`` for a plain address."""
    if not url.secure or own is not None:
        return own
    from ssl import create_default_context

    return create_default_context()
