"""The words of a failure, in corners that a user rarely sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sides import QUAD, traces
from toy import PAGE, Toy

from pytest_ocrparity import DifferenceError, assert_same_detections, assert_same_preprocessing
from pytest_ocrparity.compare import compare
from pytest_ocrparity.diagnosis import Diagnosis, Fix
from pytest_ocrparity.explain import explain


class TestWords:
    """Messages in corners that a user rarely sees."""

    def test_no_place_is_told_where_the_image_size_is_unknown(self) -> None:
        reference, candidate = (replace(trace, shape=None) for trace in traces(mean=0.6))
        with pytest.raises(DifferenceError, match=r"differ by 0\.4, limit"):
            assert_same_preprocessing(reference, candidate)

    def test_many_boxes_are_cut_short(self) -> None:
        boxes = [QUAD + 30 * index for index in range(9)]
        with pytest.raises(DifferenceError, match="and 2 more"):
            assert_same_detections(boxes, [boxes[0]])

    def test_many_parameters_are_cut_short(self) -> None:
        reference, candidate = traces(mean=0.6)
        for trace, shift in ((reference, 0), (candidate, 1)):
            many = {f"p{index}": index + shift for index in range(9)}
            object.__setattr__(trace, "parameters", {"tensor": {**trace.parameters["tensor"], **many}})
        with pytest.raises(DifferenceError, match="and 4 more"):
            assert_same_preprocessing(reference, candidate)

    def test_a_later_comparison_that_could_not_be_made_is_told(self) -> None:
        reference, candidate = traces(mean=0.6)
        with pytest.raises(DifferenceError, match="then        probability maps: nothing was compared at prob"):
            assert_same_preprocessing(reference, replace(candidate, probability_map=None))

    def test_a_lost_share_without_a_pair_still_has_a_limit_that_passes(self) -> None:
        boxes = [QUAD + 500 * index for index in range(20)]
        with pytest.raises(DifferenceError, match=r"would pass  --ocr-tolerance=detections\.max_unmatched=0\.05"):
            assert_same_detections(boxes, boxes[1:])

    def test_a_pair_below_its_iou_is_told_the_iou_that_passes(self) -> None:
        with pytest.raises(DifferenceError, match=r"would pass  detections\.min_iou=0\.8"):
            assert_same_detections([QUAD], [QUAD + np.array([1.0, 0.5])], min_iou=0.99)


class TestTheWhole:
    def test_a_cause_without_a_fix_has_no_row_for_one(self) -> None:
        comparisons = compare(reference=Toy().trace(PAGE), candidate=Toy(name="port", pad=9).trace(PAGE))
        known = Diagnosis(stage="detections", cause="rescale.frame", summary="no fix is known", evidence=("seen once",))
        with_fix = replace(known, fix=Fix("correct it"))
        without, patched = (explain(comparisons, comparisons[-1], [each]).splitlines() for each in (known, with_fix))
        assert without[1:3] == ["  cause       rescale.frame", "  proof       seen once"]
        assert patched[2] == "  fix         correct it"

    def test_a_hint_does_not_stand_under_the_proof(self) -> None:
        comparisons = compare(reference=Toy().trace(PAGE), candidate=Toy(name="port", pad=9).trace(PAGE))
        known = Diagnosis(
            stage="detections", cause="rescale.frame", summary="", evidence=("seen",), noticed=("a hint",)
        )
        rows = explain(comparisons, comparisons[-1], [known]).splitlines()
        assert rows[2:4] == ["  proof       seen", "  noticed     a hint"]
        rows = explain(comparisons, comparisons[-1], [replace(known, cause="unknown")]).splitlines()
        assert "  noticed     a hint" in rows
        assert not any(row.startswith("  proof") for row in rows)
