"""Shows that a candidate's result depends on what ran before: the image runs alone, and after others.

A claim needs both results: alone the reference's, and after others the candidate's own, which it explains. Where whole
images run, each comes again in every round: a side that returns something else each time shows neither. What only a
post-process keeps is shown by it alone, see `postprocessing.kept_boxes`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.contract import Pipeline, StartsAnew, pipeline_of, trace_anew
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.kept_state import STATE, kept_state_diagnosis
from pytest_ocrparity.diagnose.laboratory import Laboratory, bgr
from pytest_ocrparity.diagnose.postprocessing.kept_boxes import kept_boxes_of_map_before
from pytest_ocrparity.diagnose.repeatability import is_of_chance
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.files import image_file_size
from pytest_ocrparity.trace import Array, Image, Recognition, Trace
from pytest_ocrparity.wording import image_label

ROUNDS: Final = 2
"""How often each result must come again."""
NEAR: Final = 1e-5
"""Within which a side that computes the same returns the same: engines with several threads add in another order."""
MORE_RUNS: Final = 16
"""Network runs beyond those of the other experiments, which have come to nothing when this is looked for."""


def examine_state(lab: Laboratory, found: Sequence[Diagnosis], stage: str) -> list[Diagnosis]:
    """Return what was found, or in its place that the candidate's result depends on what ran before.

    Looked for where something is unknown, as it takes runs and perhaps a side that is loaded again; not where a side
    returns something else each time.
    """
    if not any(each.cause == UNKNOWN for each in found) or any(map(is_of_chance, found)):
        return list(found)
    lab.reset_notes()
    try:
        lab.budget.check(1)
    except BudgetSpentError:  # which is said already
        return list(found)
    lab.budget.more = MORE_RUNS
    try:
        if (state := state_cause(lab, stage)) is not None:
            return [state]
    except BudgetSpentError:
        lab.not_tried.append(f"{STATE}: {lab.budget.spent()}")
    tried, not_tried = tuple(lab.tried), tuple(lab.not_tried)
    lab.reset_notes()
    return [
        replace(each, tried=(*each.tried, *tried), not_tried=(*each.not_tried, *not_tried))
        if each.cause == UNKNOWN
        else each
        for each in found
    ]


def state_cause(lab: Laboratory, stage: str) -> Diagnosis | None:
    """Return the diagnosis of a candidate whose result depends on what ran before; None where that does not show.

    Raises BudgetSpentError.
    """
    side, image = pipeline_of(lab.candidate), lab.image
    if side is None or image is None or lab.candidate.error is not None or lab.reference.error is not None:
        return None
    kept = kept_boxes_of_map_before(lab, side, lambda: _is_right(lab, _traced(lab, side, image)))
    if kept is not None:
        return kept
    now = _traced(lab, side, image)
    if now is None:
        return None
    if _is_right(lab, now) and (found := _alternating(lab, side, image, stage)) is not None:
        return found
    return _newly_loaded(lab, image, stage)


def _traced(lab: Laboratory, side: Pipeline, image: Image) -> Trace | None:
    """Run all of a side on an image, and count it as a network run; None where it stops."""
    size = 1 if lab.candidate.tensor is None else lab.candidate.tensor.size
    with lab.budget.network_run(size):
        trace = lab.attempt(lambda: trace_anew(side, image))
    return None if trace is None or trace.error is not None else trace


def _traced_after(lab: Laboratory, side: Pipeline, others: Sequence[Image], image: Image) -> Trace | None:
    for other in others:
        _traced(lab, side, other)
    return _traced(lab, side, image)


def _is_right(lab: Laboratory, trace: Trace | None) -> bool:
    """Return whether a trace agrees with the reference, in all that the candidate's own trace has."""
    if trace is None:
        return False
    trace = replace(trace, image=lab.candidate.image, image_sha256=lab.candidate.image_sha256)
    made = Comparisons(lab.reference, trace, lab.tolerance, defers=lab.comparisons.defers).all()
    before = lab.comparisons.all()
    return all(now.is_match or (now.is_missing and own.is_missing) for now, own in zip(made, before, strict=True))


