"""Which image a test's id names: the longest, whole, and as fast among thousands of images as among two."""

from __future__ import annotations

import time

import pytest

from pytest_ocrparity.session.image_ids import ImageIds

IMAGES = ImageIds(
    [
        *("images/a.png", "images/b/a.png", "a.png", "images/two words (x).png", "images/page[1].png", "images/9"),
        *("images/стр.png", "images/a-b.png", "b.png", "images\\c.png"),
    ]
)


@pytest.mark.parametrize(
    ("test", "image"),
    [
        ("t.py::t[images/a.png]", "images/a.png"),
        ("t.py::t[fp16-images/a.png]", "images/a.png"),
        ("t.py::t[images/a.png-fp16-0]@group", "images/a.png"),
        ("t.py::t[a.png]", "a.png"),
        ("t.py::t[images/b/a.png]", "images/b/a.png"),
        ("t.py::t[images/a-b.png]", "images/a-b.png"),
        ("t.py::t[/home/me/images/a.png]", "images/a.png"),
        ("t.py::t[images/two words (x).png]", "images/two words (x).png"),
        ("t.py::t[images/page[1].png]", "images/page[1].png"),
        ("t.py::t[images/\\u0441\\u0442\\u0440.png]", "images/стр.png"),
        ("t.py::t[images/стр.png]", "images/стр.png"),  # where pytest is set not to escape
        ("t.py::t[images\\\\c.png]", "images\\c.png"),
        ("t.py::t[images/a.png0]", "images/a.png"),  # given twice
        ("t.py::t[images/9_11]", "images/9"),
    ],
)
def test_an_image_is_found_among_the_parameters(test: str, image: str) -> None:
    assert IMAGES.image_of(test) == image


@pytest.mark.parametrize(
    "test",
    [
        *("t.py::t", "images/a.png::t", "t.py::t[]", "t.py::t[other]", "t.py::t[images/a.jpg]"),
        *("t.py::t[data.png]", "t.py::t[a.png.gz]", "t.py::t[x.a.png]", "t.py::t[a.pngs]", "t.py::t[images/99]"),
    ],
)
def test_a_part_of_another_name_is_no_image(test: str) -> None:
    assert IMAGES.image_of(test) is None


def test_there_may_be_none() -> None:
    assert not ImageIds([])
    assert ImageIds([]).image_of("t.py::t[images/a.png]") is None


def seconds(images: int) -> float:
    """Return the processor time of finding the images of 16,000 tests among so many, of the quicker of two tries."""
    ids = [f"tests/test_{index % 7}.py::test[fp16-images/page {index % 2500}.png-{index}]" for index in range(16_000)]
    tries = []
    for _ in range(2):
        begin = time.process_time()
        of = ImageIds(f"images/page {index}.png" for index in range(images))
        found = sum(of.image_of(test) is not None for test in ids)
        tries.append(time.process_time() - begin)
        assert found == sum(index % 2500 < images for index in range(16_000))
    return min(tries)


def test_the_time_does_not_grow_with_the_images() -> None:
    assert seconds(2_000) < 4 * seconds(100)  # equal where this was written; a walk of the names takes 20 times as long
