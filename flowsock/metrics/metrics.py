"""`Metrics`: what there is to measure of an app."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeout
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from anyio import sleep_forever
from anyio.from_thread import BlockingPortal

from flowsock.brokers.statistics import TopicStatistics
from flowsock.metrics.loop_lag import LoopLag
from flowsock.metrics.measurements import of_app, of_brokers, of_channels, of_flows, of_lag, of_rooms, of_servers, of_topics
from flowsock.scopes.groups import task_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowsock.brokers.broker import Broker
    from flowsock.channels.channel import Channel
    from flowsock.flows.flow import SharedFlow
    from flowsock.metrics.measurement import Measurement
    from flowsock.rooms.rooms import Rooms
    from flowsock.sessions.routes.router import Router

_PATIENCE: Final = 1.0
"""Seconds that another thread waits for an event loop that is busy; then it gets what was read before."""


class Metrics:
    """Read the numbers of an app, and of the flows, channels, rooms and brokers that are named.

    Laws: reading looks at what is counted anyway; a message costs nothing more because somebody reads. It may be done from any
    thread: while the app is served, its event loop looks.

    A background job of the app looks at how late its event loop is.

    Args:
        app: The app.
        flows: Shared flows, states and topics, by name.
        channels: Channels, by name.
        brokers: Brokers, by name.
        rooms: Sets of rooms, by name; they are counted together, and not each.
        lag: How to look at the event loop.

    >>> app = App()
    >>> metrics = Metrics(app, flows={"chat": MutableSharedFlow()})
    >>> [each.name for each in metrics.read()][:2]
    ['sessions.open', 'sessions.opened']
    """

    def __init__(
        self,
        app: Router,
        *,
        flows: Mapping[str, SharedFlow[Any]] | None = None,
        channels: Mapping[str, Channel[Any]] | None = None,
        brokers: Mapping[str, Broker] | None = None,
        rooms: Mapping[str, Rooms[Any]] | None = None,
        lag: LoopLag | None = None,
    ) -> None:
        self.app = app
        self.flows: dict[str, SharedFlow[Any]] = dict(flows or {})
        self.channels: dict[str, Channel[Any]] = dict(channels or {})
        self.brokers: dict[str, Broker] = dict(brokers or {})
        self.rooms: dict[str, Rooms[Any]] = dict(rooms or {})
        self._lag = lag or LoopLag()
        self._portal: BlockingPortal | None = None
        self._thread = 0
        self._latest: list[Measurement] = []
        app.background()(self._run)

    async def _run(self) -> None:
        async with BlockingPortal() as portal, task_group() as tasks:
            tasks.start_soon(self._lag.run)
            self._portal, self._thread = portal, get_ident()
            try:
                await sleep_forever()
            finally:
                self._portal = None

    def read(self) -> list[Measurement]:
        """Give all numbers of this moment."""
        portal = self._portal
        if portal is not None and get_ident() != self._thread:
            try:
                return portal.start_task_soon(self._read).result(_PATIENCE)
            except (FutureTimeout, RuntimeError):
                # The event loop is blocked, perhaps by whoever waits for this thread, or has just ended.
                return self._latest
        return self._read()

    def _read(self) -> list[Measurement]:
        flows = {name: flow.statistics() for name, flow in self.flows.items()}
        self._latest = [
            *of_app(self.app.statistics()),
            *of_servers([server.statistics() for server in tuple(self.app.servers)]),
            *of_lag(self._lag.worst),
            *of_flows(flows),
            *of_topics({name: counts for name, counts in flows.items() if isinstance(counts, TopicStatistics)}),
            *of_channels({name: channel.statistics() for name, channel in self.channels.items()}),
            *of_rooms({name: rooms.statistics() for name, rooms in self.rooms.items()}),
            *of_brokers({name: broker.statistics() for name, broker in self.brokers.items()}),
        ]
        return self._latest
