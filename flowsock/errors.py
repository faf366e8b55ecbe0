"""Every exception that flowsock raises of its own accord.

::

    FlowsockError
    ├── Cancellation             what somebody waited for was cancelled, while his own task was not
    │   ├── JobCancelled         ... an awaited job, or one that is asked whether it is active
    │   └── ChannelCancelled     ... a channel (also a ChannelClosed)
    ├── ChannelClosed            a channel was used after its end (send after close, receive after the last value)
    ├── MessagesLost             messages of a broker's topic are missing, or may be; carries the gap
    ├── NameTaken                somebody of that name is in the room already (also a ValueError)
    ├── NoSuchElement            a terminal operator found no element (also a LookupError)
    ├── HandshakeError           a WebSocket session could not be opened
    │   └── HandshakeRejected    the server answered with something else than 101; carries its status, headers and body
    ├── EventStreamError         server-sent events cannot be had, and asking again would be in vain
    │   └── EventStreamRejected  the server answered with something else than an event stream; carries its answer
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

    from flowsock.brokers.gap import Gap
    from flowsock.wire.close import CloseReason


class FlowsockError(Exception):
    """Be the root of all errors that flowsock raises of its own accord.

    >>> try:
    ...     await empty_flow().first()
    ... except FlowsockError as error:
    ...     print(error)
    no element of the flow was what first() asked for
    """


class Cancellation(FlowsockError):
    """Report that something was cancelled, while the task that learns of it was not.

    Law: a job that it leaves ends as cancelled, and neither its scope nor its siblings notice.

    >>> async with coroutine_scope() as scope:
    ...     job = scope.launch(sleep, 60)
    ...     job.cancel()
    ...     try:
    ...         await job
    ...     except Cancellation as error:
    ...         print(error)
    job 'sleep' was cancelled
    """


class JobCancelled(Cancellation):
    """Report that a job was cancelled; the cause, if known, is what failed its scope.

    >>> async with coroutine_scope() as scope:
    ...     job = scope.launch(sleep, 60)
    ...     job.cancel()
    ...     await job
    Traceback (most recent call last):
    flowsock.errors.JobCancelled: job 'sleep' was cancelled
    """


class ChannelClosed(FlowsockError):
    """Report the use of a channel after its end.

    >>> channel = Channel()
    >>> channel.close()
    True
    >>> await channel.receive()
    Traceback (most recent call last):
    flowsock.errors.ChannelClosed: this channel was closed: nothing more can be received
    """


class ChannelCancelled(ChannelClosed, Cancellation):
    """Report the use of a channel that was cancelled: values may have been dropped.

    >>> channel = Channel(1)
    >>> channel.cancel()
    True
    >>> await channel.receive()
    Traceback (most recent call last):
    flowsock.errors.ChannelCancelled: this channel was cancelled
    """


class MessagesLost(FlowsockError):
    """Report that messages of a topic are missing, or may be, to whoever asked for it by ``on_gap=raise_gap``.

    Attributes:
        gap: What is known about it.

    >>> MessagesLost(Gap("orders", 2, "they never came"))
    MessagesLost("2 messages of 'orders' are lost: they never came")
    """

    def __init__(self, gap: Gap) -> None:
        super().__init__(str(gap))
        self.gap = gap


class NoSuchElement(FlowsockError, LookupError):
    """Report that a flow ended without the element that was asked for.

    >>> await empty_flow().first()
    Traceback (most recent call last):
    flowsock.errors.NoSuchElement: no element of the flow was what first() asked for
    """


class NameTaken(FlowsockError, ValueError):
    """Report that somebody of that name is in a room already.

    >>> raise NameTaken("ann", "lobby")
    Traceback (most recent call last):
    flowsock.errors.NameTaken: somebody called 'ann' is in 'lobby' already

    Attributes:
        user: The name.
        room: The room.
    """

    def __init__(self, user: str, room: str) -> None:
        super().__init__(f"somebody called {user!r} is in {room!r} already")
        self.user = user
        self.room = room


class HandshakeError(FlowsockError):
    """Report that a WebSocket session could not be opened.

    >>> try:
    ...     async with serve(App(), port=0) as server, connect(f"ws://127.0.0.1:{server.port}/nowhere"): ...
    ... except HandshakeError as error:
    ...     print(error)
    the server answered 404 instead of 101 (Switching Protocols)
    """


class HandshakeRejected(HandshakeError):
    """Report that the server answered the opening handshake with something else than 101.

    >>> async with serve(App(), port=0) as server, connect(f"ws://127.0.0.1:{server.port}/nowhere"): ...
    Traceback (most recent call last):
    flowsock.errors.HandshakeRejected: the server answered 404 instead of 101 (Switching Protocols)

    Attributes:
        status: The HTTP status code.
        headers: The response's header fields, names in lower case.
        body: The response's body (as much as arrived in time, at most 64 KiB).
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        location = headers.get("location")
        # The server wrote it: what it may do to a terminal or a log is escaped, and cut.
        target = "" if location is None else f" and points to {location[:200]!r}: redirects are not followed"
        super().__init__(f"the server answered {status} instead of 101 (Switching Protocols){target}")
        self.status = status
        self.headers = headers
        self.body = body


