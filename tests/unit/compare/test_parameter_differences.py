"""Which parameters differ, and which differ by nature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sides import traces

from pytest_ocrparity import Trace
from pytest_ocrparity.compare import compare
from pytest_ocrparity.compare.parameter_differences import (
    parameter_difference_rows,
    parameter_differences,
    parameters_agree,
)
from pytest_ocrparity.comparison import ParameterDifference


class TestStages:
    """The stage that is named is the first."""

    def test_engines_of_training_and_deployment_differ_by_nature(self) -> None:
        reference, candidate = traces(gain=7.0)
        engines = ({"engine": "dygraph", "outputs": 1}, {"engine": "paddle", "cpu_threads": 10, "outputs": 2})
        sides = [
            replace(trace, parameters={**trace.parameters, "probability_map": engine})
            for trace, engine in zip((reference, candidate), engines, strict=True)
        ]
        comparison = compare(reference=sides[0], candidate=sides[1])[1]
        assert [parameter.name for parameter in comparison.parameters] == ["outputs"]


def of(**stages: Any) -> tuple[Trace, Trace]:
    """Return two traces with the parameters of stages, each a pair of the sides' values."""
    one, two = ({stage: pair[side] for stage, pair in stages.items()} for side in (0, 1))
    return Trace(pipeline="train", image="a.png", parameters=one), Trace(pipeline="port", image="a.png", parameters=two)


def test_a_stage_that_one_side_did_not_record_hides_no_later_one() -> None:
    found = parameter_differences(*of(decode=({"img_mode": "BGR"}, {}), tensor=({"mean": 1}, {"mean": 2})))
    assert found == (ParameterDifference("tensor", "mean", 1, 2),)


def test_what_a_side_lacks_differs_and_what_agrees_to_float32_does_not() -> None:
    sides = of(tensor=({"mean": [0.1], "std": 1.0, "only": 3}, {"mean": [0.1 + 1e-9], "std": 1.1, "other": None}))
    assert parameter_differences(*sides) == (
        ParameterDifference("tensor", "std", 1.0, 1.1),
        ParameterDifference("tensor", "only", 3, None),
    )


@pytest.mark.parametrize(
    ("one", "two", "agree"),
    [
        (float("nan"), float("nan"), True),
        ([1.0, float("nan")], [1.0, float("nan")], True),
        (1.0, 1.0 + 0.9e-6, True),
        (1.0, 1.0 + 1.3e-6, False),
        (0.0, 1e-12, False),
        ("a", "b", False),
        ([1, 2], [1, 2, 3], False),
        (10**400, 1.0, False),
    ],
)
def test_numbers_agree_to_float32(one: Any, two: Any, agree: bool) -> None:
    assert parameters_agree(one, two) == agree


def test_the_rows_of_a_kind_are_those_of_its_stages_with_both_values() -> None:
    sides = of(
        decode=({"img_mode": "BGR"}, {"img_mode": "RGB"}), tensor=({"mean": (1, 2)}, {"std": 3}), text=({}, {"x": 1})
    )
    assert parameter_difference_rows("preprocessing", *sides) == [
        {"stage": "decode", "name": "img_mode", "reference": "BGR", "candidate": "RGB", "differs": True},
        {"stage": "tensor", "name": "mean", "reference": [1, 2], "candidate": None, "differs": True},
        {"stage": "tensor", "name": "std", "reference": None, "candidate": 3, "differs": True},
    ]
    same = of(tensor=({"mean": 1}, {"mean": 1}))
    assert [row["differs"] for row in parameter_difference_rows("preprocessing", *same)] == [False]
    assert parameter_difference_rows("detections", *same) == []


@pytest.mark.parametrize(("engine", "differing"), [("onnxruntime", ["engine", "threads"]), ("dygraph", [])])
def test_of_two_engines_of_deployment_the_engine_is_a_finding(engine: str, differing: list[str]) -> None:
    sides = of(probability_map=({"engine": engine}, {"engine": "paddle", "threads": 10}))
    assert [each.name for each in parameter_differences(*sides)] == differing
    other = of(resize=({"engine": "dygraph", "scale": 1}, {"engine": "paddle", "scale": 1, "more": 2}))
    assert [each.name for each in parameter_differences(*other)] == ["engine", "more"]
