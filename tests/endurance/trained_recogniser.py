"""Trains one of a checkout's own recognisers with its tools/train.py, exports it, and compares both sides.

Run as a program, as a checkout is one per process: `trained_recogniser.py CHECKOUT YML FOLDER`. Prints one line of
JSON. The lines are numbers in Pillow's own font, which a network learns to read within minutes on one core.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from real.blob import write_yml
from real.mobile_parity import export
from real.published_recogniser import verdict

from example_project.render_lines import typed
from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.pipeline import load_paddlex_pipeline
from pytest_ocrparity.backends.ppocr.pipeline import load_ppocr_pipeline
from pytest_ocrparity.errors import ModelError

NAME: Final = "PP-OCRv5_mobile_rec"
BATCH: Final = 16
TRAINING, HELD_BACK = 100 * BATCH, 40
"""How many lines each of the two sets has."""
FEW: Final = 3
"""How many lines are compared with each export that is deployed in a wrong way."""
EPOCHS: Final = {"CRNN": 17, "SVTR": 8}
RATE: Final = 0.001
EARLY: Final = 5
"""The epoch whose checkpoint stands for another one."""
SMALLER: Final[dict[str, dict[str, Any]]] = {
    "CRNN": {"model_name": "small"},
    "SVTR": {
        **{"embed_dim": [32, 64, 96], "depth": [1, 2, 1], "num_heads": [1, 2, 3], "out_channels": 96},
        "mixer": ["Local", "Local", "Global", "Global"],
    },
}
"""What the backbones are given: as the ymls have them, minutes of one core are too short to read a line."""
WITHOUT_ONEDNN: Final = {"enable_mkldnn": False}
"""SVTR's first layer resizes with align_corners, which oneDNN does not heed in paddlepaddle 3.2.2."""


