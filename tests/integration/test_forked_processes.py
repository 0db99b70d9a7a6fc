"""Assertions in a process that the test forked: the run does not count them, says so, and no difference is lost."""

from __future__ import annotations

import textwrap

import pytest
from projects import wrong_export

NO_XDIST = ("-p", "no:xdist", "-p", "no:randomly")
HEAD = """
import multiprocessing

import pytest
from pytest_ocrparity import DifferenceError, assert_same_detections

pytestmark = pytest.mark.filterwarnings("ignore")
forking = multiprocessing.get_context("fork")


@pytest.fixture
def sides(ocr_train_model, ocr_inference_model):
    return ocr_train_model.trace("images/one_word.npy"), ocr_inference_model.trace("images/one_word.npy")


def compared(sides):
    return assert_same_detections(*sides)


def test_mine(sides):
"""
UNREAD = """
    child = forking.Process(target=compared, args=(sides,))
    child.start()
    child.join()
"""
READ = UNREAD + "    assert child.exitcode == 0\n"
RAISED = """
    with forking.Pool(1) as pool:
        pool.apply(compared, (sides,))
"""
CAUGHT = """
    with forking.Pool(1) as pool, pytest.raises(DifferenceError):
        pool.apply(compared, (sides,))
"""
RETURNED = """
    with forking.Pool(1) as pool:
        compared(pool.map(other, sides))
"""
OTHER = """

def other(side):
    return side.detections
"""
FAULT = "*::test_mine caught a difference and did not fail: in a process that it forked: *one_word.npy: *"


def run(project: pytest.Pytester, body: str, *, mark: str = "", is_wrong: bool = False) -> pytest.RunResult:
    code = HEAD.replace("def test_mine", f"{mark}\ndef test_mine") + body + OTHER
    project.makepyfile(test_export=textwrap.dedent(code))
    if is_wrong:
        wrong_export(project, pad=6)
    return project.runpytest(*NO_XDIST)


@pytest.mark.parametrize("body", [UNREAD, READ, RAISED], ids=["unread", "read", "raised"])
def test_nothing_was_compared_is_said_of_the_tests_own_process(project: pytest.Pytester, body: str) -> None:
    result = run(project, body)
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["nothing was compared: *none reached an assertion (one in a process that the test started does not*"]
    )


def test_what_comes_back_may_be_asserted_in_the_test(project: pytest.Pytester) -> None:
    result = run(project, RETURNED)
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*against*: 1 image"])


def test_and_fails_there(project: pytest.Pytester) -> None:
    run(project, RETURNED, is_wrong=True).assert_outcomes(failed=1)


@pytest.mark.parametrize("is_wrong", [False, True])
def test_a_difference_that_nobody_reads_fails_the_run(project: pytest.Pytester, is_wrong: bool) -> None:
    result = run(project, f"    assert_same_detections(*sides, max_shift=50)\n{UNREAD}", is_wrong=is_wrong)
    result.assert_outcomes(passed=1, failed=int(is_wrong))
    assert result.ret == int(is_wrong)
    assert any("caught a difference" in line for line in result.outlines) is is_wrong
    if is_wrong:
        result.stdout.fnmatch_lines([FAULT])


@pytest.mark.parametrize("body", [READ, RAISED], ids=["read", "raised"])
def test_one_that_fails_its_test_needs_no_word(project: pytest.Pytester, body: str) -> None:
    result = run(project, body, is_wrong=True)
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*caught a difference*")


def test_one_that_came_back_and_was_caught_fails_the_run(project: pytest.Pytester) -> None:
    result = run(project, CAUGHT, is_wrong=True)
    result.assert_outcomes(passed=1, failed=2)  # caught, and nothing was compared
    result.stdout.fnmatch_lines([FAULT])


def test_not_where_the_test_says_that_it_expects_one(project: pytest.Pytester) -> None:
    result = run(project, CAUGHT, mark="@pytest.mark.ocr_expects_difference", is_wrong=True)
    result.assert_outcomes(passed=1, failed=1)  # and the fault that nothing was compared
    result.stdout.no_fnmatch_line("*caught a difference*")


def test_nor_where_an_expected_failure_came_back(project: pytest.Pytester) -> None:
    result = run(project, RAISED, mark="@pytest.mark.xfail", is_wrong=True)
    result.assert_outcomes(xfailed=1, failed=1)  # and the fault that nothing was compared
    result.stdout.no_fnmatch_line("*caught a difference*")


def test_what_one_test_left_is_not_of_the_next(project: pytest.Pytester) -> None:
    result = run(project, f"{UNREAD}\n\ndef test_next(sides):\n    pass\n", is_wrong=True)
    assert sum(line.startswith("test_export.py::test_mine caught") for line in result.outlines) == 1


EACH_IN_ITS_OWN = """

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    import os
    import pickle
    from _pytest.runner import runtestprotocol

    hook, config = item.config.hook, item.config
    read, write = os.pipe()
    if not (child := os.fork()):
        reports = runtestprotocol(item, log=False)
        told = [hook.pytest_report_to_serializable(config=config, report=report) for report in reports]
        os.write(write, pickle.dumps(told))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        told = pickle.loads(file.read())
    os.waitpid(child, 0)
    for each in told:
        hook.pytest_runtest_logreport(report=hook.pytest_report_from_serializable(config=config, data=each))
    return True
"""


@pytest.mark.parametrize("is_wrong", [False, True])
def test_a_plugin_may_fork_a_process_for_each_test(project: pytest.Pytester, is_wrong: bool) -> None:
    """Then a test's own process is the forked one, whose reports come back."""
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(EACH_IN_ITS_OWN)
    if is_wrong:
        wrong_export(project, box_thresh=0.999)  # of one image
    result = project.runpytest_subprocess(*NO_XDIST, "-k", "training")
    assert result.parseoutcomes() == {"passed": 2 - is_wrong, "deselected": 2} | ({"failed": 1} if is_wrong else {})
    assert result.ret == int(is_wrong)
    result.stdout.fnmatch_lines([f"  detections * {'1 different, 1 same' if is_wrong else '2 same'} *"])
    result.stdout.no_fnmatch_line("*caught a difference*")
