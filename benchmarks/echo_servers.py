"""The echo servers, each a process: ``python -m benchmarks.echo_servers NAME CORE`` prints its port and serves.

It serves until its standard input ends, so that no server outlives the one who started it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.measuring import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    Serving = AbstractAsyncContextManager[int]

_HOST: Final = "127.0.0.1"


@asynccontextmanager
async def serve_collecting() -> AsyncIterator[int]:
    """Serve flowsock, the pipeline."""
    from benchmarks.echo_apps import collecting
    from flowsock import serve

    async with serve(collecting, host=_HOST, port=0, drain_timeout=1) as server:
        yield server.port


@asynccontextmanager
async def serve_iterating() -> AsyncIterator[int]:
    """Serve flowsock, the loop."""
    from benchmarks.echo_apps import iterating
    from flowsock import serve

    async with serve(iterating, host=_HOST, port=0, drain_timeout=1) as server:
        yield server.port


@asynccontextmanager
async def serve_typed() -> AsyncIterator[int]:
    """Serve flowsock, the pipeline over messages that are decoded and encoded."""
    from benchmarks.echo_apps import typed
    from flowsock import serve

    async with serve(typed, host=_HOST, port=0, drain_timeout=1) as server:
        yield server.port


@asynccontextmanager
async def serve_chatting() -> AsyncIterator[int]:
    """Serve flowsock, a chat: everybody gets what anybody says."""
    from benchmarks.echo_apps import chatting
    from flowsock import serve

    async with serve(chatting, host=_HOST, port=0, drain_timeout=1) as server:
        yield server.port


@asynccontextmanager
async def serve_picows() -> AsyncIterator[int]:
    """Serve picows, bare callbacks."""
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

    class Echo(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type is WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code())
                transport.disconnect()
            else:
                transport.send(frame.msg_type, frame.get_payload_as_memoryview())

    server = await ws_create_server(lambda _request: Echo(), _HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def serve_websockets() -> AsyncIterator[int]:
    """Serve websockets, its asyncio server, without compression."""
    from websockets.asyncio.server import ServerConnection, serve

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, _HOST, 0, compression=None) as server:
        yield next(iter(server.sockets)).getsockname()[1]


SERVERS: Final[dict[str, Callable[[], Serving]]] = {
    "collect": serve_collecting,
    "iterate": serve_iterating,
    "typed": serve_typed,
    "chat": serve_chatting,
    "picows": serve_picows,
    "websockets": serve_websockets,
}


async def serve_until_end_of_input(serving: Serving) -> None:
    """Print the port, and serve until there is no more standard input."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    async with serving as port:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await ended.wait()


def main(name: str, core: int) -> None:
    """Run one server, on one core if that is not negative."""
    if core >= 0:
        os.sched_setaffinity(0, {core})
    run(partial(serve_until_end_of_input, SERVERS[name]()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
