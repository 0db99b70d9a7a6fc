"""Wrong settings stop a run that uses us, and no other call of pytest."""

from __future__ import annotations

import pytest
from projects import PATIENCE

NO_XDIST = ("-p", "no:xdist")
WRONG = "[tool.ocrparity]\nimagse = []\nallow_empty = 1\n"
SAID = ["*imagse is no setting; did you mean 'images'*", "*allow_empty is true or false, not 1*"]
FOREIGN = "def test_foreign(): pass\n"
ASSERTING = """
from pytest_ocrparity import assert_same_detections

def test_boxes():
    square = [[(0, 0), (9, 0), (9, 9), (0, 9)]]
    assert_same_detections(square, [[(0, 0), (9, 0), (9, 9), (0, 9)]])
"""


@pytest.fixture
def wrong(project: pytest.Pytester) -> pytest.Pytester:
    """A project with two mistakes in its table, and a test of its own that does not use us."""
    project.makepyprojecttoml(WRONG)
    project.makepyfile(test_foreign=FOREIGN)
    return project


@pytest.mark.parametrize(
    "option",
    ["--help", "--version", "--fixtures", "--fixtures-per-test", "--markers", "--collect-only", "--cache-show"],
)
def test_what_only_shows_something_works(wrong: pytest.Pytester, option: str) -> None:
    result = wrong.runpytest(*NO_XDIST, option)
    assert result.ret == 0
    assert "imagse" not in result.stderr.str()


def test_a_typed_option_stops_none_of_these_either(wrong: pytest.Pytester) -> None:
    assert wrong.runpytest(*NO_XDIST, "--fixtures", "--ocr-tolerance=fp99").ret == 0


def test_the_setup_plan_is_shown(wrong: pytest.Pytester) -> None:
    assert wrong.runpytest(*NO_XDIST, "--setup-plan").ret == 0


@pytest.mark.parametrize("selected", [["test_foreign.py"], ["-k", "foreign"], ["--deselect", "test_export.py"]])
def test_tests_of_others_run(wrong: pytest.Pytester, selected: list[str]) -> None:
    result = wrong.runpytest(*NO_XDIST, *selected)
    assert result.parseoutcomes()["passed"] == 1
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*imagse*")


def test_a_run_that_uses_us_stops_with_all_mistakes(wrong: pytest.Pytester) -> None:
    result = wrong.runpytest(*NO_XDIST)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(SAID)
    result.stdout.no_fnmatch_line("*passed*")
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.parametrize(
    "test",
    [
        "def test_mine(ocr_train_model): pass",
        "import pytest\n@pytest.fixture\ndef mine(ocr_golden): pass\ndef test_mine(mine): pass",
        "import pytest\n@pytest.mark.usefixtures('ocr_image')\ndef test_mine(): pass",
        "import pytest\n@pytest.mark.ocr_tolerance('fp16')\ndef test_mine(): pass",
        "import pytest\n@pytest.mark.ocr_expects_difference\ndef test_mine(): pass",
    ],
    ids=["fixture", "transitive", "usefixtures", "tolerance", "expects"],
)
def test_every_way_to_use_us_counts(wrong: pytest.Pytester, test: str) -> None:
    wrong.makepyfile(test_mine=test)
    result = wrong.runpytest(*NO_XDIST, "test_mine.py", "test_foreign.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(SAID)


def test_an_assertion_alone_judges_by_no_limits_that_nobody_set(wrong: pytest.Pytester) -> None:
    wrong.makepyfile(test_asserting=ASSERTING)
    result = wrong.runpytest(*NO_XDIST, "test_asserting.py", "test_foreign.py")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(SAID)
    wrong.makepyprojecttoml("[tool.ocrparity]\n")
    wrong.runpytest(*NO_XDIST, "test_asserting.py").assert_outcomes(passed=1)


def test_a_fixture_that_is_asked_for_late_says_it(wrong: pytest.Pytester) -> None:
    wrong.makepyfile(test_late="def test_late(request): request.getfixturevalue('ocr_golden')")
    result = wrong.runpytest(*NO_XDIST, "test_late.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(SAID)


def test_an_option_that_was_typed_stops_at_once(wrong: pytest.Pytester) -> None:
    result = wrong.runpytest(*NO_XDIST, "test_foreign.py", "--ocr-golden-mode=all")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([*SAID, "*--ocr-golden-mode=all records nothing without --ocr-golden*"])
    result.stdout.no_fnmatch_line("*collected*")


def test_a_named_file_that_is_wrong_stops_as_the_found_one(wrong: pytest.Pytester) -> None:
    wrong.makefile(".toml", other="imagse = []\n")
    assert wrong.runpytest(*NO_XDIST, "test_foreign.py", "--ocr-config=other.toml").ret == 0
    result = wrong.runpytest(*NO_XDIST, "--ocr-config=other.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*other.toml: imagse is no setting*"])


class TestWorkers:
    def test_the_controller_stops_the_run(self, wrong: pytest.Pytester) -> None:
        result = wrong.runpytest_subprocess("-n", "2", timeout=PATIENCE)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(SAID)
        result.stdout.no_fnmatch_line("*INTERNALERROR*")
        result.stdout.no_fnmatch_line("*passed*")

    def test_tests_of_others_run(self, wrong: pytest.Pytester) -> None:
        result = wrong.runpytest_subprocess("-n", "2", "test_foreign.py", timeout=PATIENCE)
        result.assert_outcomes(passed=1)
        assert result.ret == 0

    def test_tests_without_images_fail_by_themselves(self, wrong: pytest.Pytester) -> None:
        wrong.makeconftest("")
        wrong.makepyfile(test_asserting=ASSERTING, test_model="def test_model(ocr_train_model): pass")
        result = wrong.runpytest_subprocess("-n", "1", "test_asserting.py", "test_model.py", timeout=PATIENCE)
        result.assert_outcomes(failed=1, errors=1)
        result.stdout.fnmatch_lines(SAID)
        result.stdout.no_fnmatch_line("*INTERNALERROR*")
