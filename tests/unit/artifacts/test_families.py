"""The task is read off a YAML file, and what does not say it is a detector's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.artifacts.families import DETECTORS, RECOGNISERS, family_of_export, family_of_training


@pytest.mark.parametrize(
    ("config", "is_recognisers"),
    [
        ({"Architecture": {"model_type": "rec", "algorithm": "SVTR_LCNet"}}, True),
        ({"Architecture": {"model_type": "det", "algorithm": "DB"}}, False),
        ({"Architecture": {"algorithm": "DB"}}, False),
        ({"Architecture": ["rec"]}, False),
        ({}, False),
    ],
)
def test_a_training_yml(config: dict[str, Any], is_recognisers: bool) -> None:
    assert family_of_training(config) is (RECOGNISERS if is_recognisers else DETECTORS)


@pytest.mark.parametrize(
    ("config", "is_recognisers"),
    [
        ({"PostProcess": {"name": "CTCLabelDecode"}}, True),
        ({"PostProcess": {"name": "NRTRLabelDecode"}}, True),  # whose own sentence says what is wrong with it
        ({"PostProcess": {}, "PreProcess": {"transform_ops": [{"SVTRRecResizeImg": None}]}}, True),
        (
            {"PostProcess": {"name": "DBPostProcess"}, "PreProcess": {"transform_ops": [{"DetResizeForTest": {}}]}},
            False,
        ),
        ({"PostProcess": None, "PreProcess": {"transform_ops": ["RecResizeImg"]}}, False),
        ({"PreProcess": []}, False),
        ({}, False),
    ],
)
def test_an_inference_yml(config: dict[str, Any], is_recognisers: bool) -> None:
    assert family_of_export(config) is (RECOGNISERS if is_recognisers else DETECTORS)


def test_what_a_family_reads_of_a_file() -> None:

    transforms = [
        {"DecodeImage": {"img_mode": "BGR"}},
        {"RecResizeImg": {"image_shape": [3, 48, 320]}},
        {"KeepKeys": {}},
    ]
    assert RECOGNISERS.written(transforms, {"name": "CTCLabelDecode"}, Path("a.yml")) == {
        "decode": {"img_mode": "BGR"},
        "resize": {"image_shape": [3, 48, 320]},
        "text": {"name": "CTCLabelDecode"},
    }
    assert DETECTORS.written(transforms, {"name": "DBPostProcess"}, Path("a.yml")).keys() == {"decode", "detections"}
