"""Encoding once what goes to many, and never what a message was before."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, NamedTuple
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest

from flowsock.codecs.encode_once import encode_once
from flowsock.codecs.immutable import is_immutable
from tests.codecs.messages import Entry, Fixed, FixedPoint, Order, Pair, Point, Reading, Said, Say


class Counting:
    """A codec that counts."""

    accepts = frozenset({str})

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, message: Any) -> str:
        self.encoded += 1
        return msgspec.json.encode(message).decode()

    def decode(self, data: str | bytes) -> Any:
        return msgspec.json.decode(data)


def test_a_frozen_message_is_encoded_once() -> None:
    counting = Counting()
    encode = encode_once(Said, counting)
    said = Said("ann", "hi")
    first = encode(said)
    assert all(encode(said) is first for _ in range(10_000))
    assert counting.encoded == 1


def test_an_equal_message_is_another_message() -> None:
    counting = Counting()
    encode = encode_once(Said, counting)
    assert encode(Said("ann", "hi")) == encode(Said("ann", "hi"))
    assert counting.encoded == 2


def test_nothing_is_not_taken_for_a_message_that_was_sent() -> None:
    assert encode_once(None | int, Counting())(None) == "null"


def test_true_one_and_one_point_naught_are_three_messages() -> None:
    encode = encode_once(bool | int | float, Counting())
    assert [encode(each) for each in (True, 1, 1.0, -0.0, 0)] == ["true", "1", "1.0", "-0.0", "0"]


def test_a_mutable_message_is_encoded_as_it_is_each_time() -> None:
    encode = encode_once(Say | Said | list[int], Counting())
    say, numbers = Say("one"), [1]
    assert (encode(say), encode(numbers)) == ('{"type":"say","text":"one"}', "[1]")
    say.text = "two"
    numbers.append(2)
    assert (encode(say), encode(numbers)) == ('{"type":"say","text":"two"}', "[1,2]")


class Bag(msgspec.Struct, frozen=True):
    items: list[int]


def test_what_a_frozen_message_holds_may_change() -> None:
    encode = encode_once(Bag, Counting())
    bag = Bag([1])
    assert encode(bag) == '{"items":[1]}'
    bag.items.append(2)
    assert encode(bag) == '{"items":[1,2]}'


def test_no_message_is_taken_for_a_dead_one_with_its_identity() -> None:
    encode = encode_once(Said, Counting())
    for number in range(1000):
        assert encode(Said("ann", str(number))) == f'{{"who":"ann","text":"{number}"}}'
        gc.collect(0)


def test_an_object_of_a_mutable_subclass_is_encoded_each_time() -> None:
    encode = encode_once(Said, Counting())
    thawed = Thawed("ann", "one")
    assert encode(thawed) == '{"who":"ann","text":"one"}'
    thawed.text = "two"  # type: ignore[misc]
    assert encode(thawed) == '{"who":"ann","text":"two"}'


def test_one_type_and_codec_have_one_memory() -> None:
    counting = Counting()
    said = Said("ann", "hi")
    assert encode_once(Say | Said, counting)(said) is encode_once(Say | Said, counting)(said)
    unhashable: Any = Annotated[Said, ["a list"]]
    assert encode_once(unhashable, counting)(said) == encode_once(Said, counting)(said)
    assert counting.encoded == 3


def test_a_long_message_is_not_kept() -> None:
    counting = Counting()
    encode = encode_once(Said, counting)
    long = Said("ann", "x" * 2**20)
    encode(long)
    encode(long)
    assert counting.encoded == 2


class Colour(Enum):
    RED = "red"


class Tree(msgspec.Struct, frozen=True):
    children: tuple[Tree, ...] = ()


class Everything(msgspec.Struct, frozen=True):
    limit: ClassVar[list[int]] = []
    number: Annotated[int, msgspec.Meta(ge=1)]
    colour: Colour
    kind: Literal["a", "b"]
    when: datetime | None
    key: UUID
    tags: frozenset[str]
    inside: Fixed | FixedPoint
    pair: Pair


class Derived(Said, frozen=True):
    more: dict[str, str]


class Thawed(Said, frozen=False):  # type: ignore[misc]
    pass


class Loose(NamedTuple):
    items: list[int]


@attrs.frozen
class FrozenList:
    items: list[int]


@dataclass(frozen=True)
class FrozenAny:
    value: Any


class Model(pydantic.BaseModel, frozen=True):
    name: str


class OpenModel(Model, frozen=True, extra="allow"):
    pass


class Computed(Model, frozen=True):
    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def now(self) -> int:
        return 1


class ListModel(pydantic.BaseModel, frozen=True):
    items: list[int]


@pytest.mark.parametrize("kind", [str, int, bytes, Said, Tree, Everything, Fixed, FixedPoint, Pair, Colour, Model])
def test_these_cannot_change(kind: type) -> None:
    assert is_immutable(kind)


@pytest.mark.parametrize(
    "kind",
    [
        *(list, dict, set, tuple, object, bytearray, Entry, Say, Point, Reading, Order),
        *(Bag, Derived, Thawed, Loose, FrozenList, FrozenAny, OpenModel, Computed, ListModel),
    ],
)
def test_these_can_or_nobody_knows(kind: type) -> None:
    assert not is_immutable(kind)


def test_a_class_whose_annotations_cannot_be_read_can_change() -> None:
    @attrs.frozen
    class Local:
        later: Nowhere  # type: ignore[name-defined]  # noqa: F821

    assert not is_immutable(Local)
