"""A project whose baselines are pruned: the fixture `pruned` writes it."""

from __future__ import annotations

import pytest
from projects import PRUNE, run

CROP = """
import numpy as np
import pytest
from pytest_ocrparity import assert_same_detections

CROP = np.full((32, 48, 3), 40, np.uint8)
CROP[8:20, 8:40] = 230
def test_crop(ocr_golden, ocr_inference_model):
    assert_same_detections(ocr_golden.trace(CROP), ocr_inference_model.trace(CROP))
"""


def goldens(project: pytest.Pytester) -> list[str]:
    folder = project.path / "goldens"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.npz"))


RECORDED: dict[str, bytes] = {}
GONE = "images/gone.npy.npz"


def edit(project: pytest.Pytester, file: str, old: str, new: str) -> None:
    path = project.path / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def append(project: pytest.Pytester, file: str, text: str) -> None:
    with (project.path / file).open("a") as opened:
        opened.write(text)


def kept(project: pytest.Pytester, why: str, *args: str) -> None:
    """Check that a run calls nothing unused, and that told to prune it removes nothing and says why, in a sentence."""
    before = goldens(project)
    assert "unused" not in run(project, *args).stdout.str()
    told = run(project, PRUNE, *args)
    told.stdout.fnmatch_lines([f"nothing was pruned: *{why}*; so it is not known which baselines are needed"])
    assert told.stdout.str().count("nothing was pruned") == 1
    assert "unused" not in told.stdout.str()
    assert goldens(project) == before
