"""What a recogniser's project is made of, in tests that run one; the fixture `alone` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

GATE = "from pytest_ocrparity.gate import *\n"
THREE_LINES = """
from pytest_ocrparity import assert_same_preprocessing, assert_same_probability_maps, assert_same_text

def test_export_reads_as_training(ocr_train_model, ocr_inference_model, ocr_image):
    train, inference = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
    assert_same_preprocessing(train, inference)
    assert_same_probability_maps(train, inference)
    assert_same_text(train, inference)
"""


def write(folder: Path, pictures: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    for name, pixels in pictures.items():
        np.save(folder / name, pixels)


def break_export(project: pytest.Pytester, fields: str) -> None:
    path = project.path / "conftest.py"
    path.write_text(path.read_text().replace('name="inference"', f'name="inference", {fields}'))
