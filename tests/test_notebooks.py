"""The notebooks run from top to bottom in a real kernel, and show what is stored in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.notebook.kernels import NAMES, NOTEBOOKS, read, run

pytestmark = pytest.mark.timeout(120)


def shown(cell: Any) -> list[str]:
    """Give what a cell shows, as text: pictures have one, too."""
    outputs = cell.get("outputs", ())
    return [output.text if output.output_type == "stream" else output.data["text/plain"] for output in outputs]


def varies(cell: Any) -> bool:
    return "varies" in cell.metadata.get("tags", ())


def test_the_notebooks_are_these() -> None:
    assert NAMES == [
        "1_flows_and_operators",
        "2_back_pressure_and_shared_flows",
        "3_sessions",
        "4_live_dashboard",
        "5_coming_from_others",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stored_is_what_comes_out(name: str) -> None:
    stored, found = read(name), run(name)
    for before, now in zip(stored.cells, found.cells, strict=True):
        if not varies(now):
            assert shown(before) == shown(now), now.source
        assert bool(shown(before)) is bool(shown(now)), now.source


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small_and_says_nothing_of_the_machine_it_ran_on(name: str) -> None:
    text = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    assert len(text) < 200_000
    assert str(NOTEBOOKS.parent) not in text
    assert set(json.loads(text)["metadata"]) == {"kernelspec", "language_info"}
