"""Whole responses, as events for an ASGI host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flowsock.wire.close import CloseCode
from flowsock.wire.response import plain_response

if TYPE_CHECKING:
    from flowsock.sessions.drivers.asgi_stream import AsgiCall
    from flowsock.wire.response import Response

MALFORMED: Final = plain_response(400, "malformed request")
_REFUSAL: Final = "websocket.http.response"


async def respond(call: AsgiCall, response: Response, *, head_only: bool = False) -> None:
    """Answer a request."""
    await _send(call, "http.response", response, b"" if head_only else response.body)


async def refuse(call: AsgiCall, response: Response) -> None:
    """Answer an opening request otherwise than with a session; a host that knows no such answers makes it a 403."""
    if _REFUSAL in (call.scope.get("extensions") or {}):
        await _send(call, _REFUSAL, response, response.body)
    else:
        await call.send({"type": "websocket.close", "code": int(CloseCode.VIOLATED_POLICY), "reason": ""})


async def _send(call: AsgiCall, kind: str, response: Response, body: bytes) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    if response.status not in (204, 304):
        headers.append((b"content-length", str(len(response.body)).encode()))
    await call.send({"type": f"{kind}.start", "status": response.status, "headers": headers})
    await call.send({"type": f"{kind}.body", "body": body})
