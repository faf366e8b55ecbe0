"""The servers, each a process: ``python -m benchmarks.echo_servers NAME CORE`` prints its port and serves.

It serves until its standard input ends, so that no server outlives the one who started it. What only one of them needs is
imported for that one, since their start is measured too.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from socket import create_server
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from aiohttp.web import Request
    from starlette.websockets import WebSocket

    Serving = AbstractAsyncContextManager[int]

_HOST: Final = "127.0.0.1"


@asynccontextmanager
async def serve_ours(name: str) -> AsyncIterator[int]:
    """Serve flowsock: the app of that name."""
    from benchmarks.echo_apps import APPS
    from flowsock import serve

    async with serve(APPS[name], host=_HOST, port=0, drain_timeout=1) as server:
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

    async with serve(echo, _HOST, 0, compression=None, ping_interval=None) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@asynccontextmanager
async def serve_aiohttp() -> AsyncIterator[int]:
    """Serve aiohttp, without compression."""
    from aiohttp import web

    async def echo(request: Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(compress=False)
        await response.prepare(request)
        async for message in response:
            await response.send_bytes(message.data)
        return response

    app = web.Application()
    app.router.add_get("/echo", echo)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    with create_server((_HOST, 0)) as listener:
        await web.SockSite(runner, listener).start()
        yield listener.getsockname()[1]
        await runner.cleanup()


@asynccontextmanager
async def serve_uvicorn() -> AsyncIterator[int]:
    """Serve a Starlette endpoint by uvicorn, without compression."""
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from uvicorn import Config, Server

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        async for message in websocket.iter_bytes():
            await websocket.send_bytes(message)

    app = Starlette(routes=[WebSocketRoute("/echo", echo)])
    config = Config(
        app,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    with create_server((_HOST, 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:  # noqa: ASYNC110 - it tells by nothing else
            await asyncio.sleep(0.001)
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving


@asynccontextmanager
async def serve_tornado() -> AsyncIterator[int]:
    """Serve tornado."""
    from tornado.httpserver import HTTPServer
    from tornado.web import Application
    from tornado.websocket import WebSocketHandler

    class Echo(WebSocketHandler):
        def on_message(self, message: str | bytes) -> None:
            self.write_message(message, binary=isinstance(message, bytes))

    server = HTTPServer(Application([("/echo", Echo)]))
    with create_server((_HOST, 0)) as listener:
        listener.setblocking(False)
        server.add_socket(listener)
        yield listener.getsockname()[1]
        server.stop()


@asynccontextmanager
async def serve_picows_to_all() -> AsyncIterator[int]:
    """Serve picows, a chat: a loop over all that are open."""
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

    everybody: set[WSTransport] = set()

    class Chat(WSListener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            everybody.add(transport)

        def on_ws_disconnected(self, transport: WSTransport) -> None:
            everybody.discard(transport)

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type is WSMsgType.CLOSE:
                transport.disconnect()
                return
            payload = frame.get_payload_as_bytes()
            for each in everybody:
                each.send(frame.msg_type, payload)

    server = await ws_create_server(lambda _request: Chat(), _HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def serve_websockets_to_all() -> AsyncIterator[int]:
    """Serve websockets, a chat by its function ``broadcast``."""
    from websockets.asyncio.server import ServerConnection, broadcast, serve

    everybody: set[ServerConnection] = set()

    async def chat(connection: ServerConnection) -> None:
        everybody.add(connection)
        try:
            async for message in connection:
                broadcast(everybody, message)
        finally:
            everybody.discard(connection)

    async with serve(chat, _HOST, 0, compression=None, ping_interval=None) as server:
        yield next(iter(server.sockets)).getsockname()[1]


SERVERS: Final[dict[str, Callable[[], Serving]]] = {
    **{name: partial(serve_ours, name) for name in ("collect", "iterate", "typed", "chat")},
    "picows": serve_picows,
    "picows to all": serve_picows_to_all,
    "websockets": serve_websockets,
    "websockets to all": serve_websockets_to_all,
    "aiohttp": serve_aiohttp,
    "uvicorn": serve_uvicorn,
    "tornado": serve_tornado,
}


def serve_socketify() -> None:
    """Serve socketify, whose event loop is its own."""
    from threading import Thread

    from socketify import App, OpCode

    app = App()
    app.ws("/echo", {"message": lambda socket, message, _opcode: socket.send(message, OpCode.BINARY)})
    app.listen({"port": 0, "host": _HOST}, lambda config: _tell(config.port))

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)

    Thread(target=wait, daemon=True).start()
    app.run()


async def serve_until_end_of_input(serving: Serving) -> None:
    """Print the port, and serve until there is no more standard input."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    async with serving as port:
        _tell(port)
        await ended.wait()


def _tell(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


def main(name: str, core: int) -> None:
    """Run one server, on one core if that is not negative."""
    if core >= 0:
        os.sched_setaffinity(0, {core})
    if name == "socketify":
        serve_socketify()
        return
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve_until_end_of_input(SERVERS[name]()))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    from uvloop import new_event_loop

    return new_event_loop


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
