"""What only newer paddleocr and paddlex have: a test of it is left out where they lack it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.backends.isolation import isolated

PADDLE, PADDLEX = metadata.version("paddlepaddle"), metadata.version("paddlex")

HAS_STALE_PROGRAMS = not PADDLE.startswith("3.0.")
"""A program of 3.0 lists weights that it does not use, so another export's do not load with it."""
IS_PADDLEX_3_1 = PADDLEX.startswith("3.1.")
"""It has no boxes of words, reorders no text, and divides by the height of an empty crop, which later ones drop."""


def needs_suffix(path: str | Path) -> None:
    """Skip where paddlex does not read files of this name; that it says so has a test of its own."""
    with isolated():
        from paddlex.inference.common.batch_sampler import ImageBatchSampler
    if Path(path).suffix[1:] not in ImageBatchSampler.IMG_SUFFIX:
        pytest.skip(f"this paddlex reads no {Path(path).suffix} files")


def needs_engines() -> None:
    """Skip where `TextDetection` has no option `engine`, and none for its `engine_config`."""
    with isolated():
        import paddleocr

    from pytest_ocrparity.backends.paddlex.predictor import _known_options

    if "engine" not in _known_options(paddleocr.TextDetection):
        pytest.skip("this paddleocr runs Paddle's own engine alone")


def runner_attribute(predictor: Any) -> str:
    """Return the attribute in which a predictor of paddlex has what runs its network, older ones another than newer."""
    return "runner" if hasattr(predictor, "runner") else "infer"
