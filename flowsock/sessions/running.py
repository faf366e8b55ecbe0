"""`run`: an app as a process of its own, with signals."""

from __future__ import annotations

import signal
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import anyio

from flowsock.errors import FlowsockError
from flowsock.scopes.groups import task_group
from flowsock.sessions.server import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flowsock.sessions.router import Router
    from flowsock.sessions.server import Server


def loop_options() -> dict[str, bool]:
    """Give anyio's options for a process of our own: uvloop if it is installed."""
    return {"use_uvloop": find_spec("uvloop") is not None}


def run(app: Router, *, host: str, port: int, drain_timeout: float) -> None:
    """Serve an app until a signal comes; see `App.run`."""
    _refuse_running_loop()
    try:
        anyio.run(_serve_until_signal, app, host, port, drain_timeout, backend_options=loop_options())
    except OSError as error:
        # Nothing but listening lets an error of the operating system out.
        raise SystemExit(f"flowsock: cannot listen on {host}:{port}: {error.strerror or error}") from None


async def _serve_until_signal(app: Router, host: str, port: int, drain_timeout: float) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with task_group() as group:
            async with serve(app, host=host, port=port, drain_timeout=drain_timeout) as server:
                _say(f"serving on {server.url} (Ctrl-C stops)")
                await anext(signals)
                group.start_soon(_stop_at_once, signals, group.cancel_scope)
                _say(_farewell(server, drain_timeout))
            group.cancel_scope.cancel()
    _say("stopped")


async def _stop_at_once(signals: AsyncIterator[signal.Signals], scope: anyio.CancelScope) -> None:
    await anext(signals)
    _say("stopping at once")
    scope.cancel()


def _farewell(server: Server, drain_timeout: float) -> str:
    count = server.open_sessions
    sessions = f"{count} session" if count == 1 else f"{count} sessions"
    return f"stopping: {sessions} open, waiting {drain_timeout:g} s at most (Ctrl-C again stops at once)"


def _say(line: str) -> None:
    sys.stderr.write(f"flowsock: {line}\n")
    sys.stderr.flush()


def _refuse_running_loop() -> None:
    try:
        anyio.get_current_task()
    except anyio.NoEventLoopError:
        return
    raise FlowsockError("an event loop is running here already: use `async with serve(app) as server:` instead of run()")
