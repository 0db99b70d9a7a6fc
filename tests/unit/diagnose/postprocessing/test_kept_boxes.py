"""Boxes of the page before are named where they are all that is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import on
from toy import PAGE, Toy, page

from pytest_ocrparity import Detections
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import examine
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.state import state_cause
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Shape

Array = npt.NDArray[np.float32]
BEFORE = page(96, 160, ((90, 60, 150, 80),))


NOTHING = Detections((), np.array(()))


class Collects(Toy):
    """Boxes are put into one list that is never cleared."""

    kept = NOTHING

    def postprocess(self, probability_map: Array, shape: Shape) -> Detections:
        self.kept = both(self.kept, super().postprocess(probability_map, shape))
        return self.kept


class Junk(Toy):
    """One more box lies in a corner each time: newly loaded it is wrong as well."""

    count = 0

    def postprocess(self, probability_map: Array, shape: Shape) -> Detections:
        self.count += 1
        corner = np.array([[0, 0], [6, 0], [6, 5], [0, 5]], np.float64)
        more = Detections(tuple(corner + 7 * index for index in range(self.count)), np.full(self.count, 0.9))
        return both(super().postprocess(probability_map, shape), more)


class Frames(Toy):
    """The frame of the page is a box, whatever the map."""

    def postprocess(self, probability_map: Array, shape: Shape) -> Detections:
        height, width = shape[:2]
        frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
        return both(super().postprocess(probability_map, shape), Detections((frame,), np.array([0.9])))


def both(one: Detections, two: Detections) -> Detections:
    assert one.scores is not None and two.scores is not None
    return Detections((*one.polygons, *two.polygons), np.append(one.scores, two.scores))


def laboratory(side: Any) -> Laboratory:
    """Let a side run a page, then another one, on which it is judged."""
    side.trace(BEFORE)
    comparisons = Comparisons(on(Toy()), on(side), BUILT_IN)
    assert not all(each.is_match for each in comparisons.all())
    return Laboratory(comparisons, 60.0)


def found(side: Any) -> list[Diagnosis]:
    return examine(laboratory(side))


def test_boxes_that_are_never_cleared_are_named() -> None:
    (diagnosis,) = found(Collects(name="port"))
    assert (diagnosis.cause, diagnosis.stage) == ("engine.state", "detections")
    assert diagnosis.summary == "what port returns for an image depends on what ran before"
    words = "gives 7 boxes, then 10, then 13: each time train's 3 more, beside all of those before"
    assert diagnosis.evidence[0].endswith(words)


@pytest.mark.parametrize("kind", [Junk, Frames])
def test_boxes_of_another_origin_are_not_called_those_of_before(kind: Any) -> None:
    causes = [each.cause for each in found(kind(name="port"))]
    assert causes
    assert "engine.state" not in causes


class Last(Toy):
    """Boxes of the map before come again, once."""

    last = NOTHING
    always = NOTHING

    def postprocess(self, probability_map: Array, shape: Shape) -> Detections:
        before, self.last = self.last, super().postprocess(probability_map, shape)
        return both(both(before, self.last), self.always)


class LastAndWrong(Last):
    """The same, and one box of its own."""

    always = Detections((np.array([[80, 2], [90, 2], [90, 6], [80, 6]], np.float64),), np.array([0.9]))


def test_boxes_of_the_map_before_are_found_in_an_empty_one() -> None:
    lab = laboratory(Last(name="port"))
    diagnosis = state_cause(lab, "detections")
    assert diagnosis is not None
    assert (diagnosis.cause, diagnosis.summary) == ("engine.state", "port returns boxes of the previous image")
    assert "after an empty map, port's post-process makes train's boxes of train's map" in diagnosis.evidence[0]


@pytest.mark.parametrize("kind", [LastAndWrong, Frames])
def test_where_it_is_wrong_after_an_empty_map_too_that_is_not_why(kind: Any) -> None:
    assert state_cause(laboratory(kind(name="port")), "detections") is None


def test_what_keeps_nothing_passes() -> None:
    side = Toy(name="port")
    side.trace(BEFORE)
    assert all(each.is_match for each in Comparisons(on(Toy()), on(side, PAGE), BUILT_IN).all())
