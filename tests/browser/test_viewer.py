"""The viewer, by keyboard and pointer: what is shown, where, and how it is left."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from toy import Toy

from browser.chromium import wait_until
from browser.toy_report import EMPTY, GREY, HEIGHT, MOVED, SAME, WIDTH, WORDS, export, written_page

Opened = Callable[..., Any]
DETECTIONS, TENSOR = f"#images/{MOVED}/detections", f"#images/{GREY}/tensor"


def is_open(page: Any) -> bool:
    return bool(page.locator(".viewer").evaluate("dialog => dialog.open"))


def title(page: Any) -> str:
    return str(page.locator("#viewer-title").inner_text())


def shown_layers(page: Any) -> list[str]:
    """Return the names of the layers that can be seen."""
    return list(page.evaluate("layers.filter((each) => !each.element.hidden).map((each) => each.name)"))


def state(page: Any) -> dict[str, float]:
    return dict(page.evaluate("({ zoom: state.zoom, x: state.x, y: state.y })"))


def box_of(page: Any, selector: str = ".pane") -> tuple[float, float, float, float]:
    found = page.locator(selector).first.bounding_box()
    return found["x"], found["y"], found["width"], found["height"]


def pointer_at(page: Any, x: float, y: float, pane: int = 0) -> tuple[float, float]:
    """Return where a place of the picture, in shares of it, is on the screen."""
    left, top, width, height = page.evaluate(
        "(pane) => { const box = layers[pane].element.querySelector('img').getBoundingClientRect();"
        " return [box.left, box.top, box.width, box.height]; }",
        pane,
    )
    return left + x * width, top + y * height


def test_a_click_on_a_picture_opens_it_and_escape_goes_back(opened: Opened) -> None:
    page = opened()
    before = page.url
    page.locator(f'[id="images/{MOVED}/detections"] .look').click()
    assert is_open(page) and page.url.endswith(DETECTIONS)
    assert title(page) == f"images/{MOVED}: detections of inference against train"
    assert shown_layers(page) == ["train", "inference", "both sides"]
    page.keyboard.press("Escape")
    wait_until(page, "(url) => location.href === url", before)
    assert not is_open(page)
    page.locator(".card p").first.click()
    assert not is_open(page)  # a click beside a picture opens nothing


@pytest.mark.parametrize("way", ["back", "button"])
def test_the_browsers_back_and_a_button_close_it(opened: Opened, way: str) -> None:
    page = opened()
    page.locator(f'[id="images/{MOVED}/detections"] .look').click()
    if way == "back":
        page.go_back()
    else:
        page.get_by_role("button", name="close").click()
    wait_until(page, "!document.querySelector('.viewer').open")
    assert "#" not in page.url


def test_a_permalink_opens_its_stage_and_one_of_an_equal_stage_too(opened: Opened) -> None:
    page = opened(TENSOR)
    assert is_open(page) and shown_layers(page) == ["train", "inference", "difference"]
    equal = opened(f"#images/{MOVED}/tensor")
    assert is_open(equal) and shown_layers(equal) == ["train", "inference"]


@pytest.mark.parametrize("fragment", [f"#images/{SAME}", f"#images/{SAME}/decode", f"#images/{SAME}/detections"])
def test_of_what_is_not_drawn_the_image_is_shown(opened: Opened, fragment: str) -> None:
    page = opened(fragment)
    assert not is_open(page)
    card = f"document.getElementById('images/{SAME}').parentNode"
    wait_until(page, f"{card}.open && Math.abs({card}.getBoundingClientRect().top) < innerHeight")
    assert opened().evaluate(f"{card}.getBoundingClientRect().top > innerHeight")


@pytest.mark.parametrize("fragment", ["#images/none.npy", "#%ff", "#"])
def test_a_fragment_of_nothing_does_nothing(opened: Opened, fragment: str) -> None:
    assert not is_open(opened(fragment))


def test_arrows_go_through_stages_and_images(opened: Opened) -> None:
    page = opened(DETECTIONS)
    page.keyboard.press("ArrowLeft")
    assert title(page).startswith(f"images/{MOVED}: probability_map")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert title(page).startswith(f"images/{MOVED}: decode")
    page.keyboard.press("ArrowDown")
    assert title(page).split(":")[1].startswith(" decode") and MOVED not in title(page)
    page.keyboard.press("ArrowUp")
    assert title(page).startswith(f"images/{MOVED}: decode")
    assert page.url.endswith(f"#images/{MOVED}/decode")


def test_space_blinks_in_place(opened: Opened) -> None:
    page = opened(DETECTIONS)
    page.keyboard.press("Space")
    assert shown_layers(page) == ["train"]
    first = box_of(page, ".layer:not([hidden]) img")
    page.keyboard.press("Space")
    assert shown_layers(page) == ["inference"]
    assert box_of(page, ".layer:not([hidden]) img") == first
    page.get_by_role("button", name="side by side").click()
    assert len(shown_layers(page)) == 3


def test_the_slider_cuts_between_the_sides(opened: Opened) -> None:
    page = opened(TENSOR)
    page.get_by_role("button", name="slider").click()
    assert shown_layers(page) == ["train", "inference"]
    page.locator(".slide").fill("30")
    clip = "layers.find((each) => each.side === 'candidate').element.style.clipPath"
    assert "30%" in page.evaluate(clip)
    page.locator(".slide").focus()
    page.keyboard.press("ArrowRight")
    assert "31%" in page.evaluate(clip)  # and no other stage
    assert title(page).startswith(f"images/{GREY}: tensor")


def test_the_wheel_zooms_at_the_pointer_on_all_sides(opened: Opened) -> None:
    page = opened(TENSOR)
    wait_until(page, "layers.every((each) => each.element.querySelector('img').naturalWidth)")
    place = pointer_at(page, 0.25, 0.3)
    page.mouse.move(*place)
    page.mouse.wheel(0, -400)
    wait_until(page, "state.zoom > 1.5")
    for pane in (0, 1, 2):
        now = pointer_at(page, 0.25, 0.3, pane)
        left = page.locator(".pane").nth(pane).bounding_box()["x"] - box_of(page)[0]
        assert now == pytest.approx((place[0] + left, place[1]), abs=1.5)
    page.mouse.down()
    page.mouse.move(place[0] + 40, place[1] + 10)
    page.mouse.up()
    assert pointer_at(page, 0.25, 0.3) == pytest.approx((place[0] + 40, place[1] + 10), abs=1.5)
    page.keyboard.press("0")
    assert state(page) == {"zoom": 1, "x": 0.5, "y": 0.5}
    assert pointer_at(page, 0.25, 0.3) == pytest.approx(place, abs=1.5)


def test_a_click_on_a_finding_jumps_to_it(opened: Opened) -> None:
    page = opened()
    page.locator(f'[id="images/{MOVED}"] a.finding', has_text="moved").first.click()
    wait_until(page, "state.finding !== null")
    finding = page.evaluate("({ x: state.finding.x, y: state.finding.y })")
    centres = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in WORDS]
    assert min(abs(finding["x"] - x) + abs(finding["y"] - y) for x, y in centres) < 1
    x, y, width, height = box_of(page, ".layer .place:not([hidden])")
    centre = pointer_at(page, finding["x"] / WIDTH, finding["y"] / HEIGHT)
    assert (x + width / 2, y + height / 2) == pytest.approx(centre, abs=10)  # it beats
    page.keyboard.press("Shift+ArrowRight")
    other = page.evaluate("({ x: state.finding.x, y: state.finding.y })")
    assert other != finding


def test_boxes_are_switched_by_side(opened: Opened) -> None:
    page = opened(DETECTIONS)

    def visible() -> int:
        return int(
            page.evaluate(
                "[...document.querySelectorAll('.panes .box')].filter((each) => each.style.display !== 'none').length"
            )
        )

    assert visible() == 3 + 3 + 6
    page.get_by_role("checkbox", name="boxes of train").uncheck()
    assert visible() == 3 + 3
    page.keyboard.press("b")
    assert visible() == 0
    page.keyboard.press("b")
    assert visible() == 12
    texts = page.evaluate("[...document.querySelectorAll('.panes .box text')].map((each) => each.textContent)")
    assert sorted(texts) == sorted([*"012"] * 4)


def test_values_below_the_pointer_are_those_of_the_arrays(opened: Opened) -> None:
    page = opened(f"#images/{GREY}/tensor")
    image = written_page(GREY)
    # What the models take is a file; an array is decoded alike.
    sides = [Toy().trace(image), export("inference", GREY).trace(image)]
    for stage in ("tensor", "probability_map"):
        page.goto(page.url.partition("#")[0] + f"#images/{GREY}/{stage}")
        wait_until(page, "layers.length === 3 && layers.every((each) => valuesOf.get(each.values)?.steps)")
        wait_until(page, "layers.every((each) => each.element.querySelector('img').naturalWidth > 1)")
        for x, y in ((150, 100), (60, 35), (5, 190)):
            page.mouse.move(*pointer_at(page, (x + 0.5) / WIDTH, (y + 0.5) / HEIGHT))
            text = page.locator(".values").inner_text()
            assert text.startswith(f"x={x} y={y} of the image; train ")
            arrays = [np.asarray(getattr(side, stage))[0, :, y, x] for side in sides]
            expected = [*arrays, np.abs(arrays[0] - arrays[1]).max(keepdims=True)]
            spans = [float(np.ptp(np.asarray(getattr(side, stage)))) for side in sides]
            parts = re.findall(r"(?:train|inference|difference) (\[.*?\]|\S+) at", text)
            for part, values, span in zip(parts, expected, [*spans, max(spans)], strict=True):
                read = [float(each) for each in part.strip("[]").split(", ")]
                assert read == pytest.approx(values.tolist(), abs=0.002 * span, rel=0.01)
    page.mouse.move(*pointer_at(page, -0.02, 0.5))
    assert page.locator(".values").inner_text() == text  # beside the picture there is none


def test_an_image_that_passes_is_a_line_for_each_comparison(opened: Opened) -> None:
    page = opened(f"#images/{SAME}")
    assert page.locator(f'[id="images/{SAME}"] .pair').first.locator(".line").count() == 3
    assert page.locator(f'[id="images/{SAME}"] .look').count() == 0
    assert page.locator(f'[id="images/{MOVED}"] .look').count() > 3
    assert "empty" in page.locator(f'[id="images/{EMPTY}"]').text_content()
