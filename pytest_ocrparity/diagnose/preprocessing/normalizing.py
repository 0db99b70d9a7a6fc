"""Experiments with the numbers and the layout of the tensor, beyond its parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.patched_candidate import Remedy
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import TENSOR
from pytest_ocrparity.trace import Trace

Array: TypeAlias = "npt.NDArray[Any]"
Made: TypeAlias = "tuple[Diagnosis, Remedy] | None"


def by_channels(lab: Laboratory, base: Remedy) -> Made:
    """Reverse the channels of the candidate's tensor, before or after its normalisation."""
    if _is_grey(lab.before):
        lab.not_tried.append("decode.channel_order: this page is grey and can't show it")
        return None
    for words, mend in (
        ("reversed", lambda tensor: np.ascontiguousarray(tensor[:, ::-1])),
        ("reversed before the normalisation", lambda tensor: reversed_before(tensor, lab.before)),
    ):
        made = _mended(lab, base, mend)
        if made is not None:
            one, two = lab.names
            order = lab.reference.decode.channel_order if lab.reference.decode is not None else "the other order"
            proof = f"with its channels {words}, {two}'s tensor is {one}'s ({lab.tensor_amount(made[1])})"
            fix = f"feed {two}'s network {order}, as {one} does"
            return lab.claim(TENSOR, "decode.channel_order", f"{two} swaps red and blue", [proof], fix), made[0]
    lab.tried.append("decode.channel_order: with its channels reversed the tensor still differs")
    return None


def by_affine_fit(lab: Laboratory, base: Remedy) -> Made:
    """Fit y = a x + b per channel; an exact fit is another mean, std or scale, and undoing it returns the tensor."""
    trace, ours = lab.preprocessed(base), lab.before.tensor
    if trace is None or trace.tensor is None or ours is None or trace.tensor.shape != ours.shape:
        return None
    fit = _fit(ours, trace.tensor)
    if fit is None:
        lab.tried.append("normalize: no mean, std and scale turn one tensor into the other")
        return None
    slope, offset, residual = fit
    if np.allclose(slope, 1, atol=1e-4) and np.allclose(offset, 0, atol=1e-4):
        return None  # as good as equal: what differs is something else
    one, two = lab.names
    named = _named(lab, slope, offset)
    if named is None:
        lab.noticed.append(_affine(lab, slope, offset))
        return None
    cause, summary, fix = named
    proof = (
        f"worked out from the two tensors: {one}'s, normalised by {two}'s numbers, is {two}'s, channel by channel "
        f"(largest difference {residual:.1e})"
    )
    undone = (slope.reshape(1, -1, 1, 1), offset.reshape(1, -1, 1, 1))
    put_right = replace(base, tensor=lambda tensor: ((tensor - undone[1]) / undone[0]).astype(np.float32))
    return lab.claim(TENSOR, cause, summary, [proof], fix), put_right


MEANS: Final = ([0.5] * 3, [0.0] * 3, [0.485, 0.456, 0.406], [0.449] * 3, [0.48145466, 0.4578275, 0.40821073])
STDS: Final = ([0.5] * 3, [1.0] * 3, [0.229, 0.224, 0.225], [0.226] * 3, [0.26862954, 0.26130258, 0.27577711])
"""Means and deviations that libraries use, ImageNet's and CLIP's among them: any others that fit may as well be a
contrast and a brightness."""
FACTORS: Final = (255.0, 256.0, 255 / 256)
"""By which a scale is known to go wrong, or their inverses."""


def _affine(lab: Laboratory, slope: Array, offset: Array) -> str:
    """Say what one tensor is of the other, where that may have several reasons."""
    one, two = lab.names
    told = f"{two}'s tensor is {_rounded(slope)} x {one}'s + {_rounded(offset)} by channel, exactly"
    return f"{told}: a change of contrast or brightness does that, or another mean or std; mean and std may be right"


