"""Under `--dist=loadfile`, which is kept, images that are given are compared once each."""

from __future__ import annotations

import pytest
from given_images import check_given, run_under, write_given


@pytest.mark.parametrize("has_wrong", [False, True], ids=["right", "one wrong"])
def test_images_that_are_given_are_compared_once(project: pytest.Pytester, has_wrong: bool) -> None:
    write_given(project, has_wrong=has_wrong)
    result = run_under(project, "-n", "2", "--dist=loadfile", "-v")
    check_given(project, result, has_wrong=has_wrong)
    result.stdout.fnmatch_lines(["scheduling tests via *Scheduling"])
    result.stdout.no_fnmatch_line("scheduling tests via ImageScheduling")
    result.stdout.no_fnmatch_line("scheduling tests via LoadScheduling")
