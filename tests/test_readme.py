"""The README's Python runs as it is printed there."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from flowsock import App

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_a_block_runs(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(App, "run", lambda _app, **_options: None)
    module = ModuleType("readme")
    # Handlers' annotations are looked up in the module that they say they are of.
    monkeypatch.setitem(sys.modules, "readme", module)
    exec(compile(block, "README.md", "exec", dont_inherit=True), module.__dict__)


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
