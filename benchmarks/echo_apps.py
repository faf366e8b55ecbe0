"""The handlers of ours; a module of its own, so that the other servers' processes do not import flowsock."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from flowsock import App, BufferOverflow, MutableSharedFlow, Session, WebSocketConfig


class Said(Struct):
    """What is echoed by those who know its type."""

    text: str


# As with all others: the clients here answer no ping.
_UNPINGED: Final = WebSocketConfig(ping_interval=None)
collecting = App(websockets=_UNPINGED)
iterating = App(websockets=_UNPINGED)
typed = App(websockets=_UNPINGED)
chatting = App(websockets=_UNPINGED)
messages: MutableSharedFlow[str | bytes] = MutableSharedFlow(extra_buffer_capacity=64)


@collecting.websocket("/echo")
async def collect(session: Session) -> None:
    """Echo by a pipeline."""
    await session.incoming.collect(session.send)


@iterating.websocket("/echo")
async def iterate(session: Session) -> None:
    """Echo by a loop."""
    async for message in session.incoming:
        await session.send(message)


@typed.websocket("/echo")
async def collect_typed(session: Session[Said, Said]) -> None:
    """Echo by a pipeline, and know what."""
    await session.incoming.collect(session.send)


@chatting.websocket("/echo")
async def chat(session: Session) -> None:
    """Give everything to everybody."""
    messages.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(session.send).launch_in(session.scope)
    await session.incoming.collect(messages.emit)


APPS: Final = {"collect": collecting, "iterate": iterating, "typed": typed, "chat": chatting}
