"""A page within a border, cut or scaled is found by its pixels; what only looks like it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from diagnosing import Array, all_judged, judged, seen
from resizing_toy import PAGE, Resizes, nearest
from toy import Toy, page

from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.trace import Decoded, Detections, Image, Shape, Trace


class Port(Resizes):
    """Feeds a picture of its own making."""

    def picture(self, pixels: Array) -> Array:
        raise NotImplementedError

    def preprocess(self, image: Image) -> Trace:
        pixels = np.asarray(image)
        picture = self.picture(pixels)
        trace = Toy.preprocess(self, picture)
        return replace(trace, decode=Decoded.of(pixels, "BGR"), shape=self.row(pixels, picture))

    def row(self, pixels: Array, picture: Array) -> tuple[float, float, float, float]:
        return float(pixels.shape[0]), float(pixels.shape[1]), 1.0, 1.0


def bordered(inner: Array, size: tuple[int, int], at: tuple[int, int], fill: int) -> Array:
    whole = np.full((*size, 3), fill, np.uint8)
    whole[at[0] : at[0] + inner.shape[0], at[1] : at[1] + inner.shape[1]] = inner
    return whole


class Letterbox(Port):
    def picture(self, pixels: Array) -> Array:
        return bordered(nearest(pixels, (80, 120)), (128, 128), (24, 4), 114)


class BatchPadding(Port):
    def picture(self, pixels: Array) -> Array:
        return bordered(nearest(pixels, (90, 135)), (96, 160), (0, 0), 0)


class SquareFirst(Port):
    def picture(self, pixels: Array) -> Array:
        return nearest(bordered(pixels, (90, 90), (0, 0), 255), (128, 128))


class Blurs(Port):
    """Has a border around a picture that is not the page's."""

    def picture(self, pixels: Array) -> Array:
        inner = nearest(pixels, (80, 120)).copy()
        inner[40, 60] += 1
        return bordered(inner, (128, 128), (24, 4), 114)


class Mirrored(Port):
    """Has a border that repeats the page, which is no border of one value."""

    def picture(self, pixels: Array) -> Array:
        return np.pad(nearest(pixels, (80, 120)), ((8, 8), (4, 4), (0, 0)), mode="reflect")


class Cut(Port):
    def picture(self, pixels: Array) -> Array:
        return nearest(pixels[7:47, 11:71], (80, 120))

    def row(self, pixels: Array, picture: Array) -> tuple[float, float, float, float]:
        return 40.0, 60.0, 2.0, 2.0


class Scaled(Port):
    def picture(self, pixels: Array) -> Array:
        return nearest(nearest(pixels, (30, 45)), (90, 135))

    def row(self, pixels: Array, picture: Array) -> tuple[float, float, float, float]:
        return 30.0, 45.0, 3.0, 3.0


class CutEqually(Port):
    """Cuts equal margins off, and says the page's own size."""

    def picture(self, pixels: Array) -> Array:
        return nearest(pixels[6:-6, 6:-6], (96, 156))

    def row(self, pixels: Array, picture: Array) -> tuple[float, float, float, float]:
        return float(pixels.shape[0]), float(pixels.shape[1]), 2.0, 2.0


class Turned(Port):
    def picture(self, pixels: Array) -> Array:
        return nearest(np.rot90(pixels), (135, 90))


class AlmostTurned(Port):
    def picture(self, pixels: Array) -> Array:
        turned = nearest(np.rot90(pixels), (135, 90)).copy()
        turned[3, 4] += 1
        return turned


class OtherResize(Port):
    def picture(self, pixels: Array) -> Array:
        return nearest(pixels[::-1], (90, 135))[::-1]


class Recodes(Port):
    def picture(self, pixels: Array) -> Array:
        return nearest(pixels & np.uint8(0xF0), (90, 135))


class Brighter(Port):
    def picture(self, pixels: Array) -> Array:
        return nearest(pixels + np.uint8(3), (90, 135))


KNOWN = [
    (Letterbox, "resize.padding", "to 120x80 and placed at x 4, y 24 of 128x128, the rest filled with 114"),
    (BatchPadding, "resize.padding", "to 135x90 and placed at x 0, y 0 of 160x96, the rest filled with 0"),
    (SquareFirst, "resize.padding", "placed at x 0, y 0 of 90x90, the rest filled with 255, and then resized"),
    (Cut, "decode.cropped", "cut to 60x40 from x 11, y 7 on"),
    (CutEqually, "decode.cropped", "cut to 78x48 from x 6, y 6 on"),
    (Turned, "decode.orientation", "turned by 90 degrees to the left"),
    (Scaled, "decode.scaled", "scaled to 45x30 by cv2.INTER_LINEAR before the resize"),
    (OtherResize, "resize.interpolation", "resizes by from below"),
    (Recodes, "resize.pixels", "with its lowest bits cleared"),
]


