"""Why the same map gives other boxes: experiments with the post-process's parameters and with what follows it."""

from __future__ import annotations

from dataclasses import replace

from pytest_ocrparity.diagnose.coordinates import by_coordinates
from pytest_ocrparity.diagnose.filtering import by_filter
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.parameters import by_parameters, groups, with_all
from pytest_ocrparity.diagnose.remedy import Remedy
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.trace import DETECTIONS, Detections

__all__ = ["examine_boxes"]


def examine_boxes(lab: Laboratory) -> list[Diagnosis]:
    """Return the causes for which the two post-processes make different boxes of the reference's map."""
    if lab.reference.detections is None or lab.reference.probability_map is None or lab.reference.shape is None:
        return []
    made = lab.postprocessed()
    if made is None:
        return _without_running(lab)
    if not lab.is_same_boxes(made):
        return _examine(lab, made)
    return _after_the_post_process(lab)


def _without_running(lab: Laboratory) -> list[Diagnosis]:
    """Examine the recorded boxes of a candidate whose post-process can't be run by itself; they are of its own map."""
    theirs, probability_map = lab.candidate.detections, lab.candidate.probability_map
    lab.not_tried.append(
        f"{lab.names[0]}'s map through the post-process of {lab.names[1]}, which can't be run by itself"
    )
    if theirs is None or lab.is_same_boxes(theirs):
        return []
    if probability_map is not None and not lab.is_same_map(probability_map):
        return []  # the map explains them as far as anyone can tell
    return _after(lab, theirs) or [lab.unknown(DETECTIONS)]


def _after_the_post_process(lab: Laboratory) -> list[Diagnosis]:
    """Examine what a side does with its boxes after the post-process: what comes out must be what its trace holds."""
    trace = lab.candidate
    if trace.detections is None or trace.probability_map is None or trace.shape is None or trace.source is None:
        return []
    try:
        own = trace.source.postprocess(trace.probability_map, trace.shape)
    except Exception:  # a pipeline of the user's may only trace
        return []
    if own == trace.detections or not lab.is_same_map(trace.probability_map):
        return []
    if lab.is_same_boxes(trace.detections):
        return []
    return _after(lab, trace.detections) or [lab.unknown(DETECTIONS)]


def _examine(lab: Laboratory, made: Detections) -> list[Diagnosis]:
    def is_mended(remedy: Remedy) -> str | None:
        boxes = lab.postprocessed(remedy)
        return f"{len(boxes)} boxes, all within the limits" if boxes is not None and lab.is_same_boxes(boxes) else None

    found = by_parameters(lab, DETECTIONS, is_mended)
    if found:
        return found
    found = _after(lab, made)
    start = lab.remedy
    if not found and start is not None and groups(lab, DETECTIONS):
        # A fault of parameters and one of coordinates at once.
        lab.remedy = with_all(lab, DETECTIONS, start)
        if lab.remedy is not None and (boxes := lab.postprocessed()) is not None:
            transforms = _after(lab, boxes)
            if transforms:
                parameters = by_parameters(lab, DETECTIONS, is_mended, replace(start, boxes=lab.remedy.boxes))
                return [*parameters, *transforms]
        lab.remedy = start
    return found or [lab.unknown(DETECTIONS, "the same map gives other boxes, and no experiment explained it")]


def _after(lab: Laboratory, made: Detections) -> list[Diagnosis]:
    return by_coordinates(lab, made) or by_filter(lab, made)
