"""`--ocr-golden` and what goes with it: recording, comparing with baselines, refusing stale ones."""

from __future__ import annotations

import re

import numpy as np
import pytest
from projects import wrong_export
from toy import PAGE

BASELINE = ("-k", "baseline")


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest("-p", "no:xdist", *args)


def goldens(project: pytest.Pytester) -> dict[str, bytes]:
    folder = project.path / "goldens"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def replace_setting(project: pytest.Pytester, text: str) -> None:
    project.makepyprojecttoml(f'[tool.ocrparity]\nimages = ["images/*.npy"]\n{text}\n')


def test_a_missing_baseline_fails_and_names_the_command(project: pytest.Pytester) -> None:
    result = run(project, *BASELINE)
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines(["*no baseline in goldens; record it with: pytest --ocr-golden"])
    assert goldens(project) == {}


def test_recording_compares_too_and_then_the_baselines_are_enough(project: pytest.Pytester) -> None:
    result = run(project, "--ocr-golden")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["2 baselines recorded from train"])
    assert list(goldens(project)) == ["images/one_word.npy.npz", "images/three_words.npy.npz"]
    result = run(project, "--ocr-no-train")
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.fnmatch_lines(["inference against baseline (train): 2 images"])


def test_recording_a_wrong_export_fails(project: pytest.Pytester) -> None:
    wrong_export(project, pad=6)
    result = run(project, "--ocr-golden", *BASELINE)
    result.assert_outcomes(failed=2, deselected=2)
    assert len(goldens(project)) == 2


def test_a_changed_export_fails_against_its_baseline(project: pytest.Pytester) -> None:
    run(project, "--ocr-golden")
    wrong_export(project, pad=6)
    result = run(project, *BASELINE)
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines(
        [
            "*first difference at detections: 1 moved of 1 box (baseline (train) against inference)",
            "*next * find what differs at detections, then: pytest 'test_export.py::test_export_matches_baseline[[]*",
        ]
    )


def test_only_what_is_asked_for_is_recorded(project: pytest.Pytester) -> None:
    run(project, "--ocr-golden", "-k", "baseline and one_word")
    assert list(goldens(project)) == ["images/one_word.npy.npz"]


def test_recording_that_nobody_asked_for_fails_the_run(project: pytest.Pytester) -> None:
    result = run(project, "--ocr-golden", "-k", "training")
    result.assert_outcomes(passed=2, failed=1, deselected=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["nothing was recorded: *"])


class TestModes:
    def test_missing_leaves_what_is_there(self, project: pytest.Pytester) -> None:
        run(project, "--ocr-golden", "-k", "baseline and one_word")
        before = goldens(project)
        run(project, "--ocr-golden", *BASELINE).stdout.fnmatch_lines(["1 baseline recorded from train"])
        assert goldens(project).items() > before.items()

    def test_changed_records_what_changed_and_prints_the_drift(self, project: pytest.Pytester) -> None:
        run(project, "--ocr-golden", *BASELINE)
        before = goldens(project)
        np.save(project.path / "images" / "one_word.npy", PAGE)
        stale = run(project, *BASELINE)
        stale.assert_outcomes(failed=1, passed=1, deselected=2)
        stale.stdout.fnmatch_lines(["*the image changed since the baseline was recorded*--ocr-golden-mode=changed"])
        missing = run(project, "--ocr-golden", *BASELINE)
        missing.assert_outcomes(failed=1, passed=1, deselected=2)
        result = run(project, "--ocr-golden", "--ocr-golden-mode=changed", *BASELINE)
        result.assert_outcomes(passed=2, deselected=2)
        result.stdout.fnmatch_lines(
            ["1 baseline recorded from train", "*images/one_word.npy: 1 box before, 3 after, map moved by up to *"]
        )
        after = goldens(project)
        assert after["images/three_words.npy.npz"] == before["images/three_words.npy.npz"]

    def test_all_records_everything(self, project: pytest.Pytester) -> None:
        run(project, "--ocr-golden", *BASELINE)
        result = run(project, "--ocr-golden", "--ocr-golden-mode=all", *BASELINE)
        result.stdout.fnmatch_lines(
            ["2 baselines recorded from train", "*one_word.npy: 1 box before and after, map moved by up to 0"]
        )

    def test_a_mode_alone_is_a_usage_error(self, project: pytest.Pytester) -> None:
        result = run(project, "--ocr-golden-mode=all")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*--ocr-golden-mode=all records nothing without --ocr-golden*"])