def _named(lab: Laboratory, slope: Array, offset: Array) -> tuple[str, str, str] | None:
    """Return what an affine map of the tensors is in the terms of a normalisation: cause, summary, fix.

    None where its numbers are none that a normalisation is known to have.
    """
    one, two = lab.names
    parameters = lab.reference.parameters.get(TENSOR, {})
    try:
        mean, std = (np.asarray(parameters[name], np.float64).reshape(slope.shape) for name in ("mean", "std"))
        scale = float(parameters.get("scale", 1.0))
    except (KeyError, TypeError, ValueError):
        return None
    said = _said(lab.candidate, slope)
    is_contradicted = said is not None and not _fits(said, slope, offset, mean, std)
    if is_contradicted and not _fits(said, np.ones_like(slope), np.zeros_like(offset), mean, std):
        return None  # it says other numbers than the reference's, and those are not what happened
    is_twice = np.allclose(slope, 1 / std, rtol=1e-4) and np.allclose(offset, -mean / std, rtol=1e-3, atol=1e-4)
    if is_twice and (said is None or is_contradicted):
        return "normalize.twice", f"{two} normalises twice", f"take one of the two normalisations out of {two}"
    # Without a mean, another std looks the same as another scale: then only a factor of 255 tells.
    is_factor = any(np.isclose(max(slope[0], 1 / slope[0]), max(each, 1 / each), rtol=2e-4) for each in FACTORS)
    if (
        is_factor
        and np.ptp(slope) < 1e-3 * slope[0]
        and np.allclose(offset, (slope - 1) * mean / std, rtol=1e-3, atol=1e-4 * slope[0])
    ):
        told = f"scale {scale:.6g} in {one}, {slope[0] * scale:.6g} in {two}"
        return "normalize.scale", told, f"where {two} normalises, use scale = {scale:.6g}"
    if is_contradicted and _is_one_change_of_all_channels(slope, offset, mean, std):
        return None  # it says the reference's numbers, and a contrast or a brightness explains the tensor as well
    own_mean, own_std = mean - offset * std / slope, std / slope
    right = f"where {two} normalises, use mean = {_rounded(mean)}, std = {_rounded(std)}"
    told = f"mean {_rounded(mean)}, std {_rounded(std)} in {one}, as if "
    told += f"mean {_rounded(own_mean)}, std {_rounded(own_std)} in {two}"

    def are(means: Any, stds: Any) -> bool:
        one_of = np.asarray(means, np.float64), np.asarray(stds, np.float64)
        return all(
            own.shape == each.shape and np.allclose(own, each, atol=2e-4)
            for own, each in zip((own_mean, own_std), one_of, strict=True)
        )

    if are(mean[::-1], std[::-1]):
        right += f" (the order of {one}'s channels; the image itself is right)"
        return "normalize.mean_std_order", f"mean and std are reversed: {told}", right
    means, stds = (*MEANS, *(m[::-1] for m in MEANS), mean), (*STDS, *(s[::-1] for s in STDS), std)
    known = [*itertools.product(means, stds), (std, mean)]
    known += [said] if said is not None else []
    return ("normalize.mean_std", told, right) if any(are(*each) for each in known) else None


def _is_one_change_of_all_channels(slope: Array, offset: Array, mean: Array, std: Array) -> bool:
    """Tell whether pixels were changed in one way, a x + b for all channels, before the reference's normalisation."""
    shift = offset * std - (slope - 1) * mean
    return bool(np.ptp(slope) < 1e-3 * slope[0] and np.ptp(shift) < 1e-3)


def _said(trace: Trace, slope: Array) -> tuple[Array, Array] | None:
    """Return the mean and std that a side says it runs with, None where it says none that are numbers by channel."""
    own = trace.parameters.get(TENSOR, {})
    try:
        mean, std = (np.asarray(own[name], np.float64).reshape(slope.shape) for name in ("mean", "std"))
    except (KeyError, TypeError, ValueError):
        return None
    return mean, std


