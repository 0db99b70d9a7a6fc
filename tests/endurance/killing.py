"""Kills processes in the middle of recording a baseline, and looks at what they leave.

One process imports everything and forks those that are killed, so that a kill costs no start of an interpreter.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pytest_ocrparity.errors import GoldenError
from pytest_ocrparity.golden import baseline_file as archive
from pytest_ocrparity.trace import Detections, Trace

SIZE = 240, 320


@dataclass
class Kills:
    """What many kills left: how many hit an open temporary file, and whether the baseline was what it had been."""

    kills: int = 0
    in_the_write: int = 0
    left_old: int = 0
    left_new: int = 0
    damaged: int = 0
    save_milliseconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return asdict(self)


@cache
def page_of_noise(seed: int) -> Trace:
    """Return a trace that is large enough to take a while to write; equal seeds make equal traces."""
    rng = np.random.default_rng(seed)
    height, width = SIZE
    return Trace(
        pipeline="train",
        image="page.png",
        resize=rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        shape=(float(height), float(width), 1.0, 1.0),
        tensor=rng.random((1, 3, height, width), dtype=np.float32),
        probability_map=rng.random((1, 1, height, width), dtype=np.float32),
        detections=Detections((np.array([[1.0, 2], [30, 2], [30, 12], [1, 12]]),), np.array([0.9])),
        map_sensitivity=1e-6,
    )


def save(path: Path, trace: Trace) -> None:
    """Record a trace as a run does."""
    archive.save_baseline_file(path, trace, reference="train", lossless=True)


def content(path: Path) -> int | None:
    """Return which of the two traces a baseline holds exactly, None where it is damaged or holds neither."""
    try:
        back = archive.load_baseline_file(path).trace
    except GoldenError:
        return None
    return next((seed for seed in (0, 1) if replace(page_of_noise(seed), pipeline=back.pipeline) == back), None)


def save_in_place(path: Path, trace: Trace) -> None:
    """Record a trace as no run does, so that the kills have something to find."""
    scratch = path.with_name("scratch.npz")
    save(scratch, trace)
    data = scratch.read_bytes()
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(data), 1 + len(data) // 50):
            file.write(data[start : start + 1 + len(data) // 50])
            time.sleep(0.002)


def kill_recordings(folder: Path, *, kills: int, seed: int, recording: str = "save") -> Kills:
    """Record A and B over and over in other processes, kill each at a random moment, and look at the baseline.

    Args:
        folder: where the baseline lies.
        kills: how many.
        seed: of the moments. They are spread over twice the time that a recording takes, but for half of
            the kills of `save`, which wait for its temporary file.
        recording: the function here that records.
    """
    path, result, moments = folder / "page.png.npz", Kills(), random.Random(seed)
    save(path, page_of_noise(0))
    begun = time.perf_counter()
    save(path, page_of_noise(1))
    duration = time.perf_counter() - begun
    result.save_milliseconds = duration * 1000
    with _nursery(path, recording) as born:
        for _ in range(kills):
            left, old = temporaries(folder), content(path)
            victim = born(1 - (old or 0))
            if result.kills % 2 or recording != "save":
                time.sleep(moments.uniform(0, 2 * duration))
            else:  # the write itself is short: few moments drawn from all hit it
                _wait_for_another(folder, left, 20 * duration)
                time.sleep(moments.uniform(0, duration / 20))
            _kill(victim)
            new = content(path)
            result.kills += 1
            result.in_the_write += len(temporaries(folder) - left)
            result.damaged += new is None
            result.left_old += new == old is not None
            result.left_new += new is not None and new != old
    return result


def seen_while_two_record(path: Path, *, seconds: float, recording: str = "save") -> set[int | None]:
    """Have two processes record A and B over and over in one place, and load it meanwhile; return what was there.

    Whoever finds damage has seen enough.
    """
    save(path, page_of_noise(0))
    seen: set[int | None] = set()
    with _nursery(path, recording) as born:
        writers = [born(first) for first in (0, 1)]
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end and None not in seen:
                seen.add(content(path))
        finally:  # they would go on for ever
            for writer in writers:
                _kill(writer)
    return seen


@contextmanager
def _nursery(path: Path, recording: str) -> Iterator[Callable[[int], int]]:
    """Give a function that forks a process which records from A (0) or B (1) on, and returns its number."""
    with subprocess.Popen(
        [sys.executable, "-m", "endurance.killing", str(path), recording],
        env=_environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as nursery:
        orders, answers = nursery.stdin, nursery.stdout
        assert orders is not None and answers is not None

        def born(first: int) -> int:
            orders.write(f"{first}\n")
            orders.flush()
            return int(answers.readline())

        yield born


def _environ() -> dict[str, str]:
    """Return an environment without coverage, whose own file the kills would damage."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def temporaries(folder: Path) -> set[Path]:
    """Return the files below a folder that writers have begun, or left behind."""
    return set(folder.rglob(".ocrparity-*.tmp"))


def _wait_for_another(folder: Path, known: set[Path], seconds: float) -> None:
    end = time.monotonic() + seconds
    while temporaries(folder) <= known and time.monotonic() < end:
        pass


def aged(path: Path, seconds: float = 3700) -> Path:
    """Let a file look as if it had last been written so long ago, by default more than the hour it may stay."""
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def leftover(folder: Path, age: float = 0, name: str = ".ocrparity-0a1b2c3d4e5f6071.tmp") -> Path:
    """Return a temporary file that a recording left half written, of an age in seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("half")
    return aged(path, age)


def _kill(victim: int) -> None:
    """Kill a process and wait until it is gone."""
    os.kill(victim, signal.SIGKILL)
    try:
        while True:
            os.kill(victim, 0)
            time.sleep(0.001)
    except ProcessLookupError:
        return


def _nurse(path: Path, record: Callable[[Path, Trace], None]) -> None:
    """Fork a process per line of input, which records until it is killed; write its number once it has begun."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are no zombies, whose numbers would still answer
    traces = [page_of_noise(seed) for seed in (0, 1)]
    for line in sys.stdin:
        ready, begin = os.pipe()
        victim = os.fork()
        if victim == 0:
            os.write(begin, b".")
            while True:
                for place in (int(line), 1 - int(line)):
                    record(path, traces[place])
        os.read(ready, 1)
        os.close(ready)
        os.close(begin)
        print(victim, flush=True)


if __name__ == "__main__":
    _nurse(Path(sys.argv[1]), {"save": save, "save_in_place": save_in_place}[sys.argv[2]])
