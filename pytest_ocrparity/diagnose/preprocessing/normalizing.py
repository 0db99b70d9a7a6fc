"""Experiments with the numbers and the layout of the tensor, after those with parameters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate, Proved
from pytest_ocrparity.stages import TENSOR
from pytest_ocrparity.trace import Array, Trace


def by_tensor_channels(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Reverse the channels of the candidate's tensor, before or after its normalisation."""
    if _is_grey(lab.before):
        lab.not_tried.append("decode.channel_order: this page is grey and can't show it")
        return None
    for words, change in (
        ("reversed", lambda tensor: np.ascontiguousarray(tensor[:, ::-1])),
        ("reversed before the normalisation", lambda tensor: reversed_before_normalizing(tensor, lab.before)),
    ):
        made = _if_tensor_agrees(lab, base, change)
        if made is not None:
            reference, candidate = lab.names
            order = lab.reference.decode.channel_order if lab.reference.decode is not None else "the other order"
            difference = lab.describe_tensor_difference(made[1])
            proof = f"with its channels {words}, {candidate}'s tensor is {reference}'s ({difference})"
            fix = f"feed {candidate}'s network {order}, as {reference} does"
            return lab.proven_cause(
                TENSOR, "decode.channel_order", f"{candidate} swaps red and blue", [proof], fix
            ), made[0]
    lab.tried.append("decode.channel_order: with its channels reversed the tensor still differs")
    return None


