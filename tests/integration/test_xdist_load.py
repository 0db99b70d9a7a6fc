"""Under xdist's default distribution: the default's own scheduler for tests without images, and images once each."""

from __future__ import annotations

from pathlib import Path

import pytest
from given_images import check_given, run_under, write_given

NOTE = """

@pytest.fixture(autouse=True)
def note(request, worker_id):
    with open("order-" + worker_id, "a") as file:
        file.write(request.node.nodeid + "\\n")
"""
FOREIGN = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_foreign(number):
    pass
"""


def note(project: pytest.Pytester) -> None:
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(NOTE)


def orders(project: pytest.Pytester) -> list[list[str]]:
    return [path.read_text().splitlines() for path in sorted(Path(project.path).glob("order-*"))]


@pytest.mark.parametrize("has_wrong", [False, True], ids=["right", "one wrong"])
def test_images_that_are_given_are_compared_once(project: pytest.Pytester, has_wrong: bool) -> None:
    write_given(project, has_wrong=has_wrong)
    result = run_under(project, "-n", "2", "-v")
    check_given(project, result, has_wrong=has_wrong)
    result.stdout.fnmatch_lines(["scheduling tests via LoadScheduling"])  # one test an image: nothing to keep together


def test_foreign_tests_get_the_default(project: pytest.Pytester) -> None:
    note(project)
    project.makepyfile(test_export=FOREIGN.format(count=40))
    result = run_under(project, "-n", "2", "-v")
    result.assert_outcomes(passed=40)
    result.stdout.fnmatch_lines(["scheduling tests via LoadScheduling"])
    for order in orders(project):
        numbers = [int(test.partition("[")[2][:-1]) for test in order[:5]]
        assert numbers == list(range(numbers[0], numbers[0] + 5))  # a chunk, as pytest sorted them


def test_the_tests_of_an_image_stay_together_among_foreign_ones(project: pytest.Pytester) -> None:
    note(project)
    project.makepyfile(test_a=FOREIGN.format(count=20), test_z=FOREIGN.format(count=20))
    result = run_under(project, "-n", "2", "-v", "--ocr-golden", "--maxschedchunk=1")
    result.assert_outcomes(passed=44)
    result.stdout.fnmatch_lines(["scheduling tests via ImageScheduling"])
    for image in ("one_word", "three_words"):
        assert sorted(sum(image in test for test in order) for order in orders(project)) == [0, 2]
