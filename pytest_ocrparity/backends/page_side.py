"""What the sides that read pages have in common: two models, and the last few pages that were read."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_ocrparity.backends.staged import MOST_TRACES
from pytest_ocrparity.contract.page_readers import LineOfPage
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.files import image_file_bytes
from pytest_ocrparity.stages import PAGE
from pytest_ocrparity.trace import Image, Trace


@dataclass(frozen=True)
class ReadPage:
    """A page that was read: the image as it was given, its trace, and what became of its boxes."""

    image: Image
    trace: Trace
    lines: Sequence[LineOfPage]


class PageSide(ABC):
    """A detector and a recogniser that read pages."""

    def __init__(self, name: str, detector: Any, recogniser: Any) -> None:
        """Take both models; `name` is how messages call them together."""
        self.name, self.detector, self.recogniser = name, detector, recogniser
        self._pages: OrderedDict[str, ReadPage] = OrderedDict()

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """The digests of both models' files."""
        sides = {"detection": self.detector, "recognition": self.recogniser}
        return {f"{name} {file}": each for name, side in sides.items() for file, each in side.fingerprint.items()}

    @property
    def identity(self) -> Mapping[str, Any]:
        """Identifies this side; two live sides of the same identity are one, see `contract.HasIdentity`."""
        return {
            **self.detector.identity,
            "code": f"{type(self).__module__}.{type(self).__qualname__}",
            "files": self.fingerprint,
        }

    def trace(self, image: Image) -> Trace:
        """Read a page; return its boxes in reading order, and what was read in each.

        Raises:
            ImageError: the image is missing or does not decode.
        """
        name, data = image_file_bytes(image)
        digest = hashlib.sha256(data).hexdigest()
        key = f"{digest} {name}"
        if key not in self._pages:
            page = self._read(image, name, digest)
            if page.trace.error is not None:
                return page.trace
            while len(self._pages) >= MOST_TRACES:
                self._pages.popitem(last=False)
            self._pages[key] = page
        self._pages.move_to_end(key)
        return self._pages[key].trace

    @abstractmethod
    def _read(self, image: Image, name: str, digest: str) -> ReadPage:
        """Read a page; `digest` is the SHA-256 of its file or array."""

    def lines(self, trace: Trace) -> Sequence[LineOfPage]:
        """Return what became of each box of a trace, in their order.

        Raises:
            StageError: it is none of the last few of this side.
        """
        return self._page_of(trace).lines

    def _page_of(self, trace: Trace) -> ReadPage:
        page = self._pages.get(f"{trace.image_sha256} {trace.image}")
        if page is None:
            raise StageError(PAGE, f"{self.name} has run other images since it ran {trace.label}")
        return page
