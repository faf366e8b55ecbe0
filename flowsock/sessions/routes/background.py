"""The background jobs of an app."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from flowsock.scopes.scope import supervisor_scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from flowsock.scopes.restart import Restart

_logger = logging.getLogger("flowsock")


class BackgroundJobs:
    """Know the functions that run for as long as an app is served."""

    __slots__ = ("_are_missed", "_are_running", "_jobs")

    def __init__(self) -> None:
        self._jobs: list[tuple[Callable[[], Awaitable[object]], Restart | None]] = []
        self._are_running = False
        self._are_missed = False

    def add(self, function: Callable[[], Awaitable[object]], restart: Restart | None) -> None:
        """Add a function to run."""
        self._jobs.append((function, restart))

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Run them while the block lasts, unless an outer block, of another server of the app, does so already."""
        if self._are_running:
            yield
            return
        self._are_running = True
        try:
            async with supervisor_scope() as scope:
                for function, restart in self._jobs:
                    scope.launch(function, restart=restart)
                try:
                    yield
                finally:
                    scope.cancel()
        finally:
            self._are_running = False

    def expect(self) -> None:
        """Log, once, that there are jobs and nobody runs them."""
        if self._jobs and not self._are_running and not self._are_missed:
            self._are_missed = True
            _logger.error(
                "the background jobs of an app do not run, because its host runs no lifespan for it: give the outermost "
                "application the lifespan of the app, as in FastAPI(lifespan=app.lifespan)"
            )
