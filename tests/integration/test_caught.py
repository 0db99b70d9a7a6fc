"""A difference that a test catches fails the run, unless the test is marked; one that leaves it counts as ever."""

from __future__ import annotations

import json

import pytest
from projects import PATIENCE, wrong_export

NO_XDIST = ("-p", "no:xdist", "-p", "no:randomly")
HEAD = """
import contextlib
import pytest
import unittest
import warnings
from concurrent.futures import ThreadPoolExecutor
from pytest_ocrparity import DifferenceError, assert_same_detections, assert_same_preprocessing

pytestmark = pytest.mark.filterwarnings("ignore")

@pytest.fixture
def sides(ocr_train_model, ocr_inference_model):
    return ocr_train_model.trace("images/one_word.npy"), ocr_inference_model.trace("images/one_word.npy")

"""
CAUGHT = {
    "try": """
def test_mine(sides):
    try:
        assert_same_detections(*sides)
    except AssertionError:
        pass
""",
    "raises": """
def test_mine(sides):
    with pytest.raises(DifferenceError):
        assert_same_detections(*sides)
""",
    "suppress": """
def test_mine(sides):
    with contextlib.suppress(DifferenceError):
        assert_same_detections(*sides)
""",
    "skip": """
def test_mine(sides):
    try:
        assert_same_detections(*sides)
    except DifferenceError:
        pytest.skip("known")
""",
    "unittest skip": """
def test_mine(sides):
    try:
        assert_same_detections(*sides)
    except DifferenceError:
        raise unittest.SkipTest("known")
""",
    "xfail": """
def test_mine(sides):
    try:
        assert_same_detections(*sides)
    except DifferenceError:
        pytest.xfail("known")
""",
    "warning": """
def test_mine(sides):
    try:
        assert_same_detections(*sides)
    except DifferenceError as error:
        warnings.warn(str(error))
""",
    "thread": """
def test_mine(sides):
    with ThreadPoolExecutor() as pool:
        pool.submit(assert_same_detections, *sides)
""",
    "xfail mark": """
@pytest.mark.xfail(raises=ZeroDivisionError)
def test_mine(sides):
    with contextlib.suppress(DifferenceError):
        assert_same_detections(*sides)
    1 / 0
""",
    "the first of two": """
@pytest.mark.xfail(strict=True)
def test_mine(sides):
    with contextlib.suppress(DifferenceError):
        assert_same_detections(*sides)
    assert_same_detections(*sides, max_shift=0)
""",
    "a fixture's setup": """
@pytest.fixture
def checked(sides):
    with contextlib.suppress(DifferenceError):
        assert_same_detections(*sides)

def test_mine(checked):
    pass
""",
    "a fixture's teardown": """
@pytest.fixture
def checked(sides):
    yield
    with contextlib.suppress(DifferenceError):
        assert_same_detections(*sides)

def test_mine(sides, checked):
    assert_same_preprocessing(*sides)
""",
    "what could not be compared": """
def test_mine(sides):
    assert_same_preprocessing(*sides)
    with pytest.raises(DifferenceError, match="same object"):
        assert_same_detections(sides[0], sides[0])
""",
}
LEFT = {
    "xfail mark": """
@pytest.mark.xfail(strict=True)
def test_mine(sides):
    assert_same_detections(*sides)
""",
    "another error from it": """
@pytest.mark.xfail(strict=True)
def test_mine(sides):
    try:
        assert_same_detections(*sides)
    except DifferenceError as error:
        raise RuntimeError("the export is wrong") from error
""",
    "another error while it is handled": """
@pytest.mark.xfail(strict=True)
def test_mine(sides):
    try:
        assert_same_detections(*sides)
    finally:
        raise RuntimeError("the cleaning failed")
""",
    "raised again": """
@pytest.mark.xfail(strict=True)
def test_mine(sides):
    with pytest.raises(DifferenceError) as caught:
        assert_same_detections(*sides)
    raise caught.value
""",
    "a thread's": """
@pytest.mark.xfail(strict=True)
def test_mine(sides):
    with ThreadPoolExecutor() as pool:
        pool.submit(assert_same_detections, *sides).result()
""",
    "a fixture's": """
@pytest.fixture
def checked(sides):
    assert_same_detections(*sides)

@pytest.mark.xfail(strict=True)
def test_mine(checked):
    pass
""",
}
GROUP = """
@pytest.mark.xfail(strict=True)
def test_mine(sides):
    errors = []
    for limits in ({}, {"max_shift": 0}):
        try:
            assert_same_detections(*sides, **limits)
        except DifferenceError as error:
            errors.append(error)
    raise ExceptionGroup("two", errors)
"""
LATE = "a fixture's teardown"
MARKER = "@pytest.mark.ocr_expects_difference"
SENTENCE = "test_export.py::test_mine caught a difference and did not fail: images/one_word.npy: *"