def _fits(said: tuple[Array, Array] | None, slope: Array, offset: Array, mean: Array, std: Array) -> bool:
    """Tell whether an affine map of the reference's tensor is what the said mean and std make of its pixels."""
    assert said is not None
    return bool(
        np.allclose(slope, std / said[1], rtol=1e-3) and np.allclose(offset, (mean - said[0]) / said[1], atol=1e-3)
    )


def by_axes(lab: Laboratory, base: Remedy) -> Made:
    """Permute the axes of the candidate's tensor, or read its buffer in another layout."""
    for words, mend in _layouts():
        made = _mended(lab, base, mend)
        if made is not None:
            one, two = lab.names
            proof = f"{words}, {two}'s tensor is {one}'s ({lab.tensor_amount(made[1])})"
            fix = f"give {two}'s network a contiguous (1, 3, height, width) array: transpose and copy, do not reshape"
            return lab.claim(TENSOR, "layout.axes", f"{two} lays its tensor out in another order", [proof], fix), made[
                0
            ]
    lab.tried.append("layout.axes: no order of the axes turns one tensor into the other")
    return None


LEVELS = 16
"""Different values that a channel must have: on a page of a few grey levels any curve is a line."""

experiments = (by_channels, by_affine_fit, by_axes)


def _is_grey(reference: Trace) -> bool:
    pixels = reference.resize
    if pixels is None and reference.decode is not None:
        pixels = reference.decode.pixels
    if pixels is not None:
        return pixels.ndim == 3 and bool(np.array_equal(pixels[..., 0], pixels[..., -1]))
    if reference.tensor is None:
        return False
    turned = reversed_before(reference.tensor, reference)
    return turned.shape == reference.tensor.shape and bool(np.allclose(turned, reference.tensor, atol=1e-4))


def _mended(lab: Laboratory, base: Remedy, mend: Any) -> tuple[Remedy, Trace] | None:
    put_right = replace(base, tensor=mend)
    trace = lab.preprocessed(put_right)
    is_same = trace is not None and trace.tensor is not None and lab.is_same_stage(TENSOR, trace)
    return (put_right, trace) if is_same and trace is not None else None


def reversed_before(tensor: Array, reference: Trace) -> Array:
    """Undo the reference's normalisation, reverse the channels, and normalise again."""
    parameters = reference.parameters.get(TENSOR, {})
    mean, std = (
        np.asarray(parameters.get(name, [default] * 3), np.float64).reshape(-1, 1, 1)
        for name, default in (("mean", 0.0), ("std", 1.0))
    )
    pixels = tensor[0].astype(np.float64) * std + mean
    return np.asarray(((pixels[::-1] - mean) / std)[None], np.float32)


def _fit(ours: Array, theirs: Array) -> tuple[Array, Array, float] | None:
    """Return slope and offset per channel and the largest residual, or None where the map is not exact."""
    channels = [array[0].reshape(array.shape[1], -1).astype(np.float64) for array in (ours, theirs)]
    slopes, offsets, worst = [], [], 0.0
    for x, y in zip(*channels, strict=True):
        spread = x - x.mean()
        if len(np.unique(x)) < LEVELS:
            return None
        slope = float(spread @ (y - y.mean()) / (spread @ spread))
        offset = float(y.mean() - slope * x.mean())
        residual = float(np.max(np.abs(slope * x + offset - y)))
        # 8 ulp of float32 at the largest value: what rounding both normalisations leaves. It must be small beside
        # what the channel spans, or any two tensors would fit.
        rounding = 8 * float(np.spacing(np.float32(np.max(np.abs(y)) + abs(offset))))
        if slope <= 0 or residual > max(2e-6 * min(slope, 1.0), rounding) or residual > 1e-3 * slope * np.ptp(x):
            return None
        slopes.append(slope)
        offsets.append(offset)
        worst = max(worst, residual)
    return np.array(slopes), np.array(offsets), worst


def _layouts() -> Iterator[tuple[str, Any]]:
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


def _rounded(values: Array) -> list[float]:
    return [round(float(value), 4) + 0.0 for value in values]  # no -0.0