def draw(folder: Path, count: int, seed: int) -> dict[str, str]:
    """Draw lines of one to four digits and PaddleOCR's label file; return their texts by file name."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    texts = {}
    for index in range(count):
        text = "".join(rng.choice(list("0123456789"), rng.integers(1, 5)))
        ink, paper = (int(rng.integers(low, low + 60)) for low in (0, 190))
        before, after, above, below = rng.uniform(0.08, 0.2, 4)
        size = float(rng.uniform(22, 36))
        image = typed(text, size, (ink,) * 3, (paper,) * 3, (before, after, above, below))
        name = f"{index:04}.png"
        assert cv2.imwrite(str(folder / name), image)
        texts[name] = text
    label_file(folder).write_text("".join(f"{name}\t{text}\n" for name, text in texts.items()))
    return texts


def label_file(lines: Path) -> Path:
    """Return where the texts of a folder of lines stand."""
    return lines / "Label.txt"


def training_yml(path: Path, folder: Path) -> dict[str, Any]:
    """Return a yml of the checkout with our lines, for one core and minutes."""
    yml = read_config(path)
    algorithm = yml["Architecture"]["algorithm"]
    yml["Global"] |= {
        "use_gpu": False,
        "epoch_num": EPOCHS[algorithm],
        "save_epoch_step": EARLY,
        "save_model_dir": str(folder / "output"),
        "eval_batch_step": [10**9, 1],  # never
        "cal_metric_during_train": False,
    }
    yml["Optimizer"]["lr"] = {"name": "Cosine", "learning_rate": RATE, "warmup_epoch": 1}
    yml["Architecture"]["Backbone"] |= SMALLER[algorithm]
    for section in ("Train", "Eval"):
        dataset = yml[section]["dataset"]
        lines = folder / section
        dataset |= {"name": "SimpleDataSet", "data_dir": str(lines), "label_file_list": [str(label_file(lines))]}
        dataset["transforms"] = [each for each in dataset["transforms"] if "SVTRRecAug" not in each]
        yml[section]["loader"] |= {"batch_size_per_card": BATCH, "num_workers": 0}
    return yml


def train(root: Path, config: Path) -> float:
    """Run the checkout's own tools/train.py on one core; return its seconds of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "tools/train.py", "-c", str(config)]
    environ = {**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr[-3000:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def text_recognition(folder: Path) -> str:
    """Return what paddleocr's TextRecognition says of an export."""
    with isolated():
        from paddleocr import TextRecognition

        try:
            TextRecognition(model_name=NAME, model_dir=str(folder))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return "loaded"


def refusal(folder: Path, **settings: Any) -> str:
    """Return our sentence of an export that does not load."""
    try:
        load_paddlex_pipeline(model_dir=folder, **settings)
    except ModelError as error:
        return str(error)
    return "loaded"


def follow(folder: Path) -> dict[str, Any]:
    """Change an export's inference.yml as the sentence says; return the options that it names."""
    yml = read_config(folder / "inference.yml")
    options = {}
    transforms = []
    for entry in yml["PreProcess"]["transform_ops"]:
        if "SVTRRecResizeImg" in entry:
            shape = entry["SVTRRecResizeImg"]["image_shape"]
            transforms.append({"RecResizeImg": {"image_shape": shape}})
            options = {"input_shape": shape}
        elif "CTCLabelEncode" not in entry:
            transforms.append(entry)
    yml["PreProcess"]["transform_ops"] = transforms
    write_yml(folder / "inference.yml", yml)
    return options


def compared(trained: Any, own: Any, early: Any, lines: Path, labels: Mapping[str, str]) -> dict[str, Any]:
    """Compare the trained recogniser with its own export and with that of another epoch, on each line."""
    found = {}
    for name, label in labels.items():
        reference, candidate = trained.trace(lines / name), own.trace(lines / name)
        assert reference.recognition is not None, reference.error
        assert candidate.recognition is not None, candidate.error
        found[name] = {
            "label": label,
            "text": reference.recognition.text,
            "deployed": candidate.recognition.text,
            "largest": float(np.abs(reference.probability_map - candidate.probability_map).max()),
            "own": verdict(reference, candidate),
            "early": verdict(reference, early.trace(lines / name)),
        }
    return found


def main(root: Path, yml: Path, folder: Path) -> dict[str, Any]:
    """Train, export, and compare with the exports of the same and of an earlier epoch."""
    draw(folder / "Train", TRAINING, 1)
    labels = draw(folder / "Eval", HELD_BACK, 2)
    config = write_yml(folder / "trained.yml", training_yml(yml, folder))
    seconds = train(root, config)
    checkpoints = {"own": folder / "output/latest", "early": folder / f"output/iter_epoch_{EARLY}"}
    exports = {name: folder / f"{name}_inference" for name in checkpoints}
    for name, checkpoint in checkpoints.items():
        export(root, config, checkpoint, exports[name])
    trained: Any = load_ppocr_pipeline(config=config, checkpoint=checkpoints["own"], paddleocr_root=root)
    found: dict[str, Any] = {
        "seconds": seconds,
        "text_recognition": text_recognition(exports["own"]),
        "unnamed": refusal(exports["own"]),
        "refused": refusal(exports["own"], model_name=NAME),
    }
    options, _ = (follow(each) for each in exports.values())

    def deployed(name: str, options: Mapping[str, Any]) -> Any:
        return load_paddlex_pipeline(model_dir=exports[name], model_name=NAME, options=options)

    right = {**options, **(WITHOUT_ONEDNN if options else {})}
    found["lines"] = compared(trained, deployed("own", right), deployed("early", right), folder / "Eval", labels)
    for option in right:
        wrong = deployed("own", {name: value for name, value in right.items() if name != option})
        few = [folder / "Eval" / name for name in list(labels)[:FEW]]
        found[f"without {option}"] = [verdict(trained.trace(each), wrong.trace(each)) for each in few]
    return found


if __name__ == "__main__":
    print(json.dumps(main(*(Path(argument) for argument in sys.argv[1:]))))
