"""The line between a worker process and the process that looks after it."""

from __future__ import annotations

import socket
from typing import Final

import anyio

_READY: Final = b"."


class Supervisor:
    """The worker's end: it says that it listens, and learns when its supervisor has gone.

    Args:
        descriptor: The end that the process was given.
    """

    __slots__ = ("_line",)

    def __init__(self, descriptor: int) -> None:
        self._line = socket.socket(fileno=descriptor)
        self._line.setblocking(False)

    def tell_ready(self) -> None:
        """Say that the worker listens."""
        self._line.send(_READY)

    async def wait_gone(self) -> None:
        """Wait until the supervisor has gone, however that came."""
        await anyio.wait_readable(self._line)


class Worker:
    """The supervisor's end, and the descriptor of the other one, which goes to a new process.

    Attributes:
        descriptor: The worker's end, until it is `given`.
    """

    __slots__ = ("_line", "_theirs", "descriptor")

    def __init__(self) -> None:
        self._line, self._theirs = socket.socketpair()
        self._line.setblocking(False)
        self.descriptor = self._theirs.fileno()

    def given(self) -> None:
        """Learn that the worker has its end; ours hears then of the worker's end."""
        self._theirs.close()

    async def wait_ready(self) -> bool:
        """Wait until the worker listens, and tell that it does; false for one that ended instead."""
        await anyio.wait_readable(self._line)
        try:
            return self._line.recv(1) == _READY
        except ConnectionError:
            return False

    def close(self) -> None:
        """Let the worker hear that there is no supervisor any more."""
        self._theirs.close()
        self._line.close()
