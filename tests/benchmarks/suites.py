"""Rows of large suites: what a project's other tests pay for having our table, and what many images cost.

Processor time of whole processes, children included, of few tests that do nothing: a shared machine takes nothing from
it but what it does to caches.
"""

from __future__ import annotations

import json
import re
import resource
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from projects import CONFTEST, EIGHT_LINES
from toy import page

from benchmarks.gates import run
from benchmarks.rows import Row

TABLE = '[tool.ocrparity]\nimages = ["images/*.npy"]\n\n[tool.pytest.ini_options]\n'
FOREIGN = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_it(number):
    pass
"""
NOTHING = """
import pytest

@pytest.mark.parametrize("image", range({count}), ids="images/page_{{:05}}.npy".format)
def test_export_matches_training(image):
    pass
"""
PER_FILE = 2_000
MANY, FEW = 32_000, 8_000
AT_MOST = ("of its time", True)
OURS = ("-p", "pytest_ocrparity.plugin")
TWO_WORKERS = ("-p", "xdist.plugin", "-n", "2")
SAMPLER = '''
"""Looks every millisecond of processor time whether a frame of the plugin is on the stack."""
import atexit, json, signal, time

seen = {"ours": 0, "all": 0}


def look(number, frame):
    seen["all"] += 1
    while frame is not None:
        if "pytest_ocrparity" in frame.f_code.co_filename:
            seen["ours"] += 1
            return
        frame = frame.f_back


def pytest_collection(session):
    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    seen["begin"] = time.process_time()


def pytest_sessionfinish(session):
    signal.setitimer(signal.ITIMER_PROF, 0)
    seen["seconds"] = time.process_time() - seen["begin"]
    print("sampled", json.dumps(seen))
'''
LOOP = """
import time
from pytest_ocrparity import assert_same_detections, assert_same_preprocessing, assert_same_probability_maps
from toy import Toy, page

def test_loop(capsys):
    train, inference = Toy(), Toy(name="inference")
    times = []
    for number in range(5_000):
        image = page(boxes=((8, 8, 40, 20), (50, 8, 60 + number % 20, 20)))
        one, two = train.trace(image), inference.trace(image)
        start = time.process_time()
        assert_same_preprocessing(one, two)
        assert_same_probability_maps(one, two)
        assert_same_detections(one, two)
        times.append(time.process_time() - start)
    with capsys.disabled():
        print("loop", sorted(times[:100])[50], sorted(times[-100:])[50])
"""
PLAIN = """
import pathlib, pytest

IMAGES = sorted(pathlib.Path("images").glob("*.npy"))
"""
# Not ru_maxrss, which a process that is forked has from its parent.
SIZE = """
import os, re

def pytest_unconfigure(config):
    with open("/proc/self/status") as file:
        size = re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]
    role = "worker" if hasattr(config, "workerinput") else "controller"
    (config.rootpath / f"{role}-{os.getpid()}.size").write_text(size)
