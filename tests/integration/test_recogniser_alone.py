"""Runs on a project of a recogniser alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from projects import run
from reader_projects import THREE_LINES, break_export, write
from toy import PAGE
from toy_reader import LINE, NEARLY, NOTHING, Reader, line

from pytest_ocrparity.wording import amount


def test_it_passes_and_the_table_speaks_of_lines(alone: pytest.Pytester) -> None:
    result = run(alone)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "inference against train: 2 lines",
            "  preprocessing * 2 same * worst tensor 0*",
            "  probability maps * 2 same *",
            "  text * 2 same * worst score *(2 lines)",
        ]
    )
    result.stdout.no_fnmatch_line("*never compared*")
    result.stdout.no_fnmatch_line("*box*")
    result.stdout.no_fnmatch_line("*detection*")


def test_another_dictionary_fails_and_is_the_cause(alone: pytest.Pytester) -> None:
    break_export(alone, 'letters="bacd "')
    result = run(alone, "-v")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*a.npy: text: inference's decoder returns other characters for the same classes: by another dictionary,*",
            "*cause*text.dictionary",
            "*fix*give inference the dictionary with which the network was trained*",
            "*proof*inference's decoder reads 'baab cd', where train reads 'abba cd'*'b' for 'a', 'a' for 'b'",
            "*seen*first difference at text: 'abba cd' in train, 'baab cd' in inference",
            "  text * 2 different * 2 of 2 lines read otherwise, 5 edits in 10 characters",
        ],
    )


def test_a_recorded_baseline_is_compared_with(alone: pytest.Pytester) -> None:
    alone.makepyfile(
        test_export="""
from pytest_ocrparity import assert_same_text

def test_mine(ocr_golden, ocr_inference_model, ocr_image):
    assert_same_text(ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
    )
    run(alone, "--ocr-golden").assert_outcomes(passed=2)
    run(alone).assert_outcomes(passed=2)
    break_export(alone, 'letters="bacd "')
    result = run(alone, "-v")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*'abba cd' in baseline (train), 'baab cd' in inference"])
    result = run(alone, "--ocr-golden", "--ocr-golden-mode=all", "-v")
    result.stdout.fnmatch_lines(["*a.npy: the same text, map moved by up to *"])


