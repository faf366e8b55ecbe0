"""The links of a built site: each must lead to a file of the site, and to an anchor in it. Other sites are not asked."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BASE = "http://site/"


class _Reader(HTMLParser):
    """A page's links and anchors."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {"", "__top"}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value is not None:
                self.links.append(value)
            elif name in ("id", "name") and value:
                self.anchors.add(value)


def broken_links(site: Path) -> Iterator[str]:
    """Give a line for each link that leads nowhere."""
    pages = {path: _Reader(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        here = path.relative_to(site).as_posix()
        for link in page.links:
            address = urlsplit(urljoin(_BASE + here, link))
            if f"{address.scheme}://{address.netloc}/" != _BASE:
                continue
            target = site / unquote(address.path).lstrip("/")
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{here}: {link}: there is no such file"
            elif target in pages and unquote(address.fragment) not in pages[target].anchors:
                yield f"{here}: {link}: there is no such anchor"
