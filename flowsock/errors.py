"""Every exception that flowsock raises of its own accord.

::

    FlowsockError
    ├── Cancellation             what somebody waited for was cancelled, while his own task was not
    │   ├── JobCancelled         ... an awaited job, or one that is asked whether it is active
    │   └── ChannelCancelled     ... a channel (also a ChannelClosed)
    ├── ChannelClosed            a channel was used after its end (send after close, receive after the last value)
    ├── NoSuchElement            a terminal operator found no element (also a LookupError)
    ├── HandshakeError           a WebSocket session could not be opened
    │   └── HandshakeRejected    the server answered with something else than 101; carries its status, headers and body
    ├── ProtocolError            the peer broke RFC 6455, or sent more than the limits allow; carries the close code
    └── SessionClosed            the session is over; carries its close reason
        └── SessionAborted       ... and it did not end cleanly (any code but 1000 and 1001)

``WouldBlock`` is anyio's own. A cancelled task sees the backend's own cancellation, which is never wrapped. A `Cancellation`
that leaves the function of a job ends that job as cancelled and is no failure: whoever depends on something that was cancelled
is cancelled with it (Kotlin: ``CancellationException``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowsock.wire.close import CloseReason


class FlowsockError(Exception):
    """Be the root of all errors that flowsock raises of its own accord."""


class Cancellation(FlowsockError):
    """Report that something was cancelled, while the task that learns of it was not.

    Law: a job that it leaves ends as cancelled, and neither its scope nor its siblings notice.
    """


class JobCancelled(Cancellation):
    """Report that a job was cancelled; the cause, if known, is what failed its scope."""


class ChannelClosed(FlowsockError):
    """Report the use of a channel after its end."""


class ChannelCancelled(ChannelClosed, Cancellation):
    """Report the use of a channel that was cancelled: values may have been dropped."""


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
