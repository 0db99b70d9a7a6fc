"""A report of toy models, with all that a page shows: other boxes, another tensor, equal stages, two candidates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from paths import TESTS
from projects import EIGHT_LINES
from toy import Toy, page

WORDS = ((20, 20, 110, 50), (160, 24, 270, 52), (30, 110, 200, 150))
HEIGHT, WIDTH = 200, 300
MOVED, GREY, SAME, EMPTY, SPACES = "moved.npy", "grey.npy", "same.npy", "empty.npy", "a <b>name.npy"
CONFTEST = f"""
import sys
import pytest

sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]
from browser.toy_report import export
from toy import Toy


class Export(Toy):
    def trace(self, image):
        return export(self.name, str(image)).trace(image)


@pytest.fixture(scope="session")
def ocr_train_model():
    return Toy()


@pytest.fixture(scope="session", params=["inference", "onnx"])
def ocr_inference_model(request):
    return Export(name=request.param)
"""


def export(name: str, image: str) -> Toy:
    """Return the deployed model that is wrong on this image, where it is wrong."""
    if name == "onnx":
        return Toy(name=name)
    return Toy(name=name, pad=7 if MOVED in image or SPACES in image else 1, mean=0.52 if GREY in image else 0.5)


def written_page(image: str) -> npt.NDArray[np.uint8]:
    return page(HEIGHT, WIDTH, () if image == EMPTY else WORDS)


def write_report(folder: Path, *options: str, settings: str = "") -> Path:
    """Run the tests of a toy project, and return the report's folder."""
    (folder / "images").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        f'[tool.ocrparity]\nimages = ["images/*.npy"]\nallow_empty = true\n{settings}'
    )
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_export.py").write_text(EIGHT_LINES.partition("def test_export_matches_baseline")[0])
    for name in (MOVED, GREY, SAME, EMPTY, SPACES):
        np.save(folder / "images" / name, written_page(name))
    done: Any = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "--ocr-report=report",
            *options,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "report" / "index.html").is_file(), done.stdout + done.stderr
    return folder / "report"
