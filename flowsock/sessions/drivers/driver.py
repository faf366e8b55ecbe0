"""What `serve` and `connect` need of the event loop they run on, and which driver gives it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket
    from ssl import SSLContext
    from types import TracebackType

    from flowsock.scopes.groups import TaskBlock
    from flowsock.sessions.connection.handshake import Handshake
    from flowsock.sessions.connection.transport import Clock, HandshakeTransport
    from flowsock.sessions.server.address import Address


class Listener(Protocol):
    """Sockets that listen."""

    @property
    def name(self) -> tuple[str, int] | str:
        """Give host and port, or the path of a Unix socket."""
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

    def tasks(self) -> TaskBlock:
        """Give a task group for a server, or for what a session of a server launches.

        Law: where nothing but the group itself ever cancels its block, it cancels tasks when it is cancelled, as anyio's does.
        """
        ...

    async def listen(
        self, greet: Callable[[], Handshake | None], address: Address, *, reuse_port: bool, tls_timeout: float
    ) -> Listener:
        """Begin to take connections.

        Args:
            greet: Gives each connection a handshake of its own, or ``None`` for one that is to be dropped.
            address: Where to listen.
            reuse_port: Whether other processes may listen there too.
            tls_timeout: Seconds that TLS may take to begin.

        Raises:
            OSError: the address cannot be listened on.
            ValueError: its certificate cannot be used.
        """
        ...

    async def open(self, handshake: Handshake, host: str, port: int, context: SSLContext | None) -> HandshakeTransport:
        """Connect, over TLS if there is a context.

        Raises:
            OSError: there is no connection to be had.
        """
        ...

    async def adopt(self, handshake: Handshake, sock: socket, host: str, context: SSLContext | None) -> HandshakeTransport:
        """Take a socket that is connected already, and close it with the stream, or when it cannot be used.

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
