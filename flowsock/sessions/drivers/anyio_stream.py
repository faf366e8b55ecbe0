"""Sessions on anyio's byte streams, and so on trio."""

from __future__ import annotations

import logging
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import TYPE_CHECKING, Final, Self, cast

import anyio
from anyio.abc import SocketAttribute

from flowsock.parking import WaitingRoom
from flowsock.scopes.groups import task_group
from flowsock.sessions.drivers.stream_transport import StreamTransport
from flowsock.sessions.drivers.task_clock import TaskClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ssl import SSLContext
    from types import TracebackType

    from anyio.abc import ByteStream, SocketListener, SocketStream, TaskGroup

    from flowsock.sessions.drivers.driver import Listener
    from flowsock.sessions.handshake import Handshake

_logger = logging.getLogger("flowsock")

_BACKLOG: Final = 1024
_LAST_WORDS: Final = 1.0
_FULL: Final = (EMFILE, ENFILE, ENOBUFS, ENOMEM)
_PAUSE: Final = 0.1


class AnyioDriver:
    """Run two tasks for each stream, and one for all timers.

    Law: leaving the block waits for streams that still write what was queued, a second at most, and ends all others.
    """

    __slots__ = ("_block", "_ended", "_tasks", "_transports", "clock")

    def __init__(self) -> None:
        self._block = task_group()
        self._transports: set[StreamTransport] = set()
        self._ended = WaitingRoom()

    async def __aenter__(self) -> Self:
        self._tasks = await self._block.__aenter__()
        self.clock = TaskClock()
        self._tasks.start_soon(self.clock.run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> bool | None:
        with anyio.move_on_after(_LAST_WORDS, shield=True):
            while self._transports:
                await self._ended.sleep()
        for transport in self._transports:
            transport.abort()
        self.clock.stop()
        return await self._block.__aexit__(kind, error, traceback)

    async def listen(self, make: Callable[[], Handshake], host: str, port: int) -> Listener:
        try:
            sockets = await anyio.create_tcp_listener(local_host=host, local_port=port, backlog=_BACKLOG)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from None
        listeners = cast("Sequence[SocketListener]", sockets.listeners)
        return AnyioListener(listeners, self._tasks, lambda stream: self.carry(stream, make()))

    async def open(self, handshake: Handshake, host: str, port: int, context: SSLContext | None) -> StreamTransport:
        return self.carry(await _connect(host, port, context), handshake)

    def carry(self, stream: ByteStream, handshake: Handshake) -> StreamTransport:
        """Run a stream until it ends, beginning with a handshake."""
        transport = StreamTransport(stream, handshake)
        self._transports.add(transport)
        handshake.connection_made(transport)
        self._tasks.start_soon(self._run, transport)
        return transport

    async def _run(self, transport: StreamTransport) -> None:
        try:
            await transport.run()
        finally:
            self._transports.discard(transport)
            self._ended.wake_all()


async def _connect(host: str, port: int, context: SSLContext | None) -> ByteStream:
    try:
        if context is None:
            return await anyio.connect_tcp(host, port)
        return await anyio.connect_tcp(host, port, ssl_context=context)
    except OSError as error:
        # anyio hides the reason behind a message that says nothing.
        raise error.__cause__ if isinstance(error.__cause__, OSError) else error from None


class AnyioListener:
    """Listening sockets, each with a task that takes its connections."""

    __slots__ = ("_scopes", "_take", "address")

    def __init__(self, sockets: Sequence[SocketListener], tasks: TaskGroup, take: Callable[[SocketStream], object]) -> None:
        host, port, *_ = sockets[0].extra(SocketAttribute.raw_socket).getsockname()
        self.address: tuple[str, int] = host, port
        self._take = take
        self._scopes = [anyio.CancelScope() for _ in sockets]
        for listener, scope in zip(sockets, self._scopes, strict=True):
            tasks.start_soon(self._run, listener, scope)

    def close(self) -> None:
        for scope in self._scopes:
            scope.cancel()

    async def _run(self, listener: SocketListener, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                while True:
                    await self._accept(listener)
        finally:
            await anyio.aclose_forcefully(listener)

    async def _accept(self, listener: SocketListener) -> None:
        try:
            stream = await listener.accept()
        except anyio.BrokenResourceError as error:
            if not isinstance(cause := error.__cause__, OSError) or cause.errno not in _FULL:
                raise
            _logger.error("no connection can be taken, trying again: %s", cause)
            await anyio.sleep(_PAUSE)
        else:
            self._take(stream)
