"""What a training YAML file evaluates: the parameters that PaddleOCR's operators have once it built them.

Defaults are those of PaddleOCR's `DecodeImage`, `DetResizeForTest`, `NormalizeImage` and `DBPostProcess`, 2.10 and
later; tests/real builds them and compares. Reads a checked YAML file; imports no framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from pytest_ocrparity.artifacts.configs import config_parameters, config_scale
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR

Values = Mapping[str, Any]

MEAN: Final = (0.485, 0.456, 0.406)
STD: Final = (0.229, 0.224, 0.225)

_THRESHOLDS: Final[Mapping[str, Values]] = {
    "DBPostProcess": {"thresh": 0.3, "box_thresh": 0.7, "unclip_ratio": 2.0},
    "DistillationDBPostProcess": {"thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5},
}
OTHERS: Final[Values] = {"max_candidates": 1000, "use_dilation": False, "score_mode": "fast", "box_type": "quad"}
"""What a post-process does where its YAML file does not say, on the training side and in paddlex."""


def evaluated_parameters(yml: Mapping[str, Any], path: Path) -> dict[str, dict[str, Any]]:
    """Return by stage name what a training YAML file evaluates.

    As in PaddleOCR, a key of `Global` reaches every Eval operator that takes one of that name, not the post-process.

    Args:
        yml: it, checked by `configs.check_training_config`.
        path: where it lies.
    """
    said = config_parameters(yml["Eval"]["dataset"]["transforms"], yml["PostProcess"], path)
    leaking = yml.get("Global") or {}
    decode, resize, normalize = ({**said.get(stage, {}), **leaking} for stage in (DECODE, RESIZE, TENSOR))
    post_process = said[DETECTIONS]
    found = {
        DECODE: {
            "img_mode": decode.get("img_mode", "RGB"),
            "ignore_orientation": bool(decode.get("ignore_orientation", False)),
        },
        RESIZE: _resize_rule(resize),
        DETECTIONS: {
            **{name: post_process.get(name, value) for name, value in _THRESHOLDS[post_process["name"]].items()},
            **other_parameters(post_process),
        },
    }
    if TENSOR in said:
        found[TENSOR] = evaluated_normalization(normalize, path, "chw")
    return found


def _resize_rule(given: Values) -> dict[str, Any]:
    if "image_shape" in given:
        keep_ratio = given.get("keep_ratio", False)
        return {"rule": "image_shape", "image_shape": given["image_shape"], "keep_ratio": keep_ratio}
    if "limit_side_len" not in given and "resize_long" in given:
        return {"rule": "resize_long", "resize_long": given["resize_long"]}
    limit_type = given.get("limit_type", "min") if "limit_side_len" in given else "min"
    return {"rule": "limit", "limit_side_len": given.get("limit_side_len", 736), "limit_type": limit_type}


def evaluated_normalization(given: Values, path: Path, order: str) -> dict[str, Any]:
    """Return the parameters of a `NormalizeImage` whose order is `order` where the YAML file does not say.

    Raises:
        ModelError: its mean or std is no list, or its scale no number.
    """
    for name in ("mean", "std"):
        if not isinstance(given.get(name), list | tuple | None):
            raise ModelError(f"{path}: NormalizeImage.{name} is {given[name]!r:.80}, not a list of three numbers")
    scale = config_scale(given.get("scale"), path, "NormalizeImage.scale")
    return {
        "scale": float(str(np.float32(scale))),
        "mean": list(MEAN if given.get("mean") is None else given["mean"]),
        "std": list(STD if given.get("std") is None else given["std"]),
        "order": "chw" if given.get("order", order) == "chw" else "hwc",
    }


def other_parameters(post_process: Values) -> dict[str, Any]:
    """Return the parameters of a post-process that no argument of paddleocr sets."""
    return {name: post_process.get(name, value) for name, value in OTHERS.items()}
