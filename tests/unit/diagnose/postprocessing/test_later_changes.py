"""What happens to boxes after they were made is named where it makes the candidate's boxes exactly, and else not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import found_by, on
from soft import MANY, Change, Silent, changes, grown, port, train

from pytest_ocrparity import Detections
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.trace import Shape


class Weighs(Silent):
    """Scores are multiplied by a number."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        return Detections(made.polygons, made.scores * 0.7)


class Joins(Silent):
    """Boxes of a row become one, but for those of the last row."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        rows: dict[int, list[int]] = {}
        for index, box in enumerate(made.polygons):
            row = round(float(box[:, 1].mean()) / 16)
            rows.setdefault(row, []).append(index)
        polygons, scores = [], []
        for members in rows.values():
            points = np.concatenate([made.polygons[index] for index in members])
            (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
            polygons.append(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
            scores.append(float(made.scores[members].max()))
        return Detections(tuple(polygons), np.array(scores))


NAMED: list[tuple[str, type[Silent], str]] = [
    ("rescale.mirrored", changes(lambda box, page: np.array([0, page[1]]) + box * (1, -1)), "the lower edge"),
    ("rescale.corners", changes(lambda box, page: box[[0, 2]]), "upper left and lower right corner alone"),
    ("rescale.corners", changes(lambda box, page: box[np.lexsort((box[:, 1], box[:, 0]))]), "sorted by x"),
    ("rescale.rounding", changes(lambda box, page: np.floor(box / 8) * 8), "down to multiples of 8"),
    ("rescale.clipped", changes(lambda box, page: np.clip(box, 0, 100)), "none, none, 100, 100 px"),
    ("rescale.clipped", changes(lambda box, page: np.clip(box, page * 0.2, page * 0.6)), "0.2, 0.2, 0.6, 0.6 of"),
    ("rescale.frame", changes(lambda box, page: np.floor(box / page * 1000)), "from 0 to 1000"),
    ("rescale.offset", changes(lambda box, page: box + np.array([3, -2])), "3, -2 px"),
    ("postprocess.grown", changes(lambda box, page: grown(box, 4)), "4 px further out"),
    ("postprocess.scores", Weighs, "scores times 0.7"),
    ("postprocess.merged", Joins, "the largest of their scores"),
]


@pytest.mark.parametrize("has_source", [True, False])
@pytest.mark.parametrize(("cause", "kind", "words"), NAMED, ids=[f"{cause} {words}" for cause, _, words in NAMED])
def test_it_is_named_where_it_makes_the_boxes_exactly(
    cause: str, kind: type[Silent], words: str, has_source: bool
) -> None:
    candidate = on(port(kind), MANY)
    found = diagnose(
        reference=on(train(), MANY), candidate=candidate if has_source else replace(candidate, source=None)
    )
    assert [each.cause for each in found] == [cause]
    assert words in found[0].summary
    assert "exactly port's boxes" in found[0].evidence[0] or cause == "rescale.offset"


@pytest.mark.parametrize(("cause", "kind", "words"), NAMED, ids=[f"{cause} {words}" for cause, _, words in NAMED])
def test_it_is_proved_again_on_another_page(cause: str, kind: type[Silent], words: str) -> None:
    cache, reference, candidate = DiagnosisCache(60), train(), port(kind)
    other = np.ascontiguousarray(MANY[:, ::-1])
    found_by(cache, on(reference, MANY), on(candidate, MANY))
    (found,) = found_by(cache, on(reference, other, "page 1"), on(candidate, other, "page 1"))
    assert found.cause == cause


def by_place(near: Change, far: Change) -> Change:
    """Return one change for boxes of the left half, and another one for the rest."""
    return lambda box, page: near(box, page) if box[0, 0] < page[0] / 2 else far(box, page)


def untouched(box: Any, page: Any) -> Any:
    return box


class WeighsSome(Silent):
    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        return Detections(made.polygons, made.scores * np.where(np.arange(len(made)) % 2, 0.7, 0.8))


class Splits(Silent):
    """Each box is returned as its two halves."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        halves = [(box, (box + box[[1, 0, 3, 2]]) / 2) for box in made.polygons]
        boxes = [np.stack([box[0], middle[0], middle[3], box[3]]) for box, middle in halves]
        boxes += [np.stack([middle[0], box[1], box[2], middle[3]]) for box, middle in halves]
        return Detections(tuple(boxes), np.concatenate([made.scores, made.scores]))


NEAR: dict[str, type[Silent]] = {
    "half of the boxes counted from below": changes(
        by_place(lambda box, page: np.array([0, page[1]]) + box * (1, -1), untouched)
    ),
    "two grids": changes(by_place(lambda box, page: np.floor(box / 8) * 8, lambda box, page: np.floor(box / 7) * 7)),
    "moved by two amounts": changes(by_place(lambda box, page: box + 5, lambda box, page: box + 9)),
    "grown by two amounts": changes(by_place(lambda box, page: grown(box, 3), lambda box, page: grown(box, 4))),
    "clipped, and one px further": changes(lambda box, page: np.clip(box, 0, 100) + (box[0, 0] > 60)),
    "scores times two numbers": WeighsSome,
    "boxes split": Splits,
}


@pytest.mark.parametrize("has_source", [True, False])
@pytest.mark.parametrize("kind", NEAR.values(), ids=NEAR.keys())
def test_what_only_resembles_it_stays_unknown(kind: type[Silent], has_source: bool) -> None:
    candidate = on(port(kind), MANY)
    found = diagnose(
        reference=on(train(), MANY), candidate=candidate if has_source else replace(candidate, source=None)
    )
    assert {each.cause for each in found} == {UNKNOWN}
    assert all(each.rivals == () for each in found)