def run(project: pytest.Pytester, code: str, *args: str, is_wrong: bool = True) -> pytest.RunResult:
    project.makepyfile(test_export=HEAD + code)
    if is_wrong:
        wrong_export(project, pad=6)
    return project.runpytest(*NO_XDIST, *args)


def written(ways: dict[str, str], *, mark: str = "", without: str = "") -> str:
    """Return one test a way, each called after it."""
    code = ""
    for way, text in ways.items():
        name = way.replace(" ", "_").replace("'", "")
        text = text.replace("test_mine", f"test_{name}").replace("checked", f"checked_{name}").replace(without, "")
        code += text.replace("def test_", f"{mark}\ndef test_")
    return code


def faults_in(result: pytest.RunResult) -> list[str]:
    """Return the sentences of the run's faults, each of which is a failed entry of its own."""
    return [line for line in result.outlines if line.startswith("test_export.py::test_") and " caught " in line]


def caught_in(result: pytest.RunResult) -> list[str]:
    """Return the tests that the run's faults name."""
    lines = [line for line in faults_in(result) if " caught a difference and did not fail: " in line]
    return sorted(line.partition("::test_")[2].partition(" ")[0].replace("_", " ") for line in lines)


NAMES = sorted(way.replace("'", "") for way in CAUGHT)


def test_one_that_was_caught_fails_the_run(project: pytest.Pytester) -> None:
    result = run(project, written(CAUGHT))
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] == len(CAUGHT), "each fault is a failed entry, and each test by itself is green"
    assert "errors" not in outcomes
    assert result.ret == 1
    assert caught_in(result) == NAMES
    assert len(faults_in(result)) == len(CAUGHT)
    for line in faults_in(result):
        assert line.endswith(f"if the test expects it, mark it with {MARKER}")
        assert "did not fail: images/one_word.npy: first difference at detections: " in line or "same object" in line


def test_not_where_the_test_says_that_it_expects_one(project: pytest.Pytester) -> None:
    ways = {way: code for way, code in CAUGHT.items() if way != LATE}
    result = run(project, written(ways, mark=MARKER))
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"expected differences: {len(ways)}, caught in tests marked ocr_expects_difference"])


def test_what_differs_when_the_body_has_ended_is_no_expected_difference(project: pytest.Pytester) -> None:
    result = run(project, written({LATE: CAUGHT[LATE]}, mark=MARKER))
    result.assert_outcomes(failed=1)


def test_nor_where_nothing_differs(project: pytest.Pytester) -> None:
    red = ("raises", "xfail mark", "the first of two", "what could not be compared")
    result = run(project, written({way: code for way, code in CAUGHT.items() if way not in red}), is_wrong=False)
    assert result.ret == 0


OUTLIVES = """
import threading
from pytest_ocrparity.diagnose.cache import DiagnosisCache

begun, goes_on, threads = threading.Event(), threading.Event(), []

def asserted(sides):
    try:
        assert_same_detections(*sides)
    finally:
        begun.set()

def test_mine(sides, monkeypatch):
    diagnose = DiagnosisCache.diagnose

    def diagnose_late(*args):
        begun.set()
        goes_on.wait(PATIENCE)
        return diagnose(*args)

    monkeypatch.setattr(DiagnosisCache, "diagnose", diagnose_late)
    threads.append(threading.Thread(target=asserted, args=(sides,)))
    threads[0].start()
    begun.wait(PATIENCE)

def test_other():
    goes_on.set()
    threads[0].join()
"""


