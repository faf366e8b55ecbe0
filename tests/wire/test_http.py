from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock.errors import HandshakeError
from flowsock.wire.http import BadRequest, Headers, Request, RequestReader, ResponseHead, ResponseReader
from tests.wire.support import bounded, cut_lists, pieces


def head(*fields: str, first: str = "GET /chat?x=1 HTTP/1.1", host: str | None = "example.com") -> bytes:
    lines = [first, *([f"Host: {host}"] if host is not None else []), *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")


def refusal(data: bytes) -> int:
    with pytest.raises(BadRequest) as caught:
        RequestReader().feed(data)
    return caught.value.status


def test_request_is_read() -> None:
    reader = RequestReader()
    request = reader.feed(head("Origin:  http://a ", "X: é"))
    assert request == Request("GET", "/chat?x=1", {"host": "example.com", "origin": "http://a", "x": "é"})
    assert reader.trailing == b""


def test_30_bytes_behind_the_head_are_kept() -> None:
    reader = RequestReader()
    assert reader.feed(head()[:-1]) is None
    assert reader.feed(b"\n\x81\x85frames") is not None
    assert reader.trailing == b"\x81\x85frames"


def test_error_tells_its_status_and_message() -> None:
    error = BadRequest(431, "too long")
    assert (error.status, error.message, str(error)) == (431, "too long", "431: too long")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(head(first="GET / HTTP/1.0"), 505, id="2 HTTP/1.0"),
        pytest.param(head(first="GET / HTTP/1.0", host=None), 505, id="2 HTTP/1.0 without Host"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, id="3 HTTP/2 preface"),
        pytest.param(head(host=None), 400, id="10 no Host"),
        pytest.param(head("Host: example.com"), 400, id="10 two Hosts"),
        pytest.param(head(host="a/?x="), 400, id="10 malformed Host"),
        pytest.param(head(host=""), 400, id="10 empty Host"),
        pytest.param(head("X : y"), 400, id="17 space before colon"),
        pytest.param(head("X: a\0b"), 400, id="17 NUL"),
        pytest.param(head("X: a\x1b[31m"), 400, id="17 escape"),
        pytest.param(head("X: a\rb"), 400, id="17 bare CR"),
        pytest.param(head("X: a\r\n b"), 400, id="17 folding"),
        pytest.param(head().replace(b"\r\n", b"\n"), 400, id="17 bare LF"),
        pytest.param(head("X"), 400, id="no colon"),
        pytest.param(head(": x"), 400, id="no name"),
        pytest.param(head(first="GET /"), 400, id="HTTP/0.9"),
        pytest.param(head(first="GET / HTTP/1.1 x"), 400, id="junk behind the version"),
        pytest.param(head(first="GET  / HTTP/1.1"), 400, id="two spaces"),
        pytest.param(head(first="G\u00cbT / HTTP/1.1"), 400, id="method beyond ASCII"),
        pytest.param(head(first="GET /\u00e9 HTTP/1.1"), 400, id="target beyond ASCII"),
        pytest.param(head(first="GET http://other/ HTTP/1.1"), 400, id="absolute target of another host"),
        pytest.param(head(first="GET http://example.com:80/ HTTP/1.1"), 400, id="absolute target of another port"),
        pytest.param(head(first="GET http://u@example.com/ HTTP/1.1"), 400, id="absolute target with a user"),
        pytest.param(head(first="GET http://example.com/#x HTTP/1.1"), 400, id="absolute target with a fragment"),
        pytest.param(head(first="GET ftp://example.com/ HTTP/1.1"), 400, id="absolute target of another scheme"),
        pytest.param(head(first="CONNECT example.com:80 HTTP/1.1"), 400, id="CONNECT"),
        pytest.param(head(first="POST chat HTTP/1.1"), 400, id="a relative target"),
        pytest.param(head(first="GET /#x HTTP/1.1"), 400, id="fragment in the target"),
        pytest.param(head(first="GET * HTTP/1.1"), 400, id="asterisk for GET"),
        pytest.param(head("Content-Length: 0", "Transfer-Encoding: chunked"), 400, id="18 both framings"),
        pytest.param(head("Content-Length: 0", "Transfer-Encoding: chunked", first="POST / HTTP/1.1"), 400, id="18 POST"),
        pytest.param(head("Content-Length: 5", "Content-Length: 6"), 400, id="two lengths"),
        pytest.param(head("Content-Length: -1"), 400, id="negative length"),
        pytest.param(head("Content-Length: 0x5"), 400, id="length that is no number"),
        pytest.param(head("Transfer-Encoding: gzip"), 400, id="unknown coding"),
        pytest.param(head("Content-Length: 5", *UPGRADE), 400, id="19 body on an upgrade"),
        pytest.param(head("Transfer-Encoding: chunked", *UPGRADE), 400, id="19 chunked body on an upgrade"),
        pytest.param(head("Content-Length: 5"), 413, id="body on a GET"),
        pytest.param(head("Transfer-Encoding: chunked"), 413, id="chunked body on a GET"),
        pytest.param(head(*["X: y"] * 128), 431, id="12 129 headers"),
    ],
)
def test_request_that_cannot_be_served(data: bytes, status: int) -> None:
    assert refusal(data) == status


