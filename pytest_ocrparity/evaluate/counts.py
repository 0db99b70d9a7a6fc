"""Counts what both sides found of what is right in an image.

Boxes are counted by the rules of PaddleOCR's `DetectionIoUEvaluator`: polygons that cross themselves or have no area
are left out on both sides; so is a detection that lies with more than half of its area in a region that the label does
not care about; a detection matches a box of the label where their IoU is above 0.5.

One thing differs. PaddleOCR goes through the boxes of the label and gives each the first detection that is left, so
that the same boxes in another order can match more or fewer: where both sides find the same boxes and one sorts them,
the evaluator shows a difference that is none. `Counts.matched` is the largest number of pairs, one to one, which no
order changes; among choices of as many pairs, that of the largest summed IoU. `Counts.in_order` is PaddleOCR's number,
never larger, for a figure that can be held against tools/eval.py.

Texts are counted as by PaddleOCR's `RecMetric`, which removes spaces, and with spaces. Labels are taken as they are
written. What tools/eval.py gives its metric went through a label encoder, which drops labels longer than
`max_text_length`, skips characters outside of the dictionary, and may lower the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

from pytest_ocrparity.edits import edit_distance
from pytest_ocrparity.evaluate.label_line import Label
from pytest_ocrparity.geometry import Edges, Index, Polygon, Shapes, best_choice
from pytest_ocrparity.trace import Detections, Recognition

MIN_IOU: Final = 0.5
"""A detection matches a box where their IoU is above it (`DetectionIoUEvaluator.iou_constraint`)."""
MAX_IGNORED: Final = 0.5
"""A detection is ignored where more of its area lies in one don't care region (`area_precision_constraint`)."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What one side found in one image; integers, so that sums over images are exact.

    Of a recogniser an image is one line, so that `truth` and `found` are 1 and hmean is PaddleOCR's accuracy.
    """

    matched: Annotated[int, "boxes of the label that have a detection of IoU above 0.5, one to one; right lines"]
    truth: Annotated[int, "boxes of the label, don't care and invalid ones left out; lines"]
    found: Annotated[int, "detections, ignored and invalid ones left out; lines"]
    in_order: Annotated[int, "boxes that PaddleOCR's evaluator matches, which depends on their order; right lines"] = 0
    invalid: Annotated[int, "detections that cross themselves or have no area: PaddleOCR leaves them out"] = 0
    distance: Annotated[float, "normalised edit distance of the line, 0 to 1, spaces counted"] = 0.0
    spaceless: Annotated[int, "1: the line is right where spaces are not counted, as by PaddleOCR's RecMetric"] = 0
    spaceless_distance: Annotated[float, "normalised edit distance of the line where spaces are not counted"] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCounts:
    """What both sides found in one image."""

    image: Annotated[str, "its path, as its label or its trace names it"]
    group: Annotated[str, "the document that it is of: images of one are drawn together"]
    reference: Counts
    candidate: Counts
    is_blank: Annotated[bool, "true: its label says that it holds no text"] = False
    lost: Annotated[tuple[int, ...], "boxes of the label, from 0, that only the reference matches; of a line 0"] = ()
    gained: Annotated[tuple[int, ...], "boxes of the label, from 0, that only the candidate matches; of a line 0"] = ()

    @property
    def loss(self) -> int:
        """How many boxes the candidate loses, and how many more of what it finds are wrong."""
        one, two = self.reference, self.candidate
        return 2 * (one.matched - two.matched) + two.found - one.found

    @property
    def is_different(self) -> bool:
        """Return whether other boxes are matched, or other numbers of boxes found, than by the reference."""
        one, two = self.reference, self.candidate
        return bool(self.lost or self.gained) or (one.matched, one.found) != (two.matched, two.found)

    @property
    def is_worse(self) -> bool:
        """Return whether the candidate lost a box, for which it may have gained another, or finds more wrong ones."""
        one, two = self.reference, self.candidate
        return bool(self.lost) or two.matched < one.matched or two.found - two.matched > one.found - one.matched


class _Side(NamedTuple):
    """Counts, and the indices of the label's boxes that are matched."""

    counts: Counts
    matched: frozenset[int]


def count_image(
    label: Label, reference: Detections | Recognition, candidate: Detections | Recognition, image: str = ""
) -> ImageCounts:
    """Count what both sides found in an image.

    Args:
        label: what is right.
        reference: what the side found that is right by definition; boxes in pixels of the image as cv2 reads it.
        candidate: what the side under test found.
        image: how the image is called; as its label does by default.

    Raises:
        TypeError: the label is of a line and a side of a page, or the reverse.
    """
    one, two = _count_side(label, reference), _count_side(label, candidate)
    name = image or label.image
    return ImageCounts(
        image=name,
        group=label.group or name,
        reference=one.counts,
        candidate=two.counts,
        is_blank=label.is_blank,
        lost=tuple(sorted(one.matched - two.matched)),
        gained=tuple(sorted(two.matched - one.matched)),
    )


