"""A post-process that says nothing is found by the reference's own, varied until it makes the same boxes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import all_judged, each_moved, found_by, on
from soft import MANY, Silent, Soft, changes, grown, port, train
from toy import page

from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.page_frame import Frame
from pytest_ocrparity.diagnose.postprocessing.values import by_known_values
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image, Shape

FAULTS = [
    ({"thresh": 0.44}, "postprocess.thresh", 0.44),
    ({"box_thresh": 0.41}, "postprocess.box_thresh", 0.41),
    ({"unclip_ratio": 2.0}, "postprocess.unclip_ratio", 2.0),
]


class TestWithSource:
    @pytest.mark.parametrize(("values", "cause", "value"), FAULTS)
    def test_one_value_is_named_with_those_that_fit(self, values: Any, cause: str, value: float) -> None:
        cache = DiagnosisCache(60)
        (found,) = found_by(cache, on(train(), MANY), on(port(**values), MANY))
        assert (found.stage, found.cause, found.rivals) == ("detections", cause, ())
        assert "exactly port's boxes and scores: on port's map, on train's, on test maps" in found.evidence[0]
        assert found.fix is not None and cause.split(".")[1] in found.fix.text
        low, high = _interval(found.summary)
        assert low <= value <= high

    @pytest.mark.parametrize(("values", "cause", "_"), FAULTS)
    def test_it_is_proved_again_on_another_page(self, values: Any, cause: str, _: float) -> None:
        cache, reference, candidate = DiagnosisCache(60), train(), port(**values)
        other = np.ascontiguousarray(MANY[:, ::-1])
        found_by(cache, on(reference, MANY), on(candidate, MANY))
        (found,) = found_by(cache, on(reference, other, "page 1"), on(candidate, other, "page 1"))
        assert found.cause == cause
        assert found.evidence[0].startswith("found on page 0; here as well")


def _interval(summary: str) -> tuple[float, float]:
    if "(any value from " not in summary:
        value = float(summary.split("unclip_ratio ")[1].split(";")[0])
        return value, value
    low, high = summary.split("(any value from ")[1].split(" makes the same boxes)")[0].split(" to ")
    return float(low), float(high)


class DropsSome(Silent):
    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        kept = [index for index in range(len(made)) if index % 3]
        assert made.scores is not None
        return Detections(tuple(made.polygons[index] for index in kept), made.scores[kept])


class Grows(Silent):
    """Moves the sides of its boxes outward by 2 px or by 4, which no ratio does on all of them."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        return each_moved(made, lambda p: grown(p, 2 + 2 * (p[0, 0] > 120)))


class Changes(Silent):
    """Three things at once, one of which no rule knows."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = replace(self, thresh=0.44, unclip_ratio=2.0)._twice(probability_map, shape)
        return each_moved(made, lambda p: p + (p[0, 0] % 7))

    def _twice(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        return Soft.postprocess(self, probability_map, shape)


class Wrong(Silent):
    """Returns other scores with the right boxes of another threshold."""

    def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
        made = super().postprocess(probability_map, shape)
        assert made.scores is not None
        return Detections(made.polygons, made.scores * 0.9)


class TestNearMisses:
    @pytest.mark.parametrize(
        ("kind", "values"),
        [(DropsSome, {}), (Grows, {}), (Changes, {}), (Wrong, {"thresh": 0.44})],
    )
    @pytest.mark.parametrize("has_source", [True, False])
    def test_what_no_single_rule_makes_exactly_stays_unknown(
        self, kind: type[Soft], values: Any, has_source: bool
    ) -> None:
        candidate = on(port(kind, **values), MANY)
        found = diagnose(
            reference=on(train(), MANY), candidate=candidate if has_source else replace(candidate, source=None)
        )
        assert {each.cause for each in found} == {UNKNOWN}
        assert all(each.rivals == () for each in found)

    def test_boxes_that_its_own_map_does_not_give_are_not_explained(self) -> None:
        class Moves(Silent):
            def trace(self, image: Image) -> Trace:
                made = super().trace(image)
                assert made.detections is not None
                return replace(made, detections=each_moved(made.detections, lambda p: p + (p[0, 0] % 7)))

        found = diagnose(reference=on(train(), MANY), candidate=on(port(Moves, box_thresh=0.4), MANY))
        assert all(each.cause == UNKNOWN for each in found)


class TestArraysAlone:
    @pytest.mark.parametrize(
        ("values", "cause"), [({"thresh": 0.44}, FAULTS[0][1]), ({"unclip_ratio": 2.0}, FAULTS[2][1])]
    )
    def test_a_value_is_named_of_its_own_map(self, values: Any, cause: str) -> None:
        candidate = replace(on(port(**values), MANY), source=None)
        (found,) = diagnose(reference=on(train(), MANY), candidate=candidate)
        assert (found.cause, found.rivals) == (cause, ())

    def test_a_threshold_without_scores_may_be_a_map_that_is_scaled(self) -> None:
        """Below a word's rim all is 0 or much: a map that is shifted fits as well, and is named."""
        values: dict[str, Any] = {"thresh": 0.44, "has_scores": False}
        candidate = replace(on(port(**values), MANY), source=None)
        (found,) = diagnose(reference=on(train(), MANY), candidate=candidate)
        assert (found.cause, found.rivals) == (UNKNOWN, ("postprocess.thresh", UNKNOWN))
        assert "a map shifted by -0.14" in found.summary

    def test_boxes_of_one_height_that_grew_may_have_grown_by_pixels(self) -> None:
        lines = page(
            160, 256, tuple((8 + 60 * c, 6 + 30 * r, 50 + 60 * c, 20 + 30 * r) for r in range(5) for c in (0, 1))
        )

        class GrowsAll(Silent):
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                return each_moved(super().postprocess(probability_map, shape), lambda p: grown(p, 3))

        found = diagnose(reference=on(train(), lines), candidate=replace(on(port(GrowsAll), lines), source=None))
        assert all_judged(found) == [("detections", UNKNOWN)]
        assert found[0].rivals == ("postprocess.unclip_ratio", "postprocess.grown")
        assert "boxes whose corners are 3 px further out. This image" in found[0].summary

    def test_boxes_that_are_only_fewer_have_several_rules(self) -> None:
        candidate = replace(on(port(box_thresh=0.41), MANY), source=None)
        (found,) = diagnose(reference=on(train(), MANY), candidate=candidate)
        assert (found.cause, found.fix) == (UNKNOWN, None)
        assert found.rivals == ("postprocess.box_thresh", "postprocess.filter", UNKNOWN)
        assert "only the" in found.summary and "boxes of the highest scores" in found.summary

    def test_one_box_that_is_missing_shows_no_rule(self) -> None:
        candidate = on(port(), MANY)
        assert candidate.detections is not None and candidate.detections.scores is not None
        kept = np.arange(1, len(candidate.detections))
        fewer = Detections(candidate.detections.polygons[1:], candidate.detections.scores[kept])
        found = diagnose(reference=on(train(), MANY), candidate=replace(candidate, detections=fewer, source=None))
        assert all_judged(found) == [("detections", UNKNOWN)]


