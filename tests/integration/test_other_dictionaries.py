"""Runs on recognisers whose dictionaries differ in characters that no line holds."""

from __future__ import annotations

import json

import pytest
from projects import run
from reader_projects import break_export, write
from toy_reader import NOTHING, line

from pytest_ocrparity.__main__ import main

FAULT = (
    "*the dictionaries differ in 1 of 5 characters, first at line 3: 'c' (U+0063) in {}, 'x' (U+0078) in inference; "
    "lines that hold none of them pass: give inference the dictionary with which the network was trained"
)
BASELINES = """
from pytest_ocrparity import assert_same_text

def test_mine(ocr_golden, ocr_inference_model, ocr_image):
    assert_same_text(ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


@pytest.fixture
def listed(alone: pytest.Pytester) -> pytest.Pytester:
    """A project whose recognisers give their characters, and in whose lines is no c."""
    path = alone.path / "conftest.py"
    text = path.read_text().replace("import Reader", "import Lister as Reader")
    path.write_text(text.replace("Reader()", "Reader(states_digest=True)"))
    break_export(alone, "states_digest=True")
    write(alone.path / "lines", {"a.npy": line("abba d"), "b.npy": line("dab")})
    return alone


def test_the_run_fails_once_though_each_line_passes(listed: pytest.Pytester) -> None:
    assert run(listed).ret == pytest.ExitCode.OK
    break_export(listed, 'letters="abxd "')
    result = run(listed, "--ocr-report=report")
    result.assert_outcomes(passed=2, failed=1)  # the lines pass, and the run does not
    result.stdout.fnmatch_lines([FAULT.format("train")])
    assert result.stdout.str().count("first at line 3") == 1
    document = json.loads((listed.path / "report/results.json").read_text())
    assert document["run"]["verdict"] == "failed"
    assert [each for each in document["run"]["faults"] if "the dictionaries differ in 1 of 5" in each]
    assert "the dictionaries differ in 1 of 5" in (listed.path / "report/index.html").read_text()


def test_recorded_results_are_judged_so_again(listed: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    run(listed, "--ocr-report=report")
    results = str(listed.path / "report/results.json")
    assert main(["judge", results, "--tolerance", "int8"]) == 0
    break_export(listed, 'letters="abxd "')
    run(listed, "--ocr-report=report")
    capsys.readouterr()
    assert main(["judge", results, "--tolerance", "int8"]) == 1
    assert capsys.readouterr().out.count("FAILED the dictionaries differ in 1 of 5 characters") == 1


def test_no_tolerance_permits_it(listed: pytest.Pytester) -> None:
    break_export(listed, 'letters="abxd "')
    result = run(listed, "--ocr-tolerance=int8", "--ocr-tolerance=text.max_cer=off")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([FAULT.format("train")])


@pytest.mark.parametrize("letters", ["abxd ", "abcd "])
def test_a_run_of_what_was_not_reached_says_it_too(listed: pytest.Pytester, letters: str) -> None:
    break_export(listed, f"letters={letters!r}")
    result = run(listed, "--ocr-reached", "test_export.py::test_export_reads_as_training[lines/a.npy]")
    is_other = letters == "abxd "
    result.assert_outcomes(passed=1, failed=int(is_other), deselected=1)
    assert ("first at line 3" in result.stdout.str()) == is_other


def test_workers_say_it_once_too(listed: pytest.Pytester) -> None:
    break_export(listed, 'letters="abxd "')
    result = listed.runpytest("-p", "xdist", "-n2", "-p", "no:randomly")
    result.assert_outcomes(passed=2, failed=1)
    assert result.stdout.str().count("first at line 3") == 1


def test_of_a_baseline_the_digest_is_known(listed: pytest.Pytester) -> None:
    listed.makepyfile(test_export=BASELINES)
    assert run(listed, "--ocr-golden").ret == pytest.ExitCode.OK
    assert run(listed).ret == pytest.ExitCode.OK
    break_export(listed, 'letters="abxd "')
    result = run(listed)
    result.assert_outcomes(passed=2, failed=1)  # the lines pass, and the run does not
    result.stdout.fnmatch_lines(
        ["*the dictionaries differ, in which characters is not known: 5 characters of digest * in baseline (train), 5*"]
    )


def test_a_line_that_shows_it_fails_by_itself(listed: pytest.Pytester) -> None:
    break_export(listed, 'letters="abxd "')
    write(listed.path / "lines", {"c.npy": line("dc")})
    result = run(listed)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*c.npy: text: the dictionary of inference is another*", FAULT.format("train")])


def test_blank_lines_show_nothing_and_it_is_said(listed: pytest.Pytester) -> None:
    break_export(listed, 'letters="abxd "')
    write(listed.path / "lines", {"a.npy": NOTHING, "b.npy": line("dab")})
    result = run(listed)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([FAULT.format("train")])


def test_a_difference_that_is_expected_is_no_fault(listed: pytest.Pytester) -> None:
    listed.makepyfile(
        test_export="""
import pytest
from pytest_ocrparity import DifferenceError, assert_same_text
from toy_reader import Lister, line

@pytest.mark.ocr_expects_difference
def test_it_is_noticed(ocr_train_model):
    other = Lister(name="other", letters="abxd ").trace(line("dc"))
    with pytest.raises(DifferenceError, match="'dc' in train, 'dx' in other"):
        assert_same_text(ocr_train_model.trace(line("dc")), other)
"""
    )
    assert run(listed).ret == pytest.ExitCode.OK
