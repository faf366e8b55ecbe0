"""Event streams, as the bytes that a client gets, and as the life of their handlers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import msgspec
import pydantic
import pytest
from anyio import fail_after

from flowsock import (
    App,
    Flow,
    MutableSharedFlow,
    Request,
    Response,
    ServerSentComment,
    ServerSentEvent,
    Session,
    SharedFlow,
    as_flow,
    connect,
    current_scope,
    flow_of,
    interval,
    reject,
    serve,
)
from tests.sessions.support import BOUND, failures, opening, raw_peer, request_head, until, ws

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from flowsock import Server
    from tests.sessions.support import Peer

pytestmark = pytest.mark.anyio

HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
    "connection": "close",
}


def app_of(handler: Callable[..., Any], path: str = "/", **settings: Any) -> App:
    app = App()
    app.sse(path, **settings)(handler)
    return app


async def ask(app: App, target: str = "/", method: str = "GET", **fields: str) -> tuple[int, dict[str, str], str]:
    """Send one request to an app, and read until the server closes."""
    async with serve(app, port=0) as server, raw_peer(server) as peer:
        await peer.send(request_head(method, target, fields))
        data = (await peer.raw_rest()).decode()
    head, _, body = data.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


@asynccontextmanager
async def listening(
    server: Server, target: str = "/", fields: dict[str, str] | None = None, *, receive_buffer: int | None = None
) -> AsyncIterator[Peer]:
    """Ask, and read the head of the answer and the first comment."""
    async with raw_peer(server, receive_buffer=receive_buffer) as peer:
        await peer.send(request_head("GET", target, fields))
        assert (await peer.head()).startswith("HTTP/1.1 200 OK\r\n")
        assert await read(peer, 3) == ":\n\n"
        yield peer


async def read(peer: Peer, size: int) -> str:
    return (await peer.exactly(size)).decode()


# What is on the wire


async def test_a_flow_of_texts_is_a_stream_of_events() -> None:
    status, headers, body = await ask(app_of(lambda: flow_of("a", "b\nc")))
    assert status == 200
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "content-length" not in headers
    assert body == ":\n\ndata: a\n\ndata: b\ndata: c\n\n"


async def test_events_and_comments_go_out_as_they_are_and_the_rest_as_json() -> None:
    values = (ServerSentEvent("x", event="e", id="1"), ServerSentComment("c"), {"a": [1]}, None, 2)
    _status, _headers, body = await ask(app_of(lambda: flow_of(*values)))
    assert body == ':\n\nevent: e\ndata: x\nid: 1\n\n: c\n\ndata: {"a":[1]}\n\ndata: null\n\ndata: 2\n\n'


class Reading(msgspec.Struct, tag="reading", frozen=True):
    celsius: float


class Model(pydantic.BaseModel):
    name: str


@attrs.frozen
class Point:
    x: int


async def test_typed_values_go_out_as_their_codec_says() -> None:
    _status, _headers, body = await ask(app_of(lambda: flow_of(Reading(2.5), Model(name="ü"), Point(1))))
    assert body == ':\n\ndata: {"type":"reading","celsius":2.5}\n\ndata: {"name":"ü"}\n\ndata: {"x":1}\n\n'


def one_by_one() -> Iterator[str]:
    yield from "ab"


async def later() -> Flow[str]:
    await anyio.lowlevel.checkpoint()
    return flow_of("a", "b")


async def generated() -> AsyncIterator[str]:
    yield "a"
    await anyio.lowlevel.checkpoint()
    yield "b"


async def generated_flow() -> AsyncIterator[str | Flow[str]]:
    yield "a"
    yield flow_of("b")


@pytest.mark.parametrize("handler", [later, generated, generated_flow, one_by_one, lambda: ["a", "b"]])
async def test_a_handler_gives_its_events_in_many_ways(handler: Callable[..., Any]) -> None:
    _status, _headers, body = await ask(app_of(handler))
    assert body == ":\n\ndata: a\n\ndata: b\n\n"


async def test_a_wait_is_told_first() -> None:
    _status, _headers, body = await ask(app_of(lambda: flow_of("a"), retry=0.5))
    assert body == "retry: 500\n\ndata: a\n\n"


async def test_none_tells_clients_not_to_come_back() -> None:
    assert (await ask(app_of(lambda: None)))[::2] == (204, "")


async def test_a_response_is_the_answer() -> None:
    status, _headers, body = await ask(app_of(lambda: Response(410, body=b"over")))
    assert (status, body) == (410, "over")


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
async def test_other_methods_are_405(method: str) -> None:
    status, headers, _body = await ask(app_of(lambda: flow_of("a")), method=method)
    assert (status, headers["allow"]) == (405, "GET, OPTIONS")


async def test_options_tells_what_is_allowed() -> None:
    status, headers, _body = await ask(app_of(lambda: flow_of("a")), method="OPTIONS")
    assert (status, headers["allow"]) == (204, "GET, OPTIONS")


async def test_parameters_the_guard_and_the_request_come_by_name() -> None:
    app = App()

    def check(request: Request, room: int) -> str | Response:
        return request.query.get("name") or reject(401, f"who are you in {room}?")

    @app.sse("/rooms/{room}", guard=check)
    def follow(who: str, room: int, request: Request) -> Flow[str]:
        return flow_of(f"{who} {room + 1} {request.host}")

    assert (await ask(app, "/rooms/7?name=ann"))[2] == ":\n\ndata: ann 8 test\n\n"
    assert (await ask(app, "/rooms/7"))[::2] == (401, "who are you in 7?\n")
    assert (await ask(app, "/rooms/x"))[0] == 404


async def test_a_websocket_may_have_the_same_path() -> None:
    app = app_of(lambda: flow_of("a"))

    @app.websocket("/")
    async def handler(session: Session[str, str]) -> None:
        await session.send("b")

    async with serve(app, port=0) as server:
        async with listening(server) as peer:
            assert (await peer.raw_rest()).decode() == "data: a\n\n"
        async with connect[str, str](ws(server)) as session:
            assert await session.incoming.to_list() == ["b"]
        async with raw_peer(server) as peer:
            await peer.send(opening("/"))
            assert (await peer.head()).startswith("HTTP/1.1 101")


@pytest.mark.parametrize(
    ("origins", "origin", "status", "fields"),
    [
        ("same", "http://test", 200, {}),
        ("same", "http://evil.example", 403, {}),
        ("*", "http://evil.example", 200, {"access-control-allow-origin": "*"}),
        (
            ["https://good.example"],
            "https://good.example",
            200,
            {
                "access-control-allow-origin": "https://good.example",
                "access-control-allow-credentials": "true",
                "vary": "origin",
            },
        ),
        (["https://good.example"], "https://evil.example", 403, {}),
    ],
)
async def test_pages_of_other_origins_listen_if_they_may(
    origins: Any, origin: str, status: int, fields: dict[str, str]
) -> None:
    found, headers, _body = await ask(app_of(lambda: flow_of("a"), origins=origins), Origin=origin)
    assert found == status
    assert {name: value for name, value in headers.items() if name.startswith("access-") or name == "vary"} == fields


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"heartbeat": 0}, ValueError, "heartbeat must be above 0"),
        ({"retry": -1}, ValueError, "retry"),
        ({"ping_interval": 1}, TypeError, "no such event stream setting: ping_interval"),
        ({"slow_reader": "panic"}, ValueError, "panic"),
        ({"origins": "all"}, ValueError, "allowed origins"),
    ],
)
def test_settings_are_checked_when_the_route_is_added(settings: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        App().sse("/", **settings)


def test_parameters_are_checked_when_the_route_is_added() -> None:
    with pytest.raises(ValueError, match="must be the same"):
        App().sse("/{room}")(lambda: flow_of("a"))


# Failures


@pytest.mark.parametrize("result", ["text", b"bytes", ServerSentEvent("x"), 7], ids=["text", "bytes", "event", "number"])
async def test_what_is_no_flow_is_500_and_one_log_entry(result: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert (await ask(app_of(lambda: result)))[::2] == (500, "internal error\n")
    (record,) = caplog.records
    assert record.exc_info is not None


async def test_a_flow_that_fails_ends_the_response_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> AsyncIterator[str]:
        yield "a"
        raise RuntimeError("secret")

    assert (await ask(app_of(failing)))[::2] == (200, ":\n\ndata: a\n\n")
    (record,) = caplog.records
    assert record.message == "the events of '/' failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "secret"


async def test_bytes_are_no_text(caplog: pytest.LogCaptureFixture) -> None:
    assert (await ask(app_of(lambda: flow_of(b"x"))))[2] == ":\n\n"
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "an event stream carries text" in str(record.exc_info[1])


# Resuming


def numbered(*numbers: int, replay: int = 3) -> MutableSharedFlow[ServerSentEvent]:
    topic: MutableSharedFlow[ServerSentEvent] = MutableSharedFlow(replay=replay)
    for number in numbers:
        topic.emit_nowait(ServerSentEvent(f"v{number}", id=f"ü{number}"))
    return topic


@pytest.mark.parametrize(
    ("last", "data"),
    [
        (None, ["v1", "v2", "v3"]),
        ("ü2", ["v3"]),
        ("ü3", []),
        ("ü0", ["gap ü0", "v1", "v2", "v3"]),
    ],
)
async def test_a_client_that_comes_back_to_a_shared_flow_goes_on_where_it_was(last: str | None, data: list[str]) -> None:
    topic = numbered(1, 2, 3)

    def follow() -> SharedFlow[ServerSentEvent]:
        return topic

    fields = {} if last is None else {"Last-Event-ID": last.encode().decode("latin-1")}
    async with serve(app_of(follow), port=0) as server, listening(server, "/", fields) as peer:
        await until(lambda: topic.subscription_count.value)
        topic.emit_nowait(ServerSentEvent("live"))
        seen = await peer.until(b"data: live\n\n")
    found = [line.removeprefix("data: ") for line in seen.decode().splitlines() if line.startswith("data: ")]
    gaps = ["gap ü0"] if "event: gap\n" in seen.decode() else []
    assert (gaps + found[1:] if gaps else found) == [*data, "live"]


async def test_a_handler_learns_where_the_client_was() -> None:
    def follow(request: Request) -> Flow[str]:
        return flow_of(str(request.last_event_id))

    assert (await ask(app_of(follow)))[2] == ":\n\ndata: None\n\n"
    assert (await ask(app_of(follow), **{"Last-Event-ID": "7"}))[2] == ":\n\ndata: 7\n\n"


# The life of a stream


class Life:
    """A handler that sends what it is told to, and what became of it."""

    def __init__(self, **settings: Any) -> None:
        self.ended: list[str] = []
        self.topic: MutableSharedFlow[str] = MutableSharedFlow()
        self.app = app_of(self.handler, **settings)

    async def handler(self) -> AsyncIterator[Flow[str]]:
        try:
            yield self.topic
        except anyio.get_cancelled_exc_class():
            self.ended.append("cancelled")
            raise
        finally:
            self.ended.append("closed")


@pytest.mark.parametrize("how", ["hang_up", "reset", "end_sending"])
async def test_a_client_that_goes_ends_the_handler_at_once_and_nothing_is_left(how: str) -> None:
    life = Life(heartbeat=None)
    async with serve(life.app, port=0) as server:
        async with listening(server) as peer:
            await until(lambda: life.topic.subscription_count.value)
            leaving = getattr(peer, how)()
            if leaving is not None:
                await leaving
            await until(lambda: life.ended)
            await until(lambda: not server.open_streams)
        assert life.topic.subscription_count.value == 0
        assert not server.unfinished
        assert len(life.app.streams) == 0


async def test_jobs_of_the_handler_end_with_the_client_and_are_awaited_otherwise() -> None:
    done: list[str] = []

    async def work(name: str, seconds: float) -> None:
        try:
            await anyio.sleep(seconds)
            done.append(name)
        except anyio.get_cancelled_exc_class():
            done.append(f"{name} cancelled")
            raise

    async def handler(request: Request) -> AsyncIterator[str]:
        scope = current_scope()
        assert scope is not None
        seconds = float(request.query["seconds"])
        scope.launch(work, "job", seconds)
        yield "a"

    async with serve(app_of(handler), port=0) as server:
        async with listening(server, "/?seconds=0.01") as peer:
            assert (await peer.raw_rest()).decode() == "data: a\n\n"
        assert done == ["job"]
        async with listening(server, "/?seconds=60") as peer:
            assert await read(peer, 9) == "data: a\n\n"
        await until(lambda: len(done) == 2)
        assert done[1] == "job cancelled"


async def test_a_client_that_leaves_before_the_handler_gave_a_flow_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def slow() -> Flow[str]:
        seen.append("begun")
        try:
            await anyio.sleep(60)
        finally:
            seen.append("ended")
        return flow_of("a")

    async with serve(app_of(slow), port=0) as server:
        async with raw_peer(server) as peer:
            await peer.send(request_head("GET", "/"))
            await until(lambda: seen)
        await until(lambda: len(seen) == 2)
        await until(lambda: not server.unfinished)
    assert failures(caplog) == []


async def test_heartbeats_come_while_nothing_else_does() -> None:
    async with serve(app_of(lambda: interval(60).map(str), heartbeat=0.05), port=0) as server, listening(server) as peer:
        assert await read(peer, 9) == ":\n\n" * 3


async def test_what_a_client_says_besides_is_ignored() -> None:
    life = Life()
    async with serve(life.app, port=0) as server, listening(server) as peer:
        await peer.send(b"x" * 100_000)
        await until(lambda: life.topic.subscription_count.value)
        await life.topic.emit("a")
        assert await read(peer, 9) == "data: a\n\n"


async def test_a_server_that_stops_ends_its_streams_and_what_was_sent_arrives() -> None:
    life = Life()
    big = "x" * 200_000
    peers: list[Peer] = []
    async with anyio.create_task_group() as tasks:

        async def follow(server: Server) -> None:
            async with listening(server) as peer:
                peers.append(peer)
                assert (await peer.raw_rest()).decode() == f"data: {big}\n\n"

        with fail_after(BOUND):
            async with serve(life.app, port=0) as server:
                for _ in range(3):
                    tasks.start_soon(follow, server)
                await until(lambda: life.topic.subscription_count.value == 3)
                await life.topic.emit(big)
    assert life.ended == ["cancelled", "closed"] * 3


async def test_a_stream_takes_a_seat() -> None:
    life = Life()
    async with serve(life.app, port=0, max_sessions=1) as server, listening(server) as _first, raw_peer(server) as second:
        await second.send(request_head("GET", "/"))
        assert (await second.head()).startswith("HTTP/1.1 503")
    async with serve(life.app, port=0, max_sessions=1) as server:
        for _ in range(3):
            async with listening(server):
                pass
            await until(lambda: not server.open_streams)


# Clients that do not read


async def test_the_flow_waits_for_a_client_that_does_not_read() -> None:
    sent: list[int] = []

    async def flood() -> AsyncIterator[str]:
        for number in range(200):
            yield f"{number:-^50000}"
            sent.append(number)

    async with serve(app_of(flood), port=0) as server, listening(server, receive_buffer=200_000) as peer:
        await anyio.sleep(0.2)
        assert len(sent) < 190
        assert len((await peer.raw_rest()).split(b"\n\n")) == 201


async def test_a_client_that_does_not_catch_up_is_cut() -> None:
    ended: list[bool] = []

    async def flood() -> AsyncIterator[str]:
        try:
            while True:
                yield "x" * 100_000
        finally:
            ended.append(True)

    async with serve(app_of(flood, send_timeout=0.2), port=0) as server, listening(server, receive_buffer=4096):
        await until(lambda: ended)
        await until(lambda: not server.open_streams)


async def test_a_policy_loses_events_instead_of_waiting() -> None:
    async def flood() -> AsyncIterator[str]:
        for number in range(400):
            yield f"{number:-^50000}"

    app = app_of(flood, slow_reader="drop_oldest", outgoing_queue=4)
    async with serve(app, port=0) as server, listening(server, receive_buffer=4096) as peer:
        await until(lambda: app.statistics().streams.dropped > 50)
        events = (await peer.raw_rest()).decode().split("\n\n")
    assert all(event.startswith("data: -") for event in events[:-1]), "events are whole"
    assert len(events) < 350
    assert "399" in events[-2]


# Counting


async def test_statistics_count_open_and_ended_streams() -> None:
    life = Life()
    async with serve(life.app, port=0) as server:
        async with listening(server) as peer:
            await until(lambda: life.topic.subscription_count.value)
            await life.topic.emit("a")
            await read(peer, 9)
            now = life.app.statistics().streams
            assert (now.open, now.opened, now.events_sent, now.bytes_sent) == (1, 1, 1, 12)
            assert server.open_streams == 1
        await until(lambda: not server.open_streams)
    then = life.app.statistics().streams
    assert (then.open, then.opened, then.events_sent, then.bytes_sent) == (0, 1, 1, 12)


async def test_the_access_log_has_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flowsock.access")
    async with (
        serve(app_of(lambda: as_flow(["a", "b"])), port=0, access_log=True) as server,
        listening(server, "/?x=1") as peer,
    ):
        await peer.raw_rest()
        await until(lambda: caplog.records)
    (record,) = caplog.records
    line = record.getMessage()
    assert line.startswith('127.0.0.1 "GET /" 200 ')
    assert line.endswith(" events 2 bytes 21")
