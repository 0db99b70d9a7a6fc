"""Pages and lines with labels, in tests of accuracy; and records of what runs counted on them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from projects import settings_file
from toy import page

import pytest_ocrparity.rejudge  # noqa: F401 - pytester drops modules that a run inside this process imported first
from pytest_ocrparity.evaluate.counts import Counts, ImageCounts, LabelChange
from pytest_ocrparity.report.accuracy_record import AccuracyRecord, judge_accuracy
from pytest_ocrparity.tolerance import Limit

PLACES = ((8, 8, 40, 20), (50, 8, 88, 20), (8, 36, 60, 52))
COMPARES = """
from pytest_ocrparity import assert_same_detections

def test_boxes(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
FORGETS = """

class Forgets(Toy):
    # finds no third box
    def postprocess(self, probability_map, shape):
        from pytest_ocrparity import Detections

        found = super().postprocess(probability_map, shape)
        return Detections(found.polygons[:2], found.scores[:2])


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Forgets(name="inference")
"""
LOOSE = ("--ocr-tolerance=int8", "--ocr-tolerance=detections.max_unmatched=1")
"""Limits under which any boxes pass, so that accuracy alone decides."""


def label(name: str, boxes: Iterable[Sequence[float]]) -> str:
    """Return a line of a label file, with a rectangle for each (x0, y0, x1, y1)."""
    found = [{"transcription": "word", "points": [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]} for x0, y0, x1, y1 in boxes]
    return f"{name}\t{json.dumps(found)}\n"


def write_pages(folder: Path, counts: Sequence[int], prefix: str = "") -> str:
    """Write a page of so many words for each number, from 0.npy on, and return their labels."""
    (folder / "images").mkdir(exist_ok=True)
    for index, count in enumerate(counts):
        np.save(folder / "images" / f"{prefix}{index:02}.npy", page(boxes=PLACES[:count]))
    return "".join(label(f"images/{prefix}{index:02}.npy", PLACES[:count]) for index, count in enumerate(counts))


def write_project(
    project: pytest.Pytester, counts: Sequence[int], settings: str = 'labels = "Label.txt"', tests: str = COMPARES
) -> None:
    """Give a project labelled pages in the place of its own, whose settings name labels alone, and one test."""
    for path in (project.path / "images").iterdir():
        path.unlink()
    (project.path / "Label.txt").write_text(write_pages(project.path, counts))
    (project.path / "pyproject.toml").unlink()
    settings_file(project.path, settings)
    project.makepyfile(test_export=tests)


def add(project: pytest.Pytester, text: str) -> None:
    """Add to the project's conftest.py."""
    path = project.path / "conftest.py"
    path.write_text(path.read_text() + text)


def lines(result: pytest.RunResult, word: str) -> list[str]:
    """Return the lines of a run's output with this text."""
    return [line for line in result.stdout.str().splitlines() if word in line]


def image_counts(image: str, truth: int, reference: int, candidate: int, **more: Any) -> ImageCounts:
    """Return an image of which each side matches so many boxes and finds no other; `more` are other fields."""
    one, two = (Counts(matched=each, truth=truth, found=each, in_order=each) for each in (reference, candidate))
    lost, gained = tuple(range(candidate, reference)), tuple(range(reference, candidate))
    changes = [LabelChange("lost", index, f"word {index}", (float(index), 7.0)) for index in lost]
    changes += [LabelChange("gained", index, f"word {index}", (float(index), 7.0)) for index in gained]
    usual: dict[str, Any] = {
        "group": image,
        "reference": one,
        "candidate": two,
        "lost": lost,
        "gained": gained,
        "changes": tuple(changes),
    }
    return ImageCounts(image=image, **{**usual, **more})


def accuracy_record(
    counts: Sequence[ImageCounts], max_drop: float | str = 0.01, origin: str = "fp32 preset, built-in", **more: Any
) -> AccuracyRecord:
    """Return the accuracy of inference against train on images of a detector."""
    limit = Limit(max_drop, origin, is_preset="preset" in origin)
    result = judge_accuracy(counts, "detection", limit)
    usual: dict[str, Any] = {"reference": "train", "candidate": "inference", "counts": list(counts)}
    return AccuracyRecord(limit=limit, result=result, **{**usual, **more})