def _count_side(label: Label, found: Detections | Recognition) -> _Side:
    if isinstance(found, Recognition) and label.text is not None:
        return _count_text(label.text, found.text)
    if isinstance(found, Detections) and label.text is None:
        return _count_boxes(label, found.polygons)
    wanted = "Detections" if label.text is None else "a Recognition"
    raise TypeError(f"{label.image or 'a label'} needs {wanted} of each side, not {type(found).__name__}")


def _count_text(right: str, read: str) -> _Side:
    spaceless = right.replace(" ", ""), read.replace(" ", "")
    is_right = int(right == read)
    counts = Counts(
        matched=is_right,
        truth=1,
        found=1,
        in_order=is_right,
        distance=_normalised_distance(right, read),
        spaceless=int(spaceless[0] == spaceless[1]),
        spaceless_distance=_normalised_distance(*spaceless),
    )
    return _Side(counts, frozenset(range(is_right)))


def _normalised_distance(right: str, read: str) -> float:
    """Return the edit distance over the length of the longer text, as rapidfuzz's `normalized_distance`."""
    return edit_distance(right, read) / max(len(right), len(read), 1)


def _count_boxes(label: Label, detections: Sequence[Polygon]) -> _Side:
    places, boxes = counted_shapes(label.polygons)
    found = counted_shapes(detections)[1]
    is_ignored = np.array(label.ignored, bool)[places]
    places, regions, boxes = places[~is_ignored], boxes[is_ignored], boxes[~is_ignored]
    invalid = len(detections) - len(found)
    found = found[~_are_ignored(regions, found)]
    rows, columns, ious = _matching_pairs(boxes, found)
    matched = _most_pairs(rows, columns, ious)
    counts = Counts(len(matched), len(boxes), len(found), in_order=_pairs_in_order(rows, columns), invalid=invalid)
    return _Side(counts, frozenset(places[matched].tolist()))


def counted_shapes(polygons: Sequence[Polygon]) -> tuple[Index, Shapes]:
    """Return the indices of polygons that PaddleOCR's evaluator counts, and their shapes.

    It would raise for one of fewer than three points, which is left out like one that crosses itself.
    """
    shapes: Shapes = np.full(len(polygons), None, dtype=object)
    for index, polygon in enumerate(polygons):
        if len(polygon) >= 3 and np.isfinite(polygon).all():
            shapes[index] = shapely.Polygon(polygon)
    places = np.flatnonzero(shapely.is_valid(shapes))
    return places, shapes[places]


def _are_ignored(regions: Shapes, found: Shapes) -> npt.NDArray[np.bool_]:
    """Return which detections lie in a region that the label does not care about."""
    ignored = np.zeros(len(found), bool)
    rows, columns = shapely.STRtree(found).query(regions, predicate="intersects")
    shared = shapely.area(shapely.intersection(regions[rows], found[columns]))
    ignored[columns[shared / shapely.area(found[columns]) > MAX_IGNORED]] = True
    return ignored


def _matching_pairs(boxes: Shapes, found: Shapes) -> Edges:
    """Return the pairs of box and detection whose IoU is large enough, by box, then by detection, and their IoUs."""
    rows, columns = shapely.STRtree(found).query(boxes, predicate="intersects")
    # GEOS' own union, and the detection first, as PaddleOCR asks: an IoU of 0.5 to the last bit must fall alike.
    shared = shapely.area(shapely.intersection(found[columns], boxes[rows]))
    ious = shared / shapely.area(shapely.union(found[columns], boxes[rows]))
    order = np.lexsort((columns, rows))
    order = order[ious[order] > MIN_IOU]
    return rows[order], columns[order], ious[order]


def _pairs_in_order(rows: Index, columns: Index) -> int:
    """Return how many pairs PaddleOCR's evaluator makes: each box takes its first detection that is left."""
    taken_rows, taken_columns = set[int](), set[int]()
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if row not in taken_rows and column not in taken_columns:
            taken_rows.add(row)
            taken_columns.add(column)
    return len(taken_rows)


def _most_pairs(rows: Index, columns: Index, ious: npt.NDArray[np.float64]) -> Index:
    """Return the boxes of the choice that has the most pairs, and among those the largest summed IoU."""
    if not len(rows):
        return rows
    weights = len(rows) + 1 + ious  # a pair more outweighs all IoUs together, which are at most 1 each
    return np.sort(np.concatenate([chosen for chosen, _, _ in best_choice(rows, columns, weights)]))
