"""Two values of a post-process at once are found one after the other, and stated together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import found_by, on
from soft import MANY, Silent, changes, port, train

from pytest_ocrparity import Detections
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.postprocessing.small_boxes import map_of_small_boxes
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.trace import Shape

TWO = [
    ({"thresh": 0.44}, changes(lambda box, page: box + 9), {"postprocess.thresh", "rescale.offset"}),
    ({"unclip_ratio": 2.0, "box_thresh": 0.41}, Silent, {"postprocess.unclip_ratio", "postprocess.box_thresh"}),
    ({"thresh": 0.44, "unclip_ratio": 2.0}, Silent, {"postprocess.thresh", "postprocess.unclip_ratio"}),
]


class TestTwoAtOnce:
    @pytest.mark.parametrize("has_source", [True, False])
    @pytest.mark.parametrize(("values", "kind", "causes"), TWO, ids=[" ".join(sorted(each[2])) for each in TWO])
    def test_both_are_named(self, values: Any, kind: type[Silent], causes: set[str], has_source: bool) -> None:
        if "box_thresh" in values and not has_source:
            pytest.skip("see the next test")
        candidate = on(port(kind, **values), MANY)
        found = diagnose(
            reference=on(train(), MANY), candidate=candidate if has_source else replace(candidate, source=None)
        )
        assert {each.cause for each in found} == causes
        assert all("none of them does alone" in each.evidence[0] for each in found)

    def test_the_summary_says_them_as_one(self) -> None:
        """Neither alone gives these boxes, so neither is said to."""
        candidate = on(port(thresh=0.44, unclip_ratio=2.0), MANY)
        one, two = diagnose(reference=on(train(), MANY), candidate=candidate)
        assert one.summary == "port's boxes are those of thresh 0.44 and unclip_ratio 2 together; train has thresh 0.3"
        assert two.summary.endswith("thresh 0.44 and unclip_ratio 2 together; train has unclip_ratio 1.0")

    def test_a_rule_without_a_parameter_is_said_to_be_what_the_reference_does_not_do(self) -> None:
        candidate = on(port(changes(lambda box, page: box + 9), thresh=0.44), MANY)
        _, moved = diagnose(reference=on(train(), MANY), candidate=candidate)
        assert moved.summary.endswith("together; train does not do this: boxes moved by 9, 9 px along x and y")

    def test_an_interval_fits_all_maps_and_says_of_how_many_images(self) -> None:
        candidate = on(port(thresh=0.44, unclip_ratio=2.0), MANY)
        found = diagnose(reference=on(train(), MANY), candidate=candidate)
        assert (
            found[0]
            .evidence[0]
            .endswith("where any value makes the same boxes, that was tried on 1 image, one value at a time")
        )
        low, high = map(
            float, found[0].evidence[0].split("thresh 0.44 (any value from ")[1].split(" makes")[0].split(" to ")
        )
        assert low <= 0.44 <= high
        assert candidate.probability_map is not None
        for drawn in (candidate.probability_map, map_of_small_boxes(weakest=0.35)):
            assert np.sum((drawn > low + 1e-5) & (drawn < high - 1e-5)) == 0, "they cut it in two ways"

    def test_one_value_alone_is_not_called_together(self) -> None:
        (found,) = diagnose(reference=on(train(), MANY), candidate=on(port(thresh=0.44), MANY))
        assert found.cause == "postprocess.thresh"
        assert "together" not in found.summary

    def test_a_second_change_that_no_rule_makes_leaves_both_unknown(self) -> None:
        kind = changes(lambda box, page: box + (5 if box[0, 0] < page[0] / 2 else 9))
        found = diagnose(reference=on(train(), MANY), candidate=on(port(kind, unclip_ratio=2.0), MANY))
        assert {each.cause for each in found} == {UNKNOWN}

    def test_on_arrays_alone_a_filter_may_do_the_same(self) -> None:
        """Which of the boxes are dropped, and by what, one page does not tell."""
        candidate = replace(on(port(unclip_ratio=2.0, box_thresh=0.41), MANY), source=None)
        found = diagnose(reference=on(train(), MANY), candidate=candidate)
        assert {each.cause for each in found} == {UNKNOWN}
        assert any("unclip_ratio 2" in text and "box_thresh" in text for text in found[0].tried)

    def test_both_are_proved_again_on_another_page(self) -> None:
        cache, reference, candidate = DiagnosisCache(60), train(), port(thresh=0.44, unclip_ratio=2.0)
        other = np.ascontiguousarray(MANY[:, ::-1])
        first = found_by(cache, on(reference, MANY), on(candidate, MANY))
        again = found_by(cache, on(reference, other, "page 1"), on(candidate, other, "page 1"))
        assert [each.cause for each in again] == [each.cause for each in first]

    def test_other_values_on_another_page_are_not_the_same_again(self) -> None:
        class Drifts(Silent):
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                thresh, ratio = (0.44, 2.0) if shape[1] == 256 else (0.5, 3.0)
                return replace(train(), thresh=thresh, unclip_ratio=ratio).postprocess(probability_map, shape)

        cache, reference, candidate = DiagnosisCache(60), train(), port(Drifts)
        other = np.ascontiguousarray(np.pad(MANY, ((0, 0), (0, 32), (0, 0)), mode="edge"))
        sides = [(on(reference, p, n), on(candidate, p, n)) for p, n in ((MANY, "page 0"), (other, "page 1"))]
        kept = Kept(None)
        first, second = (found_by(cache, one, replace(two, source=kept)) for one, two in sides)
        assert {each.cause for each in first} == {"postprocess.thresh", "postprocess.unclip_ratio"}
        assert {each.cause for each in second} == {UNKNOWN}


class Kept:
    """One side of which nothing can be run again."""

    name = "port"

    def __init__(self, trace: Any) -> None:
        self.kept = trace
