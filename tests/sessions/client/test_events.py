"""The client of event streams: what it gives, when it comes back, and when it does not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import current_time

from flowsock import (
    App,
    Backoff,
    EventStreamError,
    EventStreamRejected,
    Flow,
    MutableSharedFlow,
    Request,
    Response,
    ServerSentEvent,
    coroutine_scope,
    events,
    flow_of,
    serve,
)
from flowsock.sessions.client.url import ServerURL, parse_http_url
from tests.sessions.support import Peer, raw_server, until

if TYPE_CHECKING:
    from flowsock import Server

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"
AT_ONCE = Backoff(0)

Talk = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def answers(*talks: Talk | bytes) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that answers one request after another, each in its own way; gives the URL and the heads of the requests."""
    heads: list[str] = []
    left = list(talks)

    async def talk(peer: Peer) -> None:
        heads.append(await peer.head())
        answer = left.pop(0)
        if isinstance(answer, bytes):
            await peer.send(answer)
        else:
            await answer(peer)

    async with raw_server(talk) as url:
        yield url.replace("ws://", "http://"), heads


def data_of(flow: Flow[ServerSentEvent]) -> Flow[str]:
    return flow.map(lambda event: event.data)


def url_of(server: Server, path: str = "/") -> str:
    return f"http://{server.host}:{server.port}{path}"


async def test_events_of_our_own_server_arrive_as_they_were_sent() -> None:
    sent = [
        ServerSentEvent("a\nb"),
        ServerSentEvent("", event="tick", id="1"),
        ServerSentEvent("ü", id="1", retry=0.01),
    ]
    app = App()
    app.sse("/")(lambda: flow_of(*sent))
    async with serve(app, port=0) as server:
        assert await events(url_of(server)).take(3).to_list() == sent
        await until(lambda: not server.open_streams)


async def test_each_collection_connects_anew_and_hangs_up() -> None:
    requests: list[Request] = []
    topic: MutableSharedFlow[str] = MutableSharedFlow(replay=1)
    topic.emit_nowait("a")
    app = App()

    @app.sse("/")
    def follow(request: Request) -> Flow[str]:
        requests.append(request)
        return topic

    async with serve(app, port=0) as server:
        flow = data_of(events(url_of(server)))
        assert requests == []
        for count in (1, 2):
            assert await flow.first() == "a"
            await until(lambda: not server.open_streams)
            assert len(requests) == count
        async with flow.open() as texts:
            assert await anext(texts) == "a"
        await until(lambda: not server.open_streams)
    assert requests[0].headers.get("accept") == "text/event-stream"
    assert requests[0].headers.get("cache-control") == "no-cache"
    assert "last-event-id" not in requests[0].headers


async def test_cancelling_the_collector_hangs_up() -> None:
    app = App()
    app.sse("/")(lambda: MutableSharedFlow[str]())
    async with serve(app, port=0) as server:
        async with coroutine_scope() as scope:
            events(url_of(server)).launch_in(scope)
            await until(lambda: server.open_streams)
            scope.cancel()
        await until(lambda: not server.open_streams)


async def test_it_comes_back_for_what_comes_after_the_last_id() -> None:
    first = OK + "id: ü1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: lost".encode()
    second = OK + b"data: c\n\n"
    third = OK + b"id\ndata: d\n\n"
    async with answers(first, second, third, OK + b"data: e\n\n") as (url, heads):
        got = await data_of(events(url, backoff=AT_ONCE)).take(5).to_list()
    assert got == ["a", "b", "c", "d", "e"]
    asked = [re.findall("(?im)^last-event-id: (.*)\r$", head) for head in heads]
    assert asked == [[], ["2"], ["2"], []]


async def test_it_begins_where_it_is_told_to() -> None:
    async with answers(OK + b"data: a\n\n") as (url, heads):
        (event,) = await events(url, last_event_id="ü").take(1).to_list()
    assert event.id == "ü"
    assert "last-event-id: ü\r\n".encode() in heads[0].encode("latin-1")


