"""Counts what both sides found of what is right in an image.

Boxes are counted by the rules of PaddleOCR's `DetectionIoUEvaluator`: polygons that cross themselves or have no area
are left out on both sides; so is a detection that lies with more than half of its area in a region that the label does
not care about; a detection matches a box of the label where their IoU is above 0.5.

One thing differs. PaddleOCR goes through the boxes of the label and gives each the first detection that is left, so
that the same boxes in another order can match more or fewer: where both sides find the same boxes and one sorts them,
the evaluator shows a difference that is none. `Counts.matched` is the largest number of pairs, one to one, which no
order changes; among choices of as many pairs, that of the largest summed IoU. `Counts.in_order` is PaddleOCR's number,
never larger, for a figure that can be held against tools/eval.py.

Of the candidate's choices of as many pairs, the one is taken that keeps most of what the reference matches: a box is
called lost where no choice of as many pairs has it, and not where two boxes of the label share one detection.

Texts are counted as by PaddleOCR's `RecMetric`, which removes spaces, and with spaces. Labels are taken as they are
written. What tools/eval.py gives its metric went through a label encoder, which drops labels longer than
`max_text_length`, skips characters outside of the dictionary, and may lower the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

from pytest_ocrparity.edits import edit_distance
from pytest_ocrparity.evaluate.label_line import Label
from pytest_ocrparity.geometry import Edges, Index, Polygon, Shapes, best_choice
from pytest_ocrparity.trace import Detections, Recognition, Trace

MIN_IOU: Final = 0.5
"""A detection matches a box where their IoU is above it (`DetectionIoUEvaluator.iou_constraint`)."""
MAX_IGNORED: Final = 0.5
"""A detection is ignored where more of its area lies in one don't care region (`area_precision_constraint`)."""
LOST, GAINED, NEW_ALARM, ALARM_GONE = "lost", "gained", "false alarm", "false alarm gone"
CHANGES: Final = (LOST, GAINED, NEW_ALARM, ALARM_GONE)
_LONGEST: Final = 200
"""Characters of a text that a change keeps."""


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


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A box of the label, or a line, that one side alone has right; or a box that one side alone finds wrongly."""

    kind: Annotated[
        str,
        "lost: only the reference matches it; gained: only the candidate does; false alarm: a box that matches none of "
        "the label, and that only the candidate finds; false alarm gone: that only the reference finds",
    ]
    index: Annotated[int, "from 0: of the label's boxes; of a false alarm, of the boxes of the side that finds it"]
    text: Annotated[str, "as the label has it, its first 200 characters; of a false alarm nothing"] = ""
    at: Annotated[tuple[float, float] | None, "its centre: x and y in pixels of the image; null of a line"] = None
    read: Annotated[str | None, "of a line, what the side reads that has it wrong; null of a box"] = None


@dataclass(frozen=True, slots=True)
class OutsideBoxes:
    """Boxes of a label that lie with half of their area or more outside of their image."""

    where: Annotated[str, "where the label stands: file:line; nothing where it is of no file"]
    boxes: Annotated[tuple[int, ...], "of the label, from 0: nothing inside of the image can match them"]
    size: Annotated[tuple[int, int], "width and height of the image as it is read, in pixels"]
    is_turned: Annotated[bool, "true: of an image whose width and height are exchanged, as by EXIF, none lies outside"]


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
    alarms: Annotated[tuple[int, int], "false alarms that only the candidate has, and that only the reference has"] = (
        0,
        0,
    )
    changes: Annotated[tuple[LabelChange, ...], "what is lost, gained, and found wrongly by one side, one by one"] = ()
    outside: Annotated[OutsideBoxes | None, "boxes of the label outside of the image; null: none, or no size"] = None

    @property
    def loss(self) -> int:
        """How many boxes the candidate loses, and how many more of what it finds are wrong."""
        one, two = self.reference, self.candidate
        return 2 * (one.matched - two.matched) + two.found - one.found

    @property
    def rank(self) -> tuple[object, ...]:
        """What puts the counts of one image in order, those last that lost most."""
        return self.loss, self.lost, self.gained, self.alarms, self.candidate.in_order, self.candidate.distance

    @property
    def is_different(self) -> bool:
        """Return whether other boxes are matched, or others found wrongly, than by the reference."""
        one, two = self.reference, self.candidate
        return bool(self.lost or self.gained or any(self.alarms)) or (one.matched, one.found) != (
            two.matched,
            two.found,
        )

    @property
    def is_worse(self) -> bool:
        """Return whether the candidate lost a box, for which it may have gained another, or finds more wrong ones."""
        one, two = self.reference, self.candidate
        return bool(self.lost) or two.matched < one.matched or two.found - two.matched > one.found - one.matched


class _Choice(NamedTuple):
    """What a side finds, and which pairs of it and the label are right."""

    counts: Counts
    places: Index
    """Of the boxes that count, among all that it finds."""
    shapes: Shapes
    edges: Edges
    """All pairs whose IoU is large enough."""
    rows: Index
    """Of the pairs that are chosen, the boxes of the label that count."""
    columns: Index
    """And the side's own."""

    @property
    def alarms(self) -> Index:
        """Those of its boxes that match none."""
        return np.setdiff1d(np.arange(len(self.shapes)), self.columns)


