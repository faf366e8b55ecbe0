"""Sessions inside FastAPI, Starlette and other frameworks on ASGI.

A whole `App` is an ASGI application itself: ``uvicorn chat:app``, ``api.mount("/live", app)``. `accept` is for one endpoint of
a framework, with its routing, its dependencies and its tests.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, get_args

from flowsock.codecs.translation import translations
from flowsock.errors import HandshakeError, HandshakeRejected
from flowsock.sessions.asgi.asgi_request import request_of
from flowsock.sessions.asgi.asgi_response import MALFORMED, refuse
from flowsock.sessions.config import WebSocketConfig
from flowsock.sessions.drivers.asgi_stream import AsgiCall, hosted_session
from flowsock.sessions.server.handling import handling
from flowsock.sessions.session import In, Out, Session
from flowsock.sessions.terms import Terms
from flowsock.wire.handshake import Agreement, choose_subprotocol
from flowsock.wire.origins import origin_error

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from types import TracebackType

    from flowsock.wire.request import Request
    from flowsock.wire.response import Response

__all__ = ("HostWebSocket", "accept")


class HostWebSocket(Protocol):
    """A connection as frameworks hand it to their endpoints: what FastAPI and Starlette call ``WebSocket``."""

    @property
    def scope(self) -> MutableMapping[str, Any]:
        """Give what the host says of it."""
        ...

    async def receive(self) -> MutableMapping[str, Any]:
        """Give the next event."""
        ...

    async def send(self, message: Any, /) -> None:
        """Give the host an event."""
        ...


class accept(Generic[In, Out]):
    """Open a session on a framework's connection while a block lasts: ``async with accept(websocket) as session: …``.

    Laws: the block is the session's handler. Leaving it closes the session with 1000, with 1011 when it is left by an error,
    which is raised. The end of the session itself is no error: what it raises in the block ends there. A block that only sends,
    or only sleeps, is cancelled when the peer has gone. What follows the block runs in any case.

    ``accept[In, Out](websocket)`` chooses the message types as the annotation of a handler does. The host owns the wire:
    ``ping_interval``, ``ping_timeout``, ``max_fragments`` and ``deflate`` have no effect, and `Session.ping` is refused. How a
    session ended is known as far as the host tells: uvicorn takes a lost connection for a Close without a code, so `incoming`
    completes; hypercorn takes every end by the peer for a lost connection, so it raises.

    Args:
        websocket: The endpoint's connection.
        settings: Override the defaults of `WebSocketConfig`; ``origins`` and ``subprotocols`` are among them.

    Raises:
        TypeError: there is no such setting, or no codec for a message type.
        RuntimeError: the connection was accepted before.
        HandshakeRejected: the client was refused, because of its origin (403) or a malformed request (400).
        HandshakeError: the client went before it was answered.
    """

    def __init__(self, websocket: HostWebSocket, **settings: Any) -> None:
        self._websocket = websocket
        self._config = WebSocketConfig().with_overrides(settings)

    async def __aenter__(self) -> Session[In, Out]:
        chosen = translations(get_args(getattr(self, "__orig_class__", None)), self._config.codec)
        call = AsgiCall(self._websocket.scope, self._websocket.receive, self._websocket.send)
        request = await self._admit(call)
        agreement = Agreement(choose_subprotocol(request, self._config.spoken))
        terms = Terms(request=request, config=self._config, translation=chosen.of(agreement.subprotocol), agreement=agreement)
        async with AsyncExitStack() as stack:
            session: Session[In, Out] = await stack.enter_async_context(hosted_session(terms, call))
            await stack.enter_async_context(handling(session))
            self._block = stack.pop_all()
        return session

    async def _admit(self, call: AsgiCall) -> Request:
        state = getattr(self._websocket, "application_state", None)
        if getattr(state, "name", "CONNECTING") != "CONNECTING":
            raise RuntimeError("the connection is accepted already: flowsock.asgi.accept does that itself")
        if (await call.receive())["type"] != "websocket.connect":
            raise HandshakeError("the client went before it was answered")
        refusal: Response | None = MALFORMED
        with suppress(ValueError):
            request = request_of(call.scope)
            refusal = origin_error(request, self._config.origins)
            if refusal is None:
                return request
        assert refusal is not None
        await refuse(call, refusal)
        raise HandshakeRejected(refusal.status, dict(refusal.headers), refusal.body)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._block.__aexit__(kind, error, traceback)
