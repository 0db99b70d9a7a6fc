"""A test of ours whose parameter has no value compares nothing, and so does not pass as skipped."""

from __future__ import annotations

import pytest

NO_XDIST = ("-p", "no:xdist", "-p", "no:randomly")
DIRECT = """
    import pytest
    from pytest_ocrparity import assert_same_detections

    @pytest.mark.parametrize("ocr_image", [])
    def test_mine(ocr_train_model, ocr_inference_model, ocr_image):
        assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
INDIRECT = DIRECT.replace("[])", "[], indirect=True)")
FIXTURE = """
    import pytest

    @pytest.fixture(params=[])
    def ocr_image(request):
        return request.param

    def test_mine(ocr_train_model, ocr_image):
        pass
"""
OTHER = """
    import pytest

    @pytest.mark.parametrize("page", [])
    def test_mine(ocr_train_model, page):
        pass
"""
GENERATED = """

import glob

def pytest_generate_tests(metafunc):
    if "ocr_image" in metafunc.fixturenames:
        metafunc.parametrize("ocr_image", glob.glob("imagse/*.npy"))
"""
SENTENCE = "*nothing was compared: {} was parametrized with an empty list for test_*.py::test_mine*"


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest(*NO_XDIST, *args)


@pytest.mark.parametrize(
    ("code", "name"), [(DIRECT, "ocr_image"), (INDIRECT, "ocr_image"), (FIXTURE, "ocr_image"), (OTHER, "page")]
)
def test_it_is_an_error_that_names_the_test_and_the_parameter(project: pytest.Pytester, code: str, name: str) -> None:
    project.makepyfile(test_export=code)
    result = run(project)
    result.assert_outcomes(errors=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines([SENTENCE.format(name)])


def test_beside_tests_that_compare(project: pytest.Pytester) -> None:
    project.makepyfile(test_mine=DIRECT)
    result = run(project, "-k", "training or mine")
    result.assert_outcomes(passed=2, errors=1, deselected=2)
    assert result.ret == 1


def test_a_hook_that_finds_no_image(project: pytest.Pytester) -> None:
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(GENERATED)
    result = run(project, "-k", "training")
    result.assert_outcomes(errors=1, deselected=1)
    result.stdout.fnmatch_lines(
        ["*nothing was compared: ocr_image was parametrized * for *::test_export_matches_training*"]
    )


@pytest.mark.parametrize("mark", ["skip", "xfail"])
def test_whatever_pytest_makes_of_an_empty_list(project: pytest.Pytester, mark: str) -> None:
    project.makepyfile(test_export=DIRECT)
    result = run(project, "-o", f"empty_parameter_set_mark={mark}")
    result.assert_outcomes(errors=1)
    assert result.ret == 1


def test_where_pytest_fails_at_collection_it_may(project: pytest.Pytester) -> None:
    project.makepyfile(test_export=DIRECT)
    result = run(project, "-o", "empty_parameter_set_mark=fail_at_collect")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Empty parameter set in 'test_mine'*"])


def test_under_xdist(project: pytest.Pytester) -> None:
    project.makepyfile(test_mine=DIRECT)
    result = project.runpytest_subprocess("-n", "1", "-k", "mine")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([SENTENCE.format("ocr_image")])


def test_a_junit_file_shows_it(project: pytest.Pytester) -> None:
    project.makepyfile(test_export=DIRECT)
    run(project, "--junitxml=junit.xml")
    assert "was parametrized with an empty list" in (project.path / "junit.xml").read_text()


def test_the_empty_lists_of_others_stay_skipped(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_export="""
        import pytest

        @pytest.mark.parametrize("page", [])
        def test_other(page):
            pass
        """
    )
    result = run(project)
    result.assert_outcomes(skipped=1)
    assert result.ret == 0


@pytest.mark.parametrize("mark", ["skip(reason='not on this machine')", "skipif(True, reason='not on this machine')"])
@pytest.mark.parametrize("place", ["function", "module"])
def test_who_skips_a_test_for_a_reason_of_its_own_may(project: pytest.Pytester, mark: str, place: str) -> None:
    code = DIRECT.replace("    @pytest", f"    @pytest.mark.{mark}\n    @pytest")
    if place == "module":
        code = DIRECT.replace("    import pytest\n", f"    import pytest\n    pytestmark = pytest.mark.{mark}\n")
    project.makepyfile(test_export=code)
    result = run(project)
    result.assert_outcomes(skipped=1)
    assert result.ret == 0


def test_a_deselected_one_is_not_run(project: pytest.Pytester) -> None:
    project.makepyfile(test_mine=DIRECT)
    run(project, "-k", "training").assert_outcomes(passed=2, deselected=3)
