"""The resize: roundings and limits are named where the reference's own shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnosing import Array, judged, only, says, seen
from toy import Toy, page

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.preprocessing.size_rules import PADDLEOCR, ROUNDINGS, size_by_rule
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Decoded, Image, Trace


class TestResizing:
    class Limits(Toy):
        """Resizes by PaddleOCR's limit rule to 96 px, without interpolation."""

        limit_type = "max"
        rounding = PADDLEOCR

        def preprocess(self, image: Image) -> Trace:
            pixels: Array = image if isinstance(image, np.ndarray) else np.load(image)
            height, width = pixels.shape[:2]
            longest = max(height, width)
            ratio = 96 / longest if self.limit_type == "resize_long" or longest > 96 else 1.0
            h, w = (max(ROUNDINGS[self.rounding](side * ratio), 32) for side in (height, width))
            resized = pixels[np.arange(h) * height // h][:, np.arange(w) * width // w]
            return replace(
                super().preprocess(resized),
                image="page.png" if isinstance(image, np.ndarray) else str(image),
                decode=Decoded.of(pixels, "BGR"),
                shape=(float(height), float(width), h / height, w / width),
            )

        @property
        def parameters(self) -> Mapping[str, Mapping[str, Any]]:
            limits = {"rule": "limit", "limit_side_len": 96, "limit_type": self.limit_type}
            return {**super().parameters, "resize": limits}

        def preprocess_at(self, image: Image, size: tuple[int, int]) -> Trace:
            """Resize to a size (h, w) as `preprocess` does."""
            pixels: Array = image if isinstance(image, np.ndarray) else np.load(image)
            (height, width), (h, w) = pixels.shape[:2], size
            trace = Toy.preprocess(self, pixels[np.arange(h) * height // h][:, np.arange(w) * width // w])
            return replace(
                trace,
                image="page.png" if isinstance(image, np.ndarray) else str(image),
                decode=Decoded.of(pixels, "BGR"),
                shape=(float(height), float(width), h / height, w / width),
            )

    class RoundsDown(Limits):
        rounding = "floor to 32"

    class PadsUp(Limits):
        """Has the sizes of one that rounds up, and pads to them."""

        def preprocess(self, image: Image) -> Trace:
            trace = super().preprocess(image)
            pixels: Array = image if isinstance(image, np.ndarray) else np.load(image)
            h, w = (math.ceil(side * min(1.0, 96 / max(pixels.shape[:2])) / 32) * 32 for side in pixels.shape[:2])
            inner = pixels[np.arange(h - 2) * pixels.shape[0] // h][:, np.arange(w - 2) * pixels.shape[1] // w]
            padded = Toy.preprocess(self, np.pad(inner, ((0, 2), (0, 2), (0, 0))))
            return replace(padded, decode=trace.decode, shape=trace.shape, image=trace.image, resize=None)

    class Longest(Limits):
        limit_type = "resize_long"

    class LongestRoundsDown(Longest):
        rounding = "floor to 32"

    class TakesFilesOnly(RoundsDown):
        def preprocess(self, image: Image) -> Trace:
            if isinstance(image, np.ndarray):
                raise TypeError("files only")
            return super().preprocess(image)

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "page.npy"
        np.save(path, page(90, 140, ((8, 8, 60, 30), (70, 50, 120, 80))))
        return path

    @pytest.mark.parametrize(("right", "wrong"), [(Limits, RoundsDown), (Longest, LongestRoundsDown)])
    def test_a_rounding_is_found_under_each_kind_of_limit(self, path: Path, right: type[Toy], wrong: type[Toy]) -> None:
        diagnosis = only(seen(right(), path), seen(wrong(name="port"), path))
        assert judged(diagnosis) == ("resize", "resize.rounding")
        assert says((diagnosis.summary,), "port rounds the resized sides otherwise: floor to 32")

    def test_a_rounding_is_proved_again_on_another_page_at_its_own_size(self, path: Path, tmp_path: Path) -> None:
        other = tmp_path / "other.npy"
        np.save(other, page(80, 150, ((8, 8, 60, 30), (70, 40, 120, 70))))
        cache, right, wrong = DiagnosisCache(60), self.Limits(), self.RoundsDown(name="port")
        found: list[Diagnosis] = []
        for each in (path, other):
            traces = seen(right, each), seen(wrong, each)
            found += cache.diagnose(Comparisons(*traces, BUILT_IN))
        assert [each.cause for each in found] == ["resize.rounding"] * 2
        assert "here as well the stage differs unless it is put right" in found[1].evidence[0]

    class OneSize(Limits):
        """Resizes all to one size, and says no rule."""

        def preprocess(self, image: Image) -> Trace:
            return replace(self.preprocess_at(image, (64, 96)), parameters={})

        def trace(self, image: Image) -> Trace:
            return replace(super().trace(image), parameters={})

    class By64Min(OneSize):
        """Resizes by limits of PaddleOCR's, and says no rule."""

        def preprocess(self, image: Image) -> Trace:
            pixels: Array = image if isinstance(image, np.ndarray) else np.load(image)
            ratio = max(1.0, 64 / min(pixels.shape[:2]))
            h, w = (max(round(int(side * ratio) / 32) * 32, 32) for side in pixels.shape[:2])
            return replace(self.preprocess_at(image, (h, w)), parameters={})

    class ByNoRule(OneSize):
        """Resizes to three quarters, which no rule of PaddleOCR's gives."""

        def preprocess(self, image: Image) -> Trace:
            pixels: Array = image if isinstance(image, np.ndarray) else np.load(image)
            return replace(
                self.preprocess_at(image, (pixels.shape[0] * 3 // 4, pixels.shape[1] * 3 // 4)), parameters={}
            )

    @pytest.mark.parametrize(
        ("wrong", "cause", "told"),
        [
            (OneSize, "resize.image_shape", "port resizes to 96x64, train to 96x32: to one size, whatever the image"),
            (
                By64Min,
                "resize.limits",
                "port resizes to 128x64, train to 96x32: port's is the size of 64/min, and train has 96/max",
            ),
            (ByNoRule, UNKNOWN, "port resizes to 97x45, train to 96x32, and which rule port follows is not known"),
        ],
    )
    def test_a_side_that_says_no_rule_is_known_by_its_sizes_and_pixels(
        self, tmp_path: Path, wrong: type[Toy], cause: str, told: str
    ) -> None:
        path = tmp_path / "page.npy"
        np.save(path, page(60, 130, ((8, 8, 60, 30), (70, 30, 120, 50))))
        diagnosis = diagnose(reference=seen(self.Limits(), path), candidate=seen(wrong(name="port"), path))[0]
        assert (*judged(diagnosis), diagnosis.summary) == ("resize", cause, told)

    def test_all_rules_that_give_the_sizes_are_in_the_proof(self, tmp_path: Path) -> None:
        path = tmp_path / "page.npy"
        np.save(path, page(60, 130, ((8, 8, 60, 30), (70, 30, 120, 50))))
        found = diagnose(reference=seen(self.Limits(), path), candidate=seen(self.By64Min(name="port"), path))[0]
        told = "roundings only 64/min, or 64/min (round without int) gives port's sizes, here and for 12 other images"
        assert found.evidence[0].endswith(told)

    class By896(OneSize):
        """Has a long side of at most so many px, and says no rule."""

        limit, own_rounding = 896, PADDLEOCR

        def preprocess(self, image: Image) -> Trace:
            pixels: Array = image if isinstance(image, np.ndarray) else np.load(image)
            rule = {"limit_side_len": self.limit, "limit_type": "max"}
            size = size_by_rule(pixels.shape[:2], rule, ROUNDINGS[self.own_rounding])
            return replace(self.preprocess_at(image, size), parameters={})

    class By896WithoutInt(By896):
        own_rounding = "round without int"

    class By928(By896):
        limit = 928

    class Train896(By896):
        """Says its rule."""

        @property
        def parameters(self) -> Mapping[str, Mapping[str, Any]]:
            limits = {"rule": "limit", "limit_side_len": 896, "limit_type": "max"}
            return {**super().parameters, "resize": limits}

        def preprocess(self, image: Image) -> Trace:
            return replace(super().preprocess(image), parameters=self.parameters)

        def trace(self, image: Image) -> Trace:
            return replace(super().trace(image), parameters=self.parameters)

    @pytest.mark.parametrize(
        ("wrong", "cause", "tried"),
        [
            # 900/max gives these sizes as well as another rounding does.
            (
                By896WithoutInt,
                UNKNOWN,
                ("resize.limits: 900/max, or 896 to 900/max (round without int) gives port's sizes",),
            ),
            (By928, "resize.limits", ()),
        ],
    )
    def test_other_limits_are_not_told_from_another_rounding_where_both_give_the_sizes(
        self, tmp_path: Path, wrong: type[By896], cause: str, tried: tuple[str, ...]
    ) -> None:
        path = tmp_path / "page.npy"
        np.save(path, page(81, 897, ((8, 8, 60, 30), (70, 30, 120, 50))))
        found = diagnose(reference=seen(self.Train896(), path), candidate=seen(wrong(name="port"), path))[0]
        assert (*judged(found), found.tried) == ("resize", cause, tried)

    class WrongRow(Limits):
        def preprocess(self, image: Image) -> Trace:
            return replace(super().preprocess(image), shape=(96.0, 96.0, 1.0, 1.0))

    class WrongRowAlone(WrongRow):
        """Records no resized image."""

        def preprocess(self, image: Image) -> Trace:
            return replace(super().preprocess(image), resize=None)

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (WrongRow, "resized images are equal"),
            (WrongRowAlone, "tensors have one size (a side records no resized image)"),
        ],
    )
    def test_a_shape_row_is_said_to_be_wrong_beside_what_was_compared(
        self, path: Path, wrong: type[Toy], told: str
    ) -> None:
        found = diagnose(reference=seen(self.Limits(), path), candidate=seen(wrong(name="port"), path))[0]
        assert judged(found) == ("resize", "rescale.shape_row")
        assert found.evidence[0].startswith(f"the {told}, and with train's shape row so is all")

    def test_a_blank_page_is_said_to_show_no_rule(self, tmp_path: Path) -> None:
        told = "resize: which rule gives port's size: all rows or all columns of this page are alike"
        for name, pixels, is_said in (
            ("blank", np.full((60, 130, 3), 9, np.uint8), True),
            ("drawn", page(60, 130, ((8, 8, 60, 30),)), False),
        ):
            np.save(tmp_path / name, pixels)
            path = tmp_path / f"{name}.npy"
            found = diagnose(reference=seen(self.Limits(), path), candidate=seen(self.ByNoRule(name="port"), path))[0]
            assert judged(found) == ("resize", UNKNOWN)
            assert says(found.not_tried, told) == is_said

    def test_sizes_alone_show_no_rounding(self, tmp_path: Path) -> None:
        path = tmp_path / "page.npy"  # scaled to 96x43, which is rounded to 96x32 and padded to 96x64
        np.save(path, page(64, 140, ((8, 8, 60, 30), (70, 30, 120, 50))))
        diagnosis = diagnose(reference=seen(self.Limits(), path), candidate=seen(self.PadsUp(name="port"), path))[0]
        assert (*judged(diagnosis), diagnosis.fix) == ("resize", UNKNOWN, None)
        assert says(diagnosis.tried, "resize: train's own resize at 96x64 makes other pixels than port")

    def test_without_its_own_resize_the_reference_shows_no_rounding(self, path: Path) -> None:
        class Fixed(self.Limits):  # type: ignore[name-defined,misc]
            preprocess_at = None

        diagnosis = only(seen(Fixed(), path), seen(self.RoundsDown(name="port"), path))
        assert (*judged(diagnosis), diagnosis.fix) == ("resize", UNKNOWN, None)

    def test_a_side_that_takes_no_arrays_has_no_rounding_shown(self, path: Path) -> None:
        diagnosis = only(seen(self.Limits(), path), seen(self.TakesFilesOnly(name="port"), path))
        assert (*judged(diagnosis), diagnosis.fix) == ("resize", UNKNOWN, None)
