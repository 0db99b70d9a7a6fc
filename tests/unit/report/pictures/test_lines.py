"""A recogniser's line is drawn as it was fed, and its timesteps stand below the columns that they see."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from reports import pictures, unpacked
from toy_reader import CELL, LEVELS, LINE, NOTHING, Reader, line

from pytest_ocrparity import Recognition, Trace
from pytest_ocrparity.report.pictures import lines
from pytest_ocrparity.report.pictures.arrays import COLOURS

LOW, HIGH = COLOURS[0], COLOURS[-1]
MARGIN = 64


class Spelling(Reader):
    """A reader that says what its classes stand for."""

    @property
    def characters(self) -> tuple[str, ...]:
        return tuple(self.letters)


def traces(image: Any = LINE, reference: Any = None, **candidate: Any) -> tuple[Trace, Trace]:
    return (reference or Spelling()).trace(image), Spelling(name="inference", **candidate).trace(image)


def svg(folder: Path, sides: tuple[Trace, Trace], kind: str, side: str) -> str:
    stage = "tensor" if kind == "preprocessing" else "probability_map"
    return (folder / pictures(folder, kind, sides)[stage, side].file).read_text()


def raster(text: str, number: int) -> tuple[dict[str, float], npt.NDArray[np.int_]]:
    """Return the place and the pixels of an image of an SVG file."""
    tag = re.findall(r"<image [^>]*>", text)[number]
    place = {name: float(value) for name, value in re.findall(r' (x|y|width|height)="([\d.]+)"', tag)}
    (data,) = re.findall(r"base64,([^\"]+)", tag)
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return place, np.asarray(image.convert("RGB")).astype(int)


def read_letters(text: str) -> list[tuple[float, str]]:
    return [(float(x), letter) for x, letter in re.findall(r'class="read" x="([\d.]+)"[^>]*>([^<]*)<', text)]


def labels(text: str) -> list[str]:
    return re.findall(r'class="label"[^>]*>([^<]*)<', text)


class TestWhatWasFed:
    def test_the_padding_begins_where_the_picture_ends(self, tmp_path: Path) -> None:
        sides = traces(line("ab"))
        text = svg(tmp_path, sides, "preprocessing", "reference")
        place, pixels = raster(text, 0)
        scale = place["width"] / 64
        (start, wide) = map(float, re.findall(r'class="padding" x="([\d.]+)" width="([\d.]+)"', text)[0])
        assert (start - MARGIN, wide) == (32 * scale, 32 * scale)
        assert pixels.shape == (16, 64, 3)
        assert pixels[0, 0] == pytest.approx([LEVELS["a"]] * 3, abs=3)  # its levels are the line's own
        assert np.abs(pixels[:, 32:] - 128).max() <= 1  # padding of 0 lies between black and white
        caption = pictures(tmp_path, "preprocessing", sides)["tensor", "reference"].caption
        assert "64x16 px" in caption and "32 px of picture, then 32 px of padding" in caption

    def test_a_line_that_fills_its_tensor_has_none(self, tmp_path: Path) -> None:
        sides = traces(line("abcd"))
        assert 'class="padding"' not in svg(tmp_path, sides, "preprocessing", "reference")
        assert "no padding" in pictures(tmp_path, "preprocessing", sides)["tensor", "reference"].caption

    def test_where_the_picture_ends_is_not_made_up(self, tmp_path: Path) -> None:
        for wrong in (None, True, "32", 0, 65, 32.5):
            one, two = traces(line("ab"))
            resize = {**one.parameters["resize"], "content_width": wrong}
            one = replace(one, parameters={**one.parameters, "resize": resize})
            assert 'class="padding"' not in svg(tmp_path, (one, two), "preprocessing", "reference")
            drawn = pictures(tmp_path, "preprocessing", (one, two))
            assert "where the picture ends is not recorded" in drawn["tensor", "reference"].caption

    def test_both_sides_are_drawn_at_one_scale(self, tmp_path: Path) -> None:
        sides = traces(reference=Spelling(squeezes=True))
        found = [raster(svg(tmp_path, sides, "preprocessing", side), 0) for side in ("reference", "candidate")]
        assert [pixels.shape[1] for _, pixels in found] == [64, 112]
        assert found[0][0]["width"] / 64 == pytest.approx(found[1][0]["width"] / 112, rel=1e-3)
        totals = [re.findall(r'viewBox="0 0 (\d+)', svg(tmp_path, sides, "preprocessing", side)) for side in
                  ("reference", "candidate")]  # fmt: skip
        assert totals[0] == totals[1]
        assert ("tensor", "difference") not in pictures(tmp_path, "preprocessing", sides)

    def test_tensors_of_another_normalisation_do_not_look_alike(self, tmp_path: Path) -> None:
        one, two = traces()
        assert two.tensor is not None
        two = replace(two, tensor=np.asarray((two.tensor + 1) / 2, np.float32))  # 0 to 1 in the place of -1 to 1
        looks = [raster(svg(tmp_path, (one, two), "preprocessing", side), 0)[1] for side in ("reference", "candidate")]
        assert looks[1].mean() > looks[0].mean() + 40
        drawn = pictures(tmp_path, "preprocessing", (one, two))["tensor", "difference"]
        assert drawn.bar is not None and drawn.bar[1] > 0.5

    def test_a_very_wide_line_is_not_drawn_smaller_than_it_is(self, tmp_path: Path) -> None:
        sides = traces(line("ab" * 100))
        assert raster(svg(tmp_path, sides, "preprocessing", "reference"), 0)[0]["width"] == 200 * 2 * CELL


class TestTimesteps:
    def test_each_letter_stands_above_the_columns_that_its_timestep_sees(self, tmp_path: Path) -> None:
        text = svg(tmp_path, traces(), "probability_maps", "reference")
        place, _ = raster(text, 0)
        scale = place["width"] / 112
        letters = read_letters(text)
        assert "".join(letter for _, letter in letters) == "abba\u2423cd"
        # A letter takes a cell, and as much ground lies behind it: timestep 2n sees letter n.
        for index, (x, _) in enumerate(letters):
            assert x - MARGIN == pytest.approx((2 * index + 0.5) * CELL * scale, abs=0.1)
            level = raster(text, 0)[1][8, int((x - MARGIN) / scale), 1]
            assert level == pytest.approx(LEVELS["abba cd"[index]], abs=3)

    def test_rows_come_in_the_order_in_which_they_are_read(self, tmp_path: Path) -> None:
        text = svg(tmp_path, traces(), "probability_maps", "reference")
        assert labels(text) == ["blank", "a", "b", "\u2423", "c", "d"]
        place, pixels = raster(text, 1)
        assert pixels.shape[:2] == (6, 14)
        assert [tuple(pixels[row, 0]) for row in (0, 5)] == [LOW, LOW]
        assert np.abs([pixels[1, 0] - HIGH, pixels[0, 1] - HIGH]).max() < 6
        assert (place["x"], place["width"]) == (raster(text, 0)[0]["x"], raster(text, 0)[0]["width"])

    def test_a_class_is_one_row_on_both_sides_and_another_dictionary_is_seen_beside_it(self, tmp_path: Path) -> None:
        sides = traces(letters="bacd ")
        assert labels(svg(tmp_path, sides, "probability_maps", "candidate")) == ["blank", "b", "a", "\u2423", "c", "d"]
        reference, candidate = (svg(tmp_path, sides, "probability_maps", side) for side in ("reference", "candidate"))
        assert np.array_equal(raster(reference, 1)[1], raster(candidate, 1)[1])

    def test_a_side_that_reads_other_classes_has_their_rows_on_both_sides(self, tmp_path: Path) -> None:
        sides = Spelling().trace(line("ab")), Spelling(name="inference").trace(line("cb"))
        for side in ("reference", "candidate"):
            assert labels(svg(tmp_path, sides, "probability_maps", side)) == ["blank", "a", "b", "c"]
        difference = svg(tmp_path, sides, "probability_maps", "difference")
        assert labels(difference) == ["blank", "a", "b", "c"]
        _, pixels = raster(difference, 0)
        changed = [row for row in range(4) if np.abs(pixels[row] - HIGH).max(-1).min() < 6]
        assert changed == [1, 3]

    def test_maps_of_other_timesteps_have_no_difference(self, tmp_path: Path) -> None:
        sides = traces(reference=Spelling(squeezes=True))
        assert set(pictures(tmp_path, "probability_maps", sides)) == {
            ("probability_map", "reference"),
            ("probability_map", "candidate"),
        }

    def test_maps_of_other_classes_are_drawn_each_for_itself(self, tmp_path: Path) -> None:
        one, two = traces()
        assert two.probability_map is not None
        two = replace(two, probability_map=two.probability_map[..., :4])
        assert labels(svg(tmp_path, (one, two), "probability_maps", "reference")) == [
            "blank", "a", "b", "\u2423", "c", "d",
        ]  # fmt: skip
        assert set(labels(svg(tmp_path, (one, two), "probability_maps", "candidate"))) <= {"blank", "a", "b", "c"}

    def test_a_line_of_which_nothing_is_read_has_the_blank_alone(self, tmp_path: Path) -> None:
        text = svg(tmp_path, traces(NOTHING), "probability_maps", "reference")
        assert labels(text) == ["blank"] and not read_letters(text)

    def test_a_side_without_tensor_is_drawn_without_it(self, tmp_path: Path) -> None:
        one, two = (replace(each, tensor=None) for each in traces())
        text = svg(tmp_path, (one, two), "probability_maps", "reference")
        assert len(re.findall("<image ", text)) == 1 and labels(text)[:2] == ["blank", "a"]

    def test_what_a_dictionary_holds_is_escaped(self, tmp_path: Path) -> None:
        one, two = traces(letters="<&cd ")
        text = svg(tmp_path, (one, two), "probability_maps", "candidate")
        assert "&lt;" in labels(text) and "&amp;" in labels(text)
        Image.open(io.BytesIO(base64.b64decode(re.findall(r"base64,([^\"]+)", text)[0]))).verify()


class TestCharacters:
    def test_of_a_baseline_they_are_those_of_its_text(self) -> None:
        trace = replace(Spelling(letters="xyzw ").trace(LINE), source=None)
        assert lines.characters_of(trace) == {1: "x", 2: "y", 5: " ", 3: "z", 4: "w"}

    @pytest.mark.parametrize(
        "changes",
        [
            {"recognition": None},
            {"recognition": Recognition("abba cde")},  # another number of characters than classes
            {"recognition": Recognition("abca cd")},  # a class that is two characters
            {"parameters": {"text": {"reorders": "get_display"}}},  # in another order than its timesteps
        ],
    )
    def test_of_a_text_that_does_not_fit_none_are_known(self, changes: dict[str, Any]) -> None:
        trace = replace(Spelling().trace(LINE), source=None, **changes)
        assert lines.characters_of(trace) == {}
        assert lines.labelled(3, {}) == "class 3" and lines.labelled(0, {}) == "blank"

    def test_a_side_that_fails_to_say_them_is_drawn_all_the_same(self) -> None:
        class Fails(Reader):
            @property
            def characters(self) -> tuple[str, ...]:
                raise RuntimeError("no dictionary")

        assert lines.characters_of(Fails().trace(LINE)) == {}

    def test_many_classes_are_cut(self) -> None:
        values = np.eye(200, dtype=np.float32)[None]
        assert len(lines.rows_of([values])) == lines.MOST_CLASSES

    def test_values_that_are_no_numbers_are_no_class(self) -> None:
        values = np.full((1, 3, 4), np.nan, np.float32)
        values[0, 1, 2] = 0.5
        assert lines.best_classes(values) == [0, 2, 0]


@pytest.mark.parametrize("kind", ["preprocessing", "probability_maps"])
def test_values_stand_where_the_drawing_shows_them(tmp_path: Path, kind: str) -> None:
    sides = traces(img_mode="RGB", shift=0.01)
    stage = "tensor" if kind == "preprocessing" else "probability_map"
    for side, picture in {
        key[1]: each for key, each in pictures(tmp_path, kind, sides).items() if key[0] == stage
    }.items():
        text = (tmp_path / picture.file).read_text()
        place, _ = raster(text, len(re.findall("<image", text)) - 1)  # rows stand below the strip
        width, height = map(float, re.findall(r'viewBox="0 0 (\d+) (\d+)"', text)[0])
        head, values = unpacked((tmp_path / str(picture.values_file)).read_bytes())
        left, top, wide, high = head["frame"]
        assert (left * width, wide * width) == pytest.approx((place["x"], place["width"]), abs=0.2)
        assert (top * height, high * height) == pytest.approx((place.get("y", 0), place["height"]), abs=0.2)
        if side == "candidate" and kind == "preprocessing":
            assert sides[1].tensor is not None
            assert values == pytest.approx(sides[1].tensor[0], abs=0.003)
            assert values != pytest.approx(sides[0].tensor[0] if sides[0].tensor is not None else 0, abs=0.003)


def test_equal_tensors_have_no_values(tmp_path: Path) -> None:
    drawn = pictures(tmp_path, "preprocessing", traces())
    assert {picture.values_file for picture in drawn.values()} == {None}
