"""What `serve` and `connect` need of the event loop they run on, and which driver gives it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext
    from types import TracebackType

    from flowsock.sessions.handshake import Handshake
    from flowsock.sessions.transport import Clock, HandshakeTransport


class Listener(Protocol):
    """A socket that listens."""

    @property
    def address(self) -> tuple[str, int]:
        """Give host and port."""
        ...

    def close(self) -> None:
        """Take no new connections."""
        ...


class Driver(Protocol):
    """Byte streams and a clock; usable inside its ``async with`` block, and its streams end with that."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> bool | None: ...

    @property
    def clock(self) -> Clock:
        """Give the event loop's time and timers."""
        ...

    async def listen(self, make: Callable[[], Handshake], host: str, port: int) -> Listener:
        """Begin to take connections, each with a handshake of its own.

        Raises:
            OSError: the address cannot be listened on.
        """
        ...

    async def open(self, handshake: Handshake, host: str, port: int, context: SSLContext | None) -> HandshakeTransport:
        """Connect, over TLS if there is a context.

        Raises:
            OSError: there is no connection to be had.
        """
        ...


def running_driver() -> Driver:
    """Give the driver for the running event loop: asyncio's transports where there are any, anyio's streams elsewhere."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        from flowsock.sessions.drivers.anyio_stream import AnyioDriver

        return AnyioDriver()
    from flowsock.sessions.drivers.asyncio_protocol import AsyncioDriver

    return AsyncioDriver(loop)
