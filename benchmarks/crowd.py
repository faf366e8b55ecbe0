"""A crowd of clients: a process that opens thousands of sessions, and tells how soon they hear from the server.

``python -m benchmarks.crowd NAME PORT PID CORE SESSIONS SIZE AMOUNT`` prints one line of JSON. Linux only.
"""

from __future__ import annotations

import json
import os
import random
import resource
import select
import socket
import sys
from collections import deque
from contextlib import suppress
from time import perf_counter, process_time_ns, sleep
from typing import TYPE_CHECKING, Any, Final

from benchmarks.load import CLOSE, cpu_ns, masked_frame, opened, reply_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RATE: Final = 4_000
BURST: Final = 10
_FILLING: Final = 64
_FILLING_SIZE: Final = 1024
_SMALL_BUFFER: Final = 4096
_DEADLINE: Final = 30.0
_SETTLING: Final = 0.05
_QUIET: Final = 0.3
_WARM_UP: Final = 3


def allow_descriptors(count: int) -> None:
    """Raise this process's limit of descriptors, which its children inherit.

    Raises:
        NotImplementedError: the system allows fewer.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise NotImplementedError(f"it needs {count:,} descriptors; `ulimit -Hn` allows {hard:,}: ask for fewer --sessions")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class Crowd:
    """Hold the sessions, all of which must answer in time."""

    def __init__(self, port: int, sessions: int) -> None:
        self._poll = select.epoll()
        self._sockets = {each.fileno(): each for each in (opened(port) for _ in range(sessions))}
        self._speaker = next(iter(self._sockets.values()))
        self._slow: list[socket.socket] = []
        self._buffer = bytearray(1 << 18)
        for descriptor, connection in self._sockets.items():
            connection.setblocking(False)
            self._poll.register(descriptor, select.EPOLLIN)

    def add_slow_reader(self, port: int) -> None:
        """Open one session more, which reads nothing, and fill its buffers."""
        connection = opened(port)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        self._slow.append(connection)
        for _ in range(_FILLING):
            self.say(bytes(_FILLING_SIZE))

    def get_to_know(self, payload: bytes) -> None:
        """Have messages told until everybody has heard one: a handler may begin some time after its handshake."""
        strangers = set(self._sockets)
        while strangers:
            self._speaker.sendall(masked_frame(payload))
            strangers -= self._drained()

    def _drained(self) -> set[int]:
        """Read all that comes until nothing does; give who got something."""
        found: set[int] = set()
        while ready := self._poll.poll(_QUIET):
            for descriptor, _ in ready:
                self._receive(descriptor)
                found.add(descriptor)
        return found

    def say(self, payload: bytes, times: int = 1) -> list[float]:
        """Have the server tell everybody so many messages, sent at once.

        Gives the seconds until each one came to each session.
        """
        size = len(reply_frame(payload))
        received = dict.fromkeys(self._sockets, 0)
        seconds: list[float] = []
        begin = perf_counter()
        self._speaker.sendall(masked_frame(payload) * times)
        while len(seconds) < times * len(received):
            for descriptor in self._ready():
                before = received[descriptor]
                received[descriptor] = after = before + self._receive(descriptor)
                seconds += [perf_counter() - begin] * (after // size - before // size)
        return seconds

    def ask(self, payload: bytes, count: int) -> tuple[list[float], list[float]]:
        """Send so many messages at `RATE`, whether answered or not, each on another session that waits for nothing.

        Gives the seconds until each echo came, and how late each message was sent, by which the generator is judged.
        """
        frame, size = masked_frame(payload), len(reply_frame(payload))
        idle = deque(random.Random(count).sample(list(self._sockets), len(self._sockets)))
        asked: dict[int, float] = {}
        seconds: list[float] = []
        late: list[float] = []
        begin = perf_counter()
        while len(seconds) < count:
            while len(late) < count and (due := begin + len(late) / RATE) <= (now := perf_counter()):
                descriptor = idle.popleft()
                asked[descriptor] = now
                late.append(now - due)
                self._sockets[descriptor].send(frame)
            wait = begin + len(late) / RATE - perf_counter() if len(late) < count else _DEADLINE
            for descriptor, _ in self._poll.poll(max(wait, 0)):
                if self._receive(descriptor) != size:
                    raise AssertionError("this is no echo")
                seconds.append(perf_counter() - asked.pop(descriptor))
                idle.append(descriptor)
            if perf_counter() - begin > count / RATE + _DEADLINE:
                raise TimeoutError(f"{len(asked)} echoes are missing")
        return seconds, late

    def close(self) -> None:
        """Close all sessions."""
        for connection in [*self._sockets.values(), *self._slow]:
            with suppress(OSError):
                connection.send(CLOSE)
            connection.close()
        self._poll.close()

    def _ready(self) -> list[int]:
        found = [descriptor for descriptor, _ in self._poll.poll(_DEADLINE)]
        if not found:
            raise TimeoutError("not everybody was told")
        return found

    def _receive(self, descriptor: int) -> int:
        received = self._sockets[descriptor].recv_into(self._buffer)
        if not received:
            raise AssertionError("the server closed")
        return received


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Give three of them, in milliseconds."""
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {name: ordered[round(last * part)] * 1000 for name, part in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))}


