"""What MkDocs calls: the reference's pages are made from the package, and marked places in pages are filled from it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from docs.tools import reference  # noqa: E402
from docs.tools.drawings import add_drawings  # noqa: E402
from docs.tools.filled import fill  # noqa: E402
from docs.tools.names import link_names  # noqa: E402

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page


def on_config(config: MkDocsConfig) -> None:
    """Add the pages of the reference to the navigation's last section."""
    [section] = (config.nav or [])[-1].values()
    section.extend(page.uri for page in reference.pages() if not page.is_written)


def on_files(files: Files, *, config: MkDocsConfig) -> None:
    """Add the pages of the reference."""
    for page in reference.pages():
        if not page.is_written:
            files.append(File.generated(config, page.uri, content=page.markdown))


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill the marked places, link the names, and add the pictures."""
    filled = fill(markdown)
    if page.file.src_uri.startswith("reference/"):
        return filled
    return add_drawings(link_names(filled), ROOT / "docs" / page.file.src_uri)
