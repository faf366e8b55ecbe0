"""One connection to a broker after another, and what passes over them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from anyio import sleep

from flowsock.brokers.broker_state import BrokerConnected, BrokerConnecting, BrokerWaiting
from flowsock.brokers.engine import BrokerLost
from flowsock.scopes.groups import task_group

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from flowsock.brokers.broker_config import BrokerConfig
    from flowsock.brokers.broker_state import BrokerState
    from flowsock.brokers.engine import Engine, Wire
    from flowsock.brokers.outbox import Outbox
    from flowsock.brokers.topic import Topic
    from flowsock.flows.state import MutableStateFlow

_logger = logging.getLogger("flowsock")


class Relay:
    """Carry messages between topics and a broker.

    Laws: a connection that is lost is followed by the next attempt as the backoff draws it. On a new one the topics are
    followed again before anything is published, so that what is emitted here comes back here.

    Args:
        engine: The broker.
        config: The settings.
        outbox: What is to be published.
        topics: What is to be followed; after a change the outbox is to be woken.
        state: Where to say what the connection is doing.
    """

    __slots__ = ("_config", "_engine", "_outbox", "_state", "_topics", "connections")

    def __init__(
        self,
        engine: Engine,
        config: BrokerConfig,
        outbox: Outbox,
        topics: Mapping[str, Topic[Any]],
        state: MutableStateFlow[BrokerState],
    ) -> None:
        self._engine = engine
        self._config = config
        self._outbox = outbox
        self._topics = topics
        self._state = state
        self.connections = 0

    async def run(self) -> None:
        """Keep a connection, for ever."""
        attempt, waits = 0, self._config.backoff.waits()
        while True:
            attempt += 1
            self._state.value = BrokerConnecting(attempt)
            before = self.connections
            error = await self._attempt()
            if self.connections > before:
                attempt, waits = 0, self._config.backoff.waits()
            if not self.connections:
                self._miss_start()
            seconds = next(waits)
            self._log_loss(attempt, error)
            self._state.value = BrokerWaiting(seconds, error)
            await sleep(seconds)

    def _miss_start(self) -> None:
        for topic in self._topics.values():
            if topic.line is not None:
                topic.line.feed.missed_start = True

    def _log_loss(self, attempt: int, error: Exception) -> None:
        if attempt == 0:
            _logger.warning("the connection to the broker was lost: %s", error)
        elif attempt == 1:
            _logger.warning("there is no connection to the broker, trying again: %s", error)

    async def _attempt(self) -> Exception:
        """Have one connection, and give what it ended with."""
        try:
            async with self._engine.connect() as wire:
                await self._serve(wire)
        except BrokerLost as error:
            return error
        raise AssertionError("a connection ended without a reason")

    async def _serve(self, wire: Wire) -> None:
        losses: list[BrokerLost] = []
        async with task_group() as group:

            async def until_lost(part: Callable[[Wire], Awaitable[None]]) -> None:
                try:
                    await part(wire)
                except BrokerLost as error:
                    losses.append(error)
                    group.cancel_scope.cancel()

            for part in (self._receive, self._keep_alive, self._send):
                group.start_soon(until_lost, part)
        raise losses[0]

    async def _send(self, wire: Wire) -> None:
        followed: dict[str, Topic[Any]] = {}
        while True:
            await self._follow(wire, followed)
            if not isinstance(self._state.value, BrokerConnected):
                self.connections += 1
                self._state.value = BrokerConnected()
            letters = await self._outbox.next()
            await self._follow(wire, followed)
            if letters:
                refusals = await wire.publish(letters)
                self._outbox.arrived(len(refusals))
                if refusals:
                    _logger.error("the broker refused %d messages, the first of them: %s", len(refusals), refusals[0])

    async def _follow(self, wire: Wire, followed: dict[str, Topic[Any]]) -> None:
        for name in [name for name, topic in followed.items() if self._topics.get(name) is not topic]:
            del followed[name]
            await wire.unfollow(name)
        for name, topic in list(self._topics.items()):
            if name not in followed:
                followed[name] = topic
                await wire.follow(name)

    async def _receive(self, wire: Wire) -> None:
        async for arrival in wire.arrivals():
            topic = self._topics.get(arrival.topic)
            if topic is not None and topic.line is not None:
                topic.line.feed.arrive(arrival)

    async def _keep_alive(self, wire: Wire) -> None:
        while True:
            await sleep(self._config.ping_interval)
            await wire.ping()
