"""What a run adds up to, from the records of its tests."""

from __future__ import annotations

import math
from typing import Any

import pytest
from records import comparison, tally

from pytest_ocrparity.comparison import Measure
from pytest_ocrparity.report.document import Failed, Parameter, Record, RecordedComparison
from pytest_ocrparity.report.table import Tally
from pytest_ocrparity.tolerance import Limit


def test_a_run_without_records_has_no_table() -> None:
    assert Tally({}).table(per_image=True) == []


def compared(
    kind: str, value: float = 0.0, limit: float | None = 1e-4, origin: str = "built-in", **more: Any
) -> RecordedComparison:
    name = {"preprocessing": "preprocessing.atol", "probability_maps": "probability_maps.atol"}.get(kind, "other")
    return comparison(kind, measures=(Measure(name, value, limit, origin),), **more)


LEAST = "fp32 preset, built-in: the rule's least"
MEASURED = "fp32 preset, built-in: 4 x sensitivity 1.1e-04 within 1e-4 to 1e-2"


def told(*left: RecordedComparison | Record) -> list[str]:
    return tally(*left).table(per_image=False)


class TestHeadroom:
    """It is what the limit that would judge leaves; a rule that stopped at its least did not ask for that limit."""

    def test_is_not_told_where_the_rule_stopped_at_its_least(self) -> None:
        (line,) = (line for line in told(compared("probability_maps", 9.8e-5, origin=LEAST)) if "worst" in line)
        assert line.endswith(
            "1 same                   worst map 9.8e-05, below 0.0001, the least that the automatic limit can be"
        )

    def test_is_told_of_a_limit_that_was_measured(self) -> None:
        lines = told(compared("probability_maps", 2.2e-4, 4.4e-4, MEASURED))
        assert lines[1].endswith("worst map 0.00022 of 0.00044, headroom 50%")

    def test_what_needed_its_limit_is_worse_than_what_stayed_within_the_least(self) -> None:
        lines = told(
            compared("probability_maps", 9.8e-5, origin=LEAST), compared("probability_maps", 1.1e-4, 4.4e-4, MEASURED)
        )
        assert lines[1].endswith("worst map 0.00011 of 0.00044, headroom 75%")

    def test_is_not_told_beyond_the_limit(self) -> None:
        assert told(compared("preprocessing", 2.0, 2e-6))[1].endswith("worst tensor 2 beyond 2e-06")
        assert told(compared("preprocessing", 2.0, 0.0))[1].endswith("worst tensor 2 beyond 0")
        assert told(compared("preprocessing", 2e-6, 2e-6))[1].endswith("worst tensor 2e-06 of 2e-06, headroom 0%")

    @pytest.mark.parametrize("places", [(0, 1), (1, 0)])
    def test_is_told_of_what_is_no_number_before_any_other(self, places: tuple[int, int]) -> None:
        found = compared("preprocessing", math.nan, 2e-6), compared("preprocessing", 5.0, 2e-6)
        assert told(*(found[place] for place in places))[1].endswith("worst tensor nan beyond 2e-06")

    def test_is_none_of_what_is_only_reported(self) -> None:
        without = compared("probability_maps", 9.8e-5, None, origin=LEAST)
        assert told(without)[1].endswith("worst map 9.8e-05")


class TestNeverCompared:
    def test_kinds_that_no_test_asserted_are_named(self) -> None:
        assert told(compared("preprocessing"))[-1] == "  never compared: probability maps, detections"
        assert told(compared("detections"))[-1] == "  never compared: preprocessing, probability maps"

    def test_per_pair_of_sides(self) -> None:
        kinds = ("preprocessing", "probability_maps", "detections")
        lines = told(*map(compared, kinds), compared("detections", candidate="onnx"))
        assert lines.index("onnx against train: 1 image") == len(lines) - 3
        assert lines[-1] == "  never compared: preprocessing, probability maps"
        assert sum("never" in line for line in lines) == 1

    def test_a_failure_compares_the_others_as_well(self) -> None:
        def failed(candidate: str) -> Failed:
            others = comparison("probability_maps"), comparison("detections")
            sides = {"image": "page.png", "reference": "train", "candidate": candidate, "kind": "preprocessing"}
            return Failed(message="", diagnoses=(), others=others, **sides)

        assert "never" not in "".join(told(compared("preprocessing", status="different"), failed("inference")))
        assert "never" in "".join(told(compared("preprocessing"), failed("onnx")))

    def test_plain_polygons_have_nothing_else(self) -> None:
        assert "never" not in "".join(told(compared("detections", reference="reference", candidate="candidate")))


class TestLoosened:
    def line(self, *left: RecordedComparison) -> str:
        (line,) = tally(*left).loosened() or [""]
        return line

    def limits(self, **values: Any) -> dict[str, Limit]:
        usual = {"max_shift": 1.0, "min_iou": "auto", **values}
        return {f"detections.{name}": Limit(value, "marker") for name, value in usual.items()}

    def test_each_is_named_with_its_value_and_origin_once(self) -> None:
        wide = {
            "probability_maps.atol": Limit(0.5, "marker"),
            "probability_maps.max_share": Limit(0.25, "pyproject.toml"),
            "probability_maps.per_run": Limit(True, "marker"),
        }
        record = compared("probability_maps", limits=wide)
        assert self.line(record, record) == (
            "limits that may permit more than the fp32 preset: probability_maps.atol = 0.5, "
            "probability_maps.per_run = true (marker); probability_maps.max_share = 0.25 (pyproject.toml)"
        )

    def test_the_usual_ones_are_not_told(self) -> None:
        usual = {"probability_maps.atol": Limit("auto", "fp32 preset, built-in", is_preset=True)}
        assert self.line(compared("probability_maps", limits=usual)) == ""

    def test_an_iou_permits_more_where_it_stands_in_the_place_of_0_9(self) -> None:
        poly, quad = ((Parameter("detections", "box_type", name, name, False),) for name in ("poly", "quad"))
        low = self.limits(min_iou=0.5)
        assert "min_iou = 0.5" in self.line(compared("detections", limits=low, parameters=poly))
        assert self.line(compared("detections", limits=low, parameters=quad)) == ""
        off = self.limits(min_iou=0.5, max_shift="off")
        assert "min_iou = 0.5" in self.line(compared("detections", limits=off, parameters=quad))
