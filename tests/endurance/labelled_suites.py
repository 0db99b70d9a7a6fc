"""Thousands of labelled pages under pytest-xdist: `make endurance`. Not collected unless it is named."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from labelled import COMPARES, FORGETS, LOOSE, write_pages
from projects import CONFTEST, settings_file

FEW, MANY = 500, 5_000
WATCH = """
import resource

def pytest_unconfigure(config):
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    name = "worker" if hasattr(config, "workerinput") else "controller"
    with (config.rootpath / "sizes.txt").open("a") as file:
        print(f"{name} {size}", file=file)
"""


def sizes_of(folder: Path, pages: int, *, has_labels: bool, has_losses: bool) -> dict[str, int]:
    """Run pages on two workers; return how many MB the controller and the larger worker had at most.

    With losses the candidate loses a box of each fourth page, and a report names each.
    """
    folder.mkdir()
    (folder / "Label.txt").write_text(write_pages(folder, [index % 4 for index in range(pages)]))
    labels = 'labels = { files = "Label.txt", blank = "empty" }\n' if has_labels else ""
    settings_file(folder, f'images = ["images/*.npy"]\n{labels}report.pictures = "failed"\n')
    (folder / "conftest.py").write_text(CONFTEST + WATCH + FORGETS * has_losses)
    (folder / "test_export.py").write_text(COMPARES)
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]
    command += [*LOOSE, "--ocr-report=report"] if has_losses else []
    done = subprocess.run([*command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == (has_losses and has_labels), done.stdout[-2000:] + done.stderr
    counted = re.findall(r"accuracy of inference against train: (\d+) images with labels", done.stdout)
    assert counted == ([str(pages)] if has_labels else [])
    sizes: dict[str, int] = {}
    for line in (folder / "sizes.txt").read_text().splitlines():
        name, size = line.split()
        sizes[name] = max(int(size), sizes.get(name, 0))
    print(f"{pages} pages{', with labels' * has_labels}: {sizes}, {time.monotonic() - started:.0f} s")
    return sizes


@pytest.mark.parametrize("has_losses", [False, True], ids=["same", "losses"])
def test_labels_of_thousands_of_pages_take_little_memory(tmp_path: Path, has_losses: bool) -> None:
    found = {
        (pages, has_labels): sizes_of(
            tmp_path / f"{pages}-{has_labels}", pages, has_labels=has_labels, has_losses=has_losses
        )
        for pages in (FEW, MANY)
        for has_labels in (False, True)
    }
    for name in ("controller", "worker"):
        with_labels, without = (found[MANY, each][name] - found[FEW, each][name] for each in (True, False))
        print(f"{name}: {MANY} pages take {with_labels} MB more than {FEW} with labels, {without} MB without")
        assert with_labels - without <= 60
