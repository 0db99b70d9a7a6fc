"""A fault of the whole run is a failed entry: in pytest's count, its exit status, JUnit's file, under each runner."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from projects import NO_XDIST, TELLS_WHY, failed_line, wrong_export

NOTHING = "def test_mine(ocr_train_model, ocr_inference_model, ocr_image): pass"
NAME = "ocrparity::compared"
RUNNERS = pytest.mark.parametrize("options", [NO_XDIST, ("-n", "2")], ids=["one process", "two workers"])


@RUNNERS
def test_it_counts_as_a_failed_test(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    project.makepyfile(test_export=NOTHING)
    result = project.runpytest_subprocess(*options, "--junitxml=junit.xml", "--ocr-report=report")
    result.assert_outcomes(passed=2, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["nothing was compared: tests used *", failed_line(NAME, "nothing was compared*")])
    result.stdout.no_fnmatch_line("*1[0-9][1-9]%*")
    cases = {case.get("name"): case for case in ET.parse(project.path / "junit.xml").iter("testcase")}
    assert len(cases) == 3
    (failure,) = cases["compared"].findall("failure")
    assert str(failure.get("message")).startswith("nothing was compared: ")
    run = json.loads((project.path / "report" / "results.json").read_text())["run"]
    assert run["tests"]["failed"] == 0, "it is no test of the suite"
    assert (len(run["faults"]), run["exit_status"]) == (1, 1)


@RUNNERS
def test_a_run_without_one_has_no_such_entry(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = project.runpytest_subprocess(*options, "-k", "training", "--junitxml=junit.xml")
    result.assert_outcomes(passed=2)
    assert len(list(ET.parse(project.path / "junit.xml").iter("testcase"))) == 2


def test_each_has_a_name_of_its_own(project: pytest.Pytester) -> None:
    wrong_export(project, pad=6)
    code = "import contextlib\nfrom pytest_ocrparity import *\n"
    for name in ("one", "two"):
        code += f"""
def test_{name}(ocr_train_model, ocr_inference_model):
    with contextlib.suppress(DifferenceError):
        image = "images/one_word.npy"
        assert_same_detections(ocr_train_model.trace(image), ocr_inference_model.trace(image))
"""
    project.makepyfile(test_export=code)
    result = project.runpytest(*NO_XDIST, "-rf")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [failed_line("ocrparity::caught", "test_*"), failed_line("ocrparity::caught[[]2]", "test_*")]
    )


def test_the_next_run_does_not_look_for_it(project: pytest.Pytester) -> None:
    project.makepyfile(test_export=NOTHING)
    project.runpytest(*NO_XDIST).assert_outcomes(passed=2, failed=1)
    failed = project.path / ".pytest_cache" / "v" / "cache" / "lastfailed"
    assert not failed.exists() or NAME not in failed.read_text()
    again = project.runpytest(*NO_XDIST, "--lf")
    again.stdout.no_fnmatch_line("*not in selected tests*")
    again.assert_outcomes(passed=2, failed=1)


def test_it_comes_with_a_run_that_stops_at_its_first_failure(project: pytest.Pytester) -> None:
    wrong_export(project, pad=6)
    path = Path(project.path / "test_export.py")
    asserts = "    assert_same_detections(train, inference)"
    text = path.read_text().replace(
        asserts, f"    import contextlib\n    with contextlib.suppress(AssertionError):\n    {asserts}"
    )
    path.write_text(text + "\ndef test_last():\n    assert not 'the end'\n\ndef test_never(): pass\n")
    result = project.runpytest(*NO_XDIST, "-x", "-k", "training or last or never")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        ["test_export.py::* caught a difference and did not fail*", "FAILED ocrparity::caught*"]
    )


@RUNNERS
def test_under_x_a_fault_stops_nothing(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    project.makepyfile(test_export=NOTHING)
    result = project.runpytest_subprocess(*options, "-x")
    result.assert_outcomes(passed=2, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.no_fnmatch_line("*stopping after*")
    result.stdout.fnmatch_lines([failed_line(NAME, "nothing was compared*"), "*1 failed, 2 passed*"])


@pytest.mark.parametrize(("option", "failed"), [("-x", 1), ("--maxfail=2", 2), ("--maxfail=3", 2)])
def test_a_run_that_stopped_says_after_how_many(project: pytest.Pytester, option: str, failed: int) -> None:
    """As pytest says it without us, whose faults are not among what stopped it."""
    project.makepyfile(test_export="def test_a(): assert 0\ndef test_b(): assert 0\ndef test_c(): pass\n")
    stopping = [line for line in project.runpytest(*NO_XDIST, option).outlines if "stopping after" in line]
    wrong_export(project, pad=6)
    caught = """
import contextlib
from pytest_ocrparity import *

def test_0(ocr_train_model, ocr_inference_model):
    with contextlib.suppress(DifferenceError):
        image = "images/one_word.npy"
        assert_same_detections(ocr_train_model.trace(image), ocr_inference_model.trace(image))

"""
    path = project.path / "test_export.py"
    path.write_text(caught + path.read_text())
    result = project.runpytest(*NO_XDIST, option)
    assert result.parseoutcomes()["failed"] == failed + 1
    assert [line for line in result.outlines if "stopping after" in line] == stopping
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_ids_do_not_depend_on_the_order_of_tests(project: pytest.Pytester) -> None:
    wrong_export(project, pad=6)
    tests = [
        f"""
def test_{name}(ocr_train_model, ocr_inference_model, ocr_image):
    with contextlib.suppress(DifferenceError):
        assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
        for name in ("one", "two")
    ]
    found = []
    for ordered, images in ((tests, ()), (tests[::-1], ("--ocr-images=images/t*.npy", "--ocr-images=images/o*.npy"))):
        project.makepyfile(test_export="import contextlib\nfrom pytest_ocrparity import *\n" + "".join(ordered))
        lines = project.runpytest(*NO_XDIST, "-rf", "-p", "no:randomly", "-p", "no:cacheprovider", *images).outlines
        found.append([line for line in lines if line.startswith("FAILED ocrparity::caught")])
    assert found[0] == found[1]
    assert len(found[0]) == 2
    if TELLS_WHY:
        first, second = found[0]
        assert first.startswith("FAILED ocrparity::caught - test_export.py::test_one[images/one_word.npy] ")
        assert second.startswith("FAILED ocrparity::caught[2] - test_export.py::test_two[images/one_word.npy] ")


def test_a_run_that_is_interrupted_prints_it(project: pytest.Pytester) -> None:
    project.makepyfile(test_export=NOTHING + "\n\ndef test_stop():\n    raise KeyboardInterrupt\n")
    result = project.runpytest_subprocess(*NO_XDIST)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["FAILED nothing was compared: *"])


def test_a_run_that_is_ended_as_if_it_passed_fails(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export=NOTHING + "\n\ndef test_stop():\n    import pytest\n    pytest.exit('enough', returncode=0)\n"
    )
    assert project.runpytest_subprocess(*NO_XDIST).ret == pytest.ExitCode.TESTS_FAILED


def test_failures_that_a_plugin_takes_back_hide_no_fault(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="def test_mine(ocr_train_model): assert not 'mine'")
    hook = """

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    if report.failed:
        report.wasxfail = "quarantined"
    return report
"""
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(hook)
    result = project.runpytest(*NO_XDIST)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["nothing was compared: *"])
