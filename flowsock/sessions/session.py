"""`Session`: one WebSocket as a flow of messages, a function to send, and a scope."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic

from typing_extensions import TypeVar

from flowsock.errors import SessionClosed
from flowsock.flows.flow import Flow
from flowsock.scopes.groups import is_group
from flowsock.sessions.connection.connection import Connection, own_reason
from flowsock.sessions.incoming import Incoming
from flowsock.wire.close import CloseCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock.scopes.scope import Scope
    from flowsock.sessions.config import WebSocketConfig
    from flowsock.sessions.connection.connection_codec import ConnectionCodec
    from flowsock.sessions.connection.transport import Clock, Timer, Transport
    from flowsock.sessions.statistics import ConnectionStatistics
    from flowsock.sessions.terms import Terms
    from flowsock.wire.close import CloseReason
    from flowsock.wire.request import Request

In = TypeVar("In", default=str | bytes, covariant=True)
Out = TypeVar("Out", default=str | bytes, contravariant=True)

_logger = logging.getLogger("flowsock")
_NOTICE: Final = 1.0


class Session(Generic[In, Out]):
    """One WebSocket session, on the server and on the client alike (Ktor: ``DefaultWebSocketSession``).

    Laws:

    - `incoming` completes when the peer closes with 1000, 1001 or no code, and when we close; it raises `SessionAborted` when
      the connection is lost or ends with any other code. What arrived before is delivered first.
    - `send` suspends while the peer does not read, for ``send_timeout`` at most, unless the route has another policy (see
      `SlowReader`). After the end it raises `SessionClosed`.
    - `scope` ends with the handler. When the peer has gone, it is cancelled: after a second if by then nobody has collected
      `incoming` up to its end, otherwise ``close_timeout`` later, so that whoever collects can finish in peace.
    - `close_reason` is set exactly once, on every path.

    Attributes:
        request: The head of the opening request.
        subprotocol: What was agreed on, or ``None``.
        deflate: How messages are compressed, as both sides agreed on, or ``None``.
        incoming: The messages of the peer, a hot flow; of several collectors each message goes to one. Messages that come
            before the first collector wait.

    >>> app = App()
    >>> upper = app.websocket("/")(lambda session: session.incoming.map(str.upper).collect(session.send))
    >>> async with serve(app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}") as session:
    ...     await session.send("hello")
    ...     await session.incoming.first()
    ...     await session.close(CloseCode.NORMAL, "bye")
    ...     print(session.close_reason)
    'HELLO'
    1000 (NORMAL): bye
    """

    __slots__ = ("_clock", "_connection", "_grace", "_incoming", "_scope", "deflate", "incoming", "request", "subprotocol")

    _connection_type: ClassVar[type[Connection]] = Connection

    def __init__(self, terms: Terms, transport: Transport, clock: Clock, codec: ConnectionCodec) -> None:
        self.request: Request = terms.request
        self.subprotocol = terms.agreement.subprotocol
        self.deflate = terms.agreement.deflate
        self._clock = clock
        self._scope: Scope | None = None
        self._grace: Timer | None = None
        self._connection = self._connection_type(terms, transport, clock, codec, on_gone=self._peer_gone)
        self._incoming = Incoming(self._connection)
        self.incoming: Flow[In] = Flow(self._incoming)

    @property
    def connection(self) -> Connection:
        """Give the connection below, which drivers feed."""
        return self._connection

    @property
    def scope(self) -> Scope:
        """Give the scope that owns what runs for this session; it ends with the handler."""
        assert self._scope is not None
        return self._scope

    def send(self, message: Out, /) -> Awaitable[None]:
        """Send a message, text for ``str``, binary for ``bytes``, else encoded; await the result before sending the next.

        Law: the message is on its way, in order and whole, when this returns. There is nothing to wait for unless the peer
        reads too slowly; another ``slow_reader`` policy never waits, and loses messages or the session instead. One message
        that is sent to many sessions is encoded once, unless it may have changed meanwhile: see `codec_for`.

        Raises:
            SessionClosed: the session is over (`SessionAborted` if it did not end cleanly).
            TypeError: there is no frame for the message.
        """
        return self._connection.send(message)

    async def close(self, code: int = CloseCode.NORMAL, message: str = "") -> None:
        """Close the session, and wait for the peer's answer, ``close_timeout`` seconds at most.

        Law: `incoming` completes. Closing a session that is over waits for its end and does nothing else.

        Args:
            code: 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455 section 7.4).
            message: Tells the peer why, in at most 123 UTF-8 bytes.

        Raises:
            ValueError: the code must not be sent, or the message is too long.
        """
        self._connection.close(own_reason(code, message))
        await self._connection.wait_lost()

    async def ping(self) -> float:
        """Send a ping, and give the seconds until its pong, as exactly as the event loop's clock tells (uvloop: to 1 ms).

        Law: every call sends a ping of its own; a pong answers the ping with its payload and all before it (RFC 6455 section
        5.5.3). A ping that is not answered does not end the session; those that the session sends by itself do.

        Raises:
            SessionClosed: the session is over, or ended meanwhile.
            TimeoutError: there was no answer within ``ping_timeout``.
        """
        return await self._connection.ping()

    @property
    def config(self) -> WebSocketConfig:
        """Give the settings that hold now."""
        return self._connection.config

    def configure(self, **settings: Any) -> None:
        """Change settings of this session alone: ``session.configure(ping_interval=5)`` (Ktor: ``pingIntervalMillis = …``).

        Law: a new ``max_message_size`` holds from the next frame on, a new ``ping_interval`` from the last sign of life on, a
        new ``send_timeout`` from the next time that the peer is slow.

        Raises:
            TypeError: there is no such setting.
            ValueError: the value is not allowed, or the setting is fixed when the session opens: ``origins``, ``subprotocols``,
                ``slow_reader``, ``deflate``, ``codec`` and ``on_undecodable``.
        """
        self._connection.configure(self._connection.config.changed(settings))

    @property
    def close_reason(self) -> CloseReason | None:
        """Tell why the session ended, by whichever side, or ``None`` while it is open."""
        return self._connection.reason

    @property
    def is_open(self) -> bool:
        """Tell whether messages can pass."""
        return self._connection.is_open

    def statistics(self) -> ConnectionStatistics:
        """Count messages, bytes, the queue's depth and the last round trip of a ping."""
        return self._connection.statistics()

    # The scope's end

    def enter(self, scope: Scope) -> None:
        """Take the scope that the session owns; called once by whoever runs the session."""
        self._scope = scope
        if not self.is_open:
            self._peer_gone()

    def is_over_by(self, error: BaseException) -> bool:
        """Tell whether an error, or every error of a group, only says that this session is over."""
        if is_group(error):
            return all(map(self.is_over_by, error.exceptions))
        return isinstance(error, SessionClosed) and error.reason is self.close_reason

    def cancel(self) -> None:
        """Cancel the handler and what was launched in the scope, if they are running."""
        if self._scope is not None:
            self._scope.cancel()

    def leave(self) -> None:
        """Learn that the handler is done."""
        self._scope = None
        if self._grace is not None:
            self._grace.cancel()

    def _peer_gone(self) -> None:
        if self._scope is None:
            return
        timeout = self._connection.config.close_timeout
        if self._incoming.collectors or len(self._connection.messages):
            self._set_grace(timeout, self._cancel)
        else:
            # Whoever is about to collect is to find the end there, and not be cancelled on the way.
            self._set_grace(min(_NOTICE, timeout), partial(self._cancel_unless_collected, self._incoming.collections))

    def _cancel_unless_collected(self, collections: int) -> None:
        if self._incoming.collections == collections:
            self._cancel()
        else:
            self._set_grace(self._connection.config.close_timeout, self._cancel)

    def _cancel(self) -> None:
        self.scope.cancel()
        self._set_grace(self._connection.config.close_timeout, self._report)

    def _report(self) -> None:
        seconds = self._connection.config.close_timeout
        _logger.warning("what runs for the session of %r did not end in %g s of being cancelled", self.request.path, seconds)

    def _set_grace(self, delay: float, callback: Callable[[], object]) -> None:
        self._grace = self._clock.call_later(delay, callback)

    def __repr__(self) -> str:
        state = "open" if self.is_open else f"closed: {self.close_reason}"
        return f"<{type(self).__name__} {self.request.path!r} {state}>"
