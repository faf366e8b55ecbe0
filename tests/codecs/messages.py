"""The same messages, as each library says them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import pydantic


class Say(msgspec.Struct, tag="say"):
    text: str


class Move(msgspec.Struct, tag="move"):
    x: int
    y: int = 0


class Said(msgspec.Struct, frozen=True):
    who: str
    text: str


@attrs.define
class Reading:
    name: str
    value: float


@attrs.frozen
class Fixed:
    name: str
    value: float


@dataclass
class Point:
    x: int
    y: int


@dataclass(frozen=True)
class FixedPoint:
    x: int
    y: int


class Pair(NamedTuple):
    left: int
    right: str


class Entry(TypedDict):
    name: str


class Order(pydantic.BaseModel):
    kind: Literal["order"] = "order"
    amount: int = pydantic.Field(alias="howMany", gt=0)


class Cancel(pydantic.BaseModel):
    kind: Literal["cancel"] = "cancel"
    why: str


Command = Annotated[Order | Cancel, pydantic.Field(discriminator="kind")]


@pydantic.dataclasses.dataclass
class Checked:
    size: int


class Hex:
    """A codec of the user's."""

    accepts = frozenset({str})

    def encode(self, message: int) -> str:
        return f"{message:x}"

    def decode(self, data: str | bytes) -> int:
        return int(data, 16)
