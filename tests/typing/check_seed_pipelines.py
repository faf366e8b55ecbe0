"""The pipelines that the library was made for, as its design writes them; run by ``tests/sessions/test_broadcast.py``."""

from flowsock import App, BufferOverflow, CloseCode, MutableSharedFlow, Session

app = App()


@app.websocket("/echo")
async def echo(session: Session) -> None:
    await session.send("Connection established")
    await session.incoming.take_while(lambda text: text.lower() != "bye").map("You said: {}".format).collect(session.send)
    await session.close(CloseCode.NORMAL, "Bye")


messages: MutableSharedFlow[str] = MutableSharedFlow(extra_buffer_capacity=64)


@app.websocket("/chat")
async def chat(session: Session[str, str]) -> None:
    messages.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(session.send).launch_in(session.scope)
    await session.incoming.collect(messages.emit)