@pytest.mark.parametrize(
    ("data", "method"),
    [
        pytest.param(head("Content-Length: 0"), "GET", id="empty body"),
        pytest.param(head(first="HEAD / HTTP/1.1"), "HEAD", id="HEAD"),
        pytest.param(head("Content-Length: 5", first="POST / HTTP/1.1") + b"hello", "POST", id="POST, for others to answer"),
        pytest.param(head(first="OPTIONS * HTTP/1.1"), "OPTIONS", id="OPTIONS"),
        pytest.param(head(host="[::1]:8080"), "GET", id="IPv6 host"),
        pytest.param(head(*["X: y"] * 127), "GET", id="128 headers"),
    ],
)
def test_request_that_may_be(data: bytes, method: str) -> None:
    request = RequestReader().feed(data)
    assert request is not None
    assert request.method == method


@pytest.mark.parametrize(
    ("target", "origin_form"),
    [
        ("http://example.com/chat?x=1", "/chat?x=1"),
        ("WSS://EXAMPLE.com/a%2Fb", "/a%2Fb"),
        ("https://example.com", "/"),
        ("https://example.com?x", "/?x"),
        ("//example.com/", "//example.com/"),
    ],
)
def test_an_absolute_target_is_taken_where_it_agrees_with_the_host(target: str, origin_form: str) -> None:
    request = RequestReader().feed(head(first=f"GET {target} HTTP/1.1"))
    assert request is not None
    assert (request.target, request.host) == (origin_form, "example.com")


def test_messages_never_repeat_what_the_peer_sent() -> None:
    with pytest.raises(BadRequest) as caught:
        RequestReader().feed(head("X : <script>"))
    assert "script" not in str(caught.value)
    assert caught.value.__cause__ is None


texts = st.text(st.characters(max_codepoint=255), max_size=12)
fields = st.sampled_from((*UPGRADE, "Content-Length: 0", "X: y", "Host: b", "Transfer-Encoding: chunked", " x")) | texts
firsts = st.sampled_from(("GET / HTTP/1.1", "GET /a?b HTTP/1.1", "POST / HTTP/1.1", "GET / HTTP/1.0")) | texts


@bounded
@given(
    st.builds(lambda first, more: head(*more, first=first), firsts, st.lists(fields, max_size=5)) | st.binary(max_size=50),
    cut_lists,
)
def test_any_bytes_in_any_split_give_one_request_or_bad_request(data: bytes, cuts: list[int]) -> None:
    def outcome(parts: list[bytes]) -> object:
        reader = RequestReader()
        try:
            for index, part in enumerate(parts):
                if (request := reader.feed(part)) is not None:
                    return request, reader.trailing + b"".join(parts[index + 1 :])
        except BadRequest as error:
            return error.status, error.message
        return None

    assert outcome(list(pieces(data, cuts))) == outcome([data])


ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def test_response_is_read_and_what_follows_is_kept() -> None:
    reader = ResponseReader()
    answers = [reader.feed(bytes((byte,))) for byte in ACCEPTED]
    assert answers[:-1] == [None] * (len(ACCEPTED) - 1)
    assert answers[-1] == ResponseHead(101, Headers({"upgrade": "websocket", "connection": "Upgrade"}))
    reader = ResponseReader()
    reader.feed(ACCEPTED + b"\x81\x00")
    assert reader.trailing == b"\x81\x00"


def test_response_other_than_101_has_the_start_of_its_body() -> None:
    reader = ResponseReader()
    assert reader.end() is None
    assert reader.feed(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nno") is None
    assert reader.end() == ResponseHead(403, Headers({"content-length": "100"}), b"no")
    assert reader.trailing == b""


def test_response_of_http_1_0_is_read() -> None:
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.0 502 \r\n\r\n") is None
    assert reader.end() == ResponseHead(502, Headers())


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b"Content-Length: 5\r\n\r\nhello", b"hello"),
        (b"Content-Length: 0\r\n\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nnonsense\r\n", b"hel"),
    ],
)
def test_a_refusal_is_read_to_its_end(content: bytes, body: bytes) -> None:
    data = b"HTTP/1.1 403 Forbidden\r\n" + content
    for cut in range(len(data)):
        reader = ResponseReader()
        assert reader.feed(data[:cut]) is None
        answer = reader.feed(data[cut:])
        assert answer is not None
        assert (answer.status, answer.body) == (403, body)


def test_a_refusal_is_read_up_to_a_limit() -> None:
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.1 403 Forbidden\r\n\r\n") is None
    assert reader.feed(b"x" * 65535) is None
    answer = reader.feed(b"y" * 100_000)
    assert answer is not None
    assert answer.body == b"x" * 65535 + b"y"


def test_informational_responses_are_skipped() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    for cut in range(len(early)):
        reader = ResponseReader()
        first = reader.feed((early * 2)[:cut])
        assert first is None
        answer = reader.feed((early * 2)[cut:] + ACCEPTED + b"x")
        assert answer is not None
        assert (answer.status, reader.trailing) == (101, b"x")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x15\x03\x03", id="TLS alert"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 20 OK\r\n\r\n", id="status of two digits"),
        pytest.param(b"HTTP/1.1 600 Hm\r\nA : b\r\n\r\n", id="space before colon"),
        pytest.param(b"HTTP/1.1 200 OK\n\n", id="bare LF"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: \x1b\r\n\r\n", id="escape"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 9000, id="long line"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 129, id="many fields"),
    ],
)
def test_malformed_response(data: bytes) -> None:
    with pytest.raises(HandshakeError, match="malformed"):
        ResponseReader().feed(data)


@bounded
@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda junk: b"HTTP/1.1 " + junk + b"\r\n\r\n"))
def test_any_bytes_give_a_response_or_a_handshake_error(data: bytes) -> None:
    try:
        answer = ResponseReader().feed(data)
    except HandshakeError:
        return
    assert answer is None or 100 <= answer.status <= 999
