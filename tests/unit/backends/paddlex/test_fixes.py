"""A fix says what to do, is a change that a program can make, and names the user's own option; loads no model."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.backends.paddlex.deployed import Deployed, Values
from pytest_ocrparity.backends.paddlex.fixes import deployment_fix, given_options
from pytest_ocrparity.diagnosis import Change
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR

PLAIN = Deployed(config=Path("inference.yml"), written={DECODE: {}, RESIZE: {}}, options={}, predict_options={})
RULES: dict[str, Values] = {
    "limit": {"rule": "limit", "limit_side_len": 736, "limit_type": "min"},
    "image_shape": {"rule": "image_shape", "image_shape": [320, 480], "keep_ratio": False},
    "resize_long": {"rule": "resize_long", "resize_long": 960},
    "input_shape": {"rule": "input_shape", "input_shape": [3, 320, 320]},
}
DEPLOYED = {
    "limit": PLAIN,
    "limits in predict()": replace(PLAIN, predict_options={"limit_side_len": 960, "limit_type": "max"}),
    "image_shape": replace(PLAIN, written={**PLAIN.written, RESIZE: {"image_shape": [640, 640]}}),
    "input_shape": replace(PLAIN, options={"input_shape": [3, 640, 640]}),
    "input_shape over image_shape": replace(
        PLAIN,
        options={"input_shape": [3, 640, 640]},
        written={**PLAIN.written, RESIZE: {"image_shape": [640, 640], "keep_ratio": True}},
    ),
}
OTHERS: list[tuple[str, Values]] = [
    (RESIZE, {"max_side_limit": None}),
    (RESIZE, {"max_side_limit": 4000}),
    *((DECODE, {"img_mode": mode}) for mode in ("BGR", "RGB", "GRAY")),
    (DECODE, {"ignore_orientation": True}),
    (DECODE, {"img_mode": "RGB", "ignore_orientation": True}),
    (TENSOR, {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}),
    (TENSOR, {"scale": 0.00392157}),
    (TENSOR, {"order": "hwc", "scale": None}),
    *((DETECTIONS, {name: value}) for name in ("thresh", "box_thresh", "unclip_ratio") for value in (0, 0.4)),
    *((DETECTIONS, {name: 1}) for name in ("max_candidates", "score_mode", "box_type")),
    (DETECTIONS, {"use_dilation": None}),
    (DETECTIONS, {"thresh": 0.4, "use_dilation": True}),
]
EMPTY_LIST = re.compile(r"  |\b(pass|set|replace|leave out|take) +((to|in|by|and|out)\b|;|,|\(|$)|\[\]")
"""What a sentence has where a list of values was to stand."""


def combinations() -> list[Any]:
    rules = [
        pytest.param(RESIZE, wanted, deployed, id=f"{rule} in place of {own}")
        for (rule, wanted), (own, deployed) in itertools.product(RULES.items(), DEPLOYED.items())
    ]
    others = [pytest.param(stage, values, PLAIN, id=f"{stage} {values}") for stage, values in OTHERS]
    without = replace(PLAIN, written={})
    return [*rules, *others, pytest.param(DECODE, {"img_mode": "BGR"}, without, id="no DecodeImage")]


@pytest.mark.parametrize(("stage", "values", "deployed"), combinations())
def test_no_fix_is_empty(stage: str, values: Values, deployed: Deployed) -> None:
    fix = deployment_fix(stage, values, deployed)
    assert not EMPTY_LIST.search(fix.text), fix.text
    assert fix.changes
    wanted = {name for name, value in values.items() if value is not None} - {"rule", "ignore_orientation"}
    changed = {name for change in fix.changes for name in change.values}
    assert wanted <= changed, (fix.text, fix.changes)
    for name in wanted:
        assert name in fix.text


@pytest.mark.parametrize("own", ["input_shape", "input_shape over image_shape"])
@pytest.mark.parametrize("rule", ["limit", "image_shape", "resize_long"])
def test_what_comes_before_a_rule_is_taken_away_first(rule: str, own: str) -> None:
    fix = deployment_fix(RESIZE, RULES[rule], DEPLOYED[own])
    assert fix.changes[0] == Change("inference.options", {"input_shape": None})
    gone = [change for change in fix.changes if change.values.get("image_shape", ...) is None]
    assert bool(gone) == (own == "input_shape over image_shape" and rule != "image_shape")


def test_what_has_the_last_word_is_set_there() -> None:
    """`predict()` of paddleocr overrides what `TextDetection` was given."""
    (change,) = deployment_fix(RESIZE, RULES["limit"], DEPLOYED["limits in predict()"]).changes
    assert change == Change("inference.predict_options", {"limit_side_len": 736, "limit_type": "min"})
    partly = replace(PLAIN, predict_options={"limit_side_len": 960})
    first, last = deployment_fix(RESIZE, RULES["limit"], partly).changes
    assert (first.values, last.values) == ({"limit_type": "min"}, {"limit_side_len": 736})


@pytest.mark.parametrize(
    ("stage", "values"),
    [
        (RESIZE, {"rule": "letterbox", "fill": 114}),
        (RESIZE, {"rule": "limit"}),
        (DECODE, {"ignore_orientation": False}),
        (DETECTIONS, {"thresh": None}),
        (DETECTIONS, {}),
        (TENSOR, {}),
        (RESIZE, {"rule": "image_shape"}),
    ],
)
def test_what_nothing_sets_has_no_fix(stage: str, values: Values) -> None:
    with pytest.raises(ValueError, match=r"no option of paddleocr sets|changes nothing"):
        deployment_fix(stage, values, PLAIN)


def test_a_grey_network_is_told_what_to_train_with() -> None:
    fix = deployment_fix(DECODE, {"img_mode": "GRAY"}, PLAIN)
    assert "can't be deployed with paddleocr.TextDetection" in fix.text
    assert "set img_mode: BGR, train again (or at least evaluate again), and export again" in fix.text
    assert "set img_mode: GRAY" not in fix.text
    assert [change.where for change in fix.changes] == ["train.config", "inference.yml", "export"]
    assert all(change.values == {"img_mode": "BGR"} for change in fix.changes[:2])


def test_an_option_is_told_by_the_setting_that_has_the_last_word() -> None:
    deployed = replace(
        PLAIN,
        name="onnx",
        options={"limit_side_len": 736, "thresh": 0, "box_thresh": 0.5},
        predict_options={"limit_side_len": 640},
    )
    assert given_options(deployed) == {
        RESIZE: {"limit_side_len": "candidates.onnx.predict_options"},
        DETECTIONS: {"box_thresh": "candidates.onnx.options"},
    }
