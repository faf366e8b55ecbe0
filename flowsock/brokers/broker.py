"""`Broker`: topics, and the connection that they share."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, overload

from anyio import move_on_after

from flowsock.brokers.broker_config import BrokerConfig
from flowsock.brokers.broker_state import BrokerClosed, BrokerConnected, BrokerState, BrokerWaiting
from flowsock.brokers.engine import Guarantee
from flowsock.brokers.engines import engine_for
from flowsock.brokers.feed import Feed
from flowsock.brokers.line import Line
from flowsock.brokers.outbox import Outbox
from flowsock.brokers.relay import Relay
from flowsock.brokers.statistics import BrokerStatistics
from flowsock.brokers.topic import Topic, TopicSettings
from flowsock.channels.capacity import BufferOverflow
from flowsock.codecs.choosing import codec_for
from flowsock.codecs.message_codec import MessageFormat
from flowsock.flows.state import MutableStateFlow
from flowsock.scopes.scope import coroutine_scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from flowsock.brokers.engine import Engine
    from flowsock.brokers.gap import Gap
    from flowsock.codecs.choosing import CodecSetting
    from flowsock.flows.flow import StateFlow
    from flowsock.scopes.job import Job
    from flowsock.scopes.scope import Scope

T = TypeVar("T")


class Broker:
    """Topics by their names, over a broker; `open_broker` opens one, and each `App` has one.

    Laws: topics may be asked for at any time; what is emitted before the broker is open waits in the outbox. While it is open,
    a connection that is lost is opened again, and `state` tells. When it is closed, the outbox has ``close_timeout`` seconds
    to empty.

    Args:
        url: ``memory://`` for this process alone; ``redis://…`` (publish and subscribe) and ``nats://…`` deliver at most once;
            ``redis+stream://…`` and ``nats+jetstream://…`` at least once, within the retention. ``rediss``, and ``tls``
            in place of ``nats``, are the same over TLS.
        config: The settings.
        settings: Override some of the `BrokerConfig`.

    Raises:
        ValueError: there is no such broker, or a setting makes no sense.
        TypeError: there is no such setting.
        ImportError: the broker's library is not installed.

    >>> Broker("memory://").topic("chat.lobby", str, replay=20)
    <Topic 'chat.lobby'>
    """

    def __init__(self, url: str = "memory://", *, config: BrokerConfig | None = None, **settings: Any) -> None:
        self._config = (config or BrokerConfig()).with_overrides(settings)
        self._topics: dict[str, Topic[Any]] = {}
        self._feeding: dict[Topic[Any], Job[None]] = {}
        self._outbox = Outbox(self._config)
        self._scope: Scope | None = None
        self._is_open = False
        self._relay: Relay | None = None
        self._state: MutableStateFlow[BrokerState] = MutableStateFlow(BrokerClosed())
        self.state: StateFlow[BrokerState] = self._state.as_state_flow()
        self.use(url)

    def use(self, url: str) -> None:
        """Take another broker, for the topics that there are too; it must not be open.

        Raises:
            RuntimeError: it is open.
            ValueError: there is no such broker.
            ImportError: the broker's library is not installed.

        >>> broker = Broker()
        >>> broker.use("memory://")
        >>> broker.guarantee
        <Guarantee.LOCAL: 'within this process'>
        """
        if self._is_open:
            raise RuntimeError("the broker is open: choose another one before")
        self._engine: Engine | None = engine_for(url, self._config)
        for topic in self._topics.values():
            self._tie(topic)

    @property
    def guarantee(self) -> Guarantee:
        """Say what is promised about a message that the broker has acknowledged.

        >>> Broker().guarantee
        <Guarantee.LOCAL: 'within this process'>
        """
        return Guarantee.LOCAL if self._engine is None else self._engine.guarantee

    @overload
    def topic(
        self,
        name: str,
        of: type[T],
        /,
        *,
        replay: int = 0,
        extra_buffer_capacity: int = 64,
        on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND,
        codec: CodecSetting | str = MessageFormat.JSON,
        on_gap: Callable[[Gap], T] | None = None,
    ) -> Topic[T]: ...
    @overload
    def topic(
        self,
        name: str,
        of: Any,
        /,
        *,
        replay: int = 0,
        extra_buffer_capacity: int = 64,
        on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND,
        codec: CodecSetting | str = MessageFormat.JSON,
        on_gap: Callable[[Gap], Any] | None = None,
    ) -> Topic[Any]: ...
    def topic(
        self,
        name: str,
        of: Any,
        /,
        *,
        replay: int = 0,
        extra_buffer_capacity: int = 64,
        on_buffer_overflow: BufferOverflow = BufferOverflow.SUSPEND,
        codec: CodecSetting | str = MessageFormat.JSON,
        on_gap: Callable[[Gap], Any] | None = None,
    ) -> Topic[Any]:
        """Give the topic of a name, a shared flow that spans processes.

        Law: the same name gives the same topic, until it is closed.

        Args:
            name: Its name.
            of: The type of its messages, which chooses the codec.
            replay: As for `MutableSharedFlow`; of a broker that keeps messages, as many are fetched.
            extra_buffer_capacity: As for `MutableSharedFlow`; for the collectors of this process.
            on_buffer_overflow: As for `MutableSharedFlow`; for the collectors of this process.
            codec: How messages are written: ``"json"``, ``"msgpack"`` or a codec of yours.
            on_gap: Is called when messages are missing or may be; what it gives is emitted in their place, in this process, and
                what it raises, as `raise_gap` does, ends the collectors.

        Raises:
            ValueError: the name is empty, or its topic has other settings; a size makes no sense.
            TypeError: there is no codec for the type.

        >>> broker = Broker()
        >>> broker.topic("chat.lobby", str) is broker.topic("chat.lobby", str)
        True
        """
        if not name:
            raise ValueError("a topic needs a name")
        settings = TopicSettings(of, replay, extra_buffer_capacity, on_buffer_overflow, codec, on_gap)
        known = self._topics.get(name)
        if known is None:
            return self._make(name, settings)
        if known.settings != settings:
            raise ValueError(f"topic {name!r} was asked for with other settings before: {known.settings}")
        return known

    def _make(self, name: str, settings: TopicSettings) -> Topic[Any]:
        topic: Topic[Any] = Topic(name, settings, self._forget)
        self._tie(topic)
        self._topics[name] = topic
        self._feed(topic)
        self._outbox.wake()
        return topic

    def _tie(self, topic: Topic[Any]) -> None:
        # The codec is chosen without a broker too: what cannot be encoded is to fail before there is one.
        codec = codec_for(topic.settings.type, topic.settings.codec)
        if self._engine is None:
            topic.line = None
        else:
            keeps, replay = self._engine.keeps, topic.settings.replay
            feed = Feed(topic.name, replay, codec, topic.deliver, topic.tell, self._config, keeps=keeps)
            topic.line = Line(topic.name, self._outbox, feed, codec, self._config.max_message_size)

    def _feed(self, topic: Topic[Any]) -> None:
        if self._scope is not None and topic.line is not None:
            self._feeding[topic] = self._scope.launch(topic.line.feed.run, name=f"topic {topic.name}")

    def _forget(self, topic: Topic[Any]) -> None:
        if self._topics.get(topic.name) is topic:
            del self._topics[topic.name]
            self._outbox.wake()
        job = self._feeding.pop(topic, None)
        if job is not None:
            job.cancel()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Be open while the block lasts, unless an outer block has opened it already.

        >>> broker = Broker()
        >>> async with broker.running():
        ...     print(broker.state.value)
        BrokerConnected()
        """
        if self._is_open:
            yield
            return
        self._is_open = True
        try:
            if self._engine is None:
                self._state.value = BrokerConnected()
                yield
            else:
                async with self._carrying(self._engine):
                    yield
        finally:
            self._is_open = False
            self._state.value = BrokerClosed()

    @asynccontextmanager
    async def _carrying(self, engine: Engine) -> AsyncGenerator[None]:
        self._relay = Relay(engine, self._config, self._outbox, self._topics, self._state)
        async with coroutine_scope() as scope:
            self._scope = scope
            try:
                scope.launch(self._relay.run, name="broker")
                for topic in self._topics.values():
                    self._feed(topic)
                with move_on_after(self._config.connect_timeout):
                    await self.state.first(lambda state: isinstance(state, BrokerConnected | BrokerWaiting))
                    await self._wait_joined()
                yield
                with move_on_after(self._config.close_timeout):
                    await self.flush()
            finally:
                self._scope = None
                self._feeding.clear()
                scope.cancel()

    async def _wait_joined(self) -> None:
        if isinstance(self.state.value, BrokerConnected):
            for topic in list(self._topics.values()):
                await topic.wait_joined()

    async def flush(self) -> None:
        """Wait until the broker has all that was emitted here.

        >>> async with open_broker("memory://") as broker:
        ...     await broker.flush()
        """
        await self._outbox.flush()

    def statistics(self) -> BrokerStatistics:
        """Count what passed through.

        >>> Broker().statistics().topics
        0
        """
        outbox = self._outbox
        return BrokerStatistics(
            topics=len(self._topics),
            waiting=outbox.waiting,
            published=outbox.published,
            refused=outbox.refused,
            dropped=outbox.dropped,
            connections=0 if self._relay is None else self._relay.connections,
        )

    def __repr__(self) -> str:
        return f"<Broker {self._state.value}>"


@asynccontextmanager
async def open_broker(url: str, *, config: BrokerConfig | None = None, **settings: Any) -> AsyncGenerator[Broker]:
    """Open a broker while a block lasts: ``async with open_broker("redis://localhost") as broker: …``.

    Law: the block begins when the first connection is open, or has failed, or ``connect_timeout`` seconds later: a broker that
    is not there yet is waited for in the background, see `Broker`.

    Args:
        url: As for `Broker`.
        config: The settings.
        settings: Override some of the `BrokerConfig`.

    Raises:
        ValueError: there is no such broker, or a setting makes no sense.
        TypeError: there is no such setting.
        ImportError: the broker's library is not installed.

    >>> async with open_broker("memory://") as broker:
    ...     numbers = broker.topic("numbers", int, replay=1)
    ...     await numbers.emit(42)
    ...     await numbers.first()
    42
    """
    broker = Broker(url, config=config, **settings)
    async with broker.running():
        yield broker
