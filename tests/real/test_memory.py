"""What is available and what a run will take: read from the system, measured on the network, refused in words."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pytest_ocrparity.backends.memory_guard import (
    AROUND_BYTES,
    MOST_BYTES,
    UNMEASURED_BYTES,
    MemoryGuard,
    available_memory,
    network_bytes,
    readable_bytes,
)
from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.backends.staged import MOST_TRACES
from pytest_ocrparity.errors import NotEnoughMemory
from pytest_ocrparity.files import image_file_size
from real.blob import LIMITS, Model
from real.features import needs_engines
from real.peak import EXAMPLE, sides

GB = 10**9
PADDLE = {"engine": "paddle", "device": "cpu", "program": "inference.json"}
ONNX = {"engine": "onnxruntime", "device": "cpu"}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Write the files of a made-up system, and return its root."""

    def write(**files: str) -> Path:
        root = tmp_path_factory.mktemp("root")
        for name, text in files.items():
            path = root / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root

    return write


FREE = {"proc__meminfo": "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n"}


@pytest.fixture(autouse=True)
def no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests may run in a worker themselves."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)


def cgroup(root: Path, folder: str, **numbers: str) -> None:
    place = root / "sys/fs/cgroup" / folder
    place.mkdir(parents=True, exist_ok=True)
    for name, text in numbers.items():
        (place / name.replace("_dot_", ".")).write_text(text)


def test_free_memory_counts_where_no_group_limits_it(machine: Any) -> None:
    root = machine(**FREE, proc__self__cgroup="0::/\n")
    cgroup(root, "", memory_dot_max="max\n", memory_dot_current="123\n")
    assert available_memory(root) == 8000000 * 1024


@pytest.mark.parametrize("place", ["app", "app/inner", "of/the/host"], ids=["own", "above", "in-a-container"])
def test_a_group_of_version_2_limits_it_and_its_page_cache_is_left(machine: Any, place: str) -> None:
    root = machine(**FREE, proc__self__cgroup=f"0::/{place}\n")
    holder = "" if place == "of/the/host" else "app"
    stat = f"anon {GB}\ninactive_file {GB // 2}\n"
    cgroup(root, holder, memory_dot_max=str(3 * GB), memory_dot_current=str(2 * GB), memory_dot_stat=stat)
    assert available_memory(root) == GB + GB // 2


def test_a_group_of_version_1_limits_it(machine: Any) -> None:
    root = machine(**FREE, proc__self__cgroup="9:cpu,cpuacct:/app\n4:memory:/app\n0::/\n")
    numbers = {"memory_dot_limit_in_bytes": str(3 * GB), "memory_dot_usage_in_bytes": str(2 * GB)}
    cgroup(root, "memory/app", **numbers, memory_dot_stat="total_inactive_file 0\n")
    cgroup(root, "cpu/app", **{**numbers, "memory_dot_usage_in_bytes": str(3 * GB)})
    assert available_memory(root) == GB


def test_a_full_group_leaves_nothing_and_a_system_that_tells_nothing_everything(machine: Any) -> None:
    root = machine(**FREE, proc__self__cgroup="0::/\n")
    cgroup(root, "", memory_dot_max=str(GB), memory_dot_current=str(2 * GB))
    assert available_memory(root) == 0
    assert available_memory(machine(other="")) == float("inf")


def test_the_workers_of_a_run_share_it(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "4")
    assert available_memory(machine(**FREE)) == 2000000 * 1024


def test_this_very_system_tells_something() -> None:
    assert 0 < available_memory() < 2**50


def test_a_limit_on_the_address_space_counts() -> None:
    code = (
        "import resource; from pytest_ocrparity.backends.memory_guard import available_memory as left;"
        "before = left(); resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9)); print(before > 0, 0 < left() < 10**9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True"], done.stderr


