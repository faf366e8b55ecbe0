"""Collecting one upstream for many: when it starts, when it stops, and the job that does it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from anyio import sleep, sleep_forever
from attrs import field, frozen, validators

from flowsock.channels.capacity import BUFFERED, UNLIMITED, BufferOverflow
from flowsock.channels.channel import Channel
from flowsock.channels.select import select
from flowsock.emitting import ignore
from flowsock.errors import NoSuchElement
from flowsock.flows.broadcast import Broadcast
from flowsock.flows.conduit import ChannelSource
from flowsock.flows.conflation import Conflation, same_value
from flowsock.flows.counting import subscription_count
from flowsock.flows.operators.buffering import Buffered
from flowsock.flows.operators.flattening import TransformLatest
from flowsock.flows.operators.transform import distinct
from flowsock.parking import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.emitting import Emit, Emitter
    from flowsock.flows.dispatcher import Dispatcher
    from flowsock.flows.flow import Flow
    from flowsock.flows.source import Source
    from flowsock.scopes.job import Job
    from flowsock.scopes.scope import Scope


class SharingCommand(Enum):
    """What a sharing job is told to do.

    >>> SharingCommand("stop")
    <SharingCommand.STOP: 'stop'>
    """

    START = "start"
    STOP = "stop"
    STOP_AND_RESET_REPLAY_CACHE = "stop and reset the replay cache"


class SharingStarted(ABC):
    """Decide when a shared upstream is collected (Kotlin: ``SharingStarted``); subclass it for a strategy of your own.

    Law: repeated commands, and stops before a start, are ignored.

    >>> async with coroutine_scope() as scope:
    ...     ticks = interval(1).share_in(scope, started=SharingStarted.EAGERLY, replay=1)
    ...     await sleep(3.5)
    ...     await ticks.first()
    ...     scope.cancel()
    2
    """

    EAGERLY: ClassVar[SharingStarted]
    """Start at once, never stop."""
    LAZILY: ClassVar[SharingStarted]
    """Start with the first subscriber, never stop."""

    @abstractmethod
    def commands(self, counts: Flow[int]) -> Flow[SharingCommand]:
        """Turn the changing number of subscribers into commands.

        Law: a command that repeats the one before it is ignored; so is the end of the commands. Their failure is the scope's.
        """

    @staticmethod
    def while_subscribed(*, stop_timeout: float = 0.0, replay_expiration: float = inf) -> SharingStarted:
        """Start with the first subscriber, stop after the last one left.

        Args:
            stop_timeout: How many seconds to go on without subscribers.
            replay_expiration: How many seconds after the stop the replay cache is kept.

        Raises:
            ValueError: a duration is negative.
        """
        return _WhileSubscribed(stop_timeout, replay_expiration)


class _Eagerly(SharingStarted):
    def commands(self, counts: Flow[int]) -> Flow[SharingCommand]:
        return counts.take(1).map(lambda _count: SharingCommand.START)


class _Lazily(SharingStarted):
    def commands(self, counts: Flow[int]) -> Flow[SharingCommand]:
        return counts.filter(lambda count: count > 0).take(1).map(lambda _count: SharingCommand.START)


@frozen
class _WhileSubscribed(SharingStarted):
    stop_timeout: float = field(validator=validators.ge(0))
    replay_expiration: float = field(validator=validators.ge(0))

    def commands(self, counts: Flow[int]) -> Flow[SharingCommand]:
        reactions = counts.transform_latest(self._react)
        return reactions.drop_while(lambda command: command is not SharingCommand.START).distinct_until_changed()

    async def _react(self, emit: Emitter[SharingCommand], count: int) -> None:
        if count > 0:
            await emit(SharingCommand.START)
            return
        await sleep(self.stop_timeout)
        if self.replay_expiration > 0:
            await emit(SharingCommand.STOP)
            await (sleep_forever() if self.replay_expiration == inf else sleep(self.replay_expiration))
        await emit(SharingCommand.STOP_AND_RESET_REPLAY_CACHE)


SharingStarted.EAGERLY = _Eagerly()
SharingStarted.LAZILY = _Lazily()


def sharing_engine(source: Source[Any], replay: int) -> tuple[Source[Any], Broadcast[Any]]:
    """Make the engine that shares a source; a buffer right above becomes the engine's own."""
    room = max(replay, 64) - replay
    if not isinstance(source, Buffered):
        return source, Broadcast(replay, room, BufferOverflow.SUSPEND)
    if source.capacity > 0:
        room = source.capacity
    elif source.overflow is not BufferOverflow.SUSPEND:
        # A place to drop from, unless the replay cache is one.
        room = 0 if replay else 1
    elif source.capacity != BUFFERED:
        room = 0
    return source.upstream, Broadcast(replay, room, source.overflow)


def unbuffered(source: Source[Any]) -> Source[Any]:
    """Leave out a buffer right above, where nobody below ever waits."""
    return source.upstream if isinstance(source, Buffered) else source


async def first_state(source: Source[Any], scope: Scope) -> Conflation[Any]:
    """Launch the job that collects a source into a state, and wait for the first value, which makes it."""
    states: Channel[Conflation[Any]] = Channel(1)
    state: Conflation[Any] | None = None

    def put(value: Any) -> None:
        nonlocal state
        if state is None:
            state = Conflation(value, same_value)
            states.send_nowait(state)
        else:
            state.set(value)

    job = scope.launch(unbuffered(source).collect, put, name="share")
    made: Conflation[Any] | None = None
    try:
        made = await select(states.on_receive(), job.on_await())
    finally:
        if made is None:
            job.cancel()
    if made is None:
        raise NoSuchElement("the flow was empty: state_in() has no value to start with")
    return made


def share(
    upstream: Source[Any],
    scope: Scope,
    decide: Callable[[Source[int]], Source[SharingCommand]],
    engine: Dispatcher[Any],
    put: Emit[Any],
    reset: Callable[[], object],
) -> Job[None]:
    """Launch the job that collects the upstream into a hot engine, as the strategy commands.

    The number of subscribers is watched from now on, not from the job's first turn: not even a subscriber that leaves at
    once is overlooked.
    """
    changes: Channel[int] = Channel(UNLIMITED)
    watcher = subscription_count(engine).subscribe(changes.send)
    watcher.run_without_task(NOBODY)

    async def obey(_emit: Emitter[Any], command: SharingCommand) -> None:
        if command is SharingCommand.START:
            await upstream.collect(put)
        elif command is SharingCommand.STOP_AND_RESET_REPLAY_CACHE:
            reset()

    commands = distinct(decide(ChannelSource(changes)))

    async def run() -> None:
        try:
            await TransformLatest(commands, obey, 0).collect(ignore)
        finally:
            watcher.close()

    return scope.launch(run, name="share")