def by_affine_fit(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Fit y = a x + b per channel; an exact fit with known numbers is another mean, std or scale."""
    trace, right = lab.run_preprocessing(base), lab.before.tensor
    if trace is None or trace.tensor is None or right is None or trace.tensor.shape != right.shape:
        return None
    if count := int(np.count_nonzero(~np.isfinite(trace.tensor))):
        whole = f"{count} of {trace.tensor.size} values"
        lab.noticed.append(f"{lab.names.candidate}'s tensor holds NaN or infinity: {whole}")
    fit = _fit_per_channel(right, trace.tensor)
    if fit is None:
        lab.tried.append("normalize: no mean, std and scale turn one tensor into the other")
        return None
    slope, offset, residual = fit
    if np.allclose(slope, 1, atol=1e-4) and np.allclose(offset, 0, atol=1e-4):
        return None  # nearly equal, so the normalisation is not what differs
    reference, candidate = lab.names
    named = _cause_of_affine_map(lab, slope, offset)
    if named is None:
        lab.noticed.append(_affine_map_text(lab, slope, offset))
        return None
    cause, summary, fix = named
    proof = f"worked out from the two tensors: {reference}'s, normalised by {candidate}'s numbers, "
    proof += f"is {candidate}'s, channel by channel (largest difference {residual:.1e})"
    slope, offset = slope.reshape(1, -1, 1, 1), offset.reshape(1, -1, 1, 1)
    patched = replace(base, tensor=lambda tensor: ((tensor - offset) / slope).astype(np.float32))
    return lab.proven_cause(TENSOR, cause, summary, [proof], fix), patched


SCALE: Final = 1 / 255
"""That of NormalizeImage, where a side states none."""
MEANS: Final = ([0.5] * 3, [0.0] * 3, [0.485, 0.456, 0.406], [0.449] * 3, [0.48145466, 0.4578275, 0.40821073])
STDS: Final = ([0.5] * 3, [1.0] * 3, [0.229, 0.224, 0.225], [0.226] * 3, [0.26862954, 0.26130258, 0.27577711])
"""Means and deviations that libraries use, such as ImageNet's and CLIP's. Others that fit may be a change of contrast
and brightness."""
FACTORS: Final = (255.0, 256.0, 255 / 256)
"""Factors by which a scale is often wrong; their inverses count as well."""


def _affine_map_text(lab: Laboratory, slope: Array, offset: Array) -> str:
    """Return in words the affine map between the tensors, which may have several reasons."""
    reference, candidate = lab.names
    text = (
        f"{candidate}'s tensor is {_rounded_list(slope)} x {reference}'s + {_rounded_list(offset)} by channel, exactly"
    )
    return f"{text}: a change of contrast or brightness does that, or another mean or std; mean and std may be right"


def _cause_of_affine_map(lab: Laboratory, slope: Array, offset: Array) -> tuple[str, str, str] | None:
    """Return the cause, the summary and the fix of an affine map between the tensors.

    None where no known normalisation has its numbers.
    """
    reference, candidate = lab.names
    right = _reported_mean_std(lab.reference, slope)
    try:
        scale = float(lab.reference.parameters.get(TENSOR, {}).get("scale", SCALE))
    except (TypeError, ValueError):
        return None
    if right is None:
        return None
    mean, std = right
    reported = _reported_mean_std(lab.candidate, slope)
    is_contradicted = reported is not None and not _explains_affine_map(reported, slope, offset, mean, std)
    if is_contradicted and not _explains_affine_map(reported, np.ones_like(slope), np.zeros_like(offset), mean, std):
        return None  # it reports numbers that are neither the reference's nor the fitted ones
    is_twice = np.allclose(slope, 1 / std, rtol=1e-4) and np.allclose(offset, -mean / std, rtol=1e-3, atol=1e-4)
    if is_twice and (reported is None or is_contradicted):
        fix = f"take one of the two normalisations out of {candidate}"
        return "normalize.twice", f"{candidate} normalises twice", fix
    # Without a mean, another std looks like another scale; only a known factor shows a scale.
    is_factor = any(np.isclose(max(slope[0], 1 / slope[0]), max(each, 1 / each), rtol=2e-4) for each in FACTORS)
    if (
        is_factor
        and np.ptp(slope) < 1e-3 * slope[0]
        and np.allclose(offset, (slope - 1) * mean / std, rtol=1e-3, atol=1e-4 * slope[0])
    ):
        summary = f"scale {scale:.6g} in {reference}, {slope[0] * scale:.6g} in {candidate}"
        return "normalize.scale", summary, f"where {candidate} normalises, use scale = {scale:.6g}"
    if is_contradicted and _is_one_change_of_all_channels(slope, offset, mean, std):
        return None  # it reports the reference's numbers, and contrast or brightness explains the tensor too
    own_mean, own_std = mean - offset * std / slope, std / slope
    fix = f"where {candidate} normalises, use mean = {_rounded_list(mean)}, std = {_rounded_list(std)}"
    summary = f"mean {_rounded_list(mean)}, std {_rounded_list(std)} in {reference}, as if "
    summary += f"mean {_rounded_list(own_mean)}, std {_rounded_list(own_std)} in {candidate}"

    def are(means: Any, stds: Any) -> bool:
        known_pair = np.asarray(means, np.float64), np.asarray(stds, np.float64)
        return all(
            own.shape == each.shape and np.allclose(own, each, atol=2e-4)
            for own, each in zip((own_mean, own_std), known_pair, strict=True)
        )

    if are(mean[::-1], std[::-1]):
        fix += f" (the order of {reference}'s channels; the image itself is right)"
        return "normalize.mean_std_order", f"mean and std are reversed: {summary}", fix
    means, stds = (*MEANS, *(m[::-1] for m in MEANS), mean), (*STDS, *(s[::-1] for s in STDS), std)
    # Raw pixels, 0 to 255 or 0 to 1, are neither normalised nor, in the first case, scaled.
    known = [*itertools.product(means, stds), (std, mean), ([0.0] * len(mean), [scale] * len(mean))]
    known += [reported] if reported is not None else []
    return ("normalize.mean_std", summary, fix) if any(are(*each) for each in known) else None


def _is_one_change_of_all_channels(slope: Array, offset: Array, mean: Array, std: Array) -> bool:
    """Return whether one a x + b of all channels, before the reference's normalisation, explains the tensor."""
    shift = offset * std - (slope - 1) * mean
    return bool(np.ptp(slope) < 1e-3 * slope[0] and np.ptp(shift) < 1e-3)


def _reported_mean_std(trace: Trace, slope: Array) -> tuple[Array, Array] | None:
    """Return the mean and std that a side reports; None where they are not numbers by channel."""
    own = trace.parameters.get(TENSOR, {})
    try:
        mean, std = (np.asarray(own[name], np.float64).reshape(slope.shape) for name in ("mean", "std"))
    except (KeyError, TypeError, ValueError):
        return None
    return mean, std


def _explains_affine_map(
    reported: tuple[Array, Array] | None, slope: Array, offset: Array, mean: Array, std: Array
) -> bool:
    """Return whether the reported mean and std make this affine map of the reference's tensor."""
    assert reported is not None
    return bool(
        np.allclose(slope, std / reported[1], rtol=1e-3)
        and np.allclose(offset, (mean - reported[0]) / reported[1], atol=1e-3)
    )


def by_tensor_axes(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Permute the axes of the candidate's tensor, or read its buffer in another layout."""
    for words, change in _possible_layouts():
        made = _if_tensor_agrees(lab, base, change)
        if made is not None:
            reference, candidate = lab.names
            proof = f"{words}, {candidate}'s tensor is {reference}'s ({lab.describe_tensor_difference(made[1])})"
            summary = f"{candidate} lays its tensor out in another order"
            fix = f"give {candidate}'s network a contiguous (1, 3, height, width) array: "
            fix += "transpose and copy, do not reshape"
            return lab.proven_cause(TENSOR, "layout.axes", summary, [proof], fix), made[0]
    lab.tried.append("layout.axes: no order of the axes turns one tensor into the other")
    return None


LEVELS = 16
"""Least number of different values in a channel: with few grey levels a line fits any curve."""


def _as_bfloat16(tensor: Array) -> Array:
    """Round float32 values to the nearest ones that have 8 bits of mantissa."""
    bits = np.ascontiguousarray(tensor, np.float32).view(np.uint32)
    bits = bits + (0x7FFF + ((bits >> 16) & 1))
    return (bits & np.uint32(0xFFFF0000)).astype(np.uint32).view(np.float32)


def _cut_to_bfloat16(tensor: Array) -> Array:
    """Cut float32 values to 8 bits of mantissa, as a copy of their upper halves does."""
    return (np.ascontiguousarray(tensor, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


PRECISIONS: Final[Mapping[str, Callable[[Array], Array]]] = {
    "float16": lambda tensor: np.asarray(tensor.astype(np.float16)),
    "bfloat16": _as_bfloat16,
    "bfloat16, the rest cut off": _cut_to_bfloat16,
}


def by_precision(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Round the reference's tensor to half precision; one that was rounded so is the candidate's."""
    trace, right = lab.run_preprocessing(base), lab.before.tensor
    if trace is None or trace.tensor is None or right is None or trace.tensor.shape != right.shape:
        return None
    own = trace.tensor
    for name, rounded in PRECISIONS.items():
        made = rounded(right).astype(np.float32)
        is_on_grid = np.array_equal(rounded(own).astype(np.float32), own)
        # A value at the edge of a step may be rounded to the other side of it, as the normalisations round themselves.
        step = 2.0 ** (-10 if name == "float16" else -7) * np.maximum(np.abs(made), np.abs(own)) + 2.0**-24
        if not is_on_grid or np.mean(made != own) > 1e-3 or np.any(np.abs(made - own) > step):
            continue
        if np.count_nonzero(made != right) <= np.count_nonzero(made != own):
            continue  # what differs is none of the values that are rounded
        reference, candidate = lab.names
        proof = f"{reference}'s tensor, rounded to {name}, is {candidate}'s"
        differing = int(np.sum(made != own))
        proof += f", but for {differing} values one step off" if differing else ", exactly"
        summary = f"{candidate}'s tensor was rounded to {name}"
        fix = f"feed {candidate}'s network float32; or, if {name} is meant, compare under the preset fp16"
        found = lab.proven_cause(TENSOR, "normalize.precision", summary, [proof], fix)
        return found, replace(base, before=_rounded_before(name))
    return None


def _rounded_before(name: str) -> Callable[[Laboratory], Trace | None]:
    """Return what makes the reference's trace of another image with its tensor rounded."""

    def before(lab: Laboratory) -> Trace | None:
        right = lab.reference.tensor
        rounded = None if right is None else PRECISIONS[name](right).astype(np.float32)
        return None if rounded is None else replace(lab.reference, tensor=rounded)

    return before


MOST_STEPS: Final = 256
"""Of so many values a tensor in 8 bits consists."""


def by_steps(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Find steps of one size to which the reference's tensor is rounded; all values must be the nearest step's."""
    trace, right = lab.run_preprocessing(base), lab.before.tensor
    if trace is None or trace.tensor is None or right is None or trace.tensor.shape != right.shape:
        return None
    steps = _steps_between(right, trace.tensor)
    if steps is None:
        return None
    count, step = steps
    reference, candidate = lab.names
    proof = f"each value of {candidate}'s tensor is that of {reference}'s, rounded to the nearest of {count} values "
    proof += f"that lie {step:.5g} apart"
    fix = f"feed {candidate}'s network float32; or, if 8 bits are meant, compare under the preset int8"
    summary = f"{candidate}'s tensor was rounded to steps of {step:.5g}, as 8 bits are"
    found = lab.proven_cause(TENSOR, "normalize.precision", summary, [proof], fix)

    def before(other: Laboratory) -> Trace | None:
        there, own = other.reference.tensor, other.candidate.tensor
        if there is None or own is None or _steps_between(there, own) is None:
            return None
        return replace(other.reference, tensor=own)

    return found, replace(base, before=before)


def _steps_between(right: Array, own: Array) -> tuple[int, float] | None:
    """Return the number and the size of the steps to which `right` is rounded in `own`; None where it is not."""
    if right.shape != own.shape or not np.isfinite((right, own)).all():
        return None
    values = np.unique(own).astype(np.float64)
    if not LEVELS <= len(values) <= MOST_STEPS or len(np.unique(right)) <= 1.5 * len(values):
        return None
    step = float(np.median(np.diff(values)))
    whole = (values - values[0]) / step
    step = float((values[-1] - values[0]) / np.round(whole[-1]))
    whole = (values - values[0]) / step
    if np.max(np.abs(whole - np.round(whole))) > 0.02:
        return None
    # What lies outside the first and the last step is cut to them.
    inside = np.clip(right.astype(np.float64), values[0], values[-1])
    if np.max(np.abs(inside - own)) > 0.51 * step or np.max(np.abs(right.astype(np.float64) - own)) > 2 * step:
        return None
    return len(values), step


experiments = (by_tensor_channels, by_affine_fit, by_precision, by_steps, by_tensor_axes)


def _is_grey(reference: Trace) -> bool:
    pixels = reference.resize
    if pixels is None and reference.decode is not None:
        pixels = reference.decode.pixels
    if pixels is not None:
        return pixels.ndim == 3 and bool(np.array_equal(pixels[..., 0], pixels[..., -1]))
    if reference.tensor is None:
        return False
    turned = reversed_before_normalizing(reference.tensor, reference)
    return turned.shape == reference.tensor.shape and bool(np.allclose(turned, reference.tensor, atol=1e-4))


def _if_tensor_agrees(lab: Laboratory, base: PatchedCandidate, change: Any) -> tuple[PatchedCandidate, Trace] | None:
    """Return the candidate with its tensor changed, and its trace, if that agrees; else None."""
    patched = replace(base, tensor=change)
    trace = lab.run_preprocessing(patched)
    is_same = trace is not None and trace.tensor is not None and lab.is_same_stage(TENSOR, trace)
    return (patched, trace) if is_same and trace is not None else None


def reversed_before_normalizing(tensor: Array, reference: Trace) -> Array:
    """Undo the reference's normalisation, reverse the channels, and normalise again."""
    parameters = reference.parameters.get(TENSOR, {})
    mean, std = (
        np.asarray(parameters.get(name, [default] * 3), np.float64).reshape(-1, 1, 1)
        for name, default in (("mean", 0.0), ("std", 1.0))
    )
    pixels = tensor[0].astype(np.float64) * std + mean
    return np.asarray(((pixels[::-1] - mean) / std)[None], np.float32)


def _fit_per_channel(reference: Array, candidate: Array) -> tuple[Array, Array, float] | None:
    """Return slope and offset per channel and the largest residual; None where the fit is not exact."""
    channels = [array[0].reshape(array.shape[1], -1).astype(np.float64) for array in (reference, candidate)]
    if not np.isfinite(channels).all():
        return None
    slopes, offsets, worst = [], [], 0.0
    for x, y in zip(*channels, strict=True):
        spread = x - x.mean()
        if len(np.unique(x)) < LEVELS:
            return None
        slope = float(spread @ (y - y.mean()) / (spread @ spread))
        offset = float(y.mean() - slope * x.mean())
        residual = float(np.max(np.abs(slope * x + offset - y)))
        # Rounding in both normalisations leaves up to 8 ulp of float32 at the largest value. The residual must also be
        # small beside the span of the channel, or any two tensors would fit.
        rounding = 8 * float(np.spacing(np.float32(np.max(np.abs(y)) + abs(offset))))
        if slope <= 0 or residual > max(2e-6 * min(slope, 1.0), rounding) or residual > 1e-3 * slope * np.ptp(x):
            return None
        slopes.append(slope)
        offsets.append(offset)
        worst = max(worst, residual)
    return np.array(slopes), np.array(offsets), worst


def _possible_layouts() -> Iterator[tuple[str, Any]]:
    for order in itertools.permutations((1, 2, 3)):
        if order != (1, 2, 3):
            yield (
                f"with its axes permuted to {(0, *order)}",
                lambda tensor, order=order: np.ascontiguousarray(tensor.transpose(0, *order)),
            )
    yield (
        "read as (height, width, 3) and transposed",
        lambda tensor: np.ascontiguousarray(
            tensor.reshape(1, tensor.shape[2], tensor.shape[3], tensor.shape[1]).transpose(0, 3, 1, 2)
        ),
    )


def _rounded_list(values: Array) -> list[float]:
    return [round(float(value), 4) + 0.0 for value in values]  # no -0.0
