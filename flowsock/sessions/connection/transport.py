"""What sessions need of a driver: a byte stream to write to, and a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Transport(Protocol):
    """The writing half of a byte stream, in the shape of asyncio's transports."""

    def write(self, data: bytes, /) -> None:
        """Queue bytes for the peer."""
        ...

    def write_eof(self) -> None:
        """End the writing half once everything queued was written."""
        ...

    def can_write_eof(self) -> bool:
        """Tell whether the writing half can be ended alone."""
        ...

    def close(self) -> None:
        """End the stream once everything queued was written."""
        ...

    def abort(self) -> None:
        """End the stream at once."""
        ...

    def pause_reading(self) -> None:
        """Let what the peer sends wait in the network."""
        ...

    def resume_reading(self) -> None:
        """Read again."""
        ...

    def get_write_buffer_size(self) -> int:
        """Give the number of bytes that are queued."""
        ...

    def set_write_buffer_limits(self, high: int, /) -> None:
        """Pause the protocol's writing above so many queued bytes."""
        ...

    def get_extra_info(self, name: str, default: Any = None, /) -> Any:
        """Give ``"peername"`` and the like."""
        ...


class StreamProtocol(Protocol):
    """Who is told what happens to a byte stream, in the shape of asyncio's protocols."""

    def data_received(self, data: bytes, /) -> None:
        """Take what the peer sent."""
        ...

    def eof_received(self) -> bool:
        """Learn that the peer will send nothing more; the stream closes itself unless it is told to stay."""
        ...

    def connection_lost(self, error: Exception | None, /) -> None:
        """Learn that the stream is gone, and whether by an error; nothing comes after that."""
        ...

    def pause_writing(self) -> None:
        """Learn that more is queued than the high-water mark allows."""
        ...

    def resume_writing(self) -> None:
        """Learn that the peer has read enough."""
        ...


class HandshakeTransport(Transport, Protocol):
    """A byte stream whose protocol changes once the handshake is over."""

    def set_protocol(self, protocol: StreamProtocol, /) -> None:
        """Tell somebody else from now on."""
        ...


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Do not make the call."""
        ...


class Clock(Protocol):
    """Time, in the shape of asyncio's event loops."""

    def time(self) -> float:
        """Give the time in seconds, from any start."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer:
        """Call back after a delay in seconds."""
        ...
