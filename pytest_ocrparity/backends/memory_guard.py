"""Estimates the memory that a run of one image takes, and refuses the image before the run where too little is left.

An operating system that runs out of memory kills the whole run without a word. So what an image is about to take is
estimated at three points, each before the memory is taken: from the file's header before it is decoded, from the size
that PaddleOCR asks of its resize, and from the tensor before it is normalised and given to the network.
"""

from __future__ import annotations

import math
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from pytest_ocrparity.errors import NotEnoughMemory
from pytest_ocrparity.files import image_file_size
from pytest_ocrparity.stages import DECODE, RESIZE

DECODE_BYTES: Final = 12
"""Per pixel of a file: decoding one of 12000x9000 px took 6.0 bytes on the train side, turned by its EXIF tag 7.2,
with cv2 4.10; an RGB side holds one copy more. `make endurance` measures it."""

MOST_BYTES: Final = 5600
"""What a network took at most per pixel of its tensor: 5506, PP-OCRv3 server in dygraph. See `network_bytes`."""

UNMEASURED_BYTES: Final = 600
"""What is assumed of engines that paddle does not count, such as ONNX Runtime: the most of any network with oneDNN."""

AROUND_BYTES: Final = 160
"""Per pixel of a tensor: what surrounds the network, its input in several copies and an engine's own buffers."""

ONCE_BYTES: Final = 256 * 2**20
"""What an engine keeps of a first run at any size: 138 MB of reordered weights, PP-OCRv3 server with oneDNN."""

FRESH_SECONDS: Final = 0.5
"""For how many seconds a reading of the available memory is used."""

_WATCHED = threading.RLock()
"""Held while cv2.resize is watched: two threads that overlap would leave it so."""

PROBES: Final = (32, 64, 96, 128)
"""The sides of the tensors that a network is measured on, the first uncounted. By paddle's count, bytes per pixel are
the same at any size, within 1 % in dygraph; engines reuse and free at odd times, so the most of three is taken."""


def readable_bytes(count: float) -> str:
    """Write a number of bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def decoding_bytes(height: int, width: int) -> int:
    """Return an upper estimate of what decoding a file of that size takes, in bytes."""
    return DECODE_BYTES * height * width


def network_bytes(height: int, width: int, per_pixel: float) -> int:
    """Return an upper estimate of what normalising a (height, width) image and running the network on it take.

    Args:
        height: of the tensor, in px.
        width: of the tensor, in px.
        per_pixel: what paddle counted per pixel in a run of the network. Measured with paddlepaddle 3.2.2: 179 and 306
            for the example's network and PP-OCRv5 mobile in dygraph, 5474 for PP-OCRv5 server; 40, 104 and 529 with
            oneDNN. The process grew by more, which the other terms are for: from 320x320 px on by up to 198, 463 and
            5524; with oneDNN by 99, 279 and 1649, of which the most is of the smallest size.
    """
    return int(height * width * (1.1 * per_pixel + AROUND_BYTES)) + ONCE_BYTES


def available_memory(root: Path = Path("/")) -> float:
    """Return the bytes that this process may still take, or infinity where the system does not state it.

    The least of what is free, of what is left in the memory cgroups, version 1 or 2, that it lies in, and of its
    address space; of the workers of a pytest-xdist run, each has its share.

    Args:
        root: where /proc and /sys are.
    """
    left = [float("inf")]
    free = _read_numbers(root / "proc/meminfo").get("MemAvailable:")
    if free is not None:
        left.append(free * 1024)
    left += _left_in_cgroups(root)
    workers = max(1, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT") or 1))
    shared = max(0.0, min(left)) / workers
    space, used = resource.getrlimit(resource.RLIMIT_AS)[0], _read_numbers(root / "proc/self/status").get("VmSize:")
    if space != resource.RLIM_INFINITY and used is not None:
        return max(0.0, min(shared, space - used * 1024))
    return shared


def _read_numbers(path: Path) -> dict[str, int]:
    """Return the numbers of a file whose lines are a name and a number; empty where it can't be read."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdigit()}