BASELINES = """
from pytest_ocrparity import assert_same_detections, assert_same_text

def test_mine(ocr_golden, ocr_inference_model, ocr_image):
    ASSERTION(ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


@pytest.mark.parametrize("first", ["assert_same_text", "assert_same_detections"])
def test_baselines_of_the_other_task_are_told_and_recorded_again(alone: pytest.Pytester, first: str) -> None:
    """Of a project whose detector became a recogniser, or the reverse."""
    readers = (alone.path / "conftest.py").read_text()
    detectors = readers.replace("from toy_reader import Reader", "from toy import Toy as Reader")
    tests = [("assert_same_text", readers), ("assert_same_detections", detectors)]
    write(alone.path / "lines", {"a.npy": PAGE, "b.npy": PAGE})
    for name, conftest in sorted(tests, key=lambda each: each[0] != first):
        (alone.path / "conftest.py").write_text(conftest)
        alone.makepyfile(test_export=BASELINES.replace("ASSERTION", name))
        if name == first:
            assert run(alone, "--ocr-golden").parseoutcomes()["passed"] == 2
            continue
        result = run(alone)
        assert result.parseoutcomes()["failed"] == 2
        result.stdout.fnmatch_lines(
            ["*of a recogniser: nothing was compared; record the baseline again with: pytest --ocr-golden *mode=all*"]
        )
        result = run(alone, "--ocr-golden", "--ocr-golden-mode=all")
        assert result.parseoutcomes()["passed"] == 2
        result.stdout.fnmatch_lines(["*lines/a.npy: a baseline of the other task, *, before*"])
    assert "record the baseline again" not in run(alone).stdout.str()


def test_the_report_shows_both_texts(alone: pytest.Pytester) -> None:
    break_export(alone, 'letters="bacd "')
    run(alone, "--ocr-report=report").assert_outcomes(failed=2)
    document = json.loads((alone.path / "report/results.json").read_text())
    (found,) = (each for each in document["comparisons"] if each["kind"] == "text" and "a.npy" in each["image"])
    texts, scores = found["texts"], [found["texts"].pop(f"{side}_score") for side in ("reference", "candidate")]
    assert texts == {"reference": "abba cd", "candidate": "baab cd", "edits": 3, "is_borderline": False}
    assert scores[0] == scores[1] > 0.9
    assert found["task"] == "recognition" and found["picture_error"] is None
    page = (alone.path / "report/index.html").read_text()
    assert f"<td>{amount(scores[0])}</td>" in page and "3 edits in 7 characters" in page
    assert page.count('<span class="place other">') == 3 + 2  # of a.npy and of b.npy
    assert '<p class="places" dir="ltr">' in page and "from the right to the left" not in page
    maps = [each for each in document["comparisons"] if each["kind"] == "probability_maps"]
    assert all("a row for each class" in each["pictures"][0]["caption"] for each in maps)
    assert "lines read otherwise" in (alone.path / "report/summary.md").read_text()


def test_of_a_line_from_the_right_to_the_left_the_report_runs_so(alone: pytest.Pytester) -> None:
    alef, bet = "\u05d0", "\u05d1"
    path = alone.path / "conftest.py"
    path.write_text(path.read_text().replace("Reader()", f"Reader(letters={alef + bet + 'cd '!r})"))
    break_export(alone, f"letters={bet + alef + 'cd '!r}")
    run(alone, "--ocr-report=report").assert_outcomes(failed=2)
    page = (alone.path / "report/index.html").read_text()
    assert (
        page.count('<bdi dir="rtl">') == 2 and '<p class="places" dir="rtl">' in page
    )  # of a.npy; b.npy begins with d
    assert "from the right to the left" in page


def test_a_run_that_reads_nothing_fails(alone: pytest.Pytester) -> None:
    write(alone.path / "lines", {"a.npy": NOTHING, "b.npy": NOTHING})
    result = run(alone)
    result.stdout.fnmatch_lines(
        ["*no image of this run has a text that is read (2 compared): nothing shows that the model reads*"]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    write(alone.path / "lines", {"b.npy": LINE})
    assert run(alone).ret == pytest.ExitCode.OK


def test_one_line_may_be_borderline_and_not_two(alone: pytest.Pytester) -> None:
    break_export(alone, "shift=-0.006")
    alone.makepyfile(test_export=THREE_LINES.replace("    assert_same_preprocessing(train, inference)\n", ""))
    loose = "--ocr-tolerance=probability_maps.atol=0.2"
    write(alone.path / "lines", {"a.npy": NEARLY})
    result = run(alone, loose)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["  text * (2 lines, 1 borderline)"])
    write(alone.path / "lines", {"c.npy": NEARLY})
    result = run(alone, loose)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*over the run 66.7% (2 of 3) of the lines are borderline, limit 0.02*"])


def test_a_reduced_preset_judges_the_run(alone: pytest.Pytester) -> None:
    break_export(alone, "shift=-0.006")
    write(alone.path / "lines", {f"{number:02}.npy": LINE for number in range(20)})
    write(alone.path / "lines", {"a.npy": NEARLY})
    assert run(alone, "--ocr-tolerance=int8").ret == pytest.ExitCode.OK
    write(alone.path / "lines", {"b.npy": NEARLY, "00.npy": NEARLY})
    result = run(alone, "--ocr-tolerance=int8")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    told = "*over the run 13.6% (3 of 22) of the lines are read otherwise, limit 0.1*; cause on lines/00.npy: not known"
    result.stdout.fnmatch_lines(
        [told, "  cause       unknown at probability_map: the same tensor gives another map, *"]
    )


def test_the_cause_on_the_worst_line_stands_beside_the_verdict(alone: pytest.Pytester) -> None:
    break_export(alone, 'letters="abdc "')
    write(alone.path / "lines", {"b.npy": line("ccdd")})
    result = run(alone, "--ocr-tolerance=int8")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*of the lines are read otherwise*; cause on lines/b.npy: text.dictionary, *", "  fix * the dictionary *"]
    )


def test_a_line_that_is_read_otherwise_within_all_limits_is_none_to_diagnose(alone: pytest.Pytester) -> None:
    break_export(alone, 'letters="abdc "')
    result = run(alone, "--ocr-tolerance=fp16", "--ocr-tolerance=text.max_changed=1")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["  text * 2 left to the run * 2 of 2 lines read otherwise*"])


def test_one_edit_is_one(alone: pytest.Pytester) -> None:
    break_export(alone, 'letters="abcx "')
    write(alone.path / "lines", {"a.npy": line("d"), "b.npy": line("ab")})
    result = run(alone)
    result.stdout.fnmatch_lines(["  text * 1 of 2 lines read otherwise, 1 edit in 3 characters"])


RESULTS = """
[tool.ocrparity]
images = ["lines/*.npy"]
[tool.ocrparity.inference]
api = "results"
results = "out/{stem}.json"
"""


@pytest.fixture
def written(alone: pytest.Pytester) -> pytest.Pytester:
    """A project whose candidate is what a recogniser wrote, as paddlex's `save_to_json` does."""
    alone.makefile(".toml", pyproject=RESULTS)
    path = alone.path / "conftest.py"
    path.write_text(path.read_text().rpartition("@pytest.fixture(scope")[0])
    alone.makepyfile(
        test_export="""
from pytest_ocrparity import assert_same_text

def test_text(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_text(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
    )
    write_results(alone)
    return alone


def write_results(project: pytest.Pytester, **fields: Any) -> None:
    (project.path / "out").mkdir(exist_ok=True)
    for image in (project.path / "lines").iterdir():
        found = Reader().trace(str(image)).recognition
        assert found is not None
        values = {"input_path": image.name, "page_index": None, "rec_text": found.text, "rec_score": found.score}
        (project.path / "out" / f"{image.stem}.json").write_text(json.dumps({**values, **fields}))


def test_results_that_were_written_elsewhere_are_read(written: pytest.Pytester) -> None:
    result = run(written)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "  text * 2 same * worst score *",
            "  scores were judged within 0.05 only: no maps that pair say by how much they may differ",
        ]
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rec_text": "abba"}, "*'dab' in train, 'abba' in inference"),
        ({"rec_score": 0.1}, "*the scores of train and inference differ by 0.*, limit 0.05"),
        ({"rec_score": None}, "*the scores of train and inference differ by NaN*"),
        ({"rec_text": None}, "*out/a.json: rec_text is None, not a text; of a line without one it is empty*"),
        ({"rec_score": "high"}, "*out/a.json: rec_score is 'high', not a number*"),
        ({"input_path": "z.npy"}, "*out/a.json: was made of z.npy, and not of lines/a.npy*"),
        ({"dt_polys": []}, "*inference is of a detector and train of a recogniser: nothing was compared*"),
    ],
)
def test_wrong_results_fail(written: pytest.Pytester, fields: dict[str, Any], said: str) -> None:
    write_results(written, **fields)
    result = run(written)
    assert result.parseoutcomes().get("failed") == 2
    result.stdout.fnmatch_lines([said])


def test_maps_beside_them_are_compared(written: pytest.Pytester) -> None:
    test = written.path / "test_export.py"
    test.write_text(test.read_text().replace("assert_same_text", "assert_same_probability_maps"))
    result = run(written)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*nothing was compared at probability_map: inference has none"])
    for image in (written.path / "lines").iterdir():
        found = Reader().trace(str(image)).probability_map
        assert found is not None
        np.save(written.path / "out" / f"{image.stem}.probability_map.npy", found[0])  # (T, C)
    run(written).assert_outcomes(passed=2)
    for image in (written.path / "lines").iterdir():
        np.save(written.path / "out" / f"{image.stem}.probability_map.npy", np.zeros((1, 1, 9, 6), np.float32))
    result = run(written)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*holds float32 of shape (1, 1, 9, 6), not floats of shape (T, C) or (1, T, C)*"])
