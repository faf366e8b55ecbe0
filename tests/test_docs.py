"""The pages of the documentation: their Python runs as it is printed there, block after block."""

from __future__ import annotations

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


def test_every_block_says_what_it_is() -> None:
    found = [each for path in PAGES for each in snippets(path)]
    assert [str(each) for each in found if each.language not in {"python", "pycon"} | SHOWN] == []
    fences = sum(path.read_text(encoding="utf-8").count("```") for path in PAGES)
    assert fences == 2 * len(found)
