"""A file of 12000x9000 px by both sides: as it comes, which takes gigabytes or is refused, and shrunk by both.

Collected only when named: `make endurance`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from benchmarks.project import write_project
from PIL import Image

from example_project.pages import drawn
from pytest_ocrparity.backends.memory_guard import available_memory, decoding_bytes

TESTS = Path(__file__).parents[1]
HUGE = 12000, 9000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same picture in the forms that differ most in what decoding takes."""
    path = tmp_path_factory.mktemp("huge")
    words = drawn(0, HUGE[1] // 10, HUGE[0] // 10, (14.0, 40.0), count=12).image
    page = Image.fromarray(words).resize(HUGE)
    turned = Image.Exif()
    turned[0x0112] = 6
    page.save(path / "colour.png", compress_level=1)
    page.convert("L").save(path / "grey.png", compress_level=1)
    page.save(path / "turned.jpg", exif=turned)
    deep = np.zeros((HUGE[1], HUGE[0], 4), np.uint16)
    deep[..., :3], deep[..., 3] = np.asarray(page) * np.uint16(257), 65535
    import cv2

    assert cv2.imwrite(str(path / "deep.png"), deep)
    return path


def test_a_huge_image_that_both_sides_shrink_is_compared(folder: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", 0, limit_side_len=960, limit_type="max")
    for image in folder.iterdir():
        (project / "images" / image.name).symlink_to(image)
    settings = project / "pyproject.toml"
    settings.write_text(
        settings.read_text().replace('images = ["images/*.png"]', 'images = ["images"]\ndiagnosis_seconds = 0')
    )
    command = [sys.executable, "-m", "pytest", "-k", "live", "-p", "no:cacheprovider", "--ocr-report=report"]

    def compared() -> dict[str, set[str]]:
        subprocess.run(command, cwd=project, capture_output=True, check=False, timeout=1200)
        found: dict[str, set[str]] = defaultdict(set)
        for each in json.loads((project / "report" / "results.json").read_text())["comparisons"]:
            found[Path(each["image"]).name].add(each["status"])
        return found

    assert compared() == {image.name: {"same"} for image in folder.iterdir()}
    settings.write_text(settings.read_text().replace("limit_side_len = 960", "limit_side_len = 992"))
    assert all("different" in statuses for statuses in compared().values())


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
