"""kill -9 at any moment of recording: the old baseline or the new one is whole. `make endurance` runs it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import page

from endurance.killing import aged, kill_recordings, temporaries
from pytest_ocrparity.errors import GoldenError
from pytest_ocrparity.golden.baseline_file import load_baseline_file
from pytest_ocrparity.trace import Trace
from pytest_ocrparity.whole_files import remove_leftover_files

KILLS = 1_000
KILLED_RUNS = 10
PAGES = 20
BUILD = Path(__file__).parents[2] / "build"


def note(capsys: pytest.CaptureFixture[str], found: dict[str, Any], under: str | None = None) -> None:
    """Print what was counted, and add it to what the other test wrote."""
    capsys.readouterr()  # what runs inside said, which only a failure shows
    with capsys.disabled():
        print()
        for name, value in found.items():
            print(f"{name.replace('_', ' '):<24}{value:10.4g}")
    BUILD.mkdir(exist_ok=True)
    path = BUILD / "kills.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | ({under: found} if under else found), indent=1))


@pytest.mark.parametrize("seed", [1])
def test_no_kill_damages_a_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    result = kill_recordings(tmp_path, kills=KILLS, seed=seed)
    left = temporaries(tmp_path)
    remove_leftover_files(tmp_path)
    young = temporaries(tmp_path)
    for path in left:
        aged(path)
    remove_leftover_files(tmp_path)
    found = {**result.as_json(), "left_behind": len(left), "left_after_an_hour": len(list(tmp_path.iterdir())) - 1}
    note(capsys, found)
    assert young == left, "a file was removed that another process might be writing"
    assert result.damaged == 0
    assert result.left_old + result.left_new == result.kills == KILLS
    assert min(result.left_old, result.left_new) > KILLS / 10
    assert result.in_the_write > KILLS / 10, "too few kills hit an open file to show anything"
    assert found["left_after_an_hour"] == 0


@pytest.fixture
def pages(project: pytest.Pytester) -> pytest.Pytester:
    """The project with more pages, and models that GAIN changes, so that a new baseline is told from an old one."""
    for index in range(PAGES):
        np.save(project.path / "images" / f"page{index}.npy", page(240, 320, ((20, 20, 100 + index, 60),)))
    conftest = project.path / "conftest.py"
    gain = 'Toy(gain=float(os.environ["GAIN"]), '
    conftest.write_text("import os\n" + conftest.read_text().replace("Toy(", gain))
    return project


RECORDS = ("-p", "no:cacheprovider", "-k", "baseline", "--ocr-golden", "--ocr-golden-mode=all")


def record(pages: pytest.Pytester) -> None:
    pages.runpytest_subprocess(*RECORDS).assert_outcomes(passed=PAGES + 2, deselected=PAGES + 2)


def recording(pages: pytest.Pytester, workers: str) -> subprocess.Popen[bytes]:
    """Begin a run that records, in a group of processes of its own."""
    command = [sys.executable, "-m", "pytest", *RECORDS, "-n", workers]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    run: subprocess.Popen[bytes] = pages.popen(command, start_new_session=True, **quiet)
    return run


def baselines(folder: Path) -> dict[str, Trace | None]:
    """Return what each baseline holds, None where it is damaged."""
    found: dict[str, Trace | None] = {}
    for path in folder.rglob("*.npz"):
        try:
            found[path.name] = load_baseline_file(path).trace
        except GoldenError:
            found[path.name] = None
    return found


def kill_while_it_records(
    run: subprocess.Popen[bytes], folder: Path, moments: random.Random, is_in_the_write: bool
) -> None:
    """Kill a run and its workers once it has replaced some baselines, however fast it is: in a write, or any time."""
    before = {path: path.stat().st_ino for path in folder.rglob("*.npz")}
    some = moments.randrange(len(before) - 2)
    while run.poll() is None and sum(path.stat().st_ino != number for path, number in before.items()) < some:
        time.sleep(0.001)
    if is_in_the_write:
        while run.poll() is None and not temporaries(folder):
            pass
    else:
        time.sleep(moments.uniform(0, 0.02))
    os.killpg(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL


def test_no_killed_run_damages_a_baseline(
    pages: pytest.Pytester, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, moments, found = pages.path / "goldens", random.Random(1), Counter[str]()
    whole: dict[str, dict[str, Trace | None]] = {}
    for gain in ("6", "7"):
        monkeypatch.setenv("GAIN", gain)
        record(pages)
        whole[gain] = baselines(folder)
    for kill in range(KILLED_RUNS):
        old, new = ("6", "7") if kill % 2 else ("7", "6")
        monkeypatch.setenv("GAIN", new)
        kill_while_it_records(recording(pages, "2" if kill % 4 < 2 else "0"), folder, moments, bool(kill % 2))
        left = baselines(folder)
        assert left.keys() == whole[old].keys()
        is_new = {name: trace == whole[new][name] for name, trace in left.items()}
        found["killed_runs"] += 1
        found["killed_amid"] += 0 < sum(is_new.values()) < len(left)
        found["in_the_write"] += bool(temporaries(folder))
        found["left_new"] += sum(is_new.values())
        found["left_old"] += sum(trace == whole[old][name] for name, trace in left.items())
        found["damaged"] += sum(trace is None for trace in left.values())
        young = temporaries(folder)
        record(pages)
        assert baselines(folder) == whole[new]
        assert temporaries(folder) == young, "a run removed what another might be writing, or left more"
        for path in young:
            aged(path)
        record(pages)
        found["left_after_an_hour"] += len(temporaries(folder))
    note(capsys, found, "runs")
    assert found["damaged"] == found["left_after_an_hour"] == 0
    assert found["left_old"] + found["left_new"] == KILLED_RUNS * (PAGES + 2)
    assert found["killed_amid"] > KILLED_RUNS / 2, "too few runs were killed while they recorded to show anything"
    assert found["in_the_write"], "no kill hit an open file"
