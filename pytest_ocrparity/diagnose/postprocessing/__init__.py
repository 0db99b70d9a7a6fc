"""Why the same map gives other boxes: experiments with the post-process's parameters and with what follows it.

They run on the reference's map. What is claimed must also put right the boxes that the candidate really returned, which
are of its own map, in its own geometry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from pytest_ocrparity.compare.borderline import run_again
from pytest_ocrparity.compare.scores import expected_detections, expected_scores
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.parameter_experiments import by_parameters
from pytest_ocrparity.diagnose.patched_candidate import Remedy
from pytest_ocrparity.diagnose.postprocessing.coordinates import by_coordinates
from pytest_ocrparity.diagnose.postprocessing.small_boxes import by_filter
from pytest_ocrparity.diagnose.postprocessing.values import by_known_values
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.geometry import match
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.trace import Detections, Trace

GAIN: Final = 0.1
"""By how much coordinates that are undone must raise the mean IoU with the reference's boxes, where the maps differ."""


def examine_boxes(lab: Laboratory) -> list[Diagnosis]:
    """Return the causes for which the two post-processes make different boxes of the reference's map."""
    if lab.reference.detections is None or lab.reference.probability_map is None or lab.reference.shape is None:
        return _of_boxes_alone(lab)
    made = lab.postprocessed()
    if made is None:
        return _of_recorded(lab)
    if not lab.is_same_boxes(made):
        return _examine(lab, made)
    return _after_the_post_process(lab)


def _of_boxes_alone(lab: Laboratory) -> list[Diagnosis]:
    """Examine boxes of which nothing is known but themselves, such as plain polygons."""
    reference, candidate = lab.reference.detections, lab.candidate.detections
    if reference is None or candidate is None or lab.is_same(DETECTIONS, lab.candidate):
        return []
    if not len(reference) and not len(candidate):
        return []  # there is no box to examine
    lab.not_tried.append("experiments with the post-process: there is no probability map of both sides to run it on")
    return _after(lab, candidate) or [lab.unknown(DETECTIONS, "the boxes differ, and no experiment explained it")]


def _of_recorded(lab: Laboratory) -> list[Diagnosis]:
    """Examine the recorded boxes of a candidate whose post-process can't be run by itself; they are of its own map."""
    found, probability_map = lab.candidate.detections, lab.candidate.probability_map
    lab.not_tried.append(
        f"{lab.names[0]}'s map through the post-process of {lab.names[1]}, which can't be run by itself"
    )
    if found is None or lab.is_same_boxes(found):
        return []
    if probability_map is not None and not lab.is_same_map(probability_map):
        return by_known_values(lab)  # else the map explains them as far as anyone can tell
    return (
        _after(lab, found)
        or by_known_values(lab)
        or [lab.unknown(DETECTIONS, "the boxes differ, and no experiment explained it")]
    )


def _after_the_post_process(lab: Laboratory) -> list[Diagnosis]:
    """Examine what a side does with its boxes after the post-process: what comes out must be what its trace holds."""
    trace = lab.candidate
    if trace.detections is None or trace.probability_map is None or trace.shape is None:
        return []
    own = run_again(trace, trace.probability_map)
    if own is None or own == trace.detections or lab.is_same(DETECTIONS, trace):
        return []
    if lab.is_same_map(trace.probability_map) and (found := _after(lab, trace.detections)):
        return found
    told = (
        f"{lab.names[1]}'s own post-process makes {_boxes(own)} of its own map, and its trace holds "
        f"{_boxes(trace.detections)} that differ: something changes boxes after it (a second stage, merging, tiles?)"
    )
    return [lab.unknown(DETECTIONS, told)]


def _boxes(found: Detections) -> str:
    return f"{len(found)} box{'es' * (len(found) != 1)}"


def _examine(lab: Laboratory, made: Detections) -> list[Diagnosis]:
    def puts_right(remedy: Remedy) -> str | None:
        boxes = lab.postprocessed(remedy)
        if boxes is None or not lab.is_same_boxes(boxes) or not puts_own_boxes_right(lab, remedy):
            return None
        return f"{_boxes(boxes)}, all within the limits"

    return (
        by_parameters(lab, DETECTIONS, puts_right)
        or _after(lab, made)
        or _of_both(lab)
        or by_known_values(lab)
        or [lab.unknown(DETECTIONS, "the same map gives other boxes, and no experiment explained it")]
    )


def _of_both(lab: Laboratory) -> list[Diagnosis]:
    """Return the causes of a fault of parameters and one of what follows the post-process, at once."""
    start = lab.remedy

    def leaves_one(remedy: Remedy) -> str | None:
        """Tell which cause is left with these parameters put right."""
        boxes, said = lab.postprocessed(remedy), [list(each) for each in (lab.tried, lab.not_tried, lab.noticed)]
        lab.remedy = remedy
        later = _after(lab, boxes) if boxes is not None else []
        lab.remedy = start
        lab.tried, lab.not_tried, lab.noticed = said
        return f"but for {later[0].cause}" if later else None

    found = by_parameters(lab, DETECTIONS, leaves_one)
    boxes = lab.postprocessed() if found else None
    if boxes is None or not (later := _after(lab, boxes)):
        lab.remedy = start
        return []
    return [*found, *later]


