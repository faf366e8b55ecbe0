"""`run`: an app as a process of its own, with signals."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from threading import Timer
from typing import TYPE_CHECKING, Final, Self

import anyio

from flowsock.channels.capacity import UNLIMITED
from flowsock.channels.channel import Channel
from flowsock.errors import FlowsockError
from flowsock.scopes.groups import task_group
from flowsock.sessions.server.server import STUBBORN, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from anyio.abc import TaskStatus

    from flowsock.sessions.routes.router import Router
    from flowsock.sessions.server.address import Address
    from flowsock.sessions.server.server import Server
    from flowsock.sessions.server.server_config import ServerConfig
    from flowsock.sessions.server.supervised import Supervisor

_GRACE: Final = STUBBORN + 1

_importing: ContextVar[bool] = ContextVar("_importing", default=False)


@contextmanager
def imported_to_be_served() -> Generator[None]:
    """Refuse `run` while a module is imported whose app somebody else is going to serve."""
    token = _importing.set(True)
    try:
        yield
    finally:
        _importing.reset(token)


def loop_options() -> dict[str, bool]:
    """Give anyio's options for a process of our own: uvloop if it is installed."""
    return {"use_uvloop": find_spec("uvloop") is not None}


def run(app: Router, addresses: Sequence[Address], config: ServerConfig, supervisor: Supervisor | None = None) -> None:
    """Serve an app until a signal comes; see `App.run`.

    Args:
        app: The routes.
        addresses: Where to listen.
        config: The settings.
        supervisor: The process that looks after this one, if there is one, and speaks for it; its end is an order to stop.
    """
    if _importing.get():
        raise SystemExit('flowsock: run() is called where the module is imported: put it under `if __name__ == "__main__":`')
    _refuse_running_loop()
    try:
        with _LastMoment() as last_moment:
            anyio.run(_serve_until_told, app, addresses, config, supervisor, last_moment, backend_options=loop_options())
    except OSError as error:
        # Nothing but listening lets an error of the operating system out.
        raise cannot_listen(error) from None


def cannot_listen(error: OSError) -> SystemExit:
    """Make the end of a process whose address is not to be had."""
    return SystemExit(f"flowsock: cannot listen on {error.filename}: {error.strerror or error}")


async def _serve_until_told(
    app: Router, addresses: Sequence[Address], config: ServerConfig, supervisor: Supervisor | None, last_moment: _LastMoment
) -> None:
    tell = say if supervisor is None else _keep_quiet
    orders: Channel[None] = Channel(UNLIMITED)
    async with task_group() as group:
        await group.start(take_signals, orders)
        async with serve(app, *addresses, config=config) as server:
            if supervisor is not None:
                supervisor.tell_ready()
                group.start_soon(_take_loss, supervisor, orders)
            tell(f"serving on {' and '.join(server.urls)} (Ctrl-C stops)")
            await orders.receive()
            tell(_farewell(server, config.drain_timeout))
            last_moment.set(config.drain_timeout + _GRACE)
            group.start_soon(_stop_at_once, orders, group.cancel_scope, last_moment, tell)
        group.cancel_scope.cancel()
    tell("stopped")


async def take_signals(orders: Channel[None], *, task_status: TaskStatus[None]) -> None:
    """Take each SIGINT and SIGTERM as an order to stop."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            orders.send_nowait(None)


async def _take_loss(supervisor: Supervisor, orders: Channel[None]) -> None:
    await supervisor.wait_gone()
    orders.send_nowait(None)


async def _stop_at_once(
    orders: Channel[None], scope: anyio.CancelScope, last_moment: _LastMoment, tell: Callable[[str], None]
) -> None:
    await orders.receive()
    tell("stopping at once")
    last_moment.set(_GRACE)
    scope.cancel()


class _LastMoment:
    """End the process when it has not ended by itself until then, even where a handler blocks the event loop."""

    def __init__(self) -> None:
        self._timer: Timer | None = None

    def set(self, seconds: float) -> None:
        self._clear()
        self._timer = Timer(seconds, self._leave)
        self._timer.daemon = True
        self._timer.start()

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @staticmethod
    def _leave() -> None:
        say("a handler does not end: leaving without it")
        os._exit(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._clear()


def _farewell(server: Server, drain_timeout: float) -> str:
    count = server.open_sessions
    sessions = f"{count} session" if count == 1 else f"{count} sessions"
    return f"stopping: {sessions} open, waiting {drain_timeout:g} s at most (Ctrl-C again stops at once)"


def say(line: str) -> None:
    """Tell whoever started this process."""
    sys.stderr.write(f"flowsock: {line}\n")
    sys.stderr.flush()


def _keep_quiet(_line: str) -> None:
    """Leave it to the supervisor to say something."""


def _refuse_running_loop() -> None:
    try:
        anyio.get_current_task()
    except anyio.NoEventLoopError:
        return
    raise FlowsockError(
        "an event loop is running here already, as it does in a notebook: use `async with serve(app) as server:`, "
        "or in a notebook `server = await flowsock.notebook.serve(app)`, instead of run()"
    )
