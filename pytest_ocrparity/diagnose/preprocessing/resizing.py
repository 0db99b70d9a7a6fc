"""Experiments with the resize, after those with parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate, Proved
from pytest_ocrparity.diagnose.preprocessing.padded_tensor import by_padded_tensor
from pytest_ocrparity.diagnose.preprocessing.pictures import (
    adopt_same_picture,
    by_pictures,
    page_for_pictures,
    picture_in_place_of_reference,
    picture_is_more_than_stripes,
    picture_shows_interpolation,
)
from pytest_ocrparity.diagnose.preprocessing.size_rules import (
    DEFAULTS,
    KINDS,
    PADDLEOCR,
    PROBES,
    ROUNDINGS,
    SizeRule,
    fitting_size_rules,
    sides_of_rules,
    simplest_size_rules,
    size_by_rule,
    size_rules_text,
)
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import RESIZE
from pytest_ocrparity.trace import Trace

SeveralProved: TypeAlias = "tuple[tuple[Diagnosis, ...], PatchedCandidate] | None"
"""As `Proved`, of a size and an interpolation that differ together."""


def by_size_rounding(lab: Laboratory, base: PatchedCandidate) -> SeveralProved:
    """Find the only rounding that predicts the candidate's sizes.

    The reference's own resize at this size must also make the candidate's pixels: a page that is padded to a multiple
    of 32 has the size of one that is rounded up.
    """
    trace = lab.run_preprocessing(base)
    limits = lab.reference.parameters.get(RESIZE, {})
    if trace is None or trace.tensor is None or trace.shape is None or limits.get("rule") != "limit":
        return None
    own, size, before = _source_size(trace), _tensor_size(trace), lab.before
    likely = [name for name, rounding in ROUNDINGS.items() if size_by_rule(own, limits, rounding) == size]
    if not likely or likely[0] == PADDLEOCR or (shown := _shown_at_its_size(lab, trace)) is None:
        return None
    sizes = _sizes_of_probes(lab, base)
    fitting = [name for name in likely if all(size_by_rule(p, limits, ROUNDINGS[name]) == s for p, s in sizes.items())]
    says_rule = "rule" in trace.parameters.get(RESIZE, {})  # one that says none may have other limits
    rules = [] if says_rule else fitting_size_rules({own: size, **sizes}, _limits_of(limits))
    if len(fitting) != 1 or any(rule.rounding == PADDLEOCR for rule in rules):
        lab.before = before
        return None
    rounding = ROUNDINGS[fitting[0]]
    patched = replace(
        base,
        before=shown.make,
        applies=lambda _, candidate: _tensor_size(candidate) == size_by_rule(_source_size(candidate), limits, rounding),
    )
    name = lab.names.candidate
    summary = f"{name} rounds the resized sides otherwise: {fitting[0]}, where PaddleOCR does {PADDLEOCR}"
    proof = f"of {len(ROUNDINGS)} roundings '{fitting[0]}' alone predicts {name}'s sizes, "
    proof += f"here and for {len(PROBES)} others"
    fix = f"round as PaddleOCR does: {PADDLEOCR_CODE}"
    found = lab.proven_cause(RESIZE, "resize.rounding", summary, [proof, shown.text], fix)
    return (found, *shown.also), patched


PADDLEOCR_CODE: Final = "max(int(round(int(side * ratio) / 32) * 32), 32)"


def by_known_size(lab: Laboratory, base: PatchedCandidate) -> SeveralProved:
    """Find the limits, or the one fixed size, that predict the candidate's sizes.

    The reference's own resize at this size must make the candidate's pixels, or a known interpolation must. If so and
    no single rule is found, the cause is unknown, all rules that fit are named, and the later stages are compared at
    this size.
    """
    trace, limits = lab.run_preprocessing(base), lab.reference.parameters.get(RESIZE, {})
    size = None if trace is None else _tensor_size(trace)
    if trace is not None and trace.shape is None:  # it records no row: its page is the one that the reference decoded
        trace = replace(trace, shape=lab.reference.shape)
    if trace is None or size is None or trace.shape is None or "rule" in trace.parameters.get(RESIZE, {}):
        return None
    if size == _tensor_size(lab.reference) or (shown := _shown_at_its_size(lab, trace)) is None:
        return None
    patched = replace(base, before=shown.make)
    made = _rule_of_sizes(lab, base, trace, shown.text, limits)
    if made is None:
        return (_unknown_rule(lab, trace, size, shown.text, limits), *shown.also), patched
    diagnosis, applies = made
    return (diagnosis, *shown.also), replace(patched, applies=applies)


def _rule_of_sizes(
    lab: Laboratory, base: PatchedCandidate, trace: Trace, shown: str, limits: Mapping[str, Any]
) -> tuple[Diagnosis, Callable[[Trace, Trace], bool]] | None:
    """Return the diagnosis of the only rule that predicts all sizes, and what shows it on another image."""
    if not lab.can_run:
        return None
    own, size = _source_size(trace), _tensor_size(trace)
    sizes = {own: size} | _sizes_of_probes(lab, base)
    asked = {page: each for page, each in sizes.items() if each is not None}
    if size is None or len(asked) < len(sizes):
        return None  # it takes files only, or refuses some sizes
    reference, candidate = lab.names
    fix, sizes_text = _fix_of_limits(lab, limits), _sizes_text(lab, size)
    if set(sizes.values()) == {size}:
        proof = f"{candidate} resizes all of {len(sizes)} images of different sizes to {size[1]}x{size[0]}"
        summary = f"{sizes_text}: to one size, whatever the image"
        found = lab.proven_cause(RESIZE, "resize.image_shape", summary, [proof, shown], fix)
        return found, lambda _, other: _tensor_size(other) == size
    limit, kind = right = _limits_of(limits)
    fitting = fitting_size_rules(sizes, right)
    rules = simplest_size_rules(fitting)
    # Other limits, or the reference's under another rounding: either is one difference.
    is_either = right in {each[:2] for each in fitting} - {each[:2] for each in rules}
    if not rules or len({(rule.kind, rule.rounding) for rule in rules}) > 1 or is_either:
        lab.tried += [f"resize.limits: {size_rules_text(fitting)} gives {candidate}'s sizes"] * bool(rules)
        return None
    rule = min(rules, key=lambda each: (each[:2] != right, each[:2] not in DEFAULTS))
    proof = f"of {len(sides_of_rules(limit)) * len(KINDS)} pairs of limits and {len(ROUNDINGS)} roundings only "
    proof += f"{size_rules_text(fitting)} gives {candidate}'s sizes, here and for {len(PROBES)} other images"
    summary = f"{sizes_text}: {candidate}'s is the size of {rule}, and {reference} has {limit}/{kind}"
    cause = "resize.rounding" if rule[:2] == right else "resize.limits"
    if rule.rounding != PADDLEOCR:
        fix += f"; and round as PaddleOCR does: {PADDLEOCR_CODE}"
    found = lab.proven_cause(RESIZE, cause, summary, [proof, shown], fix)
    return found, lambda _, other: _tensor_size(other) == rule.size(_source_size(other))


def _limits_of(limits: Mapping[str, Any]) -> tuple[Any, Any]:
    return limits.get("limit_side_len"), limits.get("limit_type")


def _fix_of_limits(lab: Laboratory, limits: Mapping[str, Any]) -> str:
    reference, candidate = lab.names
    values = ", ".join(f"{name} = {v}" for name, v in limits.items() if name not in ("rule", "max_side_limit"))
    return f"resize in {candidate} as {reference} does: {values}"


def _sizes_text(lab: Laboratory, size: tuple[int, int]) -> str:
    right = lab.reference.tensor.shape if lab.reference.tensor is not None else size
    reference, candidate = lab.names
    return f"{candidate} resizes to {size[1]}x{size[0]}, {reference} to {right[-1]}x{right[-2]}"


def _unknown_rule(
    lab: Laboratory, trace: Trace, size: tuple[int, int], shown: str, limits: Mapping[str, Any]
) -> Diagnosis:
    """Return as unknown the class of rules that give this size."""
    lab.noticed.append(f"{_sizes_text(lab, size)}; {shown}: nothing but the size differs at this stage")
    candidate = lab.names.candidate
    fitting = fitting_size_rules({_source_size(trace): size}, _limits_of(limits))
    rules = simplest_size_rules(fitting)
    if lab.can_run:
        return lab.unknown_cause(RESIZE, f"{_sizes_text(lab, size)}, and which rule {candidate} follows is not known")
    # Its own limits under another rounding are as simple as other limits under PaddleOCR's; both at once are not.
    rules = [each for each in rules if each.rounding == PADDLEOCR]
    rules += [each for each in fitting if each not in rules and (each.side, each.kind) == _limits_of(limits)]
    causes = ("resize.limits",) * any((each.side, each.kind) != _limits_of(limits) for each in rules)
    causes += ("resize.rounding",) * any(each.rounding != PADDLEOCR for each in rules)
    causes += ("resize.image_shape",)
    is_unscaled = size == SizeRule(1, "min").size(_source_size(trace))
    text = f"{size_rules_text(rules) or 'one fixed size'} gives this size{', no scaling' if is_unscaled else ''}"
    text += "; so does one fixed size" if rules else ""
    if _source_size(trace) != _source_size(lab.reference):  # it takes the page for another one, or its row is wrong
        causes += ("decode.scaled",)
        text += f"; so does a page that was scaled to {int(trace.shape[1])}x{int(trace.shape[0])} before"  # type: ignore[index]
    lab.tried.append(f"resize.limits: {text} (limit_side_len/limit_type)")
    summary = f"{_sizes_text(lab, size)}: {text}. One image does not tell which"
    return replace(lab.unknown_cause(RESIZE, summary), rivals=causes)


class Shown(NamedTuple):
    """What shows that nothing but the size differs, and maybe the interpolation: the proof, what makes it elsewhere."""

    text: str
    also: tuple[Diagnosis, ...]
    make: Callable[[Laboratory], Trace | None]


def at_its_size(lab: Laboratory) -> Trace | None:
    """Return what the reference's own resize makes of the image at the candidate's size."""
    size = _tensor_size(lab.candidate)
    at_size = None if size is None else lab.reference_at_size(size)
    return None if at_size is None else picture_in_place_of_reference(lab, at_size)


def _shown_at_its_size(lab: Laboratory, trace: Trace) -> Shown | None:
    """Return the proof that the reference's own resize at the candidate's size makes the candidate's pixels, or None.

    If so, `lab.before` becomes the reference at that size. A candidate that records no resized pixels must have the
    reference's tensor at that size, with its channels in either order. Other interpolations are tried as well.
    """
    size, (reference, candidate) = _tensor_size(trace), lab.names
    at_size = None if size is None else lab.reference_at_size(size)
    if at_size is None or at_size.tensor is None or trace.tensor is None or size is None:
        lab.not_tried.append(f"resize: {reference}'s own resize at {candidate}'s size, which it can't be asked for")
        return None
    if (page := page_for_pictures(lab)) is not None and not picture_is_more_than_stripes(page):
        why = "all rows or all columns of this page are alike, so that padding, cutting and scaling look the same"
        lab.not_tried.append(f"resize: which rule gives {candidate}'s size: {why}; another page shows it")
        return None
    shown = adopt_same_picture(lab, trace, picture_in_place_of_reference(lab, at_size))
    here = f"at {size[1]}x{size[0]}"
    if shown is not None:
        return Shown(f"{here}, made by {reference}'s own resize, the {shown}", (), at_its_size)
    if (other := picture_shows_interpolation(lab, trace)) is not None:
        return Shown(f"{here}, {other.text}", (other.cause,), other.make)
    lab.tried.append(f"resize: {reference}'s own resize {here} makes other pixels than {candidate}")
    return None


def by_shape_row(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Replace the candidate's shape row by the reference's, where the resized image is right."""
    trace = lab.run_preprocessing(base)
    patched = replace(base, has_row=True)
    if trace is None or not lab.is_same_stage(RESIZE, lab.run_preprocessing(patched)):
        return None
    reference, candidate = lab.names
    summary = f"the shape row of {candidate} does not hold the size of the image as {reference} decoded it"
    is_recorded = lab.before.resize is not None and trace.resize is not None
    equal = "resized images are equal" if is_recorded else "tensors have one size (a side records no resized image)"
    proof = f"the {equal}, and with {reference}'s shape row so is all that this stage hands on"
    sizes = _source_size(lab.reference), _source_size(trace)
    rows = f"the rows hold (height, width) {sizes[0]} in {reference} and {sizes[1]} in {candidate}"
    fix = f"let {candidate}'s shape row hold the height and width of the image as it was decoded, before any resize"
    return lab.proven_cause(RESIZE, "rescale.shape_row", summary, [proof, rows], fix), patched


