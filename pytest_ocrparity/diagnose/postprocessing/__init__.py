"""Examines detections: experiments with the post-process's parameters and with what changes boxes after it.

Experiments run on the reference's map. A cause is claimed only if putting it right also corrects the boxes that the
candidate really returned, which come from its own map and geometry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from pytest_ocrparity.compare.borderline import boxes_of_map
from pytest_ocrparity.compare.box_pairs import box_pair_limits
from pytest_ocrparity.compare.scores import detections_with_expected_scores, expected_scores
from pytest_ocrparity.contract import HasLaterSteps, pipeline_of
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.page_frame import Frame
from pytest_ocrparity.diagnose.parameter_experiments import by_parameters
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate
from pytest_ocrparity.diagnose.postprocessing.coordinates import by_coordinates
from pytest_ocrparity.diagnose.postprocessing.kept_boxes import by_kept_boxes
from pytest_ocrparity.diagnose.postprocessing.small_boxes import by_small_box_filter
from pytest_ocrparity.diagnose.postprocessing.values import by_known_values
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.geometry import match_polygons, vertex_distance
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.trace import Detections, Trace
from pytest_ocrparity.wording import number_of_boxes

GAIN: Final = 0.1
"""How much undoing a distortion must raise the mean IoU with the reference's boxes, where the maps differ."""


def examine_postprocessing(lab: Laboratory) -> list[Diagnosis]:
    """Return the causes for which the two post-processes make different boxes of the reference's map."""
    if lab.reference.detections is None or lab.reference.probability_map is None or lab.reference.shape is None:
        return _examine_boxes_alone(lab)
    if not np.any(np.isfinite(lab.reference.probability_map)):
        return []  # no post-process finds anything in it
    if lab.to_page is not None and (judged := _boxes_in_their_place(lab, lab.to_page)) is not None:
        return judged
    made = lab.run_postprocess()
    if made is None:
        return _examine_recorded_boxes(lab)
    if not lab.is_same_boxes(made):
        return by_kept_boxes(lab, made) or _examine_postprocess(lab, made)
    return _examine_changed_boxes(lab)


def _boxes_in_their_place(lab: Laboratory, frame: Frame) -> list[Diagnosis] | None:
    """Return what is wrong with boxes of a page that lies otherwise in the candidate's picture than in the reference's.

    Then their maps can't be exchanged. Boxes that are what the reference's post-process makes of the candidate's map,
    placed in the page, are right. Those that are right but for the place, or the scale, lack it. Else None.
    """
    trace, row = lab.candidate, lab.reference.shape
    if trace.detections is None or trace.probability_map is None or row is None or not len(trace.detections):
        return None
    height, width = trace.probability_map.shape[-2:]
    right = boxes_of_map(replace(lab.reference, shape=(float(height), float(width), 1.0, 1.0)), trace.probability_map)
    if right is None:
        return None
    if _are_at(right, trace.detections, frame, row[:2]):
        return []
    if frame.turn and _are_at(right, trace.detections, frame._replace(turn=""), frame.page[::-1]):
        return []  # they are of the page as it was turned: that it is turned is the only fault
    candidate, page = lab.names.candidate, (float(row[0]), float(row[1]))
    proof = f"what {lab.names.reference}'s post-process makes of {candidate}'s own map are {candidate}'s boxes, "
    if (frame.left, frame.top) != (0, 0) and _are_at(right, trace.detections, frame._replace(left=0.0, top=0.0), page):
        place = f"x {frame.left:+.1f} and y {frame.top:+.1f} px"
        proof += f"if the place of the page, {place}, is left out"
        summary = f"{candidate}'s boxes lack the place of the page in its picture, {place}"
        fix = "subtract the padding that was added before the network, or add the origin of the crop, to the boxes"
        return [lab.proven_cause(DETECTIONS, "rescale.offset", summary, [proof], fix)]
    for other, size, words in _other_ratios(trace, page, (height, width)):
        if (frame.left, frame.top) == (0, 0) and _are_at(right, trace.detections, other, size):
            fix = f"multiply {candidate}'s boxes by x {frame.across / other.across:.4g}, "
            fix += f"y {frame.down / other.down:.4g}"
            summary = f"{candidate}'s boxes are {words}, and the page has {row[1]:.0f}x{row[0]:.0f}"
            return [lab.proven_cause(DETECTIONS, "rescale.ratio", summary, [proof + words], fix)]
    return None


