"""Tests of pages in a user's project: their fixtures, baselines, report and results."""

from __future__ import annotations

import json

import numpy as np
import pytest
from projects import CONFTEST, PAGES_CONFTEST, PRUNE, run
from toy import BLANK

TEST = """
from pytest_ocrparity import assert_same_page

def test_page(ocr_train_page, ocr_inference_page, ocr_image):
    assert_same_page(ocr_train_page.trace(ocr_image), ocr_inference_page.trace(ocr_image))

def test_baseline(ocr_golden_page, ocr_inference_page, ocr_image):
    assert_same_page(ocr_golden_page.trace(ocr_image), ocr_inference_page.trace(ocr_image))
"""


@pytest.fixture
def pages(project: pytest.Pytester) -> pytest.Pytester:
    """A project whose tests are of pages."""
    project.makeconftest(PAGES_CONFTEST)
    project.makepyfile(test_export=TEST)
    return project


def spoil(pages: pytest.Pytester, how: str) -> None:
    pages.makeconftest(PAGES_CONFTEST.replace('name="page"', f'name="page", {how}'))


def results(pages: pytest.Pytester) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((pages.path / "report" / "results.json").read_text())["comparisons"]
    return found


def test_right_pages_pass_and_are_counted(pages: pytest.Pytester) -> None:
    result = run(pages, "-k", "test_page", "--ocr-report=report")
    result.assert_outcomes(passed=2, deselected=2)
    result.stdout.fnmatch_lines(["page against train: 2 images", "  page * 2 same * 4 of 4 texts are the same"])
    lines = [line for each in results(pages) for line in each["lines"]]  # type: ignore[attr-defined]
    assert len(lines) == 4
    assert {line["kind"] for line in lines} == {"same"}
    assert lines[0]["reference"] in (pages.path / "report" / "index.html").read_text()


@pytest.mark.parametrize("is_one_written", [False, True])
def test_a_run_of_pages_without_a_box_shows_nothing(
    pages: pytest.Pytester, capsys: pytest.CaptureFixture[str], is_one_written: bool
) -> None:
    from pytest_ocrparity.__main__ import main

    blank = list((pages.path / "images").iterdir())[is_one_written:]
    for path in blank:
        np.save(path, BLANK)
    result = run(pages, "-k", "test_page", "--ocr-report=report")
    said = "no image of this run has a line (2 compared): nothing shows that the model reads; add an image with text"
    assert result.parseoutcomes().get("failed", 0) == (not is_one_written)
    assert (said in result.stdout.str()) == (not is_one_written)
    assert main(["judge", str(pages.path / "report" / "results.json")]) == (not is_one_written)
    assert (said in capsys.readouterr().out) == (not is_one_written)


def test_another_text_fails_with_its_place(pages: pytest.Pytester) -> None:
    spoil(pages, "wrong=True")
    result = run(pages, "-k", "test_page", "--ocr-report=report")
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines(["*0 of 1 text is the same, first 'W52' in train, 'WRONG' in page at x=*"])
    html = (pages.path / "report" / "index.html").read_text()
    assert "WRONG" in html
    assert "text" in html
    (made, *_) = [each for each in results(pages) if each["kind"] == "page"]
    assert (made["status"], made["stage"], made["task"]) == ("different", "text", "page")
    assert [each["model"] for each in made["diagnoses"]] == ["pipeline"]  # type: ignore[attr-defined]


def test_baselines_of_pages_lie_apart_and_are_compared(pages: pytest.Pytester) -> None:
    run(pages, "-k", "baseline").assert_outcomes(failed=2, deselected=2)
    run(pages, "--ocr-golden").assert_outcomes(passed=4)
    files = sorted(path.relative_to(pages.path).as_posix() for path in pages.path.rglob("*.npz"))
    assert files == ["goldens/pages/images/one_word.npy.npz", "goldens/pages/images/three_words.npy.npz"]
    run(pages, "--ocr-no-train").assert_outcomes(passed=2, skipped=2)
    spoil(pages, "least=60.0")
    result = run(pages, "-k", "baseline")
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines(["*'W*' in baseline (train) at x=*, and page returns no text there*"])


