"""A line to a broker that can be slow, silent or cut."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from anyio import create_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import ByteStream, SocketStream


class Proxy:
    """Carry bytes to a broker and back.

    Attributes:
        port: Where it listens.
        delay: Seconds that each piece takes.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.delay = 0.0
        self._open = anyio.Event()
        self._open.set()
        self._lines: set[anyio.CancelScope] = set()
        self.refuses = False

    def pause(self) -> None:
        """Let nothing pass; the connections stay, as over a network that is cut."""
        self._open = anyio.Event()

    def resume(self) -> None:
        self._open.set()

    def cut(self) -> None:
        """Close all connections."""
        for line in tuple(self._lines):
            line.cancel()

    async def _carry(self, stream: SocketStream) -> None:
        async with stream:
            if self.refuses:
                return
            try:
                other = await anyio.connect_tcp("127.0.0.1", self.target)
            except OSError:
                return
            async with other, create_task_group() as group:
                self._lines.add(group.cancel_scope)
                try:
                    group.start_soon(self._pump, stream, other, group.cancel_scope)
                    await self._pump(other, stream, group.cancel_scope)
                finally:
                    self._lines.discard(group.cancel_scope)

    async def _pump(self, source: ByteStream, target: ByteStream, line: anyio.CancelScope) -> None:
        try:
            while True:
                data = await source.receive()
                if self.delay:
                    await anyio.sleep(self.delay)
                await self._open.wait()
                await target.send(data)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            line.cancel()


@asynccontextmanager
async def proxy(target: int) -> AsyncGenerator[Proxy]:
    """Have a proxy to a port while the block lasts."""
    line = Proxy(target)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, create_task_group() as group:
        line.port = listener.extra(anyio.abc.SocketAttribute.local_port)
        group.start_soon(listener.serve, line._carry)
        try:
            yield line
        finally:
            group.cancel_scope.cancel()
