"""What has come from whom."""

from __future__ import annotations

from flowsock.brokers.ledger import Ledger


def noted(*entries: tuple[str, int]) -> Ledger:
    ledger = Ledger()
    for origin, number in entries:
        ledger.note(origin, number)
    return ledger


def test_the_first_of_an_origin_may_have_any_number() -> None:
    assert noted().missing("a", 500) == 0
    assert noted(("b", 1)).missing("a", 500) == 0


def test_the_next_one_misses_nothing_and_a_later_one_what_is_between() -> None:
    ledger = noted(("a", 1), ("b", 9))
    assert ledger.missing("a", 2) == 0
    assert ledger.missing("a", 5) == 3
    assert ledger.missing("b", 10) == 0


def test_what_came_before_is_a_duplicate() -> None:
    ledger = noted(("a", 5))
    assert ledger.missing("a", 5) == ledger.missing("a", 1) == -1


def test_what_is_missing_after_a_gap_was_told_once() -> None:
    ledger = noted(("a", 1), ("b", 1))
    ledger.forgive()
    assert ledger.missing("a", 5) == 3
    assert ledger.note("a", 5)
    assert not ledger.note("a", 9)
    assert ledger.note("b", 3)
    assert not ledger.note("c", 1)


def test_the_origins_that_were_silent_for_longest_are_forgotten() -> None:
    ledger = noted(("first", 1), ("second", 1), *((str(n), 1) for n in range(4094)))
    ledger.note("first", 2)
    ledger.note("one more", 1)
    assert ledger.missing("first", 2) == -1
    assert ledger.missing("second", 1) == 0
