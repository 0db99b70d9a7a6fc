"""The picture that a candidate feeds to its network, beside the page, and the reference's own ways to make others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from pytest_ocrparity.contract import ChangesPictures, ResizesPictures, ResizesTo, offered
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.trace import Array, Trace

Size: TypeAlias = "tuple[int, int]"
"""Height and width in pixels."""
Named: TypeAlias = "tuple[str, Array]"
"""A picture with the name of what made it."""

SOME_ROWS: Final = 32
"""Every how many rows two pictures are looked at first: nearly all that differ do so there."""


class Fed(NamedTuple):
    """The picture that a candidate feeds.

    Attributes:
        lab: the diagnosis.
        trace: the candidate's, whose shape row may say which size it takes the page for.
        page: (H, W, 3) BGR, the page as the reference decoded it.
        own: (h, w, 3) uint8, the picture.
    """

    lab: Laboratory
    trace: Trace
    page: Array
    own: Array

    @property
    def size(self) -> Size:
        """The (h, w) of the picture."""
        return size_of(self.own)

    def resized(self, pixels: Array) -> Array | None:
        """Return pixels resized to the picture's size by the reference's own operator; None where it can't."""
        return resized(self.lab, pixels, self.size)

    def scale_of(self, size: Size) -> tuple[float, float]:
        """Return the pixels of what has this (height, width) per pixel of the picture, along x and along y."""
        return size[1] / self.own.shape[1], size[0] / self.own.shape[0]

    @property
    def is_plain(self) -> bool:
        """Whether it is the page as it is, at a size of its own: what changes nothing explains nothing."""
        plain = self.resized(self.page)
        return plain is not None and is_same_picture(self.own, plain)


def size_of(picture: Array) -> Size:
    """Return (h, w)."""
    return int(picture.shape[0]), int(picture.shape[1])


def is_same_picture(own: Array, made: Array) -> bool:
    """Return whether two pictures are equal, in whatever order each holds its channels."""
    return _are_equal(own, made) or _are_equal(own, made[..., ::-1])


def _are_equal(own: Array, made: Array) -> bool:
    if own.shape != made.shape or not np.array_equal(own[::SOME_ROWS], made[::SOME_ROWS]):
        return False
    return np.array_equal(own, made)


def resized(lab: Laboratory, pixels: Array, size: Size) -> Array | None:
    """Return pixels resized by the reference's own operator to (h, w); None where it can't."""
    lab.budget.check()
    source = offered(lab.reference.source, ResizesTo)
    if source is None or min(size) < 1 or min(size_of(pixels)) < 1:
        return None
    if (alone := offered(lab.reference.source, ResizesPictures)) is not None:
        return lab.attempt(lambda: alone.resized_to(np.ascontiguousarray(pixels), size))
    made = lab.attempt(lambda: source.preprocess_at(np.ascontiguousarray(pixels), size))
    return None if made is None or made.error is not None or made.resize is None else made.resize


def resampled(lab: Laboratory, pixels: Array, size: Size) -> Iterator[Named]:
    """Return pixels resized to (h, w) by other interpolations, as far as the reference can."""
    return _offered_pictures(lab, lambda side: side.resampled(pixels, size))


def recoded(lab: Laboratory, pixels: Array) -> Iterator[Named]:
    """Return pixels after changes that keep their size, as far as the reference can make them."""
    return _offered_pictures(lab, lambda side: side.recoded(pixels))


def _offered_pictures(lab: Laboratory, give: Callable[[ChangesPictures], Iterator[Named]]) -> Iterator[Named]:
    side = offered(lab.reference.source, ChangesPictures)
    made = None if side is None else lab.attempt(lambda: list(give(side)))
    return iter(made or ())