"""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from foreign(folder)
        yield loop(folder / "loop")
        yield collecting(folder / "collecting")
        yield from images(folder)


def foreign(folder: Path) -> Iterator[Row]:
    """Tests that know nothing of us, in a project with our table."""
    many, few = (suite(folder / f"foreign-{count}", count) for count in (MANY, FEW))
    times: dict[str, list[float]] = {name: [] for name in ("with", "without", "few", "few without")}
    for number in range(5):
        for name in [*times][:: -1 if number % 2 else 1]:
            project, plugin = few if name.startswith("few") else many, () if name.endswith("without") else OURS
            times[name].append(processor_time(project, *plugin)[0])

    def ratio_of(name: str, other: str) -> float:
        return statistics.median(each / base for each, base in zip(times[name], times[other], strict=True))

    ratio = ratio_of("with", "without")
    told = f"{statistics.median(times['with']):.1f} s against {statistics.median(times['without']):.1f} s"
    yield Row(
        f"{MANY:,} tests of others, in a project with our table", "without the plugin", ratio, 1.05, *AT_MOST, told
    )
    (many / "conftest.py").write_text(SAMPLER)
    output = processor_time(many, "-s", *OURS)[1]
    seen = json.loads(re.search(r"sampled (.*)", output)[1])  # type: ignore[index]
    cost = 1e3 * seen["ours"] / seen["all"] * seen["seconds"] / MANY
    yield Row("of it ours, per test, by a sampling profile", "", cost, 0.03, "ms", True, f"{seen['all']:,} samples")
    grown, own = ratio_of("with", "few"), ratio_of("without", "few without")
    words = f"{MANY:,} tests of others, against {FEW:,}", "what pytest's own time grows by"
    yield Row(*words, grown / own, 1.1, "of it", True, f"{grown:.2f} times against {own:.2f} times")


def suite(folder: Path, tests: int) -> Path:
    project(folder, 1)
    for number in range(tests // PER_FILE):
        (folder / f"test_foreign_{number}.py").write_text(FOREIGN.format(count=PER_FILE))
    return folder


def project(folder: Path, count: int) -> Path:
    """Write a project with our table and that many small images."""
    (folder / "images").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(TABLE)
    for number in range(count):
        np.save(
            folder / "images" / f"page_{number:05}.npy", page(boxes=((8, 8, 40, 20), (50, 8, 60 + number % 20, 20)))
        )
    return folder


def loop(folder: Path) -> Row:
    """One test that compares 5,000 images."""
    project(folder, 1)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_loop.py").write_text(LOOP)
    output = processor_time(folder, *OURS, "--ocr-report=report")[1]
    first, last = map(float, re.search(r"loop (\S+) (\S+)", output).groups())  # type: ignore[union-attr]
    told = f"{1e3 * last:.3g} ms against {1e3 * first:.3g} ms"
    return Row("the last hundred of 5,000 images in one test", "the first hundred", last / first, 1.2, *AT_MOST, told)


def collecting(folder: Path) -> Row:
    """40 functions of 2,000 images, and the same parametrized by hand."""
    project(folder, 2_000)
    (folder / "conftest.py").write_text(CONFTEST)
    for name, head, body in (
        ("ours", "", "def test_{}(ocr_image): pass\n"),
        ("plain", PLAIN, "@pytest.mark.parametrize('path', IMAGES, ids=str)\ndef test_{}(path): pass\n"),
    ):
        (folder / f"test_{name}.py").write_text(head + "".join(body.format(number) for number in range(40)))
    ratios = []
    for number in range(5):
        times = {}
        for name in ("ours", "plain")[:: -1 if number % 2 else 1]:
            times[name] = processor_time(folder, *OURS, "--collect-only", f"test_{name}.py")[0]
        ratios.append(times["ours"] / times["plain"])
    told = f"{times['ours']:.1f} s against {times['plain']:.1f} s"
    words = "collecting 40 functions of 2,000 images", "the same by `parametrize`"
    return Row(*words, statistics.median(ratios), 1.5, *AT_MOST, told)


def images(folder: Path) -> Iterator[Row]:
    """Many images of the toy detector on two workers."""
    found = {count: on_two_workers(folder / f"images-{count}", count) for count in (1_000, 10_000)}
    (seconds, sizes), (most_seconds, most_sizes) = found.values()
    plain, most_plain = (own_sizes(folder / f"plain-{count}", count) for count in found)
    told = f"{most_seconds:.0f} s against {seconds:.0f} s"
    yield Row(
        "10,000 images of a toy detector, `-n 2`", "1,000", most_seconds / seconds, 11, "times its time", True, told
    )
    for role, size in sizes.items():
        grown = most_sizes[role] - size - (most_plain[role] - plain[role])
        told = f"{size:.0f} to {most_sizes[role]:.0f} MB; pytest's own {plain[role]:.0f} to {most_plain[role]:.0f} MB"
        words = f"memory of a {role}, 10,000 images", "1,000, without what pytest's own tests grow by"
        yield Row(*words, grown, 60, "MB more", True, told)


def on_two_workers(folder: Path, count: int) -> tuple[float, dict[str, float]]:
    """Return the processor time of a run, and the sizes of its processes in MB."""
    project(folder, count)
    (folder / "conftest.py").write_text(CONFTEST + SIZE)
    (folder / "test_export.py").write_text(EIGHT_LINES.partition("def test_export_matches_baseline")[0])
    seconds = processor_time(folder, *OURS, *TWO_WORKERS, "--ocr-report=report")[0]
    return seconds, sizes_of(folder)


def own_sizes(folder: Path, count: int) -> dict[str, float]:
    """Return the sizes of the processes of a run that compares nothing, in MB; its tests have ids of that length."""
    folder.mkdir()
    (folder / "conftest.py").write_text(SIZE)
    (folder / "test_nothing.py").write_text(NOTHING.format(count=count))
    processor_time(folder, *TWO_WORKERS)
    return sizes_of(folder)


def sizes_of(folder: Path) -> dict[str, float]:
    """Return the largest size of a process in each role, in MB."""
    return {
        role: max(int(path.read_text()) for path in folder.glob(f"{role}-*.size")) / 1024
        for role in ("controller", "worker")
    }


def processor_time(folder: Path, *args: str) -> tuple[float, str]:
    """Run pytest, which must pass; return the processor seconds of all its processes, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args], folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, output