def count_image(
    label: Label,
    reference: Detections | Recognition,
    candidate: Detections | Recognition,
    image: str = "",
    size: tuple[int, int] | None = None,
) -> ImageCounts:
    """Count what both sides found in an image.

    Args:
        label: what is right.
        reference: what the side found that is right by definition; boxes in pixels of the image as cv2 reads it.
        candidate: what the side under test found.
        image: how the image is called; as its label does by default.
        size: width and height of the image as it is read; boxes of the label outside of it are told.

    Raises:
        TypeError: the label is of a line and a side of a page, or the reverse.
    """
    name = image or label.image
    given: dict[str, Any] = {"image": name, "group": label.group or name, "is_blank": label.is_blank}
    for found in (reference, candidate):
        if isinstance(found, Recognition) is (label.text is None) or not isinstance(found, Detections | Recognition):
            wanted = "Detections" if label.text is None else "a Recognition"
            raise TypeError(f"{label.image or 'a label'} needs {wanted} of each side, not {type(found).__name__}")
    if isinstance(reference, Detections) and isinstance(candidate, Detections):
        outside = None if size is None else _outside_boxes(label, size)
        return ImageCounts(**given, outside=outside, **_box_counts(label, reference.polygons, candidate.polygons))
    assert isinstance(reference, Recognition) and isinstance(candidate, Recognition) and label.text is not None
    return ImageCounts(**given, **_text_counts(label.text, reference.text, candidate.text))


def image_size(*sides: object) -> tuple[int, int] | None:
    """Return width and height of an image in pixels, as the first trace says it that does; None where none does."""
    for side in sides:
        shape = None if not isinstance(side, Trace) else side.shape if side.decode is None else side.decode.shape
        if shape is not None and len(shape) > 1:
            return int(shape[1]), int(shape[0])
    return None


def _text_counts(right: str, reference: str, candidate: str) -> dict[str, Any]:
    """Return what `ImageCounts` has of a line."""
    one, two = _count_text(right, reference), _count_text(right, candidate)
    found: dict[str, Any] = {"reference": one, "candidate": two}
    if one.matched == two.matched:
        return found
    kind, read = (LOST, candidate) if one.matched else (GAINED, reference)
    return {**found, kind: (0,), "changes": (LabelChange(kind, 0, _short(right), read=_short(read)),)}


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _count_text(right: str, read: str) -> Counts:
    spaceless = right.replace(" ", ""), read.replace(" ", "")
    is_right = int(right == read)
    return Counts(
        matched=is_right,
        truth=1,
        found=1,
        in_order=is_right,
        distance=_normalised_distance(right, read),
        spaceless=int(spaceless[0] == spaceless[1]),
        spaceless_distance=_normalised_distance(*spaceless),
    )


def _normalised_distance(right: str, read: str) -> float:
    """Return the edit distance over the length of the longer text, as rapidfuzz's `normalized_distance`."""
    return edit_distance(right, read) / max(len(right), len(read), 1)


def _box_counts(label: Label, reference: Sequence[Polygon], candidate: Sequence[Polygon]) -> dict[str, Any]:
    """Return what `ImageCounts` has of a page."""
    places, boxes = counted_shapes(label.polygons)
    is_ignored = np.array(label.ignored, bool)[places]
    places, regions, boxes = places[~is_ignored], boxes[is_ignored], boxes[~is_ignored]
    one = _choice(regions, boxes, reference)
    if len(reference) == len(candidate) and all(map(np.array_equal, reference, candidate)):
        return {"reference": one.counts, "candidate": one.counts}
    two = _choice(regions, boxes, candidate, one.rows)
    gone, new = one.alarms, two.alarms
    if len(gone) and len(new):
        two, gone, new = _alarms_of_one_side(one, two)
    lost, gained = np.setdiff1d(one.rows, two.rows), np.setdiff1d(two.rows, one.rows)

    def changes() -> Iterator[LabelChange]:
        for kind, rows in ((LOST, lost), (GAINED, gained)):
            for index in places[rows].tolist():
                yield LabelChange(kind, index, _short(label.transcriptions[index]), _centre(label.polygons[index]))
        for kind, polygons, side, columns in ((NEW_ALARM, candidate, two, new), (ALARM_GONE, reference, one, gone)):
            for index in side.places[columns].tolist():
                yield LabelChange(kind, index, at=_centre(polygons[index]))

    return {
        "reference": one.counts,
        "candidate": two.counts,
        "lost": tuple(places[lost].tolist()),
        "gained": tuple(places[gained].tolist()),
        "alarms": (len(new), len(gone)),
        "changes": tuple(changes()),
    }


def _centre(polygon: Polygon) -> tuple[float, float]:
    """Return the middle of a polygon's points, in tenths of a pixel."""
    x, y = np.asarray(polygon, np.float64).mean(axis=0).round(1).tolist()
    return x, y


