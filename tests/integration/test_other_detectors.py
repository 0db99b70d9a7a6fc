"""Detectors that are not DB: the message shows how their boxes are compared, and what it shows works."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import yaml
from projects import run
from real.blob import YML, edited

DETECTORS = """
import numpy as np

def boxes_of_the_trained_model(path):
    return [np.array([[8, 8], [40, 8], [40, 20], [8, 20]])], [0.9]

def boxes_of_the_export(path):
    polygons, scores = boxes_of_the_trained_model(path)
    return [polygon + OFFSET for polygon in polygons], scores
"""
TEST = """
from pytest_ocrparity import assert_same_detections

def test_export(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


@pytest.fixture
def east(project: pytest.Pytester) -> pytest.Pytester:
    """A project whose training yml is of another detector."""
    (project.path / "conftest.py").unlink()
    project.makepyfile(test_export=TEST)
    project.makepyprojecttoml(
        '[tool.ocrparity]\nimages = ["images/*.npy"]\n[tool.ocrparity.train]\nconfig = "det.yml"\n'
        '[tool.ocrparity.inference]\nmodel_dir = "inference"\n'
    )
    write(project.path, Architecture__algorithm="EAST")
    return project


def write(folder: Path, **edits: object) -> None:
    (folder / "det.yml").write_text(yaml.safe_dump(edited(YML, **edits)))


def shown(result: pytest.RunResult) -> str:
    """Return the conftest.py that a message shows."""
    lines = [line.removeprefix("E").removeprefix("   ") for line in result.outlines]
    start = next(index for index, line in enumerate(lines) if line.strip() == "import pytest")
    indent = len(lines[start]) - len(lines[start].lstrip())
    code = []
    for line in lines[start:]:
        if line.strip() and not line.startswith(" " * indent):
            break
        code.append(line)
    return textwrap.dedent("\n".join(code))


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        (
            {"Architecture__algorithm": "EAST"},
            "*algorithm is 'EAST'; only DB, DB++ and their Distillation*",
        ),
        ({"PostProcess__name": "SASTPostProcess"}, "*PostProcess.name is 'SASTPostProcess', not DBPostProcess*"),
        ({"Architecture__algorithm": "PSE", "PostProcess__name": "PSEPostProcess"}, "*algorithm is 'PSE'*"),
        ({"Architecture__algorithm": "FCE", "PostProcess__name": "FCEPostProcess"}, "*algorithm is 'FCE'*"),
    ],
    ids=["EAST", "SAST", "PSE", "FCE"],
)
def test_the_conftest_that_the_message_shows_compares_the_boxes(
    east: pytest.Pytester, edits: dict[str, object], said: str
) -> None:
    write(east.path, **edits)
    result = run(east)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said])
    east.makeconftest(shown(result))
    east.makepyfile(my_detectors=DETECTORS.replace("OFFSET", "0"))
    run(east).assert_outcomes(passed=2)
    (east.path / "my_detectors.py").write_text(DETECTORS.replace("OFFSET", "5"))
    east.runpytest_subprocess().assert_outcomes(failed=2)


def test_a_post_process_that_is_missing_has_no_way_out_but_itself(east: pytest.Pytester) -> None:
    write(east.path, PostProcess=None)
    result = run(east)
    result.stdout.fnmatch_lines(["*PostProcess is nothing, not a mapping: it turns the probability map into boxes*"])
    result.stdout.no_fnmatch_line("*boxes_of_the_export*")
