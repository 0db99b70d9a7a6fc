"""Quantise the example's depthwise detector to int8: `python -m example_project.quantise`, with onnxruntime and onnx.

Does what ONNX Runtime's documentation says: fold the batch norms first (`quant_pre_process`), then round weights and
what layers hand on to signed 8 bits (QDQ, S8S8), with ranges that calibration pages show. `--per-channel` gives each
channel of a kernel its own step; `--exclude NODE` leaves operators in fp32. `--pages FOLDER` draws pages with their
label file, on which accuracy is judged.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from example_project.render import Page, page

FOLDER = Path(__file__).parent
MODEL = FOLDER / "inference_mobile" / "inference.onnx"
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
CALIBRATION, JUDGED = 97, 96
"""The seeds of pages; training's are others."""


def drawn_pages(seed: int, count: int) -> Iterator[Page]:
    """Yield pages as the training saw."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        height, width = int(rng.integers(400, 700)), int(rng.integers(400, 800))
        yield page(rng, height, width, (14, 40), angle=float(rng.normal(0, 3)))


def to_tensor(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return a page as the deployment feeds it: both sides multiples of 32, normalised, (1, 3, h, w)."""
    height, width = (max(32, round(side / 32) * 32) for side in image.shape[:2])
    pixels = cv2.resize(image, (width, height)).astype(np.float32) / 255
    return np.ascontiguousarray(((pixels - MEAN) / STD).transpose(2, 0, 1)[None])


class CalibrationPages(CalibrationDataReader):
    """Hands out tensors of drawn pages."""

    def __init__(self, count: int) -> None:
        self.tensors = (to_tensor(each.image) for each in drawn_pages(CALIBRATION, count))

    def get_next(self) -> dict[str, Any] | None:
        """Return what the network is given next, or None after the last page."""
        return next(({"x": tensor} for tensor in self.tensors), None)


def quantise(output: Path, *, per_channel: bool = False, exclude: Sequence[str] = (), pages: int = 8) -> None:
    """Write the network in int8."""
    logging.disable(logging.WARNING)  # of quantize_static, which also warns where the model was pre-processed
    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(MODEL), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(output),
            CalibrationPages(pages),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
            nodes_to_exclude=list(exclude),
        )
    logging.disable(logging.NOTSET)


def write_labelled_pages(folder: Path, count: int = 12) -> None:
    """Write pages and the label file of PaddleOCR that says where their lines are."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, drawn in enumerate(drawn_pages(JUDGED, count)):
        cv2.imwrite(str(folder / f"{number:02}.png"), drawn.image)
        boxes = [{"transcription": "line", "points": quad.round().tolist()} for quad in drawn.quads]
        lines.append(f"{number:02}.png\t{json.dumps(boxes)}\n")
    (folder / "Label.txt").write_text("".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=MODEL.with_name("int8.onnx"))
    parser.add_argument("--per-channel", action="store_true")
    parser.add_argument("--exclude", nargs="*", default=[], metavar="NODE")
    parser.add_argument("--pages", type=Path, metavar="FOLDER", help="draw labelled pages, and quantise nothing")
    arguments = parser.parse_args()
    if arguments.pages is not None:
        write_labelled_pages(arguments.pages)
    else:
        quantise(arguments.output, per_channel=arguments.per_channel, exclude=arguments.exclude)
