"""What is written is the old file or the new one, whatever ends the process.

`endurance/kills.py` has the long version of the kills.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from endurance.killing import (
    aged,
    content,
    kill_recordings,
    leftover,
    page_of_noise,
    save,
    seen_while_two_record,
    temporaries,
)

from pytest_ocrparity.whole_files import append_whole_line, remove_leftover_files, write_whole_file


def test_a_kill_leaves_the_old_baseline_or_the_new_one(tmp_path: Path) -> None:
    for seed in range(20):  # about three kills of ten hit an open file
        found = kill_recordings(tmp_path, kills=10, seed=seed)
        assert (found.kills, found.damaged, found.left_old + found.left_new) == (10, 0, 10)
        left = temporaries(tmp_path)
        remove_leftover_files(tmp_path)
        assert temporaries(tmp_path) == left
        for path in left:
            aged(path)
        remove_leftover_files(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["page.png.npz"]
        if found.in_the_write:
            return
    pytest.fail("no kill hit an open file")


def test_a_kill_damages_what_is_written_in_place(tmp_path: Path) -> None:
    damaged = (kill_recordings(tmp_path, kills=4, seed=seed, recording="save_in_place").damaged for seed in range(12))
    assert any(damaged)


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
    remove_leftover_files(tmp_path)
    assert not [path for path in gone if path.exists()]
    assert all(path.exists() for path in kept)


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.bin"
    for data in (b"old", b"new and longer", b""):
        write_whole_file(path, data)
        assert path.read_bytes() == data
        assert [each.name for each in path.parent.iterdir()] == ["page.bin"]


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_a_step_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    path = tmp_path / "page.bin"
    write_whole_file(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    where, name = {"write": (Path, "open"), "fsync": (os, "fsync"), "replace": (Path, "replace")}[fails]
    monkeypatch.setattr(where, name, refuse)
    with pytest.raises(OSError, match="No space left on device"):
        write_whole_file(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["page.bin"]


def test_the_content_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, steps = tmp_path / "page.bin", []

    def fsync(number: int) -> None:
        assert os.fstat(number).st_size == 3
        steps.append(("fsync", path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole_file(path, b"new")
    assert steps == [("fsync", False)]
    assert path.exists()


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


def test_who_loads_while_two_record_sees_a_whole_baseline(tmp_path: Path) -> None:
    assert seen_while_two_record(tmp_path / "page.png.npz", seconds=1) == {0, 1}


def test_who_loads_while_two_write_in_place_sees_damage(tmp_path: Path) -> None:
    assert None in seen_while_two_record(tmp_path / "page.png.npz", seconds=10, recording="save_in_place")


def test_a_line_is_appended_behind_the_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lines"
    for line in (b"one", b"two"):
        append_whole_line(path, line)
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_line_that_a_killed_process_left_stays_a_line(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\nhalf of t")
    append_whole_line(path, b"three")
    assert path.read_bytes() == b"one\nhalf of t\nthree\n"


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom pytest_ocrparity.whole_files import append_whole_line\n"
        "for index in range(50):\n    append_whole_line(Path(sys.argv[1]), sys.argv[2].encode() * 3000)\n"
    )
    path = tmp_path / "lines"
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path), letter]) for letter in "abc"]
    assert [process.wait() for process in processes] == [0, 0, 0]
    lines = [line for line in path.read_bytes().splitlines() if line]
    assert sorted(lines) == sorted(letter * 3000 for letter in (b"a", b"b", b"c") for _ in range(50))
