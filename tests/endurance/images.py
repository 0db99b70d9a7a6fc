"""A file of 12000x9000 px as it comes, by both sides and without a limit: takes minutes and gigabytes.

Collected only when named: `make endurance`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pytest_ocrparity.pipelines.memory import available_memory, decoding_bytes

TESTS = Path(__file__).parents[1]
HUGE = 12000, 9000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same picture in the forms that differ most in what decoding takes."""
    path = tmp_path_factory.mktemp("huge")
    tile = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    page = Image.fromarray(np.tile(tile, (100, 100, 1)))
    turned = Image.Exif()
    turned[0x0112] = 6
    page.save(path / "colour.png", compress_level=1)
    page.convert("L").save(path / "grey.png", compress_level=1)
    page.save(path / "turned.jpg", exif=turned)
    deep = np.zeros((HUGE[1], HUGE[0], 4), np.uint16)
    deep[..., :3], deep[..., 3] = 40000, 65535
    import cv2

    assert cv2.imwrite(str(path / "deep.png"), deep)
    return path


@pytest.mark.parametrize("name", ["colour.png", "grey.png", "turned.jpg", "deep.png"])
def test_a_huge_image_is_refused_or_runs_within_its_estimate(folder: Path, name: str) -> None:
    command = [sys.executable, "-m", "real.peak", "none", str(folder / name)]
    left = available_memory()
    done = subprocess.run(command, capture_output=True, text=True, cwd=TESTS, timeout=600)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [line["side"] for line in lines] == ["train", "inference"], done.stderr[-3000:]
    for line in lines:
        print(line)
        assert line["grown"] < left
        if line["error"] is None:
            assert line["grown"] < line["estimate"] + decoding_bytes(*HUGE)
        else:
            assert "GB is available" in line["error"]
            assert line["grown"] < decoding_bytes(*HUGE)