def _other_ratios(
    trace: Trace, page: tuple[float, float], size: tuple[int, int]
) -> Iterator[tuple[Frame, tuple[float, float], str]]:
    """Yield wrong ways to scale boxes of a map of (height, width), with the size to whose edges they are clipped."""
    height, width = size
    if trace.shape is not None and tuple(trace.shape[:2]) != page:
        given = float(trace.shape[0]), float(trace.shape[1])
        words = f"in px of a page of {given[1]:.0f}x{given[0]:.0f}"
        yield Frame(given[1] / width, given[0] / height), given, words
    words = "scaled by the size of the whole picture, with the border around the page"
    yield Frame(page[1] / width, page[0] / height), page, words


def _are_at(right: Detections, found: Detections, frame: Frame, size: Sequence[float]) -> bool:
    """Return whether boxes in px of a map are the found ones, once they are placed; both sides round.

    Args:
        right: boxes in px of the map.
        found: the candidate's.
        frame: see `Laboratory.to_page`.
        size: of the page, (height, width), at whose edges either side may clip its boxes.
    """
    edges = float(size[1]), float(size[0])
    placed = [np.clip(frame.of(np.asarray(polygon, np.float64)), 0, edges) for polygon in right.polygons]
    clipped = [np.clip(polygon, 0, edges) for polygon in found.polygons]
    pairs, apart = match_polygons(placed, clipped).pairs, 1.0 + 0.5 * max(frame.across, frame.down)
    return len(pairs) == len(placed) == len(clipped) and all(
        vertex_distance(placed[pair.reference], clipped[pair.candidate]) <= apart for pair in pairs
    )


def _examine_boxes_alone(lab: Laboratory) -> list[Diagnosis]:
    """Examine boxes where the reference records no map or no shape row, such as plain polygons."""
    reference, candidate = lab.reference.detections, lab.candidate.detections
    if reference is None or candidate is None or lab.is_same(DETECTIONS, lab.candidate):
        return []
    if not len(reference) and not len(candidate):
        return []  # there is no box to examine
    lab.not_tried.append("experiments with the post-process: there is no probability map of both sides to run it on")
    return _by_later_change(lab, candidate) or [
        lab.unknown_cause(DETECTIONS, "the boxes differ, and no experiment explained it")
    ]


def _examine_recorded_boxes(lab: Laboratory) -> list[Diagnosis]:
    """Examine the recorded boxes of a candidate whose post-process can't be run by itself."""
    found, (reference, candidate) = lab.candidate.detections, lab.names
    has_stopped = lab.candidate.error is not None and lab.last_error
    why = f"which stops on it too ({lab.last_error})" if has_stopped else "which can't be run by itself"
    lab.not_tried.append(f"{reference}'s map through the post-process of {candidate}, {why}")
    if found is None or lab.is_same_boxes(found):
        return []
    if lab.candidate.probability_map is not None and not lab.maps_agree:
        by_rules = by_known_values(lab)
        if by_rules or lab.to_page is None:
            return by_rules  # if there are none, the other map is the only known reason
        return [lab.unknown_cause(DETECTIONS, "the boxes are not those of the page where it lies in the picture")]
    return _stated_first(
        by_known_values(lab),
        lambda: _by_later_change(lab, found),
        lambda: [lab.unknown_cause(DETECTIONS, "the boxes differ, and no experiment explained it")],
    )


def _stated_first(by_rules: list[Diagnosis], *others: Callable[[], list[Diagnosis]]) -> list[Diagnosis]:
    """Return the first cause that is stated; else what rules of the post-process leave, else the last of the others."""
    if any(each.cause != UNKNOWN for each in by_rules):
        return by_rules
    for other in others[:-1]:
        if found := other():
            return found
    return by_rules or others[-1]()


