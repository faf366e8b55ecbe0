"""Sessions on anyio's byte streams, and so on trio."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Self, TypeVar

import anyio
from anyio.abc import SocketListener, SocketStream
from anyio.streams.tls import TLSStream

from flowsock.parking import WaitingRoom
from flowsock.scopes.groups import task_group
from flowsock.sessions.drivers.shortage import PAUSE, Shortage
from flowsock.sessions.drivers.stream_transport import StreamTransport
from flowsock.sessions.drivers.task_clock import TaskClock
from flowsock.sessions.server.address import name_of
from flowsock.sessions.server.tls import server_context

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from socket import socket
    from ssl import SSLContext
    from types import TracebackType

    from anyio.abc import ByteStream

    from flowsock.scopes.groups import TaskBlock, Tasks
    from flowsock.sessions.connection.handshake import Handshake
    from flowsock.sessions.drivers.driver import Listener
    from flowsock.sessions.server.address import Address

T = TypeVar("T", bound=StreamTransport)

_logger = logging.getLogger("flowsock")

_LAST_WORDS: Final = 1.0


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

    def tasks(self) -> TaskBlock:
        return task_group()

    async def listen(
        self, greet: Callable[[], Handshake | None], address: Address, *, reuse_port: bool, tls_timeout: float
    ) -> Listener:
        context = None if address.ssl is None else server_context(address.ssl)
        sockets = await address.listen(reuse_port=reuse_port)
        name = name_of(sockets[0])
        listeners = [await SocketListener.from_socket(each) for each in sockets]
        return AnyioListener(name, listeners, self._tasks, _Reception(self._tasks, greet, self.carry, context, tls_timeout))

    async def open(self, handshake: Handshake, host: str, port: int, context: SSLContext | None) -> StreamTransport:
        return self.carry(await _connect(host, port, context), handshake)

    async def adopt(self, handshake: Handshake, sock: socket, host: str, context: SSLContext | None) -> StreamTransport:
        return self.carry(await _adopt(sock, host, context), handshake)

    def carry(self, stream: ByteStream, handshake: Handshake) -> StreamTransport:
        """Run a stream until it ends, beginning with a handshake."""
        return self.start(StreamTransport(stream, handshake), handshake)

    def start(self, transport: T, handshake: Handshake) -> T:
        """Run a transport until it ends."""
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


async def _adopt(sock: socket, host: str, context: SSLContext | None) -> ByteStream:
    try:
        stream = await SocketStream.from_socket(sock)
    except BaseException:
        sock.close()
        raise
    if context is None:
        return stream
    try:
        return await TLSStream.wrap(stream, server_side=False, hostname=host, ssl_context=context)
    except BaseException:
        await anyio.aclose_forcefully(stream)
        raise


class AnyioListener:
    """Listening sockets, each with a task that takes its connections."""

    __slots__ = ("_reception", "_scopes", "_shortage", "name")

    def __init__(
        self,
        name: tuple[str, int] | str,
        sockets: Sequence[SocketListener],
        tasks: Tasks,
        reception: _Reception,
    ) -> None:
        self.name = name
        self._reception = reception
        self._shortage = Shortage()
        self._scopes = [anyio.CancelScope() for _ in sockets]
        for listener, scope in zip(sockets, self._scopes, strict=True):
            tasks.start_soon(self._run, listener, scope)

    def close(self) -> None:
        for scope in self._scopes:
            scope.cancel()
        self._reception.close()

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
            if not isinstance(error.__cause__, OSError):
                raise
            self._shortage.met(error.__cause__)
            await anyio.sleep(PAUSE)
        else:
            self._shortage.over()
            await self._reception.take(stream)


class _Reception:
    """What becomes of connections: handshakes over them, or TLS first, in tasks of their own."""

    __slots__ = ("_beginning", "_carry", "_context", "_greet", "_tasks", "_tls_timeout")

    def __init__(
        self,
        tasks: Tasks,
        greet: Callable[[], Handshake | None],
        carry: Callable[[ByteStream, Handshake], object],
        context: SSLContext | None,
        tls_timeout: float,
    ) -> None:
        self._tasks = tasks
        self._greet = greet
        self._carry = carry
        self._context = context
        self._tls_timeout = tls_timeout
        self._beginning: set[anyio.CancelScope] = set()

    async def take(self, stream: SocketStream) -> None:
        handshake = self._greet()
        if handshake is None:
            await anyio.aclose_forcefully(stream)
        elif self._context is None:
            self._carry(stream, handshake)
        else:
            self._tasks.start_soon(self._begin_tls, stream, handshake, self._context)

    async def _begin_tls(self, stream: SocketStream, handshake: Handshake, context: SSLContext) -> None:
        secure: TLSStream | None = None
        scope = anyio.move_on_after(self._tls_timeout)
        self._beginning.add(scope)
        try:
            with scope:
                secure = await TLSStream.wrap(stream, server_side=True, ssl_context=context, standard_compatible=False)
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            # Whoever speaks no TLS, or goes in the middle of it, is no news.
            _logger.debug("a connection failed before its request: %s", error)
        finally:
            self._beginning.discard(scope)
            if secure is None:
                handshake.connection_lost(None)
                await anyio.aclose_forcefully(stream)
        if secure is not None:
            self._carry(secure, handshake)

    def close(self) -> None:
        """Give up where TLS has not begun."""
        for scope in self._beginning:
            scope.cancel()
