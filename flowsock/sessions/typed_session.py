"""`TypedSession`: one WebSocket as a flow of messages of the user's types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowsock.codecs.undecodable import Undecodable
from flowsock.sessions.connection.typed_connection import TypedConnection
from flowsock.sessions.session import In, Out, Session

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from flowsock.emitting import Emitter
    from flowsock.sessions.connection.connection_codec import ConnectionCodec
    from flowsock.sessions.connection.transport import Clock, Transport
    from flowsock.sessions.terms import Terms


class TypedSession(Session[In, Out]):
    """One WebSocket session whose messages are encoded and decoded; users know it as `Session`."""

    __slots__ = ("_encode",)

    _connection_type = TypedConnection

    def __init__(self, terms: Terms, transport: Transport, clock: Clock, codec: ConnectionCodec) -> None:
        super().__init__(terms, transport, clock, codec)
        self._encode = terms.translation.encode
        if terms.config.on_undecodable is not None and not terms.translation.tells_undecodable:
            self.incoming = self.incoming.transform(self._answer_undecodable)

    def send(self, message: Out, /) -> Awaitable[None]:
        return self._connection.send(self._encode(message))

    def _answer_undecodable(self, emit: Emitter[In], message: Any) -> object:
        """Let messages pass, and send what is to be said to whoever sent what is none."""
        if type(message) is not Undecodable:
            return emit(message)
        on_undecodable = self.config.on_undecodable
        assert on_undecodable is not None
        reply = on_undecodable(message)
        return None if reply is None else self.send(reply)
