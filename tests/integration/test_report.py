"""A run's report: what is in the folder, and that it is whole."""

from __future__ import annotations

import importlib
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from projects import failed_line, wrong_export
from reports import Page

from pytest_ocrparity.report.document import read_report_document
from pytest_ocrparity.report.document_text import as_text
from pytest_ocrparity.report.schema import SCHEMA

NO_XDIST = ("-p", "no:xdist")
REPORT = "--ocr-report=report"


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest(*NO_XDIST, "-k", "training", REPORT, *args)


def results_of(project: pytest.Pytester) -> dict[str, Any]:
    """Return the document, after a check that it keeps its schema and that its pictures exist."""
    folder = project.path / "report"
    results = json.loads((folder / "results.json").read_text())
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(results)
    assert as_text(read_report_document(folder / "results.json")) == (folder / "results.json").read_text()
    drawn = [picture for each in results["comparisons"] for picture in each["pictures"]]
    named = {picture[key] for picture in drawn for key in ("file", "values_file") if picture[key]}
    on_disk = {path.relative_to(folder).as_posix() for path in (folder / "pictures").rglob("*") if path.is_file()}
    assert named == on_disk  # none is missing, and no thumbnail or older picture is left
    found: dict[str, Any] = results
    return found


def page_of(project: pytest.Pytester) -> Page:
    found = Page((project.path / "report" / "index.html").read_text())
    assert not found.open
    assert len(found.ids) == len(set(found.ids))
    for link in found.links:
        assert link[1:] in found.ids if link.startswith("#") else (project.path / "report" / link).is_file(), link
    assert all(source.startswith("data:image/") for source in found.images)
    return found


def test_a_run_that_passes_leaves_a_whole_report(project: pytest.Pytester) -> None:
    result = run(project)
    result.assert_outcomes(passed=2, deselected=2)
    result.stdout.fnmatch_lines(["report: report/index.html"])
    results = results_of(project)
    assert results["run"]["verdict"] == "passed"
    assert results["run"]["exit_status"] == 0
    assert [each["status"] for each in results["comparisons"]] == ["same"] * 6
    assert all(each["limits"] and each["parameters"] and each["pictures"] for each in results["comparisons"])
    shown = page_of(project)
    assert "✓" not in shown.text  # that is the style sheet's
    assert "passed" in shown.text
    assert "Headroom of what passed" in shown.text
    assert "What is wrong" not in shown.text
    assert len(shown.images) == 2  # a thumbnail of each image
    assert "## OCR parity: passed" in (project.path / "report" / "summary.md").read_text()


