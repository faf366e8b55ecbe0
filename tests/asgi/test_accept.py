"""`asgi.accept` in endpoints of FastAPI and Starlette, called by a host that the test plays."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest
from fastapi import FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

import flowsock.codecs.msgspec_codec
from flowsock import CloseReason, HandshakeError, HandshakeRejected, MutableSharedFlow, Session, SessionAborted, asgi
from tests.codecs.messages import Said
from tests.conftest import anyio_backend as anyio_backend
from tests.sessions.asgi.asgi_host import Host
from tests.sessions.support import BOUND, failures, until

pytestmark = pytest.mark.anyio

virtual_clock = pytest.mark.usefixtures("virtual_clock")


def fastapi_of(endpoint: Any) -> Any:
    application = FastAPI()
    application.websocket("/")(endpoint)
    return application


def starlette_of(endpoint: Any) -> Any:
    return Starlette(routes=[WebSocketRoute("/", endpoint)])


frameworks = pytest.mark.parametrize("application_of", [fastapi_of, starlette_of], ids=["fastapi", "starlette"])


@frameworks
async def test_messages_are_flows(application_of: Any) -> None:
    async def endpoint(websocket: WebSocket) -> None:
        async with asgi.accept[str, str](websocket) as session:
            await session.incoming.map("re: {}".format).collect(session.send)

    host = Host()
    async with host.open(application_of(endpoint)):
        host.text("a", "b")
        await until(lambda: len(host.texts) == 2)
    assert host.texts == ["re: a", "re: b"]


@frameworks
async def test_leaving_the_block_closes_with_1000_and_what_follows_runs(application_of: Any) -> None:
    seen: list[Any] = []

    async def endpoint(websocket: WebSocket) -> None:
        async with asgi.accept(websocket) as session:
            await session.send("hi")
        seen.append(session.close_reason)

    host = Host()
    async with host.open(application_of(endpoint)):
        with anyio.fail_after(BOUND):
            await host.returned.wait()
    assert (host.texts, host.closes, seen) == (["hi"], [(1000, "")], [CloseReason(1000)])


@frameworks
async def test_an_error_in_the_block_closes_with_1011_and_is_raised(application_of: Any) -> None:
    async def endpoint(websocket: WebSocket) -> None:
        async with asgi.accept(websocket):
            raise KeyError("boom")

    host = Host()
    with pytest.raises(KeyError, match="boom"):
        async with host.open(application_of(endpoint)):
            await host.returned.wait()
    assert host.closes == [(1011, "")]


@frameworks
@pytest.mark.parametrize("code", [1000, 1006, 4000])
async def test_the_end_of_the_session_ends_the_block_quietly(
    application_of: Any, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    async def endpoint(websocket: WebSocket) -> None:
        async with asgi.accept(websocket) as session:
            try:
                await session.incoming.collect(seen.append)
                await session.send("late")
            except Exception as error:
                seen.append(type(error).__name__)
                raise
        assert session.close_reason is not None
        seen.append(session.close_reason.code)

    host = Host()
    async with host.open(application_of(endpoint)):
        host.text("a")
        host.leave(code)
        with anyio.fail_after(BOUND):
            await host.returned.wait()
    assert seen == ["a", "SessionClosed" if code == 1000 else "SessionAborted", code]
    assert failures(caplog) == []


@virtual_clock
async def test_a_block_that_only_sleeps_is_cancelled_when_the_peer_goes_and_what_follows_runs() -> None:
    seen: list[Any] = []

    async def endpoint(websocket: WebSocket) -> None:
        async with asgi.accept(websocket) as session:
            await anyio.sleep_forever()
        seen.append(session.close_reason)

    host = Host()
    async with host.open(starlette_of(endpoint)):
        host.leave(1001)
        with anyio.fail_after(BOUND):
            await host.returned.wait()
    assert seen == [CloseReason(1001)]


async def test_the_scope_ends_with_the_block() -> None:
    ended: list[str] = []

    async def job() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("job")

    async def endpoint(websocket: WebSocket) -> None:
        async with asgi.accept(websocket) as session:
            session.scope.launch(job)
            await session.incoming.first()
        ended.append("block")

    host = Host()
    async with host.open(starlette_of(endpoint)):
        host.text("go")
        await host.returned.wait()
    assert ended == ["job", "block"]


async def test_types_settings_and_subprotocols_are_those_of_a_route() -> None:
    seen: list[Any] = []

    async def endpoint(websocket: WebSocket) -> None:
        async with asgi.accept[bytes, str](websocket, subprotocols=["v1"], max_message_size=3) as session:
            seen.extend([session.subprotocol, session.config.max_message_size, session.request.headers.get("x-token")])
            with pytest.raises(SessionAborted, match="1003"):
                await session.incoming.collect()

    host = Host(headers=[(b"host", b"test"), (b"x-token", b"t")], subprotocols=["v2", "v1"])
    async with host.open(starlette_of(endpoint)):
        host.text("a")
        await host.returned.wait()
    assert seen == ["v1", 3, "t"]
    assert host.sent[0]["subprotocol"] == "v1"


@pytest.mark.parametrize(
    ("headers", "status"),
    [([(b"host", b"test"), (b"origin", b"http://evil.example")], 403), ([(b"host", b"test"), (b"a b", b"c")], 400)],
)
async def test_a_refused_client_is_answered_and_an_error_in_the_endpoint(headers: Any, status: int) -> None:
    caught: list[int] = []

    async def endpoint(websocket: WebSocket) -> None:
        with pytest.raises(HandshakeRejected) as error:
            async with asgi.accept(websocket):
                pytest.fail("opened")
        caught.append(error.value.status)

    host = Host(headers=headers)
    host.say({"type": "websocket.connect"})
    with anyio.fail_after(BOUND):
        await host.call(starlette_of(endpoint))
    assert caught == [status]
    assert host.sent[0]["status"] == status


async def test_other_origins_may_be_let_in() -> None:
    async def endpoint(websocket: WebSocket) -> None:
        async with asgi.accept(websocket, origins=["http://friend.example"]):
            pass

    host = Host(headers=[(b"host", b"test"), (b"origin", b"http://friend.example")])
    async with host.open(starlette_of(endpoint)):
        await host.returned.wait()


async def test_a_connection_that_was_accepted_before_is_refused() -> None:
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        with pytest.raises(RuntimeError, match="accepted already"):
            async with asgi.accept(websocket):
                pytest.fail("opened")

    async with Host().open(starlette_of(endpoint)):
        pass


async def test_a_client_that_goes_before_it_is_answered_is_a_handshake_error() -> None:
    class Connection:
        """What a framework would hand over, without its own check of the order of events."""

        def __init__(self, host: Host) -> None:
            self.scope, self.receive, self.send = host.scope, host.receive, host.send

    host = Host()
    host.leave(1006)
    with pytest.raises(HandshakeError, match="went before"):
        async with asgi.accept(Connection(host)):
            pytest.fail("opened")
    assert host.sent == []


async def test_a_message_type_without_codec_and_a_setting_that_does_not_exist_are_refused() -> None:
    host = Host()
    websocket = WebSocket(host.scope, host.receive, host.send)
    with pytest.raises(TypeError, match="no such WebSocket setting"):
        asgi.accept(websocket, pings=1)
    with pytest.raises(TypeError, match="no codec"):
        async with asgi.accept[object, str](websocket):
            pytest.fail("opened")
    assert host.sent == []


async def test_the_session_is_a_session() -> None:
    kinds: list[type] = []

    async def endpoint(websocket: WebSocket) -> None:
        async with asgi.accept(websocket) as session:
            kinds.append(type(session))

    async with Host().open(starlette_of(endpoint)):
        pass
    assert kinds == [Session]


async def test_a_message_is_encoded_once_for_all_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[Any] = []

    class Encoder:
        def encode(self, message: Any) -> bytes:
            encoded.append(message)
            return msgspec.json.encode(message)

    monkeypatch.setattr(flowsock.codecs.msgspec_codec, "_json", Encoder())
    said: MutableSharedFlow[Said] = MutableSharedFlow()

    async def endpoint(websocket: WebSocket) -> None:
        async with asgi.accept[str, Said](websocket) as session:
            await said.collect(session.send)

    one, other, application = Host(), Host(), starlette_of(endpoint)
    async with one.open(application), other.open(application):
        await until(lambda: said.subscription_count.value == 2)
        await said.emit(Said("ann", "hi"))
        await until(lambda: one.texts and other.texts)
    assert one.texts == other.texts == ['{"who":"ann","text":"hi"}']
    assert encoded == [Said("ann", "hi")]
