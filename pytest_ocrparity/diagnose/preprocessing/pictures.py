"""Experiments with the picture that is fed: the reference's own resize of a changed page, compared pixel by pixel.

A picture is made as the candidate may have made it: by another interpolation, with a border before or after the resize,
of a part of the page, of a page that was scaled before, grey, or after a JPEG round trip. The reference's operators
make everything after it. Nothing is concluded from sizes: all pixels must be equal.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.contract import ChangesPictures, ResizesTo, offered, pipeline_of
from pytest_ocrparity.diagnose.laboratory import Laboratory, bgr
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate
from pytest_ocrparity.diagnose.preprocessing.normalizing import reversed_before
from pytest_ocrparity.diagnose.preprocessing.placements import Frame, Way, best_offset, placements
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import DECODE, RESIZE, TENSOR
from pytest_ocrparity.trace import Trace

Array: TypeAlias = "npt.NDArray[Any]"
Size: TypeAlias = "tuple[int, int]"
Made: TypeAlias = "tuple[Diagnosis | tuple[Diagnosis, ...], PatchedCandidate] | None"
Before: TypeAlias = "Callable[[Laboratory], Trace | None]"


def by_pictures(lab: Laboratory, base: PatchedCandidate) -> Made:
    """Find the only way to make the picture that is exactly the candidate's."""
    trace, page = lab.run_preprocessing(base), page_of(lab)
    if trace is None or trace.tensor is None or trace.tensor.ndim != 4 or page is None:
        return None
    if lab.before is not lab.reference or offered(lab.reference.source, ResizesTo) is None:
        return None
    own, right = picture_of(lab, trace), picture_of(lab, lab.reference)
    if own is None or right is None or are_same(own, right):
        return None  # the picture is right, and what follows is not
    for way in _ways(lab, trace, page, own):
        if not are_same(own, way.picture):
            continue
        before = trace_of(lab, trace, way.picture)
        shown = None if before is None else shows_the_same(lab, trace, before)
        if shown is None:
            continue
        lab.to_page = way.to_page
        stage = RESIZE if trace.resize is not None or trace.tensor.shape != lab.tensor.shape else TENSOR
        proof = f"{lab.names.reference}'s page, {way.words}, is {lab.names.candidate}'s picture: the {shown}"
        found = lab.proven_cause(stage, way.cause, f"{lab.names.candidate} {way.summary}", [proof], way.fix)
        return found, replace(base, before=_again(way.cause, way.kind))
    lab.tried.append(
        "resize: no other interpolation, border, crop, earlier scaling, grey or JPEG round trip makes these pixels"
    )
    return None


def are_same(own: Array, made: Array) -> bool:
    """Return whether two pictures are equal, in whatever order each holds its channels."""
    return np.array_equal(own, made) or np.array_equal(own, made[..., ::-1])


def _again(cause: str, kind: str) -> Before:
    """Return what finds the same sort of picture on another image."""

    def before(lab: Laboratory) -> Trace | None:
        trace, page = lab.candidate, page_of(lab)
        own = None if trace.tensor is None or page is None else picture_of(lab, trace)
        if own is None or page is None:
            return None
        for way in _ways(lab, trace, page, own):
            if are_same(own, way.picture) and (way.cause, way.kind) == (cause, kind):
                return trace_of(lab, trace, way.picture)
        return None

    return before


def _ways(lab: Laboratory, trace: Trace, page: Array, own: Array) -> Iterator[Way]:
    size = (int(own.shape[0]), int(own.shape[1]))
    for name, picture in _offered(lab, lambda side: side.resampled(page, size)):
        yield Way("resize.interpolation", name, picture, f"resized by {name}", *_interpolation_words(lab, name))
    for name, changed in _offered(lab, lambda side: side.recoded(page)):
        picture_at_size = resized(lab, changed, size)
        if picture_at_size is not None:
            fix = f"feed {lab.names.candidate} the page as it was decoded; before the resize it is {name}"
            yield Way("decode.pixels", name, picture_at_size, f"{name} before the resize", f"feeds a page {name}", fix)
    yield from placements(lab, trace, page, own, lambda pixels, to: resized(lab, pixels, to))


def _interpolation_words(lab: Laboratory, name: str) -> tuple[str, str]:
    text = f"resizes by {name}, {lab.names.reference} by cv2.INTER_LINEAR"
    return text, f"resize in {lab.names.candidate} as PaddleOCR does: cv2.resize(image, (width, height))"