@pytest.mark.parametrize("has_source", [True, False])
@pytest.mark.parametrize(("kind", "cause", "words"), KNOWN)
def test_it_is_found_by_its_pixels(kind: type[Port], cause: str, words: str, has_source: bool) -> None:
    candidate = seen(kind(name="port"), PAGE)
    found = diagnose(
        reference=seen(Resizes(), PAGE), candidate=candidate if has_source else replace(candidate, source=None)
    )
    assert judged(found[0]) == ("resize", cause)
    assert words in found[0].summary
    assert "resized pixels are equal" in found[0].evidence[0]


@pytest.mark.parametrize("kind", [Letterbox, OtherResize])
def test_the_tensor_suffices(kind: type[Port]) -> None:
    candidate = replace(seen(kind(name="port"), PAGE), source=None, resize=None)
    found = diagnose(reference=seen(Resizes(), PAGE), candidate=candidate)
    assert found[0].cause in ("resize.padding", "resize.interpolation")


@pytest.mark.parametrize("kind", [Blurs, Mirrored, Brighter, AlmostTurned])
def test_what_differs_in_one_pixel_is_not_it(kind: type[Port]) -> None:
    found = diagnose(reference=seen(Resizes(), PAGE), candidate=seen(kind(name="port"), PAGE))
    assert {each.cause for each in found if each.stage in ("decode", "resize", "tensor")} == {UNKNOWN}


class TestRivals:
    def test_two_interpolations_that_make_one_picture_are_both_named(self) -> None:
        class Reference(Resizes):
            def resampled(self, pixels: Array, size: tuple[int, int]) -> Any:
                made = nearest(pixels[::-1], size)[::-1]
                yield from (("from below", made), ("another", nearest(pixels, size)), ("upside down", made))

        found = diagnose(reference=seen(Reference(), PAGE), candidate=seen(OtherResize(name="port"), PAGE))
        assert judged(found[0]) == ("resize", "resize.interpolation")
        assert found[0].summary.startswith("port resizes by from below or upside down, ")

    def test_two_causes_that_make_one_picture_are_both_named_and_none_is_stated(self) -> None:
        class Reference(Resizes):
            def recoded(self, pixels: Array) -> Any:
                for shift in range(-3, 4):
                    yield f"moved down by {shift}", np.roll(pixels, shift, axis=0)

        class Moves(Port):
            def picture(self, pixels: Array) -> Array:
                return nearest(np.roll(pixels, 1, axis=0), (90, 135))

        class Both(Reference):
            def resampled(self, pixels: Array, size: tuple[int, int]) -> Any:
                yield "from above", nearest(np.roll(pixels, 1, axis=0), size)

        one = diagnose(reference=seen(Reference(), PAGE), candidate=seen(Moves(name="port"), PAGE))
        assert judged(one[0]) == ("resize", "resize.pixels")
        (found, *_) = diagnose(reference=seen(Both(), PAGE), candidate=seen(Moves(name="port"), PAGE))
        assert (found.cause, found.fix) == (UNKNOWN, None)
        assert found.rivals == ("resize.interpolation", "resize.pixels")

    @pytest.mark.parametrize("kind", [Letterbox, BatchPadding, SquareFirst])
    def test_of_a_blank_page_nothing_is_said(self, kind: type[Port]) -> None:
        blank = np.full_like(PAGE, 114)
        found = diagnose(reference=seen(Resizes(), blank), candidate=seen(kind(name="port"), blank))
        assert {each.cause for each in found if each.stage in ("decode", "resize", "tensor")} == {UNKNOWN}


class Loads(Port):
    """Sees another page than the reference, and takes files only."""

    def loaded(self, pixels: Array) -> Array:
        raise NotImplementedError

    def preprocess(self, image: Image) -> Trace:
        return Resizes.preprocess(self, self.loaded(np.asarray(image)))


class LoadsScaled(Loads):
    def loaded(self, pixels: Array) -> Array:
        return np.asarray(nearest(pixels, (30, 45)))


class LoadsCut(Loads):
    def loaded(self, pixels: Array) -> Array:
        return pixels[7:47, 11:71]


