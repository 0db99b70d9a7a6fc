"""Under pytest-xdist: one table, one worker per image, and what the user chose is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy import PAGE


@pytest.mark.parametrize("workers", ["0", "2"])
def test_under_xdist_one_table_and_each_image_on_one_worker(project: pytest.Pytester, workers: str) -> None:
    result = project.runpytest_subprocess("-n", workers, "-k", "training")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["inference against train: 2 images", "  detections * 2 same * (4 boxes)"])
    assert result.stdout.str().count("inference against train") == 1


def test_xdist_runs_fail_as_others_do(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="def test_nothing(ocr_inference_model, ocr_image): pass")
    result = project.runpytest_subprocess("-n", "2")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["nothing was compared: *"])


@pytest.fixture
def workers(project: pytest.Pytester) -> Path:
    """Make each test of the project note its worker, and return the folder of the notes."""
    folder = project.mkdir("notes")
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(
            "\n\n@pytest.fixture(autouse=True)\n"
            "def note(request, worker_id):\n"
            f"    with open({str(folder)!r} + '/' + request.node.name.partition('/')[2], 'a') as file:\n"
            "        file.write(worker_id + ' ')\n"
        )
    for index in range(6):
        np.save(project.path / "images" / f"page[{index}].npy", PAGE)
    return folder


def test_under_xdist_the_tests_of_an_image_stay_on_one_worker(project: pytest.Pytester, workers: Path) -> None:
    project.runpytest_subprocess("-n", "2", "--ocr-golden").assert_outcomes(passed=16)
    notes = [path.read_text().split() for path in workers.iterdir()]
    assert len(notes) == 8
    assert all(len(note) == 2 and len(set(note)) == 1 for note in notes)
    assert {note[0] for note in notes} == {"gw0", "gw1"}


def test_a_distribution_that_the_user_chose_is_kept(project: pytest.Pytester, workers: Path) -> None:
    project.runpytest_subprocess("-n", "2", "--dist", "loadfile", "-k", "training").assert_outcomes(passed=8)
    assert len({path.read_text() for path in workers.iterdir()}) == 1


def test_a_scheduler_of_the_users_is_kept(project: pytest.Pytester) -> None:
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(
            """
from xdist.scheduler import LoadScheduling


class Own(LoadScheduling):
    def schedule(self):
        print("the user's own schedules")
        super().schedule()


def pytest_xdist_make_scheduler(config, log):
    return Own(config, log)
"""
        )
    result = project.runpytest_subprocess("-n", "2", "-k", "training", "-s")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*the user's own schedules*"])
