"""Under `--dist=each` every worker runs every test, and what each of them found counts."""

from __future__ import annotations

import pytest
from given_images import WRONG, check_given, judged, results_of, run_under, write_given

EACH = ("--tx=2*popen", "--dist=each")


@pytest.mark.parametrize("has_wrong", [False, True], ids=["right", "one wrong"])
def test_images_that_are_given_are_compared_once_by_each_worker(project: pytest.Pytester, has_wrong: bool) -> None:
    write_given(project, has_wrong=has_wrong)
    check_given(project, run_under(project, *EACH), has_wrong=has_wrong, times=2)


@pytest.mark.parametrize("wrong", ["gw0", "gw1"])
def test_one_worker_that_finds_a_difference_fails_the_run(project: pytest.Pytester, wrong: str) -> None:
    write_given(project, has_wrong=True)
    path = project.path / "test_export.py"
    code = path.read_text().replace("ocr_image):", "ocr_image, worker_id):")
    path.write_text(code.replace(".get(ocr_image, 1)", f".get(ocr_image, 1) if worker_id == {wrong!r} else 1"))
    result = run_under(project, *EACH)
    result.assert_outcomes(passed=15, failed=1)
    found = {status: count for (image, status), count in judged(project).items() if image == WRONG}
    assert found == {"same": 1, "different": 1}
    run = results_of(project)["run"]
    assert (run["verdict"], run["exit_status"], result.ret) == ("failed", 1, 1)
    assert run["tests"]["failed"] == 1  # of several ends of a test the worst
