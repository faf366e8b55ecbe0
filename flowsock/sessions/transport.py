"""What a connection needs of a driver: a byte stream to write to, and a clock."""

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

    def get_extra_info(self, name: str, default: Any = None, /) -> Any:
        """Give ``"peername"`` and the like."""
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