def interpolation_cause(lab: Laboratory, name: str) -> Diagnosis:
    """Return the diagnosis of an interpolation whose pixels are the candidate's."""
    summary, fix = _interpolation_words(lab, name)
    proof = f"{lab.names.reference}'s page resized by {name} is {lab.names.candidate}'s picture, pixel by pixel"
    return lab.proven_cause(RESIZE, "resize.interpolation", f"{lab.names.candidate} {summary}", [proof], fix)


def interpolations() -> Iterator[tuple[str, Before]]:
    """Yield the name of each interpolation with what makes the reference's trace by it, at the candidate's size."""
    for name in _NAMES:
        yield name, _by_interpolation(name)


_NAMES = (
    *("cv2.INTER_AREA", "cv2.INTER_CUBIC", "cv2.INTER_NEAREST", "cv2.INTER_LANCZOS4", "cv2.INTER_LINEAR_EXACT"),
    *("Pillow's NEAREST", "Pillow's BILINEAR", "Pillow's BICUBIC", "Pillow's LANCZOS", "Pillow's BOX"),
)


def _by_interpolation(name: str) -> Before:
    def before(lab: Laboratory) -> Trace | None:
        page, tensor = page_of(lab), lab.candidate.tensor
        if page is None or tensor is None or tensor.ndim != 4:
            return None
        size = (int(tensor.shape[2]), int(tensor.shape[3]))
        key = f"interpolations at {size}"
        if key not in lab.memo:
            lab.memo[key] = dict(_offered(lab, lambda side: side.resampled(page, size)))
        picture = lab.memo[key].get(name)
        return None if picture is None else trace_of(lab, lab.candidate, picture)

    return before


def _offered(
    lab: Laboratory, give: Callable[[ChangesPictures], Iterator[tuple[str, Array]]]
) -> Iterator[tuple[str, Array]]:
    side = offered(lab.reference.source, ChangesPictures)
    made = None if side is None else lab.attempt(lambda: list(give(side)))
    return iter(made or ())


def page_of(lab: Laboratory) -> Array | None:
    """Return the page as the reference decoded it, in BGR, or None where its pixels are not kept."""
    decode = lab.reference.decode
    is_kept = decode is not None and decode.pixels is not None and decode.channel_order in ("BGR", "RGB")
    return bgr(lab.reference) if is_kept else None


def resized(lab: Laboratory, pixels: Array, size: Size) -> Array | None:
    """Return pixels resized by the reference's own operator to (h, w)."""
    lab.budget.check()
    source = offered(lab.reference.source, ResizesTo)
    if source is None or min(size) < 1 or pixels.shape[0] < 1 or pixels.shape[1] < 1:
        return None
    made = lab.attempt(lambda: source.preprocess_at(np.ascontiguousarray(pixels), size))
    return None if made is None or made.error is not None or made.resize is None else made.resize


def trace_of(lab: Laboratory, trace: Trace, picture: Array) -> Trace | None:
    """Return what the reference makes of a picture that needs no resize, in the place of its own trace."""
    source = offered(lab.reference.source, ResizesTo)
    if source is None:
        return None
    size = (int(picture.shape[0]), int(picture.shape[1]))
    made = lab.attempt(lambda: source.preprocess_at(np.ascontiguousarray(picture), size))
    if made is None or made.error is not None:
        return None
    return in_place_of_reference(lab, replace(made, decode=lab.reference.decode, shape=trace.shape))


def in_place_of_reference(lab: Laboratory, made: Trace) -> Trace:
    """Return a trace of the reference's operators as one of the image that is examined."""
    return replace(made, image=lab.reference.image, image_sha256=lab.reference.image_sha256)


def shows_the_same(lab: Laboratory, trace: Trace, before: Trace) -> str | None:
    """Return in words what of a candidate's trace is what the reference made; then it becomes `lab.before`."""
    assert trace.tensor is not None
    earlier, lab.before = lab.before, before
    if trace.resize is not None and lab.is_same_stage(RESIZE, trace):
        return "resized pixels are equal"
    if lab.is_same_stage(TENSOR, trace):
        return "tensors agree"
    turned = (np.ascontiguousarray(trace.tensor[:, ::-1]), reversed_before(trace.tensor, before))
    if any(lab.is_same_stage(TENSOR, replace(trace, tensor=tensor)) for tensor in turned):
        return "tensors agree but for the order of their channels"
    lab.before = earlier
    return None


