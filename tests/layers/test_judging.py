"""The rows see what is wrong: another layer, another operator, a place after the fault, a name that says too little."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from layers.faults import Fault
from layers.judging import added_up, layers_of, missed, not_right, row_of, told
from layers.networks import Subject

Subjects = Callable[[str], Subject]
EPSILON = Fault("branches", "pir", "epsilon", "first.depthwise.narrow.bn", "batchnorm2d", 0, {"epsilon": 0.1}, 9.0)
CONCAT = Fault("branches", "pir", "swapped", "", "concat", 0, {"order": [1, 0, 2]}, 9.0)


def said(name: str, operator: str = "conv2d", **more: Any) -> Any:
    values = {"is_proved": True, "same_as": (), "attribute": None, **more}
    return SimpleNamespace(layer=SimpleNamespace(name=name, operator=operator, **values))


def row(subjects: Subjects, *diagnoses: Any, fault: Fault = EPSILON) -> dict[str, Any]:
    return row_of(fault, subjects("branches").structure("pir"), layers_of(diagnoses))


@pytest.mark.parametrize(
    ("diagnosis", "outcome", "is_after"),
    [
        (said("first.depthwise.fused"), "right", False),
        (said("first.depthwise"), "right", False),
        (said("first.depthwise.wide.0.conv", same_as=("first.depthwise.narrow.bn",)), "right", False),
        (said("first.depthwise.fused", same_as=("first.pointwise.fused",)), "coarse", False),
        (said("first"), "coarse", False),
        (said("first.depthwise.fused", is_proved=False), "hint", False),
        (said("stem.conv"), "wrong", False),
        (said("first.depthwise.act"), "wrong", True),
        (said("head", is_proved=False), "none", True),
        (SimpleNamespace(layer=None), "none", False),
    ],
)
def test_a_layer_is_judged_by_the_finest_set(diagnosis: Any, outcome: str, is_after: bool, subjects: Subjects) -> None:
    found = row(subjects, diagnosis)
    assert (found["outcome"], found["after"]) == (outcome, is_after)


def test_a_false_claim_beside_a_right_one_is_wrong(subjects: Subjects) -> None:
    assert row(subjects, said("first.depthwise"), said("stem.bn"))["outcome"] == "wrong"
    assert row(subjects, said("first.depthwise"), said("stem.bn", is_proved=False))["false_hints"] == 1


def test_a_layer_of_several_operators_needs_the_operator(subjects: Subjects) -> None:
    assert row(subjects, said("", "pd_op.concat"), fault=CONCAT)["outcome"] == "right"
    assert row(subjects, said("", "Concat"), fault=CONCAT)["outcome"] == "right"
    assert row(subjects, said("", "nearest_interp"), fault=CONCAT)["outcome"] == "wrong"


def test_an_attribute_is_looked_for_where_the_kind_has_one(subjects: Subjects) -> None:
    assert row(subjects, said("first.depthwise", attribute="epsilon 0.1"))["attribute_right"] is True
    assert row(subjects, said("first.depthwise"))["attribute_right"] is False
    assert row(subjects, said("", "concat"), fault=CONCAT)["attribute_right"] is None


def test_targets_are_missed_by_one_wrong_claim_one_late_place_or_one_right_export(subjects: Subjects) -> None:
    right = {**row(subjects, said("first.depthwise")), "caught": True}
    silent, wrong = row(subjects), row(subjects, said("stem.conv"))
    late = row(subjects, said("first.depthwise"), said("head", is_proved=False))
    assert missed([right] * 19 + [silent], [{"said": []}]) == []
    assert missed([right] * 18 + [silent] * 2, []) == ["right 18 of 20, less than 95%"]
    assert missed([right] * 99 + [wrong], []) == ["wrong 1, more than 0"]
    assert missed([right] * 99 + [late], []) == ["after 1, more than 0"]
    assert missed([right] * 99 + [{**right, "caught": False}], []) == ["the gate passed 1 faults"]
    assert missed([], [{"said": [{"name": "head"}]}]) == ["a layer of 1 right exports was named"]
    assert added_up([right, silent, wrong, late])["right"] == 2
    lines = told([right, wrong], [{"said": []}], {"branches-pir": 31, "tiny-pir": 7})
    assert "right exports with a layer named: 0 of 1" in lines and lines[-1].endswith(": 31")
    assert len(not_right([right, silent, wrong, late])) == 3
    (line,) = not_right([right, {**silent, "why_not": ["it did not run for want of memory"]}])
    assert line.endswith("; it did not run for want of memory")
