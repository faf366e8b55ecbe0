"""The event stream of an app, without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flowsock.flows.flow import Flow
from flowsock.flows.sources import GeneratorSource
from flowsock.sessions.client.events import events
from flowsock.sessions.drivers.memory import Line, MemoryDriver, MemoryNetwork
from flowsock.sessions.server.server import serve
from flowsock.wire.server_sent_event import ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from flowsock.sessions.routes.router import Router

_HOST: Final = "testserver"
_PORT: Final = 80


class event_stream(Flow[ServerSentEvent]):
    """Give the events of an app: ``event_stream(app, "/events")``.

    Law: it is the flow of `flowsock.events`, and the app is served as by `flowsock.serve`, for each collection anew. Only the
    network is missing, so it runs on every event loop and on virtual time. The app's background jobs run meanwhile.

    Args:
        app: What to listen to.
        path: The path of the events, and the query.
        drain_timeout: Seconds that the handler has to end when the collection does.
        line: Makes the connections, to be slowed down, paused or cut by the test; perfect ones if left out.
        settings: The other arguments of `flowsock.events`.

    Raises:
        ValueError, TypeError: as for `flowsock.events`, or the path does not begin with ``/``.
        EventStreamRejected: the app answered otherwise than with events; carries its answer.

    >>> app = App()
    >>> @app.sse("/")
    ... async def count() -> AsyncIterator[int]:
    ...     for number in range(3):
    ...         yield number
    ...         await sleep(60)
    >>> await testing.event_stream(app, "/").take(3).map(lambda event: event.data).to_list()
    ['0', '1', '2']
    """

    __slots__ = ()

    def __init__(
        self,
        app: Router,
        path: str = "/",
        *,
        drain_timeout: float = 30.0,
        line: Callable[[], Line] = Line,
        **settings: Any,
    ) -> None:
        if not path.startswith("/"):
            raise ValueError(f"a path begins with '/', and this one does not: {path!r}")
        url = f"http://{_HOST}{path}"
        # What is wrong with the settings is wrong now.
        events(url, **settings)

        async def run() -> AsyncIterator[ServerSentEvent]:
            network = MemoryNetwork()
            served = serve(app, host=_HOST, port=_PORT, drain_timeout=drain_timeout, driver=MemoryDriver(network))
            flow = events(url, driver=lambda: MemoryDriver(network, line), **settings)
            async with served, flow.open() as arriving:
                async for event in arriving:
                    yield event

        super().__init__(GeneratorSource(run))