experiments = (by_shape_row, by_size_rounding, by_known_size, by_pictures, by_padded_tensor)


def _sizes_of_probes(lab: Laboratory, base: PatchedCandidate) -> dict[tuple[int, int], tuple[int, int] | None]:
    """Return the sizes to which a candidate resizes blank pages, asked once."""
    key = f"sizes of {id(base.pipeline)}"
    if key not in lab.memo:
        made = {probe: _tensor_size(_preprocess_blank(base, probe)) for probe in PROBES}
        lab.memo[key] = made, base.pipeline  # kept, so that no other one takes its identity
    sizes: dict[tuple[int, int], tuple[int, int] | None] = lab.memo[key][0]
    return sizes


def _preprocess_blank(base: PatchedCandidate, size: tuple[int, int]) -> Trace | None:
    try:
        return base.pipeline.preprocess(np.zeros((*size, 3), np.uint8))
    except Exception:  # a user's pipeline may take files only
        return None


def _tensor_size(trace: Trace | None) -> tuple[int, int] | None:
    """Return the (h, w) of a trace's tensor; None where it has none, or one without an axis for the batch."""
    if trace is None or trace.tensor is None or trace.tensor.ndim != 4:
        return None
    return trace.tensor.shape[2], trace.tensor.shape[3]


def _source_size(trace: Trace) -> tuple[int, int]:
    return (0, 0) if trace.shape is None else (int(trace.shape[0]), int(trace.shape[1]))
