"""Sessions with an app without a socket: as they are over one, on every event loop, and with a line in the test's hands."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from flowsock import App, CloseReason, HandshakeRejected, Session, SessionAborted, WebSocketConfig
from flowsock.testing import Line, connect
from tests.sessions.support import BOUND, Story, failures, until

pytestmark = pytest.mark.anyio

virtual_clock = pytest.mark.usefixtures("virtual_clock")


async def echo(session: Session[str, str]) -> None:
    await session.incoming.map("re: {}".format).collect(session.send)


def app_of(handler: Any, path: str = "/", **settings: Any) -> App:
    app = App()
    app.websocket(path, **settings)(handler)
    return app


async def test_a_message_goes_to_the_handler_and_its_answer_comes_back() -> None:
    async with connect[str, str](app_of(echo)) as session:
        await session.send("hello")
        assert await session.incoming.first() == "re: hello"
    assert session.close_reason == CloseReason(1000)


async def test_path_query_headers_and_subprotocol_reach_the_handler() -> None:
    seen: list[Any] = []

    async def handler(session: Session, room: str) -> None:
        request = session.request
        seen.extend([room, request.query, request.headers.get("x-token"), request.headers.get("host"), session.subprotocol])

    app = app_of(handler, "/rooms/{room}", subprotocols=["v2", "v1"])
    async with connect(app, "/rooms/blue?page=2", headers={"X-Token": "t"}, subprotocols=["v1"]) as session:
        assert await session.incoming.to_list() == []
        assert session.subprotocol == "v1"
    assert seen == ["blue", {"page": "2"}, "t", "testserver", "v1"]


async def test_a_refusal_carries_status_and_body() -> None:
    with pytest.raises(HandshakeRejected) as caught:
        async with connect(app_of(echo), "/nowhere"):
            pytest.fail("there is no route")
    assert (caught.value.status, caught.value.body) == (404, b"not found\n")


async def test_the_origin_is_checked() -> None:
    app = app_of(echo)
    async with connect(app, headers={"Origin": "http://testserver"}):
        pass
    with pytest.raises(HandshakeRejected) as caught:
        async with connect(app, headers={"Origin": "http://evil.example"}):
            pytest.fail("from another page")
    assert caught.value.status == 403


async def test_the_limits_of_the_route_hold() -> None:
    async with connect(app_of(echo, max_message_size=10)) as session:
        await session.send("x" * 11)
        with pytest.raises(SessionAborted, match="1009"):
            await session.incoming.collect()


async def test_a_handler_that_fails_closes_with_1011_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(session: Session) -> None:
        raise RuntimeError("boom")

    async with connect(app_of(handler)) as session:
        with pytest.raises(SessionAborted, match="1011"):
            await session.incoming.collect()
    assert len(failures(caplog)) == 1


async def test_the_end_of_the_block_is_the_end_of_the_handler() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)

    app = app_of(handler)
    async with connect(app) as session:
        await session.send("a")
    assert story.seen == ["a", "returned"]
    assert len(app.sessions) == 0


async def test_an_error_in_the_block_is_the_error_of_the_block_and_1011_for_the_handler() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()

    with pytest.raises(KeyError, match="boom") as caught:
        async with connect(app_of(handler)):
            raise KeyError("boom")
    assert caught.value.__context__ is None
    assert story.seen == [SessionAborted]
    assert story.reason == CloseReason(1011)


async def test_a_block_that_is_cancelled_ends_the_handler() -> None:
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()

    with anyio.move_on_after(0.05):
        async with connect(app_of(handler)):
            await anyio.sleep_forever()
    assert story.reason == CloseReason(1001)
    assert story.seen in (["returned"], ["cancelled"])


async def test_several_sessions_with_one_app() -> None:
    app = App()

    @app.websocket("/")
    async def broadcast(session: Session[str, str]) -> None:
        async for text in session.incoming:
            for other in app.sessions:
                await other.send(text)

    async with connect[str, str](app) as first, connect[str, str](app) as second:
        await until(lambda: len(app.sessions) == 2)
        await first.send("hello")
        assert await first.incoming.first() == await second.incoming.first() == "hello"


# The line


async def test_a_line_that_is_cut_is_1006_at_both_ends() -> None:
    story = Story()
    line = Line()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect(story.seen.append)

    async with connect(app_of(handler), line=line) as session:
        await session.send("a")
        await until(lambda: story.seen)
        line.cut()
        with pytest.raises(SessionAborted, match="1006"):
            await session.incoming.collect()
        assert await story.end() == ["a", SessionAborted]
        assert story.reason is not None
        assert story.reason.code == 1006


@virtual_clock
async def test_a_client_that_does_not_read_holds_up_the_handler_and_then_is_given_up() -> None:
    story = Story()
    sent = 0

    async def handler(session: Session) -> None:
        nonlocal sent
        async with story.of(session):
            while True:
                await session.send("x" * 10_000)
                sent += 1

    line = Line(delay=0.01)
    async with connect(app_of(handler, send_timeout=7.0), line=line) as session:
        assert await session.incoming.first() == "x" * 10_000
        line.to_client.pause()
        await anyio.sleep(6)
        held_at = sent
        await anyio.sleep(0.5)
        assert sent == held_at < 100
        line.to_client.resume()
        await session.incoming.take(held_at).collect()
        line.to_client.pause()
        assert (await story.end(8))[-1] in (SessionAborted, "cancelled")
        assert story.reason is not None
        assert story.reason.code == 1013


@virtual_clock
async def test_a_server_that_does_not_read_holds_up_the_client() -> None:
    line = Line()
    async with connect[str, str](app_of(echo), line=line, send_timeout=60) as session:
        line.to_server.pause()
        with anyio.move_on_after(30) as scope:
            while True:
                await session.send("x" * 10_000)
        assert scope.cancelled_caught
        line.to_server.resume()
        count = session.statistics().messages_sent
        assert await session.incoming.take(count).count() == count


@virtual_clock
async def test_a_server_that_does_not_hear_a_pong_gives_up_and_a_healthy_one_stays_for_an_hour() -> None:
    line = Line(delay=1)
    story = Story()

    async def handler(session: Session) -> None:
        async with story.of(session):
            await session.incoming.collect()

    async with connect(app_of(handler), line=line) as session:
        await anyio.sleep(3600)
        assert session.is_open
        assert session.statistics().ping_round_trip == pytest.approx(2, abs=0.1)
        line.to_server.pause()
        with pytest.raises(SessionAborted, match="ping timeout"):
            await session.incoming.collect()
        line.to_server.resume()
        assert (await story.end())[-1] is SessionAborted


@virtual_clock
async def test_an_opening_on_a_slow_line_times_out() -> None:
    with pytest.raises(TimeoutError, match="no session with testserver within 10 s"):
        async with connect(app_of(echo), line=Line(delay=6)):
            pytest.fail("opened")


# Background jobs


async def test_background_jobs_run_while_the_first_block_lasts_and_once() -> None:
    app = app_of(echo)
    running: list[str] = []

    @app.background()
    async def job() -> None:
        running.append("job")
        try:
            await anyio.sleep_forever()
        finally:
            running.remove("job")

    async with connect(app):
        await until(lambda: running)
        async with connect(app):
            await anyio.wait_all_tasks_blocked()
            assert running == ["job"]
        assert running == ["job"]
    assert running == []


# What cannot be


@pytest.mark.parametrize("path", ["", "chat", "ws://other/"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="begins with '/'"):
        connect(App(), path)


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="no such WebSocket setting: pings"):
        connect(App(), pings=1)


async def test_the_settings_are_the_clients() -> None:
    async def handler(session: Session) -> None:
        await session.send("x" * 100)

    app = App(websockets=WebSocketConfig(max_message_size=1000))
    app.websocket("/")(handler)
    with anyio.fail_after(BOUND):
        async with connect(app, max_message_size=99) as session:
            with pytest.raises(SessionAborted, match="1009"):
                await session.incoming.collect()