def _after(lab: Laboratory, made: Detections) -> list[Diagnosis]:
    """Examine what follows the post-process: `made` are boxes that the remedy so far makes of the reference's map."""
    own = _own_boxes(lab, lab.remedy)
    return (
        _by_score_order(lab)
        or by_coordinates(lab, made, puts_own_boxes_right)
        or by_filter(lab, made, own, _right_boxes(lab))
    )


def puts_own_boxes_right(lab: Laboratory, remedy: Remedy, *, needs_fault: bool = True) -> bool:
    """Tell whether a remedy also explains the boxes that the candidate really returned.

    Its recorded boxes, with what follows the post-process undone; or where parameters were put right, what it then
    makes of its own map. They must be the reference's where the maps agree, else what the reference's post-process
    makes of that map; and where that can't be run, or coordinates are at issue, nearer to the reference's boxes.
    What was right before is explained by nothing that makes it right, unless no fault is needed.
    """
    trace = lab.candidate
    if trace.detections is None:
        return True  # it stopped before, and has no result to explain
    mended = _own_boxes(lab, remedy)
    if mended is None:
        return False
    if trace.probability_map is None or lab.is_same_map(trace.probability_map):
        return lab.is_same(DETECTIONS, replace(trace, detections=mended, source=None))
    assert lab.reference.detections is not None
    gain = _agreement(lab.reference.detections, mended) - _agreement(lab.reference.detections, trace.detections)
    if remedy.boxes is not None:
        return gain >= GAIN
    right = _right_boxes(lab)
    if right is None:
        return gain > 0
    own = replace(lab.reference, detections=right, probability_map=trace.probability_map, shape=trace.shape)
    is_wrong = not lab.is_same(DETECTIONS, replace(trace, source=None), own)
    return (is_wrong or not needs_fault) and lab.is_same(
        "detections", replace(trace, detections=mended, source=None), own
    )


def _right_boxes(lab: Laboratory) -> Detections | None:
    """Return the boxes that the candidate's own map should give: the reference's, where the maps agree."""
    trace = lab.candidate
    if trace.probability_map is None or lab.is_same_map(trace.probability_map):
        return lab.reference.detections
    return None if trace.shape is None else run_again(replace(lab.reference, shape=trace.shape), trace.probability_map)


def _own_boxes(lab: Laboratory, remedy: Remedy) -> Detections | None:
    """Return the candidate's own boxes put right, or None where its parts do not explain them as they are."""
    trace = lab.candidate
    if trace.detections is None:
        return None
    if not any(patch.stage == DETECTIONS and patch.parameters for patch in remedy.patches):
        side = trace if trace.probability_map is not None else lab.reference
        size = (1, 1) if side.probability_map is None else side.probability_map.shape[-2:]
        shape = trace.shape or lab.reference.shape or (1.0, 1.0, 1.0, 1.0)
        boxes = trace.detections
        return boxes if remedy.boxes is None else remedy.boxes(boxes, (int(size[0]), int(size[1])), shape)
    map_trace = trace if trace.probability_map is not None and trace.shape is not None else lab.reference
    own = lab.postprocessed(Remedy(lab.own), map_trace)
    if own is None or not lab.is_same(DETECTIONS, replace(trace, detections=own, source=None), _as_reference(trace)):
        return None
    return lab.postprocessed(remedy, map_trace)


def _as_reference(trace: Trace) -> Trace:
    """Return a trace of the candidate's to compare with: another object of the same values."""
    return replace(trace, pipeline=f"{trace.pipeline} as recorded", source=None)


def _agreement(reference: Detections, found: Detections) -> float:
    """Return the sum of the IoU of pairs, as a share of all boxes, 0 to 1."""
    pairs = match(reference.polygons, found.polygons).pairs
    return sum(pair.iou for pair in pairs) / max(len(reference), len(found), 1)


def _by_score_order(lab: Laboratory) -> list[Diagnosis]:
    """Put the scores that the candidate really returned in the order that its boxes ask for: then nothing differs."""
    trace, found = lab.candidate, lab.candidate.detections
    is_said = any(each.kind == "score_order" for each in lab.judged(DETECTIONS, trace).differences)
    if found is None or found.scores is None or not is_said:
        return []
    expected = expected_scores(expected_detections(lab.reference, trace), found) or _of_reference(lab, found)
    if len(expected) != len(found):
        return []
    order = np.argsort([expected[index] for index in range(len(found))], kind="stable")
    scores = np.empty_like(found.scores)
    scores[order] = np.sort(found.scores)
    if not lab.is_same(DETECTIONS, replace(trace, detections=Detections(found.polygons, scores))):
        return []
    one, two = lab.names
    proof = f"with its {len(found)} scores put in the order of {one}'s, nothing of {two}'s boxes differs"
    summary = f"{two}'s scores are in another order than the boxes"
    fix = f"keep boxes and scores of {two} in one order: whatever sorts or filters the boxes must move the scores along"
    return [lab.claim(DETECTIONS, "postprocess.score_order", summary, [proof], fix)]


def _of_reference(lab: Laboratory, found: Detections) -> Mapping[int, float]:
    """Return by index the score of the reference's box that each found box pairs with."""
    right = lab.reference.detections
    if right is None or right.scores is None:
        return {}
    return {p.candidate: float(right.scores[p.reference]) for p in match(right.polygons, found.polygons).pairs}
