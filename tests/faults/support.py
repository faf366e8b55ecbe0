"""What the tests of faults share: a healthy session that must not notice, and a bound on memory."""

from __future__ import annotations

import tracemalloc
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio

from flowsock.scopes.groups import task_group
from flowsock.sessions.server.address import Address
from flowsock.sessions.server.server import serve
from flowsock.sessions.session import Session
from tests.sessions.support import BOUND, open_peer, text, text_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from flowsock.sessions.app import App
    from flowsock.sessions.server.server import Server
    from tests.sessions.support import Peer

NEIGHBOUR: Final = "/healthy-neighbour"
"""Where the healthy session lives."""

PATIENCE: Final = 2.0
"""Seconds that a reply to the healthy session may take at most, on a machine that is busy with other things too."""

_PAUSE: Final = 0.005


class Neighbour:
    """A healthy session that sends, waits for the echo, and counts."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.replies = 0
        self.slowest = 0.0

    async def live(self) -> None:
        """Exchange messages without end."""
        while True:
            message = f"message {self.replies}"
            before = anyio.current_time()
            await self._peer.send(text(message))
            assert await self._peer.frame() == text_frame(message)
            self.slowest = max(self.slowest, anyio.current_time() - before)
            self.replies += 1
            await anyio.sleep(_PAUSE)

    async def is_served(self) -> None:
        """Assert that a message sent from now on comes back, and that none so far was slow to."""
        enough = self.replies + 2
        with anyio.fail_after(BOUND):
            while self.replies < enough:  # noqa: ASYNC110 there is no event to wait for
                await anyio.sleep(_PAUSE)
        assert self.slowest < PATIENCE


@asynccontextmanager
async def healthy_neighbour(server: Server) -> AsyncIterator[Neighbour]:
    """Keep a session to `NEIGHBOUR` busy while the block lasts; at its end, too, it must be served."""
    async with open_peer(server, NEIGHBOUR) as peer, task_group() as group:
        neighbour = Neighbour(peer)
        group.start_soon(neighbour.live)
        await neighbour.is_served()
        yield neighbour
        await neighbour.is_served()
        group.cancel_scope.cancel()


@asynccontextmanager
async def serving(app: App, *addresses: Address, **options: Any) -> AsyncIterator[Server]:
    """Serve an app, beside a healthy neighbour that must be served to the end."""
    app.websocket(NEIGHBOUR)(_echo)
    places = addresses or (Address(port=0),)
    async with serve(app, *places, **{"drain_timeout": 0.2, **options}) as server, healthy_neighbour(server):
        yield server


async def _echo(session: Session) -> None:
    await session.incoming.collect(session.send)


@contextmanager
def memory_within(mebibytes: float) -> Iterator[None]:
    """Assert that the block never holds more Python memory at a time than so much on top of what there was."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most - before <= mebibytes * 2**20, f"{(most - before) / 2**20:.1f} MiB"
