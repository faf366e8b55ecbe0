"""Event streams of an app, called by a host that the test plays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import App, Flow, MutableSharedFlow, Request, ServerSentEvent, SharedFlow, flow_of
from tests.conftest import anyio_backend as anyio_backend
from tests.sessions.asgi.asgi_host import Host
from tests.sessions.support import BOUND, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


def http_host(path: str = "/", **scope: Any) -> Host:
    host = Host("http", path, method="GET", **scope)
    host.say({"type": "http.request", "body": b"", "more_body": False})
    return host


def body_of(host: Host) -> bytes:
    return b"".join(event["body"] for event in host.sent if event["type"] == "http.response.body")


async def called(app: App, host: Host) -> Host:
    with anyio.fail_after(BOUND):
        await host.call(app)
    return host


async def test_a_flow_is_a_response_in_pieces() -> None:
    app = App()
    app.sse("/", retry=1)(lambda: flow_of("a", "b"))
    host = await called(app, http_host())
    start, *pieces = host.sent
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"text/event-stream"
    assert headers[b"cache-control"] == b"no-store"
    assert b"content-length" not in headers
    assert body_of(host) == b"retry: 1000\n\ndata: a\n\ndata: b\n\n"
    assert [piece["more_body"] for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    assert (app.statistics().streams.open, app.statistics().streams.events_sent) == (0, 2)


async def test_a_client_that_goes_ends_the_handler() -> None:
    topic: MutableSharedFlow[str] = MutableSharedFlow()
    ended: list[bool] = []
    app = App()

    @app.sse("/")
    async def follow() -> AsyncIterator[Flow[str]]:
        try:
            yield topic
        finally:
            ended.append(True)

    host = http_host()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(host.call, app)
        await until(lambda: topic.subscription_count.value)
        await topic.emit("a")
        await until(lambda: body_of(host) == b":\n\ndata: a\n\n")
        assert app.statistics().streams.open == 1
        host.say({"type": "http.disconnect"})
        with anyio.fail_after(BOUND):
            await host.returned.wait()
    assert ended == [True]
    assert topic.subscription_count.value == 0
    assert host.sent[-1]["more_body"], "nothing is said to a client that has gone"
    assert app.statistics().streams.open == 0


async def test_a_host_that_takes_nothing_makes_the_flow_wait() -> None:
    sent: list[int] = []
    app = App()

    @app.sse("/", send_timeout=30)
    async def flood() -> AsyncIterator[str]:
        for number in range(50):
            yield "x" * 10_000
            sent.append(number)

    host = http_host()
    host.reads = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(host.call, app)
        await anyio.sleep(0.3)
        assert sent == []
        host.reads = True
        with anyio.fail_after(BOUND):
            await host.returned.wait()
    assert len(sent) == 50
    assert len(body_of(host).split(b"\n\n")) == 52


@pytest.mark.usefixtures("virtual_clock")
async def test_heartbeats_come_while_nothing_else_does() -> None:
    app = App()
    app.sse("/", heartbeat=10)(lambda: MutableSharedFlow[str]())
    host = http_host()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(host.call, app)
        await anyio.sleep(35)
        host.say({"type": "http.disconnect"})
    assert body_of(host) == b":\n\n" * 4


@pytest.mark.parametrize(
    ("last", "data"), [(b"1", b":\n\ndata: b\nid: 2\n\n"), (b"9", b":\n\nevent: gap\ndata: 9\n\ndata: a\nid: 1\n\n")]
)
async def test_a_client_goes_on_where_it_was(last: bytes, data: bytes) -> None:
    topic: MutableSharedFlow[ServerSentEvent] = MutableSharedFlow(replay=9)
    for number, text in enumerate("ab", 1):
        topic.emit_nowait(ServerSentEvent(text, id=str(number)))
    app = App()

    @app.sse("/")
    def follow() -> SharedFlow[ServerSentEvent]:
        return topic

    host = http_host(headers=[(b"host", b"test"), (b"last-event-id", last)])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(host.call, app)
        await until(lambda: len(body_of(host)) >= len(data))
        assert body_of(host).startswith(data)
        host.say({"type": "http.disconnect"})


@pytest.mark.parametrize(("path", "method", "status"), [("/none", "GET", 204), ("/broken", "GET", 500), ("/none", "POST", 405)])
async def test_other_answers_are_whole(path: str, method: str, status: int) -> None:
    app = App()
    app.sse("/none")(lambda: None)
    app.sse("/broken")(lambda: "text")
    host = Host("http", path, method=method)
    host.say({"type": "http.request", "body": b""})
    assert (await called(app, host)).sent[0]["status"] == status


async def test_cancelling_the_call_ends_the_handler() -> None:
    topic: MutableSharedFlow[str] = MutableSharedFlow()
    app = App()

    @app.sse("/")
    def follow(request: Request) -> Flow[str]:
        assert request.path == "/"
        return topic

    host = http_host()
    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.call, app)
            await until(lambda: topic.subscription_count.value)
            tasks.cancel_scope.cancel()
    assert topic.subscription_count.value == 0
    assert app.statistics().streams.open == 0


async def test_no_session_is_opened_there() -> None:
    app = App()
    app.sse("/")(lambda: flow_of("a"))
    host = Host()
    host.say({"type": "websocket.connect"})
    await called(app, host)
    assert host.sent[0]["status"] == 404
