"""What the session tests share: a raw peer on a socket, and a transport and a clock that stand in for the event loop."""

from __future__ import annotations

import struct
from base64 import b64encode
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import anyio
from anyio import fail_after

from flowsock.codecs.translation import AS_THEY_ARE, Translation
from flowsock.sessions.app import App
from flowsock.sessions.config import WebSocketConfig
from flowsock.sessions.connection.connection import Connection
from flowsock.sessions.connection.raw_connection import RawConnection
from flowsock.sessions.server.server import serve
from flowsock.sessions.terms import Terms
from flowsock.wire.handshake import accept_key
from flowsock.wire.request import Request
from tests.sessions.lines import answering, dial
from tests.wire.support import MASK, frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    import pytest

    from flowsock.sessions.server.server import Server
    from flowsock.sessions.session import Session
    from flowsock.wire.close import CloseReason
    from tests.sessions.lines import Raw

BOUND: Final = 5.0
"""Seconds that nothing in these tests may take, unless a setting makes it shorter."""

TEXT: Final = 0x81
BINARY: Final = 0x82
CLOSE: Final = 0x88
PING: Final = 0x89
PONG: Final = 0x8A

KEY: Final = b64encode(bytes(range(16))).decode()


class Frame(NamedTuple):
    """A frame as it was on the wire: its first byte and its payload."""

    first: int
    payload: bytes


def text(message: str) -> bytes:
    return frame(TEXT, message.encode())


def close(code: int | None = None, message: str = "", *, mask: bytes | None = MASK) -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + message.encode(), mask=mask)


def close_frame(code: int | None = None, message: str = "") -> Frame:
    """Give the Close that a peer reads."""
    return Frame(CLOSE, b"" if code is None else struct.pack("!H", code) + message.encode())


def text_frame(message: str) -> Frame:
    return Frame(TEXT, message.encode())


def parse_frames(data: bytes) -> Iterator[Frame]:
    """Read whole frames, masked or not; what is left over is an error."""
    while data:
        found = _parse(data)
        assert found is not None, f"not a whole frame: {data[:20]!r}"
        parsed, data = found
        yield parsed


def _parse(data: bytes) -> tuple[Frame, bytes] | None:
    if len(data) < 2:
        return None
    length, start = data[1] & 0x7F, 2
    if length == 126:
        length, start = int.from_bytes(data[2:4]), 4
    elif length == 127:
        length, start = int.from_bytes(data[2:10]), 10
    mask = data[start : start + 4] if data[1] & 0x80 else b""
    stop = start + len(mask) + length
    if len(data) < stop:
        return None
    payload = data[stop - length : stop]
    if mask:
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return Frame(data[0], payload), data[stop:]


class Peer:
    """One end made of bytes, so that it can misbehave."""

    def __init__(self, line: Raw) -> None:
        self._line = line
        self._rest = b""

    async def send(self, *data: bytes) -> None:
        """Write these bytes in one go."""
        await self._line.send(b"".join(data))

    async def head(self) -> str:
        """Read an HTTP head."""
        with fail_after(BOUND):
            while b"\r\n\r\n" not in self._rest:
                await self._more()
        head, end, self._rest = self._rest.partition(b"\r\n\r\n")
        return (head + end).decode("latin-1")

    async def exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        with fail_after(BOUND):
            while len(self._rest) < size:
                await self._more()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    async def until(self, end: bytes) -> bytes:
        """Read bytes up to these."""
        with fail_after(BOUND):
            while end not in self._rest:
                await self._more()
        data, found, self._rest = self._rest.partition(end)
        return data + found

    async def frame(self) -> Frame:
        """Read a frame."""
        with fail_after(BOUND):
            while (found := _parse(self._rest)) is None:
                await self._more()
        parsed, self._rest = found
        return parsed

    async def _more(self) -> None:
        data = await self._line.receive()
        if not data:
            raise EOFError(f"the stream ended in the middle: {self._rest!r}")
        self._rest += data

    async def rest(self, bound: float = BOUND) -> list[Frame]:
        """Read frames until the end of the stream."""
        return list(parse_frames(await self.raw_rest(bound)))

    async def raw_rest(self, bound: float = BOUND) -> bytes:
        """Read bytes until the end of the stream, or its reset."""
        with fail_after(bound):
            with suppress(ConnectionError):
                while data := await self._line.receive():
                    self._rest += data
        data, self._rest = self._rest, b""
        return data

    async def end(self) -> None:
        """Wait for the end of the stream, which must come before anything else and not be a reset."""
        with fail_after(BOUND):
            assert self._rest == b""
            assert await self._line.receive() == b""

    async def end_sending(self) -> None:
        """End the half that this end sends in, and still read."""
        await self._line.end_sending()

    def hang_up(self) -> None:
        """End the stream as a process does that ends."""
        self._line.hang_up()

    def reset(self) -> None:
        """End the stream as a process does that crashes."""
        self._line.reset()


