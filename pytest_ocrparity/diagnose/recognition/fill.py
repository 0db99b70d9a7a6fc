"""Examines the numbers of a line's tensor: those of the picture, and those that fill it up on the right.

A picture is normalised and then filled up, so that what is one function of the picture is none of the whole tensor.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate, Recorded
from pytest_ocrparity.diagnose.preprocessing import normalizing
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import TENSOR
from pytest_ocrparity.trace import Array, Trace

NORMALISED: Final = {"mean": [0.5] * 3, "std": [0.5] * 3, "scale": 1 / 255}
"""How PaddleOCR's operators normalise a line; no key of a YAML file sets it."""

NEAR: Final = 2e-6
"""Within which two right tensors are the same, see `preprocessing.atol`."""

NAMED_FILLS: Final = {-1.0: "black", 1.0: "white", (127 / 255 - 0.5) / 0.5: "grey 127 before the normalisation"}


def examine_arrangement(lab: Laboratory, trace: Trace, content: int) -> tuple[Diagnosis, Trace] | None:
    """Return where the line lies in its tensor, or in which order its axes are, as a cause; and the trace without it.

    Args:
        lab: the diagnosis.
        trace: the candidate's preprocessing, of the reference's size.
        content: the columns of the picture.
    """
    right, own = lab.before.tensor, trace.tensor
    if right is None or own is None:
        return None
    if (left := _left_of_picture(lab, right, own, content)) is not None:
        rest = np.delete(own, slice(left, left + content), axis=3)
        moved = np.concatenate([own[..., left : left + content], rest], axis=3)
        reference, candidate = lab.names
        words = f"the picture of {content} columns starts at column {left} of {own.shape[3]} in {candidate}"
        proof = f"{words}, at 0 in {reference}; moved there, it is {reference}'s"
        fix = f"in {candidate}, put the line at the left edge of its tensor, and fill it up on the right alone"
        summary = f"{candidate} puts the line at column {left} of its tensor"
        return lab.proven_cause(TENSOR, "resize.padding", summary, [proof], fix), replace(trace, tensor=moved)
    if (inner := _of_picture(lab, trace, own.shape[-1])) is None:
        return None
    made = normalizing.by_tensor_axes(inner, inner.patched)
    if made is None or made[1].tensor is None:
        return None
    lab.reset_notes()
    return made[0], replace(trace, tensor=made[1].tensor(own))


def _left_of_picture(lab: Laboratory, right: Array, own: Array, content: int) -> int | None:
    """Return the column, not the first, at which the reference's picture lies in a tensor of one value beside it.

    None if it lies at none or at the first, or is one column repeated, which may lie anywhere in what fills it up.
    """
    if right.ndim != 4 or right.shape != own.shape or not 0 < content < own.shape[3]:
        return None
    picture = right[..., :content]
    if np.ptp(picture, axis=3).max() <= NEAR or np.allclose(own[..., :content], picture, rtol=0, atol=NEAR):
        return None
    for left in range(1, own.shape[3] - content + 1):
        lab.budget.check()
        if np.allclose(own[..., left : left + content], picture, rtol=0, atol=NEAR):
            rest = np.delete(own, slice(left, left + content), axis=3)
            return left if np.ptp(rest, axis=(2, 3)).max() == 0 else None
    return None


def examine_numbers(lab: Laboratory, trace: Trace, content: int) -> list[Diagnosis]:
    """Return what is wrong with the numbers of the picture, as the detector's experiments with tensors find it."""
    inner = _of_picture(lab, trace, content)
    if inner is None or inner.is_same_stage(TENSOR, inner.candidate):
        return []
    for experiment in normalizing.experiments:
        made = experiment(inner, inner.patched)
        if made is not None:
            lab.reset_notes()
            return [made[0]]
    lab.ruled_out += inner.ruled_out
    lab.tried += inner.tried
    lab.not_tried += inner.not_tried
    lab.noticed += inner.noticed
    return [lab.unknown_cause(TENSOR)]


