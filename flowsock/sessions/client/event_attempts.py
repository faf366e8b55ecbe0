"""One event stream after another, as if they were one."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from anyio import BrokenResourceError, EndOfStream, sleep
from attrs import field, frozen, validators

from flowsock.errors import EventStreamRejected
from flowsock.scopes.restart import Backoff
from flowsock.sessions.client.event_request import NoMoreEvents
from flowsock.wire.event_stream import EventStreamReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

    from flowsock.sessions.client.event_request import EventRequest
    from flowsock.sessions.drivers.driver import Driver
    from flowsock.wire.server_sent_event import ServerSentEvent


def _statuses(statuses: Iterable[int]) -> frozenset[int]:
    return frozenset(statuses)


@frozen(kw_only=True)
class EventRules:
    """Hold when a client comes back, and where it begins.

    Args:
        reconnect: Whether it comes back at all.
        backoff: The waits between attempts.
        attempts: How many attempts there may be since the last event; ``None`` for no limit.
        retry_statuses: HTTP statuses after which there is another attempt.
        max_event_size: Characters in one event; ``None`` for no limit.

    Raises:
        ValueError: a number is out of range.
    """

    reconnect: bool
    backoff: Backoff = field(factory=Backoff)
    attempts: int | None = field(validator=validators.optional(validators.ge(1)))
    retry_statuses: frozenset[int] = field(converter=_statuses)
    max_event_size: int | None = field(validator=validators.optional(validators.gt(0)))

    def is_final(self, error: Exception) -> bool:
        """Tell whether another attempt would be in vain, or is not wanted."""
        if not self.reconnect:
            return True
        if isinstance(error, EventStreamRejected):
            return error.status not in self.retry_statuses
        # Also a certificate that is not trusted, which is an OSError at the same time.
        return isinstance(error, ValueError)


class EventAttempts:
    """Ask for an event stream until there is nothing more to come; one collection of `events`."""

    __slots__ = ("_attempt", "_last_event_id", "_request", "_retry", "_rules", "_waits")

    def __init__(self, request: EventRequest, rules: EventRules, last_event_id: str) -> None:
        self._request = request
        self._rules = rules
        self._last_event_id = last_event_id
        self._retry = 0.0
        self._begin_afresh()

    def _begin_afresh(self) -> None:
        self._attempt = 0
        self._waits = self._rules.backoff.waits()

    async def run(self, make_driver: Callable[[], Driver]) -> AsyncIterator[ServerSentEvent]:
        """Yield the events of all streams."""
        async with make_driver() as driver:
            while True:
                self._attempt += 1
                error: Exception | None = None
                try:
                    async with aclosing(self._stream(driver)) as events:
                        async for event in events:
                            self._begin_afresh()
                            yield event
                except NoMoreEvents:
                    return
                except (OSError, BrokenResourceError, EndOfStream, EventStreamRejected) as raised:
                    error = raised
                if self._is_over(error):
                    return
                await sleep(self._retry + next(self._waits))

    async def _stream(self, driver: Driver) -> AsyncGenerator[ServerSentEvent]:
        """Yield the events of one stream."""
        async with self._request.open(driver, self._last_event_id) as (stream, content):
            reader = EventStreamReader(self._last_event_id, max_event_size=self._rules.max_event_size)
            received: bytes | None = content
            while received is not None:
                events = reader.feed(received)
                if reader.retry is not None:
                    self._retry = reader.retry
                for event in events:
                    self._last_event_id = event.id or ""
                    yield event
                self._last_event_id = reader.last_event_id
                received = await stream.receive()

    def _is_over(self, error: Exception | None) -> bool:
        """Tell whether a stream that ended, or failed by an error, was the last; raise the error if it was."""
        is_last = self._attempt == self._rules.attempts
        if error is None:
            return is_last or not self._rules.reconnect
        if is_last or self._rules.is_final(error):
            raise error
        return False
