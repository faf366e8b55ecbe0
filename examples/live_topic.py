"""One topic over two protocols: whoever posts by WebSocket is heard by WebSocket and by server-sent events.

Run it, and follow it with ``curl -N http://127.0.0.1:8080/news`` while you post with
``flowsock connect ws://127.0.0.1:8080/news``.
"""

from __future__ import annotations

from itertools import count

from flowsock import App, MutableSharedFlow, ServerSentEvent, Session, SharedFlow

app = App()
numbers = count(1)
news: MutableSharedFlow[ServerSentEvent] = MutableSharedFlow(replay=100, extra_buffer_capacity=100)


def numbered(text: str) -> ServerSentEvent:
    """Give each item an id, so that a client that was away gets what it missed."""
    return ServerSentEvent(text, id=str(next(numbers)))


@app.websocket("/news")
async def discuss(session: Session[str, str]) -> None:
    """Send everything, and post what comes in."""
    news.map(lambda item: item.data).on_each(session.send).launch_in(session.scope)
    await session.incoming.map(numbered).collect(news.emit)


@app.sse("/news")
def follow() -> SharedFlow[ServerSentEvent]:
    """Send everything, after the item that the client saw last."""
    return news


if __name__ == "__main__":
    app.run()
