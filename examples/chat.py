"""A chat with rooms. Run it, then, in two terminals: flowsock connect "ws://127.0.0.1:8000/chat/lobby?name=ann" """

from collections import defaultdict

from flowsock import App, BufferOverflow, MutableSharedFlow, Session

app = App()
rooms: defaultdict[str, MutableSharedFlow[str]] = defaultdict(lambda: MutableSharedFlow(replay=20, extra_buffer_capacity=44))


@app.websocket("/chat/{room}")
async def chat(session: Session[str, str], room: str) -> None:
    name = session.request.query.get("name", "somebody")
    said = rooms[room]
    # This member's own buffer and policy: whoever reads slowly misses old messages, and slows nobody else.
    outbox = said.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST)
    outbox.on_each(session.send).launch_in(session.scope)
    try:
        await session.incoming.map(lambda text: f"{name}: {text}").collect(said.emit)
    finally:
        # A room goes with its last member, who is still counted here.
        if said.subscription_count.value <= 1:
            rooms.pop(room, None)


if __name__ == "__main__":
    app.run(port=8000)
