from __future__ import annotations

import re

import pytest

from flowsock.wire import response as response_module
from flowsock.wire.response import Response, encode_response, plain_response


def head_and_body(response: Response, *, head_only: bool = False) -> tuple[list[bytes], bytes]:
    head, _, body = encode_response(response, head_only=head_only).partition(b"\r\n\r\n")
    return head.split(b"\r\n"), body


def test_response_ends_its_connection_and_tells_its_length() -> None:
    lines, body = head_and_body(Response(200, {"Content-Type": "text/html"}, b"<p>"))
    assert lines[0] == b"HTTP/1.1 200 OK"
    assert lines[1:4] == [b"content-type: text/html", b"content-length: 3", b"connection: close"]
    assert lines[4].startswith(b"date: ")
    assert len(lines) == 5
    assert body == b"<p>"


def test_answer_to_head_has_the_length_but_not_the_body() -> None:
    lines, body = head_and_body(Response(200, body=b"12345"), head_only=True)
    assert b"content-length: 5" in lines
    assert body == b""


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_content_has_none(status: int) -> None:
    lines, body = head_and_body(Response(status, body=b"ignored"))
    assert not any(line.startswith(b"content-length") for line in lines)
    assert body == b""


@pytest.mark.parametrize("status", [204, 299, 404, 431, 505])
def test_status_line(status: int) -> None:
    lines, _ = head_and_body(Response(status))
    assert re.fullmatch(rb"HTTP/1\.1 %d [A-Za-z ]*" % status, lines[0])


def test_date_is_english_and_in_gmt(monkeypatch: pytest.MonkeyPatch) -> None:
    from time import gmtime

    monkeypatch.setattr(response_module, "gmtime", lambda: gmtime(784111777))
    assert b"date: Sun, 06 Nov 1994 08:49:37 GMT" in head_and_body(Response(200))[0]


def test_date_of_ones_own_is_kept() -> None:
    lines, _ = head_and_body(Response(200, {"Date": "today"}))
    assert [line for line in lines if line.startswith(b"date")] == [b"date: today"]


def test_plain_response() -> None:
    lines, body = head_and_body(plain_response(405, "no é", {"Allow": "GET"}))
    assert lines[0] == b"HTTP/1.1 405 Method Not Allowed"
    assert b"allow: GET" in lines
    assert b"content-type: text/plain; charset=utf-8" in lines
    assert body == "no é\n".encode()


@pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 600])
def test_status_that_is_not_final_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="final"):
        Response(status)


@pytest.mark.parametrize("name", ["Connection", "content-length", "Transfer-Encoding"])
def test_framing_is_the_librarys_own(name: str) -> None:
    with pytest.raises(ValueError, match="by the library"):
        Response(200, {name: "x"})


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0"])
def test_response_cannot_be_split(value: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        Response(200, {"x": value})
    with pytest.raises(ValueError, match="malformed"):
        Response(200, {value: "x"})
