"""Who may pass, and what the others are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flowsock import App, HandshakeRejected, Request, Response, Session, connect, reject, serve
from tests.sessions.support import BOUND, failures, opening, raw_peer, request_head, until, ws

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


class User:
    def __init__(self, name: str) -> None:
        self.name = name


async def signed_in(request: Request) -> User | Response:
    await anyio.lowlevel.checkpoint()
    name = request.query.get("name")
    return User(name) if name else reject(401, "sign in first", {"www-authenticate": "Bearer"})


async def greet(session: Session[str, str], user: User, room: str) -> None:
    await session.send(f"{user.name} in {room}")


def guarded(guard: Callable[..., object]) -> tuple[App, list[str]]:
    app, ran = App(), list[str]()

    @app.websocket("/{room}", guard=guard)
    async def handler(session: Session, room: str) -> None:
        ran.append(room)

    return app, ran


async def refusal(app: App, path: str = "/red", **settings: Any) -> HandshakeRejected:
    async with serve(app, port=0, **settings) as server:
        with pytest.raises(HandshakeRejected) as caught:
            async with connect(ws(server, path)):
                pytest.fail("let in")
        await until(lambda: not server.unfinished)
    return caught.value


async def test_what_the_guard_lets_pass_reaches_the_handler() -> None:
    app = App()
    app.websocket("/{room}", guard=signed_in)(greet)
    async with serve(app, port=0) as server, connect[str, str](ws(server, "/red?name=ann")) as session:
        assert await session.incoming.to_list() == ["ann in red"]


async def test_a_response_turns_the_client_away_before_the_session() -> None:
    app, ran = guarded(signed_in)
    rejected = await refusal(app)
    assert (rejected.status, rejected.body) == (401, b"sign in first\n")
    assert rejected.headers["www-authenticate"] == "Bearer"
    assert ran == []
    assert app.statistics().opened == 0


@pytest.mark.parametrize("result", [None, False])
async def test_who_is_found_by_no_lookup_is_not_let_in(result: object) -> None:
    app, ran = guarded(lambda _request: result)
    assert (await refusal(app)).status == 403
    assert ran == []


@pytest.mark.parametrize("result", [True, 0, "", ()])
async def test_anything_else_is_let_in(result: object) -> None:
    app, ran = guarded(lambda _request: result)
    async with serve(app, port=0) as server, connect(ws(server, "/red")) as session:
        assert await session.incoming.to_list() == []
    assert ran == ["red"]


async def test_a_guard_may_look_at_the_path() -> None:
    def guard(request: Request, room: str) -> bool:
        return room == "red"

    app, ran = guarded(guard)
    assert (await refusal(app, "/blue")).status == 403
    async with serve(app, port=0) as server, connect(ws(server, "/red")) as session:
        await session.incoming.to_list()
    assert ran == ["red"]


async def test_a_guard_that_fails_is_500_and_one_entry_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def guard(request: Request) -> bool:
        raise RuntimeError("the password of the database")

    app, ran = guarded(guard)
    rejected = await refusal(app)
    assert rejected.status == 500
    assert b"password" not in rejected.body
    assert failures(caplog) == ["the guard of '/{room}' failed"]
    assert ran == []


async def test_a_guard_that_takes_too_long_is_503_and_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def guard(request: Request) -> bool:
        try:
            await anyio.sleep_forever()
        finally:
            seen.append("cancelled")
        return True

    app, ran = guarded(guard)
    rejected = await refusal(app, handshake_timeout=0.1)
    assert (rejected.status, rejected.headers["retry-after"]) == (503, "10")
    assert failures(caplog) == ["the guard of '/{room}' took too long"]
    assert (ran, seen) == ([], ["cancelled"])


async def test_a_foreign_page_does_not_get_as_far_as_the_guard() -> None:
    asked: list[Request] = []
    app, _ = guarded(asked.append)
    async with serve(app, port=0) as server:
        with pytest.raises(HandshakeRejected, match="403"):
            async with connect(ws(server, "/red"), headers={"origin": "http://evil.example"}):
                pytest.fail("let in")
    assert asked == []


async def test_a_client_that_goes_while_the_guard_looks_gets_no_session() -> None:
    go = anyio.Event()

    async def guard(request: Request) -> bool:
        await go.wait()
        return True

    app, ran = guarded(guard)
    async with serve(app, port=0) as server:
        async with anyio.create_task_group() as tasks:

            async def come_and_go() -> None:
                async with connect(ws(server, "/red")):
                    pytest.fail("let in")

            tasks.start_soon(come_and_go)
            await until(lambda: server.unfinished)
            tasks.cancel_scope.cancel()
        await until(lambda: not server.unfinished)
        go.set()
        await anyio.wait_all_tasks_blocked()
    assert (ran, app.statistics().opened) == ([], 0)


async def test_a_page_has_a_guard_too() -> None:
    app = App()

    @app.get("/", guard=signed_in)
    def page(user: User) -> str:
        return f"hello {user.name}"

    async with serve(app, port=0) as server:
        async with raw_peer(server) as stranger:
            await stranger.send(request_head("GET", "/"))
            assert (await stranger.head()).startswith("HTTP/1.1 401 ")
        async with raw_peer(server) as friend:
            await friend.send(request_head("GET", "/?name=ann"))
            assert (await friend.raw_rest()).endswith(b"hello ann")


@pytest.mark.parametrize("status", [101, 200, 204, 299])
def test_a_rejection_does_not_let_in(status: int) -> None:
    with pytest.raises(ValueError, match="does not turn anybody away"):
        reject(status)


def test_a_rejection_holds_what_it_says() -> None:
    assert reject().status == 403
    assert reject(302, "over there", {"location": "/login"}).headers.get("location") == "/login"
    with pytest.raises(ValueError, match="malformed value"):
        reject(401, "", {"x": "a\r\nb"})


@pytest.mark.parametrize("kind", ["session", "page"])
async def test_a_guard_ends_when_its_client_has_left(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    app = App()
    began, ended = anyio.Event(), anyio.Event()

    async def think(request: Request) -> None:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    app.websocket("/session", guard=think)(lambda session, user: session.send(user))
    app.get("/page", guard=think)(lambda user: user)
    async with serve(app, port=0, handshake_timeout=3600) as server:
        async with raw_peer(server) as peer:
            await peer.send(opening("/session") if kind == "session" else request_head("GET", "/page"))
            with anyio.fail_after(BOUND):
                await began.wait()
            peer.reset()
            with anyio.fail_after(BOUND):
                await ended.wait()
        await until(lambda: not server.unfinished)
    assert failures(caplog) == []
