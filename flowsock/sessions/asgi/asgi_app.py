"""An app as an ASGI application: its routes, inside another server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from anyio import CancelScope, current_time

from flowsock.sessions.asgi.asgi_request import request_of
from flowsock.sessions.asgi.asgi_response import MALFORMED, refuse, respond
from flowsock.sessions.drivers.asgi_body import hosted_stream
from flowsock.sessions.drivers.asgi_stream import hosted_session
from flowsock.sessions.events.streaming import stream_flow
from flowsock.sessions.routes.admission import admit
from flowsock.sessions.routes.events import event_stream_headers, open_events
from flowsock.sessions.routes.pages import page_response
from flowsock.sessions.routes.router import Events, Page, Upgrade
from flowsock.sessions.server.handling import run_handler
from flowsock.sessions.terms import Terms
from flowsock.wire.handshake import Agreement
from flowsock.wire.response import Response, plain_response

if TYPE_CHECKING:
    from flowsock.flows.flow import Flow
    from flowsock.sessions.drivers.asgi_stream import AsgiCall
    from flowsock.sessions.routes.router import Router
    from flowsock.wire.request import Request

_NO_FRAMES: Final = plain_response(501, "raw sessions need a server of frames, and this one has messages")
_NO_SESSION_HERE: Final = plain_response(404, "not found")
_NO_SESSIONS: Final = plain_response(501, "this server opens no WebSockets")
_PATIENCE: Final = 10.0
"""Seconds that a guard has."""


async def answer(app: Router, call: AsgiCall) -> None:
    """Answer one call of a host; see `App.__call__`."""
    match call.scope["type"]:
        case "websocket":
            await _open(app, call)
        case "http":
            await _answer(app, call)
        case "lifespan":
            await _live(app, call)
        case other:
            raise NotImplementedError(f"flowsock answers no {other!r} calls")


async def _open(app: Router, call: AsgiCall) -> None:
    if (await call.receive())["type"] != "websocket.connect":
        return
    app.expect_running()
    try:
        request = request_of(call.scope)
    except ValueError:
        await refuse(call, MALFORMED)
        return
    match app.find(request):
        case Response() as refusal:
            await refuse(call, refusal)
        case Upgrade(route=route) if route.raw:
            await refuse(call, _NO_FRAMES)
        case Upgrade() as upgrade:
            admitted = await admit(request, upgrade, _patience)
            if isinstance(admitted, Response):
                await refuse(call, admitted)
            else:
                await _run(app, call, request, upgrade, admitted)
        case Page() | Events():
            await refuse(call, _NO_SESSION_HERE)


async def _run(app: Router, call: AsgiCall, request: Request, upgrade: Upgrade, admitted: object) -> None:
    route = upgrade.route
    # Compression is between the host and the client.
    agreement = Agreement(upgrade.agreement.subprotocol)
    translation = route.translations.of(agreement.subprotocol)
    terms = Terms(request=request, config=route.config, translation=translation, agreement=agreement)
    async with hosted_session(terms, call) as session:
        app.sessions.add(session)
        try:
            await run_handler(session, route, route.entry.arguments(upgrade.parameters, admitted))
        finally:
            app.sessions.discard(session)


async def _answer(app: Router, call: AsgiCall) -> None:
    try:
        request = request_of(call.scope)
    except ValueError:
        await respond(call, MALFORMED)
        return
    match app.find(request):
        case Response() as response:
            pass
        case Page() as page:
            response = await page_response(request, page, _patience)
        case Events() as events:
            app.expect_running()
            flow = await open_events(request, events, _patience, CancelScope)
            if not isinstance(flow, Response):
                await _stream(app, call, request, events, flow)
                return
            response = flow
        case Upgrade():
            response = _NO_SESSIONS
    await respond(call, response, head_only=request.method == "HEAD")


async def _stream(app: Router, call: AsgiCall, request: Request, events: Events, flow: Flow[Any]) -> None:
    headers = event_stream_headers(request, events)
    async with hosted_stream(request, events.route.config, headers, call) as stream:
        app.streams.add(stream)
        try:
            await stream_flow(stream, flow)
        finally:
            app.streams.discard(stream)


def _patience() -> CancelScope:
    return CancelScope(deadline=current_time() + _PATIENCE)


async def _live(app: Router, call: AsgiCall) -> None:
    """Run the background jobs between the host's start and its end."""
    await call.receive()
    async with app.running():
        await call.send({"type": "lifespan.startup.complete"})
        await call.receive()
    await call.send({"type": "lifespan.shutdown.complete"})
