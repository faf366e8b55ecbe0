"""What a session is opened with, once both sides agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from flowsock.wire.codec import Codec

if TYPE_CHECKING:
    from flowsock.sessions.config import WebSocketConfig
    from flowsock.wire.request import Request


@frozen(kw_only=True)
class Terms:
    """Hold the outcome of an opening handshake.

    Args:
        request: The head of the opening request.
        config: The settings.
        accepts: The kinds of message that this end takes.
        subprotocol: What was agreed on, or ``None``.
        client: Whether this end is the client.
    """

    request: Request
    config: WebSocketConfig
    accepts: frozenset[type]
    subprotocol: str | None = None
    client: bool = False

    def codec(self) -> Codec:
        """Make the codec that speaks RFC 6455 on these terms."""
        config = self.config
        return Codec(client=self.client, max_message_size=config.max_message_size, max_fragments=config.max_fragments)
