"""The gate without a line of code in a project that reads pages."""

from __future__ import annotations

import pytest
from projects import CONFTEST, PAGES_CONFTEST, run
from reader_projects import GATE

SETTINGS = '[tool.ocrparity]\nimages = ["images/*.npy"]\n'
FIXTURES = CONFTEST + PAGES_CONFTEST.partition("from toy_pages")[2].join(("from toy_pages", ""))


@pytest.fixture
def gated(project: pytest.Pytester) -> pytest.Pytester:
    """A project with the gate as its only test file, and with the table of pages."""
    project.makepyprojecttoml(f"{SETTINGS}[tool.ocrparity.page]\n")
    project.makeconftest(FIXTURES)
    project.makepyfile(test_export=GATE)
    return project


def spoil(gated: pytest.Pytester) -> None:
    gated.makeconftest(FIXTURES.replace('name="page"', 'name="page", wrong=True'))


def test_each_image_gets_a_test_of_its_page(gated: pytest.Pytester) -> None:
    result = run(gated, "-v")
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines_random(
        [f"*::test_ocr_page?images/{name}.npy? PASSED*" for name in ("one_word", "three_words")]
    )
    spoil(gated)
    result = run(gated)
    result.assert_outcomes(passed=6, failed=2)
    result.stdout.fnmatch_lines(
        ["*images/one_word.npy: 0 of 1 text is the same, first 'W52' in train, 'WRONG' in page*"]
    )


def test_without_the_table_there_is_none(gated: pytest.Pytester) -> None:
    gated.makepyprojecttoml(SETTINGS)
    spoil(gated)
    result = run(gated, "-v")
    result.assert_outcomes(passed=6)
    assert "test_ocr_page" not in result.stdout.str()


def test_an_own_test_of_pages_needs_no_table(gated: pytest.Pytester) -> None:
    gated.makepyprojecttoml(SETTINGS)
    gated.makepyfile(
        test_export="""
        from pytest_ocrparity import assert_same_page

        def test_page(ocr_train_page, ocr_inference_page, ocr_image):
            assert_same_page(ocr_train_page.trace(ocr_image), ocr_inference_page.trace(ocr_image))
        """
    )
    run(gated).assert_outcomes(passed=2)


def test_baselines_stand_for_the_trained_page(gated: pytest.Pytester) -> None:
    run(gated, "--ocr-no-train", "-k", "page").assert_outcomes(failed=2, deselected=6)
    run(gated, "--ocr-golden").assert_outcomes(passed=8)
    assert len([*(gated.path / "goldens" / "pages").rglob("*.npz")]) == 2
    run(gated, "--ocr-no-train").assert_outcomes(passed=8)
    spoil(gated)
    run(gated, "--ocr-no-train").assert_outcomes(passed=6, failed=2)


def test_what_a_page_lacks_is_said_once(gated: pytest.Pytester) -> None:
    gated.makeconftest(CONFTEST)
    result = run(gated)
    result.assert_outcomes(passed=6, errors=1)
    said = result.stdout.str()
    assert said.count("sets no table [tool.ocrparity.recognition]: a page is read by the detector of") == 1


def test_the_missing_folders_of_both_models_are_named_once(gated: pytest.Pytester) -> None:
    tables = ("[tool.ocrparity.inference]", 'model_dir = "det"', "[tool.ocrparity.recognition.inference]")
    gated.makepyprojecttoml("\n".join((SETTINGS, "[tool.ocrparity.page]", *tables, 'model_dir = "rec"')))
    gated.makeconftest(FIXTURES.replace("def ocr_inference_page", "def another_page"))
    result = run(gated, "-k", "test_ocr_page")
    result.assert_outcomes(errors=1, deselected=9)
    result.stdout.fnmatch_lines(
        ["*/det: no such folder: inference.model_dir is the folder *", "*/rec: no such folder: *"]
    )
