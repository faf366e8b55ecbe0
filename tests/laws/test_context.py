"""Law of context: of a directly dispatched chain, synchronous stages run in the emitter's task, others in the collector's."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeAlias

import pytest
from anyio import get_current_task

from flowsock import Flow, MutableSharedFlow, MutableStateFlow, coroutine_scope, flow_of
from tests.turns import settled

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

user: ContextVar[str] = ContextVar("user", default="nobody")
Log: TypeAlias = list[tuple[str, str, int]]


def here(stage: str) -> tuple[str, str, int]:
    return stage, user.get(), get_current_task().id


def noting(stage: str, log: Log) -> Callable[[int], int]:
    def note(value: int) -> int:
        log.append(here(stage))
        return value

    return note


async def test_synchronous_stages_run_in_the_emitters_task_and_context() -> None:
    for shared in (MutableSharedFlow[int](), MutableStateFlow(0)):
        log: Log = []
        ids: dict[str, int] = {}

        async def collect(flow: Flow[int] = shared, log: Log = log, ids: dict[str, int] = ids) -> None:
            user.set("collector")
            ids["collector"] = get_current_task().id
            await (
                flow.filter(lambda value: value > 0).map(noting("map", log)).collect(lambda _value: log.append(here("collect")))
            )

        async with coroutine_scope() as scope:
            scope.launch(collect)
            await settled()
            token = user.set("emitter")
            shared.emit_nowait(1)
            user.reset(token)
            scope.cancel()
        me = get_current_task().id
        assert ids["collector"] != me
        assert log == [("map", "emitter", me), ("collect", "emitter", me)]


async def test_asynchronous_stages_and_what_is_below_them_run_in_the_collectors_task_and_context() -> None:
    shared = MutableSharedFlow[int]()
    log: Log = []
    ids: list[int] = []

    async def stage(value: int) -> int:
        log.append(here("async"))
        return value

    async def collect() -> None:
        user.set("collector")
        ids.append(get_current_task().id)
        await (
            shared.on_each(lambda _value: log.append(here("above")))
            .map(stage)
            .on_each(lambda _value: log.append(here("below")))
            .collect()
        )

    async with coroutine_scope() as scope:
        scope.launch(collect)
        await settled()
        token = user.set("emitter")
        await shared.emit(1)
        user.reset(token)
        await settled()
        scope.cancel()
    collector = ids[0]
    assert log == [
        ("above", "emitter", get_current_task().id),
        ("async", "collector", collector),
        ("below", "collector", collector),
    ]


async def test_a_backlog_is_delivered_in_the_collectors_task() -> None:
    shared = MutableSharedFlow[int](replay=1)
    shared.emit_nowait(1)
    log: Log = []
    ids: list[int] = []

    async def collect() -> None:
        user.set("collector")
        ids.append(get_current_task().id)
        await shared.collect(lambda _value: log.append(here("replay")))

    async with coroutine_scope() as scope:
        scope.launch(collect)
        await settled()
        scope.cancel()
    assert log == [("replay", "collector", ids[0])]


async def test_a_cold_flow_runs_in_the_collecting_task() -> None:
    log: Log = []
    user.set("me")

    async def stage(value: int) -> int:
        log.append(here("async"))
        return value

    await flow_of(1).map(stage).map(noting("sync", log)).collect(lambda _value: log.append(here("collect")))
    me = get_current_task().id
    assert log == [("async", "me", me), ("sync", "me", me), ("collect", "me", me)]
