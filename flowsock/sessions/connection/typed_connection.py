"""A connection whose messages have types of the user's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from flowsock.codecs.undecodable import Undecodable
from flowsock.sessions.connection.connection import Connection
from flowsock.wire.close import CloseCode, CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.errors import SessionAborted
    from flowsock.sessions.connection.connection_codec import ConnectionCodec
    from flowsock.sessions.connection.transport import Clock, Transport
    from flowsock.sessions.terms import Terms
    from flowsock.wire.frames import Event

_logger = logging.getLogger("flowsock")
_NOTHING: Final[frozenset[type]] = frozenset()


class TypedConnection(Connection):
    """Carry messages that are decoded as they arrive.

    Laws: what cannot be decoded ends the connection, with 1003 if it came in the wrong kind of frame and 1007 otherwise, or is
    a message of its own, `Undecodable`. The peer is told no details. A codec that fails otherwise ends it with 1011 and one
    log entry.
    """

    __slots__ = ("_decode", "_kinds", "_path", "_tells_undecodable")

    def __init__(
        self, terms: Terms, transport: Transport, clock: Clock, codec: ConnectionCodec, *, on_gone: Callable[[], object]
    ) -> None:
        super().__init__(terms, transport, clock, codec, on_gone=on_gone)
        translation = terms.translation
        self._decode = translation.decode
        self._kinds = translation.accepts
        self._path = terms.request.path
        self._tells_undecodable = translation.tells_undecodable or terms.config.on_undecodable is not None
        # Nothing is for the handler as it comes.
        self.accepts = _NOTHING

    def _other(self, event: Event) -> None:
        if type(event) in self._kinds:
            self._messages_received += 1
            try:
                message = self._decode(event)
            except Exception as error:
                self._undecoded(event, error)
            else:
                self._deliver(message)
        elif isinstance(event, str | bytes) and self.is_open:
            self._messages_received += 1
            kind = "text" if isinstance(event, str) else "binary"
            self._refuse(Undecodable(event, f"{kind} messages are not accepted here", CloseCode.CANNOT_ACCEPT), None)
        else:
            super()._other(event)

    def _finish(self, reason: CloseReason, error: SessionAborted | None) -> None:
        self._kinds = _NOTHING
        super()._finish(reason, error)

    def _deliver(self, message: object) -> None:
        if not self.messages.hand(message):
            self._queue(message)

    def _undecoded(self, data: Any, error: Exception) -> None:
        if isinstance(error, ValueError):
            self._refuse(Undecodable(data, str(error)), error)
            return
        _logger.error("the codec of %r failed", self._path, exc_info=error)
        self._fail(CloseReason(CloseCode.INTERNAL_ERROR), error)

    def _refuse(self, undecodable: Undecodable, cause: ValueError | None) -> None:
        if self._tells_undecodable:
            self._deliver(undecodable)
            return
        _logger.info("a message to %r could not be decoded: %s", self._path, undecodable.why)
        self._fail(CloseReason(undecodable.code, "a message could not be decoded"), cause)
