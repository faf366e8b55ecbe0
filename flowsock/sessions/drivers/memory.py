"""Sessions between two ends in this process, over lines that can be slow, silent or cut."""

from __future__ import annotations

from collections import deque
from errno import EADDRINUSE, ECONNREFUSED
from os import strerror
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio import current_time
from anyio.abc import ByteStream, SocketAttribute
from anyio.lowlevel import checkpoint

from flowsock.parking import WaitingRoom
from flowsock.sessions.drivers.anyio_stream import AnyioDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ssl import SSLContext

    from flowsock.sessions.connection.handshake import Handshake
    from flowsock.sessions.drivers.stream_transport import StreamTransport
    from flowsock.sessions.server.address import Address

_CAPACITY: Final = 2**16
_HOST: Final = "127.0.0.1"


class Direction:
    """One way of a line.

    Law: bytes arrive in order, each a delay after it was sent, and none while paused. As in a network of 64 KiB, a sender
    waits while so much is under way.

    Attributes:
        delay: Seconds that what is sent from now on is under way.
    """

    __slots__ = ("_changed", "_cut", "_deaf", "_ended", "_paused", "_queue", "_size", "delay")

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self._queue: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._paused = False
        self._ended = False
        self._deaf = False
        self._cut = False
        self._changed = WaitingRoom()

    def pause(self) -> None:
        """Let nothing arrive: whoever is at the end of this way does not read."""
        self._paused = True

    def resume(self) -> None:
        """Let it arrive again."""
        self._paused = False
        self._changed.wake_all()

    async def send(self, data: bytes) -> None:
        """Put bytes on their way, as soon as there is room.

        Raises:
            BrokenResourceError: the line was cut.
        """
        await checkpoint()
        while data:
            while self._size >= _CAPACITY:
                await self._changed.sleep()
            if self._cut:
                raise anyio.BrokenResourceError
            if self._deaf:
                return
            piece, data = data[: _CAPACITY - self._size], data[_CAPACITY - self._size :]
            self._size += len(piece)
            self._queue.append((current_time() + self.delay, piece))
            self._changed.wake_all()

    async def receive(self, max_bytes: int) -> bytes:
        """Take what arrived, as soon as there is something.

        Raises:
            BrokenResourceError: the line was cut.
            EndOfStream: there will be no more.
        """
        await checkpoint()
        while True:
            if self._cut:
                raise anyio.BrokenResourceError
            if self._paused or not (self._queue or self._ended):
                await self._changed.sleep()
            elif not self._queue:
                raise anyio.EndOfStream
            elif self._queue[0][0] <= current_time():
                return self._take(max_bytes)
            else:
                with anyio.CancelScope(deadline=self._queue[0][0]):
                    await self._changed.sleep()

    def _take(self, max_bytes: int) -> bytes:
        due, data = self._queue.popleft()
        if len(data) > max_bytes:
            self._queue.appendleft((due, data[max_bytes:]))
            data = data[:max_bytes]
        self._size -= len(data)
        self._changed.wake_all()
        return data

    def end(self) -> None:
        """Send nothing more; what is under way arrives."""
        self._ended = True
        self._changed.wake_all()

    def ignore(self) -> None:
        """Let what is under way and what will be sent go nowhere."""
        self._deaf = True
        self._queue.clear()
        self._size = 0
        self._changed.wake_all()

    def cut(self) -> None:
        """Let nothing more arrive, nor be sent."""
        self._cut = True
        self.ignore()


