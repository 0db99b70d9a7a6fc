"""The decoded image of a trace, and arrays that nobody can write to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
"""An array of any shape and dtype, which the docstring beside it says."""


def read_only(array: npt.ArrayLike, dtype: npt.DTypeLike = None) -> npt.NDArray[Any]:
    """Return a C-contiguous view (or copy) that cannot be written to."""
    result = np.ascontiguousarray(array, dtype=dtype).view()
    result.flags.writeable = False
    return result


def trace_copy(array: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return a C-contiguous copy that cannot be written to."""
    return read_only(np.array(array, order="C"))


@dataclass(frozen=True, eq=False)
class Decoded:
    """The decoded image as its side holds it: its shape and dtype, and its pixels or, from a baseline, their digest.

    `shape` is (H, W, 3) in source pixels, `channel_order` "BGR", "RGB" or "GRAY".
    """

    shape: tuple[int, ...]
    dtype: str
    channel_order: str
    stored_sha256: str | None = None
    pixels: npt.NDArray[np.uint8] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what could be compared with nothing (ValueError)."""
        if self.pixels is None and self.stored_sha256 is None:
            raise ValueError("a decoded image has its pixels or their digest; see without_pixels()")

    @classmethod
    def of(cls, pixels: npt.NDArray[Any], channel_order: str) -> Decoded:
        """Describe an array of pixels, and keep a copy: the next step may work in place."""
        return cls(pixels.shape, str(pixels.dtype), channel_order, pixels=trace_copy(pixels))

    def without_pixels(self) -> Decoded:
        """Return this image as a baseline holds it."""
        return replace(self, stored_sha256=self.sha256, pixels=None)

    @cached_property
    def sha256(self) -> str:
        """The digest of the pixels, taken when it is asked for: of 960x960 px it takes 1.7 ms."""
        return str(self.stored_sha256) if self.pixels is None else hashlib.sha256(self.pixels.data).hexdigest()

    def has_image_of(self, other: Decoded) -> bool:
        """Return whether two decoded images are the same, in whatever channel order each holds its pixels."""
        return self.shape == other.shape and self.dtype == other.dtype and self.has_pixels_of(other)

    def has_pixels_of(self, other: Decoded) -> bool:
        """Return whether two decoded images of one shape and dtype have the same pixels, read in one channel order.

        Digests of pixels in different orders can't be compared: such images count as the same, and the tensor decides.
        """
        this, that = self.in_order(other.channel_order), other
        if this.channel_order != that.channel_order:
            that = that.in_order(this.channel_order)
        if this.pixels is not None and that.pixels is not None:
            return np.array_equal(this.pixels, that.pixels)
        return this.channel_order != that.channel_order or this.sha256 == that.sha256

    def in_order(self, channel_order: str) -> Decoded:
        """Return this image with its pixels in another channel order: BGR and RGB are each other reversed."""
        if self.pixels is None or {self.channel_order, channel_order} != {"BGR", "RGB"}:
            return self
        return Decoded.of(self.pixels[..., ::-1], channel_order)

    def __eq__(self, other: object) -> bool:
        """Compare everything, pixels by their digest where one side has no more."""
        if not isinstance(other, Decoded):
            return NotImplemented
        names = ("shape", "dtype", "channel_order")
        return all(getattr(self, name) == getattr(other, name) for name in names) and self.has_pixels_of(other)

    __hash__ = None  # type: ignore[assignment]  # holds an array
