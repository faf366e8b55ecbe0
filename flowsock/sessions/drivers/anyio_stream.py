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
    from collections.abc import Callable
    from ssl import SSLContext
    from types import TracebackType

    from anyio.abc import ByteStream, SocketListener, SocketStream, TaskGroup
    from anyio.streams.stapled import MultiListener

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
        self.clock = TaskClock()
        self._block = task_group()
        self._transports: set[StreamTransport] = set()
        self._ended = WaitingRoom()

    async def __aenter__(self) -> Self:
        self._tasks = await self._block.__aenter__()
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

    async def listen(self, make: Callable[[], Handshake], host: str, port: int) -> AnyioListener:
        sockets = await anyio.create_tcp_listener(local_host=host, local_port=port, backlog=_BACKLOG)
        listener = AnyioListener(sockets, lambda stream: self._carry(stream, make()))
        listener.start(self._tasks)
        return listener

    async def open(self, handshake: Handshake, host: str, port: int, context: SSLContext | None) -> StreamTransport:
        return self._carry(await _connect(host, port, context), handshake)

    def _carry(self, stream: ByteStream, handshake: Handshake) -> StreamTransport:
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
    """Listening sockets, with a task for each."""

    __slots__ = ("_scope", "_sockets", "_take")

    def __init__(self, sockets: MultiListener[SocketStream], take: Callable[[SocketStream], object]) -> None:
        self._sockets = sockets
        self._take = take
        self._scope = anyio.CancelScope()

    @property
    def address(self) -> tuple[str, int]:
        host, port, *_ = self._sockets.listeners[0].extra(SocketAttribute.raw_socket).getsockname()
        return host, port

    def start(self, tasks: TaskGroup) -> None:
        """Begin to take connections."""
        tasks.start_soon(self._run)

    def close(self) -> None:
        self._scope.cancel()

    async def _run(self) -> None:
        try:
            with self._scope:
                async with task_group() as tasks:
                    for listener in self._sockets.listeners:
                        tasks.start_soon(self._accept, cast("SocketListener", listener))
        finally:
            await anyio.aclose_forcefully(self._sockets)

    async def _accept(self, listener: SocketListener) -> None:
        while True:
            try:
                stream = await listener.accept()
            except anyio.BrokenResourceError as error:
                if not isinstance(cause := error.__cause__, OSError) or cause.errno not in _FULL:
                    raise
                _logger.error("no connection can be taken, trying again: %s", cause)
                await anyio.sleep(_PAUSE)
            else:
                self._take(stream)
