"""Experiments with how the image was resized, beyond its parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.remedy import Remedy
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.trace import RESIZE, Trace

__all__ = ["experiments"]

Made: TypeAlias = "tuple[Diagnosis, Remedy] | None"
Rounding: TypeAlias = Callable[[float], int]

PADDLEOCR: Final = "int, then round half to even"
ROUNDINGS: Final[Mapping[str, Rounding]] = {
    PADDLEOCR: lambda side: round(int(side) / 32) * 32,
    "floor to 32": lambda side: math.floor(side / 32) * 32,
    "ceil to 32": lambda side: math.ceil(side / 32) * 32,
    "round half up": lambda side: math.floor(int(side) / 32 + 0.5) * 32,
    "round without int": lambda side: round(side / 32) * 32,
}
"""How a port may round a scaled side; the first is that of `DetResizeForTest.resize_image_type0` on both sides."""

PROBES: Final = ((70, 90), (100, 260), (333, 501), (480, 640), (517, 389), (600, 75), (720, 1280), (848, 848))
"""Sizes (h, w) at which the roundings disagree."""


def by_rounding(lab: Laboratory, base: Remedy) -> Made:
    """Find the one rounding that predicts the candidate's sizes; given pixels of the right size, it agrees."""
    trace = lab.preprocessed(base)
    limits = lab.reference.parameters.get(RESIZE, {})
    if trace is None or trace.tensor is None or trace.shape is None or limits.get("rule") != "limit":
        return None
    own = _source(trace)
    sizes = {own: _size(trace)} | {probe: _size(_probed(base, probe)) for probe in PROBES}
    fitting = [
        name
        for name, rounding in ROUNDINGS.items()
        if all(_predicted(p, limits, rounding) == s for p, s in sizes.items())
    ]
    if len(fitting) != 1 or fitting[0] == PADDLEOCR or (made := _with_right_size(lab, base)) is None:
        return None
    rounding = ROUNDINGS[fitting[0]]
    mended = replace(
        made[0], applies=lambda _, candidate: _size(candidate) == _predicted(_source(candidate), limits, rounding)
    )
    one, two = lab.names
    summary = f"{two} rounds the resized sides otherwise: {fitting[0]}, where PaddleOCR does {PADDLEOCR}"
    proof = (
        f"of {len(ROUNDINGS)} roundings '{fitting[0]}' alone predicts {two}'s sizes, here and for {len(PROBES)} others"
    )
    return lab.claim(
        RESIZE,
        "resize.rounding",
        summary,
        [proof, f"given {one}'s resized pixels, {two}'s tensor has {one}'s size"],
        "round as PaddleOCR does: max(int(round(int(side * ratio) / 32) * 32), 32)",
    ), mended


def by_shape_row(lab: Laboratory, base: Remedy) -> Made:
    """Put the reference's shape row in the place of the candidate's, where the resized image is right."""
    trace = lab.preprocessed(base)
    mended = replace(base, has_row=True)
    if trace is None or not lab.is_same_stage(RESIZE, lab.preprocessed(mended)):
        return None
    one, two = lab.names
    summary = f"the shape row of {two} does not hold the size of the image as {one} decoded it"
    proof = f"the resized images are equal, and with {one}'s shape row so is all that this stage hands on"
    rows = f"the rows hold (height, width) {_source(lab.reference)} in {one} and {_source(trace)} in {two}"
    fix = f"let {two}'s shape row hold the height and width of the image as it was decoded, before any resize"
    return lab.claim(RESIZE, "rescale.shape_row", summary, [proof, rows], fix), mended


experiments = (by_shape_row, by_rounding)


def _with_right_size(lab: Laboratory, base: Remedy) -> tuple[Remedy, Trace] | None:
    def resized(reference: Trace, image: object) -> npt.NDArray[Any] | None:
        """Return the image as the reference resized it, which a right size leaves alone."""
        order = reference.decode.channel_order if reference.decode is not None else "BGR"
        pixels = reference.resize
        return pixels if pixels is None or order != "RGB" else np.ascontiguousarray(pixels[..., ::-1])

    mended = replace(base, pixels=resized, is_resized=True)
    trace = lab.preprocessed(mended)
    return (mended, trace) if trace is not None and _size(trace) == _size(lab.reference) else None


def _probed(base: Remedy, size: tuple[int, int]) -> Trace | None:
    try:
        return base.pipeline.preprocess(np.zeros((*size, 3), np.uint8))
    except Exception:  # a pipeline of the user's may take files only
        return None


def _size(trace: Trace | None) -> tuple[int, int] | None:
    return None if trace is None or trace.tensor is None else (trace.tensor.shape[2], trace.tensor.shape[3])


def _source(trace: Trace) -> tuple[int, int]:
    return (0, 0) if trace.shape is None else (int(trace.shape[0]), int(trace.shape[1]))


def _predicted(size: tuple[int, int], limits: Mapping[str, Any], rounding: Rounding) -> tuple[int, int]:
    """Return the (h, w) that PaddleOCR's limit rule gives an image, with another rounding."""
    height, width = size
    limit, kind = float(limits["limit_side_len"]), limits["limit_type"]
    ratio = 1.0
    if kind == "max" and max(size) > limit:
        ratio = limit / max(size)
    elif kind == "min" and min(size) < limit:
        ratio = limit / min(size)
    elif kind == "resize_long":
        ratio = limit / max(size)
    return max(rounding(height * ratio), 32), max(rounding(width * ratio), 32)
