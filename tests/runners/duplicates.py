"""A test that is collected twice runs twice under xdist's default distribution, and both count."""

from __future__ import annotations

import pytest
from given_images import check_given, judged, run_under, write_given

TWICE = "\ndef pytest_collection_modifyitems(items):\n    items[:] = items * 2\n"
HOW = pytest.mark.parametrize("how", ["--keep-duplicates", "items"])


def run_twice(project: pytest.Pytester, how: str, *args: str) -> pytest.RunResult:
    if how == "items":
        with (project.path / "conftest.py").open("a") as conftest:
            conftest.write(TWICE)
        return run_under(project, *args)
    return run_under(project, *args, "--keep-duplicates", "test_export.py", "test_export.py")


@pytest.mark.parametrize("has_wrong", [False, True], ids=["right", "one wrong"])
@HOW
def test_images_that_are_given_are_compared_twice(project: pytest.Pytester, how: str, has_wrong: bool) -> None:
    write_given(project, has_wrong=has_wrong)
    check_given(project, run_twice(project, how, "-n", "2"), has_wrong=has_wrong, times=2)


def test_several_tests_of_an_image_run_twice_each(project: pytest.Pytester) -> None:
    result = run_twice(project, "--keep-duplicates", "-n", "2", "-k", "training or baseline", "--ocr-golden", "-v")
    result.assert_outcomes(passed=8)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["scheduling tests via LoadScheduling"])


def test_one_of_two_runs_that_is_wrong_fails(project: pytest.Pytester) -> None:
    write_given(project, has_wrong=True)
    path = project.path / "test_export.py"
    code = path.read_text().replace(".get(ocr_image, 1)", ".get(ocr_image if second(ocr_image) else None, 1)")
    path.write_text(
        code + "\n\ndef second(image):\n"
        "    import os\n"
        "    try:\n"
        "        os.mkdir(image + '.first')\n"
        "    except FileExistsError:\n"
        "        return True\n"
        "    return False\n"
    )
    result = run_twice(project, "--keep-duplicates", "-n", "2")
    result.assert_outcomes(passed=15, failed=1)
    assert result.ret == 1
    assert sorted(status for _, status in judged(project).elements()).count("different") == 1


@pytest.mark.parametrize("dist", ["loadscope", "loadfile"])
def test_distributions_that_run_each_once_lose_no_test_by_that(project: pytest.Pytester, dist: str) -> None:
    """That is xdist's way, whose keys are ids, and no fault of the run."""
    write_given(project, has_wrong=False)
    check_given(project, run_twice(project, "--keep-duplicates", "-n", "2", f"--dist={dist}"), has_wrong=False)
