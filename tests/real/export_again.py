"""Deploys the export of another checkpoint, and does in a shell what the message says.

Run as a program, as a checkout is one per process: `export_again.py CHECKOUT FOLDER KIND`. KIND is "plain", or
"distillation", or "renamed" where the sub-model's folder has another name. The yml names no place and no model, as
PaddleOCR's own may. Prints one line of JSON.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pytest_ocrparity import assert_same_probability_maps
from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from pytest_ocrparity.backends.ppocr.pipeline import load_training
from pytest_ocrparity.comparison import DifferenceError
from real.mobile_parity import LIMITS, export, save_random

YML = "configs/det/PP-OCRv3/PP-OCRv3_mobile_det.yml"


def write_config(root: Path, path: Path, kind: str) -> None:
    """Write a yml of the checkout's, whose Global says neither where an export lies nor what it is called."""
    config = copy.deepcopy(read_config(root / YML))
    config["Global"] |= {"save_inference_dir": None, "model_name": None}
    if kind != "plain":
        models = {name: copy.deepcopy(config["Architecture"]) for name in ("Student", "Student2")}
        config["Architecture"] = {
            **{"name": "DistillationModel", "model_type": "det", "algorithm": "Distillation", "Models": models}
        }
        config["PostProcess"] |= {"name": "DistillationDBPostProcess", "model_name": ["Student"], "key": None}
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def failure(config: Path, deployed: Path, root: Path, image: Path, sub_model: str | None) -> DifferenceError | None:
    """Compare the maps of the two sides."""
    train = load_training(config=config, checkpoint=Path("mine"), paddleocr_root=root, sub_model=sub_model)
    inference = load_inference(model_dir=deployed, options=LIMITS, model_name="PP-OCRv3_mobile_det")
    try:
        assert_same_probability_maps(train.trace(image), inference.trace(image))
    except DifferenceError as error:
        return error
    return None


def main(root: Path, folder: Path, kind: str) -> dict[str, Any]:
    """Find the fault, run the printed command, and compare again."""
    import cv2

    os.chdir(folder)
    image, config = Path("page.png"), Path("my configs", "det.yml")
    config.parent.mkdir()
    pixels = np.full((640, 640, 3), 240, np.uint8)
    for index, word in enumerate(("export", "parity", "again")):
        cv2.putText(pixels, word, (40, 150 + 180 * index), cv2.FONT_HERSHEY_SIMPLEX, 4, (20, 20 * index, 60), 12)
    cv2.imwrite(str(image), pixels)
    write_config(root, config, kind)
    for seed, name in enumerate(("mine", "other")):
        save_random(root, config.absolute(), Path(f"{name}.pdparams"), pixels, seed)
    sub_model = None if kind == "plain" else "Student"
    deployed = Path("deployed model", sub_model) if sub_model else Path("deployed model")
    export(root, config.absolute(), Path("other").absolute(), Path("deployed model").absolute())
    if sub_model:  # PostProcess.name as TextDetection runs it, which the export does not write
        written = yaml.safe_load(Path("deployed model", "inference.yml").read_text())
        written["PostProcess"]["name"] = "DBPostProcess"
        (deployed / "inference.yml").write_text(yaml.safe_dump(written))
    if kind == "renamed":
        deployed = deployed.rename("served")
    error = failure(config.absolute(), deployed.absolute(), root, image, sub_model)
    assert error is not None
    (diagnosis,) = error.diagnoses
    assert diagnosis.fix is not None
    command = diagnosis.fix.text.partition("export again: ")[2]
    environ = {**os.environ, "PYTHONPATH": "", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environ)
    again = failure(config.absolute(), deployed.absolute(), root, image, sub_model) if not done.returncode else error
    return {
        "cause": diagnosis.cause,
        "command": command,
        "status": done.returncode,
        "stderr": done.stderr[-2000:],
        "again": None if again is None else str(again),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])))
