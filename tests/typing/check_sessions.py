"""What the checkers know of sessions, however they are opened: read by mypy and pyright, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

import flowsock.testing
from flowsock import App, Flow, MutableSharedFlow, ServerSentEvent, Session, SharedFlow, asgi, connect, events

if TYPE_CHECKING:
    from fastapi import WebSocket


async def over_a_socket() -> None:
    async with connect[str, bytes]("ws://localhost/") as session:
        assert_type(session, Session[str, bytes])
        assert_type(session.incoming, Flow[str])
    async with connect("ws://localhost/") as plain:
        assert_type(plain, Session[str | bytes, str | bytes])


async def without_a_socket(app: App) -> None:
    async with flowsock.testing.connect[bytes, str](app, "/chat") as session:
        assert_type(session, Session[bytes, str])
        assert_type(await session.incoming.first(), bytes)


async def inside_a_framework(websocket: WebSocket) -> None:
    async with asgi.accept[str, str](websocket) as session:
        assert_type(session, Session[str, str])


def event_streams(app: App, numbers: MutableSharedFlow[int]) -> None:
    @app.sse("/numbers")
    def follow() -> SharedFlow[int]:
        return numbers

    assert_type(follow(), SharedFlow[int])
    assert_type(numbers.resume_after(lambda number: number > 1), Flow[int])
    assert_type(events("http://localhost/").map(lambda event: event.data), Flow[str])


async def events_of_a_server() -> None:
    async for event in events("http://localhost/"):
        assert_type(event, ServerSentEvent)
        assert_type(event.data, str)