def test_a_project_without_a_recogniser_says_what_a_page_needs(pages: pytest.Pytester) -> None:
    (pages.path / "conftest.py").unlink()
    result = run(pages, "-k", "test_page")
    result.assert_outcomes(errors=1, deselected=1)
    result.stdout.fnmatch_lines(["*sets no table ?tool.ocrparity.recognition?: a page is read by the detector of*"])


@pytest.mark.parametrize("model", ["recognition", "pipeline"])
def test_a_fix_in_a_file_that_no_setting_names_is_printed(
    pages: pytest.Pytester, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    from pytest_ocrparity.__main__ import main

    spoil(pages, "wrong=True")
    run(pages, "-k", "test_page", "--ocr-report=report")
    file = pages.path / "report" / "results.json"
    document = json.loads(file.read_text())
    change = {"where": "inference.yml", "values": {"use_dilation": False}, "key": "PostProcess"}
    known = {"cause": "text.dictionary", "evidence": ["shown"], "fix": {"text": "write it", "changes": [change]}}
    for each in document["comparisons"]:
        each["diagnoses"] = [{**found, **known, "model": model} for found in each["diagnoses"]]
    file.write_text(json.dumps(document))
    capsys.readouterr()
    assert main(["fix", str(file), "--write"]) == 0
    said = capsys.readouterr().out
    whose = "page's recogniser" if model == "recognition" else "page"
    assert f"  text.dictionary of {whose} (2 images: " in said
    assert "    by hand, as no setting names that folder: text.dictionary" in said
    assert "nothing was written" in said


def test_a_recorded_page_is_judged_again_by_other_limits(
    pages: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    from pytest_ocrparity.__main__ import main

    spoil(pages, "wrong=True")
    run(pages, "-k", "test_page", "--ocr-report=report")

    def judged(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main(["judge", str(pages.path / "report" / "results.json"), *words])
        return status, capsys.readouterr().out

    status, said = judged()
    assert (status, said.count("FAILED different: ")) == (1, 2)
    assert judged("--tolerance=text.max_changed=1")[0] == 0
    status, said = judged("--tolerance=text.max_changed=0.5")  # of one text on one page, and of three on the other
    assert (status, said.count("FAILED different: images/one_word.npy: page of page\n")) == (1, 1)
    assert said.count("FAILED different: ") == 1
    status, said = judged("--tolerance=probability_maps.atol=0.1")
    assert (status, said.count("FAILED undecided: ")) == (1, 2)
    assert "FAILED undecided is what these measures cannot tell: run pytest with this --ocr-tolerance" in said


ON_EITHER_MACHINE = """
import pytest
from pytest_ocrparity import assert_same_detections, assert_same_page

@pytest.fixture
def reference(request, pytestconfig):
    is_recorded = pytestconfig.getoption("ocr_no_train") or pytestconfig.getoption("ocr_golden")
    return request.getfixturevalue("ocr_golden_page" if is_recorded else "ocr_train_page")

def test_page(reference, ocr_inference_page, ocr_image):
    assert_same_page(reference.trace(ocr_image), ocr_inference_page.trace(ocr_image))

def test_boxes(ocr_golden, ocr_inference_model, ocr_image):
    assert_same_detections(ocr_golden.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


def test_pruning_removes_no_page_that_other_options_ask_for(pages: pytest.Pytester) -> None:
    pages.makeconftest(CONFTEST + PAGES_CONFTEST)
    pages.makepyfile(test_export=ON_EITHER_MACHINE)
    run(pages, "--ocr-golden").assert_outcomes(passed=4)
    (pages.path / "images" / "one_word.npy").unlink()
    run(pages, PRUNE).stdout.fnmatch_lines(["removed unused baselines: images/one_word.npy.npz"])
    run(pages, "--ocr-no-train").assert_outcomes(passed=2)
