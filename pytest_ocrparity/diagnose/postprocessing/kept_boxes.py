"""Experiments with a post-process that keeps boxes from one map to the next.

A claim needs that the kept boxes are all that is wrong: what it makes of the map itself is the reference's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from pytest_ocrparity.contract import Pipeline
from pytest_ocrparity.diagnose.kept_state import kept_state_diagnosis
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.postprocessing.equality import Page, are_equal, indices_of_equal_boxes
from pytest_ocrparity.diagnose.postprocessing.rules import subset
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.trace import Array, Detections
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


def kept_boxes_of_map_before(lab: Laboratory, side: Pipeline) -> Diagnosis | None:
    """Return a diagnosis where the post-process finds boxes of the map before in an empty one, and they are all.

    After an empty map, which leaves none, it must make the reference's boxes of the reference's map.
    """
    reference_map, shape = lab.reference.probability_map, lab.reference.shape
    if reference_map is None or shape is None or not _are_all_extra(lab):
        return None
    empty, mirrored = np.zeros_like(reference_map), np.ascontiguousarray(reference_map[..., ::-1])

    def made_of(maps: Sequence[Array]) -> list[Detections | None]:
        return [lab.attempt(lambda given=given: side.postprocess(np.array(given), shape)) for given in maps]  # type: ignore[misc]

    results = made_of((empty, empty, reference_map, empty, empty, mirrored, empty))
    if any(each is None for each in results):
        return None
    _, nothing, clean, left, _, other, left_of_other = [each for each in results if each is not None]
    if len(nothing) or not len(left) or not lab.is_same_boxes(clean):
        return None
    page = Page(reference_map, shape, left, clean)
    are_kept = are_equal(clean, left, page) and are_equal(other, left_of_other, page)
    if not are_kept or are_equal(left, left_of_other, page):  # else boxes that it finds in any map
        return None
    reference, candidate = lab.names
    proof = (
        f"after an empty map, {candidate}'s post-process makes {reference}'s boxes of {reference}'s map; right after "
        f"it, these {number_of_boxes(len(left))} of an empty map, and after the mirrored map those of that one"
    )
    return kept_state_diagnosis(lab, DETECTIONS, proof, "{candidate} returns boxes of the previous image")
