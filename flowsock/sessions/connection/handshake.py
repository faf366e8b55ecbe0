"""A byte stream whose session is not there yet, at either end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flowsock.sessions.connection.transport import StreamProtocol

if TYPE_CHECKING:
    from flowsock.sessions.connection.outbox import OutboxConfig
    from flowsock.sessions.connection.transport import HandshakeTransport


class Successor(StreamProtocol, Protocol):
    """What takes a byte stream over: the connection of a session, or a stream of events."""

    @property
    def config(self) -> OutboxConfig:
        """Give the settings."""
        ...


class Handshake:
    """Take a byte stream until somebody takes it over.

    Attributes:
        transport: The stream, once there is one.
        early: Bytes of a peer in a hurry, which came before the connection was there.
        ended: Whether the peer will send nothing more.
        lost: Whether the stream is gone.
    """

    __slots__ = ("early", "ended", "lost", "transport")

    transport: HandshakeTransport

    def __init__(self) -> None:
        self.early = bytearray()
        self.ended = False
        self.lost = False

    def connection_made(self, transport: HandshakeTransport) -> None:
        """Learn which stream it is."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep what comes behind the head, but not without bound: one more read."""
        self.early += data
        self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Learn that the peer will send nothing more; the stream closes itself."""
        self.ended = True
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """Learn that the stream is gone."""
        self.lost = True

    def pause_writing(self) -> None:
        """Go on: nothing but one head or one page is ever written here."""

    def resume_writing(self) -> None:
        """Go on."""

    def hand_over(self, connection: Successor) -> None:
        """Make the connection the protocol of the stream, and give it what came before it did."""
        self.transport.set_protocol(connection)
        if self.lost:
            connection.connection_lost(None)
            return
        self.transport.set_write_buffer_limits(connection.config.outgoing_high_water)
        self.transport.resume_reading()
        if self.early:
            connection.data_received(bytes(self.early))
        if self.ended:
            self.transport.close()
