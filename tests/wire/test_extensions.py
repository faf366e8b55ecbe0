from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock.wire.extensions import FIELD, Extension, parse_extensions
from flowsock.wire.headers import Headers
from tests.wire.support import bounded


def parse(*values: str) -> tuple[Extension, ...]:
    return parse_extensions(Headers((FIELD, value) for value in values))


@pytest.mark.parametrize(
    ("values", "extensions"),
    [
        ([], ()),
        (["foo"], (Extension("foo"),)),
        (["foo, bar; baz=2"], (Extension("foo"), Extension("bar", (("baz", "2"),)))),
        (["foo", "bar"], (Extension("foo"), Extension("bar"))),
        (["foo, foo"], (Extension("foo"), Extension("foo"))),
        (["a; b; c=d; b"], (Extension("a", (("b", None), ("c", "d"), ("b", None))),)),
        (["\ta ;\tb =\tc\t, d "], (Extension("a", (("b", "c"),)), Extension("d"))),
        ([",, a,, b ,"], (Extension("a"), Extension("b"))),
        (['a; b="c"; d="e\\f"'], (Extension("a", (("b", "c"), ("d", "ef"))),)),
    ],
)
def test_lists_of_extensions(values: list[str], extensions: tuple[Extension, ...]) -> None:
    assert parse(*values) == extensions


@pytest.mark.parametrize(
    "value",
    ["", ",", "a b", "a;", ";a", "a; b=", "a; =b", "a; b c", 'a; b="', 'a; b=""', 'a; b="c d"', 'a; "b"', "a=b", "ä", "a/b"],
)
def test_what_is_no_list_of_extensions(value: str) -> None:
    with pytest.raises(ValueError, match=FIELD):
        parse(value)


def test_an_extension_is_written_as_it_is_read() -> None:
    assert str(Extension("a", (("b", None), ("c", "d")))) == "a; b; c=d"


tokens = st.text("abz09-_!", min_size=1, max_size=5)
extensions = st.builds(
    Extension, tokens, st.lists(st.tuples(tokens, st.none() | tokens), max_size=4).map(lambda each: tuple(each))
)


@bounded
@given(st.lists(extensions, min_size=1, max_size=5))
def test_whatever_is_written_is_read(written: list[Extension]) -> None:
    assert parse(", ".join(map(str, written))) == tuple(written)
    assert parse(*map(str, written)) == tuple(written)


@pytest.mark.parametrize("unit", [" ", ",", "a,", "a; b=c", '; b="c"', 'a; b="', "\\", "\t;", "=", '"'])
def test_21_any_list_is_read_in_linear_time(unit: str) -> None:
    def seconds(times: int) -> float:
        headers = Headers([(FIELD, "a; b" + unit * times)])
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            with suppress(ValueError):
                parse_extensions(headers)
            best = min(best, time.process_time() - start)
        return best

    assert seconds(160_000) < 4 * 16 * max(seconds(10_000), 1e-4)
