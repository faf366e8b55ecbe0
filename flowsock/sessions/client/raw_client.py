"""`connect_raw`: a session of frames from this end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from flowsock.sessions.client.client import connect
from flowsock.sessions.config import WebSocketConfig, raw_config
from flowsock.wire.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowsock.sessions.raw_session import RawSession


class connect_raw(connect[Frame, Frame]):
    """Open a `RawSession` while a block lasts: ``async with connect_raw("ws://…") as session: …`` (Ktor: ``webSocketRaw``).

    Laws and arguments are those of `connect`, except that no pings are sent unless a ``ping_interval`` is given, and
    ``max_message_size`` is the limit of a frame.

    Raises:
        ValueError: as for `connect`, or a ``slow_reader`` would lose frames.
        TypeError, OSError, TimeoutError, HandshakeError: as for `connect`.

    >>> app = App()
    >>> greeting = app.websocket("/")(lambda session: session.send("hello"))
    >>> async with serve(app, port=0) as server, connect_raw(f"ws://127.0.0.1:{server.port}") as session:
    ...     [frame.opcode.name async for frame in session.incoming]
    ['TEXT', 'CLOSE']
    """

    _raw: ClassVar = True

    @staticmethod
    def _make_config(settings: Mapping[str, Any]) -> WebSocketConfig:
        return raw_config(WebSocketConfig(), settings)

    async def __aenter__(self) -> RawSession:
        return cast("RawSession", await super().__aenter__())
