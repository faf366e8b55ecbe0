"""An app as an ASGI application, called by a host that the test plays: the rows of the design's table, and what a host adds."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from flowsock import (
    App,
    CloseReason,
    FlowsockError,
    RawSession,
    Request,
    Response,
    Session,
    SessionAborted,
    SessionClosed,
    reject,
)
from tests.conftest import anyio_backend as anyio_backend
from tests.sessions.asgi.asgi_host import Host
from tests.sessions.support import BOUND, Story, failures, until

pytestmark = pytest.mark.anyio

virtual_clock = pytest.mark.usefixtures("virtual_clock")


def app_of(handler: Any, path: str = "/", **settings: Any) -> App:
    app = App()
    app.websocket(path, **settings)(handler)
    return app


async def echo(session: Session) -> None:
    await session.incoming.collect(session.send)


class Collector:
    """A handler that collects until the end, and tells of it."""

    def __init__(self) -> None:
        self.story = Story()

    async def __call__(self, session: Session) -> None:
        async with self.story.of(session):
            await session.incoming.collect(self.story.seen.append)


# Messages


async def test_messages_pass_whole_in_order_and_of_their_kind() -> None:
    host = Host()
    async with host.open(app_of(echo)):
        host.text("a", "Grüße", "")
        host.say({"type": "websocket.receive", "bytes": b"\0\1", "text": None})
        await until(lambda: len(host.sent) == 5)
    assert host.texts == ["a", "Grüße", "", b"\0\1"]


async def test_what_is_received_and_sent_is_counted_in_bytes() -> None:
    host = Host()
    counts: list[Any] = []

    async def handler(session: Session) -> None:
        await session.send(await session.incoming.first())
        counts.append(session.statistics())

    async with host.open(app_of(handler)):
        host.text("für")
        await host.returned.wait()
    (count,) = counts
    assert (count.messages_received, count.messages_sent, count.bytes_received, count.bytes_sent) == (1, 1, 4, 4)


async def test_a_text_without_utf8_form_is_refused_and_the_session_lives() -> None:
    host = Host()

    async def handler(session: Session) -> None:
        with pytest.raises(UnicodeEncodeError):
            await session.send("\ud800")
        await session.send("fine")

    async with host.open(app_of(handler)):
        await host.returned.wait()
    assert host.texts == ["fine"]


async def test_the_app_knows_its_hosted_sessions() -> None:
    app = app_of(echo)
    host = Host()
    async with host.open(app):
        assert len(app.sessions) == 1
        (session,) = app.sessions
        assert session.connection.peer == ("192.0.2.1", 4711)
    assert len(app.sessions) == 0
    assert app.statistics().opened == 1


# How a session ends


async def test_a_handler_that_returns_closes_with_1000(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.send("hi")

    host = Host()
    async with host.open(app_of(handler)):
        with anyio.fail_after(BOUND):
            await host.returned.wait()
    assert host.texts == ["hi"]
    assert host.closes == [(1000, "")]
    assert story.reason == CloseReason(1000)
    assert failures(caplog) == []


async def test_a_handler_that_raises_closes_with_1011_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(session: Session) -> None:
        raise RuntimeError("secret")

    host = Host()
    async with host.open(app_of(handler)):
        await host.returned.wait()
    assert host.closes == [(1011, "")]
    assert len(failures(caplog)) == 1


@pytest.mark.parametrize("code", [1000, 1001, 1005, None])
async def test_a_clean_close_completes_incoming_and_a_later_send_raises(
    code: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)
            with pytest.raises(SessionClosed):
                await session.send("late")

    host = Host()
    async with host.open(app_of(handler)):
        host.text("a", "b")
        host.leave(code)
        assert await story.end() == ["a", "b", "returned"]
        assert story.reason == CloseReason(code or 1005)
    assert host.texts == []
    assert host.closes == [], "after the peer's end there is nothing to be sent"
    assert failures(caplog) == []


@pytest.mark.parametrize(("code", "reason"), [(1008, "why"), (1011, ""), (1012, ""), (4000, "own")])
async def test_any_other_close_is_raised(code: int, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    handler = Collector()
    host = Host()
    async with host.open(app_of(handler)):
        host.text("a")
        host.leave(code, reason)
        assert await handler.story.end() == ["a", SessionAborted]
        assert handler.story.reason == CloseReason(code, reason)
    assert failures(caplog) == []


async def test_a_lost_connection_is_1006(caplog: pytest.LogCaptureFixture) -> None:
    handler = Collector()
    host = Host()
    async with host.open(app_of(handler)):
        host.text("a")
        host.leave(1006)
        assert await handler.story.end() == ["a", SessionAborted]
        assert handler.story.reason is not None
        assert handler.story.reason.code == 1006
    assert failures(caplog) == []


async def test_a_host_that_cannot_send_any_more_has_lost_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    story = Story()

    class Deaf(Host):
        async def send(self, event: Any) -> None:
            if self.sent:
                raise RuntimeError("gone")
            await super().send(event)

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.send("x")
            await session.incoming.collect()

    host = Deaf()
    async with host.open(app_of(handler)):
        assert await story.end() == [SessionAborted]
    assert story.reason is not None
    assert story.reason.code == 1006
    assert failures(caplog) == []


@virtual_clock
@pytest.mark.parametrize("code", [1000, 1006])
async def test_a_handler_that_only_sleeps_is_cancelled_when_the_peer_goes(code: int) -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await anyio.sleep_forever()

    host = Host()
    async with host.open(app_of(handler)):
        host.leave(code)
        assert await story.end() == ["cancelled"]


async def test_close_tells_the_host_code_and_message_and_does_not_wait_for_the_peer() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.close(4321, "enough")
            await session.incoming.collect(story.seen.append)

    host = Host()
    async with host.open(app_of(handler)):
        assert await story.end() == ["returned"]
        assert story.reason == CloseReason(4321, "enough")
    assert host.closes == [(4321, "enough")]


@pytest.mark.parametrize("message", ["x" * 11, "ü" * 6])
async def test_a_message_that_is_too_big_is_1009(message: str) -> None:
    handler = Collector()
    host = Host()
    async with host.open(app_of(handler, max_message_size=10)):
        host.text("x" * 10, message)
        assert await handler.story.end() == ["x" * 10, SessionAborted]
    assert host.closes == [(1009, "message longer than 10 bytes")]


async def test_a_message_of_the_wrong_kind_is_1003() -> None:
    async def handler(session: Session[bytes, bytes]) -> None:
        await session.incoming.collect()

    host = Host()
    async with host.open(app_of(handler)):
        host.text("x")
        await host.returned.wait()
    assert host.closes == [(1003, "text messages are not accepted here")]


async def test_a_ping_is_refused() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            with pytest.raises(FlowsockError, match="the host's business"):
                await session.ping()

    host = Host()
    async with host.open(app_of(handler)):
        assert await story.end() == ["returned"]


async def test_a_call_that_is_cancelled_closes_with_1001_and_ends_the_handler() -> None:
    handler = Collector()
    host = Host()
    host.say({"type": "websocket.connect"})
    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.call, app_of(handler))
            await until(lambda: host.sent)
            tasks.cancel_scope.cancel()
    assert host.closes == [(1001, "")]
    assert handler.story.reason == CloseReason(1001)


# Slow ends


async def test_a_handler_that_does_not_keep_up_makes_the_host_wait() -> None:
    gate = anyio.Event()

    async def handler(session: Session) -> None:
        await gate.wait()
        await session.incoming.take(20).collect(session.send)

    host = Host()
    async with host.open(app_of(handler, incoming_queue=4)):
        host.text(*(f"{number}" for number in range(20)))
        await anyio.wait_all_tasks_blocked()
        assert host.unread >= 14
        gate.set()
        await until(lambda: len(host.texts) == 20)
    assert host.texts == [f"{number}" for number in range(20)]


@virtual_clock
async def test_a_host_that_does_not_take_messages_suspends_send_and_is_given_up_with_1013() -> None:
    story = Story()
    host = Host()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.first()
            while True:
                await session.send("x" * 1000)

    start = anyio.current_time()
    async with host.open(app_of(handler, outgoing_high_water=10_000, send_timeout=5)):
        host.reads = False
        host.text("go")
        assert (await story.end(10))[-1] in (SessionAborted, "cancelled")
        assert 5 <= anyio.current_time() - start <= 7
        assert story.reason is not None
        assert story.reason.code == 1013
        assert story.session.statistics().unsent_bytes <= 11_000
        host.reads = True


# Opening


async def test_parameters_query_headers_and_subprotocol_reach_the_handler() -> None:
    seen: list[Any] = []

    async def handler(session: Session, room: str) -> None:
        request = session.request
        seen.extend([room, request.query, request.headers.get("x-token"), session.subprotocol])

    host = Host(
        path="/rooms/a/b",
        raw_path=b"/rooms/a%2Fb",
        query_string=b"page=2",
        headers=[(b"host", b"test"), (b"x-token", b"t")],
        subprotocols=["v2", "v1"],
    )
    async with host.open(app_of(handler, "/rooms/{room}", subprotocols=["v1"])):
        await host.returned.wait()
    assert seen == ["a/b", {"page": "2"}, "t", "v1"]
    assert host.sent[0]["subprotocol"] == "v1"


@pytest.mark.parametrize(
    ("path", "raw_path", "root_path", "found"),
    [
        ("/live/chat", b"/live/chat", "/live", "chat"),
        ("/live/chat", b"/live/chat?x=1", "/live/", "chat"),
        ("/a b/live/c d", b"/a%20b/live/c%20d", "/a b/live", "c d"),
        ("/live/chat", None, "/live", "chat"),
        ("/c d", None, "", "c d"),
        ("/lively", b"/lively", "/live", "lively"),
    ],
)
async def test_a_mounted_app_routes_below_its_root(path: str, raw_path: bytes | None, root_path: str, found: str) -> None:
    seen: list[str] = []

    async def handler(session: Session, name: str) -> None:
        seen.append(name)

    host = Host(path=path, raw_path=raw_path, root_path=root_path)
    async with host.open(app_of(handler, "/{name}")):
        await host.returned.wait()
    assert seen == [found]


async def refused(app: App, **scope: Any) -> Host:
    host = Host(**scope)
    host.say({"type": "websocket.connect"})
    with anyio.fail_after(BOUND):
        await host.call(app)
    return host


async def test_a_refusal_keeps_status_headers_and_body() -> None:
    host = await refused(app_of(echo), path="/nowhere")
    start, body = host.sent
    assert start["type"] == "websocket.http.response.start"
    assert start["status"] == 404
    assert (b"content-length", b"10") in start["headers"]
    assert body == {"type": "websocket.http.response.body", "body": b"not found\n"}


@pytest.mark.parametrize("extensions", [{}, None])
async def test_a_host_that_knows_no_refusals_is_told_to_close(extensions: Any) -> None:
    host = await refused(app_of(echo), path="/nowhere", extensions=extensions)
    assert host.closes == [(1008, "")]


async def test_another_origin_is_refused() -> None:
    headers = [(b"host", b"test"), (b"origin", b"http://evil.example")]
    host = await refused(app_of(echo), headers=headers)
    assert host.sent[0]["status"] == 403


def admit(request: Request) -> str | Response:
    name = request.headers.get("x-name")
    return name or reject(401, "who are you?")


@pytest.mark.parametrize(("name", "outcome"), [(b"ann", "ann"), (b"", 401)])
async def test_a_guard_looks_at_a_session_before_it_is_opened(name: bytes, outcome: str | int) -> None:
    seen: list[Any] = []
    app = App()

    @app.websocket("/", guard=admit)
    async def handler(session: Session, admitted: str) -> None:
        seen.append(admitted)

    host = await refused(app, headers=[(b"host", b"test"), (b"x-name", name)])
    assert (seen or [host.sent[0]["status"]]) == [outcome]


async def test_a_guard_that_takes_too_long_is_503_and_logged(caplog: pytest.LogCaptureFixture, virtual_clock: None) -> None:
    app = app_of(echo, guard=lambda _request: anyio.sleep(60))
    with anyio.fail_after(20):
        host = Host()
        host.say({"type": "websocket.connect"})
        await host.call(app)
    assert host.sent[0]["status"] == 503
    assert len(failures(caplog)) == 1


async def test_a_request_knows_its_client_and_whether_it_came_over_tls() -> None:
    seen: list[Any] = []

    async def handler(session: Session) -> None:
        seen.extend([session.request.client, session.request.secure])

    await refused(app_of(handler), scheme="wss")
    await refused(app_of(handler), scheme="ws", client=None)
    assert seen == ["192.0.2.1", True, None, False]


async def test_a_raw_session_is_refused() -> None:
    app = App()

    @app.raw_websocket("/")
    async def handler(session: RawSession) -> None:
        pytest.fail("there are no frames here")

    host = await refused(app)
    assert host.sent[0]["status"] == 501


async def test_a_session_where_there_is_a_page_is_refused() -> None:
    app = App()
    app.get("/")(lambda: "page")
    host = await refused(app)
    assert host.sent[0]["status"] == 404


async def test_a_malformed_header_is_refused() -> None:
    host = await refused(app_of(echo), headers=[(b"host", b"test"), (b"a b", b"c")])
    assert host.sent[0]["status"] == 400


async def test_a_peer_that_goes_before_it_is_answered_is_nobody() -> None:
    host = Host()
    host.leave(1006)
    with anyio.fail_after(BOUND):
        await host.call(app_of(echo))
    assert host.sent == []


# Pages


@pytest.mark.parametrize(("name", "status"), [(b"ann", 200), (b"", 401)])
async def test_a_guard_looks_at_a_page(name: bytes, status: int) -> None:
    app = App()
    app.get("/", guard=admit)(lambda admitted: admitted)
    host = Host("http", method="GET", headers=[(b"host", b"test"), (b"x-name", name)])
    await host.call(app)
    assert host.sent[0]["status"] == status


@pytest.mark.parametrize(("method", "body"), [("GET", b'{"a":1}'), ("HEAD", b"")])
async def test_a_page_is_answered(method: str, body: bytes) -> None:
    app = App()
    app.get("/{name}")(lambda name: {name: 1})
    host = Host("http", "/a", method=method, http_version="2")
    await host.call(app)
    start, content = host.sent
    assert start["type"] == "http.response.start"
    assert start["status"] == 200
    assert (b"content-type", b"application/json") in start["headers"]
    assert (b"content-length", b"7") in start["headers"]
    assert content == {"type": "http.response.body", "body": body}


async def test_a_page_that_fails_is_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def page() -> str:
        raise RuntimeError("secret")

    app = App()
    app.get("/")(page)
    host = Host("http", method="GET")
    await host.call(app)
    assert host.sent[0]["status"] == 500
    assert host.sent[1]["body"] == b"internal error\n"
    assert len(failures(caplog)) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/page", 405), ("GET", "/session", 426)]
)
async def test_other_requests_get_their_answers(method: str, path: str, status: int) -> None:
    app = app_of(echo, "/session")
    app.get("/page")(lambda: Response(204))
    host = Host("http", path, method=method)
    await host.call(app)
    assert host.sent[0]["status"] == status


async def test_an_opening_that_the_host_takes_for_a_request_is_501() -> None:
    fields = {"host": "test", "upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13"}
    fields["sec-websocket-key"] = "AAECAwQFBgcICQoLDA0ODw=="
    host = Host("http", method="GET", headers=[(name.encode(), value.encode()) for name, value in fields.items()])
    await host.call(app_of(echo))
    assert host.sent[0]["status"] == 501


async def test_a_call_of_another_kind_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="'smoke-signals' calls"):
        await Host("smoke-signals").call(App())


# Background jobs


def with_a_job() -> tuple[App, list[str]]:
    app = app_of(echo)
    running: list[str] = []

    @app.background()
    async def job() -> None:
        running.append("job")
        try:
            await anyio.sleep_forever()
        finally:
            running.remove("job")

    return app, running


async def test_background_jobs_run_in_the_lifespan() -> None:
    app, running = with_a_job()
    host = Host("lifespan")
    host.say({"type": "lifespan.startup"})
    async with host.calling(app):
        await until(lambda: host.sent)
        assert host.sent == [{"type": "lifespan.startup.complete"}]
        await until(lambda: running)
        host.say({"type": "lifespan.shutdown"})
        await host.returned.wait()
    assert host.sent[1:] == [{"type": "lifespan.shutdown.complete"}]
    assert running == []


async def test_another_applications_lifespan_may_run_them() -> None:
    app, running = with_a_job()
    async with app.lifespan("the outermost application"):
        await until(lambda: running)
    assert running == []


async def test_jobs_that_nobody_runs_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    app, running = with_a_job()
    for _ in range(2):
        async with Host().open(app):
            pass
    assert running == []
    (told,) = failures(caplog)
    assert "FastAPI(lifespan=app.lifespan)" in told


async def test_an_app_without_jobs_needs_no_lifespan(caplog: pytest.LogCaptureFixture) -> None:
    async with Host().open(app_of(echo)):
        pass
    assert failures(caplog) == []
