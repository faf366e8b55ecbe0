"""The load generator: a process that keeps echoes in flight and reads the server's processor time.

``python -m benchmarks.load PORT PID CONNECTIONS IN_FLIGHT SIZE WARM_UP MESSAGES CORE JSON`` prints one line of JSON. What it
sends is bytes if ``JSON`` is 0, and if it is 1 an object, as text. The frames are made beforehand, and of the replies only the
bytes are counted, so that it costs less than any server. Linux only.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter_ns, process_time_ns, sleep
from typing import Final

_DEADLINE: Final = 10.0
_MASK: Final = b"\x1b\x5a\xc3\x96"
_TEXT: Final = 0x81
_BINARY: Final = 0x82
CLOSE: Final = b"\x88\x82" + _MASK + bytes((0x03 ^ _MASK[0], 0xE8 ^ _MASK[1]))
_FAREWELL: Final = 2.0
_SETTLING: Final = 0.02
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """Tell what a block of messages cost.

    Attributes:
        messages: How many were echoed.
        server_ns: Processor time of the server, all threads.
        own_ns: Processor time of the generator.
        wall_ns: Time that passed.
    """

    messages: int
    server_ns: int
    own_ns: int
    wall_ns: int


def cpu_ns(pid: int) -> int:
    """Read the processor time of all threads of a process, as the operating system accounts for it.

    Raises:
        OSError: there is no ``/proc``, or no such process.
    """
    tasks = Path(f"/proc/{pid}/task")
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())
    except FileNotFoundError:
        # A kernel without scheduler statistics: ticks of a hundredth of a second.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _NS // os.sysconf("SC_CLK_TCK")


def json_object(size: int) -> bytes:
    """Write an object of so many bytes, with one member."""
    around = b'{"text":"', b'"}'
    return (b"x" * (size - sum(map(len, around)))).join(around)


def masked_frame(payload: bytes, *, text: bool = False) -> bytes:
    """Write a client's frame."""
    pattern = _MASK * (len(payload) // 4 + 1)
    body = bytes(one ^ other for one, other in zip(payload, pattern, strict=False))
    return _header(len(payload), 0x80, text=text) + _MASK + body


def reply_frame(payload: bytes, *, text: bool = False) -> bytes:
    """Write the frame in which a server echoes the payload."""
    return _header(len(payload), 0, text=text) + payload


def _header(size: int, mask_bit: int, *, text: bool) -> bytes:
    first = _TEXT if text else _BINARY
    if size < 126:
        return bytes((first, mask_bit | size))
    return bytes((first, mask_bit | 126)) + size.to_bytes(2)


def opened(port: int) -> socket.socket:
    """Open a WebSocket.

    Raises:
        ConnectionError: the server refused.
    """
    connection = socket.create_connection(("127.0.0.1", port), _DEADLINE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(
        f"GET /echo HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(1024)  # no server here speaks before it is spoken to
        if not piece:
            break
        head += piece
    if not head.startswith(b"HTTP/1.1 101 "):
        raise ConnectionError(f"no WebSocket here: {head!r}")
    return connection


class Generator:
    """Keep so many echoes in flight on each of so many connections."""

    def __init__(self, port: int, connections: int, in_flight: int, size: int, *, text: bool) -> None:
        payload = json_object(size) if text else bytes(index * 7 & 0xFF for index in range(size))
        self._frame = masked_frame(payload, text=text)
        self._reply = reply_frame(payload, text=text)
        self._batches = [self._frame * count for count in range(in_flight + 1)]
        self._in_flight = in_flight
        self._buffer = bytearray(1 << 18)
        self._poll = select.epoll()
        self._sockets = {connection.fileno(): connection for connection in (opened(port) for _ in range(connections))}
        for descriptor in self._sockets:
            self._poll.register(descriptor, select.EPOLLIN)

    def check(self) -> None:
        """Make one exact round trip on every connection.

        Raises:
            AssertionError: the reply is not the echo.
        """
        for connection in self._sockets.values():
            connection.settimeout(_DEADLINE)
            connection.sendall(self._frame)
            found = b""
            while len(found) < len(self._reply):
                piece = connection.recv(len(self._reply) - len(found))
                if not piece:
                    raise AssertionError("the server closed")
                found += piece
            if found != self._reply:
                raise AssertionError(f"this is no echo: {found!r}")
            connection.setblocking(False)

    def exchange(self, messages: int) -> None:
        """Have so many messages echoed; nothing is in flight before and after.

        Raises:
            TimeoutError: the server does not answer.
            AssertionError: it closed, or sent more than the echoes.
        """
        sockets, buffer, batches, size = self._sockets, self._buffer, self._batches, len(self._reply)
        partial = dict.fromkeys(sockets, 0)
        unsent = unreceived = messages
        for connection in sockets.values():
            count = min(self._in_flight, unsent)
            unsent -= count
            _send(connection, batches[count])
        while unreceived > 0:
            ready = self._poll.poll(_DEADLINE)
            if not ready:
                raise TimeoutError(f"{unreceived} echoes are missing")
            for descriptor, _ in ready:
                connection = sockets[descriptor]
                received = connection.recv_into(buffer)
                if not received:
                    raise AssertionError("the server closed")
                complete, partial[descriptor] = divmod(partial[descriptor] + received, size)
                if complete:
                    unreceived -= complete
                    again = min(complete, unsent)
                    if again:
                        unsent -= again
                        _send(connection, batches[again])
        if unreceived or any(partial.values()):
            raise AssertionError("the server sent more than the echoes")

    def close(self) -> None:
        """Close all connections with the closing handshake, so that no server has anything to complain about."""
        self._poll.close()
        for connection in self._sockets.values():
            connection.settimeout(_FAREWELL)
            try:
                connection.sendall(CLOSE)
                while connection.recv(1024):
                    pass
            except OSError:
                pass
            connection.close()


def _send(connection: socket.socket, data: bytes) -> None:
    sent = connection.send(data)
    while sent < len(data):
        select.select([], [connection], [], _DEADLINE)
        sent += connection.send(memoryview(data)[sent:])


def measure(generator: Generator, pid: int, warm_up: int, messages: int) -> Measured:
    """Measure a block of messages; the server is at rest when its time is read, which is exact only then."""
    generator.check()
    generator.exchange(warm_up)
    sleep(_SETTLING)
    server, own, wall = cpu_ns(pid), process_time_ns(), perf_counter_ns()
    generator.exchange(messages)
    own, wall = process_time_ns() - own, perf_counter_ns() - wall
    sleep(_SETTLING)
    server = cpu_ns(pid) - server
    generator.check()
    return Measured(messages, server, own, wall)


def main(arguments: list[str]) -> None:
    """Run one block, as the module's docstring says."""
    port, pid, connections, in_flight, size, warm_up, messages, core, text = map(int, arguments)
    if core >= 0:
        os.sched_setaffinity(0, {core})
    generator = Generator(port, connections, in_flight, size, text=bool(text))
    try:
        measured = measure(generator, pid, warm_up, messages)
    finally:
        generator.close()
    sys.stdout.write(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main(sys.argv[1:])
