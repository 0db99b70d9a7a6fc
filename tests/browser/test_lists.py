"""Search, filters, sorting and copying."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from records import view_of

from browser.chromium import wait_until
from browser.toy_report import EMPTY, GREY, MOVED, SAME, SPACES
from pytest_ocrparity.diagnosis import Fix
from pytest_ocrparity.report import write_report

Opened = Callable[..., Any]


def listed(page: Any) -> list[str]:
    """Return the images of the table that can be seen, in order."""
    return [text.removeprefix("images/") for text in page.locator("tr.image:visible td:nth-child(2)").all_inner_texts()]


def shown_cards(page: Any) -> set[str]:
    return {text.removeprefix("images/") for text in page.locator(".card:visible .name").all_text_contents()}


@pytest.mark.parametrize(
    ("field", "word", "found"),
    [
        ("status", "failed", {MOVED, SPACES, GREY}),
        ("status", "empty", {EMPTY}),
        ("stage", "tensor", {GREY}),
        ("stage", "detections", {MOVED, SPACES}),
        ("sides", "onnx against train", {MOVED, SPACES, GREY, SAME, EMPTY}),
    ],
)
def test_a_filter_leaves_what_fits(opened: Opened, field: str, word: str, found: set[str]) -> None:
    page = opened()
    assert len(listed(page)) == 5
    page.locator(f"select[name={field}]").select_option(word)
    assert set(listed(page)) == shown_cards(page) == found
    assert page.locator(".filters output").inner_text() == f"{len(found)} of 5 images"
    page.get_by_role("button", name="clear").click()
    wait_until(page, "document.querySelectorAll('tr.image[hidden]').length === 0")


def test_a_search_finds_names_and_filters_fit_one_pair(opened: Opened) -> None:
    page = opened()
    page.get_by_label("search").fill("MOV")
    assert listed(page) == [MOVED]
    page.locator("select[name=sides]").select_option("onnx against train")
    page.locator("select[name=status]").select_option("failed")
    assert listed(page) == []  # it is the other candidate that fails
    page.get_by_label("search").fill("none such")
    assert shown_cards(page) == set()


def test_a_cause_filters(opened: Opened) -> None:
    page = opened()
    causes = page.locator("select[name=cause] option").all_inner_texts()[1:]
    assert causes
    found = set()
    for cause in causes:
        page.locator("select[name=cause]").select_option(cause)
        found |= set(listed(page))
    assert found == {MOVED, SPACES, GREY}


def test_a_permalink_shows_what_a_filter_hid(opened: Opened) -> None:
    page = opened()
    page.get_by_label("search").fill("same")
    page.evaluate("location.hash = '#images/moved.npy/detections'")
    wait_until(page, "document.querySelector('.viewer').open")
    page.keyboard.press("Escape")
    assert MOVED in listed(page)


def test_columns_sort(opened: Opened) -> None:
    page = opened()
    first = listed(page)
    page.get_by_role("button", name="image", exact=True).click()
    assert listed(page) == sorted([MOVED, SPACES, GREY, SAME, EMPTY])
    page.get_by_role("button", name="image", exact=True).click()
    assert listed(page) == sorted([MOVED, SPACES, GREY, SAME, EMPTY], reverse=True)
    page.get_by_role("button", name="different").click()
    assert set(listed(page)[:2]) <= set(first[:3])
    assert page.locator("th[aria-sort]").count() == 1
    page.get_by_role("button", name="onnx").click()
    assert listed(page)[-1] == EMPTY


def test_a_command_is_copied(opened: Opened) -> None:
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="copy the command").first.click()
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("pytest 'test_export.py::test_export_matches_training[")
    assert page.get_by_role("button", name="copy the fix").count() == 0  # no cause of these was proved


def test_a_fix_is_copied_as_it_is_written(browser: Any, tmp_path: Path) -> None:
    view = view_of(1, fix=Fix("set <b>mean</b> & 'std'"))
    view.results.environment["pytest-ocrparity"] = "0"
    write_report(tmp_path, view)
    window = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = window.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    page.get_by_role("button", name="copy the fix").first.click()
    assert page.evaluate("navigator.clipboard.readText()") == "set <b>mean</b> & 'std'"
    window.close()
