"""A session with an app, without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from flowsock.sessions.client import client
from flowsock.sessions.drivers.memory import Line, MemoryDriver, MemoryNetwork
from flowsock.sessions.server.server import serve
from flowsock.sessions.session import In, Out

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from flowsock.sessions.routes.router import Router
    from flowsock.wire.headers import HeadersLike

_HOST: Final = "testserver"
_PORT: Final = 80


class connect(client.connect[In, Out]):
    """Open a session with an app while a block lasts: ``async with connect(app, "/chat") as session: …``.

    Laws: it is the client's session of `flowsock.connect`, and the app is served as by `flowsock.serve`, with all that belongs
    to it: routes, origin checks, refusals, limits, pings and closing. Only the network is missing, so it runs on every event
    loop and on virtual time. The app's background jobs run while the block lasts; of several blocks at once, while the
    first does. Leaving the block closes the session, and waits for its handler as a stopping server does.

    ``connect[In, Out](app, path)`` chooses the message types as the annotation of a handler does.

    Args:
        app: What to connect to.
        path: The path of the session, and the query.
        headers: More header fields for the opening request. The host is ``testserver``.
        subprotocols: What to offer, the preferred first.
        open_timeout: Seconds until the session must be open.
        drain_timeout: Seconds that the handler has to end when the block is left.
        line: The connection, to be slowed down, paused or cut by the test; a perfect one if left out.
        settings: Override the client's defaults of `WebSocketConfig`.

    Raises:
        ValueError: the path or a header is malformed.
        TypeError: there is no such setting, no codec for a message type, or ``subprotocols`` is one string.
        TimeoutError: the session was not open in time.
        HandshakeRejected: the app answered otherwise than with 101; carries its answer.

    >>> app = App()
    >>> echo = app.websocket("/")(lambda session: session.incoming.collect(session.send))
    >>> async with testing.connect(app, "/") as session:
    ...     await session.send("hello")
    ...     await session.incoming.first()
    'hello'
    """

    def __init__(
        self,
        app: Router,
        path: str = "/",
        *,
        headers: HeadersLike = (),
        subprotocols: Sequence[str] = (),
        open_timeout: float = 10.0,
        drain_timeout: float = 30.0,
        line: Line | None = None,
        **settings: Any,
    ) -> None:
        if not path.startswith("/"):
            raise ValueError(f"a path begins with '/', and this one does not: {path!r}")
        super().__init__(
            f"ws://{_HOST}{path}",
            headers=headers,
            subprotocols=subprotocols,
            open_timeout=open_timeout,
            driver=_AppDriver(app, drain_timeout, line or Line()),
            **settings,
        )


class _AppDriver(MemoryDriver):
    """Reach one app, which is served meanwhile."""

    __slots__ = ("_server",)

    def __init__(self, app: Router, drain_timeout: float, line: Line) -> None:
        network = MemoryNetwork()
        super().__init__(network, lambda: line)
        self._server = serve(app, host=_HOST, port=_PORT, drain_timeout=drain_timeout, driver=MemoryDriver(network))

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> bool | None:
        try:
            return await super().__aexit__(kind, error, traceback)
        finally:
            await self._server.__aexit__(None, None, None)
