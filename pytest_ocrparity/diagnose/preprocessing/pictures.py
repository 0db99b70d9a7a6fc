"""Experiments with the picture that is fed: the reference's own resize of a changed page, compared pixel by pixel.

A picture is made as the candidate may have made it: by another interpolation, with a border before or after the resize,
of a part of the page, of a page that was scaled before, grey, or after a JPEG round trip. The reference's operators
make everything after it. Nothing is concluded from sizes: all pixels must be equal.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from pytest_ocrparity.contract import ResizesTo, offered, pipeline_of
from pytest_ocrparity.diagnose.laboratory import Laboratory, bgr
from pytest_ocrparity.diagnose.page_frame import Frame
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate, Proved
from pytest_ocrparity.diagnose.preprocessing.decoding import EXCHANGED, ways_of_decoding
from pytest_ocrparity.diagnose.preprocessing.fed_picture import (
    Fed,
    is_same_picture,
    recoded,
    resampled,
    resized,
    size_of,
)
from pytest_ocrparity.diagnose.preprocessing.normalizing import SCALE, reversed_before_normalizing
from pytest_ocrparity.diagnose.preprocessing.placements import Way, best_placement, placements, scaled_placements
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import DECODE, RESIZE, TENSOR
from pytest_ocrparity.trace import Array, Trace

Before: TypeAlias = "Callable[[Laboratory], Trace | None]"


def by_pictures(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Find the only way to make the picture that is exactly the candidate's."""
    trace = lab.run_preprocessing(base)
    fed = None if trace is None else fed_picture(lab, trace)
    if trace is None or trace.tensor is None or trace.tensor.ndim != 4 or fed is None:
        return None
    if lab.before is not lab.reference or offered(lab.reference.source, ResizesTo) is None:
        return None
    right = picture_of(lab, lab.reference)
    if right is None or is_same_picture(fed.own, right) or fed.is_plain:
        return None  # the picture is right, and what follows is not
    found: dict[tuple[str, object], Way] = {}
    if picture_is_more_than_stripes(fed.page) and picture_is_more_than_stripes(fed.own):
        # A border around a page of its own size is the same thing before and after the resize.
        ways = (way for way in _ways_to_make_picture(fed) if is_same_picture(fed.own, way.picture))
        found |= {(way.cause, _rounded_frame(way.to_page)): way for way in ways}
        found |= {} if found else {(way.cause, None): way for way in scaled_placements(fed)}
    fitting = list(found.values())
    before = trace_of(lab, trace, fitting[0].picture) if fitting else None
    shown = None if before is None else adopt_same_picture(lab, trace, before)
    if shown is None:
        lab.tried.append(
            "resize: no other interpolation, border, crop, earlier scaling, grey or JPEG round trip makes these pixels"
        )
        return None
    first, (reference, candidate) = fitting[0], lab.names
    lab.to_page = first.to_page if len(fitting) == 1 else None
    stage = RESIZE if trace.resize is not None or trace.tensor.shape != lab.tensor.shape else TENSOR
    if first.words in (words for words, _ in DECODINGS.values()):
        stage = DECODE
    patched = replace(base, before=_same_picture_kind(first.cause, first.kinds))
    summary = f"{candidate} " + f"; or {candidate} ".join(way.summary for way in fitting)
    causes = tuple(dict.fromkeys(way.cause for way in fitting))
    if len(causes) > 1:
        lab.tried += [f"{way.cause}: {reference}'s page, {way.words}, is {candidate}'s picture" for way in fitting]
        summary += ". This image does not tell which of them it is"
        return replace(lab.unknown_cause(stage, summary), rivals=causes), patched
    proof = f"{reference}'s page, {' or '.join(way.words for way in fitting)}, is {candidate}'s picture: the {shown}"
    return lab.proven_cause(stage, first.cause, summary, [proof], first.fix), patched


def picture_is_more_than_stripes(picture: Array) -> bool:
    """Return whether a picture has more than stripes; a blank page is within a border, or cut, what it is without."""
    return bool((picture != picture[:1]).any() and (picture != picture[:, :1]).any())


def _rounded_frame(frame: Frame | None) -> tuple[object, ...] | None:
    return None if frame is None else (*(round(each, 6) for each in frame[:4]), frame.turn)


def _same_picture_kind(cause: str, kinds: frozenset[str]) -> Before:
    """Return what finds the same sort of picture on another image."""

    def before(lab: Laboratory) -> Trace | None:
        fed = fed_picture(lab, lab.candidate)
        if fed is None or fed.is_plain:
            return None
        for way in itertools.chain(_ways_to_make_picture(fed), scaled_placements(fed)):
            if way.cause == cause and way.kinds & kinds and is_same_picture(fed.own, way.picture):
                return trace_of(lab, fed.trace, way.picture)
        return None

    return before


