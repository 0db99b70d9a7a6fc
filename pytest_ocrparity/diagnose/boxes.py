"""Why the same map gives other boxes: experiments with the post-process's parameters and with what follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.parameters import by_parameters, groups
from pytest_ocrparity.diagnose.remedy import Remedy
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.pipelines import Shape
from pytest_ocrparity.trace import DETECTIONS, Detections

__all__ = ["examine_boxes"]

Array: TypeAlias = "npt.NDArray[Any]"
Size: TypeAlias = "tuple[int, int]"
Mend: TypeAlias = Callable[[Detections, Size, Shape], Detections]


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
    return _examine_transforms(lab, theirs) or [lab.unknown(DETECTIONS)]


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
    return _examine_transforms(lab, trace.detections) or [lab.unknown(DETECTIONS)]


def _examine(lab: Laboratory, made: Detections) -> list[Diagnosis]:
    def is_mended(remedy: Remedy) -> str | None:
        boxes = lab.postprocessed(remedy)
        return f"{len(boxes)} boxes, all within the limits" if boxes is not None and lab.is_same_boxes(boxes) else None

    found = by_parameters(lab, DETECTIONS, is_mended)
    if found:
        return found
    found = _examine_transforms(lab, made)
    start = lab.remedy
    if not found and start is not None and groups(lab, DETECTIONS):
        # A fault of parameters and one of coordinates at once.
        lab.remedy = _with_all(lab, start)
        if lab.remedy is not None and (boxes := lab.postprocessed()) is not None:
            transforms = _examine_transforms(lab, boxes)
            if transforms:
                parameters = by_parameters(lab, DETECTIONS, is_mended, replace(start, boxes=lab.remedy.boxes))
                return [*parameters, *transforms]
        lab.remedy = start
    return found or [lab.unknown(DETECTIONS, "the same map gives other boxes, and no experiment explained it")]


def _with_all(lab: Laboratory, base: Remedy) -> Remedy | None:
    values = {name: value for group in groups(lab, DETECTIONS) for name, value in group.values.items()}
    try:
        return base.varied({DETECTIONS: values})
    except Exception:  # what one side can be set to, the other may refuse
        return None


class Transform(NamedTuple):
    """A way in which coordinates may have been spoilt, with what undoes it."""

    cause: str
    summary: str
    undo: Mend
    fix: str


def _examine_transforms(lab: Laboratory, made: Detections) -> list[Diagnosis]:
    """Undo what may have spoilt the coordinates, one way at a time; what returns the reference's boxes is the cause."""
    one, two = lab.names
    assert lab.reference.probability_map is not None
    assert lab.reference.shape is not None
    assert lab.reference.detections is not None
    height, width = lab.reference.probability_map.shape[-2:]
    for transform in _transforms(lab, made, (height, width), lab.reference.shape):
        undone = transform.undo(made, (height, width), lab.reference.shape)
        if not lab.is_same_boxes(undone):
            continue
        proof = f"with that undone, the {len(undone)} boxes of {two} are {one}'s, within the limits"
        if lab.remedy is not None:
            lab.remedy = replace(lab.remedy, boxes=transform.undo)
        lab.forget()
        return [
            lab.claim(DETECTIONS, transform.cause, transform.summary.format(one=one, two=two), [proof], transform.fix)
        ]
    if _is_filtered(lab, made):
        proof = f"{one}'s boxes, clipped to width - 1 and height - 1 and without those that have a side of up to 3 px, are {two}'s"
        summary = f"{two} filters its boxes once more, as predict_det.py's filter_tag_det_res does"
        fix = f"take the filter out of {two}, or filter {one}'s boxes in the same way"
        return [lab.claim(DETECTIONS, "postprocess.filter", summary, [proof], fix)]
    lab.ruled_out.append(
        "coordinates: no int16 wrap, frame, offset or ratio per axis, and no filter of small boxes explains them"
    )
    return []