class LoadsRecoded(Loads):
    def loaded(self, pixels: Array) -> Array:
        return pixels & np.uint8(0xF0)


class LoadsAlmostCut(Loads):
    def loaded(self, pixels: Array) -> Array:
        part = pixels[7:47, 11:71].copy()
        part[20, 30] ^= 1
        return part


class LoadsBlank(Loads):
    """Cuts a part out in which there is nothing."""

    def loaded(self, pixels: Array) -> Array:
        return pixels[:20, :30]


class TestWhatIsDecoded:
    @pytest.mark.parametrize("has_source", [True, False])
    @pytest.mark.parametrize(
        ("kind", "cause", "words"),
        [
            (LoadsScaled, "decode.scaled", "the page scaled to 45x30 by "),
            (LoadsCut, "decode.cropped", "the page cut to 60x40 from x 11, y 7 on"),
            (LoadsRecoded, "decode.pixels", "the page with its lowest bits cleared"),
        ],
    )
    def test_another_page_is_found_by_its_pixels(
        self, kind: type[Port], cause: str, words: str, has_source: bool
    ) -> None:
        candidate = seen(kind(name="port"), PAGE)
        found = diagnose(
            reference=seen(Resizes(), PAGE), candidate=candidate if has_source else replace(candidate, source=None)
        )
        assert judged(found[0]) == ("decode", cause)
        assert words in found[0].summary
        assert [each.cause for each in found if each.stage in ("resize", "tensor")] == []

    @pytest.mark.parametrize("kind", [LoadsAlmostCut, LoadsBlank])
    def test_what_is_no_part_or_any_part_is_not_called_one(self, kind: type[Port]) -> None:
        words = PAGE.copy()
        words[:40, :50] = 90
        found = diagnose(reference=seen(Resizes(), words), candidate=seen(kind(name="port"), words))
        assert judged(found[0]) == ("decode", UNKNOWN)


@pytest.mark.parametrize("kind", [Scaled, LoadsScaled, LoadsCut])
def test_a_fix_is_the_same_for_pages_of_other_sizes(kind: type[Port]) -> None:
    fixes = []
    for pixels in (PAGE, np.random.default_rng(4).integers(30, 220, (80, 130, 3), dtype=np.uint8)):
        found, *_ = diagnose(reference=seen(Resizes(), pixels), candidate=seen(kind(name="port"), pixels))
        fixes.append(found.fix)
    assert fixes[0] is not None
    assert fixes[0] == fixes[1]


class TestBoxesInTheirPlace:
    """A page of 60x90 at 80x120, from x 4, y 24 on."""

    WORDS = page(60, 90, ((9, 9, 30, 21), (45, 9, 81, 21), (9, 33, 54, 51)))

    class Placed(Letterbox):
        def boxes(self, box: Array) -> Array:
            return np.asarray((box - np.array([4, 24])) * 0.75)

        def postprocess(self, probability_map: Array, shape: Shape) -> Detections:
            height, width = probability_map.shape[-2:]
            made = super().postprocess(probability_map, (float(height), float(width), 1.0, 1.0))
            return Detections(tuple(np.clip(self.boxes(p), 0, (90, 60)) for p in made.polygons), made.scores)

    class LeavesIn(Placed):
        def boxes(self, box: Array) -> Array:
            return np.asarray(box * 0.75)

    class Grows(Placed):
        def boxes(self, box: Array) -> Array:
            placed = super().boxes(box)
            return np.asarray(placed + 5 * np.sign(placed - placed.mean(axis=0)))

    def found(self, kind: type[Letterbox], image: Array) -> list[tuple[str, str]]:
        return all_judged(diagnose(reference=seen(Resizes(), image), candidate=seen(kind(name="port"), image)))

    def test_right_boxes_are_not_blamed(self) -> None:
        assert self.found(self.Placed, self.WORDS) == [("resize", "resize.padding")]

    def test_a_border_that_is_left_in_is_named_beside_it(self) -> None:
        assert self.found(self.LeavesIn, self.WORDS) == [
            ("resize", "resize.padding"),
            ("detections", "rescale.offset"),
        ]

    @pytest.mark.parametrize("words", [WORDS, page(60, 90, ((18, 18, 60, 36),))])
    def test_boxes_that_are_larger_too_are_not_called_right(self, words: Array) -> None:
        """Also of one box alone, whose corners are the outermost of all."""
        found = self.found(self.Grows, words)
        assert found[0] == ("resize", "resize.padding")
        assert ("detections", UNKNOWN) in found
