"""Sessions on asyncio's transports, and so on uvloop's."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, cast

from flowsock.sessions.drivers.asyncio_listener import AsyncioListener
from flowsock.sessions.drivers.asyncio_tasks import AsyncioTasks
from flowsock.sessions.server.tls import server_context

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator
    from socket import socket
    from ssl import SSLContext
    from types import TracebackType

    from flowsock.scopes.groups import TaskBlock
    from flowsock.sessions.connection.handshake import Handshake
    from flowsock.sessions.connection.transport import HandshakeTransport
    from flowsock.sessions.server.address import Address


class AsyncioDriver:
    """Let an asyncio event loop do it all: handshakes and connections are the protocols of its transports themselves.

    Attributes:
        clock: The loop.
    """

    __slots__ = ("clock",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.clock = loop

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None, /
    ) -> None:
        """Leave the rest to the loop, which writes what was queued and then closes."""

    def tasks(self) -> TaskBlock:
        return AsyncioTasks()

    async def listen(
        self, greet: Callable[[], Handshake | None], address: Address, *, reuse_port: bool, tls_timeout: float
    ) -> AsyncioListener:
        context = None if address.ssl is None else server_context(address.ssl)
        sockets = await address.listen(reuse_port=reuse_port)
        with _transports_on_asyncio():
            return AsyncioListener(self.clock, sockets, greet, context, tls_timeout)

    async def open(self, handshake: Handshake, host: str, port: int, context: SSLContext | None) -> HandshakeTransport:
        with _transports_on_asyncio():
            await self.clock.create_connection(cast("Any", lambda: handshake), host, port, ssl=context)
        return handshake.transport

    async def adopt(self, handshake: Handshake, sock: socket, host: str, context: SSLContext | None) -> HandshakeTransport:
        make, name = cast("Any", lambda: handshake), None if context is None else host
        try:
            with _transports_on_asyncio():
                await self.clock.create_connection(make, sock=sock, ssl=context, server_hostname=name)
        except BaseException:
            sock.close()
            raise
        return handshake.transport


@contextmanager
def _transports_on_asyncio() -> Generator[None]:
    """Make transports whose callbacks, which are in no task, can use anyio.

    anyio asks sniffio, where that is installed, and sniffio knows a callback's library by its context only.
    """
    sniffio = sys.modules.get("sniffio")
    if sniffio is None:
        yield
        return
    token = sniffio.current_async_library_cvar.set("asyncio")
    try:
        yield
    finally:
        sniffio.current_async_library_cvar.reset(token)