def _transforms(lab: Laboratory, made: Detections, size: Size, shape: Shape) -> Iterator[Transform]:
    assert lab.reference.detections is not None
    if any((polygon < 0).any() for polygon in made.polygons):
        yield Transform(
            "rescale.int16",
            "coordinates beyond 32767 px wrapped around in {two}: it returns int16",
            lambda boxes, *_: _mapped(boxes, lambda p: np.where(p < 0, p + 65536, p)),
            "cut pages wider or higher than 32767 px, or use box_type: poly on both sides, which is not cast to int16",
        )
    x, y = shape[1] / size[1], shape[0] / size[0]
    yield Transform(
        "rescale.frame",
        "boxes of {two} are in pixels of the map, not of the image",
        lambda boxes, s, row: _scaled(boxes, row[1] / s[1], row[0] / s[0]),
        f"multiply x by source width / map width ({x:.4g} here) and y by source height / map height ({y:.4g})",
    )
    yield Transform(
        "rescale.frame",
        "boxes of {two} lie between 0 and 1, not in pixels of the image",
        lambda boxes, _, row: _scaled(boxes, row[1], row[0]),
        "multiply x by the source width and y by the source height",
    )
    if abs(x / y - 1) > 1e-6:
        yield Transform(
            "rescale.ratio",
            "{two} rescales x by the ratio of y, and y by that of x",
            lambda boxes, s, row: _scaled(boxes, _ratio(s, row), 1 / _ratio(s, row)),
            "rescale x by source width / map width and y by source height / map height",
        )
    fit = _fit(lab.reference.detections, made)
    if fit is None:
        return
    slope, offset = fit
    height, width = shape[0], shape[1]
    if np.all(np.abs(slope - 1) * (width, height) < 1.5):
        yield Transform(
            "rescale.offset",
            f"boxes of {{two}} are shifted by x {offset[0]:+.1f}, y {offset[1]:+.1f} px",
            lambda boxes, *_: _mapped(boxes, lambda p: p - offset),
            "subtract the padding that was added before the network, or add the origin of the crop, to the boxes",
        )
    yield Transform(
        "rescale.ratio",
        f"boxes of {{two}} are scaled by x {slope[0]:.4g}, y {slope[1]:.4g} and shifted by x {offset[0]:+.1f}, y {offset[1]:+.1f} px",
        lambda boxes, *_: _mapped(boxes, lambda p: (p - offset) / slope),
        "rescale x by source width / map width and y by source height / map height",
    )


def _ratio(size: Size, shape: Shape) -> float:
    """Return what x was multiplied by too little where the ratios were swapped."""
    return (shape[1] / size[1]) / (shape[0] / size[0])


def _mapped(boxes: Detections, change: Callable[[Array], Array]) -> Detections:
    return Detections(tuple(change(polygon) for polygon in boxes.polygons), boxes.scores)


def _scaled(boxes: Detections, x: float, y: float) -> Detections:
    return _mapped(boxes, lambda polygon: np.round(polygon * (x, y)))


def _fit(ours: Detections, theirs: Detections) -> tuple[Array, Array] | None:
    """Fit theirs = slope * ours + offset per axis; a growing map keeps the order of coordinates, so no pairs are needed."""
    if not len(ours) or len(ours) != len(theirs):
        return None
    one, two = np.concatenate(ours.polygons), np.concatenate(theirs.polygons)
    if len(one) != len(two) or not (np.isfinite(one).all() and np.isfinite(two).all()):
        return None
    slopes, offsets = [], []
    for axis in (0, 1):
        x, y = np.sort(one[:, axis]), np.sort(two[:, axis])
        if np.ptp(x) == 0:
            return None
        slope, offset = np.polyfit(x, y, 1)
        if slope <= 0:
            return None
        slopes.append(slope)
        offsets.append(offset)
    return np.array(slopes), np.array(offsets)


def _is_filtered(lab: Laboratory, made: Detections) -> bool:
    """Tell whether the reference's boxes, filtered as predict_det.py's `filter_tag_det_res` does, are the candidate's."""
    ours, shape = lab.reference.detections, lab.reference.shape
    assert ours is not None
    assert shape is not None
    kept = [
        index
        for index, polygon in enumerate(ours.polygons)
        if len(polygon) == 4 and _is_large(_clipped(polygon, shape))
    ]
    if len(kept) == len(ours) or len(kept) != len(made):
        return False
    scores = None if ours.scores is None or made.scores is None else ours.scores[kept]
    filtered = Detections(tuple(ours.polygons[index] for index in kept), scores)
    judged = replace(lab, reference=replace(lab.reference, detections=filtered))
    return judged.is_same_boxes(made)


def _clipped(polygon: Array, shape: Shape) -> Array:
    return np.asarray(np.clip(polygon, 0, (shape[1] - 1, shape[0] - 1)))


def _is_large(polygon: Array) -> bool:
    """Tell whether the first two sides are longer than 3 px, cut to whole pixels, as that function asks."""
    ordered = _clockwise(polygon)
    return int(np.linalg.norm(ordered[0] - ordered[1])) > 3 and int(np.linalg.norm(ordered[0] - ordered[3])) > 3


def _clockwise(polygon: Array) -> Array:
    """Order a quad's points from the top left on: least and largest sum of x and y, least and largest difference."""
    total, difference = polygon.sum(axis=1), np.diff(polygon, axis=1).ravel()
    return polygon[
        [int(np.argmin(total)), int(np.argmin(difference)), int(np.argmax(total)), int(np.argmax(difference))]
    ]
