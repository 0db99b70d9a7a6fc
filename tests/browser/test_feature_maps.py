"""The feature maps at the layer where a network begins to differ, on the page and in the viewer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from layered import write_layered_project

from browser.chromium import skip_without_browser, wait_until
from browser.conftest import NARROW, WIDE
from browser.test_page import is_as_wide_as_the_screen, violations


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in the place of the one that other tests open."""
    skip_without_browser()
    folder = tmp_path_factory.mktemp("layers") / "project"
    write_layered_project(folder, "bias=0.4")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--ocr-report=report"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return folder / "report"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1440", "390"])
def test_axe_finds_nothing(opened: Callable[..., Any], size: Any, theme: str) -> None:
    page = opened(viewport=size, color_scheme=theme)
    assert violations(page) == []
    assert is_as_wide_as_the_screen(page)
    page.evaluate("location.hash = '#images/0.npy/layer_output'")
    wait_until(page, "document.querySelector('.viewer').open")
    assert violations(page) == []


def test_the_viewer_shows_both_sides_and_their_values_and_no_boxes(opened: Callable[..., Any]) -> None:
    page = opened()
    page.locator(".part .look").last.click()
    wait_until(page, "document.querySelectorAll('.pane').length === 3")
    assert page.locator(".viewer h2").inner_text() == "images/0.npy: layer_output of inference against train"
    assert page.locator(".boxes label").count() == 0
    assert page.locator(".pane svg").count() == 0
    wait_until(page, "[...document.querySelectorAll('.pane img')].every((each) => each.complete)")
    box = page.locator(".pane").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    wait_until(page, "document.querySelector('.values').textContent.startsWith('train ')")
    assert "of the image" not in page.locator(".values").inner_text()
    # Boxes and places of the image belong to the stages of the image.
    page.evaluate("location.hash = '#images/0.npy/probability_map'")
    wait_until(page, "document.querySelectorAll('.boxes label').length === 3")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 1)
    wait_until(page, "document.querySelector('.values').textContent.includes('of the image')")