def _ways_to_make_picture(fed: Fed) -> Iterator[Way]:
    """Yield ways to make a picture of this size; of those without a placement, only what makes this very picture."""
    if (interpolated := _interpolation(fed)) is not None:
        yield interpolated
    sized = ((name, fed.resized(changed)) for name, changed in recoded(fed.lab, fed.page))
    if (made := _equal_ones(fed.own, sized)) is not None:
        names, picture = made
        words, summary = f"{names} before the resize", f"feeds a page {names}"
        fix = f"let {fed.lab.names.candidate} resize the page as it is in the file; here it is {words}"
        yield Way("resize.pixels", _picture_kinds(names), picture, words, summary, fix)
    yield from _otherwise_decoded(fed)
    yield from placements(fed)


def _interpolation(fed: Fed) -> Way | None:
    made = _equal_ones(fed.own, resampled(fed.lab, fed.page, fed.size))
    if made is None:
        return None
    names, picture = made
    reference, candidate = fed.lab.names
    fix = f"resize in {candidate} as PaddleOCR does: cv2.resize(image, (width, height))"
    text = f"resizes by {names}, {reference} by cv2.INTER_LINEAR"
    return Way("resize.interpolation", _picture_kinds(names), picture, f"resized by {names}", text, fix)


def _otherwise_decoded(fed: Fed) -> Iterator[Way]:
    """Yield the file decoded in other ways and resized, where the candidate's own decoding is not recorded."""
    if fed.lab.candidate.decode is not None:
        return
    for cause, pixels in ways_of_decoding(fed.lab.reference).items():
        picture = fed.resized(pixels) if cause in DECODINGS and pixels.dtype == np.uint8 else None
        if picture is not None and not np.array_equal(pixels, fed.page):
            words, fix = DECODINGS[cause]
            yield Way(cause, frozenset({cause}), picture, words, f"feeds the file {words}", fix)


DECODINGS: Final = {
    "decode.orientation": (
        "as it is stored, its EXIF orientation ignored",
        "decode with cv2.IMREAD_COLOR, which turns it",
    ),
    "decode.alpha": ("composited on white", "drop the alpha channel: cv2.IMREAD_COLOR does"),
}
"""By cause, another way to decode, and what to do instead."""


def _equal_ones(own: Array, made: Iterable[tuple[str, Array | None]]) -> tuple[str, Array] | None:
    """Return the names of the pictures that are this one, as "A or B", with the picture; None where none is."""
    same = [(name, picture) for name, picture in made if picture is not None and is_same_picture(own, picture)]
    return (" or ".join(name for name, _ in same), same[0][1]) if same else None


def _picture_kinds(names: str) -> frozenset[str]:
    return frozenset(names.split(" or "))


class Interpolated(NamedTuple):
    """A candidate's picture that another interpolation makes: its cause, its proof, what makes it on another image."""

    cause: Diagnosis
    text: str
    make: Before


def picture_shows_interpolation(lab: Laboratory, trace: Trace) -> Interpolated | None:
    """Return the interpolation that makes the candidate's picture of the whole page at its size, or None.

    If there is one, `lab.before` becomes what the reference's operators make of that picture.
    """
    fed = fed_picture(lab, trace)
    if fed is None or not picture_is_more_than_stripes(fed.page) or fed.is_plain:
        return None
    way = _interpolation(fed)
    before = None if way is None else trace_of(lab, trace, way.picture)
    shown = None if before is None else adopt_same_picture(lab, trace, before)
    if way is None or shown is None:
        return None
    proof = f"{lab.names.reference}'s page, {way.words}, is {lab.names.candidate}'s picture: the {shown}"
    cause = lab.proven_cause(RESIZE, way.cause, f"{lab.names.candidate} {way.summary}", [proof], way.fix)
    return Interpolated(cause, f"{way.words}, the {shown}", _same_picture_kind(way.cause, way.kinds))


def page_for_pictures(lab: Laboratory) -> Array | None:
    """Return the page as the reference decoded it, in BGR, or None where its pixels are not kept."""
    decode = lab.reference.decode
    is_kept = decode is not None and decode.pixels is not None and decode.channel_order in ("BGR", "RGB")
    return bgr(lab.reference) if is_kept else None


def trace_of(lab: Laboratory, trace: Trace, picture: Array) -> Trace | None:
    """Return what the reference makes of a picture that needs no resize, in the place of its own trace."""
    source = offered(lab.reference.source, ResizesTo)
    if source is None:
        return None
    made = lab.attempt(lambda: source.preprocess_at(np.ascontiguousarray(picture), size_of(picture)))
    if made is None or made.error is not None:
        return None
    return picture_in_place_of_reference(lab, replace(made, decode=lab.reference.decode, shape=trace.shape))


def picture_in_place_of_reference(lab: Laboratory, made: Trace) -> Trace:
    """Return a trace of the reference's operators as one of the image that is examined."""
    return replace(made, image=lab.reference.image, image_sha256=lab.reference.image_sha256)


def adopt_same_picture(lab: Laboratory, trace: Trace, before: Trace) -> str | None:
    """Return in words what of a candidate's trace is what the reference made; then it becomes `lab.before`."""
    assert trace.tensor is not None
    earlier, lab.before = lab.before, before
    if trace.resize is not None and lab.is_same_stage(RESIZE, trace):
        return "resized pixels are equal"
    if lab.is_same_stage(TENSOR, trace):
        return "tensors agree"
    turned = (np.ascontiguousarray(trace.tensor[:, ::-1]), reversed_before_normalizing(trace.tensor, before))
    if any(lab.is_same_stage(TENSOR, replace(trace, tensor=tensor)) for tensor in turned):
        return "tensors agree but for the order of their channels"
    lab.before = earlier
    return None


