"""Listening on asyncio's event loops.

The loops have servers of their own. This takes the connections itself, because those log a line for each attempt while
descriptors are short, and begin to read before anybody was asked whether there is room.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, cast

from flowsock.sessions.drivers.shortage import PAUSE, Shortage
from flowsock.sessions.server.address import name_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from socket import socket
    from ssl import SSLContext

    from flowsock.sessions.connection.handshake import Handshake

_logger = logging.getLogger("flowsock")
_BATCH: Final = 128


class AsyncioListener:
    """Listening sockets of an asyncio event loop.

    Law: at most 128 connections of one socket are taken in one turn of the loop, so that those that are open get theirs.

    Attributes:
        name: Host and port, or the path of a Unix socket.
    """

    __slots__ = ("_connecting", "_context", "_greet", "_loop", "_resuming", "_shortage", "_sockets", "_timeout", "name")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sockets: Sequence[socket],
        greet: Callable[[], Handshake | None],
        context: SSLContext | None,
        timeout: float,
    ) -> None:
        self._loop = loop
        self._sockets = sockets
        self._greet = greet
        self._context = context
        self._timeout = timeout
        self._shortage = Shortage()
        self._connecting: set[asyncio.Task[None]] = set()
        self._resuming: asyncio.TimerHandle | None = None
        self.name = name_of(sockets[0])
        self._resume()

    def close(self) -> None:
        """Take no new connections."""
        if self._resuming is not None:
            self._resuming.cancel()
        for listening in self._sockets:
            if listening.fileno() >= 0:
                self._loop.remove_reader(listening)
                listening.close()
        if self._context is not None:
            # Others have their transport in a moment, TLS may take its time.
            for task in self._connecting:
                task.cancel()

    def _resume(self) -> None:
        self._resuming = None
        for listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def _pause(self) -> None:
        for listening in self._sockets:
            self._loop.remove_reader(listening)
        if self._resuming is None:
            self._resuming = self._loop.call_later(PAUSE, self._resume)

    def _accept(self, listening: socket) -> None:
        for _ in range(_BATCH):
            try:
                accepted, _peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._shortage.met(error)
                self._pause()
                return
            self._shortage.over()
            self._take(accepted)

    def _take(self, accepted: socket) -> None:
        accepted.setblocking(False)
        handshake = self._greet()
        if handshake is None:
            accepted.close()
            return
        task = self._loop.create_task(self._connect(accepted, handshake))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, accepted: socket, handshake: Handshake) -> None:
        timeout = None if self._context is None else self._timeout
        try:
            await self._loop.connect_accepted_socket(
                cast("Any", lambda: handshake), accepted, ssl=self._context, ssl_handshake_timeout=timeout
            )
        except OSError as error:
            # Whoever speaks no TLS, or goes in the middle of it, is no news. The loop has closed the socket.
            _logger.debug("a connection failed before its request: %s", error)
            handshake.connection_lost(error)
        except BaseException:
            handshake.connection_lost(None)
            raise