def _is_recorded(lab: Laboratory, trace: Trace | None) -> bool:
    """Return whether a trace is what the candidate returned when it was judged, and as wrong."""
    own = lab.candidate
    if trace is None or (own.detections is None) != (trace.detections is None):
        return False
    pairs: list[tuple[Array | None, Array | None]] = [
        (own.tensor, trace.tensor), (own.probability_map, trace.probability_map)
    ]  # fmt: skip
    if own.recognition is not None:
        if trace.recognition is None or own.recognition.text != trace.recognition.text:
            return False
        pairs += [(_score_of(own.recognition), _score_of(trace.recognition))]
    if own.detections is not None and trace.detections is not None:
        if len(own.detections) != len(trace.detections):
            return False
        pairs += zip(own.detections.polygons, trace.detections.polygons, strict=True)
        pairs += [(own.detections.scores, trace.detections.scores)]
    are_near = all(
        (one is None and two is None)
        or (one is not None and two is not None and one.shape == two.shape and _is_near(one, two))
        for one, two in pairs
    )
    return are_near and not _is_right(lab, trace)  # where a limit is below NEAR, or judges what is not among the pairs


def _score_of(read: Recognition) -> Array | None:
    return None if read.score is None else np.array(read.score)


def _is_near(one: Array, two: Array) -> bool:
    return np.allclose(one, two, rtol=0, atol=NEAR, equal_nan=True)


def _alternating(lab: Laboratory, side: Pipeline, image: Image, stage: str) -> Diagnosis | None:
    """Run the image by turns after another one and after itself."""
    for others in _sequences(lab)[:3]:
        if not _is_recorded(lab, _traced_after(lab, side, others, image)):
            continue
        rounds = [
            _is_right(lab, _traced(lab, side, image)) and _is_recorded(lab, _traced_after(lab, side, others, image))
            for _ in range(ROUNDS)
        ]
        if all(rounds):
            return _proven(lab, stage, others, "after itself", "each time again, by turns")
    return None


def _newly_loaded(lab: Laboratory, image: Image, stage: str) -> Diagnosis | None:
    """Run the image on a newly loaded side, and on another one after other images."""
    side = lab.ask(lab.candidate, StartsAnew, lambda offer: offer.fresh(), f"{STATE}: {lab.names.candidate} anew")
    if side is None:
        if lab.earlier and not lab.not_tried:
            text = f"{STATE}: {lab.names.candidate} has no fresh(), so it can't be run as if nothing had run before"
            lab.not_tried.append(text)
        return None
    alone = _traced(lab, side, image)
    if not _is_right(lab, alone):
        if _is_recorded(lab, alone):
            # It may still keep something in its process, which a new object shares.
            lab.tried.append(f"{STATE}: newly loaded, with nothing run before, {lab.names.candidate} returns the same")
        return None
    for others in itertools.chain(_sequences(lab), _other_pages(lab), _files_beside(lab)):
        made = _when_used(lab, others, image)
        if _is_recorded(lab, made):
            is_again = all(_is_recorded(lab, _when_used(lab, others, image)) for _ in range(ROUNDS - 1))
            if is_again and _is_right_anew(lab, image):
                return _proven(lab, stage, others, "newly loaded", f"{ROUNDS} times of {ROUNDS}")
        elif made is not None and not _is_right(lab, made):
            text = f"{STATE}: newly loaded and after {_names(others)}, {lab.names.candidate} returns a wrong result, "
            lab.tried.append(f"{text}but not the one of this run")
    reference, candidate = lab.names
    text = f"{STATE}: newly loaded, {candidate} returns {reference}'s result for this image, and after none of the "
    text += "images that were tried the result of this run: were its files changed since they were loaded?"
    lab.not_tried.append(text)
    return None


def _when_used(lab: Laboratory, others: Sequence[Image], image: Image) -> Trace | None:
    """Return what a newly loaded side makes of the image after others."""
    side = lab.ask(lab.candidate, StartsAnew, lambda offer: offer.fresh())
    return None if side is None else _traced_after(lab, side, others, image)


