"""The client's end of a byte stream whose answer goes on."""

from __future__ import annotations

from flowsock.parking import WaitingRoom
from flowsock.sessions.connection.handshake import Handshake
from flowsock.wire.content import ContentReader


class ContentStream(Handshake):
    """Read an answer no faster than somebody takes it: what one read brought waits here, the rest in the network.

    Attributes:
        reader: Reads the answer.
    """

    __slots__ = ("_error", "_waiting", "reader")

    def __init__(self) -> None:
        super().__init__()
        self.reader = ContentReader()
        self._error: Exception | None = None
        self._waiting = WaitingRoom()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._waiting.wake_all()

    def eof_received(self) -> bool:
        super().eof_received()
        self._waiting.wake_all()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._error = error
        self._waiting.wake_all()

    async def receive(self) -> bytes | None:
        """Wait for more of the answer and give the content in it, which may be none yet; ``None`` is the end.

        Raises:
            EventStreamError: the answer is malformed.
            ConnectionError: the connection was lost.
        """
        while not self.early:
            if self.reader.is_complete:
                return None
            if self.ended or self.lost:
                if self._error is None and self.reader.end():
                    return None
                raise ConnectionError("the connection was lost before the answer was whole") from self._error
            await self._waiting.sleep()
        data = bytes(self.early)
        self.early.clear()
        self.transport.resume_reading()
        return self.reader.feed(data)
