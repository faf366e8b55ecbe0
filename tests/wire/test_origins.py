"""Which pages may connect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flowsock.wire.origins import check_origins, is_same_origin, origin_error
from flowsock.wire.request import Request
from flowsock.wire.response import encode_response

if TYPE_CHECKING:
    from collections.abc import Sequence


def from_page(origin: str, host: str = "example.com", *, secure: bool = False) -> Request:
    return Request("GET", "/", {"Host": host, "Origin": origin}, secure=secure)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://example.com", "example.com"),
        ("http://example.com", "example.com"),
        ("HTTPS://Example.COM", "eXample.com"),
        ("https://example.com", "example.com:443"),
        ("https://example.com:443", "example.com"),
        ("http://example.com", "example.com:80"),
        ("http://example.com", "example.com:"),
        ("http://localhost:8080", "localhost:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_same_origin(origin: str, host: str) -> None:
    assert is_same_origin(from_page(origin, host))
    assert origin_error(from_page(origin, host), "same") is None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.com", "example.com"),
        ("https://example.com.evil.com", "example.com"),
        ("https://notexample.com", "example.com"),
        ("https://example.com:8443", "example.com"),
        ("https://example.com", "example.com:80"),
        ("http://example.com", "example.com:443"),
        ("http://localhost:8080", "localhost:8081"),
        ("null", "example.com"),
        ("null", "null"),
        ("", "example.com"),
        ("example.com", "example.com"),
        ("https://example.com/", "example.com"),
        ("https://example.com/path", "example.com"),
        ("https://user@example.com", "example.com"),
        ("https://example.com#x", "example.com"),
        ("https://example.com https://evil.com", "example.com"),
        ("https://example.com, https://evil.com", "example.com"),
        ("chrome-extension://example.com", "example.com"),
        ("file://", "example.com"),
        ("https://[", "example.com"),
        ("https://example.com:99999999", "example.com"),
    ],
)
def test_11_foreign_or_malformed_origin(origin: str, host: str) -> None:
    request = from_page(origin, host)
    assert not is_same_origin(request)
    response = origin_error(request, "same")
    assert response is not None
    assert response.status == 403
    assert b"example" not in encode_response(response)


def test_request_of_no_page_is_let_in() -> None:
    request = Request("GET", "/", {"Host": "example.com"})
    assert is_same_origin(request)
    assert origin_error(request, "same") is None
    assert origin_error(request, ["https://example.com"]) is None


@pytest.mark.parametrize("allowed", ["same", "*", ["https://example.com"]])
def test_11_two_origins(allowed: Sequence[str]) -> None:
    request = Request("GET", "/", [("Host", "a"), ("Origin", "https://a"), ("Origin", "https://a")])
    assert not is_same_origin(request)
    response = origin_error(request, allowed)
    assert response is not None
    assert response.status == 400


@pytest.mark.parametrize("origin", ["https://evil.com", "null", "junk"])
def test_all_origins(origin: str) -> None:
    assert origin_error(from_page(origin), "*") is None


def test_a_page_without_tls_is_not_of_the_origin_of_a_server_with_it() -> None:
    assert is_same_origin(from_page("https://example.com", secure=True))
    assert not is_same_origin(from_page("http://example.com", secure=True))
    assert not is_same_origin(from_page("http://example.com:443", "example.com:443", secure=True))


def test_the_host_is_that_which_a_trusted_proxy_was_asked_for() -> None:
    request = Request("GET", "/", {"Host": "10.0.0.1:8080", "Origin": "https://example.com"}, host="example.com")
    assert is_same_origin(request)


LISTED = [
    "http://b.com",
    "https://a.com",
    "https://*.wide.com",
    "http://localhost:*",
    "https://*.deep.com:8443",
    "null",
    "app://x",
]


@pytest.mark.parametrize(
    "origin",
    [
        "https://a.com",
        "https://a.com:443",
        "HTTPS://A.com",
        "https://www.wide.com",
        "https://a.b-c.wide.com:443",
        "http://localhost",
        "http://localhost:5173",
        "https://x.deep.com:8443",
        "null",
        "app://x",
    ],
)
def test_listed_origin(origin: str) -> None:
    assert origin_error(from_page(origin), LISTED) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://a.com",
        "https://a.com:8443",
        "https://a.com.evil.com",
        "https://axcom",
        "https://",
        "NULL",
        "junk",
        "https://wide.com",
        "http://www.wide.com",
        "https://evil-wide.com",
        "https://.wide.com",
        "https://www.wide.com.evil.com",
        "https://evil.com/.wide.com",
        "https://www.wide.com:444",
        "https://localhost:1",
        "http://localhost.evil.com:1",
        "https://x.deep.com",
        "app://xy",
        "https://*.wide.com",
    ],
)
def test_origin_that_is_not_listed(origin: str) -> None:
    response = origin_error(from_page(origin, "a.com"), LISTED)
    assert response is not None
    assert response.status == 403
    assert b"a.com" not in encode_response(response)


@pytest.mark.parametrize("allowed", ["same", "*", [], LISTED, ["chrome-extension://abc", "https://[::1]:80"]])
def test_a_list_that_can_be_understood(allowed: Sequence[str]) -> None:
    check_origins(allowed)


@pytest.mark.parametrize(
    "entry",
    [
        "example.com",
        "https://example.com/",
        "https://",
        "https://*",
        "https://a.*.com",
        "https://a.com:x",
        "*",
        "",
        "https://*a.com",
    ],
)
def test_an_entry_that_would_never_match_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is not an origin: give a scheme"):
        check_origins([entry])


def test_a_single_origin_must_be_a_list() -> None:
    with pytest.raises(ValueError, match=r"a list of origins, not 'https://a\.com'"):
        check_origins("https://a.com")
