"""What a training YAML file evaluates; that PaddleOCR builds the same is tested in tests/real/test_deploy.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from real.blob import YML, edited, transforms

from pytest_ocrparity.artifacts.evaluation import evaluated_parameters

PATH = Path("a.yml")


def evaluated(stage: str, globals_: dict[str, Any] | None = None, **operators: Any) -> dict[str, Any]:
    yml = edited(YML, Eval__dataset__transforms=transforms(**operators))
    yml["Global"] |= globals_ or {}
    return evaluated_parameters(yml, PATH)[stage]


@pytest.mark.parametrize(
    ("resize", "leaking", "rule"),
    [
        (None, {}, {"rule": "limit", "limit_side_len": 736, "limit_type": "min"}),
        ({"limit_side_len": 960}, {}, {"rule": "limit", "limit_side_len": 960, "limit_type": "min"}),
        ({"limit_type": "max"}, {}, {"rule": "limit", "limit_side_len": 736, "limit_type": "min"}),
        ({"resize_long": 640}, {}, {"rule": "resize_long", "resize_long": 640}),
        (
            {"image_shape": [320, 320], "resize_long": 640},
            {},
            {"rule": "image_shape", "image_shape": [320, 320], "keep_ratio": False},
        ),
        ({"limit_side_len": 960}, {"limit_side_len": 64}, {"rule": "limit", "limit_side_len": 64, "limit_type": "min"}),
    ],
    ids=str,
)
def test_the_rule_that_resizes(resize: Any, leaking: dict[str, Any], rule: dict[str, Any]) -> None:
    assert evaluated("resize", leaking, DetResizeForTest=resize) == rule


def test_thresholds_that_no_file_says_are_those_of_the_post_process() -> None:
    yml = edited(YML, PostProcess={"name": "DBPostProcess"})
    found = evaluated_parameters(yml, PATH)["detections"]
    assert (found["thresh"], found["box_thresh"], found["unclip_ratio"]) == (0.3, 0.7, 2.0)
    yml = edited(YML, PostProcess={"name": "DistillationDBPostProcess"})
    found = evaluated_parameters(yml, PATH)["detections"]
    assert (found["thresh"], found["box_thresh"], found["unclip_ratio"]) == (0.3, 0.6, 1.5)
