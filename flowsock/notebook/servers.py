"""An app served from a notebook."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from anyio import sleep_forever

from flowsock.notebook.kernel_scope import scope
from flowsock.scopes.completable import CompletableDeferred
from flowsock.sessions.server.server import serve as served

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from flowsock.sessions.routes.router import Router
    from flowsock.sessions.server.address import Address
    from flowsock.sessions.server.server import Server


async def serve(
    app: Router, *addresses: Address, port: int = 0, drain_timeout: float = 1.0, name: str = "server", **settings: Any
) -> Server:
    """Serve an app while the notebook goes on: ``server = await notebook.serve(app)``.

    Law: it returns when the app is served, by a job of the kernel's `scope`. Stopping that job, by
    ``await notebook.scope().stop("server")``, stops the server as leaving `flowsock.serve` does. A server that has the name is
    stopped first, so that a cell can be run again.

    Args:
        app: The routes.
        addresses: As for `flowsock.serve`.
        port: The port; 0 takes a free one.
        drain_timeout: Seconds that sessions have to end when it is stopped.
        name: The name of the job.
        settings: What else `flowsock.serve` takes.

    Raises:
        OSError: the address is not to be had.
        ValueError: as `flowsock.serve`.
        TypeError: as `flowsock.serve`.

    >>> app = App()
    >>> echo = app.websocket("/")(lambda session: session.incoming.collect(session.send))
    >>> server = await notebook.serve(app)
    >>> async with connect(f"ws://127.0.0.1:{server.port}/") as session:
    ...     await session.send("hello")
    ...     await session.incoming.first()
    'hello'
    >>> await notebook.scope().stop("server")
    """
    jobs = scope()
    for job in jobs.jobs:
        if job.name == name:
            job.cancel("another server took its name")
            await job.join()
    started: CompletableDeferred[Server] = CompletableDeferred(name=name)
    block = served(app, *addresses, port=port, drain_timeout=drain_timeout, **settings)
    jobs.launch(partial(_serve, block, started), name=name)
    return await started


async def _serve(block: AbstractAsyncContextManager[Server], started: CompletableDeferred[Server]) -> None:
    try:
        async with block as server:
            started.complete(server)
            await sleep_forever()
    except Exception as error:
        # Whoever waits for the start is told; later, the log is.
        if not started.complete_exceptionally(error):
            raise