def test_a_run_that_fails_shows_the_cause_and_all_stages(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    result = run(project)
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines(
        ["*- ocrparity pictures -*", "report/pictures/images_*", "  detections  *detections-both-*.svg*"]
    )
    results = results_of(project)
    assert results["run"]["verdict"] == "failed"
    failing = [each for each in results["comparisons"] if each["status"] == "different"]
    assert {each["kind"] for each in failing} == {"detections"}
    for each in failing:
        assert each["judged"]
        assert each["stage"] == "detections"
        assert each["diagnoses"][0]["cause"] == "unknown"
        assert each["message"].startswith(f"{each['image']}: first difference at detections")
        assert each["file"] == "test_export.py"
        assert each["line"] == 3
    shown = page_of(project)
    assert "What is wrong" in shown.text
    assert "moved" in shown.text


def test_what_a_failure_kept_from_being_asserted_is_measured_and_says_so(project: pytest.Pytester) -> None:
    wrong_export(project, mean=0.6)
    run(project)
    judged = {(each["kind"], each["judged"]) for each in results_of(project)["comparisons"]}
    assert judged == {("preprocessing", True), ("probability_maps", False), ("detections", False)}
    assert "(measured, not asserted)" in page_of(project).text


@pytest.mark.parametrize("workers", ["0", "2"])
def test_under_xdist_one_report_that_is_whole(project: pytest.Pytester, workers: str) -> None:
    wrong_export(project, pad=4)
    result = project.runpytest_subprocess("-n", workers, "-k", "training", REPORT)
    assert result.ret == 1
    assert result.stdout.str().count("report: report/index.html") == 1
    assert {each["image"] for each in results_of(project)["comparisons"]} == {
        "images/one_word.npy",
        "images/three_words.npy",
    }
    page_of(project)


def test_a_crashed_workers_image_is_listed_and_fails_the_run(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        import os
        from pytest_ocrparity import assert_same_detections

        def test_crash(ocr_train_model, ocr_inference_model, ocr_image):
            if ocr_image.name == "three_words.npy":
                os._exit(3)
            assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
        """
    )
    result = project.runpytest_subprocess("-n", "2", REPORT)
    assert result.ret == 1
    results = results_of(project)
    assert results["run"]["verdict"] == "failed"
    assert results["run"]["tests"]["crashed"] == 1
    (missed,) = results["not_compared"]
    assert missed["image"] == "images/three_words.npy"
    assert missed["outcome"] == "crashed"
    assert "crashed while running" in missed["reason"]
    assert [each["image"] for each in results["comparisons"]] == ["images/one_word.npy"]
    assert "Not compared" in page_of(project).text
    assert "Not compared" in (project.path / "report" / "summary.md").read_text()


def test_of_reruns_the_last_counts(project: pytest.Pytester) -> None:
    pytest.importorskip("pytest_rerunfailures")
    project.makepyfile(
        test_export="""
        from dataclasses import replace
        from pathlib import Path
        from pytest_ocrparity import assert_same_detections
        from toy import Toy

        def test_flaky(ocr_train_model, ocr_inference_model, ocr_image):
            mark = Path("tried")
            inference = ocr_inference_model if mark.exists() else Toy(name="inference", pad=4)
            mark.touch()
            assert_same_detections(ocr_train_model.trace(ocr_image), inference.trace(ocr_image))
        """
    )
    options = ("--reruns=1", "--ocr-images=images/one_word.npy", "--junitxml=j.xml")
    result = project.runpytest_subprocess(*NO_XDIST, REPORT, *options)
    assert result.ret == 0
    (compared,) = results_of(project)["comparisons"]
    assert compared["status"] == "same"
    assert compared["diagnoses"] == []
    last = list(ET.parse(project.path / "j.xml").iter("testcase"))[-1]
    properties = {p.attrib["name"]: p.attrib["value"] for p in last.iter("property")}
    assert properties["ocr.detections.status"] == "same"
    assert "ocr.cause" not in properties


def test_a_run_that_is_interrupted_reports_what_was_compared(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        from pytest_ocrparity import assert_same_detections

        def test_it(ocr_train_model, ocr_inference_model, ocr_image):
            if ocr_image.name == "three_words.npy":
                raise KeyboardInterrupt
            assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
        """
    )
    result = project.runpytest_subprocess(*NO_XDIST, REPORT)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    results = results_of(project)
    assert results["run"]["interrupted"]
    assert len(results["comparisons"]) == 1
    assert "interrupted" in page_of(project).text


def test_a_model_that_does_not_load_is_in_the_report(project: pytest.Pytester) -> None:
    project.makeconftest("")
    result = run(project)
    assert result.ret == 1
    results = results_of(project)
    assert results["run"]["verdict"] == "failed"
    assert {each["outcome"] for each in results["not_compared"]} == {"error"}
    assert "sets no train.config" in results["not_compared"][0]["reason"]


def test_skipped_tests_are_listed_without_failing_it(project: pytest.Pytester) -> None:
    project.runpytest(*NO_XDIST, "--ocr-golden")
    result = project.runpytest(*NO_XDIST, "--ocr-no-train", REPORT)
    assert result.ret == 0
    results = results_of(project)
    assert results["run"]["verdict"] == "passed"
    assert {each["outcome"] for each in results["not_compared"]} == {"skipped"}


def test_the_setting_does_what_the_option_does(project: pytest.Pytester) -> None:
    with (project.path / "pyproject.toml").open("a") as file:
        file.write('\n[tool.ocrparity.report]\ndir = "out"\npictures = "all"\n')
    project.runpytest(*NO_XDIST, "-k", "training")
    results = json.loads((project.path / "out" / "results.json").read_text())
    drawn = [{picture["stage"] for picture in each["pictures"]} for each in results["comparisons"]]
    assert drawn == [{"decode", "tensor"}, {"decode", "probability_map"}, {"decode", "detections"}] * 2


def test_by_default_all_stages_are_drawn_of_images_that_differ_and_thumbnails_of_others(
    project: pytest.Pytester,
) -> None:
    path = project.path / "conftest.py"
    path.write_text(
        path.read_text().replace(
            'return Toy(name="inference")',
            """class Wrong(Toy):
        def trace(self, image):
            return Toy(name=self.name, pad=4 if "three" in str(image) else 1).trace(image)
    return Wrong(name="inference")""",
        )
    )
    run(project)
    sides = {
        (each["image"], each["kind"]): {picture["side"] for picture in each["pictures"]}
        for each in results_of(project)["comparisons"]
    }
    whole = {"reference", "candidate", "difference", "thumbnail"}
    assert sides == {
        ("images/three_words.npy", "preprocessing"): whole,
        ("images/three_words.npy", "probability_maps"): whole,
        ("images/three_words.npy", "detections"): {"both", "image", "thumbnail"},
        **{
            ("images/one_word.npy", kind): {"thumbnail"} for kind in ("preprocessing", "probability_maps", "detections")
        },
    }
    shown = page_of(project)
    assert "images/three_words.npy/detections" in shown.ids and "images/one_word.npy/detections" in shown.ids


@pytest.mark.parametrize("option", ["--collect-only", "--setup-only", "--setup-plan"])
def test_what_runs_no_test_touches_nothing(project: pytest.Pytester, option: str) -> None:
    run(project)
    before = (project.path / "report" / "results.json").read_bytes()
    run(project, option)
    assert not (project.path / "report" / "not_reached.txt").exists()
    assert (project.path / "report" / "results.json").read_bytes() == before


def test_an_older_report_is_replaced_and_its_pictures_are_gone(project: pytest.Pytester) -> None:
    run(project)
    wrong_export(project, mean=0.6)
    run(project)
    results_of(project)  # checks that only its own pictures are there


def test_what_others_put_beside_the_pictures_stays(project: pytest.Pytester) -> None:
    run(project)
    beside = project.path / "report" / "pictures"
    (beside / ".DS_Store").write_text("of the Finder")
    (beside / "mine").mkdir()
    run(project)
    assert (beside / ".DS_Store").is_file() and (beside / "mine").is_dir()


def test_what_a_killed_run_began_to_draw_is_gone(project: pytest.Pytester) -> None:
    run(project)
    page = next((project.path / "report" / "pictures").iterdir())
    kept = [page / ".notes.tmp", page / "ocrparity-0a1b2c3d4e5f6071.tmp"]
    for path in (page / ".ocrparity-0a1b2c3d4e5f6071.tmp", *kept):
        path.write_text("half")
    run(project)
    assert [path.name for path in page.iterdir() if path.suffix == ".tmp" and path not in kept] == []
    assert all(path.exists() for path in kept)


def test_an_older_report_is_gone_before_any_test_runs(project: pytest.Pytester) -> None:
    run(project)
    project.makepyfile(
        test_export="""
        from pathlib import Path
        def test_it(ocr_image): assert {p.name for p in Path("report").iterdir()} == {"pictures", "not_reached.txt"}
        """
    )
    assert "1 passed" in project.runpytest(*NO_XDIST, REPORT, "--ocr-images=images/one_word.npy").stdout.str()


@pytest.mark.parametrize("name", ["index.html", "results.json", "summary.md"])
def test_a_folder_with_a_file_of_the_users_is_refused(project: pytest.Pytester, name: str) -> None:
    folder = project.mkdir("report")
    (folder / name).write_text("mine")
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *report holds a file {name} that is of no ocrparity report: *"])
    assert (folder / name).read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_a_usage_error(project: pytest.Pytester) -> None:
    (project.path / "report").write_text("a file")
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *report: cannot write a report there: *"])


def test_a_report_that_cannot_be_written_fails_the_run(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        from pathlib import Path
        from pytest_ocrparity import assert_same_detections

        def test_it(ocr_train_model, ocr_inference_model, ocr_image):
            assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
            Path("report/index.html").mkdir(exist_ok=True)
        """
    )
    result = project.runpytest(*NO_XDIST, REPORT)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*report: cannot write the report: *"])


def test_a_picture_that_cannot_be_drawn_hides_nothing(project: pytest.Pytester) -> None:
    with (project.path / "conftest.py").open("a") as file:
        file.write(
            """
from pytest_ocrparity import whole_files
def broken(*args):
    raise OSError("No space left on device")
whole_files.write_whole_file = broken
"""
        )
    wrong_export(project, pad=4)
    result = project.runpytest_subprocess(*NO_XDIST, "-k", "training", REPORT)
    result.assert_outcomes(failed=3, deselected=2)
    result.stdout.fnmatch_lines(["E *1 moved of 1 box*", "*report: cannot write the report: No space left*"])


def test_pictures_of_the_users_stay(project: pytest.Pytester) -> None:
    mine = project.path / "report" / "pictures" / "holiday"
    mine.mkdir(parents=True)
    (mine / "beach-2024.jpg").write_text("mine")
    (mine.parent / "top.svg").write_text("mine")
    project.runpytest(*NO_XDIST, "-k", "training", REPORT)
    assert (mine / "beach-2024.jpg").read_text() == (mine.parent / "top.svg").read_text() == "mine"


def test_a_run_that_compares_nothing_of_ours_leaves_the_report(project: pytest.Pytester) -> None:
    with (project.path / "pyproject.toml").open("a") as file:
        file.write('\n[tool.ocrparity.report]\ndir = "report"\n')
    project.runpytest(*NO_XDIST, "-k", "training")
    before = (project.path / "report" / "results.json").read_bytes()
    project.makepyfile(test_other="def test_other(): pass")
    project.runpytest(*NO_XDIST, "test_other.py").assert_outcomes(passed=1)
    assert (project.path / "report" / "results.json").read_bytes() == before


def test_a_difference_that_its_test_expects_fails_no_report(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    project.makepyfile(
        test_export="""
        import pytest
        from pytest_ocrparity import DifferenceError, assert_same_detections

        @pytest.mark.ocr_expects_difference
        def test_it(ocr_train_model, ocr_inference_model, ocr_image):
            with pytest.raises(DifferenceError, match="moved"):
                assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
        """
    )
    result = project.runpytest(*NO_XDIST, REPORT, "--ocr-github=on")
    assert result.ret == 0
    results = results_of(project)
    assert results["run"]["verdict"] == "passed"
    assert {(each["status"], each["outcome"]) for each in results["comparisons"] if each["judged"]} == {
        ("different", "passed")
    }
    assert "::error" not in result.stdout.str()


def test_images_that_a_stopped_run_did_not_reach_are_listed(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    run(project, "-x")
    results = results_of(project)
    assert results["run"]["interrupted"]
    (missed,) = results["not_compared"]
    assert (missed["image"], missed["outcome"]) == ("images/three_words.npy", "not reached")


def test_of_several_tests_of_one_image_the_page_shows_the_one_that_failed(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    project.makepyfile(
        test_export="""
        import pytest
        from pytest_ocrparity import assert_same_detections

        @pytest.mark.parametrize("most", [9, 1, 8])
        def test_it(ocr_train_model, ocr_inference_model, ocr_image, most):
            train, inference = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
            assert_same_detections(train, inference, max_shift=most)
        """
    )
    run_all = project.runpytest(*NO_XDIST, REPORT)
    run_all.assert_outcomes(passed=4, failed=2)
    assert len([each for each in results_of(project)["comparisons"] if each["kind"] == "detections"]) == 6
    shown = page_of(project)
    exceeded = [
        line for line in shown.text.splitlines() if line.startswith("detections.max_shift") and "exceeded" in line
    ]
    assert len(exceeded) == 2  # once per image, under the keyword that failed
    assert all(line.endswith("keyword") for line in exceeded)


def test_when_there_is_no_more_room_thumbnails_stay_files(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("pytest_ocrparity.report.page"), "MOST_INLINE", 5_000)
    wrong_export(project, mean=0.6)
    run(project)
    shown = Page((project.path / "report" / "index.html").read_text())
    files = [source for source in shown.images if not source.startswith("data:")]
    assert 0 < len(files) < len(shown.images)
    assert all((project.path / "report" / name).is_file() for name in files)


LATE = """

def pytest_collection_finish():
    from pathlib import Path
    Path("report/{name}").write_text("mine")
"""
"""Writes a file into the folder after that was looked at, and before the first test leaves records."""


def write_late(project: pytest.Pytester, name: str) -> None:
    with (project.path / "pyproject.toml").open("a") as file:
        file.write('\n[tool.ocrparity.report]\ndir = "report"\n')
    with (project.path / "conftest.py").open("a") as file:
        file.write(LATE.format(name=name))


@pytest.mark.parametrize("options", [NO_XDIST, ("-n", "2")], ids=["one process", "two workers"])
def test_a_folder_that_becomes_the_users_while_tests_run_fails_the_run(
    project: pytest.Pytester, options: tuple[str, ...]
) -> None:
    write_late(project, "results.json")
    result = project.runpytest_subprocess(*options, "-k", "training")
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    assert result.parseoutcomes()["passed"] == 2 and result.parseoutcomes()["failed"] == 1
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    said = "*report holds a file results.json that is of no ocrparity report: give the report its own folder"
    result.stdout.fnmatch_lines([said, failed_line("ocrparity::report", "*")])
    assert (project.path / "report" / "results.json").read_text() == "mine"
    assert not (project.path / "report" / "index.html").exists()


def test_another_file_that_comes_while_tests_run_is_no_fault(project: pytest.Pytester) -> None:
    write_late(project, "notes.txt")
    run(project).assert_outcomes(passed=2, deselected=2)
    assert (project.path / "report" / "notes.txt").read_text() == "mine"


def test_an_older_report_that_cannot_be_removed_names_the_folder_and_the_way_out(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(project)
    refused = PermissionError(13, "Permission denied")
    monkeypatch.setattr(Path, "unlink", lambda self, *args, **more: (_ for _ in ()).throw(refused))
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = (
        "ERROR: *report: cannot write a report there: Permission denied; give the report a folder that can be written"
    )
    result.stderr.fnmatch_lines([said])
