"""Eight plugins beside ours in one run: each does its work, and so do we. `make companions` runs it.

They are active in the run inside, which is a user's; the one around it only looks at what that leaves.
"""

from __future__ import annotations

import importlib.metadata
import json
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
from projects import PATIENCE
from toy import PAGE

IMAGES = 4
COMPANIONS = (
    "pytest-cov",
    "pytest-xdist",
    "pytest-randomly",
    "pytest-timeout",
    "pytest-rerunfailures",
    "syrupy",
    "pytest-regressions",
    "pytest-benchmark",
)
OWN = """
import random
from pathlib import Path

from mine import twice


def test_snapshot(snapshot):
    assert twice({"a": 1}) == snapshot


def test_regression(data_regression):
    data_regression.check({"twice": twice([1, 2])})


def test_benchmark(benchmark, ocr_train_model, ocr_image):
    assert benchmark.pedantic(ocr_train_model.trace, (ocr_image,), rounds=3).detections is not None


def test_flaky():
    mark = Path(__file__).with_name("tried")
    is_second = mark.exists()
    mark.touch()
    assert is_second


def test_seeded():
    assert random.getstate()[1][0] == random.Random(7).getstate()[1][0]
"""
MINE = """
def twice(value):
    return [value, value]


def never():
    return None
"""
SLOW = """
import time

import pytest


@pytest.mark.flaky(reruns=0)  # pytest-timeout does not watch a second attempt
@pytest.mark.timeout(1)
def test_too_slow():
    time.sleep(30)
"""
VARIED = """

class Varied(Toy):
    def varied(self, changes):
        from dataclasses import replace

        return replace(self, **{name: value for table in changes.values() for name, value in table.items()})


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Varied(name="inference", box_thresh=0.99999)
"""
"""An export that a diagnosis can run with another parameter, and so knows the cause of."""

OPTIONS = (
    *("-v", "-n", "2", "--cov=mine", "--cov-report=json", "--randomly-seed=7", "--reruns=1", "--timeout=20"),
    *("--ocr-report=report", "--junitxml=junit.xml"),
)


@pytest.fixture
def suite(project: pytest.Pytester) -> pytest.Pytester:
    """A user's project with tests of its own and ours, recorded once."""
    project.makepyfile(test_own=OWN, mine=MINE)
    for index in range(IMAGES - 2):
        np.save(project.path / "images" / f"page{index}.npy", PAGE)
    run(project, "--snapshot-update", "--force-regen", "--ocr-golden")
    (project.path / "tried").unlink(missing_ok=True)
    assert len(list((project.path / "goldens").rglob("*.npz"))) == IMAGES
    return project


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest_subprocess(*OPTIONS, *args, timeout=PATIENCE)


def results(project: pytest.Pytester) -> Any:
    return json.loads((project.path / "report" / "results.json").read_text())


def test_all_of_them_are_installed() -> None:
    assert all(importlib.metadata.version(name) for name in COMPANIONS)


def test_each_does_its_work_and_so_do_we(suite: pytest.Pytester) -> None:
    result = run(suite)
    text = result.stdout.str()
    outcomes = result.parseoutcomes()
    assert (result.ret, outcomes["passed"], outcomes["rerun"]) == (0, 2 * IMAGES + IMAGES + 4, 1), text
    assert "failed" not in outcomes and "errors" not in outcomes
    for told in ("--randomly-seed=7", "timeout: 20.0s", "2 workers", "snapshot passed", "ocrparity: "):
        assert told in text, told
    assert text.count("inference against train: ") == 1
    assert text.count("report: report/index.html") == 1
    assert {each["status"] for each in results(suite)["comparisons"]} == {"same"}
    assert len({each["image"] for each in results(suite)["comparisons"]}) == IMAGES
    covered = json.loads((suite.path / "coverage.json").read_text())["files"]["mine.py"]
    assert covered["missing_lines"] == [6]
    for case in ET.parse(suite.path / "junit.xml").iter("testcase"):
        if "matches" in case.attrib["name"]:
            measured = {each.attrib["name"] for each in case.iter("property")}
            assert {"ocr.detections.status", "ocr.detections.boxes"} <= measured


def test_what_is_wrong_still_fails_with_its_cause(suite: pytest.Pytester) -> None:
    with (suite.path / "conftest.py").open("a") as conftest:
        conftest.write(VARIED)
    (suite.path / "mine.py").write_text(MINE.replace("[value, value]", "[value]"))
    suite.makepyfile(test_slow=SLOW)
    result = run(suite)
    text = result.stdout.str()
    assert result.ret == 1
    failed = [line.split()[1] for line in result.outlines if line.startswith("FAILED test_")]
    own = [test for test in failed if not test.startswith("test_export.py::")]
    assert sorted(own) == ["test_own.py::test_regression", "test_own.py::test_snapshot", "test_slow.py::test_too_slow"]
    assert len(failed) - len(own) == 2 * IMAGES, text
    document = results(suite)
    assert document["run"]["verdict"] == "failed"
    causes = {told["cause"] for each in document["comparisons"] for told in each["diagnoses"]}
    assert causes == {"postprocess.box_thresh"}
    told = [each.attrib["value"] for each in ET.parse(suite.path / "junit.xml").iter("property")]
    assert "postprocess.box_thresh" in told
