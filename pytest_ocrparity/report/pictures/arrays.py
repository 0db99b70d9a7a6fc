"""Arrays as pictures: what a network was fed, what it returned, and where two of them differ. No files, no names."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pytest_ocrparity.stages import TENSOR
from pytest_ocrparity.trace import Trace

COLOURS: Final = ((0, 32, 77), (124, 123, 120), (255, 234, 70))
"""Low, middle, high of every heat map: the ends and the middle of the cividis scale, which colour-blind eyes order."""

MOST: Final = 4096
"""Longest side of a full picture in px: what a browser shows at ease."""
THUMB, POOLED_THUMB = 400, 128
"""Longest side of a thumbnail in px. A pooled one is small, so that each of its values covers pixels of the screen."""
WITHIN, BEYOND = 72, 128
"""Of 255 steps of a difference's scale: where the limit lies, and where what exceeds it begins."""
_COARSE: Final = 8
"""Steps that a difference is drawn in at once: of noise a file is half as large, and 32 shades are left."""

_PALETTE: Final = [
    round(float(value))
    for step in range(256)
    for value in (np.interp(step, (0, 127.5, 255), [colour[channel] for colour in COLOURS]) for channel in range(3))
]


class Drawn(NamedTuple):
    """A picture in full and small, and what to write beside it.

    `bar` holds the values at the ends of its scale, `limit` the value above which a difference is drawn bright.
    """

    full: Image.Image
    thumb: Image.Image
    caption: str
    is_photo: bool = False
    bar: tuple[float, float] | None = None
    limit: float | None = None


def array_photo(pixels: npt.NDArray[Any], channel_order: str, caption: str) -> Drawn:
    """Draw an (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) image; its channels are taken for the order that is given."""
    if pixels.dtype != np.uint8 and np.issubdtype(pixels.dtype, np.integer):
        pixels = pixels / (np.iinfo(pixels.dtype).max / 255)
        caption += ", in 8 bits here"
    values = _as_uint8(pixels)
    if values.ndim == 3 and values.shape[2] not in (3, 4):
        caption += f", first of {values.shape[2]} channels" if values.shape[2] > 1 else ""
        values = values[..., 0]
    if values.ndim == 3 and channel_order == "BGR":
        values = values[..., [2, 1, 0, 3][: values.shape[2]]]
    image = Image.fromarray(np.ascontiguousarray(values))
    full = downscaled_image(image, MOST)
    return Drawn(full, downscaled_image(image, THUMB), caption + _scale_note(image, full), is_photo=True)


def tensor_array_view(trace: Trace, ends: tuple[float, float] | None = None) -> Drawn:
    """Draw the tensor as the image that it is of: un-normalised with the side's own mean and std, channels as BGR.

    `ends` are what black and white stand for where no mean and std are recorded; None: the tensor's own.
    """
    assert trace.tensor is not None
    tensor = _without_nan(trace.tensor[0].astype(np.float32))
    values = tensor.transpose(1, 2, 0) if len(tensor) == 3 else tensor[:1].transpose(1, 2, 0).repeat(3, axis=2)
    parameters = trace.parameters.get(TENSOR, {})
    mean, std, scale = (parameters.get(name) for name in ("mean", "std", "scale"))
    if mean and std and scale and len(mean) == len(std) == values.shape[2]:
        values = (values * np.float32(std) + np.float32(mean)) / np.float32(scale)
        caption = f"un-normalised with mean {_numbers_text(mean)} and std {_numbers_text(std)}"
    else:
        low, high = ends or (float(values.min()), float(values.max()))
        values = (values - low) * np.float32(255 / ((high - low) or 1))
        how = "stretched" if ends is None else "drawn"
        caption = f"{how} from {low:.3g} to {high:.3g}, as no mean and std are recorded"
    return array_photo(np.clip(np.rint(values), 0, 255), "BGR", f"{_size_text(trace.tensor)}, {caption}")


def array_heat_map(values: npt.NDArray[Any], caption: str) -> Drawn:
    """Draw an (h, w) map of 0 to 1; what lies outside is drawn as the nearer end."""
    scaled = Image.fromarray(_as_uint8(_without_nan(values.astype(np.float32)) * 255))
    full = downscaled_image(scaled, MOST)
    note = _scale_note(scaled, full)
    return Drawn(_coloured_map(full), _coloured_map(downscaled_image(scaled, THUMB)), caption + note, bar=(0.0, 1.0))


