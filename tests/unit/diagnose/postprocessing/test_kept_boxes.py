"""Boxes of the page before are named where they are all that is wrong."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import on
from toy import PAGE, Toy, page

from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import examine
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.state import state_cause
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image, Shape

Array = npt.NDArray[np.float32]
BEFORE = page(96, 160, ((90, 60, 150, 80),))


NOTHING = Detections((), np.array(()))
CORNER = Detections((np.array([[80, 2], [90, 2], [90, 6], [80, 6]], np.float64),), np.array([0.9]))


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


def both(one: Detections | None, two: Detections) -> Detections:
    assert one is not None and one.scores is not None and two.scores is not None
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

    always = CORNER


def test_boxes_of_the_map_before_are_found_in_an_empty_one() -> None:
    lab = laboratory(Last(name="port"))
    diagnosis = state_cause(lab, "detections")
    assert diagnosis is not None
    assert (diagnosis.cause, diagnosis.summary) == ("engine.state", "port returns boxes of the previous image")
    assert diagnosis.evidence == (
        "after an empty map, port returns train's result for this image; right after the mirrored map, port's "
        "post-process adds 3 boxes of that one to train's of train's map",
    )


class StaleOnEmpty(Toy):
    """Of a map without text it returns the boxes of the map before, once."""

    last = NOTHING

    def postprocess(self, probability_map: Array, shape: Shape) -> Detections:
        before, self.last = self.last, super().postprocess(probability_map, shape)
        return self.last if len(self.last) else before


class Specks(Toy):
    """Its network, at fault for a reason that no experiment knows, finds text where there is none."""

    def infer(self, tensor: Array) -> Array:
        made = super().infer(tensor).copy()
        made[..., 24:32, 70:90] = 0.9 + 0.05 * np.sin(np.arange(20))
        return made


class LastAndSpecks(Specks, Last):
    pass


class StaleAndSpecks(Specks, StaleOnEmpty):
    pass


@pytest.mark.parametrize("kind", [LastAndWrong, Frames, LastAndSpecks, StaleAndSpecks])
def test_where_it_is_wrong_after_an_empty_map_too_that_is_not_why(kind: Any) -> None:
    lab = laboratory(kind(name="port"))
    assert state_cause(lab, "detections") is None
    told = "engine.state: port's post-process returns boxes of the map before, but after an empty one port is wrong"
    assert any(text.startswith(told) for text in lab.tried) is (kind is LastAndSpecks)


@pytest.mark.parametrize("kind", [LastAndSpecks, StaleAndSpecks])
def test_a_fault_of_the_network_beside_kept_boxes_is_not_hidden_by_them(kind: Any) -> None:
    first, *others = [(each.cause, each.stage) for each in found(kind(name="port"))]
    assert first == ("unknown", "probability_map")
    assert others == [("unknown", "detections")] * (kind is LastAndSpecks)


class StaleAndOnce(StaleOnEmpty):
    """A stage after it added a box to one page, whose own boxes a map before cannot change."""

    traced = 0

    def trace(self, image: Image) -> Trace:
        self.traced += 1
        made = super().trace(image)
        return replace(made, detections=both(made.detections, CORNER)) if self.traced == 2 else made


@pytest.mark.parametrize(("kind", "cause"), [(StaleAndOnce, None), (Last, "engine.state")])
def test_boxes_that_return_in_empty_maps_alone_add_none_to_a_page(kind: Any, cause: str | None) -> None:
    diagnosis = state_cause(laboratory(kind(name="port")), "detections")
    assert (diagnosis and diagnosis.cause) == cause


def test_those_of_an_empty_page_are_named_by_turns(tmp_path: Path) -> None:
    """There the mirrored map has no boxes either."""
    side, names = StaleOnEmpty(name="port"), [str(tmp_path / "text.npy"), str(tmp_path / "blank.npy")]
    for name, pixels in zip(names, (BEFORE, page(96, 160)), strict=True):
        np.save(name, pixels)
    digest = hashlib.sha256(Path(names[1]).read_bytes()).hexdigest()
    traces = [replace(side.trace(name), image_sha256=digest) for name in names]
    comparisons = Comparisons(replace(Toy().trace(names[1]), image_sha256=digest), traces[1], BUILT_IN)
    (diagnosis,) = examine(Laboratory(comparisons, 60.0, earlier=names[:1]))
    assert diagnosis.cause == "engine.state"
    assert diagnosis.evidence[0].startswith("after itself, port returns train's result for this image, and after ")


def test_what_keeps_nothing_passes() -> None:
    side = Toy(name="port")
    side.trace(BEFORE)
    assert all(each.is_match for each in Comparisons(on(Toy()), on(side, PAGE), BUILT_IN).all())
