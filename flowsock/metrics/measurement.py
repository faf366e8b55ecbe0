"""One thing that is measured, whoever wants to know."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(Enum):
    """How a number changes.

    >>> Kind.COUNTER.value
    'it only grows'
    """

    COUNTER = "it only grows"
    LEVEL = "it grows and shrinks, and those of several processes add up"
    GAUGE = "it grows and shrinks, and those of several processes say nothing together"


@frozen
class Sample:
    """One number.

    Args:
        value: The number.
        labels: What it is of, among the numbers of its measurement.

    >>> Sample(3, {"code": "1000"}).value
    3
    """

    value: float
    labels: Mapping[str, str] = field(factory=dict[str, str])


@frozen
class Measurement:
    """The numbers of one name.

    Args:
        name: Words with dots, like ``sessions.open``.
        kind: How the numbers change.
        unit: ``s``, ``By`` or ``""`` for a plain count.
        description: What they count.
        samples: The numbers; all have labels of the same names.

    >>> Measurement("sessions.open", Kind.LEVEL, "", "Open sessions.", (Sample(3),)).name
    'sessions.open'
    """

    name: str
    kind: Kind
    unit: str
    description: str
    samples: tuple[Sample, ...]
