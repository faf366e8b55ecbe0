"""A connection whose messages have types of the user's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flowsock.codecs.undecodable import Undecodable
from flowsock.sessions.connection.connection import Connection
from flowsock.wire.close import CloseCode, CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.sessions.connection.connection_codec import ConnectionCodec
    from flowsock.sessions.connection.transport import Clock, Transport
    from flowsock.sessions.terms import Terms
    from flowsock.wire.frames import Event

_logger = logging.getLogger("flowsock")


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
        self._decode = translation.incoming.decode
        self._kinds = translation.accepts
        self._path = terms.request.path
        self._tells_undecodable = translation.tells_undecodable or terms.config.on_undecodable is not None
        # Nothing is for the handler as it comes.
        self.accepts = frozenset[type]()

    def _other(self, event: Event) -> None:
        if not isinstance(event, str | bytes):
            self._control(event)
        elif self.is_open:
            self._messages_received += 1
            self._take(event)

    def _take(self, data: str | bytes) -> None:
        if type(data) not in self._kinds:
            kind = "text" if isinstance(data, str) else "binary"
            self._refuse(Undecodable(data, f"{kind} messages are not accepted here", CloseCode.CANNOT_ACCEPT), None)
            return
        try:
            message = self._decode(data)
        except ValueError as error:
            self._refuse(Undecodable(data, str(error)), error)
        except Exception as error:
            _logger.exception("the codec of %r failed", self._path)
            self._fail(CloseReason(CloseCode.INTERNAL_ERROR), error)
        else:
            self._deliver(message)

    def _deliver(self, message: object) -> None:
        if not self.messages.hand(message):
            self._queue(message)

    def _refuse(self, undecodable: Undecodable, cause: ValueError | None) -> None:
        if self._tells_undecodable:
            self._deliver(undecodable)
            return
        _logger.info("a message to %r could not be decoded: %s", self._path, undecodable.why)
        self._fail(CloseReason(undecodable.code, "a message could not be decoded"), cause)
