"""The documentation site, as a reader uses it."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect

from docs.tools.reference import pages
from tests.browser.test_demo import browser, pytestmark
from tests.test_site import site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ("browser", "pytestmark", "site")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_line: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def page(browser: Browser, site: Path) -> Iterator[Page]:
    """Open the site's first page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        yield page
        page.close()
        server.shutdown()


@pytest.mark.parametrize("path", [page.paths[-1] for page in pages()])
def test_the_search_finds_a_public_name(path: str, page: Page) -> None:
    """Ask for one name of each page of the reference; tests/test_site.py looks for all of them in the index."""
    page.click(".md-search__input")
    page.fill(".md-search__input", "")
    page.locator(".md-search__input").press_sequentially(path.rpartition(".")[2])
    expect(page.locator(f'.md-search-result__link[href$="#{path}"]').first).to_be_attached()
