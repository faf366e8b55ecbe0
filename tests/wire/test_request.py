from __future__ import annotations

import pytest

from flowsock.wire.request import Request, is_host


def test_target_path_and_query() -> None:
    request = Request("GET", "/room/%C3%A9%2Fb?a=1&b=x%20y&a=2&empty=&plus=a+b")
    assert request.target == "/room/%C3%A9%2Fb?a=1&b=x%20y&a=2&empty=&plus=a+b"
    assert request.path == "/room/é/b"
    assert request.query == {"a": "1", "b": "x y", "empty": "", "plus": "a b"}
    assert request.query.get_all("a") == ("1", "2")
    assert request.query.get_all("absent") == ()
    assert request.query is request.query


def test_no_query() -> None:
    assert Request("GET", "/").query == {}


def test_bytes_that_are_not_utf8_do_not_raise() -> None:
    assert Request("GET", "/%ff?a=%ff").path == "/\N{REPLACEMENT CHARACTER}"
    assert Request("GET", "/%ff?a=%ff").query == {"a": "\N{REPLACEMENT CHARACTER}"}


def test_cookies() -> None:
    request = Request("GET", "/", [("Cookie", 'a=1; b="two"; a=3; junk; =x'), ("Cookie", "c=d=e")])
    assert request.cookies == {"a": "1", "b": "two", "": "x", "c": "d=e"}
    assert Request("GET", "/").cookies == {}


def test_headers_may_be_given_as_a_mapping() -> None:
    assert Request("GET", "/", {"Host": "x"}) == Request("GET", "/", [("host", "x")])
    assert repr(Request("GET", "/", {"Host": "x"})) == (
        "Request(method='GET', target='/', headers=Headers(pairs=(('host', 'x'),)), http_version='1.1', "
        "client=None, secure=False, host='x')"
    )


@pytest.mark.parametrize("host", ["example.com", "localhost:8080", "127.0.0.1", "[::1]", "[::1]:80", "a-b_c.d~", "a:"])
def test_host(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize("host", ["", "a/?x=", "a b", "a@b", "a:b", "[::1", "::1", "a:123456", "é", "a,b", "a\n", ":80"])
def test_malformed_host(host: str) -> None:
    assert not is_host(host)