def _read_number(path: Path) -> int | None:
    """Return the number that a file holds, or None where there is none, as in one that says "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _left_in_cgroups(root: Path) -> Iterator[float]:
    """Yield what is left in each memory cgroup from the process's own up; its page cache counts as left."""
    try:
        groups = [line.split(":", 2) for line in (root / "proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return
    for _, controllers, place in (group for group in groups if len(group) == 3):
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / ("sys/fs/cgroup/memory" if controllers else "sys/fs/cgroup")
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        limit, usage, cache = names if controllers else ("memory.max", "memory.current", "inactive_file")
        own = top / place.lstrip("/")
        # In a container the place may be one of the host's, which is not there; its own limit is then at the top.
        for folder in (each for each in (own, *own.parents) if each.is_relative_to(top)):
            most, taken = _read_number(folder / limit), _read_number(folder / usage)
            if most is not None and taken is not None:
                yield most - taken + _read_numbers(folder / "memory.stat").get(cache, 0)


@dataclass
class Watched:
    """What was seen of a run: `pictures` are what each `cv2.resize` made, in order, (h, w, 3) uint8."""

    pictures: list[Any] = field(default_factory=list)

    @property
    def picture(self) -> Any:
        """The last of them, None where there is none."""
        return self.pictures[-1] if self.pictures else None


@contextmanager
def guarded_resizes(admit: Callable[[Sequence[int], Sequence[int]], None] | None = None) -> Iterator[Watched]:
    """Watch what each `cv2.resize` makes.

    Args:
        admit: is given the (height, width) that is asked for and the shape of the image, before any memory is taken.
    """
    import cv2

    watched = Watched()

    def resize(src: Any, dsize: Any, *args: Any, **kwargs: Any) -> Any:
        if admit is not None and dsize is not None and min(dsize) > 0:
            admit((dsize[1], dsize[0]), src.shape)
        watched.pictures.append(real(src, dsize, *args, **kwargs))
        return watched.picture

    with _WATCHED:
        real = cv2.resize
        cv2.resize = resize
        try:
            yield watched
        finally:
            cv2.resize = real


class MemoryGuard:
    """Refuses what one loaded model would take more memory for than there is.

    Args:
        run: runs the network on a (1, 3, h, w) float32 tensor.
        engine: what it runs on, as `Trace.parameters` have it; a GPU's memory is not estimated.
        limit: bytes that an image may take; None means what is available.
        height: the height of its tensors in px, where it takes one height alone, as a recogniser does.
    """

    def __init__(
        self, run: Callable[[Any], object], engine: Mapping[str, Any], *, limit: int | None, height: int | None = None
    ) -> None:
        """Keep how the network is run; it is measured when that matters first."""
        self._run, self._engine, self._limit, self._height = run, engine, limit, height
        self._available, self._until = 0.0, -math.inf

    @cached_property
    def per_pixel(self) -> float:
        """What paddle's allocator holds at most per pixel of a tensor while the network runs, measured on small ones.

        A network that does not run at that size is taken for the largest, one of another engine for a usual one.
        """
        if not str(self._engine.get("device", "cpu")).startswith("cpu"):
            return 0.0
        if "program" not in self._engine and self._engine.get("engine") != "dygraph":
            return UNMEASURED_BYTES
        try:
            # A first run also takes what is kept whatever the size, a further one of that size uses it again.
            return max([self._measured_bytes_per_pixel(side) for side in PROBES][1:]) or MOST_BYTES
        except Exception:  # an export of a fixed size, or a broken one, which its own run will show
            return MOST_BYTES

    def _measured_bytes_per_pixel(self, side: int) -> float:
        """Return the bytes per pixel that paddle's allocator held at most in a run, above what it held before."""
        from paddle.base import core

        kind = "Allocated"
        before = core.host_memory_stat_current_value(kind, 0)
        core.host_memory_stat_reset_peak_value(kind, 0)
        height = self._height or side
        self._run(np.zeros((1, 3, height, side), dtype=np.float32))
        return max(0.0, float(core.host_memory_stat_peak_value(kind, 0) - before)) / (height * side)

    def admit_tensor(
        self, size: Sequence[int], stage: str, source: Sequence[int] | None = None, *, count: int = 1
    ) -> None:
        """Let an image go on to the network in a size, (height, width), or refuse it.

        The network is measured only where not every known one would fit.

        Args:
            size: of the tensor.
            stage: where it is refused.
            source: height and width of the image.
            count: how many of that size are in a batch.

        Raises:
            NotEnoughMemory: it would take more than there is.
        """
        height, width = size[:2]
        left = self._available_bytes()
        if network_bytes(height * count, width, MOST_BYTES) <= left:
            return
        needed = network_bytes(height * count, width, self.per_pixel)
        given = "" if source is None else f"the image of {source[1]}x{source[0]} px becomes "
        tensor = "a tensor" if count == 1 else f"a batch of {count} tensors"
        what = f"{given}{tensor} of {width}x{height} px, which"
        advice = "limit_side_len with limit_type max, or max_side_limit, on both sides makes it smaller"
        self._refuse_memory(
            stage, what, needed, left, advice if self._height is None else "a shorter line shows as much"
        )

    def _available_bytes(self) -> float:
        if self._limit is not None:
            return self._limit
        # An image asks three times, and each answer takes half a millisecond of reading /proc and /sys.
        if time.monotonic() > self._until:
            self._available, self._until = available_memory(), time.monotonic() + FRESH_SECONDS
        return self._available

    def _refuse_memory(self, stage: str, what: str, needed: int, left: float, advice: str) -> None:
        if needed <= left:
            return
        there = (
            f"memory_limit is {readable_bytes(left)}"
            if self._limit is not None
            else f"{readable_bytes(left)} is available"
        )
        out = f'leave the image out, or allow it by memory_limit = "{math.ceil(needed / 1e8) / 10} GB"'
        message = f"{what} would take an estimated {readable_bytes(needed)} of memory, and {there}: {advice}; {out}"
        raise NotEnoughMemory(stage, message)

    @contextmanager
    def watching(self, data: bytes | None) -> Iterator[Watched]:
        """Refuse a file by its header, and then each resize by what it is asked for, before any memory is taken.

        Args:
            data: the file's bytes, None where the image is an array.

        Yields:
            what the last resize made.

        Raises:
            NotEnoughMemory: it would take more than there is.
        """
        size = None if data is None else image_file_size(data)
        if size is not None:
            what = f"the image of {size[1]}x{size[0]} px"
            self._refuse_memory(
                DECODE, what, decoding_bytes(*size), self._available_bytes(), "a smaller copy of it shows as much"
            )

        # A thin image may become a thousand times larger: 1x4000 is 736x2944000 px under the rule 736/min.
        with guarded_resizes(lambda size, source: self.admit_tensor(size, RESIZE, source)) as watched:
            yield watched
