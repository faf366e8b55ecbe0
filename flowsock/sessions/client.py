"""`connect`: a session from this end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic

from anyio import move_on_after

from flowsock.errors import HandshakeError
from flowsock.sessions.config import WebSocketConfig, subprotocol_names
from flowsock.sessions.drivers.asyncio_protocol import ResponseProtocol, hand_over, running_loop, transports_on_asyncio
from flowsock.sessions.ending import drop_session, end_session
from flowsock.sessions.keepalive import Keepalive
from flowsock.sessions.routing import accepted_messages
from flowsock.sessions.scope import session_scope
from flowsock.sessions.session import In, Out, Session
from flowsock.sessions.url import parse_url
from flowsock.wire.close import CloseCode
from flowsock.wire.codec import Codec
from flowsock.wire.handshake import check_response, client_request, new_key
from flowsock.wire.headers import Headers
from flowsock.wire.http import Request, ResponseReader

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence
    from types import TracebackType

    from flowsock.wire.headers import HeadersLike
    from flowsock.wire.response import ResponseHead


class connect(Generic[In, Out]):
    """Open a session while a block lasts: ``async with connect("ws://…") as session: …`` (Ktor: ``client.webSocket``).

    Laws: leaving the block closes the session with 1000, with 1011 when it is left by an error, and waits for the server's
    answer. ``session.scope`` ends with the block. When the server has gone and nobody collects ``session.incoming``, the block
    is cancelled a second later and raises `SessionClosed` (`SessionAborted` if the session did not end cleanly).

    ``connect[In, Out](url)`` chooses the message types as the annotation of a handler does.

    Args:
        url: ``ws://`` or ``wss://``; the latter verifies the server's certificate against the system's authorities.
        headers: More header fields for the opening request.
        subprotocols: What to offer, the preferred first; ``session.subprotocol`` tells what was chosen.
        open_timeout: Seconds until the session must be open.
        settings: Override the defaults of `WebSocketConfig`.

    Raises:
        ValueError: the URL or a header is malformed.
        TypeError: there is no such setting, no codec for a message type, or ``subprotocols`` is one string.
        OSError: the server cannot be reached.
        TimeoutError: the session was not open in time.
        HandshakeRejected: the server answered otherwise than with 101; carries its answer.
        HandshakeError: the server's answer is no answer to the request.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: HeadersLike = (),
        subprotocols: Sequence[str] = (),
        open_timeout: float = 10.0,
        **settings: Any,
    ) -> None:
        self._url = parse_url(url)
        self._config = WebSocketConfig().with_overrides(settings)
        self._subprotocols = subprotocol_names(subprotocols)
        self._open_timeout = open_timeout
        self._key = new_key()
        self._head = client_request(
            self._url.authority, self._url.target, self._key, headers=headers, subprotocols=self._subprotocols
        )
        self._request = Request("GET", self._url.target, Headers([("host", self._url.authority), *Headers(headers)]))

    async def __aenter__(self) -> Session[In, Out]:
        accepts = accepted_messages(getattr(self, "__orig_class__", None))
        loop = running_loop("connect")
        handshake = _Handshake(loop)
        opened = None
        with move_on_after(self._open_timeout):
            opened = await self._shake_hands(loop, handshake)
        if opened is None:
            raise TimeoutError(f"no session with {self._url.authority} within {self._open_timeout:g} s")
        transport, subprotocol = opened
        codec = Codec(client=True, max_message_size=self._config.max_message_size, max_fragments=self._config.max_fragments)
        self._session = session = Session[In, Out](
            transport, loop, codec, self._config, self._request, client=True, accepts=accepts, subprotocol=subprotocol
        )
        self._keepalive = Keepalive(loop)
        self._keepalive.add(session.connection)
        self._scope = session_scope(session)
        session.enter(await self._scope.__aenter__())
        hand_over(transport, session.connection, handshake.early, lost=handshake.lost)
        return session

    async def _shake_hands(
        self, loop: asyncio.AbstractEventLoop, handshake: _Handshake
    ) -> tuple[asyncio.Transport, str | None]:
        transport = await self._open_transport(loop, handshake)
        try:
            transport.write(self._head)
            response = await handshake.answer
            return transport, check_response(response, self._key, subprotocols=self._subprotocols)
        except BaseException:
            transport.abort()
            raise

    async def _open_transport(self, loop: asyncio.AbstractEventLoop, handshake: _Handshake) -> asyncio.Transport:
        context = None
        if self._url.secure:
            import ssl

            context = ssl.create_default_context()
        make = partial(ResponseProtocol, handshake.take_bytes, handshake.take_loss)
        with transports_on_asyncio():
            transport, _protocol = await loop.create_connection(make, self._url.host, self._url.port, ssl=context)
            return transport

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        session = self._session
        gone = not session.is_open
        if error is None:
            session.scope.cancel()
        session.leave()
        try:
            swallowed = await self._scope.__aexit__(kind, error, traceback)
        except BaseException as raised:
            await self._end(raised)
            raise
        await self._end(None if swallowed else error)
        if error is not None and swallowed and gone:
            # The block was cancelled because the server has gone, so it did not do all it was meant to.
            session.connection.check_open()
        return swallowed

    async def _end(self, error: BaseException | None) -> None:
        session = self._session
        try:
            if error is None:
                await end_session(session, CloseCode.NORMAL)
            elif isinstance(error, Exception):
                await end_session(session, CloseCode.INTERNAL_ERROR)
            else:
                await drop_session(session)
        finally:
            self._keepalive.discard(session.connection)


class _Handshake:
    """The server's answer, from bytes as they arrive."""

    __slots__ = ("_reader", "answer", "early", "lost")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._reader = ResponseReader()
        self.answer: asyncio.Future[ResponseHead] = loop.create_future()
        self.early = bytearray()
        self.lost = False

    def take_bytes(self, data: bytes) -> None:
        if self.answer.done():
            self.early += data
            return
        try:
            response = self._reader.feed(data)
        except HandshakeError as error:
            self.answer.set_exception(error)
            return
        if response is not None:
            self.early += self._reader.trailing
            self.answer.set_result(response)

    def take_loss(self, error: Exception | None) -> None:
        self.lost = True
        if not self.answer.done():
            lost = HandshakeError("the server closed the connection before it answered the opening request")
            lost.__cause__ = error
            self.answer.set_exception(lost)
