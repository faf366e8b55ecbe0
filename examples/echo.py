"""An echo server. Run it, then: flowsock connect ws://127.0.0.1:8000/echo"""

from flowsock import App, CloseCode, Session

app = App()


@app.websocket("/echo")
async def echo(session: Session[str, str]) -> None:
    await session.send("Connection established")
    await session.incoming.take_while(lambda text: text.lower() != "bye").map("You said: {}".format).collect(session.send)
    await session.close(CloseCode.NORMAL, "Bye")


if __name__ == "__main__":
    app.run(port=8000)
