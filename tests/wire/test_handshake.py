from __future__ import annotations

import time
from base64 import b64decode

import pytest

from flowsock.errors import HandshakeError, HandshakeRejected
from flowsock.wire.handshake import (
    Agreement,
    accept_key,
    accept_response,
    check_response,
    choose_subprotocol,
    client_request,
    new_key,
    upgrade_error,
)
from flowsock.wire.headers import Headers
from flowsock.wire.http import RequestReader, ResponseReader
from flowsock.wire.request import Request
from flowsock.wire.response import ResponseHead, encode_response

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {
    "Host": "example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def upgrade(*more: tuple[str, str], method: str = "GET", without: str = "") -> Request:
    """Make a request that opens a WebSocket; a later field takes the place of an earlier one, unless it doubles it."""
    fields = [(name, value) for name, value in UPGRADE.items() if name != without and name not in dict(more)]
    return Request(method, "/", [*fields, *more])


def test_example_of_the_rfc() -> None:
    """RFC 6455 section 1.3."""
    assert accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_keys_are_16_fresh_bytes() -> None:
    assert len(b64decode(new_key())) == 16
    assert new_key() != new_key()


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(upgrade(), id="plain"),
        pytest.param(upgrade(("Connection", "keep-alive, Upgrade")), id="as Firefox sends it"),
        pytest.param(upgrade(("Connection", "keep-alive"), ("Connection", "upgrade")), id="two Connection fields"),
        pytest.param(upgrade(("Upgrade", "WebSocket")), id="other case"),
        pytest.param(upgrade(("Upgrade", "h2c, websocket")), id="list of upgrades"),
        pytest.param(upgrade(("Sec-WebSocket-Protocol", "a, b"), ("Sec-WebSocket-Protocol", "c")), id="subprotocols"),
        pytest.param(
            upgrade(("Sec-WebSocket-Extensions", ", ".join(["permessage-deflate; server_max_window_bits=99; x", "y"] * 75))),
            id="21 150 offers, unknown or wrong",
        ),
    ],
)
def test_request_that_opens_a_websocket(request_: Request) -> None:
    assert upgrade_error(request_) is None


@pytest.mark.parametrize(
    ("request_", "status", "header"),
    [
        pytest.param(upgrade(method="POST"), 405, ("allow", "GET, OPTIONS"), id="1 POST"),
        pytest.param(upgrade(method="PUT"), 405, ("allow", "GET, OPTIONS"), id="1 PUT"),
        pytest.param(upgrade(method="HEAD"), 405, ("allow", "GET, OPTIONS"), id="HEAD"),
        pytest.param(upgrade(without="Upgrade"), 426, ("upgrade", "websocket"), id="4 no Upgrade"),
        pytest.param(upgrade(("Upgrade", "h2c")), 426, ("upgrade", "websocket"), id="4 another Upgrade"),
        pytest.param(upgrade(("Upgrade", "websockets")), 426, ("upgrade", "websocket"), id="4 nearly Upgrade"),
        pytest.param(upgrade(without="Connection"), 426, ("upgrade", "websocket"), id="4 no Connection"),
        pytest.param(upgrade(("Connection", "keep-alive")), 426, ("upgrade", "websocket"), id="4 another Connection"),
        pytest.param(upgrade(without="Sec-WebSocket-Key"), 400, None, id="5 no key"),
        pytest.param(upgrade(("Sec-WebSocket-Key", "abcd")), 400, None, id="6 short key"),
        pytest.param(upgrade(("Sec-WebSocket-Key", "A" * 22 + "=")), 400, None, id="6 key without its padding"),
        pytest.param(upgrade(("Sec-WebSocket-Key", KEY + "==")), 400, None, id="6 key with too much padding"),
        pytest.param(upgrade(("Sec-WebSocket-Key", "A" * 24)), 400, None, id="6 key of 18 bytes"),
        pytest.param(upgrade(("Sec-WebSocket-Key", "!" * 22 + "==")), 400, None, id="7 key not base64"),
        pytest.param(upgrade(("Sec-WebSocket-Key", "é" * 22 + "==")), 400, None, id="7 key beyond ASCII"),
        pytest.param(upgrade(("Sec-WebSocket-Key", KEY), ("Sec-WebSocket-Key", KEY)), 400, None, id="8 two keys"),
        pytest.param(upgrade(without="Sec-WebSocket-Version"), 426, ("sec-websocket-version", "13"), id="9 no version"),
        pytest.param(upgrade(("Sec-WebSocket-Version", "12")), 426, ("sec-websocket-version", "13"), id="9 version 12"),
        pytest.param(upgrade(("Sec-WebSocket-Version", "13, 8")), 426, ("sec-websocket-version", "13"), id="9 two versions"),
        pytest.param(upgrade(("Sec-WebSocket-Protocol", "a" + " " * 6000 + "b")), 400, None, id="20 spaces"),
        pytest.param(upgrade(("Sec-WebSocket-Protocol", ",".join(map(str, range(1000))))), 400, None, id="20 1000"),
        pytest.param(upgrade(("Sec-WebSocket-Protocol", "a, b/c")), 400, None, id="20 illegal token"),
        pytest.param(upgrade(("Sec-WebSocket-Protocol", "a,,b")), 400, None, id="20 empty token"),
        pytest.param(upgrade(("Sec-WebSocket-Protocol", "")), 400, None, id="20 empty"),
        pytest.param(upgrade(("Sec-WebSocket-Protocol", "a, a")), 400, None, id="20 one offer twice"),
        pytest.param(upgrade(("Sec-WebSocket-Extensions", "a; b c")), 400, None, id="malformed extensions"),
        pytest.param(upgrade(("Sec-WebSocket-Extensions", "")), 400, None, id="no extension"),
    ],
)
def test_request_that_does_not(request_: Request, status: int, header: tuple[str, str] | None) -> None:
    response = upgrade_error(request_)
    assert response is not None
    assert response.status == status
    assert header is None or header in response.headers.pairs
    assert encode_response(response)


