"""`connect`: a session from this end."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, ClassVar, Generic, get_args

from anyio import move_on_after

from flowsock.codecs.translation import translations
from flowsock.sessions.client.client_handshake import ClientHandshake
from flowsock.sessions.client.client_tls import client_context
from flowsock.sessions.client.url import parse_url
from flowsock.sessions.config import WebSocketConfig, subprotocol_names
from flowsock.sessions.connection.keepalive import Keepalive
from flowsock.sessions.drivers.driver import running_driver
from flowsock.sessions.ending import drop_session, end_session
from flowsock.sessions.scope import session_scope
from flowsock.sessions.session import In, Out, Session
from flowsock.sessions.terms import Terms
from flowsock.wire.close import CloseCode
from flowsock.wire.handshake import check_response, client_request, new_key
from flowsock.wire.headers import Headers
from flowsock.wire.http import Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from socket import socket
    from ssl import SSLContext
    from types import TracebackType

    from flowsock.codecs.translation import Translations
    from flowsock.sessions.connection.transport import HandshakeTransport
    from flowsock.sessions.drivers.driver import Driver
    from flowsock.wire.handshake import Agreement
    from flowsock.wire.headers import HeadersLike


class connect(Generic[In, Out]):
    """Open a session while a block lasts: ``async with connect("ws://…") as session: …`` (Ktor: ``client.webSocket``).

    Laws: leaving the block closes the session with 1000, with 1011 when it is left by an error, and waits for the server's
    answer. ``session.scope`` ends with the block. When the server has gone and nobody collects ``session.incoming``, the block
    is cancelled a second later and raises `SessionClosed` (`SessionAborted` if the session did not end cleanly).

    ``connect[In, Out](url)`` chooses the message types as the annotation of a handler does.

    Args:
        url: ``ws://`` or ``wss://``; the latter verifies the server's certificate against the system's authorities. An answer
            that points elsewhere is not followed.
        headers: More header fields for the opening request.
        subprotocols: What to offer, the preferred first; ``session.subprotocol`` tells what was chosen. Left out, they are
            those that ``codec`` has a choice for.
        open_timeout: Seconds until the session must be open.
        driver: What to connect with, if not the running event loop's sockets.
        ssl: A TLS context of your own, for other authorities or a client's certificate.
        socket: A connected stream socket to use in place of a new connection, as proxy libraries give it; it is closed with
            the session, also if none can be opened.
        settings: Override the defaults of `WebSocketConfig`.

    Raises:
        ValueError: the URL or a header is malformed, ``ssl`` is given for a ``ws://`` address, or the socket is not connected.
        TypeError: there is no such setting, no codec for a message type, or ``subprotocols`` is one string.
        OSError: the server cannot be reached, or its certificate is not trusted (``ssl.SSLCertVerificationError``).
        TimeoutError: the session was not open in time.
        HandshakeRejected: the server answered otherwise than with 101; carries its answer.
        HandshakeError: the server's answer is no answer to the request.

    >>> app = App()
    >>> greeting = app.websocket("/")(lambda session: session.send("hello"))
    >>> async with serve(app, port=0) as server, connect[str, str](f"ws://127.0.0.1:{server.port}") as session:
    ...     await session.incoming.first()
    'hello'
    """

    _raw: ClassVar = False

    def __init__(
        self,
        url: str,
        *,
        headers: HeadersLike = (),
        subprotocols: Sequence[str] = (),
        ssl: SSLContext | None = None,
        open_timeout: float = 10.0,
        driver: Driver | None = None,
        socket: socket | None = None,
        **settings: Any,
    ) -> None:
        self._url = parse_url(url)
        if ssl is not None and not self._url.secure:
            raise ValueError(f"ssl= is for wss:// addresses, and this is none: {url!r}")
        if socket is not None and not _is_connected(socket):
            raise ValueError("socket= takes a connected socket, and this one is not")
        self._ssl = ssl
        self._socket = socket
        self._config = self._make_config(settings)
        self._subprotocols = subprotocol_names(subprotocols) or self._config.spoken
        self._open_timeout = open_timeout
        self._driver = driver
        self._key = new_key()
        self._head = client_request(
            self._url.authority,
            self._url.target,
            self._key,
            headers=headers,
            subprotocols=self._subprotocols,
            deflate=self._config.deflate,
        )
        self._request = Request("GET", self._url.target, Headers([("host", self._url.authority), *Headers(headers)]))

    @staticmethod
    def _make_config(settings: Mapping[str, Any]) -> WebSocketConfig:
        return WebSocketConfig().with_overrides(settings)

    async def __aenter__(self) -> Session[In, Out]:
        chosen = translations(get_args(getattr(self, "__orig_class__", None)), self._config.codec)
        async with AsyncExitStack() as stack:
            driver = await stack.enter_async_context(self._driver or running_driver())
            session = await self._open(driver, chosen)
            stack.push_async_exit(self._leave)
            self._block = stack.pop_all()
        return session

    async def _open(self, driver: Driver, chosen: Translations) -> Session[In, Out]:
        handshake = ClientHandshake()
        answered = None
        with move_on_after(self._open_timeout):
            answered = await self._shake_hands(driver, handshake)
        if answered is None:
            if (refusal := handshake.refusal()) is not None:
                # Only the end of its content was too late.
                check_response(refusal, self._key)
            raise TimeoutError(f"no session with {self._url.authority} within {self._open_timeout:g} s")
        transport, agreement = answered
        terms = Terms(
            request=self._request,
            config=self._config,
            translation=chosen.of(agreement.subprotocol),
            agreement=agreement,
            client=True,
            raw=self._raw,
        )
        self._session: Session[In, Out]
        self._session = session = terms.session(transport, driver.clock)
        self._keepalive = Keepalive(driver.clock)
        self._keepalive.add(session.connection)
        self._scope = session_scope(session)
        session.enter(await self._scope.__aenter__())
        handshake.hand_over(session.connection)
        return session

    async def _shake_hands(self, driver: Driver, handshake: ClientHandshake) -> tuple[HandshakeTransport, Agreement]:
        transport = await self._reach(driver, handshake)
        try:
            transport.write(self._head)
            answer, offered = await handshake.answer(), self._config.deflate
            return transport, check_response(answer, self._key, subprotocols=self._subprotocols, deflate=offered)
        except BaseException:
            transport.abort()
            raise

    async def _reach(self, driver: Driver, handshake: ClientHandshake) -> HandshakeTransport:
        if self._socket is not None:
            return await driver.adopt(handshake, self._socket, self._url.host, client_context(self._url, self._ssl))
        return await driver.open(handshake, self._url.host, self._url.port, client_context(self._url, self._ssl))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._block.__aexit__(kind, error, traceback)

    async def _leave(
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


def _is_connected(sock: socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
