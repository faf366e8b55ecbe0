"""The access log: one line for each session, each event stream and each page, when it is over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from flowsock.sessions.events.event_stream import EventStream
    from flowsock.sessions.session import Session
    from flowsock.wire.request import Request
    from flowsock.wire.response import Response

_logger = logging.getLogger("flowsock.access")
_LONGEST_PATH: Final = 200


@frozen
class Access:
    """Tell what one request came to.

    It holds no query, no header and no close message: that is where secrets are, and what a peer can write as it likes. A path
    is as it was sent, with its escapes, so without a control character, and cut at 200 characters.

    Args:
        client: The client's address, or ``-``.
        method: The request's method.
        path: The request's path.
        status: The status of the answer; 101 for a session.
        seconds: How long it took; for a session, how long it lasted.
    """

    client: str
    method: str
    path: str
    status: int
    seconds: float

    def __str__(self) -> str:
        return f'{self.client} "{self.method} {self.path}" {self.status} {self.seconds:.3f}s'


@frozen
class SessionAccess(Access):
    """Tell what one session came to.

    Args:
        code: Its close code, or ``None`` if it was cut off before there was one.
        messages_received: Whole messages from the peer.
        messages_sent: Whole messages to the peer.
        bytes_received: Bytes read, frame headers included.
        bytes_sent: Bytes written, frame headers included.
    """

    code: int | None
    messages_received: int
    messages_sent: int
    bytes_received: int
    bytes_sent: int

    def __str__(self) -> str:
        return (
            f"{super().__str__()} closed {self.code or '-'} messages {self.messages_received}/{self.messages_sent} "
            f"bytes {self.bytes_received}/{self.bytes_sent}"
        )


@frozen
class StreamAccess(Access):
    """Tell what one event stream came to.

    Args:
        events: Events sent, comments of the handler included.
        bytes_sent: Bytes of the content.
    """

    events: int
    bytes_sent: int

    def __str__(self) -> str:
        return f"{super().__str__()} events {self.events} bytes {self.bytes_sent}"


def log_response(request: Request, response: Response, seconds: float) -> None:
    """Log how a request was answered."""
    # As an argument, so that a handler of the logger finds the values in ``record.args``.
    _logger.info("%s", Access(*_request(request), response.status, seconds))


def log_session(session: Session, seconds: float) -> None:
    """Log how a session went."""
    counts, reason = session.statistics(), session.close_reason
    _logger.info(
        "%s",
        SessionAccess(
            *_request(session.request),
            101,
            seconds,
            None if reason is None else reason.code,
            counts.messages_received,
            counts.messages_sent,
            counts.bytes_received,
            counts.bytes_sent,
        ),
    )


def log_events(stream: EventStream, seconds: float) -> None:
    """Log how an event stream went."""
    _logger.info("%s", StreamAccess(*_request(stream.request), 200, seconds, stream.events_sent, stream.bytes_sent))


def _request(request: Request) -> tuple[str, str, str]:
    path = request.target.partition("?")[0]
    short = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"
    return request.client or "-", request.method, short
