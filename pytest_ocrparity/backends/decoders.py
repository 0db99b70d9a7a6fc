"""The ways in which an image file can be decoded, for experiments with what the two sides made of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.files import image_to_hand_on
from pytest_ocrparity.trace import Image

UNREADABLE = "Image read Error"
"""How paddlex's `ReadImage` says that a file of a suffix that it knows does not decode."""

Array: TypeAlias = "npt.NDArray[Any]"

STANDARD = "standard"
"""cv2.IMREAD_COLOR: turned as EXIF says, alpha dropped, 8 bits. What both of PaddleOCR's sides do."""


def pixels_by_decoder(path: Path) -> Mapping[str, Array]:
    """Return the (H, W, 3) BGR pixels of a file by way, "standard" first; only ways that differ from it.

    The others are named after the cause that they would prove: decode.orientation (EXIF ignored), decode.alpha
    (composited on white), decode.bit_depth (16 bits kept). Empty where the file does not decode.
    """
    with isolated():
        import cv2

        data = np.frombuffer(path.read_bytes(), np.uint8)
        standard = cv2.imdecode(data, cv2.IMREAD_COLOR)
        if standard is None:
            return {}
        ways: dict[str, Array] = {STANDARD: standard}
        ignored = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if not np.array_equal(ignored, standard):
            ways["decode.orientation"] = ignored
        whole = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if whole.ndim == 2:
            whole = np.repeat(whole[..., None], 3, axis=2)
        if whole.shape[2] == 4 and whole.dtype == np.uint8:
            ways["decode.alpha"] = _on_white(whole)
        elif whole.dtype != np.uint8:
            ways["decode.bit_depth"] = whole[..., :3]
    return ways


def _on_white(image: Array) -> Array:
    alpha = image[..., 3:].astype(np.float32) / np.float32(255)
    mixed = image[..., :3] * alpha + np.float32(255) * (1 - alpha)
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)


def image_with_orientation(image: Image, *, is_ignored: object) -> str | Array:
    """Return an image as `files.image_to_hand_on` does; of a file whose EXIF orientation is ignored its BGR pixels."""
    given = image_to_hand_on(image)
    ways = pixels_by_decoder(Path(given)) if isinstance(given, str) and is_ignored else {}
    return ways.get("decode.orientation", ways.get(STANDARD, given))