def _examine_changed_boxes(lab: Laboratory) -> list[Diagnosis]:
    """Examine a candidate whose own post-process does not return the boxes that its trace holds."""
    trace = lab.candidate
    if trace.detections is None or trace.probability_map is None or trace.shape is None:
        return []
    own = boxes_of_map(trace, trace.probability_map)
    if own is None or own == trace.detections or lab.is_same(DETECTIONS, trace):
        return []
    right = None if lab.maps_agree else _expected_boxes(lab)
    if right is not None and lab.is_same(DETECTIONS, replace(trace, source=None), _of_candidates_map(lab, right)):
        return []  # what is changed after it keeps the limits; the map is what differs
    if found := _by_pipeline(lab, own):
        return found
    if lab.maps_agree and (found := _by_later_change(lab, trace.detections)):
        return found
    if lab.maps_agree and lab.is_same_boxes(own) and _is_repeated(lab, own, trace.detections):
        return [_later_stage(lab, own, trace.detections)]
    summary = (
        f"{lab.names.candidate}'s own post-process makes {number_of_boxes(len(own))} of its own map, and its trace "
        f"holds {number_of_boxes(len(trace.detections))} that differ: something changes boxes after it (a second "
        "stage, merging, tiles?)"
    )
    return [lab.unknown_cause(DETECTIONS, summary)]


def _by_pipeline(lab: Laboratory, own: Detections) -> list[Diagnosis]:
    """Put the detector's boxes into the place of those that the candidate's pipeline makes of them."""
    trace, recorded = lab.candidate, lab.candidate.detections
    later = lab.ask(trace, HasLaterSteps, lambda side: side.later_steps)
    if not later or recorded is None or not lab.is_same(DETECTIONS, replace(trace, detections=own)):
        return []
    kept = {polygon.tobytes() for polygon in recorded.polygons}
    lost = [polygon for polygon in own.polygons if polygon.tobytes() not in kept]
    candidate = lab.names.candidate
    summary = f"{candidate}'s detector finds {number_of_boxes(len(own))}, and what follows it returns {len(recorded)}"
    proof = [f"with the {number_of_boxes(len(own))} of its detector in their place, all are within the limits"]
    proof += [f"one that is missing or changed begins at ({x:g}, {y:g})" for (x, y), *_ in lost[:1]]
    fix = f"look at what works on the boxes after the detector ({later}), or call the detector alone"
    diagnosis = lab.proven_cause(DETECTIONS, "pipeline.boxes", summary, proof, fix)
    lab.adopt_patch(DETECTIONS, diagnosis.cause, replace(lab.patched, detectors_own=True))
    return [diagnosis]


def _is_repeated(lab: Laboratory, own: Detections, found: Detections) -> bool:
    """Run the whole candidate and its post-process once more; return whether each returns what it did.

    Else its boxes depend on what ran before, or on chance, and nothing need follow its post-process.
    """
    trace, source, image = lab.candidate, pipeline_of(lab.candidate), lab.image
    if source is None or image is None or trace.probability_map is None:
        return False
    with lab.budget.network_run(lab.tensor.size):
        again = lab.attempt(lambda: source.trace(image))  # its own, whose `trace_anew` may leave out what follows
    if again is None or again is trace:  # a store of the candidate's returns the same, and then nothing ran
        return False
    return again.detections == found and boxes_of_map(trace, trace.probability_map) == own


def _later_stage(lab: Laboratory, own: Detections, found: Detections) -> Diagnosis:
    """Return as the cause what changes or replaces the boxes of a post-process that is right."""
    reference, candidate = lab.names
    proof = f"{candidate}'s own post-process makes {number_of_boxes(len(own))} of its own map, and they are "
    proof += f"{reference}'s; its trace holds {number_of_boxes(len(found))} that differ; run again, each is as before"
    summary = f"{candidate} does not return the boxes that its own post-process makes of its own map, which are right: "
    summary += "something around it changes or replaces them, such as a second stage, merging or tiles"
    fix = f"look at what {candidate} does around its post-process; its map, and what that makes of it, are right"
    lab.adopt_patch(DETECTIONS, "pipeline.boxes", replace(lab.patched, detectors_own=True))
    return lab.proven_cause(DETECTIONS, "pipeline.boxes", summary, [proof], fix)


