"""Byte streams for peers made of bytes: over sockets, or over lines in memory, on any event loop."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from flowsock.scopes.groups import task_group
from flowsock.sessions.drivers.memory import Line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from anyio.abc import TaskGroup

    from flowsock.sessions.drivers.memory import LineEnd, MemoryNetwork

memory: MemoryNetwork | None = None
"""Where servers listen and peers dial, while a test is about sessions in memory."""


class Raw(Protocol):
    """What a peer speaks over."""

    async def send(self, data: bytes, /) -> None: ...

    async def receive(self) -> bytes:
        """Give the next bytes, or none at the end of the stream."""
        ...

    async def end_sending(self) -> None:
        """Send nothing more, and still receive."""
        ...

    def hang_up(self) -> None:
        """End the stream as a process does that ends."""
        ...

    def reset(self) -> None:
        """End the stream as a process does that crashes."""
        ...


class SocketLine:
    """A socket, waited for by whichever event loop runs."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock

    async def send(self, data: bytes, /) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._socket)

    async def receive(self) -> bytes:
        while True:
            await anyio.lowlevel.checkpoint()
            try:
                return self._socket.recv(65536)
            except BlockingIOError:
                await anyio.wait_readable(self._socket)

    async def end_sending(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        if self._socket.fileno() >= 0:
            anyio.notify_closing(self._socket)
            self._socket.close()

    def reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.hang_up()


class MemoryLine:
    """The client's or the server's end of a line in memory."""

    def __init__(self, line: Line, end: LineEnd) -> None:
        self._line = line
        self._end = end

    async def send(self, data: bytes, /) -> None:
        await self._end.send(data)

    async def receive(self) -> bytes:
        try:
            return await self._end.receive()
        except anyio.EndOfStream:
            return b""
        except anyio.BrokenResourceError:
            raise ConnectionResetError from None

    async def end_sending(self) -> None:
        await self._end.send_eof()

    def hang_up(self) -> None:
        self._end.close()

    def reset(self) -> None:
        self._line.cut()


async def dial(host: str, port: int, receive_buffer: int | None) -> Raw:
    """Connect to a server."""
    if memory is not None:
        await anyio.lowlevel.checkpoint()
        line = Line()
        return MemoryLine(line, memory.connect(port, line))
    sock = socket.socket()
    sock.setblocking(False)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    with suppress(BlockingIOError):
        sock.connect((host, port))
    await anyio.wait_writable(sock)
    if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        sock.close()
        raise OSError(error, os.strerror(error))
    return SocketLine(sock)


@asynccontextmanager
async def answering(talk: Callable[[Raw], Coroutine[Any, Any, object]]) -> AsyncIterator[int]:
    """Answer connections while the block lasts; give the port."""
    async with task_group() as tasks:
        if memory is None:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                tasks.start_soon(_accept, listener, talk, tasks)
                yield listener.getsockname()[1]
                tasks.cancel_scope.cancel()
        else:
            listening = memory.listen(0, lambda end: tasks.start_soon(talk, MemoryLine(Line(), end)))
            yield listening.name[1]
            listening.close()
            tasks.cancel_scope.cancel()


async def _accept(listener: socket.socket, talk: Callable[[Raw], Coroutine[Any, Any, object]], tasks: TaskGroup) -> None:
    listener.setblocking(False)
    while True:
        await anyio.wait_readable(listener)
        tasks.start_soon(talk, SocketLine(listener.accept()[0]))
