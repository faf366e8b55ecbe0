"""The demo's readings of the operating system."""

from __future__ import annotations

from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

from flowsock.demo import readings

if TYPE_CHECKING:
    import pytest


def test_memory_is_that_of_a_running_interpreter() -> None:
    assert 5 < readings.memory_mib() < 10_000


def test_memory_falls_back_to_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "_STATM", Path("/nowhere/statm"))
    assert 5 < readings.memory_mib() < 10_000


def test_a_rate_is_growth_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    total = 7.0
    monkeypatch.setattr(readings, "monotonic", lambda: now)
    rate = readings.rate_of(lambda: total)
    now, total = 102.0, 13.0
    assert rate() == 3.0
    now = 103.0
    assert rate() == 0.0
    assert rate() == 0.0


def test_processor_time_grows_with_work() -> None:
    rate = readings.rate_of(process_time)
    while process_time() < 0.01:
        sum(range(1000))
    sum(range(200_000))
    assert rate() > 0