def _broadcast(crowd: Crowd, pid: int, _port: int, payload: bytes, amount: int) -> dict[str, Any]:
    crowd.get_to_know(payload)
    for _ in range(_WARM_UP):
        crowd.say(payload)
    sleep(_SETTLING)
    server, own, begin = cpu_ns(pid), process_time_ns(), perf_counter()
    for _ in range(amount):
        crowd.say(payload)
    wall, own = perf_counter() - begin, process_time_ns() - own
    sleep(_SETTLING)
    return {"server_ms": (cpu_ns(pid) - server) / amount / 1e6, "busy": own / wall / 1e9}


def _echo(crowd: Crowd, pid: int, _port: int, payload: bytes, amount: int) -> dict[str, Any]:
    crowd.ask(payload, max(amount // 10, 1))
    sleep(_SETTLING)
    server, own, begin = cpu_ns(pid), process_time_ns(), perf_counter()
    seconds, late = crowd.ask(payload, amount)
    wall, own = perf_counter() - begin, process_time_ns() - own
    late_ms = percentiles(late)["p99"]
    cost = (cpu_ns(pid) - server) / amount / 1e3
    return {"ms": percentiles(seconds), "late_ms": late_ms, "busy": own / wall / 1e9, "server_us": cost}


def _burst(crowd: Crowd, _pid: int, _port: int, payload: bytes, amount: int) -> dict[str, Any]:
    crowd.get_to_know(payload)
    own, begin = process_time_ns(), perf_counter()
    seconds = [each for _ in range(amount) for each in crowd.say(payload, BURST)]
    return {"ms": percentiles(seconds), "busy": (process_time_ns() - own) / (perf_counter() - begin) / 1e9}


def _burst_with_slow_reader(crowd: Crowd, pid: int, port: int, payload: bytes, amount: int) -> dict[str, Any]:
    crowd.get_to_know(payload)
    crowd.add_slow_reader(port)
    return _burst(crowd, pid, port, payload, amount)


TASKS: Final[dict[str, Callable[[Crowd, int, int, bytes, int], dict[str, Any]]]] = {
    "broadcast": _broadcast,
    "echo": _echo,
    "burst": _burst,
    "slow": _burst_with_slow_reader,
}


def main(name: str, arguments: Sequence[str]) -> None:
    """Do one task, as the module's docstring says."""
    port, pid, core, sessions, size, amount = map(int, arguments)
    if core >= 0:
        os.sched_setaffinity(0, {core})
    crowd = Crowd(port, sessions)
    try:
        told = TASKS[name](crowd, pid, port, bytes(size), amount)
    finally:
        crowd.close()
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
