"""The README's Python runs as it is printed there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.snippets import Snippet, page, snippets

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("snippet", [each for each in snippets(ROOT / "README.md") if each.language == "python"], ids=str)
def test_a_block_runs(snippet: Snippet) -> None:
    with page("readme") as namespace:
        snippet.run(namespace)


def test_links_lead_somewhere() -> None:
    prose = re.sub(r"```.*?```|`[^`]*`", "", README, flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#]+)\)", prose)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_the_gate_runs_the_test_command_of_the_readme() -> None:
    commands = (ROOT / ".ci" / "run").read_text()
    assert 'pip install -e ".[test]" && pytest' in README
    assert re.search(r'^pip install .*-e "\.\[test\]"$', commands, re.MULTILINE)
    assert re.search(r"^pytest$", commands, re.MULTILINE)
