"""`inference.api = "results"`: a run whose candidate is files that were written elsewhere."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest
from projects import CONFTEST, run
from toy import Toy

SETTINGS = """
[tool.ocrparity.inference]
api = "results"
results = "out/{stem}.json"
"""
BOXES = """
from pytest_ocrparity import assert_same_detections

def test_boxes(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


@pytest.fixture
def results(project: pytest.Pytester) -> pytest.Pytester:
    """A project whose candidate is a folder of results, which are right."""
    with (project.path / "pyproject.toml").open("a") as file:
        file.write(SETTINGS)
    project.makeconftest(CONFTEST.rpartition("@pytest.fixture(scope")[0])
    project.makepyfile(test_export=BOXES)
    write(project)
    return project


def write(project: pytest.Pytester, whole: bool = False, **fields: Any) -> None:
    (project.path / "out").mkdir(exist_ok=True)
    for image in (project.path / "images").iterdir():
        trace = Toy(name="c++", **fields).trace(str(image))
        path = project.path / "out" / f"{image.stem}.json"
        if whole:
            trace.to_json(path)
            continue
        assert trace.detections is not None
        polygons = [polygon.tolist() for polygon in trace.detections.polygons]
        scores = None if trace.detections.scores is None else trace.detections.scores.tolist()
        path.write_text(json.dumps({"input_path": image.name, "dt_polys": polygons, "dt_scores": scores}))


def test_right_boxes_pass(results: pytest.Pytester) -> None:
    result = run(results)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines("*inference against train: 2 images*")


def test_wrong_boxes_fail_and_experiments_are_not_tried(results: pytest.Pytester) -> None:
    write(results, pad=4)
    result = run(results)
    result.assert_outcomes(failed=2)
    assert "which can't be run by itself" in result.stdout.str()


def test_a_run_reads_what_is_there_now(results: pytest.Pytester) -> None:
    """No result of an earlier run in this process is kept."""
    run(results).assert_outcomes(passed=2)
    write(results, pad=4)
    run(results).assert_outcomes(failed=2)


def test_the_whole_gate_runs_on_whole_traces(results: pytest.Pytester) -> None:
    results.makepyfile(test_export="from pytest_ocrparity.gate import *")
    write(results, whole=True)
    run(results).assert_outcomes(passed=6)
    write(results, whole=True, gain=5.0)
    result = run(results)
    assert result.parseoutcomes()["failed"] >= 2
    assert "FAILED test_export.py::test_ocr_probability_maps[images/one_word.npy]" in result.stdout.str()


def test_the_whole_gate_does_not_pass_on_boxes_alone(results: pytest.Pytester) -> None:
    results.makepyfile(test_export="from pytest_ocrparity.gate import *")
    result = run(results)
    result.assert_outcomes(failed=4, passed=2)
    assert "nothing was compared at tensor: inference has none" in result.stdout.str()


def test_a_missing_file_is_named_with_its_image(results: pytest.Pytester) -> None:
    (results.path / "out" / "one_word.json").unlink()
    result = run(results)
    result.assert_outcomes(passed=1, failed=1)
    told = "out/one_word.json: no such file: the results of images/one_word.npy, as inference.results names it"
    assert told in result.stdout.str()


def test_a_missing_folder_is_said_once_before_any_test(results: pytest.Pytester) -> None:
    for path in (results.path / "out").iterdir():
        path.unlink()
    (results.path / "out").rmdir()
    result = run(results)
    assert "out: no such folder: inference.results names the files in it, which the" in result.stdout.str()
    assert result.parseoutcomes().get("passed") is None


def test_results_older_than_the_image_are_refused(results: pytest.Pytester) -> None:
    os.utime(results.path / "out" / "one_word.json", (1, 1))
    result = run(results)
    result.assert_outcomes(passed=1, failed=1)
    assert "out/one_word.json: is older than images/one_word.npy" in result.stdout.str()


def test_an_empty_result_is_compared(results: pytest.Pytester) -> None:
    (results.path / "out" / "one_word.json").write_text('{"dt_polys": [], "dt_scores": []}')
    result = run(results)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("*first difference at detections: 1 missing of 1 box*")


def test_several_candidates_each_by_its_own_files(results: pytest.Pytester) -> None:
    with (results.path / "pyproject.toml").open("a") as file:
        file.write('[tool.ocrparity.candidates.lite]\napi = "results"\nresults = "lite/{name}.json"\n')
    (results.path / "lite").mkdir()
    result = run(results)
    result.assert_outcomes(passed=2, failed=2)
    assert "lite/one_word.npy.json: no such file" in result.stdout.str()
    assert "as candidates.lite.results names it" in result.stdout.str()


@pytest.mark.parametrize("kind", ["api", "results"])
def test_wrong_settings_stop_the_run(results: pytest.Pytester, kind: str) -> None:
    path = results.path / "pyproject.toml"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith(f"{kind} =")))
    result = run(results)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert 'api = "results"' in result.stderr.str() or 'api is "results"' in result.stderr.str()


def test_no_framework_is_imported_for_them(results: pytest.Pytester) -> None:
    code = "import sys\n\ndef test_last():\n    assert not {'paddlex', 'paddleocr', 'ppocr'} & set(sys.modules)\n"
    results.makepyfile(test_zz=code)
    result = results.run(sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:randomly", "-q")
    result.assert_outcomes(passed=3)
