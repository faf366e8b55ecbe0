"""What a session is opened with, once both sides agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from flowsock.codecs.translation import AS_THEY_ARE, Translation
from flowsock.sessions.raw_session import RawSession
from flowsock.sessions.session import Session
from flowsock.sessions.typed_session import TypedSession
from flowsock.wire.codec import Codec
from flowsock.wire.deflate_codec import DeflateCodec
from flowsock.wire.frame_codec import FrameCodec
from flowsock.wire.handshake import Agreement

if TYPE_CHECKING:
    from flowsock.sessions.config import WebSocketConfig
    from flowsock.sessions.connection.connection_codec import ConnectionCodec
    from flowsock.sessions.connection.transport import Clock, Transport
    from flowsock.wire.request import Request


@frozen(kw_only=True)
class Terms:
    """Hold the outcome of an opening handshake.

    Args:
        request: The head of the opening request.
        config: The settings.
        translation: How messages become frames, and back.
        agreement: The subprotocol and the compression.
        client: Whether this end is the client.
        raw: Whether it is a session of frames, not of messages.
    """

    request: Request
    config: WebSocketConfig
    translation: Translation = AS_THEY_ARE
    agreement: Agreement = field(factory=Agreement)
    client: bool = False
    raw: bool = False

    def session(self, transport: Transport, clock: Clock, codec: ConnectionCodec | None = None) -> Session[Any, Any]:
        """Make the session on these terms.

        Args:
            codec: What is spoken over the transport, if that is not `codec`.
        """
        return self._kind()(self, transport, clock, codec or self.codec())

    def _kind(self) -> type[Session[Any, Any]]:
        if self.raw:
            return RawSession
        return Session if self.translation.is_plain and self.config.on_undecodable is None else TypedSession

    def codec(self) -> Codec:
        """Make the codec that speaks RFC 6455, and RFC 7692 if that was agreed on, on these terms."""
        size, fragments, deflate = self.config.max_message_size, self.config.max_fragments, self.agreement.deflate
        if self.raw:
            return FrameCodec(client=self.client, max_message_size=size)
        if deflate is not None:
            return DeflateCodec(deflate, client=self.client, max_message_size=size, max_fragments=fragments)
        return Codec(client=self.client, max_message_size=size, max_fragments=fragments)