async def test_the_request_is_as_it_was_asked_for() -> None:
    read: list[bytes] = []

    async def talk(peer: Peer) -> None:
        read.append(await peer.exactly(2))
        await peer.send(OK, b"data: a\n\n")

    async with answers(talk) as (url, heads):
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, */*", "Authorization": "Bearer x"}
        await events(url, method="POST", content=b"{}", headers=headers).first()
    assert heads[0].startswith("POST / HTTP/1.1\r\n")
    assert "content-length: 2\r\n" in heads[0]
    assert "authorization: Bearer x\r\n" in heads[0]
    assert re.findall("accept: (.*)\r", heads[0]) == ["text/event-stream, */*"]
    assert read == [b"{}"]


@pytest.mark.parametrize("chunk", [1, 3, 1000])
async def test_chunked_answers_are_read(chunk: int) -> None:
    content = b"data: a\n\ndata: b\n\n"
    pieces = [content[start : start + chunk] for start in range(0, len(content), chunk)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with answers(head + body + b"0\r\n\r\n") as (url, _heads):
        assert await data_of(events(url, reconnect=False)).to_list() == ["a", "b"]


# The end


async def test_204_completes_the_flow() -> None:
    async with answers(OK + b"data: a\n\n", b"HTTP/1.1 204 No Content\r\n\r\n") as (url, _heads):
        assert await data_of(events(url, backoff=AT_ONCE)).to_list() == ["a"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            b"404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
            "answered 404 (no content type) instead of 200 (text/event-stream)",
        ),
        (b"200 OK\r\nContent-Type: text/html\r\n\r\nnope", "answered 200 (text/html) instead"),
        (b"200 OK\r\nContent-Type: text/event-streams\r\n\r\nnope", "answered 200 (text/event-streams) instead"),
        (b"301 Moved\r\nLocation: /x\r\nContent-Length: 4\r\n\r\nnope", "points to '/x': redirects are not followed"),
    ],
)
async def test_another_answer_than_an_event_stream_is_an_error(answer: bytes, message: str) -> None:
    async with answers(b"HTTP/1.1 " + answer) as (url, heads):
        with pytest.raises(EventStreamRejected, match=re.escape(message)) as caught:
            await events(url).to_list()
    assert caught.value.status == int(answer[:3])
    assert caught.value.body == b"nope"
    assert len(heads) == 1


@pytest.mark.parametrize("status", sorted(events.RETRY_STATUSES))
async def test_not_now_is_asked_again(status: int) -> None:
    refusal = b"HTTP/1.1 %d Later\r\nContent-Length: 0\r\n\r\n" % status
    async with answers(refusal, refusal, OK + b"data: a\n\n") as (url, heads):
        assert await data_of(events(url, backoff=AT_ONCE)).first() == "a"
    assert len(heads) == 3


async def test_the_statuses_that_are_asked_again_are_ours_to_choose() -> None:
    async with answers(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n") as (url, _heads):
        with pytest.raises(EventStreamRejected):
            await events(url, retry_statuses=events.RETRY_STATUSES - {503}).first()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "malformed"),
        (OK + b"data: " + b"x" * 5000, "longer than 4096 characters"),
    ],
    ids=["no HTTP", "too big"],
)
async def test_nonsense_is_an_error_and_not_asked_for_again(answer: bytes, message: str) -> None:
    async with answers(answer) as (url, heads):
        with pytest.raises(EventStreamError, match=message):
            await events(url, max_event_size=4096).to_list()
    assert len(heads) == 1


async def test_a_consumer_that_fails_is_not_taken_for_the_server() -> None:
    async with answers(OK + b"data: a\n\n") as (url, heads):

        def fail(_event: ServerSentEvent) -> None:
            raise ConnectionError("mine")

        with pytest.raises(ConnectionError, match="mine"):
            await events(url).collect(fail)
    assert len(heads) == 1


# Attempts and waits


async def test_attempts_count_from_the_last_event() -> None:
    good, bad = OK + b"data: a\n\n", b""
    async with answers(bad, good, bad, good, bad, bad, bad) as (url, heads):
        got: list[str] = []
        with pytest.raises(ConnectionError):
            await data_of(events(url, backoff=AT_ONCE, attempts=3)).collect(got.append)
    assert got == ["a", "a"]
    assert len(heads) == 7


