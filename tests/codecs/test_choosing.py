"""The codec of a type: what it writes, what it reads, and which types have none."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any

import msgspec
import pydantic
import pytest

from flowsock import MessageCodec, MessageFormat, codec_for
from tests.codecs.messages import Cancel, Checked, Command, Entry, Fixed, Hex, Move, Order, Pair, Point, Reading, Said, Say

MESSAGES: list[tuple[Any, Any, str]] = [
    (dict, {"a": [1, None]}, '{"a":[1,null]}'),
    (dict[str, int], {"a": 1}, '{"a":1}'),
    (list[int], [1, 2], "[1,2]"),
    (int, 7, "7"),
    (int | str, "seven", '"seven"'),
    (float | None, None, "null"),
    (Any, {"a": 1.5}, '{"a":1.5}'),
    (Entry, {"name": "ann"}, '{"name":"ann"}'),
    (Pair, Pair(1, "b"), '[1,"b"]'),
    (Said, Said("ann", "hi"), '{"who":"ann","text":"hi"}'),
    (Say | Move, Move(1), '{"type":"move","x":1,"y":0}'),
    (list[Say | Move], [Say("hi")], '[{"type":"say","text":"hi"}]'),
    (Reading, Reading("roof", 1.5), '{"name":"roof","value":1.5}'),
    (Fixed, Fixed("roof", 1.5), '{"name":"roof","value":1.5}'),
    (Point, Point(1, 2), '{"x":1,"y":2}'),
    (Cancel, Cancel(why="rain"), '{"kind":"cancel","why":"rain"}'),
    (Command, Order(howMany=2), '{"kind":"order","howMany":2}'),
    (list[Order], [Order(howMany=2)], '[{"kind":"order","howMany":2}]'),
    (Checked, Checked(3), '{"size":3}'),
]


@pytest.mark.parametrize(("kind", "message", "text"), MESSAGES)
def test_a_type_chooses_the_codec_that_writes_json_as_text(kind: Any, message: Any, text: str) -> None:
    codec = codec_for(kind)
    assert codec.accepts == {str}
    assert codec.encode(message) == text
    assert codec.decode(text) == message
    assert codec.decode(text.encode()) == message


@pytest.mark.parametrize(("kind", "message", "text"), MESSAGES)
def test_msgpack_says_the_same_in_bytes(kind: Any, message: Any, text: str) -> None:
    codec = codec_for(kind, "msgpack")
    encoded = codec.encode(message)
    assert codec.accepts == {bytes}
    assert isinstance(encoded, bytes)
    assert msgspec.msgpack.decode(encoded) == msgspec.json.decode(text)
    assert codec.decode(encoded) == message


@pytest.mark.parametrize("message_format", MessageFormat)
@pytest.mark.parametrize(
    ("kind", "accepts", "text", "binary"),
    [(str, {str}, "ä", "ä"), (bytes, {bytes}, "ä".encode(), "ä".encode()), (str | bytes, {str, bytes}, "ä", "ä".encode())],
)
def test_text_and_bytes_pass_as_they_are(
    kind: Any, accepts: set[type], text: object, binary: object, message_format: MessageFormat
) -> None:
    codec = codec_for(kind, message_format)
    assert codec.accepts == accepts
    assert (codec.decode("ä"), codec.decode("ä".encode())) == (text, binary)
    assert codec.encode("ä") == "ä"
    assert codec.encode(memoryview(b"b")) == b"b"
    with pytest.raises(TypeError, match="str or bytes, not int"):
        codec.encode(1)


def test_bytes_that_are_to_be_text_and_are_none_are_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        codec_for(str).decode(b"\xff")


class Bare:
    pass


class Untagged(msgspec.Struct):
    x: int


class Holder(msgspec.Struct):
    inside: list[Bare | None]


class Loop(msgspec.Struct):
    next: Loop | None
    last: Bare


class Mixed(msgspec.Struct):
    order: Order


@pytest.mark.parametrize("message_format", MessageFormat)
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Bare, "a type that msgspec does not know"),
        (object, "a type that msgspec does not know"),
        (Holder, "a type that msgspec does not know"),
        (Loop, "a type that msgspec does not know"),
        (Mixed, "a type that msgspec does not know"),
        (dict[str, complex], "a type that msgspec does not know"),
        (Said | Untagged, "must be tagged"),
        (Order | Said, "Unable to generate pydantic-core schema"),
    ],
)
def test_a_type_without_a_codec_is_refused_with_what_to_do(kind: Any, why: str, message_format: MessageFormat) -> None:
    with pytest.raises(TypeError, match=r"(?s)there is no codec for messages.* Use str, .* or give a codec=") as raised:
        codec_for(kind, message_format)
    assert why in str(raised.value)


def test_a_format_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'yaml' is not a valid MessageFormat"):
        codec_for(int, "yaml")


def test_a_codec_of_the_users_is_taken_for_all_but_text_and_bytes() -> None:
    mine: MessageCodec[int] = Hex()
    assert codec_for(int, mine).encode(255) == "ff"
    assert codec_for(int, mine).decode("ff") == 255
    assert codec_for(str, mine).encode("ff") == "ff"


def test_one_type_has_one_codec() -> None:
    assert codec_for(Say | Move) is codec_for(Say | Move, MessageFormat.JSON)
    assert codec_for(Say | Move) is not codec_for(Say | Move, "msgpack")


def test_a_type_that_cannot_be_remembered_has_a_codec_too() -> None:
    described = Annotated[int, msgspec.Meta(ge=1, extra={"of": "apples"})]
    unhashable = Annotated[int, msgspec.Meta(ge=1), ["a list"]]
    assert codec_for(described).decode("1") == codec_for(unhashable).decode("1") == 1
    with pytest.raises(ValueError, match=">= 1"):
        codec_for(unhashable).decode("0")


def test_pydantic_is_loaded_only_for_its_models() -> None:
    code = "import sys, flowsock\nflowsock.codec_for(dict[str, int]).encode({})\nprint('pydantic' in sys.modules)"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=25, check=True)
    assert ran.stdout.strip() == "False"


def test_what_pydantic_finds_wrong_is_told_without_what_was_sent() -> None:
    with pytest.raises(ValueError, match=r"^order\.howMany: Input should be greater than 0$") as raised:
        codec_for(Command).decode('{"kind": "order", "howMany": -4711}')
    assert "4711" not in str(raised.value)
    with pytest.raises(ValueError, match=r"^the message: Invalid JSON"):
        codec_for(Command).decode("{")
    with pytest.raises(ValueError, match="howMany: Field required"):
        codec_for(Order, "msgpack").decode(msgspec.msgpack.encode({}))


@pytest.mark.parametrize("message_format", MessageFormat)
def test_what_is_no_message_of_the_type_is_not_sent_by_pydantic(message_format: MessageFormat) -> None:
    for kind, wrong in ((Order, Cancel(why="rain")), (Order, {"howMany": 2}), (Order | None, 1), (Command, Said("ann", "hi"))):
        with pytest.raises(TypeError, match=r"a message here is of type Order.*, not"):
            codec_for(kind, message_format).encode(wrong)
    with pytest.raises(TypeError, match="Unable to serialize unknown type"):
        codec_for(dict[str, Order], message_format).encode({"a": Said("ann", "hi")})


@pytest.mark.parametrize("message_format", MessageFormat)
def test_what_cannot_be_written_is_refused(message_format: MessageFormat) -> None:
    with pytest.raises(TypeError, match="Bare is unsupported"):
        codec_for(dict, message_format).encode({"bare": Bare()})


def test_models_are_found_inside_generic_types() -> None:
    class Local(pydantic.BaseModel):
        x: int

    assert codec_for(dict[str, list[Local]]).decode('{"a": [{"x": 1}]}') == {"a": [Local(x=1)]}
