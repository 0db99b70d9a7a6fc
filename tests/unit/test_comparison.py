"""A comparison: what it says of itself."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from diagnosing import on
from listening import listen
from sides import traces
from toy import Toy

from pytest_ocrparity import assert_same_detections, assert_same_preprocessing
from pytest_ocrparity.compare import compare
from pytest_ocrparity.comparison import Comparison, Difference, Measure
from pytest_ocrparity.stages import RESIZE, TENSOR


class TestNothingPassesEmpty:
    def test_a_comparison_has_no_truth_value(self) -> None:
        with pytest.raises(TypeError, match="no truth value"):
            assert assert_same_detections(*traces())


class TestNothingPassesUnjudged:
    """A limit that is off, or can't be judged, never makes a difference pass unseen."""

    def test_parameters_that_json_does_not_know_become_text(self) -> None:
        heard = listen()
        reference, candidate = traces()
        odd = replace(candidate, parameters={**candidate.parameters, "decode": {"img_mode": Path("a"), "x": {1}}})
        assert_same_preprocessing(reference, odd)
        assert "PosixPath" not in json.dumps(heard.judged[0].as_json())


@pytest.mark.parametrize(
    ("value", "limit", "smallest", "used"),
    [
        (1.0, 4.0, False, 0.25),
        (8.0, 4.0, False, 2.0),
        (0.0, 0.0, False, 0.0),
        (1.0, 0.0, False, math.inf),
        (math.nan, 4.0, False, math.inf),
        (math.nan, None, False, 0.0),
        (0.9, 0.5, True, 0.0),
    ],
)
def test_how_much_of_its_limit_an_amount_uses(value: float, limit: float | None, smallest: bool, used: float) -> None:
    assert Measure("m", value, limit, smallest=smallest).used == used


class TestAComparisonIsMissing:
    def test_where_nothing_was_found_but_that_a_side_did_not_record_a_stage(self) -> None:
        candidate = replace(on(Toy(name="port")), tensor=None)
        is_missing = [each.is_missing for each in compare(reference=on(Toy()), candidate=candidate)]
        assert is_missing == [True, False, False]

    @pytest.mark.parametrize(
        ("differences", "measures", "expected"),
        [
            ((Difference(TENSOR, "not_recorded"),), (), True),
            ((Difference(TENSOR, "not_recorded"),), (Measure("preprocessing.atol", 1.0, 2.0),), True),
            ((Difference(TENSOR, "not_recorded"),), (Measure("preprocessing.atol", 3.0, 2.0),), False),
            ((Difference(TENSOR, "not_recorded"), Difference(RESIZE, "size")), (), False),
            ((Difference(TENSOR, "not_recorded", fails=False),), (), False),
            ((), (), False),
        ],
    )
    def test_and_not_where_something_else_fails(
        self, differences: tuple[Difference, ...], measures: tuple[Measure, ...], expected: bool
    ) -> None:
        made = Comparison(
            kind="preprocessing",
            image="page 0",
            reference="train",
            candidate="port",
            status="different",
            differences=differences,
            measures=measures,
        )
        assert made.is_missing is expected
