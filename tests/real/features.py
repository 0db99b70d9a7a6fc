"""What only newer paddleocr and paddlex have: a test of it is left out where they lack it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ocrparity.backends.isolation import isolated


def needs_suffix(path: str | Path) -> None:
    """Skip where paddlex does not read files of this name; that it says so has a test of its own."""
    with isolated():
        from paddlex.inference.common.batch_sampler import ImageBatchSampler
    if Path(path).suffix[1:] not in ImageBatchSampler.IMG_SUFFIX:
        pytest.skip(f"this paddlex reads no {Path(path).suffix} files")


def needs_engines() -> None:
    """Skip where `TextDetection` has no option `engine`."""
    with isolated():
        import paddleocr

    from pytest_ocrparity.backends.paddlex.predictor import _known_options

    if "engine" not in _known_options(paddleocr.TextDetection):
        pytest.skip("this paddleocr runs Paddle's own engine alone")
