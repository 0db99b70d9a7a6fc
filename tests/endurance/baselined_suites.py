"""Ten thousand pages, recorded, compared and judged by baselines under xdist: `make endurance`.

The detector is a toy of milliseconds, so that what the plugin takes of a page is seen. What is measured is processor
time of all processes of a command, and the largest size of each beyond what pytest's own tests of as many pages take.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.suites import NOTHING, OURS, SIZE, processor_time, project, sizes_of
from projects import CONFTEST, EIGHT_LINES

from endurance.interpreters import two_workers

FEW, MANY = 2_500, 10_000
XDIST = ("-p", "xdist.plugin")
SECOND = NOTHING.partition("import pytest")[2].replace("matches_training", "matches_baseline")


def recorded_and_compared(folder: Path, pages: int, workers: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Record pages, and compare them live and with their baselines; return processor seconds, and sizes in MB."""
    project(folder, pages)
    (folder / "conftest.py").write_text(CONFTEST + SIZE)
    (folder / "test_export.py").write_text(EIGHT_LINES)
    command = [*OURS, *XDIST, *workers, "--ocr-report=report"]
    seconds = {"recorded": processor_time(folder, *command, "-k", "baseline", "--ocr-golden")[0]}
    assert len(list((folder / "goldens").rglob("*.npz"))) == pages
    seconds["compared"], output = processor_time(folder, *command)
    assert f"{2 * pages} passed" in output
    results = json.loads((folder / "report" / "results.json").read_text())
    assert results["run"]["verdict"] == "passed"
    assert {each["status"] for each in results["comparisons"]} == {"same"}
    judged = {(each["test"].partition("[")[0].rpartition("::")[2], each["image"]) for each in results["comparisons"]}
    assert len(judged) == 2 * pages
    return seconds, sizes_of(folder)


def own_sizes(folder: Path, pages: int, workers: list[str]) -> dict[str, float]:
    """Return the sizes in MB of the processes of a run of as many tests that compare nothing."""
    folder.mkdir()
    (folder / "conftest.py").write_text(SIZE)
    (folder / "test_nothing.py").write_text((NOTHING + SECOND).format(count=pages))
    processor_time(folder, *XDIST, *workers)
    return sizes_of(folder)


@pytest.mark.parametrize("kind", ["-n 2", "--tx"])
def test_ten_thousand_pages_take_four_times_what_a_quarter_of_them_takes(kind: str, tmp_path: Path) -> None:
    workers = two_workers(kind, tmp_path)
    (few, few_sizes), (many, many_sizes) = (
        recorded_and_compared(tmp_path / f"pages-{pages}", pages, workers) for pages in (FEW, MANY)
    )
    few_own, many_own = (own_sizes(tmp_path / f"own-{pages}", pages, workers) for pages in (FEW, MANY))
    grown = {role: many_sizes[role] - few_sizes[role] - (many_own[role] - few_own[role]) for role in many_sizes}
    for step in many:
        print(f"{kind}: {step} {MANY:,} pages in {many[step]:.0f} s, {FEW:,} in {few[step]:.0f} s: ", end="")
        print(f"{many[step] / few[step]:.2f} times")
    for role, more in grown.items():
        print(f"{kind}: {role} {few_sizes[role]:.0f} to {many_sizes[role]:.0f} MB, ", end="")
        print(f"pytest's own {few_own[role]:.0f} to {many_own[role]:.0f} MB: {more:.1f} MB more")
    assert max(many[step] / few[step] for step in many) <= 1.1 * MANY / FEW
    assert max(grown.values()) <= 60
