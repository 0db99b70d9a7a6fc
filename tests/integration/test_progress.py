"""Lines about work that takes a while: from each process, on the controller's terminal, and none under -q."""

from __future__ import annotations

import re

import numpy as np
import pytest
from projects import wrong_export
from toy import PAGE

PROCESSES = pytest.mark.parametrize("processes", ["0", "2"], ids=["one process", "two workers"])
LOOP = """
import numpy as np
from dataclasses import replace
from toy import PAGE
from pytest_ocrparity import assert_same_detections, assert_same_preprocessing

def test_all(ocr_train_model, ocr_inference_model):
    reference, candidate = ocr_train_model.trace(PAGE), ocr_inference_model.trace(PAGE)
    for number in range({count}):
        image = {name}
        sides = replace(reference, image=image), replace(candidate, image=image)
        assert_same_preprocessing(*sides)
        assert_same_detections(*sides)
"""


def lines_of(result: pytest.RunResult, text: str) -> list[str]:
    """Return the lines that hold this text, having checked that each stands for itself."""
    lines = [line for line in result.stdout.lines if text in line]
    assert all(line.startswith("ocrparity: ") for line in lines)
    return lines


@PROCESSES
@pytest.mark.parametrize("options", [(), ("-v",), ("-s",)], ids=" ".join)
def test_a_diagnosis_that_begins_is_announced(
    project: pytest.Pytester, processes: str, options: tuple[str, ...]
) -> None:
    wrong_export(project, pad=4)
    result = project.runpytest_subprocess("-n", processes, "-k", "training and three", *options)
    result.assert_outcomes(failed=1)
    assert lines_of(result, "looking for") == ["ocrparity: looking for the cause on images/three_words.npy"]


@PROCESSES
def test_not_under_q_nor_without_a_diagnosis(project: pytest.Pytester, processes: str) -> None:
    project.runpytest_subprocess("-n", processes, "-k", "training").stdout.no_fnmatch_line("*looking for*")
    wrong_export(project, pad=4)
    result = project.runpytest_subprocess("-n", processes, "-k", "training", "-q")
    assert result.ret == 1
    result.stdout.no_fnmatch_line("*looking for*")


def test_under_xdist_on_a_line_of_its_own_without_control_characters(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    for index in range(4):
        np.save(project.path / "images" / f"page{index}.npy", PAGE)
    np.save(project.path / "images" / "a\x1b[31m\nb.npy", PAGE[:50])
    result = project.runpytest_subprocess("-n", "2", "-k", "training", "--tb=no", "-p", "no:cacheprovider")
    assert lines_of(result, "looking for")
    head = result.stdout.str().partition("= short test")[0].partition("- ocrparity -")[0]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", head.replace("\r\n", "\n"))


def test_a_controller_without_this_plugin_is_sent_nothing(project: pytest.Pytester) -> None:
    """An event that it does not know would end its worker."""
    wrong_export(project, pad=4)
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(
            """

@pytest.hookimpl(trylast=True)
def pytest_configure_node(node):
    vars(node).pop("process_from_remote", None)
    node.workerinput.pop("ocrparity_lines_are_heard", None)
"""
        )
    result = project.runpytest_subprocess("-n", "2", "-k", "training")
    result.assert_outcomes(failed=2)
    result.stdout.no_fnmatch_line("*looking for*")


@PROCESSES
def test_a_long_loop_is_counted(project: pytest.Pytester, processes: str) -> None:
    """By images, and not by the two comparisons of each."""
    project.makepyfile(test_loop=LOOP.format(count=205, name='f"page {number}.npy"'))
    result = project.runpytest_subprocess("-n", processes, "test_loop.py")
    result.assert_outcomes(passed=1)
    told = [f"ocrparity: {count} images compared in test_loop.py::test_all" for count in (100, 200)]
    assert lines_of(result, "images compared") == told


def test_one_image_again_and_again_is_one(project: pytest.Pytester) -> None:
    project.makepyfile(test_loop=LOOP.format(count=205, name='"page.npy"'))
    result = project.runpytest_subprocess("-n", "0", "test_loop.py")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*images compared*")


@PROCESSES
def test_no_count_under_q_nor_of_many_short_tests(project: pytest.Pytester, processes: str) -> None:
    project.makepyfile(
        test_loop=LOOP.format(count=99, name='f"page {number}.npy"'),
        test_again=LOOP.format(count=99, name='f"page {number}.npy"'),
    )
    result = project.runpytest_subprocess("-n", processes, "test_loop.py", "test_again.py")
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*images compared*")
    project.makepyfile(test_loop=LOOP.format(count=105, name='f"page {number}.npy"'))
    result = project.runpytest_subprocess("-n", processes, "test_loop.py", "-q")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*images compared*")
