"""Experiments with the resize, after those with parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate
from pytest_ocrparity.diagnose.preprocessing.normalizing import reversed_before
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import RESIZE, TENSOR
from pytest_ocrparity.trace import Trace

Made: TypeAlias = "tuple[Diagnosis, PatchedCandidate] | None"
Rounding: TypeAlias = Callable[[float], int]

PADDLEOCR: Final = "int, then round half to even"
ROUNDINGS: Final[Mapping[str, Rounding]] = {
    PADDLEOCR: lambda side: round(int(side) / 32) * 32,
    "floor to 32": lambda side: math.floor(side / 32) * 32,
    "ceil to 32": lambda side: math.ceil(round(side / 32, 6)) * 32,  # a ratio may miss a whole number by 1e-13
    "round half up": lambda side: math.floor(int(side) / 32 + 0.5) * 32,
    "round without int": lambda side: round(side / 32) * 32,
}
"""How a port may round a scaled side; the first is that of `DetResizeForTest.resize_image_type0` on both sides."""

PROBES: Final = (
    *((70, 90), (100, 260), (333, 501), (480, 640), (517, 389), (600, 75), (720, 1280), (848, 848)),
    *((40, 60), (760, 1400), (760, 1700), (760, 4200)),
)
"""Sizes (h, w) at which roundings or limits disagree; 736/min makes none of them larger than 5888 px."""


def by_size_rounding(lab: Laboratory, base: PatchedCandidate) -> Made:
    """Find the only rounding that predicts the candidate's sizes.

    The reference's own resize at this size must also make the candidate's pixels: a page that is padded to a multiple
    of 32 has the size of one that is rounded up.
    """
    trace = lab.run_preprocessing(base)
    limits = lab.reference.parameters.get(RESIZE, {})
    if trace is None or trace.tensor is None or trace.shape is None or limits.get("rule") != "limit":
        return None
    own = _source_size(trace)
    sizes = {own: _tensor_size(trace)} | {probe: _tensor_size(_preprocess_blank(base, probe)) for probe in PROBES}
    fitting = [
        name
        for name, rounding in ROUNDINGS.items()
        if all(_predicted_size(p, limits, rounding) == s for p, s in sizes.items())
    ]
    if len(fitting) != 1 or fitting[0] == PADDLEOCR or (shown := _shown_at_its_size(lab, trace)) is None:
        return None
    rounding = ROUNDINGS[fitting[0]]
    patched = replace(
        base,
        own_size=True,
        applies=lambda _, candidate: (
            _tensor_size(candidate) == _predicted_size(_source_size(candidate), limits, rounding)
        ),
    )
    name = lab.names.candidate
    summary = f"{name} rounds the resized sides otherwise: {fitting[0]}, where PaddleOCR does {PADDLEOCR}"
    proof = f"of {len(ROUNDINGS)} roundings '{fitting[0]}' alone predicts {name}'s sizes, "
    proof += f"here and for {len(PROBES)} others"
    fix = "round as PaddleOCR does: max(int(round(int(side * ratio) / 32) * 32), 32)"
    return lab.proven_cause(RESIZE, "resize.rounding", summary, [proof, shown], fix), patched


def by_known_size(lab: Laboratory, base: PatchedCandidate) -> Made:
    """Find default limits of PaddleOCR, or one fixed size, that predict the candidate's sizes.

    The reference's own resize at this size must make the candidate's pixels. If it does and no rule is found, the cause
    is unknown, and the later stages are compared at this size.
    """
    trace, limits = lab.run_preprocessing(base), lab.reference.parameters.get(RESIZE, {})
    size = None if trace is None else _tensor_size(trace)
    if trace is None or size is None or trace.shape is None or "rule" in trace.parameters.get(RESIZE, {}):
        return None
    if size == _tensor_size(lab.reference) or (shown := _shown_at_its_size(lab, trace)) is None:
        return None
    own = _source_size(trace)
    sizes = {own: size} | (
        {probe: _tensor_size(_preprocess_blank(base, probe)) for probe in PROBES} if lab.can_run else {}
    )
    rules = [r for r in LIMITS if r != (limits.get("limit_side_len"), limits.get("limit_type"))]
    fitting = [
        rule for rule in rules if all(_size_under_limits(probe, *rule) == found for probe, found in sizes.items())
    ]
    here, right = f"{size[1]}x{size[0]}", lab.reference.tensor.shape if lab.reference.tensor is not None else size
    reference_name, candidate_name = lab.names
    sizes_differ = f"{candidate_name} resizes to {here}, {reference_name} to {right[-1]}x{right[-2]}"
    fix = f"resize in {candidate_name} as {reference_name} does: " + ", ".join(
        f"{n} = {v}" for n, v in limits.items() if n not in ("rule", "max_side_limit")
    )
    patched = replace(base, own_size=True)
    if lab.can_run and set(sizes.values()) == {size}:
        proof = f"{candidate_name} resizes all of {len(sizes)} images of different sizes to {here}"
        patched = replace(patched, applies=lambda _, candidate: _tensor_size(candidate) == size)
        return lab.proven_cause(
            RESIZE, "resize.image_shape", f"{sizes_differ}: to one size, whatever the image", [proof, shown], fix
        ), patched
    if len(fitting) == 1 and lab.can_run:
        ((side, kind),) = fitting
        patched = replace(
            patched, applies=lambda _, other: _tensor_size(other) == _size_under_limits(_source_size(other), side, kind)
        )
        proof = f"of {len(rules)} pairs of limits that PaddleOCR has by default "
        proof += f"only {side}/{kind} gives {candidate_name}'s sizes"
        own_limits = f"{limits.get('limit_side_len')}/{limits.get('limit_type')}"
        summary = f"{candidate_name} resizes to {here}, which {side}/{kind} gives; "
        summary += f"{reference_name} to {right[-1]}x{right[-2]}, by {own_limits}"
        return lab.proven_cause(RESIZE, "resize.limits", summary, [proof, shown], fix), patched
    lab.noticed.append(f"{sizes_differ}; {shown}: nothing but the size differs at this stage")
    if fitting:
        limits_shown = ", ".join(f"{side}/{kind}" for side, kind in fitting)
        lab.tried.append(f"resize.limits: each of {limits_shown} (limit_side_len/limit_type) gives this size")
    return lab.unknown_cause(RESIZE, f"{sizes_differ}, and which rule {candidate_name} follows is not known"), patched


LIMITS: Final = ((960, "max"), (736, "min"), (64, "min"), (640, "max"), (1280, "max"), (1536, "max"), (4000, "max"))
"""Default limits of releases and configurations of PaddleOCR."""


def _size_under_limits(size: tuple[int, int], side: int, kind: str) -> tuple[int, int]:
    return _predicted_size(size, {"limit_side_len": side, "limit_type": kind}, ROUNDINGS[PADDLEOCR])


def _shown_at_its_size(lab: Laboratory, trace: Trace) -> str | None:
    """Return the proof that the reference's own resize at the candidate's size makes the candidate's pixels, or None.

    If so, `lab.before` becomes the reference at that size. A candidate that records no resized pixels must have the
    reference's tensor at that size, with its channels in either order.
    """
    size, (reference, candidate) = _tensor_size(trace), lab.names
    at_size = None if size is None else lab.reference_at_size(size)
    if at_size is None or at_size.tensor is None or trace.tensor is None or size is None:
        lab.not_tried.append(f"resize: {reference}'s own resize at {candidate}'s size, which it can't be asked for")
        return None
    before = lab.before
    lab.before = replace(at_size, image=lab.reference.image, image_sha256=lab.reference.image_sha256)
    if trace.resize is not None and lab.is_same_stage(RESIZE, trace):
        shown = "resized pixels are equal"
    elif lab.is_same_stage(TENSOR, trace):
        shown = "tensors agree"
    elif any(
        lab.is_same_stage(TENSOR, replace(trace, tensor=tensor))
        for tensor in (np.ascontiguousarray(trace.tensor[:, ::-1]), reversed_before(trace.tensor, at_size))
    ):
        shown = "tensors agree but for the order of their channels"
    else:
        lab.before = before
        lab.tried.append(f"resize: {reference}'s own resize at {size[1]}x{size[0]} makes other pixels than {candidate}")
        return None
    return f"at {size[1]}x{size[0]}, made by {reference}'s own resize, the {shown}"


def by_shape_row(lab: Laboratory, base: PatchedCandidate) -> Made:
    """Replace the candidate's shape row by the reference's, where the resized image is right."""
    trace = lab.run_preprocessing(base)
    patched = replace(base, has_row=True)
    if trace is None or not lab.is_same_stage(RESIZE, lab.run_preprocessing(patched)):
        return None
    reference, candidate = lab.names
    summary = f"the shape row of {candidate} does not hold the size of the image as {reference} decoded it"
    proof = f"the resized images are equal, and with {reference}'s shape row so is all that this stage hands on"
    sizes = _source_size(lab.reference), _source_size(trace)
    rows = f"the rows hold (height, width) {sizes[0]} in {reference} and {sizes[1]} in {candidate}"
    fix = f"let {candidate}'s shape row hold the height and width of the image as it was decoded, before any resize"
    return lab.proven_cause(RESIZE, "rescale.shape_row", summary, [proof, rows], fix), patched


experiments = (by_shape_row, by_size_rounding, by_known_size)


def _preprocess_blank(base: PatchedCandidate, size: tuple[int, int]) -> Trace | None:
    try:
        return base.pipeline.preprocess(np.zeros((*size, 3), np.uint8))
    except Exception:  # a user's pipeline may take files only
        return None


def _tensor_size(trace: Trace | None) -> tuple[int, int] | None:
    return None if trace is None or trace.tensor is None else (trace.tensor.shape[2], trace.tensor.shape[3])


def _source_size(trace: Trace) -> tuple[int, int]:
    return (0, 0) if trace.shape is None else (int(trace.shape[0]), int(trace.shape[1]))


def _predicted_size(size: tuple[int, int], limits: Mapping[str, Any], rounding: Rounding) -> tuple[int, int]:
    """Return the (h, w) that PaddleOCR's limit rule gives an image, with a given rounding."""
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
