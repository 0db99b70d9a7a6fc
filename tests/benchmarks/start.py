"""Rows of whole commands on one page, from the start of Python to its end, and of the memory of one large scan."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.gates import HERE, INSTALLED, ONE_THREAD, pytest, taken_in_turns
from benchmarks.project import EXAMPLE, write_project
from benchmarks.rows import Row

# What a script does with the deployed class, and the same as a test that no plugin of ours sees.
BARE = """
from pathlib import Path
def test_bare():
    import paddleocr, yaml
    export = Path({export!r})
    name = yaml.safe_load((export / "inference.yml").read_text())["Global"]["model_name"]
    detector = paddleocr.TextDetection(model_name=name, model_dir=str(export), {options})
    assert len(detector.predict("images/page_00000.png")[0]["dt_polys"])
if __name__ == "__main__":
    test_bare()
"""
OPTIONS = 'limit_side_len=736, limit_type="min", cpu_threads=1'


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        yield from first_verdict(Path(folder))
        yield from scan(Path(folder))


def first_verdict(folder: Path) -> Iterator[Row]:
    """Processor time of the whole process: what else a shared machine does is not in it."""
    project, commands = one_page(folder)
    times = taken_in_turns({name: partial(seconds_of, command, project) for name, command in commands.items()})
    for name, words, bound in (
        ("pytest", "the script as a test, without the plugin, one page", 1.4),
        ("baseline", "first verdict from a baseline, one page", 1.4),
        ("report", "the same with a report", 1.7),
    ):
        ratio = statistics.median(own / base for own, base in zip(times[name], times["bare"], strict=True))
        told = f"{statistics.median(times[name]):.2f} s against {statistics.median(times['bare']):.2f} s"
        yield Row(words, "a bare script that predicts once", ratio, bound, "of its processor time", True, told)


def one_page(folder: Path) -> tuple[Path, dict[str, list[str]]]:
    """Write a project of one page with its baseline; return it, and commands that run the export on the page."""
    project = write_project(folder / "one", 1)
    pytest(project, "-k", "test_baseline", "--ocr-golden")
    (project / "bare.py").write_text(BARE.format(export=str(EXAMPLE / "inference"), options=OPTIONS))
    alone = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ours = [*alone, "-p", "pytest_ocrparity.plugin", "-k", "test_baseline", "--ocr-no-train"]
    return project, {
        "bare": [sys.executable, "bare.py"],
        "pytest": [*alone, "bare.py"],
        "baseline": ours,
        "report": [*ours, f"--ocr-report={folder / 'report'}"],
    }


def scan(folder: Path) -> Iterator[Row]:
    """The largest resident size of processes, each with both models, on an A4 page at 300 dpi as it is."""
    project = write_project(folder / "scan", 1, height=3508, width=2480, limit_side_len=3520, limit_type="max")
    bare = used([sys.executable, str(HERE / "bare_loop.py"), str(project)], project)[1]
    gate = pytest(project, "-k", "test_live")["maxrss_kb"] / 1024
    told = f"{gate:,.0f} MB against {bare:,.0f} MB"
    yield Row("memory, a scan of 2480x3508 px", "a bare loop of the two models", gate / bare, 1.15, "of it", True, told)


def seconds_of(command: list[str], folder: Path) -> float:
    return used(command, folder)[0]


def used(command: list[str], folder: Path) -> tuple[float, float]:
    """Run a command that must succeed; return its processor seconds and its largest resident size in MB."""
    return seconds_size_and_output(command, folder)[:2]


def seconds_size_and_output(command: list[str], folder: Path) -> tuple[float, float, str]:
    """Run a command that must succeed; return its processor seconds, its largest size in MB, and its output."""
    environ = {**os.environ, **ONE_THREAD, **INSTALLED}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        output.seek(0)
        told = output.read().decode()
        if status:
            raise SystemExit(f"{' '.join(command)} failed:\n{told}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, told
