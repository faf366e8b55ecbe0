"""The handlers of ours; a module of its own, so that the other servers' processes do not import flowsock."""

from __future__ import annotations

from flowsock import App, BufferOverflow, MutableSharedFlow, Session

collecting = App()
iterating = App()
chatting = App()
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


@chatting.websocket("/echo")
async def chat(session: Session) -> None:
    """Give everything to everybody."""
    messages.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(session.send).launch_in(session.scope)
    await session.incoming.collect(messages.emit)
