"""Experiments with a post-process that keeps boxes from one map to the next.

A claim needs that the kept boxes are all that is wrong: what it makes of the map itself is the reference's.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np

from pytest_ocrparity.contract import Pipeline
from pytest_ocrparity.diagnose.kept_state import STATE, kept_state_diagnosis
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.postprocessing.equality import Page, indices_of_equal_boxes
from pytest_ocrparity.diagnose.postprocessing.rules import subset
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.trace import Detections
from pytest_ocrparity.wording import number_of_boxes

RUNS: Final = 2
"""How many more times the map runs: each must add the same boxes."""


def by_kept_boxes(lab: Laboratory, first: Detections) -> list[Diagnosis]:
    """Return a diagnosis where the candidate's post-process adds the boxes of a map to those of before.

    Its trace holds boxes too many and none that is missing, and they come again; each further run on the reference's
    map adds the reference's boxes of it to what the run before returned.

    Args:
        lab: of the image.
        first: what it made of the reference's map when it ran on it once more.
    """
    recorded = lab.candidate.detections
    if recorded is None or not len(recorded) or not _are_all_extra(lab):
        return []
    if _added(lab, recorded, first) is None:
        return []
    runs = [first]
    for _ in range(RUNS):
        if (made := lab.run_postprocess()) is None:
            return []
        runs.append(made)
    added = [_added(lab, before, after) for before, after in pairwise(runs)]
    if not all(each is not None and len(each) and lab.is_same_boxes(each) for each in added):
        return []
    reference, candidate = lab.names
    counts = ", then ".join(str(len(each)) for each in runs[1:])
    proof = f"the same map again and again through {candidate}'s post-process gives {number_of_boxes(len(first))}, "
    proof += f"then {counts}: each time {reference}'s {len(added[0] or ())} more, beside all of those before"
    return [kept_state_diagnosis(lab, DETECTIONS, proof)]


def _are_all_extra(lab: Laboratory) -> bool:
    """Return whether boxes differ, and each that does is one too many: only those are explained by boxes of before."""
    differing = lab.comparisons.of(DETECTIONS).boxes
    return bool(differing) and all(each.kind == "extra" for each in differing)


def _added(lab: Laboratory, before: Detections, after: Detections) -> Detections | None:
    """Return the boxes of a result that the one before it does not hold; None where one of that is not in it."""
    assert lab.reference.probability_map is not None and lab.reference.shape is not None, "a map was run"
    page = Page(lab.reference.probability_map, lab.reference.shape, before, after)
    kept = indices_of_equal_boxes(before, after, page)
    return None if kept is None else subset(after, np.setdiff1d(np.arange(len(after)), kept))


def kept_boxes_of_map_before(lab: Laboratory, side: Pipeline, is_right: Callable[[], bool]) -> Diagnosis | None:
    """Return a diagnosis where the post-process adds boxes of the map before, and they are all that is wrong.

    After an empty map, which leaves none, the whole side must be right; after the mirrored map the post-process must
    add boxes of that one to the reference's: one that returns kept boxes of an empty map alone adds none to a page.

    Args:
        lab: of the image.
        side: the candidate.
        is_right: runs all of it on the image, and returns whether the result is the reference's.
    """
    reference_map, shape = lab.reference.probability_map, lab.reference.shape
    if reference_map is None or shape is None or not _are_all_extra(lab):
        return None
    empty, mirrored = np.zeros_like(reference_map), np.ascontiguousarray(reference_map[..., ::-1])
    maps = (empty, empty, reference_map, empty, empty, mirrored, reference_map, empty, empty)
    results = [lab.attempt(lambda given=given: side.postprocess(np.array(given), shape)) for given in maps]  # type: ignore[misc]
    clean, other, made = results[2], results[5], results[6]
    if clean is None or other is None or made is None or not lab.is_same_boxes(clean):
        return None
    added = _added(lab, clean, made)
    if added is None or not len(added):
        return None
    if indices_of_equal_boxes(added, other, Page(reference_map, shape, added, other)) is None:
        return None
    reference, candidate = lab.names
    name = f"{candidate}'s post-process"
    if not is_right():
        text = f"{STATE}: {name} returns boxes of the map before, but after an empty one {candidate} is wrong as well"
        lab.tried.append(text)
        return None
    proof = f"after an empty map, {candidate} returns {reference}'s result for this image; right after the mirrored "
    proof += f"map, {name} adds {number_of_boxes(len(added))} of that one to {reference}'s of {reference}'s map"
    return kept_state_diagnosis(lab, DETECTIONS, proof, "{candidate} returns boxes of the previous image")
