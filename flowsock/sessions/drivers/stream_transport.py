"""A transport, as asyncio has them, over a byte stream of anyio's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSAttribute

from flowsock.parking import WaitingRoom
from flowsock.scopes.groups import task_group

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from flowsock.sessions.connection.transport import StreamProtocol

_logger = logging.getLogger("flowsock")

_CHUNK: Final = 2**16
_ATTRIBUTES: Final = {
    "peername": SocketAttribute.remote_address,
    "sockname": SocketAttribute.local_address,
    "socket": SocketAttribute.raw_socket,
    "ssl_object": TLSAttribute.ssl_object,
}
_GONE: Final = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Stream(Protocol):
    """What a transport reads from and writes to: a byte stream of anyio's, or what behaves like one."""

    async def receive(self, max_bytes: int, /) -> Any: ...

    async def send(self, item: Any, /) -> None: ...

    async def send_eof(self) -> None: ...

    async def aclose(self) -> None: ...

    def extra(self, attribute: Any, default: object, /) -> Any: ...


class StreamTransport:
    """Let one task read a stream and another one write to it, and tell a protocol of it, while `run` runs.

    Laws: what one turn of the event loop queued leaves in one write. Above the high-water mark of queued bytes the protocol is
    told to pause, below a quarter of it to resume. While reading is paused, at most one read is kept back. The protocol is told
    of the loss once, and of nothing after it.
    """

    __slots__ = (
        "_closing",
        "_eof_due",
        "_error",
        "_high",
        "_protocol",
        "_queue",
        "_queued",
        "_readers",
        "_reading_paused",
        "_scope",
        "_stream",
        "_writers",
        "_writing_paused",
    )

    def __init__(self, stream: Stream, protocol: StreamProtocol) -> None:
        self._stream = stream
        self._protocol = protocol
        self._scope = anyio.CancelScope(shield=True)
        self._queue: list[bytes] = []
        self._queued = 0
        self._high = _CHUNK
        self._writing_paused = False
        self._reading_paused = False
        self._eof_due = False
        self._closing = False
        self._error: Exception | None = None
        self._readers = WaitingRoom()
        self._writers = WaitingRoom()

    # What a connection asks

    def write(self, data: bytes, /) -> None:
        """Queue bytes for the peer."""
        if self._closing:
            return
        self._queue.append(data)
        self._queued += len(data)
        self._writers.wake_all()
        self._check_high_water()

    def write_eof(self) -> None:
        """End the writing half once everything queued was written."""
        self._eof_due = True
        self._writers.wake_all()

    def can_write_eof(self) -> bool:
        """Tell whether the writing half can be ended alone, which TLS cannot."""
        return self._stream.extra(TLSAttribute.ssl_object, None) is None

    def close(self) -> None:
        """End the stream once everything queued was written, and hear nothing more."""
        self._closing = True
        self._writers.wake_all()

    def abort(self) -> None:
        """End the stream at once."""
        self._closing = True
        self._scope.cancel()

    def pause_reading(self) -> None:
        """Let what the peer sends wait in the network."""
        self._reading_paused = True

    def resume_reading(self) -> None:
        """Read again."""
        self._reading_paused = False
        self._readers.wake_all()

    def set_protocol(self, protocol: StreamProtocol, /) -> None:
        """Tell somebody else from now on."""
        self._protocol = protocol

    def set_write_buffer_limits(self, high: int, /) -> None:
        """Pause the protocol's writing above so many queued bytes."""
        self._high = high
        self._check_high_water()

    def get_write_buffer_size(self) -> int:
        """Give the number of bytes that are queued."""
        return self._queued

    def get_extra_info(self, name: str, default: Any = None, /) -> Any:
        """Give ``"peername"``, ``"sockname"``, ``"socket"`` or ``"ssl_object"``."""
        try:
            return self._stream.extra(_ATTRIBUTES[name], default) if name in _ATTRIBUTES else default
        except OSError:
            # The peer has gone, and its address with it.
            return default

    # What it does

    async def run(self) -> None:
        """Carry bytes until one side ends the stream; cancelling the task that runs this does not, for last words' sake."""
        with self._scope:
            async with task_group() as tasks:
                tasks.start_soon(self._guard, self._read)
                await self._guard(self._write)
                tasks.cancel_scope.cancel()
            await self._guard(self._stream.aclose)
        with anyio.CancelScope(shield=True) as last:
            last.cancel()
            await self._stream.aclose()
        self._queue.clear()
        self._queued = 0
        self._protocol.connection_lost(self._error)

    async def _guard(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take one step; the first error of any ends the stream, and more may follow from it."""
        try:
            await step()
        except _GONE as error:
            self._fail(error)
        except Exception as error:
            _logger.exception("the protocol of a stream failed")
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self.abort()

    async def _read(self) -> None:
        while not self._closing:
            await self._until_reading()
            try:
                data = await self._stream.receive(_CHUNK)
            except anyio.EndOfStream:
                if not self._protocol.eof_received():
                    self.close()
                return
            await self._until_reading()
            if not self._closing:
                self._protocol.data_received(data)

    async def _until_reading(self) -> None:
        while self._reading_paused:
            await self._readers.sleep()

    async def _write(self) -> None:
        while True:
            while self._queue:
                await self._write_queue()
            if self._closing:
                return
            if self._eof_due:
                self._eof_due = False
                await self._stream.send_eof()
            await self._writers.sleep()

    async def _write_queue(self) -> None:
        queue, self._queue = self._queue, []
        for piece in self._pieces(queue):
            await self._stream.send(piece)
            self._queued -= len(piece)
            self._check_low_water()

    def _pieces(self, queue: list[bytes]) -> Iterator[bytes]:
        """Gather what is queued, in pieces, so that it can be seen from outside whether the peer reads."""
        data = queue[0] if len(queue) == 1 else b"".join(queue)
        for start in range(0, len(data), _CHUNK):
            yield data[start : start + _CHUNK]

    def _check_high_water(self) -> None:
        if self._queued > self._high and not self._writing_paused:
            self._writing_paused = True
            self._protocol.pause_writing()

    def _check_low_water(self) -> None:
        if self._writing_paused and self._queued <= self._high // 4:
            self._writing_paused = False
            self._protocol.resume_writing()
