from __future__ import annotations

import pytest

from flowsock.wire.headers import Headers, as_headers, is_token


def test_names_are_case_insensitive_and_repeated_values_stay_in_order() -> None:
    headers = Headers([("Set-Cookie", "a=1"), ("X", "y"), ("set-cookie", "b=2")])
    assert headers.get("SET-COOKIE") == "a=1"
    assert headers.get_all("Set-cookie") == ("a=1", "b=2")
    assert "x" in headers
    assert "z" not in headers
    assert headers.get("z") is None
    assert headers.get("z", "else") == "else"
    assert list(headers) == [("set-cookie", "a=1"), ("x", "y"), ("set-cookie", "b=2")]
    assert len(headers) == 3


def test_a_mapping_and_its_pairs_make_equal_headers() -> None:
    assert Headers({"A": "b"}) == Headers([("a", "b")])
    assert repr(Headers({"A": "b"})) == "Headers(pairs=(('a', 'b'),))"


def test_headers_are_made_only_once() -> None:
    headers = Headers({"A": "b"})
    assert as_headers(headers) is headers
    assert as_headers({"a": "b"}) == headers


def test_elements_of_a_list_over_several_fields() -> None:
    headers = Headers([("Connection", "keep-alive,\t Upgrade "), ("connection", "x")])
    assert headers.elements("connection") == ("keep-alive", "Upgrade", "x")
    assert headers.elements("absent") == ()


def test_a_plain_dict_joins_repeated_values() -> None:
    assert Headers([("A", "1"), ("b", "2"), ("a", "3")]).as_dict() == {"a": "1, 3", "b": "2"}


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "é", "a\0", "(", "a\n"])
def test_malformed_name_is_refused(name: str) -> None:
    assert not is_token(name)
    with pytest.raises(ValueError, match="malformed header name"):
        Headers({name: "x"})


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "x\r\nSet-Cookie: a=b", "\x1b[31m", "\x7f", "a\n", "€"])
def test_value_that_could_end_its_line_or_cannot_be_written_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="malformed value"):
        Headers({"x": value})


@pytest.mark.parametrize("value", ["", "a b", "tab\there", "é", "\xff"])
def test_value_that_may_be(value: str) -> None:
    assert Headers({"x": value}).get("x") == value