def fed_picture(lab: Laboratory, trace: Trace) -> Fed | None:
    """Return what a candidate feeds beside the page; None where either is not known."""
    page, own = page_for_pictures(lab), picture_of(lab, trace)
    return None if trace.tensor is None or page is None or own is None else Fed(lab, trace, page, own)


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
        scale = float(own.get("scale", SCALE))
    except (KeyError, TypeError, ValueError):
        return None
    values = (trace.tensor[0].transpose(1, 2, 0).astype(np.float64) * std + mean) / scale
    whole = np.round(values)
    is_picture = np.max(np.abs(values - whole), initial=0.0) <= 0.02 and whole.min() >= 0 and whole.max() <= 255
    return np.asarray(whole, np.uint8) if is_picture else None  # NaN, too, is no pixel


def by_decoded_picture(lab: Laboratory, base: PatchedCandidate) -> Proved:
    """Find the change of the page that makes exactly what the candidate decoded; what follows is compared with that."""
    found = _decoded_change(lab, lab.run_preprocessing(base))
    if found is None:
        return None
    cause, kind, changed, text = found
    before = _preprocess_changed_picture(lab, changed)
    if before is None:
        return None
    lab.before, lab.to_page = before, _frame_of_decoded(lab, cause, text, changed)
    reference, candidate = lab.names
    proof = f"the page as {reference} decodes it, {text}, is what {candidate} decoded, pixel by pixel"
    fix = f"let {candidate} see the page as it is, which something changes before its preprocessing"

    def again(other: Laboratory) -> Trace | None:
        made = _decoded_change(other, other.candidate)
        return (
            _preprocess_changed_picture(other, made[2])
            if made and made[0] == cause and _picture_kinds(made[1]) & _picture_kinds(kind)
            else None
        )

    summary = f"what {candidate} decodes is the page {text}"
    return lab.proven_cause(DECODE, cause, summary, [proof], fix), replace(base, before=again)


def _frame_of_decoded(lab: Laboratory, cause: str, text: str, changed: Array) -> Frame | None:
    """Return how the picture's px become the page's, see `Way.to_page`."""
    page, tensor = page_for_pictures(lab), lab.candidate.tensor
    if page is None or tensor is None or tensor.ndim != 4 or not cause.endswith(("scaled", "cropped")):
        return None
    height, width = tensor.shape[2:]
    if cause == "decode.scaled":
        return Frame(page.shape[1] / width, page.shape[0] / height)
    left, top = (float(each) for each in _ORIGIN.findall(text)[-1])
    return Frame(changed.shape[1] / width, changed.shape[0] / height, left, top)


_ORIGIN = re.compile(r"from x (\d+), y (\d+)")


def _preprocess_changed_picture(lab: Laboratory, changed: Array) -> Trace | None:
    source = pipeline_of(lab.reference)
    made = None if source is None else lab.attempt(lambda: source.preprocess(np.ascontiguousarray(changed)))
    return None if made is None or made.error is not None else picture_in_place_of_reference(lab, made)


def _decoded_change(lab: Laboratory, trace: Trace | None) -> tuple[str, str, Array, str] | None:
    """Return the cause, its kinds, the changed page and how it was changed; None where nothing known makes it."""
    page = page_for_pictures(lab)
    if trace is None or page is None or trace.decode is None or trace.decode.pixels is None:
        return None
    own, size = bgr(trace), (int(trace.decode.shape[0]), int(trace.decode.shape[1]))
    if own.dtype != np.uint8 or own.ndim != 3 or own.shape[2] != 3 or not picture_is_more_than_stripes(own):
        return None

    def name(made: Iterable[tuple[str, Array | None]]) -> str:
        return " or ".join(name for name, picture in made if picture is not None and np.array_equal(picture, own))

    if size == page.shape[:2]:
        if np.array_equal(own, page[..., ::-1]) and not np.array_equal(own, page):
            return "decode.channel_order", "reversed", own, EXCHANGED
        names = "" if np.array_equal(own, page) else name(recoded(lab, page))
        return ("decode.pixels", names, own, names) if names else None
    plain = ("cv2.INTER_LINEAR", resized(lab, page, size))
    if names := name((plain, *resampled(lab, page, size))):
        return "decode.scaled", names, own, f"scaled to {size[1]}x{size[0]} by {names}"
    if size[0] <= page.shape[0] and size[1] <= page.shape[1]:
        top, left = best_placement(page, own)
        for down, right in itertools.product((0, -1, 1), repeat=2):
            row, column = max(top + down, 0), max(left + right, 0)
            part = page[row : row + size[0], column : column + size[1]]
            if np.array_equal(part, own):
                return "decode.cropped", "crop", own, f"cut to {size[1]}x{size[0]} from x {column}, y {row} on"
    return None
