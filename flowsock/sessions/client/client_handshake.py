"""The client's end of a byte stream, up to the server's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowsock.errors import HandshakeError
from flowsock.parking import WaitingRoom
from flowsock.sessions.connection.handshake import Handshake
from flowsock.wire.http import ResponseReader

if TYPE_CHECKING:
    from flowsock.wire.response import ResponseHead


class ClientHandshake(Handshake):
    """Read the server's answer."""

    __slots__ = ("_answer", "_reader", "_waiting")

    def __init__(self) -> None:
        super().__init__()
        self._reader = ResponseReader()
        self._answer: ResponseHead | HandshakeError | None = None
        self._waiting = WaitingRoom()

    def data_received(self, data: bytes) -> None:
        if self._answer is not None:
            super().data_received(data)
            return
        try:
            answer = self._reader.feed(data)
        except HandshakeError as error:
            self._settle(error)
            return
        if answer is not None:
            self.early += self._reader.trailing
            self._settle(answer)

    def eof_received(self) -> bool:
        """Learn that the server will send nothing more; what it sent behind its answer is still for the session."""
        super().eof_received()
        return self._answer is not None and self.transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self._answer is None:
            lost = HandshakeError("the server closed the connection before it answered the opening request")
            lost.__cause__ = error
            self._settle(self.refusal() or lost)

    def refusal(self) -> ResponseHead | None:
        """Give what there is of an answer that opens no session, or ``None``."""
        return self._reader.end()

    def _settle(self, answer: ResponseHead | HandshakeError) -> None:
        self._answer = answer
        self._waiting.wake_all()

    async def answer(self) -> ResponseHead:
        """Wait for the answer.

        Raises:
            HandshakeError: it is malformed, or the server hung up instead.
        """
        while self._answer is None:
            await self._waiting.sleep()
        if isinstance(self._answer, HandshakeError):
            raise self._answer
        return self._answer
