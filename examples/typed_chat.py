"""A chat whose messages have types, with its client. Run it: python typed_chat.py, then, elsewhere: python typed_chat.py ann"""

import sys

import anyio
from msgspec import Struct

from flowsock import App, BufferOverflow, MutableSharedFlow, Session, connect


class Say(Struct, tag="say"):
    text: str


class Rename(Struct, tag="rename"):
    name: str


# Frozen: encoded once for all members.
class Said(Struct, tag="said", frozen=True):
    who: str
    text: str


class Renamed(Struct, tag="renamed", frozen=True):
    was: str
    name: str


app = App()
room: MutableSharedFlow[Said | Renamed] = MutableSharedFlow(replay=20, extra_buffer_capacity=44)


@app.websocket("/chat/{name}")
async def chat(session: Session[Say | Rename, Said | Renamed], name: str) -> None:
    room.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(session.send).launch_in(session.scope)
    async for message in session.incoming:
        match message:
            case Say(text=text):
                await room.emit(Said(name, text))
            case Rename(name=new):
                await room.emit(Renamed(name, new))
                name = new


async def talk(url: str) -> None:
    async with connect[Said | Renamed, Say | Rename](url) as session:
        await session.send(Say("hello"))
        await session.send(Rename("somebody else"))
        async for event in session.incoming.take(2):
            print(event)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        anyio.run(talk, f"ws://127.0.0.1:8000/chat/{sys.argv[1]}")
    else:
        app.run(port=8000)