def _examine_postprocess(lab: Laboratory, made: Detections) -> list[Diagnosis]:
    def fixes_stage(patched: PatchedCandidate) -> str | None:
        boxes = lab.run_postprocess(patched)
        if boxes is None or not lab.is_same_boxes(boxes) or not puts_own_boxes_right(lab, patched):
            return None
        return f"{number_of_boxes(len(boxes))}, all within the limits"

    return by_parameters(lab, DETECTIONS, fixes_stage) or _stated_first(
        by_known_values(lab),
        lambda: _by_later_change(lab, made),
        lambda: _by_parameters_and_later_change(lab),
        lambda: [lab.unknown_cause(DETECTIONS, "the same map gives other boxes, and no experiment explained it")],
    )


def _by_parameters_and_later_change(lab: Laboratory) -> list[Diagnosis]:
    """Return the causes where parameters and something after the post-process are at fault together."""
    start = lab.patched

    def leaves_one(patched: PatchedCandidate) -> str | None:
        """Return which cause is left with these parameters put right, or None."""
        boxes, notes = lab.run_postprocess(patched), [list(each) for each in (lab.tried, lab.not_tried, lab.noticed)]
        lab.patched = patched
        later = _by_later_change(lab, boxes) if boxes is not None else []
        lab.patched = start
        lab.tried, lab.not_tried, lab.noticed = notes
        return f"but for {later[0].cause}" if later else None

    found = by_parameters(lab, DETECTIONS, leaves_one)
    boxes = lab.run_postprocess() if found else None
    if boxes is None or not (later := _by_later_change(lab, boxes)):
        lab.patched = start
        return []
    return [*found, *later]


def _by_later_change(lab: Laboratory, made: Detections) -> list[Diagnosis]:
    """Examine what follows the post-process; `made` are the patched candidate's boxes of the reference's map."""
    own = _own_boxes(lab, lab.patched)
    return (
        _by_score_order(lab)
        or by_coordinates(lab, made, puts_own_boxes_right)
        or by_small_box_filter(lab, made, own, _expected_boxes(lab))
    )


def puts_own_boxes_right(lab: Laboratory, patched: PatchedCandidate, *, needs_fault: bool = True) -> bool:
    """Return whether a patched candidate also corrects the boxes that the candidate really returned.

    Where parameters of the post-process were put right, it runs on the candidate's own map. Otherwise what follows the
    post-process is undone on the recorded boxes. Where the maps agree, the result must be the reference's boxes. Where
    they differ, it must be what the reference's post-process makes of the candidate's map; if that can't be run, nearer
    to the reference's boxes. Where coordinates were undone it must also be nearer to them by `GAIN`.
    Recorded boxes that already are what the reference's post-process makes are not explained; without `needs_fault`
    they are, by parameters.
    """
    trace = lab.candidate
    if trace.detections is None:
        return True  # it stopped before, and has no result to explain
    own_boxes = _own_boxes(lab, patched)
    if own_boxes is None:
        return False
    if trace.probability_map is None or lab.maps_agree:
        return lab.is_same(DETECTIONS, replace(trace, detections=own_boxes, source=None))
    assert lab.reference.detections is not None
    gain = _mean_iou(lab.reference.detections, own_boxes) - _mean_iou(lab.reference.detections, trace.detections)
    right = _expected_boxes(lab)
    if right is None:
        return gain >= GAIN if patched.boxes is not None else gain > 0
    own = _of_candidates_map(lab, right)
    is_wrong = not lab.is_same(DETECTIONS, replace(trace, source=None), own)
    is_put_right = lab.is_same(DETECTIONS, replace(trace, detections=own_boxes, source=None), own)
    if patched.boxes is not None:
        return is_wrong and is_put_right and gain >= GAIN
    return (is_wrong or not needs_fault) and is_put_right


