"""A worker that dies costs the image that it died of, and no other; what it did not reach another worker runs."""

from __future__ import annotations

import pytest
from given_images import GIVEN, WRONG, judged, results_of, run_under, write_given

DIES = """

@pytest.fixture(autouse=True)
def die(request):
    import os
    if "page1" in request.node.name and not os.path.exists("died"):
        {once}
        os._exit(9)
"""


def dying(project: pytest.Pytester, *, is_once: bool = False) -> None:
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(DIES.format(once="open('died', 'w').close()" if is_once else "pass"))


@pytest.mark.parametrize("has_wrong", [False, True], ids=["right", "one wrong"])
@pytest.mark.parametrize("dist", ["load", "worksteal"])
def test_images_that_are_given_are_compared_once_but_for_that_one(
    project: pytest.Pytester, dist: str, has_wrong: bool
) -> None:
    write_given(project, has_wrong=has_wrong)
    dying(project)
    result = run_under(project, "-n", "2", f"--dist={dist}")
    assert result.ret == 1
    result.assert_outcomes(passed=len(GIVEN) - 1 - has_wrong, failed=1 + has_wrong)
    left = [name for name in GIVEN if "page1" not in name]
    assert judged(project) == {(name, "different" if has_wrong and name == WRONG else "same"): 1 for name in left}
    results = results_of(project)
    assert [(each["image"], each["outcome"]) for each in results["not_compared"]] == [(GIVEN[1], "crashed")]
    assert results["run"]["verdict"] == "failed"
    assert results["run"]["tests"]["crashed"] == 1


@pytest.mark.parametrize("how", ["--keep-duplicates", ""])
def test_a_test_is_tried_again_where_reruns_are_asked_for(project: pytest.Pytester, how: str) -> None:
    write_given(project, has_wrong=False)
    dying(project, is_once=True)
    twice = (how, "test_export.py", "test_export.py") if how else ()
    result = run_under(project, "-n", "2", "--reruns=1", *twice)
    assert result.ret == 0
    assert judged(project) == {(name, "same"): 2 if how else 1 for name in GIVEN}
    assert results_of(project)["not_compared"] == []