def test_20_subprotocols_are_checked_in_linear_time() -> None:
    def seconds(size: int) -> float:
        request = upgrade(("Sec-WebSocket-Protocol", "a" + " " * size + "b"))
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            upgrade_error(request)
            best = min(best, time.process_time() - start)
        return best

    assert seconds(1_600_000) < 4 * 16 * seconds(100_000)


@pytest.mark.parametrize(
    ("offered", "supported", "chosen"),
    [
        (["a, b"], ["b", "a"], "b"),
        (["a", "b"], ["c", "b"], "b"),
        (["a"], ["A"], None),
        (["a"], [], None),
        ([], ["a"], None),
        (["a,,b"], ["a"], None),
    ],
)
def test_the_servers_preference_chooses(offered: list[str], supported: list[str], chosen: str | None) -> None:
    request = upgrade(*(("Sec-WebSocket-Protocol", value) for value in offered))
    assert choose_subprotocol(request, supported) == chosen


def test_101() -> None:
    assert accept_response(upgrade(("Sec-WebSocket-Protocol", "chat")), Agreement("chat")) == (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: chat\r\n\r\n"
    )


def test_subprotocol_that_was_not_offered_is_not_accepted() -> None:
    with pytest.raises(ValueError, match="not offered"):
        accept_response(upgrade(), Agreement("chat"))


def test_both_ends_understand_each_other() -> None:
    key = new_key()
    data = client_request("example.com:8080", "/chat?x=%20", key, headers={"Cookie": "a=b"}, subprotocols=["chat", "superchat"])
    request = RequestReader().feed(data)
    assert request is not None
    assert (request.target, request.cookies) == ("/chat?x=%20", {"a": "b"})
    assert request.headers.get("host") == "example.com:8080"
    assert upgrade_error(request) is None
    answer = ResponseReader().feed(accept_response(request, Agreement(choose_subprotocol(request, ["superchat"]))))
    assert answer is not None
    assert check_response(answer, key, subprotocols=["chat", "superchat"]) == Agreement("superchat")


@pytest.mark.parametrize(
    ("host", "target"),
    [("a b", "/"), ("a\r\n", "/"), ("", "/"), ("a", ""), ("a", "x"), ("a", "/ "), ("a", "/é"), ("a", "/\r\n")],
)
def test_malformed_host_or_target_is_not_written(host: str, target: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        client_request(host, target, KEY)


@pytest.mark.parametrize("name", ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "sec-websocket-extensions"])
def test_the_handshakes_own_headers_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="belongs to the handshake"):
        client_request("a", "/", KEY, headers={name: "x"})


@pytest.mark.parametrize("subprotocols", [["a", "a"], ["a b"], [""], ["a,b"]])
def test_malformed_subprotocols_are_not_offered(subprotocols: list[str]) -> None:
    with pytest.raises(ValueError, match="malformed subprotocols"):
        client_request("a", "/", KEY, subprotocols=subprotocols)


ACCEPTED = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept_key(KEY)}


def test_no_subprotocol_was_chosen() -> None:
    assert check_response(ResponseHead(101, Headers(ACCEPTED)), KEY, subprotocols=["a"]) == Agreement()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"Upgrade": "h2c"}, id="another Upgrade"),
        pytest.param({"Connection": "close"}, id="no Connection: upgrade"),
        pytest.param({"Sec-WebSocket-Accept": accept_key(new_key())}, id="answer to another key"),
        pytest.param({"Sec-WebSocket-Accept": ""}, id="empty answer"),
        pytest.param({"Sec-WebSocket-Extensions": "permessage-deflate"}, id="extension that was not offered"),
        pytest.param({"Sec-WebSocket-Protocol": "b"}, id="subprotocol that was not offered"),
        pytest.param({"Sec-WebSocket-Protocol": "A"}, id="subprotocol in another case"),
        pytest.param({"Sec-WebSocket-Protocol": "a, a"}, id="two subprotocols in one field"),
    ],
)
def test_101_that_does_not_answer_the_question(changes: dict[str, str]) -> None:
    with pytest.raises(HandshakeError):
        check_response(ResponseHead(101, Headers(ACCEPTED | changes)), KEY, subprotocols=["a"])


@pytest.mark.parametrize("name", ["Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"])
def test_doubled_field_in_the_answer(name: str) -> None:
    value = ACCEPTED.get(name, "a")
    fields = [*ACCEPTED.items(), (name, value), *([] if name in ACCEPTED else [(name, value)])]
    with pytest.raises(HandshakeError):
        check_response(ResponseHead(101, Headers(fields)), KEY, subprotocols=["a"])


@pytest.mark.parametrize("status", [200, 301, 401, 403, 426, 503])
def test_rejection_tells_its_status_headers_and_body(status: int) -> None:
    with pytest.raises(HandshakeRejected) as caught:
        check_response(ResponseHead(status, Headers({"Location": "/x"}), b"why"), KEY)
    assert (caught.value.status, caught.value.headers, caught.value.body) == (status, {"location": "/x"}, b"why")
