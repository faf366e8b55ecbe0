from __future__ import annotations

import pytest

from flowsock.wire.query import Query


def test_the_first_value_of_a_name_is_the_one() -> None:
    query = Query("a=1&b=2&a=3")
    assert (query["a"], query.get("b"), query.get("c")) == ("1", "2", None)
    assert query.get_all("a") == ("1", "3")
    assert query.get_all("c") == ()
    assert list(query) == ["a", "b"]
    assert len(query) == 2
    assert "c" not in query


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("=a", {"": "a"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=x+y%20z%2B", {"a": "x y z+"}),
        ("a=1;b=2", {"a": "1;b=2"}),
        ("&&a=1&", {"a": "1"}),
        ("%C3%A9=%ff", {"é": "\N{REPLACEMENT CHARACTER}"}),
        ("a=%zz", {"a": "%zz"}),
    ],
)
def test_what_is_escaped_is_resolved(text: str, found: dict[str, str]) -> None:
    assert Query(text) == found


def test_it_shows_itself() -> None:
    assert repr(Query("a=1&a=2")) == "Query({'a': ['1', '2']})"
