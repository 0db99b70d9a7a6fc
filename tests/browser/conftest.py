"""A report, a browser, and pages of both that must run without an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from projects import PATIENCE

from browser.chromium import launched, skip_without_browser
from browser.toy_report import write_report

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="package")  # playwright runs an event loop in this thread for as long
def browser() -> Iterator[Any]:
    skip_without_browser()
    with launched() as found:
        yield found


@pytest.fixture(scope="package")  # playwright runs an event loop in this thread for as long
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(tmp_path_factory.mktemp("browser") / "project")


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Callable[..., Any]]:
    """Open the report in a window of its own; what its scripts complain of fails the test."""
    windows: list[Any] = []
    complaints: list[str] = []

    def open_page(fragment: str = "", **how: Any) -> Any:
        window = browser.new_context(**{"viewport": WIDE, **how})
        windows.append(window)
        page = window.new_page()
        page.set_default_timeout(1_000 * PATIENCE)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto((report / "index.html").as_uri() + fragment)
        return page

    yield open_page
    for window in windows:
        window.close()
    assert complaints == []