def _of_candidates_map(lab: Laboratory, right: Detections) -> Trace:
    """Return the reference's trace as if it had the candidate's map, of which its post-process makes these boxes."""
    trace = lab.candidate
    return replace(lab.reference, detections=right, probability_map=trace.probability_map, shape=trace.shape)


def _expected_boxes(lab: Laboratory) -> Detections | None:
    """Return the boxes that the candidate's own map should give; where the maps agree, the reference's."""
    trace = lab.candidate
    if trace.probability_map is None or lab.maps_agree:
        return lab.reference.detections
    return (
        None if trace.shape is None else boxes_of_map(replace(lab.reference, shape=trace.shape), trace.probability_map)
    )


def _own_boxes(lab: Laboratory, patched: PatchedCandidate) -> Detections | None:
    """Return the candidate's own boxes put right, or None where its post-process does not return them unpatched."""
    trace = lab.candidate
    if trace.detections is None:
        return None
    if patched.detectors_own and trace.probability_map is not None and trace.shape is not None:
        return lab.run_postprocess(PatchedCandidate(lab.own), trace)
    if not any(patch.stage == DETECTIONS and patch.parameters for patch in patched.patches):
        side = trace if trace.probability_map is not None else lab.reference
        size = (1, 1) if side.probability_map is None else side.probability_map.shape[-2:]
        shape = trace.shape or lab.reference.shape or (1.0, 1.0, 1.0, 1.0)
        boxes = trace.detections
        return boxes if patched.boxes is None else patched.boxes(boxes, (int(size[0]), int(size[1])), shape)
    map_trace = trace if trace.probability_map is not None and trace.shape is not None else lab.reference
    own = lab.run_postprocess(PatchedCandidate(lab.own), map_trace)
    if own is None or not lab.is_same(DETECTIONS, replace(trace, detections=own, source=None), _as_reference(trace)):
        return None
    return lab.run_postprocess(patched, map_trace)


def _as_reference(trace: Trace) -> Trace:
    """Return a copy of the candidate's trace that it can be compared with."""
    return replace(trace, pipeline=f"{trace.pipeline} as recorded", source=None)


def _mean_iou(reference: Detections, found: Detections) -> float:
    """Return the mean IoU, 0 to 1, with boxes that have no pair counting as 0."""
    pairs = match_polygons(reference.polygons, found.polygons).pairs
    return sum(pair.iou for pair in pairs) / max(len(reference), len(found), 1)


def _by_score_order(lab: Laboratory) -> list[Diagnosis]:
    """Sort the candidate's scores into the order of its boxes; if nothing differs then, their order is the cause."""
    trace, found = lab.candidate, lab.candidate.detections
    is_reported = any(each.kind == "score_order" for each in lab.compare_with_reference(DETECTIONS, trace).differences)
    if found is None or found.scores is None or not is_reported:
        return []
    limits = box_pair_limits(lab.reference, trace, lab.tolerance, maps_equal=False)
    known = expected_scores(detections_with_expected_scores(lab.reference, trace), found, limits)
    expected = known or _scores_of_reference(lab, found)
    if len(expected) != len(found):
        return []
    order = np.argsort([expected[index] for index in range(len(found))], kind="stable")
    scores = np.empty_like(found.scores)
    scores[order] = np.sort(found.scores)
    if not lab.is_same(DETECTIONS, replace(trace, detections=Detections(found.polygons, scores))):
        return []
    reference, candidate = lab.names
    proof = f"with its {len(found)} scores put in the order of {reference}'s, nothing of {candidate}'s boxes differs"
    summary = f"{candidate}'s scores are in another order than the boxes"
    fix = f"keep boxes and scores of {candidate} in one order: "
    fix += "whatever sorts or filters the boxes must move the scores along"
    return [lab.proven_cause(DETECTIONS, "postprocess.score_order", summary, [proof], fix)]


def _scores_of_reference(lab: Laboratory, found: Detections) -> Mapping[int, float]:
    """Return, by index of a found box, the score of the reference's box that it pairs with."""
    right = lab.reference.detections
    if right is None or right.scores is None:
        return {}
    return {p.candidate: float(right.scores[p.reference]) for p in match_polygons(right.polygons, found.polygons).pairs}