@pytest.mark.parametrize("is_wrong", [True, False])
def test_a_thread_that_outlives_its_test_hides_nothing(project: pytest.Pytester, is_wrong: bool) -> None:
    result = run(project, OUTLIVES.replace("PATIENCE", str(PATIENCE)), "-s", is_wrong=is_wrong)
    result.assert_outcomes(passed=2, failed=int(is_wrong), warnings=None)
    assert caught_in(result) == ["mine"] * is_wrong
    text = "images/one_word.npy: detections different, and the test ended before the error came"
    assert len([line for line in faults_in(result) if text in line]) == is_wrong
    assert "AssertionError: assert None" not in result.stdout.str() + result.stderr.str()


def test_one_that_left_the_test_counts_as_pytest_counts_the_test(project: pytest.Pytester) -> None:
    result = run(project, written(LEFT), "--ocr-report=report", "--ocr-github=on")
    assert result.parseoutcomes() == {"xfailed": len(LEFT)}
    assert "::error" not in result.stdout.str()
    assert result.ret == 0
    assert json.loads((project.path / "report" / "results.json").read_text())["run"]["verdict"] == "passed"
    code = written(LEFT, without="@pytest.mark.xfail(strict=True)\n")
    project.makepyfile(test_export=HEAD + code)
    result = project.runpytest(*NO_XDIST)
    result.assert_outcomes(failed=len(LEFT) - 1, errors=1)
    assert caught_in(result) == []


@pytest.mark.skipif("sys.version_info < (3, 11)", reason="Python 3.10 has no groups")
def test_a_group_of_them_that_left_the_test(project: pytest.Pytester) -> None:
    assert run(project, GROUP).ret == 0


def test_one_in_a_test_that_failed_otherwise_needs_no_word(project: pytest.Pytester) -> None:
    code = """
def test_mine(sides):
    errors = []
    try:
        assert_same_detections(*sides)
    except DifferenceError as error:
        errors.append(error)
    assert not errors
"""
    result = run(project, code)
    result.assert_outcomes(failed=1)
    assert caught_in(result) == []


def test_the_tests_of_one_function_are_named_once(project: pytest.Pytester) -> None:
    code = """
def test_mine(ocr_train_model, ocr_inference_model, ocr_image):
    with contextlib.suppress(DifferenceError):
        assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
    result = run(project, code)
    (line,) = faults_in(result)
    assert "test_mine[images/one_word.npy] caught" in line
    assert " (and 1 more in this test); " in line


def test_under_xdist(project: pytest.Pytester) -> None:
    project.makepyfile(test_export=HEAD + CAUGHT["try"])
    wrong_export(project, pad=6)
    result = project.runpytest_subprocess("-n", "1")
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines([SENTENCE])


RERUN = """
ATTEMPTS = []

def test_mine(ocr_train_model, ocr_inference_model):
    ATTEMPTS.append(1)
    sides = [model.trace("images/one_word.npy") for model in (ocr_train_model, ocr_inference_model)]
    with contextlib.suppress(DifferenceError):
        assert_same_detections(*sides, max_shift=0 if len(ATTEMPTS) {when} 2 else 50)
    assert len(ATTEMPTS) == 2
"""


@pytest.mark.parametrize(("when", "status"), [("<", 0), ("==", 1)])
def test_of_reruns_the_last_counts(project: pytest.Pytester, when: str, status: int) -> None:
    result = run(project, RERUN.format(when=when), "--reruns=1")
    assert result.parseoutcomes() == {"passed": 1, "rerun": 1} | ({"failed": 1} if status else {})
    assert result.ret == status


SUBTESTS = """
def test_mine(sides, subtests):
    with subtests.test("boxes"):
        assert_same_detections(*sides)
