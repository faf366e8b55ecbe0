"""Several processes that serve one app, and this one, which looks after them."""

from __future__ import annotations

import sys
from contextlib import suppress
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Final

import anyio

from flowsock.channels.capacity import UNLIMITED
from flowsock.channels.channel import Channel
from flowsock.scopes.groups import task_group
from flowsock.scopes.restart import Backoff, Restart
from flowsock.scopes.scope import coroutine_scope
from flowsock.sessions.server.running import say, take_signals
from flowsock.sessions.server.supervised import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import Process

    from flowsock.scopes.scope import Scope

_RESTART: Final = Restart(attempts=10, within=60.0, backoff=Backoff(0.2, maximum=10.0))
_GRACE: Final = 10.0


class WorkerEnded(Exception):
    """Report that a worker ended though nobody told it to."""


class Workers:
    """Keep a number of worker processes running.

    Laws: a worker that ends by itself is started again, ten times a minute at most and after pauses that grow. One that ends
    before it ever listened is a fault of the app, and then all end. Each of them ends when this process has gone.

    Args:
        arguments: What ``python -m flowsock`` starts a worker with; the line to it is appended.
        descriptors: Sockets that all of them inherit.
        count: How many.
        drain_timeout: Seconds that the sessions of a worker have to end.
    """

    def __init__(self, arguments: Sequence[str], descriptors: Sequence[int], count: int, drain_timeout: float) -> None:
        self._arguments = arguments
        self._descriptors = descriptors
        self._count = count
        self._drain_timeout = drain_timeout
        self._processes: set[Process] = set()
        self._have_listened: set[int] = set()
        self._failed = False

    async def run(self, where: str) -> bool:
        """Keep them running until a signal comes; tell whether none of them failed for good.

        Args:
            where: What to say about where they listen, once they all do.
        """
        orders: Channel[None] = Channel(UNLIMITED)
        async with task_group() as group:
            await group.start(take_signals, orders)
            try:
                async with coroutine_scope() as scope:
                    group.start_soon(self._obey, orders, scope)
                    for number in range(1, self._count + 1):
                        scope.launch(self._keep, number, where, scope, restart=_RESTART)
            except WorkerEnded:
                say("the workers end too often")
                self._failed = True
            group.cancel_scope.cancel()
        say("stopped")
        return not self._failed

    async def _obey(self, orders: Channel[None], scope: Scope) -> None:
        await orders.receive()
        say(f"stopping the workers, waiting {self._drain_timeout:g} s at most (Ctrl-C again stops at once)")
        scope.cancel()
        await orders.receive()
        say("stopping at once")
        for process in self._processes:
            _terminate(process)

    async def _keep(self, number: int, where: str, scope: Scope) -> None:
        line = Worker()
        process = await self._start(line)
        try:
            if await line.wait_ready():
                self._note_listening(number, where)
            status = await process.wait()
        finally:
            await self._end(process)
            line.close()
        if number in self._have_listened:
            say(f"worker {number} ended with status {status}, starting another")
            raise WorkerEnded(number)
        self._failed = True
        scope.cancel()

    async def _start(self, line: Worker) -> Process:
        command = [sys.executable, "-m", "flowsock", *self._arguments, "--supervised", str(line.descriptor)]
        process = await anyio.open_process(
            command,
            stdin=DEVNULL,
            stdout=None,
            stderr=None,
            # Ctrl-C is for this process, which tells the workers.
            start_new_session=True,
            pass_fds=(line.descriptor, *self._descriptors),
        )
        line.given()
        self._processes.add(process)
        return process

    def _note_listening(self, number: int, where: str) -> None:
        if number not in self._have_listened:
            self._have_listened.add(number)
            if len(self._have_listened) == self._count:
                say(f"serving on {where} with {self._count} workers (Ctrl-C stops)")

    async def _end(self, process: Process) -> None:
        """End a worker gracefully, if it has not ended by itself, and by force if it does not end then."""
        if process.returncode is None:
            _terminate(process)
            with anyio.move_on_after(self._drain_timeout + _GRACE, shield=True):
                await process.wait()
        if process.returncode is None:
            process.kill()
            with anyio.CancelScope(shield=True):
                await process.wait()
        self._processes.discard(process)


def _terminate(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
