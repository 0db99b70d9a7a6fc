"""How a test's records reach the end of the run: once per test that ran, and in the way of nobody else."""

from __future__ import annotations

import json

import pytest
from projects import wrong_export

NO_XDIST = ("-p", "no:xdist")
WATCHING = """
import json

class Log:
    def __init__(self, config):
        self.config = config

    def pytest_runtest_logreport(self, report):
        if hasattr(self.config, "workerinput"):
            return
        vars(report).pop("node", None)  # xdist's
        told = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        assert not [name for name in told if "ocrparity" in name]
        json.dumps(told)
        if report.when == "teardown":
            with open("properties", "a") as file:
                file.write(json.dumps(report.user_properties) + "\\n")

def pytest_configure(config):
    config.pluginmanager.register(Log(config))
"""


def with_conftest(project: pytest.Pytester, code: str) -> None:
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(code)


def compared(project: pytest.Pytester) -> list[tuple[str, str, str]]:
    found = json.loads((project.path / "report" / "results.json").read_text())
    return sorted((each["image"], each["kind"], each["status"]) for each in found["comparisons"])


@pytest.mark.parametrize("options", [NO_XDIST, ("-n", "2")], ids=["one process", "two workers"])
def test_no_other_plugin_sees_a_record(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    wrong_export(project, pad=4)
    with_conftest(project, WATCHING)
    result = project.runpytest_subprocess(*options, "-k", "training", "--ocr-report=report")
    result.assert_outcomes(failed=2)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert len(compared(project)) == 6
    lines = (project.path / "properties").read_text().splitlines()
    assert len(lines) == 2
    for line in lines:
        assert {name.partition(".")[0] for name, _ in json.loads(line)} == {"ocr"}


MINE = """
import pytest
from pytest_ocrparity import assert_same_detections

def test_mine(ocr_train_model, ocr_inference_model, record_property, request):
    if ("ocr.mine", 1) not in request.node.user_properties:
        record_property("ocr.mine", 1)
        record_property("ocr.detections.status", "the user's")
        record_property(5, "a number")
    image = "images/one_word.npy"
    assert_same_detections(ocr_train_model.trace(image), ocr_inference_model.trace(image))
    assert_same_detections(ocr_train_model.trace(image), ocr_inference_model.trace(image), max_shift=50)
    {more}
"""


@pytest.mark.parametrize("more", ["", "assert getattr(request.node, 'execution_count', 2) == 2"], ids=["once", "rerun"])
def test_properties_of_the_users_stay_whatever_they_are_called(project: pytest.Pytester, more: str) -> None:
    project.makepyfile(test_export=MINE.format(more=more))
    with_conftest(project, WATCHING)
    reruns = ("--reruns=1",) if more else ()
    project.runpytest(*NO_XDIST, *reruns).assert_outcomes(passed=1)
    last = json.loads((project.path / "properties").read_text().splitlines()[-1])
    assert [value for name, value in last if name == "ocr.mine"] == [1]
    assert [value for name, value in last if name == 5] == ["a number"]
    assert [value for name, value in last if name == "ocr.detections.status"] == ["the user's", "same"]


def test_reports_that_travel_hold_bytes(project: pytest.Pytester) -> None:
    """The one attribute is there until the controller takes it, and only at a test's end."""
    with_conftest(
        project,
        """
@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    with open("kinds", "a") as file:
        file.write(f"{call.when} {type(getattr(report, 'ocrparity_records', None)).__name__}\\n")
    return report
""",
    )
    project.runpytest(*NO_XDIST, "-k", "training and one_word").assert_outcomes(passed=1, deselected=3)
    assert (project.path / "kinds").read_text().split("\n")[:3] == ["setup NoneType", "call NoneType", "teardown bytes"]


# A test that runs twice


TWICE = "\ndef pytest_collection_modifyitems(items):\n    items[:] = items * 2\n"
SECOND_IS_WRONG = """
from dataclasses import replace
from pathlib import Path
from pytest_ocrparity import assert_same_detections

def test_it(ocr_train_model, ocr_inference_model):
    ran = Path("ran")
    number = len(ran.read_text()) if ran.exists() else 0
    ran.write_text("x" * (number + 1))
    inference = replace(ocr_inference_model, pad=4 if number == {wrong} else 1)
    image = "images/one_word.npy"
    assert_same_detections(ocr_train_model.trace(image), inference.trace(image))
"""


# xdist's default distribution is tried in test_xdist_duplicates.py; --dist=loadscope and loadfile run each id once.
@pytest.mark.parametrize("workers", [NO_XDIST, ("-n", "2", "--dist=worksteal")], ids=["one process", "two workers"])
@pytest.mark.parametrize("how", ["items", "--keep-duplicates"])
def test_a_test_that_runs_twice_is_lost_nowhere(project: pytest.Pytester, workers: tuple[str, ...], how: str) -> None:
    if how == "items":
        with_conftest(project, TWICE)
        args: tuple[str, ...] = ()
    else:
        args = ("--keep-duplicates", "test_export.py", "test_export.py")
    result = project.runpytest_subprocess(*workers, "-k", "training", "--ocr-report=report", *args)
    result.assert_outcomes(passed=4)
    assert result.ret == 0
    assert len(compared(project)) == 12


@pytest.mark.parametrize("wrong", [0, 1])
def test_the_run_that_failed_is_not_hidden_by_the_other(project: pytest.Pytester, wrong: int) -> None:
    project.makepyfile(test_export=SECOND_IS_WRONG.format(wrong=wrong))
    twice = ("--keep-duplicates", "test_export.py", "test_export.py")
    result = project.runpytest(*NO_XDIST, "--ocr-report=report", *twice)
    result.assert_outcomes(passed=1, failed=1)
    found = json.loads((project.path / "report" / "results.json").read_text())
    assert found["run"]["verdict"] == "failed"
    judged = [each for each in found["comparisons"] if each["judged"]]
    assert sorted(each["status"] for each in judged) == ["different", "same"]
    assert [bool(each["message"]) for each in judged] == [each["status"] == "different" for each in judged]


OUTSIDE = """
import numpy as np
import sys
sys.path.insert(0, {tests!r})
from toy import PAGE, Toy
from pytest_ocrparity import assert_same_detections

def test_it():
    try:
        assert_same_detections(Toy().trace(PAGE), Toy(name="port", pad=5).trace(PAGE))
    except AssertionError:
        pass
    assert {passes}
"""


@pytest.mark.parametrize("passes", [True, False])
def test_without_settings_a_call_that_failed_is_known_at_its_end(pytester: pytest.Pytester, passes: bool) -> None:
    """What differed was caught: that is a fault of the run, and none where its test failed in any case."""
    import toy

    folder = str(__import__("pathlib").Path(toy.__file__).parent)
    pytester.makepyfile(OUTSIDE.format(tests=folder, passes=passes))
    result = pytester.runpytest(*NO_XDIST)
    assert result.ret == 1
    assert ("caught a difference and did not fail" in result.stdout.str()) is passes
