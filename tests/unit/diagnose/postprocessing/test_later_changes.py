"""What happens to boxes after they were made is named where it makes the candidate's boxes exactly, and else not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import SPREAD, each_moved, found_by, on
from soft import MANY, Builds, Change, Silent, changes, grown, port, train
from toy import Toy, page

from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.postprocessing.rule_table import CAUSES, RIVALS
from pytest_ocrparity.diagnose.postprocessing.rules import Span
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.trace import Shape


class Weighs(Silent):
    """Scores are multiplied by a number."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        return Detections(made.polygons, made.scores * 0.7)


class Joins(Silent):
    """Boxes of a row become one, but for those that lie above a line."""

    above = 0

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        rows: dict[int, list[int]] = {}
        for index, box in enumerate(made.polygons):
            row = round(float(box[:, 1].mean()) / 16) if box[0, 1] >= self.above else -index
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


def nested_page() -> Any:
    """Return a page with three frames, each with a word inside, and words below them."""
    words = ((4, 110, 30, 124), (54, 110, 74, 135), (100, 108, 220, 122), (14, 142, 100, 156), (180, 132, 192, 150))
    made = page(160, 256, (*words, (240, 70, 250, 82)))
    for index, (x, y, width, height) in enumerate(((4, 10, 70, 50), (86, 36, 80, 60), (180, 6, 70, 52))):
        made[y : y + height, x : x + width] = 225 - 8 * index
        made[y + 8 : y + height - 8, x + 8 : x + width - 8] = (60, 40, 40)
        made[y + 18 : y + height - 18, x + 18 : x + width - 18] = 180 - 5 * index
    return made


