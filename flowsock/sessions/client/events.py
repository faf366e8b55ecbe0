"""`events`: an event stream from this end, which comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from flowsock.flows.flow import Flow
from flowsock.flows.sources import GeneratorSource
from flowsock.scopes.restart import Backoff
from flowsock.sessions.client.event_attempts import EventAttempts, EventRules
from flowsock.sessions.client.event_request import EventRequest
from flowsock.sessions.client.url import parse_http_url
from flowsock.sessions.drivers.driver import running_driver
from flowsock.wire.headers import Headers, is_token
from flowsock.wire.server_sent_event import ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from ssl import SSLContext

    from flowsock.sessions.drivers.driver import Driver
    from flowsock.wire.headers import HeadersLike

RETRY_STATUSES: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
"""HTTP statuses that say "not now"; browsers give up after them."""


class events(Flow[ServerSentEvent]):
    """Give the events of a server, however often their stream is lost (WHATWG HTML, section 9.2; JavaScript: ``EventSource``).

    Laws:

    - *Cold.* Each collection connects, and its end, whatever it is, closes the connection.
    - *Reconnecting.* A stream that ended or was lost, a server that cannot be reached or says "not now", is asked again, for
      what comes after the last id (``Last-Event-ID``). The wait is what the server told in ``retry``, and on top of it what the
      backoff draws, which begins afresh after each event.
    - *The end.* It completes when the server answers with 204. It raises `EventStreamRejected` for other answers than an event
      stream, and when the attempts are used up what the last of them failed with.
    - *Back-pressure.* The connection is read no faster than events are collected.

    Args:
        url: ``http://`` or ``https://``; the latter verifies the server's certificate against the system's authorities. An
            answer that points elsewhere is not followed.
        method: The request's method.
        headers: More header fields.
        content: A body for the request; name its type in ``headers``.
        last_event_id: Where to go on, if events were seen before.
        reconnect: Whether to come back. Without, the end of the stream completes the flow, and its loss raises.
        backoff: The waits between attempts, with full jitter.
        attempts: How many attempts there may be since the last event; ``None`` for no limit.
        retry_statuses: HTTP statuses after which there is another attempt.
        open_timeout: Seconds that the server has to answer.
        max_event_size: Characters in one event, comments included; ``None`` for no limit.
        ssl: A TLS context of your own, for other authorities or a client's certificate.
        driver: Makes what to connect with, if not the running event loop's sockets.

    Raises:
        ValueError: the URL, the method or a header is malformed, a number is out of range, or ``ssl`` is given for an
            ``http://`` address.
        EventStreamRejected: see above; carries the server's answer.
        EventStreamError: the server's answer is malformed, or an event is too big.
        OSError, TimeoutError: the last attempt failed, or ``reconnect`` is off.

    >>> app = App()
    >>> count = app.sse("/")(lambda: flow_of("one", "two"))
    >>> async with serve(app, port=0) as server:
    ...     await events(f"http://127.0.0.1:{server.port}").map(lambda event: event.data).take(3).to_list()
    ['one', 'two', 'one']
    """

    __slots__ = ()

    RETRY_STATUSES: ClassVar = RETRY_STATUSES

    def __init__(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: HeadersLike = (),
        content: bytes | None = None,
        last_event_id: str = "",
        reconnect: bool = True,
        backoff: Backoff | None = None,
        attempts: int | None = None,
        retry_statuses: Iterable[int] = RETRY_STATUSES,
        open_timeout: float = 10.0,
        max_event_size: int | None = 2**20,
        ssl: SSLContext | None = None,
        driver: Callable[[], Driver] | None = None,
    ) -> None:
        if not is_token(method):
            raise ValueError(f"malformed method {method!r}")
        address = parse_http_url(url)
        if ssl is not None and not address.secure:
            raise ValueError(f"ssl= is for https:// addresses, and this is none: {url!r}")
        rules = EventRules(
            reconnect=reconnect,
            backoff=backoff or Backoff(),
            attempts=attempts,
            retry_statuses=retry_statuses,
            max_event_size=max_event_size,
        )
        request = EventRequest(address, method, Headers(headers), content, ssl, open_timeout)
        # What is wrong with the id is wrong now.
        request.encoded(last_event_id)

        def run() -> AsyncIterator[ServerSentEvent]:
            return EventAttempts(request, rules, last_event_id).run(driver or running_driver)

        super().__init__(GeneratorSource(run))
