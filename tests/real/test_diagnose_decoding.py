"""What a diagnosis says of decoding: real files, read by cv2, on a detector of numpy with one thing wrong."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import GREY, SPREAD, Array, judged, only, says, seen
from toy import PAGE, Toy

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image, Trace


class Reads(Toy):
    """Reads image files; `load` and `given` are what a port may do wrong with a file and with an array."""

    def preprocess(self, image: Image) -> Trace:
        if isinstance(image, np.ndarray):
            return super().preprocess(self.given(image))
        return replace(super().preprocess(self.load(image)), image=str(image))

    def load(self, image: Any) -> npt.NDArray[np.uint8]:
        import cv2

        return np.asarray(cv2.imread(str(image), cv2.IMREAD_COLOR), np.uint8)

    def given(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return image


class TestDecoding:
    @pytest.fixture
    def png(self, tmp_path: Path) -> Path:
        return self.written(tmp_path / "page.png", PAGE)

    @pytest.fixture
    def clear(self, tmp_path: Path) -> Path:
        return self.written(tmp_path / "clear.png", self.with_alpha(PAGE))

    @staticmethod
    def written(path: Path, pixels: Array) -> Path:
        import cv2

        assert cv2.imwrite(str(path), pixels)
        return path

    @staticmethod
    def with_alpha(pixels: Array) -> Array:
        alpha = np.full((*pixels.shape[:2], 1), 255, np.uint8)
        alpha[:6] = 128
        return np.concatenate([pixels, alpha], axis=2)

    class OnWhite(Reads):
        def load(self, image: Any) -> npt.NDArray[np.uint8]:
            import cv2

            pixels = np.asarray(cv2.imread(str(image), cv2.IMREAD_UNCHANGED))
            alpha = pixels[..., 3:].astype(np.float32) / np.float32(255)
            return np.asarray(np.clip(pixels[..., :3] * alpha + np.float32(255) * (1 - alpha), 0, 255), np.uint8)

    class OnWhiteAndDarker(OnWhite):
        def given(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
            return np.asarray(image - 9, np.uint8)

    class Brightens(Reads):
        def load(self, image: Any) -> npt.NDArray[np.uint8]:
            return np.asarray(super().load(image) + 9, np.uint8)

    class BrightensAlways(Brightens):
        def given(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
            return np.asarray(image + 9, np.uint8)

    class KeepsDigests(Brightens):
        def preprocess(self, image: Image) -> Trace:
            trace = super().preprocess(image)
            assert trace.decode is not None
            return trace if isinstance(image, np.ndarray) else replace(trace, decode=trace.decode.without_pixels())

    class AddsRows(Reads):
        def load(self, image: Any) -> npt.NDArray[np.uint8]:
            pixels = super().load(image)
            return np.vstack([pixels, 255 - pixels[:4]])

    class Swaps(Reads):
        def load(self, image: Any) -> npt.NDArray[np.uint8]:
            return super().load(image)[..., ::-1]

        def given(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
            return image[..., ::-1]

    class StopsAtFiles(Reads):
        def preprocess(self, image: Image) -> Trace:
            if isinstance(image, np.ndarray):
                return super().preprocess(image)
            return Trace(pipeline=self.name, image=str(image), source=self, error=StageError("decode", "not this file"))

        def trace(self, image: Image) -> Trace:
            return self.preprocess(image)

    def test_one_way_found_is_confirmed_on_the_next_image_by_the_same_way(self, tmp_path: Path, clear: Path) -> None:
        other = self.written(tmp_path / "other.png", self.with_alpha(SPREAD))
        memory, one, two = DiagnosisCache(60), Reads(), self.OnWhite(name="port")
        for path, proof in ((clear, "decoded in these two ways"), (other, f"found on {clear}; here as well")):
            traces = seen(one, path), seen(two, path)
            (diagnosis,) = memory.diagnose(Comparisons(*traces, BUILT_IN))
            assert judged(diagnosis) == ("decode", "decode.alpha")
            assert says(diagnosis.evidence, proof)

    def test_a_reference_that_decodes_in_the_other_way_is_told_to_change(self, clear: Path) -> None:
        diagnosis = only(seen(self.OnWhite(), clear), seen(Reads(name="port"), clear))
        assert judged(diagnosis) == ("decode", "decode.alpha")
        assert diagnosis.summary == "train composites the image on white, port drops the alpha channel"
        assert diagnosis.fix is not None
        assert diagnosis.fix.text.startswith("let training decode as port does (drops the alpha channel)")

    def test_a_way_that_does_not_mend_the_stage_is_not_the_cause(self, clear: Path) -> None:
        diagnosis = only(seen(Reads(), clear), seen(self.OnWhiteAndDarker(name="port"), clear))
        assert (*judged(diagnosis), diagnosis.fix) == ("decode", UNKNOWN, None)

    def test_pixels_that_do_not_mend_the_stage_are_not_the_cause(self, png: Path) -> None:
        diagnosis = only(seen(Reads(), png), seen(self.BrightensAlways(name="port"), png))
        assert (*judged(diagnosis), diagnosis.fix) == ("decode", UNKNOWN, None)

    def test_parameters_with_which_it_cannot_run_prove_nothing(self, png: Path) -> None:
        class Refuses(Reads):
            def preprocess(self, image: Image) -> Trace:
                if self.runs < 0:
                    raise RuntimeError("not with these")
                return super().preprocess(image)

            def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
                return replace(self, runs=-99)

        diagnosis = only(seen(Reads(), png), seen(Refuses(name="port", img_mode="RGB"), png))
        # Its tensor shows it, whatever the parameters would have.
        assert judged(diagnosis) == ("tensor", "decode.channel_order")
        assert not any("with train's img_mode" in text for text in diagnosis.evidence)

    def test_a_side_that_swaps_the_channels_of_all_it_is_given_is_named(self, png: Path) -> None:
        diagnosis = only(seen(Reads(), png), seen(self.Swaps(name="port"), png))
        assert (*judged(diagnosis), diagnosis.summary) == (
            "decode",
            "decode.channel_order",
            "port exchanges red and blue",
        )

    def test_on_a_grey_page_no_channel_order_is_claimed(self, tmp_path: Path) -> None:
        path = self.written(tmp_path / "grey.png", GREY)
        diagnosis = only(seen(Reads(), path), seen(self.Brightens(name="port"), path))
        assert (*judged(diagnosis), diagnosis.summary) == (
            "decode",
            "decode.pixels",
            "port loads other pixels than train",
        )

    def test_a_baseline_whose_pixels_no_decoding_returns_can_give_none(self, png: Path) -> None:
        class AlsoDarker(Reads):
            def load(self, image: Any) -> npt.NDArray[np.uint8]:
                return np.asarray(super().load(image) - 5, np.uint8)

        reference = seen(AlsoDarker(), png)
        assert reference.decode is not None
        baseline = replace(reference, decode=reference.decode.without_pixels(), source=None)
        diagnosis = only(baseline, seen(self.Brightens(name="port"), png))
        assert judged(diagnosis) == ("decode", UNKNOWN)
        assert "train's pixels given to port: they are not kept" in diagnosis.not_tried

    def test_a_baseline_whose_file_still_decodes_to_its_digest_can(self, png: Path) -> None:
        reference = seen(Reads(), png)
        assert reference.decode is not None
        baseline = replace(reference, decode=reference.decode.without_pixels(), source=None)
        diagnosis = only(baseline, seen(self.Brightens(name="port"), png))
        assert judged(diagnosis) == ("decode", "decode.pixels")
        assert "before, 100.0% of the pixels differed, by up to 9 of 255" in diagnosis.evidence

    @pytest.mark.parametrize("wrong", [KeepsDigests, AddsRows])
    def test_pixels_without_a_common_form_are_not_counted(self, png: Path, wrong: type[Toy]) -> None:
        diagnosis = only(seen(Reads(), png), seen(wrong(name="port"), png))
        assert judged(diagnosis) == ("decode", "decode.pixels")
        assert "before, the pixels had another shape or type" in diagnosis.evidence

    def test_a_file_whose_suffix_is_right_is_not_refused_for_its_suffix(self, png: Path) -> None:
        diagnosis = only(seen(Reads(), png), seen(self.StopsAtFiles(name="port"), png))
        assert judged(diagnosis) == ("decode", UNKNOWN)
        assert (
            "decode.file_type: the suffix .png is right for its content; port said: not this file"
            in diagnosis.ruled_out
        )

    class ReadsBySuffix(StopsAtFiles):
        """Stops at each file but those named .png, and says which it was given."""

        def preprocess(self, image: Image) -> Trace:
            is_read = isinstance(image, np.ndarray) or Path(image).suffix == ".png"
            return Reads.preprocess(self, image) if is_read else super().preprocess(image)

        def trace(self, image: Image) -> Trace:
            return self.preprocess(image)

    class ReadsOneBySuffix(ReadsBySuffix):
        """Stops at the other page under each name."""

        def preprocess(self, image: Image) -> Trace:
            is_refused = not isinstance(image, np.ndarray) and Path(image).stem == "other"
            return super().preprocess("page.jpg" if is_refused else image)

    @pytest.mark.parametrize("suffix", [".jpg", ".PNG", ""])
    def test_a_file_that_is_read_under_another_suffix_is(self, tmp_path: Path, png: Path, suffix: str) -> None:
        path = png.rename(tmp_path / f"page{suffix}")
        diagnosis = only(seen(Reads(), path), seen(self.ReadsBySuffix(name="port"), path))
        assert judged(diagnosis) == ("decode", "decode.file_type")
        assert f"its suffix is {suffix or 'none'}, its content PNG" in diagnosis.evidence
        assert (diagnosis.fix and diagnosis.fix.text) == "give the file the suffix .png, or convert it to PNG"
        assert [*tmp_path.iterdir()] == [path]

    def test_a_file_that_is_read_under_no_suffix_is_not_refused_for_a_wrong_one(
        self, tmp_path: Path, png: Path
    ) -> None:
        path = png.rename(tmp_path / "page.jpg")
        diagnosis = only(seen(Reads(), path), seen(self.StopsAtFiles(name="port"), path))
        assert judged(diagnosis) == ("decode", UNKNOWN)
        told = "decode.file_type: its suffix is .jpg, its content PNG; port does not read it as .png either, and said: "
        assert f"{told}not this file" in diagnosis.tried

    def test_a_file_of_an_unknown_format_has_no_right_suffix(self, tmp_path: Path) -> None:
        class LoadsNumpy(Reads):
            def load(self, image: Any) -> npt.NDArray[np.uint8]:
                return np.asarray(np.load(image))

        path = tmp_path / "page.npy"
        np.save(path, PAGE)
        diagnosis = only(seen(LoadsNumpy(), path), seen(self.ReadsBySuffix(name="port"), path))
        assert judged(diagnosis) == ("decode", UNKNOWN)
        told = "decode.file_type: the format of the file is not known; port said: not this file"
        assert told in diagnosis.not_tried

    @pytest.mark.parametrize(("is_read", "cause"), [(True, "decode.file_type"), (False, UNKNOWN)])
    def test_on_a_further_image_the_suffix_is_shown_again(
        self, tmp_path: Path, png: Path, is_read: bool, cause: str
    ) -> None:
        other = self.written(tmp_path / "other.png", SPREAD).rename(tmp_path / "other.jpg")
        memory, one = DiagnosisCache(60), Reads()
        two = (self.ReadsBySuffix if is_read else self.ReadsOneBySuffix)(name="port")
        found: list[Diagnosis] = []
        for path in (png.rename(tmp_path / "page.jpg"), other):
            found += memory.diagnose(Comparisons(seen(one, path), seen(two, path), BUILT_IN))
        assert [judged(each) for each in found] == [("decode", "decode.file_type"), ("decode", cause)]

    def test_a_reference_that_records_no_decoded_image_has_no_pixels_to_give(self, png: Path) -> None:
        diagnosis = only(replace(seen(Reads(), png), decode=None), seen(self.StopsAtFiles(name="port"), png))
        assert judged(diagnosis) == ("decode", UNKNOWN)
        assert "train's pixels given to port: they are not kept" in diagnosis.not_tried

    def test_without_cv2_the_ways_to_decode_are_left_out(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class LoadsNumpy(Reads):
            def load(self, image: Any) -> npt.NDArray[np.uint8]:
                return np.asarray(np.load(image) + (9 if self.name == "port" else 0), np.uint8)

        path = tmp_path / "page.npy"
        np.save(path, PAGE)
        monkeypatch.setitem(sys.modules, "cv2", None)
        diagnosis = only(seen(LoadsNumpy(), path), seen(LoadsNumpy(name="port"), path))
        assert judged(diagnosis) == ("decode", "decode.pixels")
