"""Builds PaddleOCR's own recognisers in a full checkout, exports them with its own tool, and loads both sides.

Run as a program, as a checkout is one per process: `recogniser_parity.py CHECKOUT YML FOLDER`. Prints one line of JSON.
The weights are random, with batch statistics of a line and a head that is made steep, so that maps are not flat.
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

from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.artifacts.dictionary import find_dictionary
from pytest_ocrparity.artifacts.recogniser_configs import recogniser_config_shape
from pytest_ocrparity.backends.isolation import isolated_checkout
from pytest_ocrparity.backends.paddlex.deployed_recogniser import DeployedRecogniser
from pytest_ocrparity.backends.paddlex.pipeline import load_paddlex_pipeline
from pytest_ocrparity.backends.ppocr.pipeline import load_ppocr_pipeline
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser, with_classes
from pytest_ocrparity.errors import ModelError

STEEP = 30.0
NAME = "PP-OCRv5_mobile_rec"


def save_random(root: Path, config: Path, path: Path, line: npt.NDArray[np.uint8]) -> None:
    """Save random weights of the yml's network."""
    yml = read_config(config)
    dictionary = find_dictionary(yml, config, root)
    entries = 36 if dictionary is None else len(dictionary.read_bytes().splitlines())
    classes = 1 + entries + bool(dictionary and yml["Global"].get("use_space_char"))
    with isolated_checkout(root):
        import paddle
        from ppocr.modeling.architectures import build_model

        paddle.seed(0)
        network = build_model(with_classes(yml["Architecture"], classes))
        network.eval()
        for layer in network.sublayers():
            if hasattr(layer, "_momentum"):
                layer._momentum = 0.0  # batch statistics, taken once
                layer.train()
        with paddle.no_grad():
            network(paddle.to_tensor((line.transpose(2, 0, 1)[None] / 127.5 - 1).astype(np.float32)))
            for name, value in network.state_dict().items():
                if value.shape[-1] == classes and len(value.shape) == 2:
                    value.set_value(value * STEEP)
                    print(f"steep: {name}", file=sys.stderr)
        paddle.save(network.state_dict(), str(path))


def export(root: Path, config: Path, checkpoint: Path, folder: Path) -> None:
    """Run the checkout's own tools/export_model.py."""
    settings = [f"Global.checkpoints={checkpoint}", f"Global.save_inference_dir={folder}", "Global.pretrained_model="]
    command = [sys.executable, "tools/export_model.py", "-c", str(config), "-o", *settings]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    assert done.returncode == 0, done.stderr[-3000:]


def main(root: Path, config: Path, folder: Path) -> dict[str, Any]:
    """Compare both sides of one network on a short and on a long line, or say why the deployment refuses it."""
    yml = read_config(config)
    _, height, width = recogniser_config_shape(yml["Eval"]["dataset"]["transforms"], config)
    random = np.random.default_rng(0)
    long = random.integers(0, 256, (height, 3 * width, 3), np.uint8)
    short = np.ascontiguousarray(long[:, : width // 2])
    save_random(root, config, folder / "mine.pdparams", np.ascontiguousarray(long[:, :width]))
    export(root, config, folder / "mine.pdparams", folder / "inference")
    train = load_ppocr_pipeline(config=config, checkpoint=folder / "mine", paddleocr_root=root)
    assert isinstance(train, TrainedRecogniser)
    trained = [train.trace(each) for each in (short, long)]
    assert all(each.error is None for each in trained), trained[0].error
    found: dict[str, Any] = {
        "characters": len(train.characters),
        "rule": train.parameters["resize"]["rule"],
        "train_widths": [each.parameters["resize"]["width"] for each in trained],
    }
    try:
        inference = load_paddlex_pipeline(
            model_dir=folder / "inference", model_name=yml["Global"].get("model_name") or NAME
        )
        assert isinstance(inference, DeployedRecogniser)
    except ModelError as error:
        return {**found, "refused": str(error)}
    deployed = [inference.trace(each) for each in (short, long)]
    maps = trained[0].probability_map, deployed[0].probability_map
    tensors = trained[0].tensor, deployed[0].tensor
    assert maps[0] is not None and maps[1] is not None, deployed[0].error
    assert tensors[0] is not None and tensors[1] is not None
    right = train.read_map(maps[0]).text
    return {
        **found,
        "inference_widths": [each.parameters["resize"]["width"] for each in deployed],
        "tensor_equal": bool(np.array_equal(tensors[0], tensors[1])),
        "largest": float(np.abs(maps[0] - maps[1]).max()),
        "spread": float(np.ptp(maps[0])),
        "read": [train.read_map(maps[1]).text == right, inference.read_map(maps[0]).text == right],
        "parameters_equal": trained[0].parameters["text"] == deployed[0].parameters["text"],
    }


if __name__ == "__main__":
    print(json.dumps(main(*(Path(argument) for argument in sys.argv[1:]))))
