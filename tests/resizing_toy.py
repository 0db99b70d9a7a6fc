"""A toy that resizes, and can do so to other sizes and in other ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from diagnosing import Array
from toy import Toy

from pytest_ocrparity.trace import Decoded, Image, Trace

PAGE = np.random.default_rng(3).integers(30, 220, (60, 90, 3), dtype=np.uint8)


def nearest(pixels: Array, size: tuple[int, int]) -> Array:
    (height, width), (h, w) = pixels.shape[:2], size
    return np.asarray(pixels[np.arange(h) * height // h][:, np.arange(w) * width // w])


class Resizes(Toy):
    """Resizes to one and a half of the size, without interpolation, and can do so to other sizes."""

    def preprocess(self, image: Image) -> Trace:
        pixels = np.asarray(image)
        return self.preprocess_at(image, (pixels.shape[0] * 3 // 2, pixels.shape[1] * 3 // 2))

    def preprocess_at(self, image: Image, size: tuple[int, int]) -> Trace:
        pixels = np.asarray(image)
        trace = Toy.preprocess(self, nearest(pixels, size))
        (height, width), (h, w) = pixels.shape[:2], size
        return replace(
            trace, decode=Decoded.of(pixels, "BGR"), shape=(float(height), float(width), h / height, w / width)
        )

    def resampled(self, pixels: Array, size: tuple[int, int]) -> Any:
        yield "from below", nearest(pixels[::-1], size)[::-1]

    def recoded(self, pixels: Array) -> Any:
        yield "with its lowest bits cleared", pixels & np.uint8(0xF0)

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        return {**super().parameters, "resize": {}}
