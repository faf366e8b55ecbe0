"""What is no message, however it is made: an error, in bounded time and memory (faults 54)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from flowsock import codec_for
from tests.codecs.messages import Command, Said

DEEP = 100_000


class Count(msgspec.Struct):
    n: int


@pytest.mark.parametrize("kind", [Any, list, dict[str, Any], Said, Command], ids=str)
@pytest.mark.parametrize("text", ["[" * DEEP, '{"a":' * DEEP, "[" * DEEP + "]" * DEEP, '{"who":' + "[" * DEEP])
def test_54_json_nested_without_end_is_no_message(kind: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"nested too deeply|Expected|recursion limit|valid"):
        codec_for(kind).decode(text)


@pytest.mark.parametrize("kind", [Any, list, Said, Command], ids=str)
@pytest.mark.parametrize(
    "data", [b"\x91" * DEEP, b"\x81\xa1a" * DEEP, b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xc1"]
)
def test_54_msgpack_nested_or_counted_without_end_is_no_message(kind: Any, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"nested too deeply|Expected|truncated|malformed|kind"):
        codec_for(kind, "msgpack").decode(data)


@pytest.mark.parametrize("text", ["1" * 5000, "-" + "1" * 5000, "1e999999999", "1" * 1_000_000])
def test_54_a_number_beyond_bounds_is_no_message(text: str) -> None:
    for kind in (Any, int, float, dict[str, Any]):
        with pytest.raises(ValueError, match=r"out of range|Expected"):
            codec_for(kind).decode(text)
    with pytest.raises(ValueError, match=r"out of range|Expected"):
        codec_for(Count).decode(f'{{"n":{text}}}')


def test_54_a_number_of_many_digits_is_exact() -> None:
    assert codec_for(int).decode(str(10**40)) == 10**40


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "nan", "[NaN]"])
def test_54_json_has_no_nan(text: str) -> None:
    for kind in (Any, float, list[float]):
        with pytest.raises(ValueError, match=r"malformed|truncated|Expected"):
            codec_for(kind).decode(text)


def test_54_nan_is_written_as_null() -> None:
    assert codec_for(list[float]).encode([float("nan"), float("inf")]) == "[null,null]"


def test_54_of_a_key_that_comes_twice_the_last_value_counts() -> None:
    assert codec_for(Count).decode('{"n":1,"n":2}') == Count(2)
    assert codec_for(dict).decode('{"n":1,"n":2}') == {"n": 2}
    with pytest.raises(ValueError, match="Expected `int`"):
        codec_for(Count).decode('{"n":"one","n":2}')


@pytest.mark.parametrize("text", ["", " ", "\ufeff1", "1 2", "01", "'a'", '"\\ud800"', '"\n"', "nul", "[1,]", "\x00"])
def test_malformed_json_is_no_message(text: str) -> None:
    with pytest.raises(ValueError, match=r"malformed|truncated"):
        codec_for(Any).decode(text)
