"""The hosts: uvicorn with each of its WebSocket implementations, and hypercorn on asyncio and on trio."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import hypercorn.asyncio
import hypercorn.trio
import pytest
import uvicorn
from hypercorn.config import Config

from flowsock.scopes.groups import task_group
from tests.sessions.support import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    Hosting = Callable[[Any], AbstractAsyncContextManager[str]]

HOSTS: Final = {
    "uvicorn, websockets-sansio": "asyncio",
    "uvicorn, wsproto": "asyncio",
    "hypercorn on asyncio": "asyncio",
    "hypercorn on trio": "trio",
}


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    """Name the host."""
    name: str = request.param
    return name


@pytest.fixture
def anyio_backend(host: str) -> str:
    """Run on the host's event loop."""
    return HOSTS[host]


@pytest.fixture
def hosting(host: str) -> Hosting:
    """Serve an application while a block lasts, and give its address without the scheme."""
    kind, _, variant = host.partition(", ")
    if kind == "uvicorn":
        return partial(_uvicorn, variant)
    return partial(_hypercorn, hypercorn.trio if HOSTS[host] == "trio" else hypercorn.asyncio)


@contextmanager
def _listening() -> Iterator[tuple[socket.socket, str]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener, f"127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def _uvicorn(implementation: str, application: Any) -> AsyncIterator[str]:
    config = uvicorn.Config(application, ws=implementation, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with _listening() as (listener, address):
        async with task_group() as tasks:
            tasks.start_soon(partial(server.serve, sockets=[listener]))
            await until(lambda: server.started)
            yield address
            server.should_exit = True


@asynccontextmanager
async def _hypercorn(package: Any, application: Any) -> AsyncIterator[str]:
    stop = anyio.Event()
    config = Config()
    config.graceful_timeout = 1
    with _listening() as (listener, address):
        config.bind = [f"fd://{listener.detach()}"]
        async with task_group() as tasks:
            tasks.start_soon(partial(package.serve, application, config, shutdown_trigger=stop.wait))
            yield address
            stop.set()
