"""Experiments with coordinates: undo each way in which they may be distorted after the post-process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.patched_candidate import PatchedCandidate
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.stages import DETECTIONS
from pytest_ocrparity.trace import Array, Detections, Shape

Size: TypeAlias = "tuple[int, int]"
Undo: TypeAlias = Callable[[Detections, Size, Shape], Detections]

FEWEST_BOXES: Final = 3
"""One or two boxes are always a scaled and shifted copy of others."""


MAP_MOVES: Final = 4
"""Map px by which a map may be moved as a whole: DB's head works at a quarter of the size, and one step there is 4."""


class Distortion(NamedTuple):
    """A way in which coordinates may be distorted, with the function that undoes it."""

    cause: str
    summary: str
    undo: Undo
    fix: str


_BY_SIZES = "rescale x by source width / map width and y by source height / map height"
_WRAPPED = Distortion(
    "rescale.int16",
    "coordinates beyond 32767 px wrapped around in {candidate}: it returns int16",
    lambda boxes, *_: _with_points_changed(boxes, lambda p: np.where(p < 0, p + 65536, p)),
    "cut pages wider or higher than 32767 px, or use box_type: poly on both sides, which is not cast to int16",
)
_FIXED: Final = (
    Distortion(
        "rescale.frame",
        "boxes of {candidate} are in pixels of the map, not of the image",
        lambda boxes, size, row: _with_points_scaled(boxes, row[1] / size[1], row[0] / size[0]),
        _BY_SIZES,
    ),
    Distortion(
        "rescale.frame",
        "boxes of {candidate} lie between 0 and 1, not in pixels of the image",
        lambda boxes, _, row: _with_points_scaled(boxes, row[1], row[0]),
        "multiply x by the source width and y by the source height",
    ),
    Distortion(
        "rescale.ratio",
        "{candidate} rescales x by the ratio of y, and y by that of x",
        lambda boxes, size, row: _with_points_scaled(boxes, _swapped_ratio(size, row), 1 / _swapped_ratio(size, row)),
        _BY_SIZES,
    ),
    Distortion(
        "rescale.axes",
        "{candidate} returns (y, x) where (x, y) is right",
        lambda boxes, *_: _with_points_changed(boxes, lambda polygon: polygon[:, ::-1]),
        "return x first, then y",
    ),
)


def by_coordinates(
    lab: Laboratory, made: Detections, puts_own_boxes_right: Callable[[Laboratory, PatchedCandidate], bool]
) -> list[Diagnosis]:
    """Undo one distortion at a time; the one whose undoing returns the reference's boxes is the cause.

    It must also correct the boxes that the candidate really returned, which `puts_own_boxes_right` checks.
    """
    reference, candidate = lab.names
    size, shape = _map_size_and_shape(lab)
    fitting: list[Distortion] = []
    for way in _possible_distortions(lab, made):
        undone, summary = way.undo(made, size, shape), way.summary.format(candidate=candidate)
        if not lab.is_same_boxes(undone):
            continue
        if not puts_own_boxes_right(lab, replace(lab.patched, boxes=way.undo)):
            text = f"undoing it would correct boxes of {reference}'s map, but not the boxes that {candidate} returned"
            lab.noticed.append(f"{summary}? {text}")
            continue
        if way not in (*_FIXED, _WRAPPED) and not lab.is_picture_explained:
            lab.noticed.append(f"{summary}? the page may lie so in its picture, whose difference is not explained")
            continue
        if _may_be_of_the_map(lab, made, undone, size, shape):
            lab.noticed.append(f"{summary}? A map that is moved so far does the same, and {candidate} records no map")
            continue
        if not any(_says_the_same(before, way) for before in fitting):
            fitting.append(way)
    if not fitting:
        lab.tried.append("rescale: no int16 wrap, frame, order of x and y, offset or ratio per axis explains all boxes")
        return []
    if len(fitting) > 1:
        return [_rivals(lab, fitting)]
    (way,) = fitting
    proof = f"with that undone, the {len(made)} boxes of {candidate} are {reference}'s, within the limits"
    lab.adopt_patch(DETECTIONS, way.cause, replace(lab.patched, boxes=way.undo))
    return [lab.proven_cause(DETECTIONS, way.cause, way.summary.format(candidate=candidate), [proof], way.fix)]


def _says_the_same(way: Distortion, other: Distortion) -> bool:
    """Return whether a later way is this one in numbers: each but the order of x and y scales and moves each axis.

    So does a wrap of all boxes, by 65536 px to a hair: no other numbers are undone by it.
    """
    return other not in (*_FIXED, _WRAPPED) and way.cause != "rescale.axes"


def _rivals(lab: Laboratory, ways: list[Distortion]) -> Diagnosis:
    """Return as unknown the ways of which each alone explains the boxes."""
    candidate = lab.names.candidate
    texts = "; or ".join(way.summary.format(candidate=candidate) for way in ways)
    unknown = lab.unknown_cause(DETECTIONS, f"{texts}. Undoing either gives the same boxes, so it is not known which")
    return replace(unknown, rivals=tuple(dict.fromkeys(way.cause for way in ways)))


