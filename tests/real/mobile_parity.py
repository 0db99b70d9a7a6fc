"""Builds one of PaddleOCR's own detectors in a full checkout, exports it with its own tool, and loads both sides.

Run as a program, as a checkout is one per process: `mobile_parity.py CHECKOUT YML FOLDER IMAGE`. Prints one line of
JSON. The weights are random, with batch statistics of the image, so that the map is neither blank nor full.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity import assert_same_detections, assert_same_preprocessing, assert_same_probability_maps
from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.backends.isolation import isolated_checkout
from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from pytest_ocrparity.backends.ppocr.pipeline import load_training
from pytest_ocrparity.compare.sensitivity import fused_map, map_sensitivity
from pytest_ocrparity.comparison import DifferenceError

LIMITS = {"limit_side_len": 736, "limit_type": "min"}


def save_random(root: Path, config: Path, path: Path, image: npt.NDArray[np.uint8], seed: int) -> None:
    """Save random weights of the yml's network."""
    with isolated_checkout(root):
        import paddle
        from ppocr.modeling.architectures import build_model

        paddle.seed(seed)
        network = build_model(read_config(config)["Architecture"])
        for layer in network.sublayers():
            if hasattr(layer, "_momentum"):
                layer._momentum = 0.0  # batch statistics, taken once
        network.train()
        with paddle.no_grad():
            network(paddle.to_tensor((image.transpose(2, 0, 1)[None] / 127.5 - 1).astype(np.float32)))
        paddle.save(network.state_dict(), str(path))


def export(root: Path, config: Path, checkpoint: Path, folder: Path) -> None:
    """Run the checkout's own tools/export_model.py."""
    settings = [f"Global.checkpoints={checkpoint}", f"Global.save_inference_dir={folder}", "Global.pretrained_model="]
    command = [sys.executable, "tools/export_model.py", "-c", str(config), "-o", *settings]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    assert done.returncode == 0, done.stderr[-3000:]


def verdict(train: Any, inference: Any) -> str:
    """Return "same", or the first line of the first difference."""
    try:
        assert_same_preprocessing(train, inference)
        assert_same_probability_maps(train, inference)
        assert_same_detections(train, inference)
    except DifferenceError as error:
        return str(error).partition("\n")[0]
    return "same"


def main(root: Path, config: Path, folder: Path, image: Path) -> dict[str, Any]:
    """Compare one network's two sides, and its train side with the export of other weights."""
    import cv2

    pixels = cv2.resize(cv2.imread(str(image)), (640, 640))
    for seed, name in enumerate(("mine", "other")):
        save_random(root, config, folder / f"{name}.pdparams", pixels, seed)
        export(root, config, folder / name, folder / f"{name}_inference")
    train = load_training(config=config, checkpoint=folder / "mine", paddleocr_root=root).trace(image)
    mine, other = (
        load_inference(model_dir=folder / f"{name}_inference", options=LIMITS).trace(image)
        for name in ("mine", "other")
    )
    assert train.probability_map is not None and mine.probability_map is not None
    fused = fused_map(train)
    return {
        "largest": float(np.abs(train.probability_map - mine.probability_map).max()),
        "floor": map_sensitivity(train),
        "fused_to_train": None if fused is None else float(np.abs(fused - train.probability_map).max()),
        "fused_to_export": None if fused is None else float(np.abs(fused - mine.probability_map).max()),
        "spread": float(np.ptp(train.probability_map)),
        "boxes": [len(trace.detections or ()) for trace in (train, mine)],
        "own_export": verdict(train, mine),
        "other_export": verdict(train, other),
    }


if __name__ == "__main__":
    print(json.dumps(main(*(Path(argument) for argument in sys.argv[1:]))))
