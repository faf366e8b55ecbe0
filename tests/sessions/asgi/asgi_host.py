"""An ASGI host in the test's hands: it says what the wire would, and writes down what the application says."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio import fail_after

from flowsock.scopes.groups import task_group
from tests.sessions.support import BOUND, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    Event = MutableMapping[str, Any]
    Application = Callable[[Event, Callable[[], Awaitable[Event]], Callable[[Event], Awaitable[None]]], Awaitable[object]]


class Host:
    """One call of an application.

    Attributes:
        sent: What the application has said, without types that say what everybody knows.
        returned: Set when the application has.
    """

    def __init__(self, kind: str = "websocket", path: str = "/", **scope: Any) -> None:
        self.scope: Event = {
            "type": kind,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"test")],
            "client": ("192.0.2.1", 4711),
            "extensions": {"websocket.http.response": {}},
            **scope,
        }
        self.sent: list[Event] = []
        self.returned = anyio.Event()
        self.reads = True
        self._events: list[Event] = []
        self._more = anyio.Event()

    def say(self, *events: Event) -> None:
        """Give the application events."""
        self._events.extend(events)
        self._more.set()

    def text(self, *messages: str) -> None:
        """Let the peer send texts."""
        self.say(*({"type": "websocket.receive", "text": message} for message in messages))

    def leave(self, code: int | None = None, reason: str = "") -> None:
        """Let the peer go."""
        self.say(
            {"type": "websocket.disconnect"}
            if code is None
            else {"type": "websocket.disconnect", "code": code, "reason": reason}
        )

    @property
    def unread(self) -> int:
        """Count the events that the application has not taken."""
        return len(self._events)

    @property
    def texts(self) -> list[Any]:
        """Give the messages that the application has sent."""
        return [event.get("text", event.get("bytes")) for event in self.sent if event["type"] == "websocket.send"]

    @property
    def closes(self) -> list[tuple[int, str]]:
        """Give the closes."""
        return [(event["code"], event["reason"]) for event in self.sent if event["type"] == "websocket.close"]

    async def receive(self) -> Event:
        while not self._events:
            self._more = anyio.Event()
            await self._more.wait()
        await anyio.lowlevel.checkpoint()
        return self._events.pop(0)

    async def send(self, event: Event) -> None:
        await anyio.lowlevel.checkpoint()
        while not self.reads:  # noqa: ASYNC110 there is no event to wait for
            await anyio.sleep(0.1)
        self.sent.append(event)

    async def call(self, application: Application) -> None:
        """Call the application, to its end."""
        try:
            await application(self.scope, self.receive, self.send)
        finally:
            self.returned.set()

    @asynccontextmanager
    async def calling(self, application: Application) -> AsyncIterator[None]:
        """Call the application while the block lasts; then the peer goes, unless the application has returned."""
        async with task_group() as tasks:
            tasks.start_soon(self.call, application)
            yield
            if not self.returned.is_set():
                self.leave(1001)
            with fail_after(BOUND):
                await self.returned.wait()

    @asynccontextmanager
    async def open(self, application: Application) -> AsyncIterator[None]:
        """Open a session for the block."""
        self.say({"type": "websocket.connect"})
        async with self.calling(application):
            await until(lambda: self.sent)
            assert self.sent[0]["type"] == "websocket.accept", self.sent
            yield