def _may_be_of_the_map(lab: Laboratory, made: Detections, undone: Detections, size: Size, shape: Shape) -> bool:
    """Return whether the boxes are off by no more than a map may lie beside its page, and no map is recorded."""
    if made is not lab.candidate.detections or lab.candidate.probability_map is not None:
        return False
    moved = max(float(np.abs(one - two).max()) for one, two in zip(made.polygons, undone.polygons, strict=True))
    rounded = 1.0  # px, half on either side; of a map that nobody records a px is taken for one of the page
    return moved <= MAP_MOVES * max(shape[0] / size[0], shape[1] / size[1]) + rounded


def _map_size_and_shape(lab: Laboratory) -> tuple[Size, Shape]:
    """Return the (h, w) of the map and the shape row; ones where the reference records no map, or no size of a page."""
    probability_map, shape = lab.reference.probability_map, lab.reference.shape
    if probability_map is None or shape is None or not probability_map.size or not all(shape[:2]):
        return (1, 1), (1.0, 1.0, 1.0, 1.0)
    return (int(probability_map.shape[-2]), int(probability_map.shape[-1])), shape


def _possible_distortions(lab: Laboratory, made: Detections) -> Iterator[Distortion]:
    size, shape = _map_size_and_shape(lab)
    if max(shape[:2]) > 32767 and any((polygon < 0).any() for polygon in made.polygons):
        yield _WRAPPED
    # Without a map its size is not known, and the fit alone finds a scale.
    yield from (way for way in _FIXED if size != (1, 1) or way.cause == "rescale.axes")
    assert lab.reference.detections is not None
    fit = _fit_scale_and_offset(lab.reference.detections, made)
    if fit is None:
        return
    slope, offset = fit
    shifted = f"shifted by x {offset[0]:+.1f}, y {offset[1]:+.1f} px"
    extent = np.max(np.concatenate(made.polygons), axis=0)
    if np.all(np.abs(slope - 1) * (extent if size == (1, 1) else (shape[1], shape[0])) < 1.5):
        yield Distortion(
            "rescale.offset",
            f"boxes of {{candidate}} are {shifted}",
            lambda boxes, *_: _with_points_changed(boxes, lambda p: p - offset),
            "subtract the padding that was added before the network, or add the origin of the crop, to the boxes",
        )
    yield Distortion(
        "rescale.ratio",
        f"boxes of {{candidate}} are scaled by x {slope[0]:.4g}, y {slope[1]:.4g} and {shifted}",
        lambda boxes, *_: _with_points_changed(boxes, lambda p: (p - offset) / slope),
        f"find where boxes are scaled so after the post-process; right is: {_BY_SIZES}",
    )


def _swapped_ratio(size: Size, shape: Shape) -> float:
    """Return the factor that x lacks, and y has too much, where the ratios were swapped."""
    return (shape[1] / size[1]) / (shape[0] / size[0])


def _with_points_changed(boxes: Detections, change: Callable[[Array], Array]) -> Detections:
    return Detections(tuple(change(polygon) for polygon in boxes.polygons), boxes.scores)


def _with_points_scaled(boxes: Detections, x: float, y: float) -> Detections:
    return _with_points_changed(boxes, lambda polygon: np.round(polygon * (x, y)))


def _fit_scale_and_offset(reference: Detections, candidate: Detections) -> tuple[Array, Array] | None:
    """Fit candidate = slope * reference + offset per axis; None where that does not fit.

    Sorted coordinates are fitted, as a positive slope keeps their order; no pairs are needed. Centres must fit as well
    as corners: boxes that were only enlarged keep their centres.
    """
    if len(reference) < FEWEST_BOXES or len(reference) != len(candidate):
        return None
    corners = [np.concatenate(boxes.polygons) for boxes in (reference, candidate)]
    if len(corners[0]) != len(corners[1]) or not all(np.isfinite(each).all() for each in corners):
        return None
    centres = [np.array([polygon.mean(axis=0) for polygon in boxes.polygons]) for boxes in (reference, candidate)]
    slopes, offsets = [], []
    for axis in (0, 1):
        x, y = (np.sort(each[:, axis]) for each in corners)
        size = max(float(np.ptp(polygon[:, axis])) for polygon in reference.polygons)
        if np.ptp(centres[0][:, axis]) < size:
            return None  # boxes overlap on this axis: enlarged ones look like scaled ones
        slope, offset = np.polyfit(x, y, 1)
        moved = np.sort(centres[1][:, axis]) - (slope * np.sort(centres[0][:, axis]) + offset)
        # Rounding moves a coordinate by half a px on either side; what lies further off is not scaled but cut or moved.
        is_on_line = np.max(np.abs(y - (slope * x + offset))) <= 1.0
        if slope <= 0 or np.max(np.abs(moved)) > 2 or not is_on_line:
            return None
        slopes.append(slope)
        offsets.append(offset)
    return np.array(slopes), np.array(offsets)
