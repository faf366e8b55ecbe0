"""An echo frame by frame: fragments stay fragments, and pings and closes are answered by hand.

Run it, then: flowsock connect ws://127.0.0.1:8000/
"""

from flowsock import App, Frame, Opcode, RawSession

app = App()


def reply(frame: Frame) -> Frame:
    return Frame(Opcode.PONG, frame.payload) if frame.opcode is Opcode.PING else frame


@app.raw_websocket("/")
async def echo(session: RawSession) -> None:
    await session.incoming.filter(lambda frame: frame.opcode is not Opcode.PONG).map(reply).collect(session.send)


if __name__ == "__main__":
    app.run(port=8000)
