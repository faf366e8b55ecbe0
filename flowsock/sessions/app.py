"""`App`: routes, and serving them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from flowsock.sessions.routes.router import Router
from flowsock.sessions.server.address import Address
from flowsock.sessions.server.running import run
from flowsock.sessions.server.server_config import ServerConfig

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
    from pathlib import Path

    from flowsock.sessions.server.tls import ServerTLS


class App(Router):
    """A set of routes, served by `serve`, by `run`, or by another server as an ASGI 3 application.

    As an application it is given to uvicorn or hypercorn as it is, or mounted in another: ``api.mount("/live", app)``. The host
    owns the wire then: ``ping_interval``, ``ping_timeout``, ``max_fragments`` and ``deflate`` have no effect, `Session.ping` is
    refused. Refusals keep their status and body where the host can send them, and are 403 elsewhere. Raw sessions are
    answered with 501. Background jobs run in the host's lifespan; a mounted app has none of its own: give the outermost
    application `lifespan`.

    Law: routes are tried in the order in which they were added.

    Args:
        websockets: The settings of all sessions, which a route may override.
        broker: What its topics go through: the URL of a broker, as for `Broker`, or one that has settings. If left out, the
            environment variable ``FLOWSOCK_BROKER``, or else ``memory://``; ``flowsock serve --broker`` decides over all.

    Attributes:
        broker: The `Broker`; it is open while the app is served.
        topic: Makes shared flows that span the processes that serve the app, see `Broker.topic`.

    >>> app = App()
    >>> @app.websocket("/echo")
    ... async def echo(session: Session) -> None:
    ...     await session.incoming.collect(session.send)
    >>> async with serve(app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}/echo") as session:
    ...     await session.send("hello")
    ...     await session.incoming.first()
    'hello'
    """

    def run(
        self,
        *addresses: Address,
        host: str = "127.0.0.1",
        port: int = 8080,
        uds: str | Path | None = None,
        ssl: ServerTLS | None = None,
        config: ServerConfig | None = None,
        **settings: Any,
    ) -> None:
        """Serve until SIGINT or SIGTERM, on uvloop if it is installed (Ktor: ``embeddedServer(…).start(wait = true)``).

        Law: the first signal stops the server gracefully, as leaving `serve` does; the second one at once. Handlers that do not
        end though they were cancelled do not keep the process: six seconds later it leaves without them, with status 1. Inside
        a running event loop use ``async with serve(app)``; for several processes, ``flowsock serve --workers 4``.

        Args:
            addresses: As for `serve`.
            host: The address to listen on.
            port: The port; 0 takes a free one.
            uds: The path of a Unix socket to listen on instead.
            ssl: TLS: an ``SSLContext``, or the files of the certificate (with its chain) and of the key, both PEM.
            config: The settings.
            settings: Override some of the `ServerConfig`.

        Raises:
            SystemExit: with status 1 and one line on standard error, when an address cannot be listened on, or ``flowsock
                serve`` is importing the module that calls this.
            ValueError: there is no such port, a setting makes no sense, or a certificate cannot be used.
            TypeError: there is no such setting.
        """
        places = addresses or (Address(host, port, uds=uds, ssl=ssl),)
        run(self, places, (config or ServerConfig()).with_overrides(settings))

    @asynccontextmanager
    async def lifespan(self, _host: object = None) -> AsyncGenerator[None]:
        """Run the background jobs, and have the broker open, while the block lasts.

        ``FastAPI(lifespan=app.lifespan)`` is for an application that the app is mounted in.
        """
        async with self.running():
            yield

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one call of an ASGI host: a page, a session or its lifespan.

        Raises:
            NotImplementedError: it is none of them.
        """
        from flowsock.sessions.asgi.asgi_app import answer
        from flowsock.sessions.drivers.asgi_stream import AsgiCall

        await answer(self, AsgiCall(scope, receive, send))