def bomb() -> bytes:
    """The first bytes of a PNG, whose header states 30000x20000 px."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 30000, 20000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">II4s", zlib.crc32(header), 9, b"IDAT")


def test_a_header_tells_the_size_of_what_pillow_would_refuse() -> None:
    before = Image.MAX_IMAGE_PIXELS
    assert image_file_size(bomb()) == (20000, 30000)
    assert before == Image.MAX_IMAGE_PIXELS
    with pytest.raises(Image.DecompressionBombError, match="exceeds limit"):
        Image.open(io.BytesIO(bomb()))
    assert image_file_size(b"no image") is None


@pytest.mark.parametrize("index", [0, 1], ids=["train", "inference"])
def test_what_a_network_takes_per_pixel_is_the_same_at_any_size(index: int) -> None:
    side = sides(None)[index]
    measured = side._memory.per_pixel
    assert 80 < measured < 400  # 179 and 153 to 165 of the example's network
    from paddle.base import core

    for height, width in ((320, 320), (96, 960)):
        before = core.host_memory_stat_current_value("Allocated", 0)
        core.host_memory_stat_reset_peak_value("Allocated", 0)
        side.infer(np.zeros((1, 3, height, width), dtype=np.float32))
        taken = core.host_memory_stat_peak_value("Allocated", 0) - before
        # What `network_bytes` allows for; an engine's count varies between processes, once by half.
        assert 0.2 * measured < taken / (height * width) < 1.1 * measured + AROUND_BYTES


def test_an_engine_that_paddle_does_not_count_is_assumed_usual() -> None:
    pytest.importorskip("onnxruntime")
    needs_engines()
    side = load_inference(model_dir=EXAMPLE / "inference_onnx", options={**LIMITS, "engine": "onnxruntime"})
    assert side._memory.per_pixel == UNMEASURED_BYTES


def test_a_network_that_can_not_be_measured_is_taken_for_the_largest() -> None:
    def fixed_size(tensor: Any) -> None:
        raise ValueError("takes 640x640 only")

    assert MemoryGuard(fixed_size, PADDLE, limit=None).per_pixel == MOST_BYTES
    assert MemoryGuard(fixed_size, {**PADDLE, "device": "gpu:0"}, limit=None).per_pixel == 0


def test_a_small_tensor_passes_unmeasured_and_a_large_one_measured() -> None:
    guard = MemoryGuard(print, ONNX, limit=GB)
    guard.admit_tensor((320, 320), "tensor")
    assert "per_pixel" not in vars(guard)
    guard.admit_tensor((736, 992), "tensor")  # 5600 bytes per pixel would be too many
    assert vars(guard)["per_pixel"] == UNMEASURED_BYTES
    words = (
        r"the image of 65x11 px becomes a tensor of 4352x736 px, which would take an estimated 2\.9 GB of memory, and "
        r"memory_limit is 1\.0 GB: limit_side_len .* makes it smaller; leave the image out, or allow it by "
        r'memory_limit = "2\.9 GB"'
    )
    with pytest.raises(NotEnoughMemory, match=words) as refused:
        guard.admit_tensor((736, 4352), "resize", (11, 65, 3))
    assert refused.value.stage == "resize"
    MemoryGuard(print, ONNX, limit=3 * GB).admit_tensor((736, 4352), "resize", (11, 65, 3))


def test_an_estimate_grows_with_the_tensor_and_reads_well() -> None:
    assert network_bytes(736, 992, 306) - network_bytes(736, 992, 179) == pytest.approx(736 * 992 * 1.1 * 127, abs=2)
    assert readable_bytes(network_bytes(0, 0, 0)) == "0.3 GB"
    assert readable_bytes(12_345_678) == "12.3 MB"


def test_a_network_is_refused_also_when_it_is_asked_by_itself(model: Model) -> None:
    """An experiment of a diagnosis does so, at sizes of its own."""
    side = load_inference(model_dir=model.export, options=LIMITS, memory_limit=2 * 2**28)
    assert side.infer(np.zeros((1, 3, 64, 64), dtype=np.float32)).shape == (1, 1, 64, 64)
    with pytest.raises(NotEnoughMemory, match="a tensor of 4096x4096 px, which would take"):
        side.infer(np.zeros((1, 3, 4096, 4096), dtype=np.float32))


def test_a_run_of_many_images_keeps_few_traces(train: TrainingPipeline) -> None:
    pages = [np.full((32, 32, 3), level, np.uint8) for level in range(MOST_TRACES + 3)]
    traces = [train.trace(page) for page in pages]
    assert train.trace(pages[-MOST_TRACES]) is traces[-MOST_TRACES]
    assert train.trace(pages[0]) is not traces[0]
