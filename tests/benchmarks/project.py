"""The project that whole runs are measured on: the example's models on pages drawn for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from real.blob import operators_root

from pytest_ocrparity.backends.paddlex.stand_in import MODEL_NAME, write_stand_in
from pytest_ocrparity.settings import load_settings

EXAMPLE = Path(__file__).parents[2] / "example_project"
SETTINGS = """
[tool.ocrparity]
images = ["images/*.png"]
{labels}

[tool.ocrparity.train]
config = "tiny_db.yml"
checkpoint = "{example}/checkpoints/tiny_db"
network = "tiny_db.network:build"
paddleocr_root = "{operators}"

[tool.ocrparity.inference]
model_dir = "{example}/inference"
{deployed}
"""
TEXT_DETECTION = 'options = {{ limit_side_len = {limit_side_len}, limit_type = "{limit_type}", cpu_threads = 1 }}'
PADDLE_OCR = """
api = "PaddleOCR"

[tool.ocrparity.inference.options]
text_det_limit_side_len = {limit_side_len}
text_det_limit_type = "{limit_type}"
text_recognition_model_name = "{recogniser}"
text_recognition_model_dir = "recogniser"
use_doc_orientation_classify = false
use_doc_unwarping = false
use_textline_orientation = false
cpu_threads = 1
"""
TESTS = """
from pytest_ocrparity import assert_same_detections, assert_same_preprocessing, assert_same_probability_maps


def check(reference, candidate):
    assert_same_preprocessing(reference, candidate)
    assert_same_probability_maps(reference, candidate)
    assert_same_detections(reference, candidate)


def test_live(ocr_train_model, ocr_inference_model, ocr_image):
    check(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))


def test_baseline(ocr_golden, ocr_inference_model, ocr_image):
    check(ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
CLOCK = '''
"""Writes the seconds from the end of the first test, which loads the models, to the end of the run."""
import json, resource, time

ends = []


def pytest_runtest_logfinish(nodeid, location):
    ends.append(time.perf_counter())


def pytest_unconfigure(config):
    if hasattr(config, "workerinput"):
        return
    taken = time.perf_counter() - ends[0]
    facts = {"seconds": taken, "maxrss_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
    (config.rootpath / "clock.json").write_text(json.dumps(facts))
'''


def write_project(
    folder: Path,
    images: int,
    *,
    height: int = 736,
    width: int = 960,
    limit_side_len: int = 736,
    limit_type: str = "min",
    deployed: str = TEXT_DETECTION,
    has_labels: bool = False,
) -> Path:
    """Write a project with that many pages of text, `page_00000.png` and on; both sides' `limit_side_len` given."""
    import cv2

    from example_project.pages import drawn

    (folder / "images").mkdir(parents=True)
    yml = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())
    resize = next(each for each in yml["Eval"]["dataset"]["transforms"] if "DetResizeForTest" in each)
    limits: dict[str, Any] = {"limit_side_len": limit_side_len, "limit_type": limit_type}
    resize["DetResizeForTest"] = limits
    (folder / "tiny_db.yml").write_text(yaml.safe_dump(yml))
    shutil.copytree(EXAMPLE / "tiny_db", folder / "tiny_db", ignore=shutil.ignore_patterns("__pycache__"))
    if deployed == PADDLE_OCR:
        (folder / "recogniser").mkdir()
        write_stand_in(folder / "recogniser")
    names = {
        "example": EXAMPLE,
        "operators": operators_root(),
        "deployed": deployed.format(recogniser=MODEL_NAME, **limits),
        "labels": 'labels = "Label.txt"' if has_labels else "",
    }
    (folder / "pyproject.toml").write_text(SETTINGS.format(**names) + "\n[tool.pytest.ini_options]\n")
    (folder / "test_export.py").write_text(TESTS)
    (folder / "conftest.py").write_text(CLOCK)
    labels = []
    for index in range(images):
        page, name = drawn(index, height, width, (14.0, 40.0), count=12), f"images/page_{index:05}.png"
        cv2.imwrite(str(folder / name), page.image)
        lines = [{"transcription": "text", "points": np.asarray(quad).tolist()} for quad in page.quads]
        labels.append(f"{name}\t{json.dumps(lines)}\n")
    (folder / "Label.txt").write_text("".join(labels))
    return folder


def train_side() -> Any:
    """Return the example's train side, loaded."""
    from pytest_ocrparity.backends.ppocr.pipeline import load_training

    settings = load_settings(EXAMPLE / "pyproject.toml", {}, EXAMPLE)
    return load_training(**{**settings.train, "paddleocr_root": operators_root()})
