"""Baselines are never lost or half-written, whatever ends the process: the old one or the new one is whole.

`endurance/kills.py` has the long version of the kills.
"""

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
from endurance.killing import aged, content, kill_recordings, page_of_noise, save, seen_while_two_record, temporaries
from toy import PAGE

from pytest_ocrparity.files import remove_leftovers, write_whole
from pytest_ocrparity.golden.baseline_file import load

# Killed


def test_a_kill_leaves_the_old_baseline_or_the_new_one(tmp_path: Path) -> None:
    for seed in range(20):  # about three kills of ten hit an open file
        found = kill_recordings(tmp_path, kills=10, seed=seed)
        assert (found.kills, found.damaged, found.left_old + found.left_new) == (10, 0, 10)
        left = temporaries(tmp_path)
        remove_leftovers(tmp_path)
        assert temporaries(tmp_path) == left
        for path in left:
            aged(path)
        remove_leftovers(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["page.png.npz"]
        if found.in_the_write:
            return
    pytest.fail("no kill hit an open file")


def test_a_kill_damages_what_is_written_in_place(tmp_path: Path) -> None:
    damaged = (kill_recordings(tmp_path, kills=4, seed=seed, recording="save_in_place").damaged for seed in range(12))
    assert any(damaged)


# Leftovers


def leftover(folder: Path, age: float = 0, name: str = ".ocrparity-0a1b2c3d4e5f6071.tmp") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("half")
    return aged(path, age)


def test_leftovers_go_after_an_hour_and_no_sooner(tmp_path: Path) -> None:
    gone = [
        leftover(tmp_path, 3700),
        leftover(tmp_path / "images", 3700),
        leftover(tmp_path / "images", 3700, f".ocrparity-0123456789ab-{os.getpid()}-0a1b2c3d.tmp"),  # of 0.1.0
    ]
    kept = [
        leftover(tmp_path / "new"),
        leftover(tmp_path / "newer", 3500),
        leftover(tmp_path, 3700, ".notes.tmp"),
        leftover(tmp_path, 3700, ".ocrparity-notes.txt"),
    ]
    remove_leftovers(tmp_path)
    assert not [path for path in gone if path.exists()]
    assert all(path.exists() for path in kept)


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


# Written whole


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.bin"
    for data in (b"old", b"new and longer", b""):
        write_whole(path, data)
        assert path.read_bytes() == data
        assert [each.name for each in path.parent.iterdir()] == ["page.bin"]


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_a_step_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    path = tmp_path / "page.bin"
    write_whole(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    where, name = {"write": (Path, "open"), "fsync": (os, "fsync"), "replace": (Path, "replace")}[fails]
    monkeypatch.setattr(where, name, refuse)
    with pytest.raises(OSError, match="No space left on device"):
        write_whole(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["page.bin"]


def test_the_content_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, steps = tmp_path / "page.bin", []

    def fsync(number: int) -> None:
        assert os.fstat(number).st_size == 3
        steps.append(("fsync", path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(path, b"new")
    assert steps == [("fsync", False)]
    assert path.exists()


# Refused


IS_CI = bool(os.environ.get("CI"))  # here: `as_at_a_desk` hides it from the tests
RECORD = """
import os, resource, sys, tempfile
from pathlib import Path
from endurance.killing import page_of_noise, save
from pytest_ocrparity.errors import GoldenError

trace = page_of_noise(1)
os.chdir(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    save(Path(folder, "x.npz"), trace)  # imports what nobody may read
largest = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
{before}
try:
    save(Path("page.png.npz"), trace)
except GoldenError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))  # coverage writes a file at the end
"""
SMALLER = "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, largest))"
NOBODY = "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)  # root may write anywhere"


def record(folder: Path, before: str, *prefix: str) -> str:
    """Record another baseline in a process of its own, after a statement that makes it fail; return what it says."""
    command = [*prefix, sys.executable, "-c", RECORD.format(before=before), str(folder)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_a_file_that_may_not_grow_leaves_the_old_baseline(tmp_path: Path) -> None:
    save(tmp_path / "page.png.npz", page_of_noise(0))
    told = record(tmp_path, SMALLER)
    assert told == "page.png.npz: cannot write this baseline: File too large"
    assert content(tmp_path / "page.png.npz") == 0
    assert len(list(tmp_path.iterdir())) == 1
    assert record(tmp_path, "") == ""
    assert content(tmp_path / "page.png.npz") == 1


def test_a_full_disk_leaves_the_old_baseline(tmp_path: Path) -> None:
    """A disk of its own, mounted for one process, which keeps it for a second one by its file descriptor."""
    save(tmp_path / "page.png.npz", page_of_noise(0))
    size = (tmp_path / "page.png.npz").stat().st_size
    disk = f"mount -t tmpfs -o size={size * 3 // 2} none {tmp_path}/disk && cp {tmp_path}/page.png.npz {tmp_path}/disk"
    (tmp_path / "disk").mkdir()
    own = ("unshare", "--user", "--map-root-user", "--mount")
    if subprocess.run([*own, "sh", "-c", disk], capture_output=True).returncode:
        told = "this system lets nobody mount a disk of their own"
        # A silent skip would hide it where nobody looks, and where nothing but the system forbids it.
        pytest.fail(told) if IS_CI and os.geteuid() == 0 else pytest.skip(told)
    back = f"; s=$?; ls -A {tmp_path}/disk > {tmp_path}/left; cp {tmp_path}/disk/page.png.npz {tmp_path}/after; exit $s"
    told = record(tmp_path / "disk", "", *own, "sh", "-c", f'{disk} && "$@"{back}', "sh")
    assert told == "page.png.npz: cannot write this baseline: No space left on device"
    assert content(tmp_path / "after") == 0
    assert (tmp_path / "left").read_text().split() == ["page.png.npz"]


def test_a_read_only_folder_leaves_the_old_baseline(tmp_path: Path) -> None:
    save(tmp_path / "page.png.npz", page_of_noise(0))
    tmp_path.chmod(0o555)
    try:
        told = record(tmp_path, NOBODY)
    finally:
        tmp_path.chmod(0o755)
    assert told == "page.png.npz: cannot write this baseline: Permission denied"
    assert content(tmp_path / "page.png.npz") == 0
    assert len(list(tmp_path.iterdir())) == 1


# Together


def test_who_loads_while_two_record_sees_a_whole_baseline(tmp_path: Path) -> None:
    assert seen_while_two_record(tmp_path / "page.png.npz", seconds=1) == {0, 1}


def test_who_loads_while_two_write_in_place_sees_damage(tmp_path: Path) -> None:
    assert None in seen_while_two_record(tmp_path / "page.png.npz", seconds=10, recording="save_in_place")


MEETING = """

@pytest.fixture(autouse=True, scope="session")
def meeting():
    import os, pathlib, time
    pathlib.Path(f"here-{os.getpid()}").touch()
    end = time.monotonic() + 30
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
    return sorted(Path(load(path).trace.image).stem for path in files)


ALL = ["one_word", *(f"page{index}" for index in range(4)), "three_words"]


def test_two_runs_record_at_once(many: pytest.Pytester) -> None:
    with (many.path / "conftest.py").open("a") as conftest:
        conftest.write(MEETING)
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "--ocr-golden", "--ocr-golden-mode=all", "-q"]
    runs = [many.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert len(list(many.path.glob("here-*"))) == 2
    assert baselines(many) == ALL


def test_four_workers_record(many: pytest.Pytester) -> None:
    many.runpytest_subprocess("-n", "4", "--ocr-golden").assert_outcomes(passed=12)
    assert baselines(many) == ALL
    many.runpytest("-p", "no:xdist", "--ocr-no-train").assert_outcomes(passed=6, skipped=6)


# Interrupted


HANGS = """

@pytest.fixture(autouse=True)
def hang(request):
    import pathlib, time
    if "page2" in request.node.name:
        pathlib.Path("reached").touch()
        time.sleep(60)
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
            return int(run.wait(60))
        finally:
            run.kill()


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
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
        conftest.write(HANGS.replace("time.sleep(60)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    result = many.runpytest_subprocess("-n", "2", "--ocr-report=report", "--ocr-golden", "-k", tests, timeout=120)
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
    result = many.runpytest_subprocess("-n", "2", "-k", "training", timeout=120)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=4, failed=2)


def test_a_worker_that_dies_while_it_collects_stops_no_other(many: pytest.Pytester) -> None:
    with (many.path / "conftest.py").open("a") as conftest:
        conftest.write(
            """

def pytest_collection_modifyitems(config):
    import os, time
    if getattr(config, "workerinput", {}).get("workerid") == "gw1":
        time.sleep(1)
        os._exit(1)


@pytest.fixture(autouse=True)
def who(worker_id):
    import pathlib, time
    pathlib.Path(f"ran-{worker_id}").touch()
    time.sleep(0.2)
"""
        )
    result = many.runpytest_subprocess("-n", "2", timeout=120)
    assert "INTERNALERROR" not in result.stdout.str()
    assert (many.path / "ran-gw0").exists()
    result.assert_outcomes(passed=6, failed=6)  # no baseline was recorded
