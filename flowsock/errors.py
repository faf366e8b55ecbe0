"""Every exception that flowsock raises of its own accord.

::

    FlowsockError
    ├── ChannelClosed            a channel was used after its end (send after close, receive after the last value)
    ├── JobCancelled             an awaited job was cancelled, while the task that awaited it was not
    ├── NoSuchElement            a terminal operator found no element (also a LookupError)
    ├── HandshakeError           a WebSocket session could not be opened
    │   └── HandshakeRejected    the server answered with something else than 101; carries its status, headers and body
    ├── ProtocolError            the peer broke RFC 6455, or sent more than the limits allow; carries the close code
    └── SessionClosed            the session is over; carries its close reason
        └── SessionAborted       ... and it did not end cleanly (any code but 1000 and 1001)

``WouldBlock`` is anyio's own. Cancellation is the backend's own and never wrapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowsock.wire.close import CloseReason


class FlowsockError(Exception):
    """Be the root of all errors that flowsock raises of its own accord."""


class ChannelClosed(FlowsockError):
    """Report the use of a channel after its end."""


class JobCancelled(FlowsockError):
    """Report that the awaited job was cancelled, while the task that awaits it was not."""


class NoSuchElement(FlowsockError, LookupError):
    """Report that a flow ended without the element that was asked for."""


class HandshakeError(FlowsockError):
    """Report that a WebSocket session could not be opened."""


class HandshakeRejected(HandshakeError):
    """Report that the server answered the opening handshake with something else than 101.

    Attributes:
        status: The HTTP status code.
        headers: The response's header fields, names in lower case.
        body: The start of the response's body (as much as arrived with the head, at most 64 KiB).
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"the server answered {status} instead of 101 (Switching Protocols)")
        self.status = status
        self.headers = headers
        self.body = body


class ProtocolError(FlowsockError):
    """Report that the peer broke the protocol or a limit.

    Attributes:
        code: The close code that tells the peer so (RFC 6455 section 7.4.1).
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class SessionClosed(FlowsockError):
    """Report that a session is over.

    Attributes:
        reason: Why it ended.
    """

    def __init__(self, reason: CloseReason) -> None:
        super().__init__(f"the session is closed: {reason}")
        self.reason = reason


class SessionAborted(SessionClosed):
    """Report that a session ended otherwise than by a clean close (1000 or 1001)."""
