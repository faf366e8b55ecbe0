"""The background jobs of an app."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from flowsock.scopes.scope import supervisor_scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from flowsock.sessions.router import Router


@asynccontextmanager
async def running_background(app: Router) -> AsyncGenerator[None]:
    """Run an app's background jobs while the block lasts, unless an outer block of some server of the app does so already."""
    if app.runs_background:
        yield
        return
    app.runs_background = True
    try:
        async with supervisor_scope() as scope:
            for function, restart in app.background_jobs:
                scope.launch(function, restart=restart)
            try:
                yield
            finally:
                scope.cancel()
    finally:
        app.runs_background = False
