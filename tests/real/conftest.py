"""Real PaddleOCR operators, a real export, real paddleocr: one process imports paddle once for all these tests."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
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


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The blob network: yml, checkpoint and export."""
    from pytest_ocrparity.pipelines.imports import third_party

    folder = tmp_path_factory.mktemp("model")
    (folder / "inference").mkdir()
    with third_party():
        import paddle
        from blob_net import BlobNet

        network = BlobNet()
        paddle.save(network.state_dict(), str(folder / "best.pdparams"))
        network.eval()
        spec = [paddle.static.InputSpec([None, 3, None, None], "float32")]
        paddle.jit.save(paddle.jit.to_static(network, input_spec=spec), str(folder / "inference" / "inference"))
    write_yml(folder / "inference" / "inference.yml", export_yml(YML))
    return Model(write_yml(folder / "blob.yml", YML), folder / "best.pdparams", folder / "inference")


@pytest.fixture(scope="session")
def train(model: Model) -> Any:
    """The train side."""
    from pytest_ocrparity.pipelines.training import load_training

    return load_training(**model.train)


@pytest.fixture(scope="session")
def inference(model: Model) -> Any:
    """The inference side with the train side's limits."""
    from pytest_ocrparity.pipelines.inference import load_inference

    return load_inference(model_dir=model.export, options=LIMITS)


@pytest.fixture(scope="session")
def page() -> npt.NDArray[np.uint8]:
    """A page with dark words, two of them coloured, one rotated; (300, 420, 3) uint8 BGR."""
    image = np.full((300, 420, 3), 235, dtype=np.uint8)
    for top, left, width, colour in (
        (20, 30, 120, (20, 20, 20)),
        (20, 200, 150, (120, 10, 10)),
        (80, 40, 300, (10, 10, 90)),
        (140, 60, 60, (30, 30, 30)),
        (200, 250, 100, (0, 40, 0)),
    ):
        image[top : top + 22, left : left + width] = colour
    for step in range(60):
        image[215 + step // 2 : 240 + step // 2, 60 + step * 2 : 62 + step * 2] = 15
    return image


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write an array with cv2 and return the path."""
    import cv2

    def write(name: str, image: npt.NDArray[Any]) -> Path:
        done, data = cv2.imencode(Path(name).suffix, image)
        assert done
        path = tmp_path / name
        path.write_bytes(bytes(data))
        return path

    return write