class Outer(Silent):
    """Boxes that lie in others are dropped."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        ranges = [(box.min(axis=0), box.max(axis=0)) for box in made.polygons]
        kept = [
            i
            for i, (low, high) in enumerate(ranges)
            if not any(i != j and np.all(low >= other) and np.all(high <= far) for j, (other, far) in enumerate(ranges))
        ]
        assert len(kept) in (len(made), 9)
        return Detections(tuple(made.polygons[index] for index in kept), made.scores[kept])


@pytest.mark.parametrize("has_source", [True, False])
def test_boxes_in_others_that_were_dropped_are_not_called_merged(has_source: bool) -> None:
    candidate = on(port(Outer), nested_page())
    (found,) = diagnose(
        reference=on(train(), nested_page()), candidate=candidate if has_source else replace(candidate, source=None)
    )
    assert (found.cause, found.rivals) == (UNKNOWN, ())
    assert "exactly those of boxes that lie in other ones dropped" in found.summary


def test_boxes_of_a_row_that_were_joined_beside_such_may_be_merged() -> None:
    """Two boxes that changed are too few to state it."""

    class JoinsBelow(Joins):
        above = 100

    candidate = replace(on(port(JoinsBelow), nested_page()), source=None)
    (found,) = diagnose(reference=on(train(), nested_page()), candidate=candidate)
    assert (found.cause, found.rivals) == (UNKNOWN, ("postprocess.merged", UNKNOWN))


class TestSeveralValuesOfOneRule:
    def test_of_two_that_return_the_same_corners_both_are_said(self) -> None:
        """Of a rectangle parallel to the page, its own corners are those of its bounding rectangle."""
        candidate = on(port(changes(lambda box, page: box[[0, 2]])), MANY)
        (found,) = diagnose(reference=on(train(), MANY), candidate=candidate)
        assert found.cause == "rescale.corners"
        assert (
            "boxes with their upper left and lower right corner alone or the two corners of their bounding rectangle "
            "alone; train" in found.summary
        )

    def test_where_another_page_tells_them_apart_one_is_left(self) -> None:
        both, one = Span.of_choices(["a", "b"]), Span.of_choices(["b", "c"])
        assert both is not None and one is not None
        assert both.meets(one) == Span.of_choices(["b"])
        assert one.meets(Span(*both[:2], "a")) is None

    def test_where_only_one_returns_them_it_alone_is_said(self) -> None:
        candidate = on(port(changes(lambda box, page: np.floor(box / 8) * 8)), MANY)
        (found,) = diagnose(reference=on(train(), MANY), candidate=candidate)
        assert "coordinates rounded down to multiples of 8 px; train does not do that" in found.summary

    def test_without_scores_it_is_not_said_which_score_joined_boxes_have(self) -> None:
        candidate = replace(on(port(JoinsSilently), MANY), source=None)
        (found,) = diagnose(reference=on(train(), MANY), candidate=candidate)
        assert found.cause == "postprocess.merged"
        assert "the largest or the mean or the smallest of their scores" in found.summary


class JoinsSilently(Joins):
    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        return Detections(super().postprocess(probability_map, shape).polygons, None)


def squares() -> Any:
    """Return squares along a line at 45 degrees: with x and y exchanged, they are the same moved."""
    return page(
        160,
        160,
        tuple((10 + d, 40 + d, 10 + d + size, 40 + d + size) for d, size in ((0, 9), (28, 12), (60, 15), (90, 10))),
    )


def test_boxes_whose_axes_are_exchanged_may_be_moved_and_then_neither_is_stated() -> None:
    candidate = replace(on(port(changes(lambda box, page: box[:, ::-1])), squares()), source=None)
    (found,) = diagnose(reference=on(train(), squares()), candidate=candidate)
    assert (found.cause, found.rivals) == (UNKNOWN, ("rescale.axes", "rescale.offset"))


def test_boxes_that_only_the_exchange_of_axes_explains_are_called_so() -> None:
    candidate = replace(on(port(changes(lambda box, page: box[:, ::-1])), MANY), source=None)
    (found,) = diagnose(reference=on(train(), MANY), candidate=candidate)
    assert found.cause == "rescale.axes"


@pytest.mark.parametrize(("pixels", "cause"), [(0, "rescale.axes"), (1, UNKNOWN)])
def test_boxes_without_a_map_may_be_moved_and_then_neither_is_stated(pixels: int, cause: str) -> None:
    """What `coordinates` undoes is judged in the same way: the squares of the first page lie on no line."""
    boxes = SPREAD if not pixels else squares()
    reference = on(Toy(), boxes)
    exchanged = each_moved(reference.detections, lambda box: box[:, ::-1])  # type: ignore[arg-type]
    candidate = Trace(pipeline="port", image=reference.image, detections=exchanged)
    found = diagnose(reference=reference, candidate=candidate)
    assert [each.cause for each in found] == [cause]
    assert found[0].rivals == (("rescale.axes", "rescale.offset") if pixels else ())


class Counted(Builds):
    """A post-process that looks at no more than a number of words."""

    max_candidates = 10

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        return Detections(made.polygons[: self.max_candidates], made.scores[: self.max_candidates])

    def postprocess_with(self, values: Mapping[str, Any]) -> Any:
        other = Counted(**vars(self))
        other.max_candidates = values.get("max_candidates", self.max_candidates)
        rest = {name: value for name, value in values.items() if name != "max_candidates"}
        return super(Counted, other).postprocess_with(rest) if rest else other.postprocess

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        known = super().parameters
        return {**known, "detections": {**known["detections"], "max_candidates": self.max_candidates}}


def test_more_candidates_than_the_reference_looks_at_are_tried_though_their_scores_are_new() -> None:
    reference = on(Counted(gain=1.0, box_thresh=0.3), MANY)
    (found,) = diagnose(reference=reference, candidate=replace(on(port(), MANY), source=None))
    assert found.cause == "postprocess.max_candidates"


def test_only_rules_that_were_run_are_counted() -> None:
    """The toy refuses all parameters but three; of other scores two of these are no cause and are not run."""
    (moved,) = diagnose(reference=on(train(), MANY), candidate=on(port(NAMED[0][1]), MANY))
    (weighed,) = diagnose(reference=on(train(), MANY), candidate=on(port(Weighs), MANY))
    counts = [int(each.evidence[0].split("; of ")[1].split(" rules that were run")[0]) for each in (moved, weighed)]
    every = len([rule for rule in (*CAUSES, *RIVALS) if not rule.name])
    assert counts == [every + 3, every + 1]