class Line:
    """A connection between a client and a server in this process.

    Args:
        delay: Seconds that what is sent is under way, in each direction.

    Attributes:
        to_server: What the client sends; pausing it, the server does not read.
        to_client: What the server sends; pausing it, the client does not read.

    Raises:
        ValueError: the delay is negative.

    Law: what is sent arrives in its order, or not at all.

    >>> app = App()
    >>> greeting = app.websocket("/")(lambda session: session.send("hello"))
    >>> async with testing.connect(app, "/", line=Line(delay=2)) as session:
    ...     await session.incoming.first()
    'hello'
    """

    __slots__ = ("to_client", "to_server")

    def __init__(self, *, delay: float = 0.0) -> None:
        if not delay >= 0:
            raise ValueError(f"a delay is 0 seconds or more, not {delay!r}")
        self.to_server = Direction(delay)
        self.to_client = Direction(delay)

    def cut(self) -> None:
        """Lose the connection: what is under way is lost with it, and both ends see 1006 at once."""
        self.to_server.cut()
        self.to_client.cut()

    def ends(self) -> tuple[LineEnd, LineEnd]:
        """Give the client's end and the server's."""
        return LineEnd(self.to_client, self.to_server), LineEnd(self.to_server, self.to_client)


class LineEnd(ByteStream):
    """One end of a line, as a byte stream of anyio's."""

    __slots__ = ("_incoming", "_outgoing")

    def __init__(self, incoming: Direction, outgoing: Direction) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    async def send(self, item: bytes) -> None:
        await self._outgoing.send(item)

    async def receive(self, max_bytes: int = _CAPACITY) -> bytes:
        return await self._incoming.receive(max_bytes)

    async def send_eof(self) -> None:
        self._outgoing.end()

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """Send and take nothing more."""
        self._outgoing.end()
        self._incoming.ignore()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return {SocketAttribute.remote_address: lambda: (_HOST, 0), SocketAttribute.local_address: lambda: (_HOST, 0)}


class MemoryNetwork:
    """Know who listens in this process."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: dict[int, Callable[[LineEnd], object]] = {}

    def listen(self, port: int, take: Callable[[LineEnd], object]) -> MemoryListener:
        """Let somebody take the connections to a port; 0 is a free one.

        Raises:
            OSError: the port is taken.
        """
        port = port or max(self._listeners, default=0) + 1
        if port in self._listeners:
            raise OSError(EADDRINUSE, f"{strerror(EADDRINUSE)}: port {port}")
        self._listeners[port] = take
        return MemoryListener(port, lambda: self._listeners.pop(port, None))

    def connect(self, port: int, line: Line) -> LineEnd:
        """Give the server's end of a line to whoever listens, and the client's end to the caller.

        Raises:
            ConnectionRefusedError: nobody listens.
        """
        take = self._listeners.get(port)
        if take is None:
            raise ConnectionRefusedError(ECONNREFUSED, strerror(ECONNREFUSED))
        client_end, server_end = line.ends()
        take(server_end)
        return client_end


class MemoryListener:
    """A port that is listened on."""

    __slots__ = ("_forget", "_port")

    def __init__(self, port: int, forget: Callable[[], object]) -> None:
        self._port = port
        self._forget = forget

    @property
    def name(self) -> tuple[str, int]:
        return _HOST, self._port

    def close(self) -> None:
        self._forget()


class MemoryDriver(AnyioDriver):
    """Connect the ends of lines instead of sockets, on any event loop and on virtual time.

    Args:
        network: Where to listen and whom to reach.
        line: Makes the lines of connections that are opened here.
    """

    __slots__ = ("_line", "_network")

    def __init__(self, network: MemoryNetwork, line: Callable[[], Line] = Line) -> None:
        super().__init__()
        self._network = network
        self._line = line

    async def listen(
        self, greet: Callable[[], Handshake | None], address: Address, *, reuse_port: bool, tls_timeout: float
    ) -> MemoryListener:
        return self._network.listen(address.port, lambda end: self._greet(end, greet()))

    def _greet(self, end: LineEnd, handshake: Handshake | None) -> None:
        if handshake is None:
            end.close()
        else:
            self.carry(end, handshake)

    async def open(self, handshake: Handshake, host: str, port: int, context: SSLContext | None) -> StreamTransport:
        await checkpoint()
        return self.carry(self._network.connect(port, self._line()), handshake)