class EventStreamError(FlowsockError):
    """Report that the events of a server cannot be had, and that asking again would be in vain.

    >>> async with serve(App(), port=0) as server:
    ...     try:
    ...         await events(f"http://127.0.0.1:{server.port}/nowhere").first()
    ...     except EventStreamError as error:
    ...         print(error)
    the server answered 404 (text/plain; charset=utf-8) instead of 200 (text/event-stream)
    """


class EventStreamRejected(EventStreamError):
    """Report that the server answered with something else than an event stream.

    Attributes:
        status: The HTTP status code.
        headers: The response's header fields, names in lower case.
        body: The start of the response's body, as much as arrived with its head, or nothing where the status is 200.

    >>> EventStreamRejected(301, {"location": "/new"}, b"").status
    301
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        location = headers.get("location")
        # The server wrote it: what it may do to a terminal or a log is escaped, and cut.
        target = "" if location is None else f" and points to {location[:200]!r}: redirects are not followed"
        kind = headers.get("content-type", "no content type")[:200]
        super().__init__(f"the server answered {status} ({kind}) instead of 200 (text/event-stream){target}")
        self.status = status
        self.headers = headers
        self.body = body


class ProtocolError(FlowsockError):
    """Report that the peer broke the protocol or a limit.

    Attributes:
        code: The close code that tells the peer so (RFC 6455 section 7.4.1).

    >>> ProtocolError(CloseCode.TOO_BIG, "a message of 2 MiB").code
    <CloseCode.TOO_BIG: 1009>
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class SessionClosed(FlowsockError):
    """Report that a session is over.

    Attributes:
        reason: Why it ended.

    >>> app = App()
    >>> echo = app.websocket("/")(lambda session: session.incoming.collect(session.send))
    >>> async with serve(app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}") as session:
    ...     await session.close()
    ...     await session.send("too late")
    Traceback (most recent call last):
    flowsock.errors.SessionClosed: the session is closed: 1000 (NORMAL)
    """

    def __init__(self, reason: CloseReason) -> None:
        super().__init__(f"the session is closed: {reason}")
        self.reason = reason


class SessionAborted(SessionClosed):
    """Report that a session ended otherwise than by a clean close (1000 or 1001).

    >>> app = App()
    >>> refusing = app.websocket("/")(lambda session: session.close(CloseCode.VIOLATED_POLICY, "no"))
    >>> async with serve(app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}") as session:
    ...     await session.incoming.collect()
    Traceback (most recent call last):
    flowsock.errors.SessionAborted: the session is closed: 1008 (VIOLATED_POLICY): no
    """