def opening(path: str = "/", *fields: str, host: str = "test") -> bytes:
    """Write an opening request."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *fields,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@asynccontextmanager
async def raw_peer(server: Server, *, receive_buffer: int | None = None) -> AsyncIterator[Peer]:
    """Connect and say nothing."""
    with fail_after(BOUND):
        peer = Peer(await dial(server.host, server.port, receive_buffer))
    try:
        yield peer
    finally:
        peer.hang_up()


@asynccontextmanager
async def open_peer(server: Server, path: str = "/", *, receive_buffer: int | None = None) -> AsyncIterator[Peer]:
    """Connect and open a session."""
    async with raw_peer(server, receive_buffer=receive_buffer) as peer:
        await peer.send(opening(path))
        head = await peer.head()
        assert head.startswith("HTTP/1.1 101 "), head
        yield peer


@asynccontextmanager
async def raw_server(talk: Callable[[Peer], Awaitable[None]]) -> AsyncIterator[str]:
    """A server made of bytes, so that it can misbehave; gives the URL."""

    async def serve_one(line: Raw) -> None:
        try:
            await talk(Peer(line))
        except (ConnectionError, EOFError):
            pass
        finally:
            line.hang_up()

    async with answering(serve_one) as port:
        yield f"ws://127.0.0.1:{port}/"


async def accept(peer: Peer, *behind: bytes, fields: str = "") -> None:
    """Read the opening request and answer it, with frames right behind."""
    head = await peer.head()
    (key,) = [line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key")]
    answer = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n{fields}\r\n"
    )
    await peer.send(answer.encode(), *behind)


def ws(server: Server, path: str = "/") -> str:
    """Give the address of a session."""
    return f"ws://{server.host}:{server.port}{path}"


class ManualTimer:
    """A call that `ManualClock.advance` makes."""

    def __init__(self, due: float, callback: Callable[[], object]) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualClock:
    """Time that passes when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self._timers: list[ManualTimer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], object], /) -> ManualTimer:
        timer = ManualTimer(self.now + delay, callback)
        self._timers.append(timer)
        return timer

    @property
    def pending(self) -> int:
        """Count the calls that are to come."""
        return sum(not timer.cancelled for timer in self._timers)

    def advance(self, seconds: float) -> None:
        """Let time pass, and make the calls that fall due, each at its time."""
        end = self.now + seconds
        while due := [timer for timer in self._timers if not timer.cancelled and timer.due <= end]:
            timer = min(due, key=lambda timer: timer.due)
            self._timers.remove(timer)
            self.now = max(self.now, timer.due)
            timer.callback()
        self.now = end