def _is_right_anew(lab: Laboratory, image: Image) -> bool:
    side = lab.ask(lab.candidate, StartsAnew, lambda offer: offer.fresh())
    return side is not None and _is_right(lab, _traced(lab, side, image))


def _sequences(lab: Laboratory) -> list[Sequence[Image]]:
    """Return which images to run first: the last one before, the largest, the first, and the last few."""
    earlier = [name for name in lab.earlier if name != lab.candidate.image and Path(name).is_file()]
    if not earlier:
        return []
    found = [[earlier[-1]], [max(earlier, key=_pixels)], [earlier[0]], earlier[-3:]]
    return [each for index, each in enumerate(found) if each not in found[:index]]


def _pixels(name: str) -> int:
    """Return how many pixels a file states; of one that states no size its bytes, 0 of one that can't be read."""
    path = Path(name)
    if (size := _stated_size(path)) is not None:
        return size[0] * size[1]
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _other_pages(lab: Laboratory) -> list[Sequence[Image]]:
    """Return a page that is larger than this one and has other pixels, for where it is not known what ran before."""
    trace = next((t for t in (lab.candidate, lab.reference) if t.decode and t.decode.pixels is not None), None)
    if trace is None or trace.decode is None or trace.decode.dtype != "uint8" or len(trace.decode.shape) != 3:
        return []
    return [[np.ascontiguousarray(np.tile(255 - bgr(trace), (2, 2, 1)))]]


MOST_READ: Final = 50
"""Of how many files beside the image the sizes are read."""
HEADER: Final = 1 << 16
"""How many bytes of each are read: the size stands there."""


def _files_beside(lab: Laboratory) -> Iterator[Sequence[Image]]:
    """Yield the files beside this one that are likely to have run before, where nothing tells which they were.

    What is kept of a line is as wide as the tensor of the widest one before, so that one of that shape comes first;
    then the longest and the largest, of which most is kept.
    """
    image, tensor = Path(lab.candidate.image), lab.candidate.tensor
    sizes = {} if lab.earlier or not image.is_file() else _sizes_beside(image)
    if not sizes:
        return
    shape = 1.0 if tensor is None or tensor.ndim != 4 else tensor.shape[3] / tensor.shape[2]
    near = min(sizes, key=lambda path: abs(sizes[path][1] / sizes[path][0] - shape))
    longest = max(sizes, key=lambda path: sizes[path][1] / sizes[path][0])
    largest = max(sizes, key=lambda path: sizes[path][0] * sizes[path][1])
    yield from ([str(each)] for each in dict.fromkeys((near, longest, largest)))


def _sizes_beside(image: Path) -> dict[Path, tuple[int, int]]:
    """Return the (height, width) that the first files beside an image state, as far as they do."""
    with suppress(OSError):
        others = (path for path in sorted(image.parent.iterdir()) if path.name != image.name and path.is_file())
        sizes = {path: _stated_size(path) for path in itertools.islice(others, MOST_READ)}
        return {path: size for path, size in sizes.items() if size is not None}
    return {}


def _stated_size(path: Path) -> tuple[int, int] | None:
    """Return the (height, width) that a file's header states; None where it states none, or can't be read."""
    with suppress(OSError), path.open("rb") as file:  # it may be anybody's, and of any length
        size = image_file_size(file.read(HEADER))
        return size if size is not None and min(size) > 0 else None
    return None


def _names(others: Sequence[Image]) -> str:
    return ", ".join("a larger page" if isinstance(each, np.ndarray) else image_label(str(each)) for each in others)


def _proven(lab: Laboratory, stage: str, others: Sequence[Image], alone: str, times: str) -> Diagnosis:
    reference, candidate = lab.names
    proof = f"{alone}, {candidate} returns {reference}'s result for this image, and after {_names(others)} what it "
    return kept_state_diagnosis(lab, stage, f"{proof}returned in this run: {times}")
