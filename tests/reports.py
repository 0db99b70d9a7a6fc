"""A report, as tests look at it: its page, and the pictures of two sides."""

from __future__ import annotations

import base64
import json
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from pytest_ocrparity import Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.report.document import Picture
from pytest_ocrparity.report.pictures.album import Album
from pytest_ocrparity.report.pictures.pixel_values import NOT_FINITE
from pytest_ocrparity.tolerance import BUILT_IN


class Page(HTMLParser):
    """The parts of a page that tests look at: text, pictures, links, ids; and whether tags are balanced."""

    VOID = ("meta", "img", "br", "input", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.images, self.links, self.ids = "", [], [], []  # type: ignore[var-annotated]
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.images += [given["src"]] if tag == "img" and given.get("src") else []
        self.links += [given["href"]] if tag == "a" else []
        self.ids += [given["id"]] if "id" in given else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data


def pictures(folder: Path, kind: str, sides: tuple[Trace, Trace]) -> dict[tuple[str, str], Picture]:
    comparison = Comparisons(*sides, BUILT_IN).of(kind)
    found, error = Album(folder).pictures_of(comparison, *sides)
    assert error is None
    assert all((folder / picture.thumb).is_file() for picture in found)
    return {(picture.stage, picture.side): picture for picture in found if picture.side not in ("thumbnail", "image")}


def unpacked(script: bytes) -> tuple[dict[str, Any], Any]:
    """Return what a script of pixel values hands over, and the values, as the page unpacks them."""
    text = script.decode()
    assert text.startswith("ocrparityValues(") and text.endswith(");\n")
    head = json.loads(text.removeprefix("ocrparityValues(").removesuffix(");\n"))
    low, high = np.frombuffer(zlib.decompress(base64.b64decode(head["data"])), np.uint8).reshape(2, -1).astype(int)
    steps = np.cumsum(low + 256 * high) % 65536
    values = np.where(steps == NOT_FINITE, np.nan, head["low"] + head["size"] * steps)
    return head, values.reshape(head["channels"], head["rows"], head["columns"])
