"""The distribution's Chromium, driven by playwright. `OCRPARITY_BROWSER=required`: its absence is a failure."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from projects import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome")


def executable() -> str | None:
    """Return the path of the browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def missing() -> str:
    """Return what is missing, or nothing."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "playwright is not installed: pip install --group browser"
    return "" if executable() else f"none of {', '.join(NAMES)} is installed"


def skip_without_browser() -> None:
    if reason := missing():
        if os.environ.get("OCRPARITY_BROWSER") == "required":
            pytest.fail(f"OCRPARITY_BROWSER=required, and {reason}")
        pytest.skip(reason)


@contextmanager
def launched() -> Iterator[Any]:
    """Yield a headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = driver.chromium.launch(executable_path=executable(), args=flags, timeout=1_000 * PATIENCE)
        yield browser
        browser.close()


def wait_until(page: Any, expression: str, arg: Any = None) -> None:
    """Wait until an expression of the page is true. Playwright's own waiting would need the page to permit `eval`."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, f"still false: {expression}"
        time.sleep(0.02)
