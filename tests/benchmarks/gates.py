"""Rows of whole runs, each in processes of its own."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.project import PADDLE_OCR, write_project
from benchmarks.rows import Row

HERE = Path(__file__).parent
ROUNDS = 6
"""A process takes up to a tenth longer than another like it, by how its memory comes to lie: paddle's dygraph networks
take theirs from the system anew in each run."""
# One thread in every process: paddlex takes MKL's second one from a bare loop, and the plugin gives it back.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# As installed: with bytecode, and no other plugin, of which some import half a second's worth at the end of a run.
INSTALLED = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": ""}
IDLE = """
import importlib, time


def pytest_addoption(parser, pluginmanager):
    start = time.perf_counter()
    plugin = importlib.import_module("pytest_ocrparity.plugin")
    configure = plugin.pytest_configure

    def timed(config):
        begun = time.perf_counter()
        configure(config)
        print("idle", 1e3 * (spent + time.perf_counter() - begun))

    plugin.pytest_configure = timed
    pluginmanager.register(plugin, "ocrparity")
    spent = time.perf_counter() - start
"""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        yield idle(Path(folder))
        project = write_project(Path(folder) / "fifty", 51)
        yield from gates(project)
        yield ocr_gate(Path(folder))
        yield labelled_gate(project, Path(folder))
        yield memory(Path(folder))
        yield workers(Path(folder))


def idle(folder: Path) -> Row:
    """Loading the plugin, its options and its configuration, in a process that has pytest and no settings file."""
    (folder / "conftest.py").write_text(IDLE)
    (folder / "test_nothing.py").write_text("def test_nothing(): pass")
    found = []
    for _ in range(12):
        output = run([sys.executable, "-m", "pytest", "-q", "-s", str(folder / "test_nothing.py")], folder)
        found.append(float(re.search(r"idle ([\d.]+)", output)[1]))  # type: ignore[index]
    return Row("the idle plugin, in a process that has pytest", "", statistics.median(found[2:]), 15, "ms", True)


def gates(project: Path) -> Iterator[Row]:
    pytest(project, "-k", "test_baseline", "--ocr-golden")
    runs: dict[str, Callable[[], float]] = {
        "bare": lambda: bare_loop(project),
        "live": lambda: pytest(project, "-k", "test_live")["seconds"],
        "baseline": lambda: pytest(project, "-k", "test_baseline", "--ocr-no-train")["seconds"],
    }
    times = taken_in_turns(runs)
    words = ("gate, 50 images, both models live", "a bare loop of the two models")
    yield ratio(words, times["live"], times["bare"], 1.10)
    yield ratio(("gate from baselines, 50 images", "both models live"), times["baseline"], times["live"], 0.5)


def ocr_gate(folder: Path) -> Row:
    """The gate on a whole `PaddleOCR`, which reads with the same recogniser in the bare loop."""
    project = write_project(folder / "ocr", 51, deployed=PADDLE_OCR)
    times = taken_in_turns(
        {"bare": lambda: bare_loop(project), "live": lambda: pytest(project, "-k", "test_live")["seconds"]}
    )
    words = ("gate on `PaddleOCR`, 50 images", "a bare loop of the train network and the same `PaddleOCR`")
    return ratio(words, times["live"], times["bare"], 1.15)


def labelled_gate(project: Path, folder: Path) -> Row:
    """The gate that judges accuracy as well."""
    labelled = write_project(folder / "labelled", 51, has_labels=True)
    times = taken_in_turns(
        {
            "without": lambda: pytest(project, "-k", "test_live")["seconds"],
            "with": lambda: pytest(labelled, "-k", "test_live")["seconds"],
        }
    )
    words = ("gate, 50 images with labels", "the same without labels")
    return ratio(words, times["with"], times["without"], 1.05)


def taken_in_turns(runs: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Return what each run took in every round, in both orders: a machine that slows down favours what runs first."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(ROUNDS):
        for name in [*runs][:: -1 if number % 2 else 1]:
            times[name].append(runs[name]())
    return times


def ratio(words: tuple[str, str], own: list[float], other: list[float], bound: float) -> Row:
    median = statistics.median(each / base for each, base in zip(own, other, strict=True))
    told = f"{min(own):.1f} s against {min(other):.1f} s"
    return Row(*words, median, bound, "of its time", True, told)


def memory(folder: Path) -> Row:
    """The largest resident size of a run of 500 images, less that of a run of 10."""
    many = write_project(folder / "many", 500, height=240, width=320, limit_side_len=256)
    few = write_project(folder / "few", 10, height=240, width=320, limit_side_len=256)
    most, least = (pytest(project, "-k", "test_live")["maxrss_kb"] / 1024 for project in (many, few))
    told = f"{most:.0f} MB against {least:.0f} MB"
    return Row("memory, 500 images", "10 images", most - least, 50, "MB more", True, told)


def workers(folder: Path) -> Row:
    """Whole commands, loading included, in both orders."""
    project = write_project(folder / "workers", 480, height=736, width=736)
    times: dict[str, list[float]] = {"0": [], "2": []}
    for count in ("0", "2", "2", "0"):
        start = time.perf_counter()
        pytest(project, "-k", "test_live", "-n", count)
        times[count].append(time.perf_counter() - start)
    one, two = (sum(times[count]) / 2 for count in times)
    return Row("`-n 2`, 480 images", "one process", one / two, 1.6, told=f"{two:.1f} s against {one:.1f} s")


def pytest(project: Path, *args: str) -> dict[str, Any]:
    """Run the project's tests, all of which must pass, and return what its clock wrote."""
    ours = ("-p", "pytest_ocrparity.plugin", "-p", "xdist.plugin", "-p", "no:cacheprovider")
    run([sys.executable, "-m", "pytest", "-q", *ours, *args], project)
    facts: dict[str, Any] = json.loads((project / "clock.json").read_text())
    return facts


def bare_loop(project: Path) -> float:
    output = run([sys.executable, str(HERE / "bare_loop.py"), str(project)], project)
    return float(re.search(r"([\d.]+) seconds, [1-9]", output)[1])  # type: ignore[index]


def run(command: list[str], folder: Path) -> str:
    environ = {**os.environ, **ONE_THREAD, **INSTALLED}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout
