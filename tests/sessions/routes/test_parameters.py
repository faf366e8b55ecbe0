"""Values of a path, by the types that a handler says."""

from __future__ import annotations

from datetime import date
from enum import Enum
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from flowsock.sessions.routes.parameters import convert_all, converter

ID = UUID("550e8400-e29b-41d4-a716-446655440000")


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (str, "1", "1"),
        (int, "42", 42),
        (int, "-1", -1),
        (int, "9" * 30, int("9" * 30)),
        (float, "1.5", 1.5),
        (float, "-2", -2.0),
        (float, "1e-3", 0.001),
        (bool, "true", True),
        (bool, "false", False),
        (UUID, str(ID), ID),
        (date, "2026-02-28", date(2026, 2, 28)),
        (Colour, "red", Colour.RED),
        (Literal["a", "b"], "b", "b"),
        (Literal[1, 2], "2", 2),
        (Annotated[int, msgspec.Meta(ge=1)], "1", 1),
        (PurePosixPath, "a/b", PurePosixPath("a/b")),
    ],
)
def test_a_value_converts(kind: Any, text: str, value: object) -> None:
    found = convert_all({"x": text}, {"x": converter(kind)})
    assert found == {"x": value}
    assert type(found["x"]) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((int, text) for text in ("", "x", " 1", "1 ", "+1", "1_0", "0x1", "1e3", "1.0", "007", "\u0663", "9" * 5000)),
        *((float, text) for text in ("nan", "inf", "-Infinity", "1e999", "1.", ".5", "1,5", "0x1p3")),
        *((bool, text) for text in ("1", "0", "True", "yes", "")),
        *((UUID, text) for text in ("", "550e8400", str(ID) + "0", "{" + str(ID) + "}")),
        *((date, text) for text in ("2026-02-30", "20260228", "today")),
        (Colour, "RED"),
        (Literal["a", "b"], "c"),
        (Literal[1, 2], "3"),
        (Annotated[int, msgspec.Meta(ge=1)], "0"),
    ],
)
def test_a_value_does_not_convert(kind: Any, text: str) -> None:
    assert convert_all({"x": text}, {"x": converter(kind)}) is None
