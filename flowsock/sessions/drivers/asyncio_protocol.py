"""Sessions on asyncio's transports, and so on uvloop's."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self, cast

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator
    from ssl import SSLContext
    from types import TracebackType

    from flowsock.sessions.handshake import Handshake
    from flowsock.sessions.transport import HandshakeTransport

_BACKLOG: Final = 1024


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

    async def listen(self, make: Callable[[], Handshake], host: str, port: int) -> AsyncioListener:
        with _transports_on_asyncio():
            return AsyncioListener(await self.clock.create_server(cast("Any", make), host, port, backlog=_BACKLOG))

    async def open(self, handshake: Handshake, host: str, port: int, context: SSLContext | None) -> HandshakeTransport:
        with _transports_on_asyncio():
            await self.clock.create_connection(cast("Any", lambda: handshake), host, port, ssl=context)
        return handshake.transport


class AsyncioListener:
    """A listening socket of an asyncio event loop."""

    __slots__ = ("_server",)

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server

    @property
    def address(self) -> tuple[str, int]:
        host, port, *_ = self._server.sockets[0].getsockname()
        return host, port

    def close(self) -> None:
        self._server.close()


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
