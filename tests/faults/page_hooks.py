"""What ports do otherwise up to the tensor: each function takes the place of one hook of `foreign.Foreign`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from faults.foreign import MEAN, STD, Array, Size, bilinear, by_ratios, imagenet, limited, load_bgr
from pytest_ocrparity.trace import Image, Shape

# The page: `load` and `prepare`.


def loading(change: Callable[[Array], Array]) -> Callable[[Image], Array]:
    return lambda image: change(load_bgr(image))


def scaled(factor: float) -> Callable[[Array], Array]:
    """Scale a page as a client does before it sends it."""

    def change(pixels: Array) -> Array:
        return bilinear(pixels, (round(pixels.shape[0] * factor), round(pixels.shape[1] * factor)))

    return change


def as_jpeg(pixels: Array) -> Array:
    import cv2

    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR))


def grey(pixels: Array) -> Array:
    import cv2

    return np.repeat(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))[..., None], 3, axis=2)


def clipped(values: Array) -> Array:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def more_contrast(pixels: Array) -> Array:
    return clipped(pixels * np.float32(0.9) + 12)


def brighter(pixels: Array) -> Array:
    return clipped(pixels * 1.15)


def gamma(pixels: Array) -> Array:
    return clipped((pixels / 255.0) ** 0.8 * 255)


def blurred(pixels: Array) -> Array:
    import cv2

    return np.asarray(cv2.GaussianBlur(pixels, (3, 3), 0))


def sharpened(pixels: Array) -> Array:
    return clipped(pixels * 1.8 - blurred(pixels) * 0.8)


MARGIN = (16, 24)
"""Rows and columns that a port cuts off each side of a page."""


def cropped(pixels: Array) -> Array:
    top, left = MARGIN
    return np.ascontiguousarray(pixels[top:-top, left:-left])


def from_crop(box: Array, shape: Shape, size: Size) -> Array:
    return np.asarray(by_ratios(box, shape, size) + MARGIN[::-1])


def from_scaled(factor: float) -> Callable[[Array, Shape, Size], Array]:
    return lambda box, shape, size: np.asarray(by_ratios(box, shape, size) / factor)


def square(value: int) -> Callable[[Array], Array]:
    """Pad a page to a square, on the right or below."""

    def change(pixels: Array) -> Array:
        side = max(pixels.shape[:2])
        page = np.full((side, side, 3), value, np.uint8)
        page[: pixels.shape[0], : pixels.shape[1]] = pixels
        return page

    return change


# The picture that is fed: `size`, `ratios`, `resample` and `place`.


def limits(side: int, rule: str) -> Callable[[int, int], Size]:
    def size(height: int, width: int) -> Size:
        h, w = limited(height, width, side, rule)
        return max(round(h / 32) * 32, 32), max(round(w / 32) * 32, 32)

    return size


def rounding(rule: Callable[[float], int]) -> Callable[[int, int], Size]:
    def size(height: int, width: int) -> Size:
        h, w = (max(rule(side / 32) * 32, 32) for side in limited(height, width, 736, "min"))
        return h, w

    return size


def fixed(height: int, width: int) -> Callable[[int, int], Size]:
    return lambda *_: (height, width)


class Letterbox:
    """The page keeps its aspect within a fixed size; the rest is a border of one value.

    `at` is where the page lies in what is left over: 0 at the top left, 0.5 in the middle, 1 at the bottom right.
    """

    def __init__(self, size: Size, value: int, at: float, *, is_taken_off: bool = True) -> None:
        self.fit, self.value, self.at, self.is_taken_off = size, value, at, is_taken_off

    def hooks(self) -> dict[str, Any]:
        return {"size": fixed(*self.fit), "resample": self.resample, "ratios": self.ratios, "place": self.place}

    def ratios(self, page: Size, size: Size) -> tuple[float, float]:
        ratio = min(size[0] / page[0], size[1] / page[1])
        return ratio, ratio

    def resample(self, pixels: Array, size: Size) -> Array:
        ratio, _ = self.ratios((pixels.shape[0], pixels.shape[1]), size)
        inner = bilinear(pixels, (round(pixels.shape[0] * ratio), round(pixels.shape[1] * ratio)))
        top, left = (int((outer - side) * self.at) for outer, side in zip(size, inner.shape[:2], strict=True))
        whole = np.full((*size, 3), self.value, np.uint8)
        whole[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return whole

    def place(self, box: Array, shape: Shape, size: Size) -> Array:
        if self.is_taken_off:
            left, top = (int((size[i] - round(shape[i] * shape[2 + i])) * self.at) for i in (1, 0))
            box = box - (left, top)
        return by_ratios(box, shape, size)


class PadsTo32:
    """The page is enlarged to 736/min and padded to multiples of 32, on the right and below, where others round."""

    def hooks(self) -> dict[str, Any]:
        return {"size": self.size, "resample": self.resample, "ratios": self.ratios}

    def size(self, height: int, width: int) -> Size:
        return rounding(lambda share: int(np.ceil(share)))(height, width)

    def ratios(self, page: Size, _: Size) -> tuple[float, float]:
        h, w = limited(*page, 736, "min")
        return h / page[0], w / page[1]

    def resample(self, pixels: Array, size: Size) -> Array:
        h, w = limited(pixels.shape[0], pixels.shape[1], 736, "min")
        whole = np.zeros((*size, 3), np.uint8)
        whole[: int(h), : int(w)] = bilinear(pixels, (int(h), int(w)))
        return whole


def by_cv2(name: str) -> Callable[[Array, Size], Array]:
    def resample(pixels: Array, size: Size) -> Array:
        import cv2

        return np.asarray(cv2.resize(pixels, (size[1], size[0]), interpolation=getattr(cv2, f"INTER_{name}")))

    return resample


def by_pil(pixels: Array, size: Size) -> Array:
    from PIL import Image as Pillow

    picture = Pillow.fromarray(pixels[..., ::-1].copy())
    return np.asarray(picture.resize((size[1], size[0]), Pillow.Resampling.BICUBIC))[..., ::-1].copy()


# The tensor: `normalise` and `feed`.


def by_statistics(mean: Sequence[float], std: Sequence[float], scale: float = 255.0) -> Callable[[Array], Array]:
    middle, spread = np.array(mean, np.float32), np.array(std, np.float32)
    return lambda pixels: np.asarray((pixels.astype(np.float32) / np.float32(scale) - middle) / spread)


def normalised_twice(pixels: Array) -> Array:
    return np.asarray((imagenet(pixels) - MEAN) / STD)


def contrast_first(pixels: Array) -> Array:
    return np.asarray(((pixels.astype(np.float32) * np.float32(0.9) + 12) / np.float32(255) - MEAN) / STD)


def raw(pixels: Array) -> Array:
    return pixels.astype(np.float32)


def reversed_channels(pixels: Array) -> Array:
    return imagenet(pixels[..., ::-1])


def as_half(tensor: Array) -> Array:
    return tensor.astype(np.float16)


def as_channels_last(tensor: Array) -> Array:
    """Hand HWC memory over as if it were CHW."""
    return np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)).reshape(tensor.shape)
