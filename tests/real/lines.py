"""The line network as a user's model on disk: its yml, its dictionary, and pictures that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.backends.isolation import isolated
from real.blob import HERE, operators_root, write_yml

Line = npt.NDArray[np.uint8]

STEP = 8
"""The columns of a timestep."""
GAIN = 400.0
WEIGHTS = (0.5, 0.3, 0.2)
"""What blue, green and red count for."""

LETTERS = "0123456789"
HEIGHT, WIDTH = 48, 320

YML: dict[str, Any] = {
    "Global": {
        "model_name": "PP-OCRv5_mobile_rec",
        "character_dict_path": "dict.txt",
        "use_space_char": True,
        "infer_mode": False,
        "max_text_length": 25,
    },
    "Architecture": {"model_type": "rec", "algorithm": "CRNN", "Head": {"name": "CTCHead"}},
    "PostProcess": {"name": "CTCLabelDecode"},
    "Eval": {
        "dataset": {
            "name": "SimpleDataSet",
            "transforms": [
                {"DecodeImage": {"img_mode": "BGR", "channel_first": False}},
                {"MultiLabelEncode": {"gtc_encode": "NRTRLabelEncode"}},
                {"RecResizeImg": {"image_shape": [3, HEIGHT, WIDTH]}},
                {"KeepKeys": {"keep_keys": ["image", "label_ctc", "label_gtc", "length", "valid_ratio"]}},
            ],
        }
    },
}


def levels(classes: int) -> list[float]:
    """Return the grey of each class, normalised: 0 for the blank, then from -1 to 1 with a gap in the middle."""
    steps = np.linspace(-0.8, 0.8, classes - 1)
    return [0.0, *(float(step + 0.2 * np.sign(step) + 0.2 * (step == 0)) for step in steps)]


def line(text: str, *, letters: str = f"{LETTERS} ", height: int = HEIGHT, coloured: bool = False) -> Line:
    """Draw a line in BGR that the network reads as this text; a letter is half as wide as the line is high.

    Args:
        text: what to draw.
        letters: those of the dictionary, in order.
        height: in pixels.
        coloured: of the same grey by the network's weights, but with red off it.
    """
    known = dict(zip(letters, levels(len(letters) + 1)[1:], strict=True))
    side = height // 2
    image = np.full((height, side * (2 * len(text) + 1), 3), 128, np.uint8)
    for index, letter in enumerate(text):
        grey = (known[letter] + 1) * 127.5
        off = 20 if grey < 128 else -20
        colour = [grey - off * WEIGHTS[2] / WEIGHTS[0], grey, grey + off] if coloured else [grey] * 3
        image[:, (2 * index + 1) * side : (2 * index + 2) * side] = np.clip(np.round(colour), 0, 255)
    return image


def transforms(**arguments: Any) -> list[dict[str, Any]]:
    """Return the Eval transforms with the arguments of some operators replaced."""
    default: list[dict[str, Any]] = YML["Eval"]["dataset"]["transforms"]
    return [{name: arguments.get(name, value)} for entry in default for name, value in entry.items()]


def export_yml(yml: Mapping[str, Any], letters: str = LETTERS) -> dict[str, Any]:
    """Return the inference.yml that PaddleOCR's `dump_infer_config` writes for a training yml."""
    return {
        "Global": {"model_name": yml["Global"]["model_name"]},
        "PreProcess": {"transform_ops": yml["Eval"]["dataset"]["transforms"]},
        "PostProcess": {**yml["PostProcess"], "character_dict": list(letters)},
    }


@dataclass(frozen=True)
class Reader:
    """A trained and exported recogniser on disk."""

    config: Path
    checkpoint: Path
    export: Path

    @property
    def train(self) -> dict[str, Any]:
        """Keyword arguments of `load_ppocr_pipeline`."""
        return {
            "config": self.config,
            "checkpoint": self.checkpoint,
            "network": "real.line_net:build",
            "network_folder": HERE.parent,
            "paddleocr_root": operators_root(),
        }


def write_reader(folder: Path, letters: str = LETTERS, classes: int | None = None) -> Reader:
    """Save the network of a dictionary, which a space is appended to, and export it."""
    classes = len(letters) + 2 if classes is None else classes
    export = folder / "inference"
    export.mkdir(parents=True)
    with isolated():
        import paddle

        from real.line_net import LineNet

        network = LineNet(classes)
        paddle.save(network.state_dict(), str(folder / "best.pdparams"))
        network.eval()
        spec = [paddle.static.InputSpec([None, 3, HEIGHT, -1], "float32")]
        paddle.jit.save(paddle.jit.to_static(network, input_spec=spec), str(export / "inference"))
    write_yml(export / "inference.yml", export_yml(YML, letters))
    write_dictionary(folder / "dict.txt", letters)
    return Reader(write_yml(folder / "line.yml", YML), folder / "best.pdparams", export)


def write_dictionary(path: Path, letters: str) -> Path:
    """Write a dictionary, a character a line."""
    path.write_text("".join(f"{letter}\n" for letter in letters), encoding="utf-8")
    return path