def picture_of(lab: Laboratory, trace: Trace) -> Array | None:
    """Return the picture that a candidate feeds: recorded, or its tensor with the reference's normalisation undone.

    None where that does not make whole pixel values, as then something else is wrong with the tensor too.
    """
    if trace.resize is not None:
        return trace.resize if trace.resize.ndim == 3 and trace.resize.shape[2] == 3 else None
    own = lab.reference.parameters.get(TENSOR, {})
    if trace.tensor is None or trace.tensor.ndim != 4 or trace.tensor.shape[1] != 3:
        return None
    try:
        mean, std = (np.asarray(own[name], np.float64).reshape(3) for name in ("mean", "std"))
        scale = float(own.get("scale", 1 / 255))
    except (KeyError, TypeError, ValueError):
        return None
    values = (trace.tensor[0].transpose(1, 2, 0).astype(np.float64) * std + mean) / scale
    whole = np.round(values)
    if np.max(np.abs(values - whole), initial=0.0) > 0.02 or whole.min() < 0 or whole.max() > 255:
        return None
    return whole.astype(np.uint8)


def by_decoded_picture(lab: Laboratory, base: PatchedCandidate) -> Made:
    """Find the change of the page that makes exactly what the candidate decoded; what follows is compared with that."""
    found = _decoded_change(lab, lab.run_preprocessing(base))
    if found is None:
        return None
    cause, kind, changed, text = found
    before = _preprocessed(lab, changed)
    if before is None:
        return None
    lab.before, lab.to_page = before, _frame_of_decoded(lab, cause, text, changed)
    reference, candidate = lab.names
    proof = f"the page as {reference} decodes it, {text}, is what {candidate} decoded, pixel by pixel"
    fix = f"let {candidate} see the page as it is: before its preprocessing it is {text}"

    def again(other: Laboratory) -> Trace | None:
        made = _decoded_change(other, other.candidate)
        return None if made is None or made[:2] != (cause, kind) else _preprocessed(other, made[2])

    summary = f"what {candidate} decodes is the page {text}"
    return lab.proven_cause(DECODE, cause, summary, [proof], fix), replace(base, before=again)


def _frame_of_decoded(lab: Laboratory, cause: str, text: str, changed: Array) -> Frame | None:
    """Return how the picture's px become the page's, see `Way.to_page`."""
    page, tensor = page_of(lab), lab.candidate.tensor
    if page is None or tensor is None or tensor.ndim != 4 or not cause.endswith(("scaled", "cropped")):
        return None
    height, width = tensor.shape[2:]
    if cause == "decode.scaled":
        return page.shape[1] / width, page.shape[0] / height, 0.0, 0.0
    left, top = (float(each) for each in _ORIGIN.findall(text)[-1])
    return changed.shape[1] / width, changed.shape[0] / height, left, top


_ORIGIN = re.compile(r"from x (\d+), y (\d+)")


def _preprocessed(lab: Laboratory, changed: Array) -> Trace | None:
    source = pipeline_of(lab.reference)
    made = None if source is None else lab.attempt(lambda: source.preprocess(np.ascontiguousarray(changed)))
    return None if made is None or made.error is not None else in_place_of_reference(lab, made)


def _decoded_change(lab: Laboratory, trace: Trace | None) -> tuple[str, str, Array, str] | None:
    """Return the cause, its kind, the changed page and how it was changed; None where nothing known makes it."""
    page = page_of(lab)
    if trace is None or page is None or trace.decode is None or trace.decode.pixels is None:
        return None
    own, size = bgr(trace), (int(trace.decode.shape[0]), int(trace.decode.shape[1]))
    if own.dtype != np.uint8 or own.ndim != 3 or own.shape[2] != 3:
        return None
    if size == page.shape[:2]:
        if np.array_equal(own, page[..., ::-1]) and not np.array_equal(own, page):
            return "decode.channel_order", "reversed", own, "with red and blue exchanged"
        for name, changed in _offered(lab, lambda side: side.recoded(page)):
            if np.array_equal(changed, own) and not np.array_equal(changed, page):
                return "decode.pixels", name, changed, name
        return None
    plain = resized(lab, page, size)
    ways = [("cv2.INTER_LINEAR", plain)] if plain is not None else []
    for name, scaled in (*ways, *_offered(lab, lambda side: side.resampled(page, size))):
        if np.array_equal(scaled, own):
            return "decode.scaled", name, scaled, f"scaled to {size[1]}x{size[0]} by {name}"
    if size[0] <= page.shape[0] and size[1] <= page.shape[1]:
        top, left = best_offset(page, own)
        for down, right in itertools.product((0, -1, 1), repeat=2):
            row, column = max(top + down, 0), max(left + right, 0)
            part = page[row : row + size[0], column : column + size[1]]
            if np.array_equal(part, own):
                return "decode.cropped", "crop", part, f"cut to {size[1]}x{size[0]} from x {column}, y {row} on"
    return None
