"""Checks the built site: each link within it leads to a file and an anchor, and no page loads a file of another host.

Sphinx warns of what it cannot resolve itself. This reads what it wrote, raw HTML and the theme's own files included.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script", "link", "img", "iframe", "source", "video", "audio", "object", "embed"}
"""Elements whose address a browser loads without a click."""


class Page(HTMLParser):
    """The addresses and anchors of a page."""

    def __init__(self, text: str) -> None:
        """Read a page."""
        super().__init__()
        self.anchors, self.links = set[str](), list[tuple[str, str]]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element is called and where it leads."""
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif name in ("href", "src", "data") and value:
                self.links.append((tag, value))


def problems(site: Path) -> Iterator[str]:
    """Return a line for each link that leads nowhere, and for each file of another host."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site} holds no page"
    for path, page in pages.items():
        where = path.relative_to(site)
        for tag, link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https") or parts.netloc:
                if tag in LOADED:
                    yield f"{where}: loads {link}"
                continue
            if parts.scheme:
                continue  # data:, mailto:
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                yield f"{where}: no file for {link}"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{where}: no anchor for {link}"
    for style in sorted(site.rglob("*.css")):
        text = style.read_text(encoding="utf-8")
        if "url(http" in text or "url(//" in text or "@import url(" in text:
            yield f"{style.relative_to(site)}: loads a file of another host"


def main(site: Path) -> int:
    """Print what is wrong, and return the status."""
    found = list(problems(site.resolve()))
    print(*found, sep="\n", end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