class RecordingTransport:
    """Write down what a connection asks of its driver; do nothing."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.calls: list[str] = []
        self._reading = True
        self.half_close = True
        self.unread = 0
        self.high_water: int | None = None

    def write(self, data: bytes, /) -> None:
        assert self.can_still_write, "written after the end"
        self.writes.append(bytes(data))

    @property
    def can_still_write(self) -> bool:
        return not {"write_eof", "close", "abort"} & set(self.calls)

    def write_eof(self) -> None:
        self.calls.append("write_eof")

    def can_write_eof(self) -> bool:
        return self.half_close

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")

    def pause_reading(self) -> None:
        assert self._reading
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True

    def is_reading(self) -> bool:
        return self._reading

    def get_write_buffer_size(self) -> int:
        return self.unread

    def set_write_buffer_limits(self, high: int, /) -> None:
        self.high_water = high

    def get_extra_info(self, name: str, default: Any = None, /) -> Any:
        return {"peername": ("192.0.2.1", 4711)}.get(name, default)

    @property
    def frames(self) -> list[Frame]:
        """Give what was written, as frames."""
        return list(parse_frames(b"".join(self.writes)))


class HandedOver(RecordingTransport):
    """A transport that changes hands."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: object = None
        self.high_water = 0

    def set_protocol(self, protocol: object, /) -> None:
        self.protocol = protocol

    def set_write_buffer_limits(self, high: int, /) -> None:
        self.high_water = high

    def get_write_buffer_size(self) -> int:
        return 0


class Bench:
    """A connection between a recording transport and a manual clock."""

    connection_type: type[Connection] = Connection

    def __init__(self, *, client: bool = False, translation: Translation = AS_THEY_ARE, **settings: Any) -> None:
        self.config = WebSocketConfig(**settings)
        self.transport = RecordingTransport()
        self.clock = ManualClock()
        self.gone = 0
        raw = issubclass(self.connection_type, RawConnection)
        terms = Terms(request=Request("GET", "/"), config=self.config, translation=translation, client=client, raw=raw)
        self.connection = self.connection_type(terms, self.transport, self.clock, terms.codec(), on_gone=self._on_gone)

    def _on_gone(self) -> None:
        self.gone += 1

    def receive(self, *data: bytes) -> None:
        """Let bytes arrive, in one read."""
        self.connection.data_received(b"".join(data))

    @property
    def frames(self) -> list[Frame]:
        return self.transport.frames

    @property
    def calls(self) -> list[str]:
        return self.transport.calls

    @property
    def code(self) -> int | None:
        return None if self.connection.reason is None else self.connection.reason.code


def request_head(method: str, target: str, fields: Mapping[str, str] | None = None) -> bytes:
    """Write the head of a plain request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test", *(f"{name}: {value}" for name, value in (fields or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Story:
    """What a handler went through."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.ended = anyio.Event()
        self._session: Session[Any, Any] | None = None

    @property
    def session(self) -> Session[Any, Any]:
        assert self._session is not None, "the handler did not run"
        return self._session

    @property
    def reason(self) -> CloseReason | None:
        return self.session.close_reason

    @asynccontextmanager
    async def of(self, session: Session[Any, Any]) -> AsyncIterator[None]:
        """Tell how the block ends: with the error's class, or ``cancelled``, or ``returned``."""
        self._session = session
        try:
            yield
        except Exception as error:
            self.seen.append(type(error))
            raise
        except BaseException:
            self.seen.append("cancelled")
            raise
        else:
            self.seen.append("returned")
        finally:
            self.ended.set()

    async def end(self, bound: float = BOUND) -> list[Any]:
        """Wait for the handler's end, and give all that was seen."""
        with fail_after(bound):
            await self.ended.wait()
        return self.seen


@asynccontextmanager
async def handling(
    handler: Callable[[Session[Any, Any]], Awaitable[object]], *, drain_timeout: float = 0.2, **settings: Any
) -> AsyncIterator[Server]:
    """Serve one handler at ``/``."""
    app = App()
    app.websocket("/", **settings)(handler)
    async with serve(app, port=0, drain_timeout=drain_timeout) as server:
        yield server


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds that nobody tells of."""
    with fail_after(BOUND):
        while not condition():  # noqa: ASYNC110 there is no event to wait for
            await anyio.sleep(0.002)


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give what was logged at warning level or above, by any logger."""
    return [record.getMessage() for record in caplog.records if record.levelno >= 30]