def _of_picture(lab: Laboratory, trace: Trace, content: int) -> Laboratory | None:
    """Return a laboratory of the columns that hold the picture alone; None where the two sides' differ in number."""
    right, own = lab.before.tensor, trace.tensor
    if right is None or own is None:
        return None
    is_alike = right.ndim == own.ndim == 4 and right.shape[3] == own.shape[3]
    parts = (right[..., :content], own[..., :content]) if is_alike else (right, own)  # else its axes may be others
    parameters, picture = {**lab.before.parameters}, lab.before.resize
    if not parameters.get(TENSOR) and picture is not None and picture.ndim == 3 and is_alike:
        pixels = np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 255
        usual = (pixels - np.float32(0.5)) / np.float32(0.5)
        if usual.shape == parts[0].shape and np.allclose(usual, parts[0], rtol=0, atol=1e-6):
            parameters[TENSOR] = NORMALISED  # as was just seen
    reference = replace(lab.before, tensor=np.ascontiguousarray(parts[0]), parameters=parameters, source=None)
    candidate = replace(trace, tensor=np.ascontiguousarray(parts[1]), source=None, image=lab.candidate.image)
    candidate = replace(candidate, pipeline=lab.candidate.pipeline, image_sha256=lab.candidate.image_sha256)
    comparisons = Comparisons(reference, candidate, lab.tolerance, defers=lab.comparisons.defers)
    inner = Laboratory(comparisons, lab.seconds, budget=lab.budget)
    inner.own = Recorded(candidate.pipeline, candidate)
    inner.patched = PatchedCandidate(inner.own)
    return inner


def examine_fill(lab: Laboratory, trace: Trace, content: int) -> list[Diagnosis]:
    """Return the value with which a line is filled up as a cause, where it is not the reference's."""
    right, own = lab.before.tensor, trace.tensor
    if right is None or own is None or right.shape != own.shape or content >= own.shape[3]:
        return []
    held, wanted = own[..., content:], right[..., content:]
    if np.allclose(held, wanted, rtol=0, atol=NEAR):
        return []
    fill = _fill_text(own, content)
    reference, candidate = lab.names
    if fill is None or np.ptp(wanted) != 0:
        lab.noticed.append(
            f"right of the line, {candidate}'s tensor holds {float(held.min()):.4g} to {float(held.max()):.4g}"
        )
        return [lab.unknown_cause(TENSOR, "what fills the line up is no single value")]
    value = f"{float(wanted.flat[0]):.4g}"
    proof = (
        f"the {own.shape[3] - content} columns right of the picture hold {fill} in {candidate}, {value} in {reference}"
    )
    if np.allclose(own[..., :content], right[..., :content], rtol=0, atol=NEAR):
        proof += f"; with {value} there, its tensor is {reference}'s"
    fix = f"in {candidate}, fill lines up with {value} after they are normalised"
    summary = f"{candidate} fills lines up with {fill}, {reference} with {value}"
    return [lab.proven_cause(TENSOR, "tensor.padding_value", summary, [proof], fix)]


def _fill_text(tensor: Array, content: int) -> str | None:
    """Return what fills a line up: one value by channel, or its last column repeated; None for anything else."""
    rest = tensor[0, :, :, content:]
    values = rest[:, :1, :1]
    is_one_value = np.array_equal(rest, np.broadcast_to(values, rest.shape))
    numbers = [float(each) for each in values.ravel()]
    name = next((text for value, text in NAMED_FILLS.items() if np.allclose(numbers, value, atol=1e-5)), "")
    shown = f"{numbers[0]:.4g}" if len(set(numbers)) == 1 else str([round(each, 4) for each in numbers])
    if is_one_value and name:
        return f"{shown} ({name})"
    if content and np.array_equal(rest, np.broadcast_to(tensor[0, :, :, content - 1 : content], rest.shape)):
        return "its last column, repeated"
    return shown if is_one_value else None
