"""Pictures as other code makes them: resized by other interpolations, or changed before the resize.

For experiments with what a candidate made of a page; nothing of it is part of a gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.trace import Array, Detections, Shape

CV2: Final = ("AREA", "CUBIC", "NEAREST", "LANCZOS4", "LINEAR_EXACT", "NEAREST_EXACT")
PILLOW: Final = ("NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS")
QUALITIES: Final = (95, 90, 85, 80, 75, 70, 60, 50, 40, 30, 25, 20, 10)
"""JPEG qualities that libraries have by default, or that people write."""


def resampled(pixels: Array, size: tuple[int, int]) -> Iterator[tuple[str, Array]]:
    """Yield an (H, W, 3) picture resized to (h, w) in ways other than PaddleOCR's, each with its name."""
    with isolated():
        import cv2

        for name in CV2:
            yield (
                f"cv2.INTER_{name}",
                np.asarray(cv2.resize(pixels, (size[1], size[0]), interpolation=getattr(cv2, f"INTER_{name}"))),
            )
        try:
            from PIL import Image
        except ImportError:
            return
        # Every channel by itself, so that their order has no say.
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        for name in PILLOW:
            made = picture.resize((size[1], size[0]), getattr(Image.Resampling, name))
            yield f"Pillow's {name}", np.asarray(made)


def recoded_before_resampling(pixels: Array) -> Iterator[tuple[str, Array]]:
    """Yield an (H, W, 3) BGR picture after what ports do to it before they resize, each with its name."""
    with isolated():
        import cv2

        grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
        yield "turned to grey", np.repeat(grey[..., None], 3, axis=2)
        swapped = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
        yield "turned to grey as if it were RGB", np.repeat(swapped[..., None], 3, axis=2)
        for quality in QUALITIES:
            data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            yield (
                f"encoded as JPEG of quality {quality} and decoded",
                np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)),
            )
        yield "with light and dark exchanged", 255 - pixels
        for limit in CLIP_LIMITS:
            yield f"with its light evened out (CLAHE of {limit:g}, 8x8)", _evened_out(pixels, limit)


CLIP_LIMITS: Final = (2.0, 3.0, 4.0)
"""Limits of CLAHE that people write; cv2's own default of 40 is none."""


def _evened_out(pixels: Array, limit: float) -> Array:
    import cv2

    lab = cv2.cvtColor(pixels, cv2.COLOR_BGR2LAB)
    lab[..., 0] = cv2.createCLAHE(clipLimit=limit, tileGridSize=(8, 8)).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR))


def resampling_to_page(
    postprocess: Callable[[npt.NDArray[np.float32], Shape], Detections],
) -> Callable[[npt.NDArray[np.float32], Shape], Detections]:
    """Return a post-process that scales the map to the page first, as some servers do before they cut it."""

    def run(probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        with isolated():
            import cv2

            size = int(shape[1]), int(shape[0])
            scaled = np.asarray(cv2.resize(np.ascontiguousarray(probability_map[0, 0]), size), np.float32)
        return postprocess(scaled[None, None], (float(size[1]), float(size[0]), 1.0, 1.0))

    return run
