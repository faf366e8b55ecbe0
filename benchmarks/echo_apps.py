"""The echo handlers of ours; a module of its own, so that the other servers' processes do not import flowsock."""

from __future__ import annotations

from flowsock import App, Session

collecting = App()
iterating = App()


@collecting.websocket("/echo")
async def collect(session: Session) -> None:
    """Echo by a pipeline."""
    await session.incoming.collect(session.send)


@iterating.websocket("/echo")
async def iterate(session: Session) -> None:
    """Echo by a loop."""
    async for message in session.incoming:
        await session.send(message)
