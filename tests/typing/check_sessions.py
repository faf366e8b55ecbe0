"""What the checkers know of sessions, however they are opened: read by mypy and pyright, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

import attrs
import msgspec

import flowsock.testing
from flowsock import (
    App,
    Flow,
    Link,
    MessageCodec,
    MutableSharedFlow,
    ServerSentEvent,
    Session,
    SharedFlow,
    Undecodable,
    WebSocketConfig,
    asgi,
    codec_for,
    connect,
    events,
    reconnecting,
)

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


class Say(msgspec.Struct, tag="say"):
    text: str


class Move(msgspec.Struct, tag="move"):
    x: int


@attrs.frozen
class Said:
    who: str
    text: str


Spoken = Say | Move


async def chat(session: Session[Spoken, Said]) -> None:
    assert_type(session.incoming, Flow[Say | Move])
    await session.send(Said("ann", "hi"))
    await session.send(Say("hi"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await session.send("hi")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    async for message in session.incoming:
        match message:
            case Say(text=text):
                assert_type(text, str)
            case Move(x=x):
                assert_type(x, int)


async def chat_by_pipeline(session: Session[Say, Said]) -> None:
    said: MutableSharedFlow[Said] = MutableSharedFlow()
    said.on_each(session.send).launch_in(session.scope)
    await session.incoming.map(lambda say: Said("ann", say.text)).collect(said.emit)
    await session.incoming.collect(said.emit)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await session.incoming.collect(session.send)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def forgiving(session: Session[Say | Undecodable, Said]) -> None:
    assert_type(session.incoming, Flow[Say | Undecodable])
    async for message in session.incoming:
        if isinstance(message, Undecodable):
            assert_type(message.data, str | bytes)
        else:
            assert_type(message, Say)


async def from_the_other_end() -> None:
    async with connect[Said, Spoken]("ws://localhost/", codec="msgpack") as session:
        assert_type(session, Session[Said, Say | Move])
        assert_type(await session.incoming.first(), Said)
        await session.send(Move(1))
        await session.send(Said("ann", "hi"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    async with reconnecting[Said, Spoken]("ws://localhost/") as link:
        assert_type(link, Link[Said, Say | Move])
        assert_type(link.incoming, Flow[Said])
        await link.send(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def typed_inside_a_framework(websocket: WebSocket) -> None:
    async with asgi.accept[Spoken, Said](websocket) as session:
        assert_type(session.incoming, Flow[Say | Move])
        await session.send(Say("hi"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Numbers:
    accepts: frozenset[type] = frozenset({bytes})

    def encode(self, message: int) -> bytes:
        return message.to_bytes(8)

    def decode(self, data: str | bytes) -> int:
        return int.from_bytes(data.encode() if isinstance(data, str) else data)


def codecs() -> None:
    mine: MessageCodec[int] = Numbers()
    WebSocketConfig(codec="json", on_undecodable=lambda fault: fault.why)
    WebSocketConfig(codec={"numbers": mine, "json": "json"})
    WebSocketConfig(codec=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(codec_for(Said), MessageCodec[Any])
