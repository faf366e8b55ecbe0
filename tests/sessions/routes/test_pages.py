"""What GET handlers give, as a browser gets it."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest

from flowsock import App, Request, Response, Session, serve
from tests.sessions.conftest import SOCKETS
from tests.sessions.support import failures, raw_peer, request_head, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Files are read in threads, for which virtual time does not wait.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", SOCKETS, indirect=True)]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def parse(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Answer(int(first.split()[1]), headers, body)


async def ask(app: App, target: str = "/", method: str = "GET", *, behind: bytes = b"") -> Answer:
    """Send one request to an app, and read until the server closes."""
    async with serve(app, port=0) as server, raw_peer(server) as peer:
        await peer.send(request_head(method, target), behind)
        return parse(await peer.raw_rest())


def app_of(handler: Callable[..., Any], path: str = "/", **settings: Any) -> App:
    app = App()
    app.get(path, **settings)(handler)
    return app


@pytest.mark.parametrize(
    ("result", "media_type", "content_type", "body"),
    [
        pytest.param("Grüße", None, "text/plain; charset=utf-8", "Grüße".encode(), id="text"),
        pytest.param("<p>", "text/html", "text/html; charset=utf-8", b"<p>", id="html"),
        pytest.param("é", "text/html; charset=latin-1", "text/html; charset=latin-1", "é".encode(), id="named charset"),
        pytest.param(b"\0", None, "application/octet-stream", b"\0", id="bytes"),
        pytest.param(b"\x89PNG", "image/png", "image/png", b"\x89PNG", id="bytes of a type"),
        pytest.param({"a": [1, None]}, None, "application/json", b'{"a":[1,null]}', id="dict"),
        pytest.param(None, None, "application/json", b"null", id="None"),
        pytest.param([], None, "application/json", b"[]", id="empty list"),
    ],
)
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_the_kind_of_a_result_says_what_it_is(
    result: Any, media_type: str | None, content_type: str, body: bytes, kind: str
) -> None:
    def page() -> Any:
        return result

    async def waiting_page() -> Any:
        await anyio.lowlevel.checkpoint()
        return result

    answer = await ask(app_of(page if kind == "sync" else waiting_page, media_type=media_type))
    assert answer.status == 200
    assert answer.body == body
    assert answer.headers["content-type"] == content_type
    assert answer.headers["content-length"] == str(len(body))
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_response_goes_out_as_it_is() -> None:
    answer = await ask(app_of(lambda: Response(303, {"location": "/there"}, b"gone")))
    assert (answer.status, answer.headers["location"], answer.body) == (303, "/there", b"gone")


async def test_a_file_is_served_with_the_type_that_its_name_says(tmp_path: Path) -> None:
    for name, content_type in (
        ("page.html", "text/html; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("image.png", "image/png"),
        ("what", "application/octet-stream"),
    ):
        (tmp_path / name).write_bytes(b"content of " + name.encode())
        answer = await ask(app_of(partial(give, tmp_path / name)))
        assert answer.headers["content-type"] == content_type
        assert answer.body == b"content of " + name.encode()


def give(path: Path) -> Path:
    return path


@pytest.mark.parametrize("name", ["missing", "", "a_file/below"])
async def test_a_missing_file_is_404(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a_file").touch()
    answer = await ask(app_of(lambda: tmp_path / name))
    assert (answer.status, answer.body) == (404, b"not found\n")
    assert failures(caplog) == []


async def test_a_big_file_arrives_whole(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    (tmp_path / "big").write_bytes(content)
    assert (await ask(app_of(lambda: tmp_path / "big"))).body == content


async def test_head_is_the_head_alone() -> None:
    answer = await ask(app_of(lambda: "12345"), method="HEAD")
    assert answer.status == 200
    assert answer.headers["content-length"] == "5"
    assert answer.body == b""
    missing = await ask(App(), method="HEAD")
    assert (missing.status, missing.body) == (404, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "BREW"])
async def test_other_methods_are_405_and_told_what_is_allowed(method: str) -> None:
    answer = await ask(app_of(lambda: ""), method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_options_tells_what_is_allowed() -> None:
    answer = await ask(app_of(lambda: ""), method="OPTIONS")
    assert (answer.status, answer.headers["allow"], answer.body) == (204, "GET, HEAD, OPTIONS", b"")
    assert (await ask(app_of(lambda: ""), "*", method="OPTIONS")).status == 204
    assert (await ask(app_of(lambda: ""), "/elsewhere", method="OPTIONS")).status == 404


async def test_options_of_a_session_tells_what_is_allowed() -> None:
    app = App()

    @app.websocket("/")
    async def handler(session: Session) -> None: ...

    answer = await ask(app, method="OPTIONS")
    assert (answer.status, answer.headers["allow"]) == (204, "GET, OPTIONS")


async def test_a_page_that_asks_for_the_request_gets_it() -> None:
    app = App()

    @app.get("/{room}")
    def page(room: str, request: Request) -> str:
        return f"{room} {request.query['name']} {request.client}"

    assert (await ask(app, "/red?name=ann")).body == b"red ann 127.0.0.1"


async def test_a_client_that_ends_its_half_with_the_request_gets_its_page() -> None:
    app = App()
    go = anyio.Event()

    @app.get("/")
    async def page() -> str:
        await go.wait()
        return "still there"

    async with serve(app, port=0) as server, raw_peer(server) as peer:
        await peer.send(request_head("GET", "/"))
        await peer.end_sending()
        await anyio.wait_all_tasks_blocked()
        go.set()
        assert (await peer.raw_rest()).endswith(b"still there")
        await until(lambda: not server.unfinished)


async def test_a_refusal_is_read_though_a_long_body_is_under_way() -> None:
    answer = await ask(app_of(lambda: ""), method="POST", behind=b"x" * 1_000_000)
    assert answer.status == 405


async def test_an_unknown_path_is_404() -> None:
    assert (await ask(app_of(lambda: ""), "/elsewhere")).status == 404


@pytest.mark.parametrize("kind", ["sync", "async", "not JSON"])
async def test_a_failure_is_500_without_detail_and_one_log_entry(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def page() -> Any:
        if kind == "not JSON":
            return object()
        raise RuntimeError("secret")

    async def waiting_page() -> Any:
        raise RuntimeError("secret")

    answer = await ask(app_of(waiting_page if kind == "async" else page))
    assert (answer.status, answer.body) == (500, b"internal error\n")
    (record,) = caplog.records
    assert record.exc_info is not None


async def test_parameters_come_from_the_path() -> None:
    def page(room: str, user: str) -> dict[str, str]:
        return {"room": room, "user": user}

    answer = await ask(app_of(page, "/{room}/of/{user}"), "/a%2Fb/of/%C3%BC?query=no")
    assert json.loads(answer.body) == {"room": "a/b", "user": "ü"}
