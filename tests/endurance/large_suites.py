"""A thousand images under pytest-xdist: `make endurance`. Not collected unless it is named."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from benchmarks.project import write_project

from endurance.interpreters import two_workers

IMAGES = 1_000
WATCH = '''
"""Notes, for each worker, when it set a model up and how large it was after each test."""
import os, resource, sys

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    if fixturedef.argname.endswith("_model"):
        note(request.config, f"model {fixturedef.argname}")
    return (yield)


def pytest_sessionstart(session):
    if hasattr(session.config, "workerinput"):
        note(session.config, f"interpreter {sys.executable}")


def pytest_runtest_teardown(item, nextitem):
    note(item.config, f"size {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}")


def note(config, text):
    with (config.rootpath / f"worker-{os.getpid()}.txt").open("a") as file:
        print(text, file=file)
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_project(
        tmp_path_factory.mktemp("large") / "project", IMAGES, height=240, width=320, limit_side_len=160
    )
    (folder / "conftest.py").write_text(WATCH)
    return folder


@pytest.fixture(params=["-n 2", "--tx"])
def workers(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[str], int]:
    """Arguments for two workers, and how many interpreters they are of."""
    return two_workers(request.param, tmp_path), 1 if request.param == "-n 2" else 2


def test_a_thousand_images_come_together(project: Path, workers: tuple[list[str], int]) -> None:
    arguments_of_workers, interpreters = workers
    for stale in project.glob("worker-*.txt"):
        stale.unlink()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--ocr-report=report", *arguments_of_workers]
    for arguments in (["-k", "baseline", "--ocr-golden", "--ocr-golden-mode=all"], ["-k", "live or baseline"]):
        done = subprocess.run([*command, *arguments], cwd=project, capture_output=True, text=True, check=False)
        print(done.stdout[-1500:])
        assert done.returncode == 0, done.stderr
        results = json.loads((project / "report" / "results.json").read_text())
        assert len({each["image"] for each in results["comparisons"]}) == IMAGES
        assert {each["status"] for each in results["comparisons"]} <= {"same", "empty"}
        assert done.stdout.count("- ocrparity -") == 1
        assert len(re.findall(r"\[ *\d+%\]", done.stdout)) > 10
    assert len(list((project / "goldens").rglob("*.npz"))) == IMAGES
    notes = {path: path.read_text().splitlines() for path in project.glob("worker-*.txt")}
    assert len(notes) == 4  # two runs of two workers
    assert len({line for lines in notes.values() for line in lines if line.startswith("interp")}) == interpreters
    for lines in notes.values():
        loads: dict[str, int] = defaultdict(int)
        for line in lines:
            loads[line] += line.startswith("model ")
        assert {count for line, count in loads.items() if line.startswith("model ")} == {1}
        sizes = [int(line.split()[1]) for line in lines if line.startswith("size ")]
        assert len(sizes) > 200  # neither worker was idle
        print(f"{len(sizes)} tests, {sizes[99]} MB after 100, {sizes[-1]} MB at the end")
        assert sizes[-1] - sizes[99] <= 50
