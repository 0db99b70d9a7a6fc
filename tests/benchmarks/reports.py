"""Rows of reports: how large they are, and how long a browser takes to open one.

Pages that differ are of 736x960 px and grainy, as photos are, and each differs in another stage; those that pass are
small, as only a thumbnail of them is drawn.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from browser.chromium import launched
from PIL import Image, ImageDraw, ImageFont
from projects import EIGHT_LINES

from benchmarks.rows import Row

CONFTEST = f"""
import sys
import pytest

sys.path[:0] = {[str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]!r}
from toy import Toy

WRONG = dict(boxes=dict(pad=3), tensor=dict(mean=0.51), map=dict(gain=6.5))


class Export(Toy):
    def trace(self, image):
        kind = str(image).rpartition("_")[2].removesuffix(".npy")
        return Toy(name=self.name, **WRONG.get(kind, {{}})).trace(image)


@pytest.fixture(scope="session")
def ocr_train_model():
    return Toy()


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Export(name="inference")
"""
SETTINGS = '[tool.ocrparity]\nimages = ["images/*.npy"]\ndiagnosis_seconds = 0\n'
KINDS = ("boxes", "tensor", "map")
MEGABYTE = 1e6
NOISY = 12
"""Levels of grain, as a phone's photo has in the dark: of each pixel and channel the standard deviation."""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        few = report_of(Path(name, "few"), 60, 0)
        yield size("the report of 60 images that pass", few, 8)
        many = report_of(Path(name, "many"), 1_000, 50)
        yield size("the report of 1,000 images of which 50 differ", many, 60)
        yield size("its index.html", many / "index.html", 15)
        yield opening(many / "index.html")
        noisy = report_of(Path(name, "noisy"), 1_000, 50, grain=NOISY)
        yield size("the same report of noisy photos", noisy, 60)


def report_of(folder: Path, count: int, differing: int, grain: float = 3) -> Path:
    """Run the tests of a project with so many images, and return the report's folder."""
    (folder / "images").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(SETTINGS)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_export.py").write_text(EIGHT_LINES.partition("def test_export_matches_baseline")[0])
    for number in range(count):
        kind = KINDS[number % len(KINDS)] if number < differing else "same"
        height, width = (736, 960) if number < differing else (180, 240)
        np.save(folder / "images" / f"page_{number:04}_{kind}.npy", grainy_page(height, width, number, grain))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--ocr-report=report"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert f"{differing} failed" in done.stdout or not differing, done.stdout[-2000:]
    assert f"{count - differing} passed" in done.stdout, done.stdout[-2000:]
    return folder / "report"


def grainy_page(height: int, width: int, seed: int, grain: float = 3) -> npt.NDArray[np.uint8]:
    """Return a dark page with lines of bright text, a shadow across it and the grain of a camera, in levels."""
    random = np.random.default_rng(seed)
    picture = Image.new("L", (width, height), 50)
    draw = ImageDraw.Draw(picture)
    for top in range(10, height - 30, 44):
        text = "".join(random.choice([*"abcdefghijklmnopqrstuvwxyz   "], 34))
        draw.text((12, top), text, 235, ImageFont.load_default(24))
    shadow = np.linspace(0, 40, width) * np.linspace(0.3, 1, height)[:, None]
    values = np.asarray(picture)[..., None] - shadow[..., None] + random.normal(0, grain, (height, width, 3))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def size(name: str, path: Path, bound: float) -> Row:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    found = sum(each.stat().st_size for each in files) / MEGABYTE
    return Row(name, "", found, bound, "MB", True, f"{len(files):,} file{'s' * (len(files) != 1)}")


def opening(page: Path) -> Row:
    """From the address to the second frame after the page and its script have loaded, in a browser that has begun."""
    painted = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    seconds = []
    with launched() as browser:
        for _ in range(5):
            window = browser.new_page(viewport={"width": 1440, "height": 900})
            window.goto(page.as_uri(), wait_until="load")
            window.evaluate(painted)
            seconds.append(window.evaluate("performance.now()") / 1000)
            window.close()
    told = f"{min(seconds):.2f} to {max(seconds):.2f} s"
    return Row("opening it in Chromium", "", statistics.median(seconds), 2, "s", True, told)
