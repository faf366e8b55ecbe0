"""What there is to measure, and reading it from anywhere."""

from __future__ import annotations

from time import sleep as block
from typing import Any

import anyio
import pytest

from flowsock import (
    App,
    Channel,
    MutableSharedFlow,
    MutableStateFlow,
    Rooms,
    Session,
    SessionAborted,
    connect,
    coroutine_scope,
    open_broker,
    serve,
)
from flowsock.metrics import Kind, LoopLag, Metrics
from tests.sessions.support import until

pytestmark = pytest.mark.anyio


def an_app() -> App:
    app = App()

    @app.websocket("/", ping_interval=0.02)
    async def echo(session: Session) -> None:
        await session.incoming.collect(session.send)

    return app


def values(metrics: Metrics) -> dict[str, Any]:
    """Give each number by its name, or by its labels' values where there are several."""
    return {
        each.name: each.samples[0].value
        if len(each.samples) == 1 and not each.samples[0].labels
        else {tuple(sample.labels.values()): sample.value for sample in each.samples}
        for each in metrics.read()
    }


async def test_the_numbers_of_sessions_are_those_of_the_statistics() -> None:
    app = an_app()
    metrics = Metrics(app)
    async with serve(app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}/") as session:
        await session.send("hello")
        await session.incoming.first()
        await until(lambda: values(metrics)["ping.round_trip"])
        now = values(metrics)
        assert (now["sessions.open"], now["sessions.opened"], now["sessions.closed"]) == (1, 1, {})
        assert (now["messages.received"], now["messages.sent"], now["messages.dropped"]) == (1, 1, 0)
        assert now["wire.sent"] == app.statistics().bytes_sent > 0
        assert set(now["ping.round_trip"]) == {("median",), ("slowest",)}
        await session.close(4000)
        await until(lambda: not app.sessions)
    then = values(metrics)
    assert (then["sessions.open"], then["sessions.opened"], then["sessions.closed"]) == (0, 1, {("4000",): 1})
    assert then["ping.round_trip"] == {}
    assert then["messages.received"] == 1


async def test_sessions_that_are_cut_off_count_as_lost() -> None:
    app = an_app()
    metrics = Metrics(app)
    async with serve(app, port=0) as server:
        with pytest.raises(SessionAborted):
            async with connect(f"ws://127.0.0.1:{server.port}/") as session:
                await until(lambda: app.sessions)
                session.connection.abort()
                await session.incoming.first()
        await until(lambda: not app.sessions)
    assert values(metrics)["sessions.closed"] == {("1006",): 1}


async def test_messages_that_wait_are_counted() -> None:
    app = App()
    go_on = anyio.Event()

    @app.websocket("/")
    async def busy(session: Session) -> None:
        await go_on.wait()
        await session.incoming.collect(print)

    metrics = Metrics(app)
    async with serve(app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}/") as session:
        for _ in range(3):
            await session.send("x")
        await until(lambda: values(metrics)["messages.queued"] == 3)
        go_on.set()
        await until(lambda: values(metrics)["messages.queued"] == 0)


async def test_flows_and_channels_have_names() -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow(extra_buffer_capacity=1)
    state = MutableStateFlow(0)
    channel: Channel[int] = Channel(4)
    metrics = Metrics(App(), flows={"shared": shared, "state": state}, channels={"jobs": channel})
    async with coroutine_scope() as scope:
        shared.on_each(lambda _n: anyio.sleep_forever()).launch_in(scope)
        await anyio.wait_all_tasks_blocked()
        for number in range(2):
            await shared.emit(number)
        scope.launch(shared.emit, 2)
        await anyio.wait_all_tasks_blocked()
        state.value = 1
        channel.send_nowait(1)
        now = values(metrics)
        scope.cancel()
    assert now["flow.emitted"] == {("shared",): 2, ("state",): 1}
    assert now["flow.collectors"] == {("shared",): 1, ("state",): 0}
    assert now["flow.lag"] == {("shared",): 1, ("state",): 0}
    assert now["flow.suspended"] == {("shared",): 1, ("state",): 0}
    assert now["channel.size"] == {("jobs",): 1}
    assert "topic.received" not in now


