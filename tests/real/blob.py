"""The blob network as a user's model on disk: its yml, and how to make wrong ones of it. Imports no framework."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
NORMALIZE = {"scale": "1./255.", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "order": "hwc"}

YML: dict[str, Any] = {
    "Global": {"model_name": "PP-OCRv4_mobile_det", "checkpoints": None, "pretrained_model": None, "use_gpu": False},
    "Architecture": {"model_type": "det", "algorithm": "DB", "Backbone": {"name": "Blob"}},
    "PostProcess": {
        "name": "DBPostProcess",
        "thresh": 0.3,
        "box_thresh": 0.6,
        "max_candidates": 1000,
        "unclip_ratio": 1.5,
    },
    "Eval": {
        "dataset": {
            "transforms": [
                {"DecodeImage": {"img_mode": "BGR", "channel_first": False}},
                {"DetLabelEncode": None},
                {"DetResizeForTest": None},
                {"NormalizeImage": NORMALIZE},
                {"ToCHWImage": None},
                {"KeepKeys": {"keep_keys": ["image", "shape", "polys", "ignore_tags"]}},
            ]
        }
    },
}
LIMITS = {"limit_side_len": 736, "limit_type": "min"}
"""What the yml's null resize means on the train side."""


def edited(document: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    """Return a copy with values set at keys whose dots are written as double underscores; None drops the key."""
    result = copy.deepcopy(dict(document))
    for key, value in values.items():
        *parents, last = key.split("__")
        place = result
        for parent in parents:
            place = place[parent]
        if value is None:
            place.pop(last)
        else:
            place[last] = value
    return result


def transforms(**arguments: Any) -> list[dict[str, Any]]:
    """Return the Eval transforms with the arguments of some operators replaced."""
    default: list[dict[str, Any]] = copy.deepcopy(YML["Eval"]["dataset"]["transforms"])
    return [{name: arguments.get(name, value)} for entry in default for name, value in entry.items()]


@dataclass(frozen=True)
class Model:
    """A trained and exported model on disk."""

    config: Path
    checkpoint: Path
    export: Path

    @property
    def train(self) -> dict[str, Any]:
        """Keyword arguments of `load_training`."""
        return {
            "config": self.config,
            "checkpoint": self.checkpoint,
            "network": "blob_net:build",
            "network_folder": HERE,
            "paddleocr_root": operators_root(),
        }


def operators_root() -> Path:
    """Return where PaddleOCR's training-side operators are: a checkout or the unpacked 2.10 distribution."""
    default = HERE.parents[1] / ".venv" / "paddleocr-2.10" / "paddleocr"
    return Path(os.environ.get("OCRPARITY_PADDLEOCR_ROOT", default))


def export_yml(yml: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inference.yml that PaddleOCR's `dump_infer_config` writes for a training yml."""
    return {
        "Global": {"model_name": yml["Global"]["model_name"]},
        "PreProcess": {"transform_ops": yml["Eval"]["dataset"]["transforms"]},
        "PostProcess": yml["PostProcess"],
    }


def write_yml(path: Path, document: Mapping[str, Any]) -> Path:
    """Write a yml without aliases."""
    path.write_text(yaml.safe_dump(copy.deepcopy(dict(document)), sort_keys=False), encoding="utf-8")
    return path
