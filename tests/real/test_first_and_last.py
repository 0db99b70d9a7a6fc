"""From a folder of files to a green gate by `init`, and from a wrong export to a green gate by `fix --write`."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_ocrparity.__main__ import main
from real.blob import Model, operators_root

EXAMPLE = Path(__file__).parents[2] / "example_project"
MODELS = ("configs", "checkpoints", "tiny_db", "tiny_rec", "inference", "inference_fp16", "inference_rec")
IMAGES = ("images/blank.png", "images/dense.png", "lines/blank.png", "lines/price.png", "lines/Label.txt")
RIGHT, WRONG = 0.485, 0.42


def run(project: pytest.Pytester, *words: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:xdist", *words)


def test_what_init_writes_runs(
    pytester: pytest.Pytester, train: Any, inference: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The frameworks are loaded already."""
    for name in MODELS:
        shutil.copytree(EXAMPLE / name, pytester.path / name)
    for name in IMAGES:
        (pytester.path / name).parent.mkdir(exist_ok=True)
        shutil.copy(EXAMPLE / name, pytester.path / name)
    assert main(["init", f"--paddleocr-root={operators_root()}"]) == 0
    assert capsys.readouterr().out.endswith("Now run: pytest\n")
    run(pytester).assert_outcomes(passed=6)


@pytest.fixture
def wrong(blob_project: Callable[..., pytest.Pytester], model: Model) -> pytest.Pytester:
    """A project whose export subtracts another mean than was trained with."""
    project = blob_project("one", "two")
    shutil.copytree(model.export, project.path / "inference")
    settings = project.path / "pyproject.toml"
    settings.write_text(settings.read_text().replace(str(model.export), "inference"))
    project.makepyfile(
        test_export="""
        from pytest_ocrparity import assert_same_detections, assert_same_preprocessing, assert_same_probability_maps

        def test_export(ocr_train_model, ocr_inference_model, ocr_image):
            train, inference = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
            assert_same_preprocessing(train, inference)
            assert_same_probability_maps(train, inference)
            assert_same_detections(train, inference)
        """
    )
    change_export(project, RIGHT, WRONG)
    return project


def change_export(project: pytest.Pytester, old: float, new: float) -> None:
    path = project.path / "inference" / "inference.yml"
    text = path.read_text()
    assert f"- {old}\n" in text
    path.write_text(text.replace(f"- {old}\n", f"- {new}\n"))


def test_a_wrong_export_is_put_right(wrong: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    run(wrong, "--ocr-report=report").assert_outcomes(failed=2)
    results = wrong.path / "report" / "results.json"
    (candidate,) = json.loads(results.read_text())["settings"]["candidates"].values()
    assert candidate["files"].keys() == {"inference.yml"}
    before = (wrong.path / "inference" / "inference.yml").read_bytes()
    capsys.readouterr()
    assert main(["fix", str(results), "--write"]) == 0
    told = capsys.readouterr().out
    assert told.count("normalize.mean_std of inference (2 images: images/") == 1
    command = shlex.split(told.splitlines()[-1])
    assert command[0] == "pytest"
    assert sorted(command[1:]) == [f"test_export.py::test_export[images/{name}.png]" for name in ("one", "two")]
    operators = yaml.safe_load((wrong.path / "inference" / "inference.yml").read_text())["PreProcess"]["transform_ops"]
    assert next(each["NormalizeImage"]["mean"][0] for each in operators if "NormalizeImage" in each) == RIGHT
    assert [path.read_bytes() for path in results.parent.glob("*.old")] == [before]
    run(wrong).assert_outcomes(passed=2)


def test_an_export_that_changed_since_is_left_alone(wrong: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    run(wrong, "--ocr-report=report", "-k", "one").assert_outcomes(failed=1, deselected=1)
    change_export(wrong, WRONG, 0.43)
    assert main(["fix", "report/results.json", "--write"]) == 2
    assert "has changed since the run" in capsys.readouterr().err
    run(wrong, "-k", "one").assert_outcomes(failed=1, deselected=1)