"""


@pytest.mark.skipif("pytest.version_tuple < (9,)", reason="subtests came with pytest 9")
def test_one_that_left_a_subtest_has_left(project: pytest.Pytester) -> None:
    result = run(project, "@pytest.mark.xfail\n" + SUBTESTS.lstrip())
    assert caught_in(result) == []
    result = run(project, SUBTESTS, is_wrong=False)
    assert result.ret == 1
    assert caught_in(result) == []


UNITTEST = """
@pytest.mark.usefixtures("sides")
class TestMine(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _sides(self, sides):
        self.sides = sides

    {mark}
    def test_mine(self):
        {body}assert_same_detections(*self.sides)
"""


@pytest.mark.parametrize(
    ("mark", "body", "status"),
    [
        ("", "", 1),
        ("@unittest.expectedFailure", "", 0),
        ("", "with self.assertRaises(DifferenceError): ", 1),
        (MARKER, "with self.assertRaises(DifferenceError): ", 0),
    ],
)
def test_in_a_unittest(project: pytest.Pytester, mark: str, body: str, status: int) -> None:
    result = run(project, UNITTEST.format(mark=mark, body=body))
    assert result.ret == status
    is_caught = "test_mine caught a difference" in result.stdout.str()
    assert is_caught is bool(body and status)


class TestTheMarker:
    def test_fails_where_nothing_differed(self, project: pytest.Pytester) -> None:
        code = CAUGHT["suppress"].replace("def test_mine", f"{MARKER}\ndef test_mine")
        result = run(project, code, is_wrong=False)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*marked ocr_expects_difference, and no assertion of ocrparity failed in it*"])

    def test_leaves_a_test_that_fails_otherwise_its_own_error(self, project: pytest.Pytester) -> None:
        result = run(project, f"{MARKER}\ndef test_mine(): assert 0\n")
        result.assert_outcomes(failed=1)
        result.stdout.no_fnmatch_line("*no assertion of ocrparity failed*")

    def test_does_not_fail_while_recording(self, project: pytest.Pytester) -> None:
        code = f"""
{MARKER}
def test_mine(ocr_golden, ocr_train_model):
    with contextlib.suppress(DifferenceError):
        assert_same_detections(ocr_golden.trace("images/one_word.npy"), ocr_train_model.trace("images/one_word.npy"))
"""
        run(project, code, "--ocr-golden").assert_outcomes(passed=1)

    def test_is_registered(self, project: pytest.Pytester) -> None:
        result = project.runpytest(*NO_XDIST, "--markers")
        result.stdout.fnmatch_lines(["@pytest.mark.ocr_expects_difference: *"])
        assert run(project, f"{MARKER}\ndef test_mine(): pass\n", "--strict-markers").ret == 1

    def test_takes_no_arguments(self, project: pytest.Pytester) -> None:
        result = run(project, f"{MARKER}('detections')\ndef test_mine(): pass\n")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*test_mine: ocr_expects_difference takes no arguments*"])


@pytest.mark.parametrize("is_expected", [False, True])
def test_the_report_tells_what_was_caught_where_nothing_was_compared(
    project: pytest.Pytester, is_expected: bool
) -> None:
    code = """
def test_refused(sides):
    with pytest.raises(DifferenceError, match="same object"):
        assert_same_detections(sides[0], sides[0])

def test_mine(sides):
    assert_same_preprocessing(*sides)
"""
    mark = f"{MARKER}\n" if is_expected else ""
    result = run(project, code.replace("def test_refused", f"{mark}def test_refused"), "--ocr-report=report")
    results = json.loads((project.path / "report" / "results.json").read_text())
    reasons = [missed["reason"] for missed in results["not_compared"]]
    told = "the test caught: reference and candidate are the same object: nothing was compared; trace two models"
    assert reasons == ([] if is_expected else [told])
    assert results["run"]["verdict"] == ("passed" if is_expected else "failed")
    assert result.ret == (0 if is_expected else 1)