def _choice(regions: Shapes, boxes: Shapes, polygons: Sequence[Polygon], kept: Index | None = None) -> _Choice:
    """Return what a side finds beside boxes of the label, of which `kept` are to be matched where they can be."""
    places, found = counted_shapes(polygons)
    invalid = len(polygons) - len(found)
    is_found = ~_are_ignored(regions, found)
    places, found = places[is_found], found[is_found]
    edges = _matching_pairs(boxes, found)
    rows, columns = _most_pairs(edges, kept)
    counts = Counts(len(rows), len(boxes), len(found), in_order=_pairs_in_order(*edges[:2]), invalid=invalid)
    return _Choice(counts, places, found, edges, rows, columns)


def _alarms_of_one_side(one: _Choice, two: _Choice) -> tuple[_Choice, Index, Index]:
    """Return the candidate's choice as it is most like the reference's, and each side's false alarms without the other.

    Where two boxes lie around one of the label, which of them is the false alarm is a matter of choice: it is to be the
    same one on both sides. A false alarm of one side is that of the other where their IoU is large enough.
    """
    columns, partners = _most_pairs(_matching_pairs(one.shapes, two.shapes))
    rows, chosen = _most_pairs(two.edges, one.rows, partners[np.isin(columns, one.columns)])
    two = two._replace(rows=rows, columns=chosen)
    alarms, others = one.alarms, two.alarms
    is_shared = np.isin(columns, alarms) & np.isin(partners, others)
    return two, np.setdiff1d(alarms, columns[is_shared]), np.setdiff1d(others, partners[is_shared])


def _outside_boxes(label: Label, size: tuple[int, int]) -> OutsideBoxes | None:
    """Return the boxes of a label that nothing inside of the image can match; None where there is none.

    What lies inside shares at most that part of a box with it, so that their IoU is no larger.
    """
    points = np.concatenate([*label.polygons, np.zeros((1, 2))])
    if (points >= 0).all() and (points <= size).all():
        return None
    places, shapes = counted_shapes(label.polygons)
    is_judged = ~np.array(label.ignored, bool)[places]
    places, shapes = places[is_judged], shapes[is_judged]
    outside = _mostly_outside(shapes, size)
    if not outside.any():
        return None
    is_turned = not _mostly_outside(shapes, size[::-1]).any()
    return OutsideBoxes(label.where, tuple(places[outside].tolist()), size, is_turned)


def _mostly_outside(shapes: Shapes, size: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    inside = shapely.area(shapely.intersection(shapes, shapely.box(0, 0, size[0], size[1])))
    found: npt.NDArray[np.bool_] = inside <= MIN_IOU * shapely.area(shapes)
    return found


def counted_shapes(polygons: Sequence[Polygon]) -> tuple[Index, Shapes]:
    """Return the indices of polygons that PaddleOCR's evaluator counts, and their shapes.

    It would raise for one of fewer than three points, which is left out like one that crosses itself.
    """
    places = [place for place, polygon in enumerate(polygons) if len(polygon) >= 3]
    points = np.concatenate([np.zeros((0, 2)), *(polygons[place] for place in places)])
    owners = np.repeat(np.arange(len(places)), [len(polygons[place]) for place in places])
    is_finite = np.isfinite(points).all(axis=1)
    if not is_finite.all():
        is_finite = ~np.isin(owners, owners[~is_finite])
        places = np.array(places)[np.unique(owners[is_finite])].tolist()
        points, owners = points[is_finite], np.unique(owners[is_finite], return_inverse=True)[1]
    # Of all at once: one by one takes longer than all else that is counted.
    shapes: Shapes = np.asarray(shapely.polygons(shapely.linearrings(points, indices=owners)), dtype=object)
    is_valid = shapely.is_valid(shapes)
    return np.array(places, np.intp)[is_valid], shapes[is_valid]


def _are_ignored(regions: Shapes, found: Shapes) -> npt.NDArray[np.bool_]:
    """Return which detections lie in a region that the label does not care about."""
    ignored = np.zeros(len(found), bool)
    if not len(regions):
        return ignored
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


def _most_pairs(edges: Edges, rows_kept: Index | None = None, columns_kept: Index | None = None) -> tuple[Index, Index]:
    """Return the choice of most pairs, by row: among those of most kept rows, then columns, the largest summed IoU."""
    rows, columns, ious = edges
    if not len(rows):
        return rows, columns
    most = min(int(rows.max()), int(columns.max())) + 2  # more than there are pairs, whose IoUs are at most 1 each
    weights: npt.NDArray[np.float64] = ious + float(most) ** 3  # a pair more outweighs all else together
    weights += 0 if rows_kept is None else float(most) ** 2 * np.isin(rows, rows_kept)
    weights += 0 if columns_kept is None else most * np.isin(columns, columns_kept)
    chosen = best_choice(rows, columns, weights)
    found_rows, found_columns = (np.concatenate([each[side] for each in chosen]) for side in (0, 1))
    order = np.argsort(found_rows)
    return found_rows[order], found_columns[order]
