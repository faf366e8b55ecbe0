"""The pages of the documentation: their Python runs as it is printed there, block after block."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.snippets import page, snippets

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

# Languages of blocks that do not run, since they are not Python.
SHOWN = {"html", "ini", "javascript", "json", "kotlin", "nginx", "sh", "text", "toml", "yaml"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS).with_suffix("").as_posix())
def test_the_blocks_of_a_page_run_one_after_the_other(path: Path) -> None:
    with page(path.stem.replace("-", "_")) as namespace:
        for snippet in snippets(path):
            snippet.run(namespace)


@pytest.mark.timeout(180)
def test_the_programs_are_typed(tmp_path: Path) -> None:
    """Check them as strictly as the library; those of a page together, as they run, and those of the README alone."""
    for path in PAGES:
        programs = [snippet.code for snippet in snippets(path) if snippet.language == "python"]
        name = "_".join(path.relative_to(DOCS).with_suffix("").parts).replace("-", "_")
        (tmp_path / f"{name}.py").write_text("\n".join(programs), encoding="utf-8")
    for snippet in snippets(DOCS.parent / "README.md"):
        if snippet.language == "python":
            (tmp_path / f"readme_{snippet.line}.py").write_text(snippet.code, encoding="utf-8")
    # Its own, since other settings would make the library's void.
    cache = f"--cache-dir={DOCS.parent / '.mypy_cache' / 'pages'}"
    command = [sys.executable, "-m", "mypy", "--strict", cache, "--config-file=", *map(str, tmp_path.iterdir())]
    checked = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, timeout=170, check=False)
    assert checked.returncode == 0, checked.stdout


def test_every_block_says_what_it_is() -> None:
    found = [each for path in PAGES for each in snippets(path)]
    assert [str(each) for each in found if each.language not in {"python", "pycon"} | SHOWN] == []
    fences = sum(path.read_text(encoding="utf-8").count("```") for path in PAGES)
    assert fences == 2 * len(found)
