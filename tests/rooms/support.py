"""People in rooms."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from flowsock import App, BufferOverflow, Rooms, Session
from flowsock.testing import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


def chat_over(rooms: Rooms[str], *, unique: bool = False) -> App:
    """Make a chat whose handler stays in a room until its peer goes."""
    app = App()

    @app.websocket("/{room}/{user}")
    async def chat(session: Session[str, str], room: str, user: str) -> None:
        with rooms.join(room, user, session, unique=unique) as here:
            outbox = here.messages.buffer(8, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
            outbox.on_each(session.send).launch_in(session.scope)
            await session.send("welcome")
            await session.incoming.collect(here.messages.emit)

    return app


@asynccontextmanager
async def member(app: App, room: str, user: str) -> AsyncGenerator[Session[str, str]]:
    """Be in a room while the block lasts."""
    async with connect[str, str](app, f"/{room}/{user}") as session:
        assert await session.incoming.filter("welcome".__eq__).first() == "welcome"
        yield session
