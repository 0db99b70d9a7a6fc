"""How a hand-written server turns a page into a tensor: plain cv2, numpy and Pillow, each step a named choice."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.trace import Image

Array: TypeAlias = "npt.NDArray[Any]"
Size: TypeAlias = "tuple[int, int]"

# What is loaded.


def loaded(image: Image, *, is_turned_by_exif: bool = True, has_alpha_on_white: bool = False) -> Array:
    """Decode a file to BGR; an array is a page that was decoded already."""
    import cv2

    if isinstance(image, np.ndarray):
        return image
    data = np.frombuffer(Path(image).read_bytes(), np.uint8)
    if has_alpha_on_white:
        whole = np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))
        if whole.ndim == 3 and whole.shape[2] == 4:
            share = whole[..., 3:] / 255.0
            return np.round(whole[..., :3] * share + 255 * (1 - share)).astype(np.uint8)
    flags = cv2.IMREAD_COLOR | (0 if is_turned_by_exif else cv2.IMREAD_IGNORE_ORIENTATION)
    return np.asarray(cv2.imdecode(data, flags))


def through_jpeg(page: Array, quality: int) -> Array:
    import cv2

    data = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def in_grey(page: Array) -> Array:
    import cv2

    return np.asarray(cv2.cvtColor(cv2.cvtColor(page, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))


def equalised(page: Array) -> Array:
    """Even the light of a page out, as scanners' software does."""
    import cv2

    lab = cv2.cvtColor(page, cv2.COLOR_BGR2LAB)
    lab[..., 0] = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR))


def inverted(page: Array) -> Array:
    """Make light text on dark of dark text on light."""
    return 255 - page


TOUCHES: Mapping[str, Callable[[Array], Array]] = {
    "none": lambda page: page,
    "grey": in_grey,
    "equalised": equalised,
    "inverted": inverted,
}

# How large it gets.


def limited(height: int, width: int, side: int, rule: str) -> tuple[int, int]:
    """Scale a size until its shorter side is at least `side` ("min") or its longer side at most ("max")."""
    ratio = 1.0
    if rule == "min" and min(height, width) < side:
        ratio = side / min(height, width)
    if rule == "max" and max(height, width) > side:
        ratio = side / max(height, width)
    return int(height * ratio), int(width * ratio)


def _as_in_lite(share: float) -> int:
    """PaddleOCR's demo for phones: what is no multiple loses one multiple more."""
    return int(share) - (share != int(share))


ROUNDINGS: Mapping[str, Callable[[float], int]] = {
    "half even": round,
    "half up": lambda share: math.floor(share + 0.5),
    "floor": math.floor,
    "ceil": math.ceil,
    "lite": _as_in_lite,
}


def to_multiples(height: float, width: float, multiple: int, rounding: str) -> Size:
    rule = ROUNDINGS[rounding]
    return max(rule(height / multiple) * multiple, multiple), max(rule(width / multiple) * multiple, multiple)


def resampled(page: Array, size: Size, how: str) -> Array:
    """Scale a page to (height, width) with one of cv2's methods, or with Pillow's ("pillow bicubic")."""
    import cv2

    if how.startswith("pillow "):
        from PIL import Image as Pillow

        method = Pillow.Resampling[how.removeprefix("pillow ").upper()]
        scaled = Pillow.fromarray(np.ascontiguousarray(page[..., ::-1])).resize((size[1], size[0]), method)
        return np.ascontiguousarray(np.asarray(scaled)[..., ::-1])
    return np.asarray(cv2.resize(page, (size[1], size[0]), interpolation=getattr(cv2, f"INTER_{how.upper()}")))


def on_canvas(picture: Array, size: Size, top: int, left: int, value: float) -> Array:
    """Lay a picture on a larger one of a single value."""
    canvas = np.full((*size, *picture.shape[2:]), value, picture.dtype)
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return canvas


# What numbers it is fed as.

Statistics: TypeAlias = "tuple[float, float, float]"
MEAN: Statistics = (0.485, 0.456, 0.406)
STD: Statistics = (0.229, 0.224, 0.225)


def normalised(picture: Array, mean: Statistics, std: Statistics, scale: float) -> Array:
    values = picture.astype(np.float32) * np.float32(scale)
    return (values - np.array(mean, np.float32)) / np.array(std, np.float32)


def _in_uint8(tensor: Array) -> Array:
    """Quantise as an accelerator with 8-bit inputs does."""
    low, step = np.float32(-2.2), np.float32(4.9 / 255)
    return np.clip(np.round((tensor - low) / step), 0, 255).astype(np.uint8) * step + low


def _in_bfloat16(tensor: Array) -> Array:
    """Cut the lower half of each number off."""
    bits = np.ascontiguousarray(tensor, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return bits.view(np.float32)


NUMBERS: Mapping[str, Callable[[Array], Array]] = {
    "float32": lambda tensor: tensor,
    "float16": lambda tensor: tensor.astype(np.float16).astype(np.float32),
    "bfloat16": _in_bfloat16,
    "uint8": _in_uint8,
    "hwc": lambda tensor: np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)).reshape(tensor.shape),
    "chw of (w, h)": lambda tensor: np.ascontiguousarray(tensor.transpose(0, 1, 3, 2)),
}
"""How the (1, 3, h, w) tensor is handed over."""