async def test_brokers_and_topics_have_names() -> None:
    async with open_broker("memory://") as broker:
        topic = broker.topic("chat", str, replay=1)
        await topic.emit("hello")
        now = values(Metrics(App(), flows={"chat": topic}, brokers={"main": broker}))
    assert now["flow.emitted"] == {("chat",): 1}
    assert now["topic.junk"] == {("chat",): 0}
    assert now["broker.refused"] == {("main",): 0}


async def test_rooms_are_counted_together() -> None:
    app = App()
    rooms: Rooms[str] = Rooms()

    @app.websocket("/{room}/{user}")
    async def stay(session: Session[str, str], room: str, user: str) -> None:
        with rooms.join(room, user, session) as here:
            here.messages.on_each(lambda _text: anyio.sleep_forever()).launch_in(session.scope)
            await session.incoming.collect(here.messages.emit)

    metrics = Metrics(app, rooms={"chat": rooms})
    async with serve(app, port=0) as server:
        url = f"ws://127.0.0.1:{server.port}"
        async with connect(f"{url}/a/ann") as ann, connect(f"{url}/a/ann"), connect(f"{url}/a/bob"), connect(f"{url}/b/ann"):
            await until(lambda: rooms.statistics().members == 4)
            for _ in range(3):
                await ann.send("x")
            await until(lambda: rooms.statistics().lag == 2)
            now = values(metrics)
        await until(lambda: not rooms)
    assert [now[f"rooms.{what}"] for what in ("open", "users", "members")] == [{("chat",): 2}, {("chat",): 3}, {("chat",): 4}]
    assert values(metrics)["rooms.lag"] == {("chat",): 0}


def test_each_name_is_there_once_and_says_what_it_is() -> None:
    metrics = Metrics(App(), flows={"a": MutableStateFlow(0)}, channels={"b": Channel(1)})
    names = [each.name for each in metrics.read()]
    assert len(names) == len(set(names))
    for each in metrics.read():
        assert each.description.endswith(".")
        assert (each.unit == "By") is each.name.startswith("wire.") or each.name.startswith("event_streams.")
        assert each.kind is not Kind.COUNTER or all(sample.value >= 0 for sample in each.samples)


async def test_another_thread_reads_what_the_event_loop_looks_at() -> None:
    app = an_app()
    metrics = Metrics(app)
    async with serve(app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}/"):
        with anyio.fail_after(10):
            assert (await anyio.to_thread.run_sync(values, metrics))["sessions.open"] == 1


@pytest.mark.parametrize("anyio_backend", [("asyncio", {}), ("trio", {})], ids=["asyncio", "trio"])
async def test_another_thread_does_not_wait_for_an_event_loop_that_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowsock.metrics.metrics._PATIENCE", 0.05)
    app = an_app()
    metrics = Metrics(app)
    async with serve(app, port=0) as server, connect(f"ws://127.0.0.1:{server.port}/"):
        assert values(metrics)["sessions.opened"] == 1
        read: list[Any] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, lambda: read.append(values(metrics)))
            await anyio.lowlevel.checkpoint()
            block(0.5)  # noqa: ASYNC251 that is what it is about
    assert read[0]["sessions.opened"] == 1


@pytest.mark.parametrize("anyio_backend", [("asyncio", {}), ("trio", {})], ids=["asyncio", "trio"])
async def test_a_blocked_event_loop_is_late() -> None:
    lag = LoopLag(period=0.01, window=60)
    app = App()
    metrics = Metrics(app, lag=lag)
    assert lag.worst is None
    assert values(metrics)["event_loop.lag"] == {}
    async with serve(app, port=0):
        await until(lambda: lag.worst is not None)
        block(0.3)  # noqa: ASYNC251 that is what it is about
        await until(lambda: (lag.worst or 0) > 0.2)
        assert values(metrics)["event_loop.lag"] == lag.worst


@pytest.mark.usefixtures("virtual_clock")
async def test_a_lag_is_forgotten() -> None:
    lag = LoopLag(period=1, window=5)
    lag._lags.append((anyio.current_time(), 9.0))
    async with coroutine_scope() as scope:
        scope.launch(lag.run)
        await anyio.sleep(4.5)
        assert lag.worst == 9
        await anyio.sleep(3)
        assert lag.worst == pytest.approx(0)
        scope.cancel()


@pytest.mark.parametrize("settings", [{"period": 0}, {"window": -1}])
def test_durations_are_checked(settings: Any) -> None:
    with pytest.raises(ValueError, match="above 0"):
        LoopLag(**settings)
