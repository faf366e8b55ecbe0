"""`RawSession`: one WebSocket as a flow of frames."""

from __future__ import annotations

from flowsock.sessions.connection.raw_connection import RawConnection
from flowsock.sessions.session import Session
from flowsock.wire.frame import Frame


class RawSession(Session[Frame, Frame]):
    """One WebSocket session frame by frame (Ktor: ``WebSocketSession``, of ``webSocketRaw``).

    What `Session` does by itself is left to the user: fragments are not assembled, pings and Closes come as frames and are not
    answered, no ping is sent unless a ``ping_interval`` is given, and text is not checked to be UTF-8.

    Laws:

    - `incoming` gives every frame of the peer, the Close too, and then completes. It raises `SessionAborted` when the
      connection is lost without a Close, or the peer breaks the protocol: with a frame that is malformed, out of place, or
      longer than ``max_message_size``. The peer is told why, and the session is over.
    - `send` takes any `Frame`. It suspends while the peer does not read, and raises `SessionClosed` after a Close of ours.
      After one of the peer's it still sends, so that the peer can be answered.
    - The end of the handler, or of the block, sends a Close unless one was sent: the answer to the peer's, or else 1000; 1011
      after a failure.

    >>> app = App()
    >>> echo = app.raw_websocket("/")(lambda session: session.incoming.collect(session.send))
    >>> async with serve(app, port=0) as server, connect_raw(f"ws://127.0.0.1:{server.port}") as session:
    ...     await session.send(Frame(Opcode.PONG, b"unasked"))
    ...     frame = await session.incoming.first()
    >>> frame.opcode, frame.payload
    (<Opcode.PONG: 10>, b'unasked')
    """

    __slots__ = ()

    _connection_type = RawConnection
