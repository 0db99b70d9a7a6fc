"""Runs that record at once, are interrupted or lose workers: baselines stay whole, the report says what it compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endurance.killing import leftover
from projects import PATIENCE
from toy import PAGE

from pytest_ocrparity.golden.baseline_file import load_baseline_file

# Leftovers


def test_only_a_run_that_records_tidies_up_also_where_it_writes_nothing(project: pytest.Pytester) -> None:
    project.runpytest("-p", "no:xdist", "--ocr-golden", "-k", "baseline").assert_outcomes(passed=2, deselected=2)
    path = leftover(project.path / "goldens" / "images", 3700)
    project.runpytest("-p", "no:xdist")
    assert path.exists()
    project.runpytest("-p", "no:xdist", "--ocr-golden")
    assert not path.exists()


def test_a_leftover_of_this_hour_disturbs_no_run(project: pytest.Pytester) -> None:
    path = leftover(project.path / "goldens" / "images")
    project.runpytest("-p", "no:xdist", "--ocr-golden").assert_outcomes(passed=4)
    project.runpytest("-p", "no:xdist", "--ocr-golden", "--ocr-golden-mode=all").assert_outcomes(passed=4)
    result = project.runpytest("-p", "no:xdist", "--ocr-golden-prune")
    result.assert_outcomes(passed=4)
    assert "unused" not in result.stdout.str()
    assert path.read_text() == "half"


# Together


MEETING = f"""

@pytest.fixture(autouse=True, scope="session")
def meeting():
    import os, pathlib, time
    pathlib.Path(f"here-{{os.getpid()}}").touch()
    end = time.monotonic() + {PATIENCE}
    while len(list(pathlib.Path.cwd().glob("here-*"))) < 2 and time.monotonic() < end:
        time.sleep(0.01)
"""


@pytest.fixture
def many(project: pytest.Pytester) -> pytest.Pytester:
    """The project with four more pages, of which a report shows only what failed, to save time."""
    for index in range(4):
        np.save(project.path / "images" / f"page{index}.npy", PAGE)
    with (project.path / "pyproject.toml").open("a") as file:
        file.write('\n[tool.ocrparity.report]\npictures = "failed"\n')
    return project


def baselines(project: pytest.Pytester) -> list[str]:
    """Return the images that have a baseline, each of which loads, in a folder that holds nothing else."""
    files = [path for path in (project.path / "goldens").rglob("*") if path.is_file()]
    return sorted(Path(load_baseline_file(path).trace.image).stem for path in files)


ALL = ["one_word", *(f"page{index}" for index in range(4)), "three_words"]


def test_two_runs_record_at_once(many: pytest.Pytester) -> None:
    with (many.path / "conftest.py").open("a") as conftest:
        conftest.write(MEETING)
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "--ocr-golden", "--ocr-golden-mode=all", "-q"]
    runs = [many.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait(PATIENCE) for run in runs] == [0, 0]
    assert len(list(many.path.glob("here-*"))) == 2
    assert baselines(many) == ALL


def test_four_workers_record(many: pytest.Pytester) -> None:
    many.runpytest_subprocess("-n", "4", "--ocr-golden").assert_outcomes(passed=12)
    assert baselines(many) == ALL
    many.runpytest("-p", "no:xdist", "--ocr-no-train").assert_outcomes(passed=6, skipped=6)


# Interrupted


HANGS = f"""

@pytest.fixture(autouse=True)
def hang(request):
    import pathlib, time
    if "page2" in request.node.name:
        pathlib.Path("reached").touch()
        time.sleep({PATIENCE})