async def test_streams_without_an_event_use_attempts_up_and_then_it_completes() -> None:
    async with answers(OK, OK) as (url, heads):
        assert await events(url, backoff=AT_ONCE, attempts=2).to_list() == []
    assert len(heads) == 2


async def test_nobody_there_is_asked_again_and_then_an_error() -> None:
    async with serve(App(), port=0) as server:
        url = url_of(server)
    with pytest.raises(ConnectionRefusedError):
        await events(url, backoff=AT_ONCE, attempts=2).to_list()


async def test_without_reconnecting_the_end_of_the_stream_is_the_end() -> None:
    async with answers(OK + b"data: a\n\n") as (url, heads):
        assert await data_of(events(url, reconnect=False)).to_list() == ["a"]
    assert len(heads) == 1


async def test_without_reconnecting_a_loss_is_an_error() -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\ndata: a\n\n"
    async with answers(cut) as (url, _heads):
        got: list[str] = []
        with pytest.raises(ConnectionError, match="before the answer was whole"):
            await data_of(events(url, reconnect=False)).collect(got.append)
    assert got == ["a"]


async def test_it_waits_as_long_as_the_server_says_and_what_the_backoff_draws() -> None:
    async with answers(OK + b"retry: 100\n\n", b"", OK + b"data: a\n\n") as (url, _heads):
        began = current_time()
        await events(url, backoff=Backoff(0.1, jitter=lambda: 1.0)).first()
        assert 0.5 <= current_time() - began < 3


async def test_the_backoff_begins_afresh_after_an_event() -> None:
    bad = b""
    async with answers(bad, bad, OK + b"data: a\n\n", bad, OK + b"data: b\n\n") as (url, _heads):
        began = current_time()
        await events(url, backoff=Backoff(0.05, jitter=lambda: 1.0)).take(2).to_list()
        # 0.05 + 0.1, then 0.05 + 0.1 again.
        assert 0.3 <= current_time() - began < 3


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    async with answers(lambda _peer: anyio.sleep(60)) as (url, _heads):
        with pytest.raises(TimeoutError):
            await events(url, open_timeout=0.05, attempts=1).first()


async def test_the_server_is_read_no_faster_than_events_are_collected() -> None:
    sent: list[int] = []

    async def flood(peer: Peer) -> None:
        await peer.send(OK)
        for number in range(400):
            await peer.send(b"data: %b\n\n" % (b"x" * 50_000))
            sent.append(number)

    async with answers(flood) as (url, _heads):
        go_on = anyio.Event()
        count = 0

        async def slowly(_event: ServerSentEvent) -> None:
            nonlocal count
            count += 1
            await go_on.wait()

        async with coroutine_scope() as scope:
            collecting = events(url, reconnect=False).on_each(slowly).launch_in(scope)
            await until(lambda: count)
            await anyio.sleep(0.2)
            assert len(sent) < 390
            go_on.set()
            await collecting
    assert count == 400


# Arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": "ws://x"}, "begins with http:// or https://"),
        ({"url": "http://"}, "begins with http:// or https://"),
        ({"url": "http://u@x"}, "no user"),
        ({"method": "G T"}, "malformed method"),
        ({"attempts": 0}, "attempts"),
        ({"max_event_size": 0}, "max_event_size"),
        ({"headers": {"a": "b\nc"}}, "malformed value"),
        ({"last_event_id": "a\nb"}, "malformed value"),
        ({"ssl": object()}, "ssl= is for https"),
    ],
)
def test_arguments_are_checked_at_once(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        events(**{"url": "http://x", **arguments})


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("http://x", ServerURL(False, "x", 80, "x", "/")),
        ("https://X:8443/p?q", ServerURL(True, "x", 8443, "x:8443", "/p?q")),
    ],
)
def test_a_url_says_where_to_connect_and_what_to_ask_for(url: str, parsed: ServerURL) -> None:
    assert parse_http_url(url) == parsed


async def test_a_response_of_an_app_is_an_answer_like_any_other() -> None:
    app = App()
    app.sse("/")(lambda: Response(410, body=b"over"))
    async with serve(app, port=0) as server:
        with pytest.raises(EventStreamRejected) as caught:
            await events(url_of(server)).first()
    assert caught.value.body == b"over"
