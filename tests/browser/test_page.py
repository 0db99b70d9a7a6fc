"""The page as a page: without scripts, for everybody, on narrow screens, and closed to foreign code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from browser.chromium import wait_until
from browser.conftest import NARROW, WIDE
from browser.toy_report import GREY, MOVED, SAME

Opened = Callable[..., Any]
SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1440", "390"])
THEMES = pytest.mark.parametrize("theme", ["light", "dark"])


def axe_script() -> str:
    import axe_core_python

    return (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()


def violations(page: Any) -> list[str]:
    # Of the browser and not of the page, so that the page's policy does not meet it.
    page.evaluate(axe_script())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


@SIZES
@THEMES
def test_axe_finds_nothing(opened: Opened, size: Any, theme: str) -> None:
    page = opened(viewport=size, color_scheme=theme)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert violations(page) == []
    page.evaluate(f"location.hash = '#images/{MOVED}/detections'")
    wait_until(page, "document.querySelector('.viewer').open")
    assert violations(page) == []


def test_axe_would_find_something(opened: Opened) -> None:
    page = opened()
    page.evaluate("document.querySelector('main img').removeAttribute('alt')")
    assert [each.partition(":")[0] for each in violations(page)] == ["image-alt"]


def is_as_wide_as_the_screen(page: Any) -> bool:
    return bool(page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"))


def test_nothing_is_wider_than_a_narrow_screen(opened: Opened) -> None:
    page = opened(viewport=NARROW)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert is_as_wide_as_the_screen(page)
    page.evaluate("document.querySelector('h1').style.width = '400px'")
    assert not is_as_wide_as_the_screen(page)


@SIZES
def test_the_viewer_fits_the_screen(opened: Opened, size: Any) -> None:
    page = opened(f"#images/{GREY}/tensor", viewport=size)
    for selector in (".viewer .close", ".pane >> nth=0", ".pane >> nth=2", ".values"):
        box = page.locator(selector).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"]
        assert box["y"] >= 0 and box["y"] + box["height"] <= size["height"]
    assert page.locator(".pane").first.bounding_box()["height"] > 90


def test_without_scripts_it_is_all_there(opened: Opened) -> None:
    page = opened(f"#images/{SAME}", java_script_enabled=False)
    for text in ("What is wrong", "Images, the worst first", "Versions and settings", f"images/{MOVED}", "moved"):
        assert page.get_by_text(text).first.is_visible()
    assert page.locator(f'[id="images/{MOVED}"] .look svg').first.is_visible()
    assert page.locator(f'[id="images/{MOVED}/detections"] a.look').get_attribute("href").endswith(".svg")
    assert not page.locator(".filters").is_visible()
    assert page.locator("button:visible").count() == 0  # none that would do nothing


def test_pictures_keep_their_place_free(opened: Opened) -> None:
    page = opened()
    bare = "[...document.querySelectorAll('main img')].filter(({ attributes: { width, height } }) => !width || !height)"
    assert page.evaluate(f"{bare}.length") == 0
    page.evaluate("""() => {
      window.shifts = [];
      const seen = new PerformanceObserver((list) => shifts.push(...list.getEntries()));
      seen.observe({ type: "layout-shift", buffered: true });
    }""")
    # The shift that is made here is seen, and comes after all that loading made.
    start = page.evaluate("performance.now()")
    page.evaluate("document.querySelector('h1').style.marginBottom = '200px'")
    wait_until(page, "shifts.length > 0")
    assert page.evaluate("(start) => shifts.filter(({ startTime }) => startTime < start).length", start) == 0


def test_foreign_code_does_not_run(opened: Opened, browser: Any, report: Path, tmp_path: Path) -> None:
    assert opened().evaluate("window.ran") is None
    text = (report / "index.html").read_text()
    changed = tmp_path / "index.html"
    changed.write_text(
        text.replace("<main>", "<main><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>")
    )
    page = browser.new_page()
    page.goto(changed.as_uri())
    assert page.evaluate("window.ran") is None
    assert page.locator(".filters").is_visible()  # the page's own script runs
    page.close()


def test_what_has_the_focus_can_be_seen(opened: Opened) -> None:
    page = opened()
    for _ in range(6):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", page.evaluate("document.activeElement.outerHTML.slice(0, 100)")