class TestReference:
    def test_an_export_recorded_from_itself_is_not_called_compared(self, project: pytest.Pytester) -> None:
        replace_setting(project, '[tool.ocrparity.golden]\nreference = "inference"')
        result = run(project, "--ocr-golden", *BASELINE)
        assert result.ret == 0
        result.stdout.fnmatch_lines(
            ["*2 recorded*", "2 baselines recorded from inference", "recorded, not compared: *"]
        )
        assert run(project, *BASELINE).ret == 0
        wrong_export(project, pad=6)
        result = run(project, *BASELINE)
        result.assert_outcomes(failed=2, deselected=2)
        result.stdout.fnmatch_lines(["*next * if the change is meant: pytest --ocr-golden --ocr-golden-mode=all *"])

    def test_what_an_attempt_before_recorded_is_recorded(self, project: pytest.Pytester) -> None:
        replace_setting(project, '[tool.ocrparity.golden]\nreference = "inference"')
        project.makepyfile(
            test_export="""
            from pytest_ocrparity import assert_same_detections

            ATTEMPTS = []

            def test_export(ocr_golden, ocr_inference_model):
                image = "images/one_word.npy"
                assert_same_detections(ocr_golden.trace(image), ocr_inference_model.trace(image))
                ATTEMPTS.append(image)
                assert len(ATTEMPTS) == 2
            """
        )
        result = run(project, "--ocr-golden", "--reruns=1")
        assert result.ret == 0
        result.stdout.fnmatch_lines(["1 baseline recorded from inference", "*1 passed, 1 rerun*"])
        again = run(project, "--ocr-golden", "--reruns=1")  # nothing is recorded, in neither attempt
        again.stdout.fnmatch_lines(["  detections  *1 same *", "*1 passed, 1 rerun*"])
        again.stdout.no_fnmatch_line("*recorded from*")

    def test_a_baseline_of_the_other_side_is_an_error(self, project: pytest.Pytester) -> None:
        run(project, "--ocr-golden", *BASELINE)
        replace_setting(project, '[tool.ocrparity.golden]\nreference = "inference"')
        for args in ((), ("--ocr-golden", "--ocr-golden-mode=all")):
            result = run(project, *args, *BASELINE)
            result.assert_outcomes(failed=2, deselected=2)
            result.stdout.fnmatch_lines(["*was recorded from the train model, but golden.reference is*"])


def test_the_folder_is_an_option(project: pytest.Pytester) -> None:
    run(project, "--ocr-golden", "--ocr-golden-dir=elsewhere", *BASELINE)
    assert (project.path / "elsewhere" / "images" / "one_word.npy.npz").exists()


def test_a_damaged_baseline_fails_by_name(project: pytest.Pytester) -> None:
    run(project, "--ocr-golden", *BASELINE)
    path = project.path / "goldens" / "images" / "one_word.npy.npz"
    path.write_bytes(path.read_bytes()[:-200])
    result = run(project, *BASELINE)
    result.assert_outcomes(failed=1, passed=1, deselected=2)
    result.stdout.fnmatch_lines(["*one_word.npy.npz is not a whole baseline*"])


def test_the_gate_records_and_compares_without_a_test_file(project: pytest.Pytester) -> None:
    (project.path / "test_export.py").unlink()
    gate = ("--pyargs", "pytest_ocrparity.gate")
    live = run(project, *gate)
    live.assert_outcomes(passed=6)
    live.stdout.fnmatch_lines(["inference against train: 2 images"])
    run(project, *gate, "--ocr-golden").assert_outcomes(passed=6)
    result = run(project, *gate, "--ocr-no-train")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["inference against baseline (train): 2 images"])
    wrong_export(project, gain=7.0)
    run(project, *gate, "--ocr-no-train").assert_outcomes(passed=4, failed=2)


def test_the_gate_tells_a_command_that_runs_it_again(project: pytest.Pytester) -> None:
    (project.path / "test_export.py").unlink()
    wrong_export(project, pad=6)
    result = run(project, "--pyargs", "pytest_ocrparity.gate", "-v")
    lines = [line for line in result.outlines if " next " in line]
    assert len(lines) == 2
    assert all(re.search("then: pytest --pyargs pytest_ocrparity.gate .*--ocr-images=images/", line) for line in lines)


def test_the_gate_inside_a_suite(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="from pytest_ocrparity.gate import *")
    run(project).assert_outcomes(passed=6)


def test_without_train_model_and_baselines_nothing_passes(project: pytest.Pytester) -> None:
    result = run(project, "--ocr-no-train", "-k", "training")
    result.assert_outcomes(skipped=2, failed=1, deselected=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["nothing was compared: *"])


def test_a_folder_that_cannot_be_written_fails_with_its_name(project: pytest.Pytester) -> None:
    (project.path / "goldens").write_text("a file")
    result = run(project, "--ocr-golden", *BASELINE)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*GoldenError: *goldens*", "nothing was recorded: no test that took*"])


def test_recording_a_suite_without_our_fixtures_fails(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="def test_other(): pass")
    result = run(project, "--ocr-golden")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["nothing was recorded: no test asked*"])


def test_a_missing_baseline_is_told_in_a_few_lines(project: pytest.Pytester) -> None:
    result = run(project, "-k", "baseline and one_word")
    assert len(result.outlines) < 40
    result.stdout.fnmatch_lines(["E *GoldenMissing: images/one_word.npy: no baseline in goldens*"])
