"""The documentation site: it is built without a warning, its links lead somewhere, and each public name is found in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from html import escape
from pathlib import Path

import pytest
from mkdocstrings import Inventory

import flowsock
from docs.tools.links import broken_links
from docs.tools.reference import INTERNAL, public_modules, public_paths
from tests.docstrings import PUBLIC
from tests.test_docstrings import OPERATORS

ROOT = Path(__file__).parents[1]

METHODS = [f"flowsock.{docs.name}" for docs in OPERATORS if docs.name.partition(".")[0] in flowsock.__all__]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site."""
    target = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return target


@pytest.fixture(scope="module")
def inventory(site: Path) -> Inventory:
    """Read the list of documented names that other projects' documentation links to."""
    with (site / "objects.inv").open("rb") as file:
        return Inventory.parse_sphinx(file)


@pytest.fixture(scope="module")
def titles(site: Path) -> dict[str, str]:
    """Read what the search looks through: places and their titles."""
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    return {entry["location"]: entry["title"] for entry in index["docs"]}


def test_no_link_is_broken(site: Path) -> None:
    assert list(broken_links(site)) == []


def test_the_public_modules_are_found() -> None:
    assert {"flowsock.asgi", *(module.__name__ for module in PUBLIC)} - {"flowsock"} <= set(public_modules())


@pytest.mark.parametrize("path", [*public_paths(), *METHODS])
def test_a_search_finds_the_page_of_a_public_name(path: str, inventory: Inventory, titles: dict[str, str]) -> None:
    assert path in inventory
    assert inventory[path].role != "module", "a file has the name of what it defines"
    location = inventory[path].uri.replace("$", path)
    assert path.rpartition(".")[2] in titles[location]


def test_every_diagram_of_an_operator_is_a_picture(site: Path) -> None:
    page = (site / "reference" / "operators" / "index.html").read_text(encoding="utf-8")
    pictures = [each for docs in OPERATORS if docs.owner is flowsock.Flow for each in docs.diagrams]
    assert len(pictures) > 40
    for diagram in pictures:
        assert f"<title>{escape(chr(10).join((*diagram.inputs, diagram.call, diagram.output)))}</title>" in page


def test_what_a_page_draws_is_there_as_a_picture(site: Path) -> None:
    for name in ("flows", "testing"):
        drawn = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8").count("await marble(")
        page = (site / name / "index.html").read_text(encoding="utf-8")
        assert page.count('<figure class="drawing"><svg') == drawn > 0
        assert page.count('[data-md-color-scheme="slate"]{') == drawn, "dark where the page is"


def test_what_is_left_out_is_there() -> None:
    assert [
        f"{kind}.{name}" for kind, names in INTERNAL.items() for name in names if not hasattr(getattr(flowsock, kind), name)
    ] == []


def test_links_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text('<a href="a/#here">1</a><a href="a/#there">2</a><a href="b/">3</a><img src="c.png">')
    (tmp_path / "a" / "index.html").write_text('<p id="here"><a href="https://example.com/x#y">4</a><a href="..">5</a></p>')
    assert list(broken_links(tmp_path)) == [
        "index.html: a/#there: there is no such anchor",
        "index.html: b/: there is no such file",
        "index.html: c.png: there is no such file",
    ]