class TestBoxesAlone:
    def test_a_value_is_only_noticed(self) -> None:
        candidate = on(port(unclip_ratio=2.0), MANY)
        found = diagnose(
            reference=on(train(), MANY),
            candidate=Trace(pipeline="port", image=candidate.image, detections=candidate.detections),
        )
        assert {each.cause for each in found} == {UNKNOWN}
        (noticed,) = [text for each in found for text in each.evidence]
        assert noticed.startswith("port's boxes are as if of train's map with unclip_ratio 2")
        assert "a map that is scaled or shifted does the same" in noticed


class TestTheRun:
    def test_one_contradiction_withdraws_what_was_named(self) -> None:
        """On the first page it is as if of a threshold, on the next as if of another."""

        class Drifts(Silent):
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                value = 0.44 if shape[1] == 256 else 0.5
                return replace(self, thresh=value)._plain(probability_map, shape)

            def _plain(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                return Soft.postprocess(self, probability_map, shape)

        cache, reference, candidate = DiagnosisCache(60), train(), port(Drifts)
        other = np.ascontiguousarray(np.pad(MANY, ((0, 0), (0, 32), (0, 0)), mode="edge"))
        pages = [
            (on(reference, p, n), replace(on(candidate, p, n), source=None))
            for p, n in ((MANY, "page 0"), (other, "page 1"))
        ]
        sides = [
            (reference_trace, replace(candidate_trace, source=Arrays(candidate_trace)))
            for reference_trace, candidate_trace in pages
        ]
        both = Arrays(None)
        first, second = (found_by(cache, one, replace(two, source=both)) for one, two in sides)
        assert all_judged(first) == [("detections", "postprocess.thresh")]
        assert all_judged(second) == [("detections", UNKNOWN)]
        assert any(
            "postprocess.thresh, named on page 0, does not explain this image" in text for text in second[0].evidence
        )

    def test_an_empty_result_proves_nothing(self) -> None:
        found = diagnose(reference=on(train(), MANY), candidate=on(port(box_thresh=0.999), MANY))
        assert all_judged(found) == [("detections", UNKNOWN)]


class Arrays:
    """One side of which nothing can be run again."""

    name = "port"

    def __init__(self, trace: Any) -> None:
        self.kept = trace


@pytest.mark.parametrize(
    ("is_explained", "to_page", "cause"),
    [
        (True, None, "rescale.mirrored"),
        (False, None, None),
        (True, Frame(1.0, 1.0, 3.0, 0.0), None),
    ],
    ids=["a picture that agrees", "one whose difference is unexplained", "a page that lies otherwise in it"],
)
def test_the_place_of_boxes_is_no_cause_of_a_page_that_may_lie_so(
    is_explained: bool, to_page: Frame | None, cause: str | None
) -> None:
    reference, candidate = on(train(), MANY), on(port(changes(lambda box, size: box * (-1, 1) + (size[0], 0))), MANY)
    lab = Laboratory(Comparisons(reference, candidate, BUILT_IN), 60)
    lab.is_picture_explained, lab.to_page = is_explained, to_page
    found = by_known_values(lab)
    assert [each.cause for each in found] == ([] if cause is None else [cause])
    assert any("picture" in text for text in lab.noticed) is (cause is None)
