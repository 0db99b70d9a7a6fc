"""`PYTHONPATH=tests:. python -m browser.picture` writes docs/report.png: page and viewer of the README's failure."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from paths import EXAMPLE, ROOT
from PIL import Image

from browser.chromium import launched

IMAGE = "images/receipt.png"
TEST = "tests/test_export.py::test_export_matches_training"
WIDTH, PAGE_HEIGHT, VIEWER_HEIGHT = 1280, 980, 820


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = (EXAMPLE / "pyproject.toml").read_text()
        without = settings.replace('limit_side_len = 736, limit_type = "min", ', "")
        assert without != settings
        # Beside the project's own settings, from where its paths lead.
        given = EXAMPLE / "picture.toml"
        given.write_text(
            re.sub(r"\[tool\.ocrparity\.?", "[", without[without.index("[tool.ocrparity]") :]).replace("[]\n", "")
        )
        try:
            options = [
                f"--ocr-config={given.name}",
                f"--ocr-report={folder}",
                "-p",
                "no:cacheprovider",
                "-k",
                "receipt",
            ]
            subprocess.run([sys.executable, "-m", "pytest", *options, TEST], cwd=EXAMPLE, check=False)
        finally:
            given.unlink()
        picture = stacked(*shots(Path(folder)))
    picture.quantize(256).save(ROOT / "docs" / "report.png", optimize=True)


def shots(report: Path) -> list[Image.Image]:
    """Return the page from its top, and the viewer at the first box that moved."""
    with launched() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": PAGE_HEIGHT})
        page.goto((report / "index.html").as_uri())
        page.wait_for_timeout(500)
        found = [page.screenshot()]
        page.set_viewport_size({"width": WIDTH, "height": VIEWER_HEIGHT})
        page.locator(".finding", has_text="moved").first.click()
        page.wait_for_timeout(1500)
        found.append(page.screenshot())
    return [Image.open(io.BytesIO(each)).convert("RGB") for each in found]


def stacked(*pictures: Image.Image) -> Image.Image:
    whole = Image.new("RGB", (WIDTH, sum(each.height for each in pictures) + 16 * (len(pictures) - 1)), "#888")
    top = 0
    for each in pictures:
        whole.paste(each, (0, top))
        top += each.height + 16
    return whole


if __name__ == "__main__":
    main()