def feature_heat_map(values: npt.NDArray[Any], ends: tuple[float, float], caption: str) -> Drawn:
    """Draw an (h, w) part of a feature map on a scale between two values, one pixel for each of its own."""
    low, high = ends
    steps = (_without_nan(values.astype(np.float32)) - np.float32(low)) * np.float32(255 / ((high - low) or 1.0))
    picture = _coloured_map(Image.fromarray(_as_uint8(steps)))
    count = int(values.size - np.count_nonzero(np.isfinite(values)))
    caption += f"; of its values {count} not finite" if count else ""
    return Drawn(picture, picture, caption, bar=(low, high))


def finite_ends(arrays: Iterable[npt.NDArray[Any]]) -> tuple[float, float]:
    """Return the smallest and the largest finite value of arrays, so that all are drawn on one scale; 0 of none."""
    found = [array[np.isfinite(array)] for array in arrays]
    values = np.concatenate([each.ravel() for each in found])
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def drawn_array_difference(
    reference: npt.NDArray[Any], candidate: npt.NDArray[Any], caption: str, limit: float | None = None
) -> Drawn:
    """Draw the absolute difference of two (C, h, w) arrays, the largest of its channels.

    Up to its limit a difference is drawn dark, beyond it bright, up to the largest value; without a limit from 0 to the
    largest value. Reduced by the maximum of each block, so that no pixel is lost. What is not finite is drawn as the
    largest value.
    """
    distance = largest_of_channels(reference, candidate)
    is_finite = np.isfinite(distance)
    top = float(distance[is_finite].max(initial=0.0))
    limit = limit if limit and math.isfinite(limit) else None
    scaled = _difference_steps(np.where(is_finite, distance, 0), top, limit)
    scaled = np.minimum(np.ceil(scaled / _COARSE) * _COARSE, 255)
    scaled[~is_finite] = 255
    full, small = (
        _coloured_map(Image.fromarray(_as_uint8(_max_pooled(scaled, most)))) for most in (MOST, POOLED_THUMB)
    )
    if is_finite.all() and not top:
        return Drawn(full, small, "none, every value is equal")
    return Drawn(full, small, caption, bar=(0.0, max(top, limit or 0.0)), limit=limit)


def largest_of_channels(reference: npt.NDArray[Any], candidate: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the absolute difference of two (C, h, w) arrays, of each pixel the largest of its channels."""
    found: npt.NDArray[np.float32] = np.abs(reference.astype(np.float32) - candidate.astype(np.float32)).max(axis=0)
    return found


def _difference_steps(distance: npt.NDArray[np.float32], top: float, limit: float | None) -> npt.NDArray[np.float32]:
    """Return where differences lie on the scale of 255 steps; the smallest is not drawn as none."""
    steps: npt.NDArray[np.float32] = np.ceil(distance * np.float32(255 / (top or 1.0)))
    if limit is None:
        return steps
    within = np.ceil(distance * np.float32(WITHIN / limit))
    beyond = BEYOND + np.ceil((distance - limit) * np.float32((255 - BEYOND) / (max(top - limit, 0) or 1.0)))
    steps = np.where(distance <= limit, np.minimum(within, WITHIN), np.minimum(beyond, 255))
    return steps


def _without_nan(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return values if np.isfinite(values).all() else np.nan_to_num(values)


def _as_uint8(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return values if values.dtype == np.uint8 else np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _max_pooled(values: npt.NDArray[Any], most: int) -> npt.NDArray[Any]:
    """Return a map reduced to at most `most` px a side by the maximum of each block."""
    height, width = values.shape
    block = max(1, math.ceil(max(height, width) / most))
    padded = np.pad(values, ((0, -height % block), (0, -width % block)))
    pooled: npt.NDArray[Any] = padded.reshape(-(-height // block), block, -(-width // block), block).max(axis=(1, 3))
    return pooled


def downscaled_image(image: Image.Image, most: int) -> Image.Image:
    """Return an image of at most `most` px a side, averaged."""
    longest = max(image.size)
    if longest <= most:
        return image
    size = [max(1, round(side * most / longest)) for side in image.size]
    return image.resize((size[0], size[1]), Image.Resampling.BOX)


def _coloured_map(grey: Image.Image) -> Image.Image:
    coloured = grey.copy()
    coloured.putpalette(_PALETTE)  # stays one byte per pixel
    return coloured


def _scale_note(image: Image.Image, full: Image.Image) -> str:
    return "" if full.size == image.size else f", shown at {full.size[0] / image.size[0]:.0%} of its size"


def _size_text(array: npt.NDArray[Any]) -> str:
    return f"{array.shape[-1]}x{array.shape[-2]} px"


def _numbers_text(values: Any) -> str:
    return "[" + ", ".join(f"{value:.4g}" for value in values) + "]"
