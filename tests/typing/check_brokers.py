"""What checkers know of topics; read by mypy and pyright, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from msgspec import Struct

from flowsock import App, Flow, Gap, MutableSharedFlow, SharedFlow, Topic, raise_gap
from flowsock.brokers.statistics import TopicStatistics

if TYPE_CHECKING:
    from flowsock import Broker


class Said(Struct, frozen=True):
    who: str
    text: str


async def topics_carry_their_type(broker: Broker, app: App) -> None:
    said = broker.topic("chat.lobby", Said, replay=20)
    assert_type(said, Topic[Said])
    assert_type(app.topic("chat.lobby", Said), Topic[Said])
    assert_type(await said.first(), Said)
    assert_type(said.replay_cache, list[Said])
    assert_type(said.gaps, SharedFlow[Gap])
    assert_type(said.statistics(), TopicStatistics)
    assert_type(said.map(lambda each: each.who), Flow[str])
    shared: MutableSharedFlow[Said] = said
    await shared.emit(Said("ann", "hi"))
    await said.emit("hi")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    said.emit_nowait(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def missing(gap: Gap) -> int:
    return -(gap.lost or 0)


def gaps_become_messages(broker: Broker) -> None:
    assert_type(broker.topic("numbers", int, on_gap=missing), Topic[int])
    assert_type(broker.topic("numbers", int, on_gap=raise_gap), Topic[int])
