"""Our event streams with httpx-sse as the client, and over TLS."""

from __future__ import annotations

import ssl

import anyio
import httpx
import pytest
from httpx_sse import aconnect_sse

from flowsock import App, MutableSharedFlow, ServerSentEvent, SharedFlow, events, flow_of, serve
from tests.sessions.conftest import ASYNCIO
from tests.sessions.conftest import socket_backend as anyio_backend  # noqa: F401
from tests.sessions.support import failures, until
from tests.tls import certificate, client_context

pytestmark = pytest.mark.anyio


async def test_httpx_sse_reads_what_we_send() -> None:
    sent = [
        ServerSentEvent("hello"),
        ServerSentEvent("a\nb\n", event="tick", id="1", retry=2),
        ServerSentEvent(' {"x": "ü🦆"}', id="2"),
        ServerSentEvent(""),
    ]
    app = App()
    app.sse("/", retry=0.1)(lambda: flow_of(*sent))
    async with (
        serve(app, port=0) as server,
        httpx.AsyncClient() as client,
        aconnect_sse(client, "GET", server.url) as source,
    ):
        read = [(each.event, each.data, each.id, each.retry) async for each in source.aiter_sse()]
    # It takes what has no data for an event, as the standard does not.
    assert [each for each in read if each != ("message", "", "", 100)] == [
        ("message", "hello", "", None),
        ("tick", "a\nb\n", "1", 2000),
        ("message", ' {"x": "ü🦆"}', "2", None),
        ("message", "", "2", None),
    ]


# On trio, httpx leaves its generators to the garbage collector, and trio complains.
@pytest.mark.parametrize("anyio_backend", ASYNCIO, indirect=True)
async def test_a_client_of_httpx_that_hangs_up_is_noticed() -> None:
    topic: MutableSharedFlow[str] = MutableSharedFlow(replay=1)
    topic.emit_nowait("a")
    app = App()

    @app.sse("/")
    def follow() -> SharedFlow[str]:
        return topic

    async with serve(app, port=0) as server, httpx.AsyncClient() as client:
        async with aconnect_sse(client, "GET", server.url) as source:
            async for each in source.aiter_sse():
                assert each.data == "a"
                break
            assert topic.subscription_count.value == 1
        await until(lambda: not server.open_streams)
    assert topic.subscription_count.value == 0


async def test_events_over_tls() -> None:
    big = "x" * 300_000
    app = App()
    app.sse("/")(lambda: flow_of("a", big))
    async with serve(app, port=0, ssl=certificate()) as server:
        url = f"https://127.0.0.1:{server.port}/"
        with anyio.fail_after(5):
            got = await events(url, ssl=client_context()).map(lambda event: event.data).take(2).to_list()
        assert got == ["a", big]
        await until(lambda: not server.open_streams)
        with pytest.raises(ssl.SSLCertVerificationError):
            await events(url).to_list()


async def test_a_client_over_tls_that_goes_is_noticed_quietly(caplog: pytest.LogCaptureFixture) -> None:
    topic: MutableSharedFlow[str] = MutableSharedFlow(replay=1)
    topic.emit_nowait("a")
    app = App()
    app.sse("/")(lambda: topic)
    async with serve(app, port=0, ssl=certificate()) as server:
        url = f"https://127.0.0.1:{server.port}/"
        assert (await events(url, ssl=client_context()).first()).data == "a"
        await until(lambda: not topic.subscription_count.value)
        await until(lambda: not server.open_streams)
    assert failures(caplog) == []
