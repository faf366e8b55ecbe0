"""Every behaviour scenario is named by a test, or is in the table of those that cannot hold in Python."""

from __future__ import annotations

import re
from pathlib import Path

from tests.scenarios import CANNOT_HOLD

TESTS = Path(__file__).parent
IDS = (TESTS / "scenario_ids.txt").read_text().split()
NAMED = {
    name
    for path in TESTS.rglob("test_*.py")
    if path != Path(__file__)
    for name in re.findall(r"\b[a-z_]+-\d\d\b", path.read_text())
}


def test_no_scenario_is_listed_twice() -> None:
    assert len(IDS) == len(set(IDS)) == 399


def test_every_scenario_is_named_by_a_test_or_in_the_table() -> None:
    assert {name for name in IDS if name not in NAMED} == CANNOT_HOLD.keys()


def test_no_scenario_in_the_table_is_named_by_a_test() -> None:
    assert not NAMED & CANNOT_HOLD.keys()


def test_each_reason_is_a_sentence() -> None:
    for reason in CANNOT_HOLD.values():
        assert re.fullmatch(r"[A-Z`].+\.", reason)
