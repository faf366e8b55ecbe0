"""The life of an event stream, from its handler's flow to the end of the response."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from anyio import get_cancelled_exc_class

from flowsock.scopes.scope import coroutine_scope

if TYPE_CHECKING:
    from flowsock.flows.flow import Flow
    from flowsock.sessions.events.event_stream import EventStream

_logger = logging.getLogger("flowsock")


async def stream_flow(stream: EventStream, flow: Flow[Any]) -> None:
    """Send what a flow gives, until it completes or the client has gone, and end the response.

    Law: what the flow launches in the current scope is awaited before the response ends. Its failure ends the response too, and
    is logged.
    """
    try:
        try:
            async with coroutine_scope() as scope:
                stream.enter(scope)
                stream.begin()
                await flow.collect(stream.send)
        except Exception:
            _logger.exception("the events of %r failed", stream.request.path)
        finally:
            stream.leave()
        await stream.close()
    except get_cancelled_exc_class():
        await stream.drop()
        raise