"""
RUNS = {"recording": ("-k", "baseline", "--ocr-golden", "--ocr-golden-mode=all"), "comparing": ("-k", "training")}


def interrupted(project: pytest.Pytester, *args: str) -> int:
    """Press Ctrl-C, which reaches all processes of a terminal, while a test hangs; return the exit status."""
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(HANGS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--ocr-report=report", *args]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # Whoever runs this in a shell's background has SIGINT ignored, and so have all children.
    quiet["preexec_fn"] = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with project.popen(command, start_new_session=True, **quiet) as run:
        wait_for(project.path / "reached")
        os.killpg(run.pid, signal.SIGINT)
        try:
            return int(run.wait(PATIENCE))
        finally:
            run.kill()


def wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.01)


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("what", RUNS)
def test_ctrl_c_leaves_whole_baselines_and_a_report_of_what_was_compared(
    many: pytest.Pytester, what: str, workers: str
) -> None:
    status = interrupted(many, "-n", workers, *RUNS[what])
    assert status == pytest.ExitCode.INTERRUPTED
    results = json.loads((many.path / "report" / "results.json").read_text())
    compared = {Path(each["image"]).stem for each in results["comparisons"]}
    assert results["run"]["interrupted"]
    assert results["run"]["exit_status"] == status
    assert compared and compared < set(ALL)
    assert "page2" not in compared
    assert (many.path / "report" / "index.html").exists()
    recorded = set(baselines(many))
    # A worker that is stopped between recording and its report leaves a baseline that the report does not know.
    assert compared <= recorded < set(ALL) if what == "recording" else not recorded


@pytest.mark.parametrize("tests", ["training or baseline", "baseline"], ids=["two an image", "one an image"])
def test_a_killed_worker_leaves_whole_baselines_and_the_rest_goes_on(many: pytest.Pytester, tests: str) -> None:
    with (many.path / "conftest.py").open("a") as conftest:
        conftest.write(
            HANGS.replace(f"time.sleep({PATIENCE})", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        )
    result = many.runpytest_subprocess("-n", "2", "--ocr-report=report", "--ocr-golden", "-k", tests, timeout=PATIENCE)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    count = len(tests.split(" or "))
    result.assert_outcomes(passed=5 * count, failed=count)  # each test of that image once, and none of the others twice
    results = json.loads((many.path / "report" / "results.json").read_text())
    assert {Path(each["image"]).stem for each in results["comparisons"]} == {*ALL} - {"page2"}
    assert {Path(each["image"]).stem for each in results["not_compared"]} == {"page2"}
    assert baselines(many) == sorted({*ALL} - {"page2"})


@pytest.mark.parametrize("dying", [("page1", "page3"), ("page0", "page2")], ids=" and ".join)
def test_two_killed_workers_cost_their_images_only(many: pytest.Pytester, dying: tuple[str, str]) -> None:
    with (many.path / "conftest.py").open("a") as conftest:
        conftest.write(
            f"""

@pytest.fixture(autouse=True)
def die(request):
    import os
    if any(name in request.node.name for name in {dying!r}):
        os._exit(9)
"""
        )
    result = many.runpytest_subprocess("-n", "2", "-k", "training", timeout=PATIENCE)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=4, failed=2)


def test_a_worker_that_dies_while_it_collects_stops_no_other(many: pytest.Pytester) -> None:
    with (many.path / "conftest.py").open("a") as conftest:
        conftest.write(
            """

def pytest_collection_modifyitems(config):
    import os, pathlib, time
    other = pathlib.Path("collects")
    worker = getattr(config, "workerinput", {}).get("workerid")
    if worker == "gw0":
        other.touch()
    while worker == "gw1" and not other.exists():
        time.sleep(0.01)
    if worker == "gw1":
        os._exit(1)


@pytest.fixture(autouse=True)
def who(worker_id):
    import pathlib
    pathlib.Path(f"ran-{worker_id}").touch()
"""
        )
    result = many.runpytest_subprocess("-n", "2", timeout=PATIENCE)
    assert "INTERNALERROR" not in result.stdout.str()
    assert (many.path / "ran-gw0").exists()
    result.assert_outcomes(passed=6, failed=6)  # no baseline was recorded
