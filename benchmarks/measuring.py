"""Rounds, ratios and gates: how anything is measured here."""

from __future__ import annotations

import gc
from importlib.util import find_spec
from math import inf
from statistics import median
from time import process_time_ns
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import anyio
from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

T = TypeVar("T")
P = TypeVar("P", bound="Needy")

HAND_WRITTEN: Final = "hand-written loop"
OURS: Final = "flowsock"


@frozen
class Effort:
    """Say how long to measure.

    Attributes:
        rounds: How often everybody is measured.
        scale: What the usual amounts of work are multiplied by.
        sessions: How many are open where there are many.
    """

    rounds: int = 5
    scale: float = 1.0
    sessions: int = 10_000

    def scaled(self, amount: int) -> int:
        """Give an amount of work, at least one unit."""
        return max(1, int(amount * self.scale))


QUICK: Final = Effort(rounds=3, scale=0.25, sessions=1_000)


class Needy(Protocol):
    """Cannot take part without some packages."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Name the packages."""
        ...


@frozen
class Contender:
    """Somebody who takes part in each round.

    Attributes:
        name: What its row is called.
        measure: Does the work once, and gives the time of one unit of it.
        needs: The packages without which it cannot take part.
    """

    name: str
    measure: Callable[[], float]
    needs: tuple[str, ...] = ()


@frozen
class Gate:
    """Demand something of a row.

    Attributes:
        row: Whose time is looked at.
        than: The row of the same rounds that it is divided by, or ``None``: then it is the time itself.
        most: What it may be at most.
        least: What it must be at least.
        faster: Whether the other row is divided by this one: how many times faster this one is.
    """

    row: str
    than: str | None = None
    most: float = inf
    least: float = 0.0
    faster: bool = False


@frozen
class Verdict:
    """Tell what became of a gate.

    Attributes:
        value: What was measured, the median over the rounds.
        missed_by: How many times worse than allowed it is; ``None`` if the gate holds.
    """

    value: float
    missed_by: float | None


@frozen
class Spread:
    """Describe the values of all rounds by three of them."""

    median: float
    low: float
    high: float


@frozen
class Table:
    """Hold what was measured in one area, or in one part of it.

    Attributes:
        title: What was done.
        unit: What the times are of.
        reference: The row that the ratios are to.
        rows: The times of each round, by the contender's name.
        gates: What is demanded of the rows.
        missing: Packages that are not installed, so that their rows are not there.
        notes: What a reader has to know to believe the numbers.
    """

    title: str
    unit: str
    reference: str
    rows: Mapping[str, Sequence[float]]
    gates: tuple[Gate, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def ratios(self, row: str, than: str) -> list[float] | None:
        """Divide two rows round by round; ``None`` if one of them is not there."""
        if row not in self.rows or than not in self.rows:
            return None
        return [mine / other for mine, other in zip(self.rows[row], self.rows[than], strict=True)]

    def verdict(self, gate: Gate) -> Verdict | None:
        """Judge a gate by the median over the rounds; ``None`` if a row is not there."""
        if gate.than is None:
            values = self.rows.get(gate.row)
        elif gate.faster:
            values = self.ratios(gate.than, gate.row)
        else:
            values = self.ratios(gate.row, gate.than)
        if not values:
            return None
        value = median(values)
        excess = max(value / gate.most, gate.least / value)
        return Verdict(value, excess if excess > 1 else None)


def spread(values: Sequence[float]) -> Spread:
    """Give the median and the range."""
    return Spread(median(values), min(values), max(values))


def measure_rounds(contenders: Sequence[Contender], rounds: int) -> dict[str, list[float]]:
    """Measure the contenders in turn, round by round, so that a noisy neighbour meets all of them.

    The first one of a round is the last one of the next.
    """
    order = list(contenders)
    rows: dict[str, list[float]] = {contender.name: [] for contender in order}
    for _ in range(rounds):
        for contender in order:
            rows[contender.name].append(contender.measure())
        order.append(order.pop(0))
    return rows


def present(contenders: Sequence[P]) -> tuple[list[P], tuple[str, ...]]:
    """Sort out those who cannot take part, and tell the packages that they miss."""
    missing = missing_packages([name for each in contenders for name in each.needs])
    return [each for each in contenders if not set(each.needs) & set(missing)], missing


def missing_packages(names: Sequence[str]) -> tuple[str, ...]:
    """Tell which of the packages are not installed, each once."""
    return tuple(name for name in dict.fromkeys(names) if find_spec(name) is None)


def run(function: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function on uvloop if it is installed, else on asyncio's own loop."""
    return anyio.run(function, backend_options={"use_uvloop": loop_name() == "uvloop"})


def loop_name() -> str:
    """Tell which event loop `run` uses."""
    return "asyncio" if find_spec("uvloop") is None else "uvloop"


class Clock:
    """Count the processor time of this process between two points, which neighbours disturb less than they do a clock's."""

    __slots__ = ("_start",)

    def __init__(self) -> None:
        gc.collect()
        self._start = process_time_ns()

    def per(self, units: int) -> float:
        """Give the nanoseconds per unit since the start."""
        return (process_time_ns() - self._start) / units


def expect(found: object, expected: object, who: str) -> None:
    """Check that the work was done.

    Raises:
        AssertionError: it was not.
    """
    if found != expected:
        raise AssertionError(f"{who} did other work than the rest: {found!r} instead of {expected!r}")
