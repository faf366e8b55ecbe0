"""`App`: routes, and serving them."""

from __future__ import annotations

from flowsock.sessions.router import Router
from flowsock.sessions.running import run


class App(Router):
    """A set of routes, served by `serve`, by `run`, or by another server that the app is mounted in.

    Args:
        websockets: The settings of all sessions, which a route may override.
    """

    def run(self, *, host: str = "127.0.0.1", port: int = 8080, drain_timeout: float = 30.0) -> None:
        """Serve until SIGINT or SIGTERM, on uvloop if it is installed (Ktor: ``embeddedServer(…).start(wait = true)``).

        Law: the first signal stops the server gracefully, as leaving `serve` does; the second one at once. Inside a running
        event loop use ``async with serve(app)``.

        Args:
            host: The address to listen on.
            port: The port; 0 takes a free one.
            drain_timeout: Seconds that sessions have to end.

        Raises:
            SystemExit: with status 1 and one line on standard error, when the address cannot be listened on.
        """
        run(self, host=host, port=port, drain_timeout=drain_timeout)
