"""What each stage's experiments say where they can't be made, or show nothing: on a detector in numpy."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from toy import PAGE, Toy, page

from pytest_ocrparity.compare import Comparisons, compare
from pytest_ocrparity.compare.borderline import mark_borderline
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.parameter_experiments import examine_leaks
from pytest_ocrparity.diagnose.postprocessing import examine_boxes
from pytest_ocrparity.diagnose.preprocessing.resizing import PADDLEOCR, ROUNDINGS
from pytest_ocrparity.diagnosis import UNKNOWN, Alternative, Diagnosis, Fix
from pytest_ocrparity.errors import NotEnoughMemory, StageError
from pytest_ocrparity.explain import explain
from pytest_ocrparity.files import image_bytes
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Decoded, Detections, Image, Shape, Trace

Array: TypeAlias = "npt.NDArray[Any]"

GREY = np.repeat(PAGE[..., 1:2], 3, axis=2)
SPREAD = page(96, 160, ((8, 8, 30, 18), (60, 30, 84, 42), (110, 60, 140, 74), (20, 76, 44, 88)))
"""Words further from each other than they are wide and high, so that a fit of their coordinates is possible."""
RAMP = PAGE + (np.arange(96, dtype=np.uint8) // 4)[None, :, None]
"""Enough levels in each channel for a fit of the tensors."""


class Varied(Toy):
    """Can be run with other parameters."""

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
        values = {name: value for table in changes.values() for name, value in table.items()}
        return replace(self, **{name: v[0] if isinstance(v, list) else v for name, v in values.items()})


def seen(side: Toy, image: Image = PAGE) -> Trace:
    """Return a trace that knows which image it is of, as those of real pipelines do."""
    return replace(side.trace(image), image_sha256=hashlib.sha256(image_bytes(image)[1]).hexdigest())


def only(reference: Trace, candidate: Trace) -> Diagnosis:
    (diagnosis,) = diagnose(reference=reference, candidate=candidate)
    return diagnosis


def judged(diagnosis: Diagnosis) -> tuple[str, str]:
    return diagnosis.stage, diagnosis.cause


def says(texts: tuple[str, ...], *starts: str) -> bool:
    return all(any(text.startswith(start) for text in texts) for start in starts)


def moved(detections: Detections | None, change: Callable[[int, Array], Array]) -> Detections:
    assert detections is not None
    return Detections(tuple(change(i, p) for i, p in enumerate(detections.polygons)), detections.scores)


class TestTheWhole:
    def test_sides_that_agree_have_no_cause(self) -> None:
        assert diagnose(reference=Toy().trace(PAGE), candidate=Toy(name="port").trace(PAGE)) == ()

    def test_sides_that_differ_have_the_cause_that_an_experiment_shows(self) -> None:
        diagnosis = only(seen(Toy()), seen(Varied(name="port", mean=0.4)))
        assert judged(diagnosis) == ("tensor", "normalize.mean_std")

    def test_without_time_left_the_first_stage_is_named_and_the_budget_told(self) -> None:
        (diagnosis,) = diagnose(
            reference=seen(Toy()), candidate=seen(Varied(name="port", mean=0.4)), tolerance=BUILT_IN, seconds=1e-9
        )
        assert (*judged(diagnosis), diagnosis.summary) == ("tensor", UNKNOWN, "budget spent")
        assert says(diagnosis.not_tried, "the rest: used 0 of 20 network runs and 0 of 1e-09 s of processor time")
        assert diagnosis.not_tried[0].endswith("(setting: diagnosis_seconds = 1e-09)")

    def test_no_more_networks_run_than_the_budget_has(self) -> None:
        class ManyEngines(Toy):
            def other_engines(self) -> Iterator[Alternative]:
                for index in range(99):
                    yield Alternative("engine.onednn", f"engine {index}", self.infer)

        diagnosis = only(seen(Toy()), seen(ManyEngines(name="port", gain=2.0)))
        assert (*judged(diagnosis), diagnosis.summary) == ("probability_map", UNKNOWN, "budget spent")
        assert says(diagnosis.not_tried, "the rest: used 20 of 20 network runs and ")
        assert "engine.onednn: with engine 0 the map is what it was without, bit for bit" in diagnosis.ruled_out

    def test_a_diagnosis_is_plain_json(self) -> None:
        diagnosis = only(seen(Toy()), seen(Varied(name="port", mean=0.4)))
        told = json.loads(json.dumps(diagnosis.as_json()))
        assert (told["stage"], told["cause"], told["not_tried"]) == ("tensor", "normalize.mean_std", [])
        assert told["fix"] == {"text": "give port train's mean = [0.5, 0.5, 0.5]", "changes": []}

    def test_a_cause_without_a_fix_has_no_row_for_one(self) -> None:
        comparisons = compare(reference=Toy().trace(PAGE), candidate=Toy(name="port", pad=9).trace(PAGE))
        known = Diagnosis(stage="detections", cause="rescale.frame", summary="no fix is known", evidence=("seen once",))
        with_fix = replace(known, fix=Fix("correct it"))
        without, patched = (explain(comparisons, comparisons[-1], [each]).splitlines() for each in (known, with_fix))
        assert without[1:3] == ["  cause       rescale.frame", "  proof       seen once"]
        assert patched[2] == "  fix         correct it"


class TestBoxes:
    class Traces(Toy):
        """Has no post-process of its own to run."""

        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            raise NotImplementedError

        def trace(self, image: Image) -> Trace:
            values = {name: getattr(self, name) for name in ("name", "gain", "offset", "pad")}
            return replace(Toy(**values).trace(image), source=self)

    def test_right_boxes_of_a_side_that_only_traces_are_no_fault(self) -> None:
        reference = seen(Toy())
        candidate = replace(seen(self.Traces(name="port", offset=-0.05)), detections=reference.detections)
        assert judged(only(reference, candidate)) == ("probability_map", UNKNOWN)

    def test_other_boxes_of_another_map_are_blamed_on_the_map(self) -> None:
        assert judged(only(seen(Toy()), seen(self.Traces(name="port", offset=-0.05, pad=9)))) == (
            "probability_map",
            UNKNOWN,
        )

    def test_other_boxes_of_the_same_map_are_a_fault_of_their_own(self) -> None:
        diagnosis = only(seen(Toy()), seen(self.Traces(name="port", pad=9)))
        assert judged(diagnosis) == ("detections", UNKNOWN)
        assert says(diagnosis.not_tried, "train's map through the post-process of port, which can't be run by itself")

    def test_boxes_that_were_moved_within_the_limits_after_the_post_process_are_no_fault(self) -> None:
        reference, candidate = seen(Toy()), seen(Toy(name="port"))
        shifted = moved(candidate.detections, lambda _, polygon: polygon + 0.25)
        lab = Laboratory(Comparisons(reference, replace(candidate, detections=shifted), BUILT_IN), 60)
        assert examine_boxes(lab) == []
        assert (lab.ruled_out, lab.not_tried) == ([], [])

    def test_boxes_that_were_moved_further_are_one(self) -> None:
        reference, candidate = seen(Toy(), SPREAD), seen(Toy(name="port"), SPREAD)
        shifted = moved(candidate.detections, lambda _, polygon: polygon + 9)
        assert judged(only(reference, replace(candidate, detections=shifted))) == ("detections", "rescale.offset")

    def test_a_fault_of_parameters_and_one_of_coordinates_are_told_apart(self) -> None:
        class Shifts(Varied):
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                return moved(
                    super().postprocess(probability_map, shape), lambda _, polygon: polygon + np.array([12, 20])
                )

        reference = seen(Toy(gain=1.0), SPREAD)
        candidate = seen(Shifts(name="port", gain=1.0, box_thresh=0.72), SPREAD)
        assert reference.detections is not None and candidate.detections is not None
        assert len(candidate.detections) < len(reference.detections)
        found = diagnose(reference=reference, candidate=candidate)
        assert [judged(each) for each in found] == [
            ("detections", "postprocess.box_thresh"),
            ("detections", "rescale.offset"),
        ]
        assert found[1].summary == "boxes of port are shifted by x +12.0, y +20.0 px"


class TestCoordinates:
    def test_recorded_boxes_show_their_cause_without_a_pipeline_to_run(self) -> None:
        reference = seen(Toy(), SPREAD)
        shifted = moved(reference.detections, lambda _, polygon: polygon + np.array([12, 20]))
        diagnosis = only(reference, replace(reference, pipeline="port", source=None, detections=shifted))
        assert judged(diagnosis) == ("detections", "rescale.offset")
        assert diagnosis.summary == "boxes of port are shifted by x +12.0, y +20.0 px"

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda i, p: np.vstack([p, p[:1] + 9]) if i == 0 else p + 9, id="another_number_of_points"),
            pytest.param(lambda i, p: p * np.nan if i == 0 else p, id="not_finite"),
            pytest.param(lambda i, p: p + 12 if i == 1 else p, id="one_box_moved"),
            pytest.param(lambda i, p: (160, 96) - p, id="mirrored"),
        ],
    )
    def test_boxes_that_are_no_scaled_copy_stay_unknown(self, change: Callable[[int, Array], Array]) -> None:
        class Moves(Toy):
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                return moved(super().postprocess(probability_map, shape), change)

        diagnosis = only(seen(Toy(), SPREAD), seen(Moves(name="port"), SPREAD))
        assert judged(diagnosis) == ("detections", UNKNOWN)
        assert says(diagnosis.tried, "rescale: no int16 wrap, frame, order of x and y, offset or ratio")
        assert diagnosis.ruled_out == ()


class TestFiltering:
    THIN = page(96, 160, ((8, 8, 40, 10), (60, 30, 84, 42), (110, 60, 140, 74)))

    class Filters(Toy):
        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            made = super().postprocess(probability_map, shape)
            assert made.scores is not None
            kept = [i for i, polygon in enumerate(made.polygons) if self.is_kept(polygon, probability_map)]
            return Detections(tuple(made.polygons[i] for i in kept), made.scores[kept])

        def is_kept(self, polygon: Array, probability_map: Array) -> bool:
            return bool(np.ptp(polygon, axis=0).min() >= 4)

    class OnlyItsOwnSize(Filters):
        def is_kept(self, polygon: Array, probability_map: Array) -> bool:
            if probability_map.shape[-1] != 160:
                raise ValueError("a fixed size")
            return super().is_kept(polygon, probability_map)

    class DropsFirst(Filters):
        def is_kept(self, polygon: Array, probability_map: Array) -> bool:
            return bool(polygon[0, 1] > 8)

    class KeepsLarge(Filters):
        def is_kept(self, polygon: Array, probability_map: Array) -> bool:
            return bool(np.ptp(polygon, axis=0).min() > 10)

    class ByLength(Filters):
        """Drops by the long side, which on this page drops the same."""

        def is_kept(self, polygon: Array, probability_map: Array) -> bool:
            return bool(np.ptp(polygon, axis=0).max() != 32)

    def test_a_filter_of_another_size_is_named_with_it(self) -> None:
        diagnosis = only(seen(Toy(pad=0), self.THIN), seen(self.KeepsLarge(name="port", pad=0), self.THIN))
        assert judged(diagnosis) == ("detections", "postprocess.filter")
        assert says((diagnosis.summary,), "port drops boxes by their shorter side: those of up to ")

    def test_small_boxes_dropped_here_and_on_a_drawn_map_are_the_filter(self) -> None:
        diagnosis = only(seen(Toy(pad=0), self.THIN), seen(self.Filters(name="port", pad=0), self.THIN))
        assert judged(diagnosis) == ("detections", "postprocess.filter")

    @pytest.mark.parametrize("wrong", [OnlyItsOwnSize, DropsFirst, ByLength])
    def test_what_the_drawn_map_does_not_confirm_is_not_called_the_filter(self, wrong: type[Toy]) -> None:
        diagnosis = only(seen(Toy(pad=0), self.THIN), seen(wrong(name="port", pad=0), self.THIN))
        assert judged(diagnosis) == ("detections", UNKNOWN)
        assert says(diagnosis.tried, "rescale: ")


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
            (By64Min, "resize.limits", "port resizes to 128x64, which 64/min gives; train to 96x32, by 96/max"),
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


class Changes(Toy):
    """Computes another tensor."""

    def changed(self, tensor: Array) -> Array:
        raise NotImplementedError

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        return replace(trace, tensor=np.ascontiguousarray(self.changed(trace.tensor), np.float32))


class Spoils(Changes):
    def changed(self, tensor: Array) -> Array:
        return np.asarray(tensor + np.linspace(0, 1, tensor.shape[3]) ** 2)


class Stretches(Changes):
    def changed(self, tensor: Array) -> Array:
        return np.asarray(tensor * np.float32(1.00005))


class Scales(Changes):
    def changed(self, tensor: Array) -> Array:
        return np.asarray(tensor.astype(np.float64) * 2 + 0.5)


class ChannelsLast(Changes):
    def changed(self, tensor: Array) -> Array:
        return tensor.transpose(0, 2, 3, 1)

    def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return super().infer(tensor if tensor.shape[1] == 3 else tensor.transpose(0, 3, 1, 2))


class TestNormalizing:
    def test_a_grey_page_cannot_show_the_channel_order(self) -> None:
        diagnosis = only(seen(Toy(), GREY), seen(Spoils(name="port"), GREY))
        assert judged(diagnosis) == ("tensor", UNKNOWN)
        assert "decode.channel_order: this page is grey and can't show it" in diagnosis.not_tried

    def test_a_tensor_of_another_shape_is_fitted_by_its_axes_alone(self) -> None:
        diagnosis = only(seen(Toy(), RAMP), seen(ChannelsLast(name="port"), RAMP))
        assert judged(diagnosis) == ("tensor", "layout.axes")
        assert says(diagnosis.evidence, "with its axes permuted to (0, 3, 1, 2), port's tensor is train's")

    def test_a_fit_that_is_as_good_as_equal_is_no_other_normalisation(self) -> None:
        diagnosis = only(seen(Toy(), RAMP), seen(Stretches(name="port"), RAMP))
        assert judged(diagnosis) == ("tensor", UNKNOWN)
        assert "layout.axes: no order of the axes turns one tensor into the other" in diagnosis.tried
        assert not says(diagnosis.tried, "normalize")

    @pytest.mark.parametrize("parameters", [{}, None], ids=["not recorded", "recorded"])
    def test_numbers_that_no_normalisation_has_are_told_and_not_blamed(self, parameters: Any) -> None:
        reference = seen(Toy(), RAMP)
        reference = reference if parameters is None else replace(reference, parameters=parameters)
        diagnosis = only(reference, seen(Scales(name="port"), RAMP))
        assert (*judged(diagnosis), diagnosis.fix) == ("tensor", UNKNOWN, None)
        told = "port's tensor is [2.0, 2.0, 2.0] x train's + [0.5, 0.5, 0.5] by channel, exactly"
        assert says(diagnosis.evidence, told)

    @pytest.mark.parametrize(("again", "cause"), [(True, "normalize.twice"), (False, UNKNOWN)])
    def test_normalising_twice_is_told_from_a_change_of_contrast(self, again: bool, cause: str) -> None:
        class Twice(Changes):
            def changed(self, tensor: Array) -> Array:
                toy = Toy()
                return np.asarray((tensor - toy.mean) / toy.std if again else tensor * 0.9 + 0.05)

        diagnosis = only(seen(Toy(), RAMP), seen(Twice(name="port"), RAMP))
        assert judged(diagnosis) == ("tensor", cause)
        assert (diagnosis.fix is not None) == again


class TestPreprocessing:
    def test_a_trace_that_its_own_side_does_not_make_again_stays_unknown(self) -> None:
        candidate = seen(Toy(name="port"))
        assert candidate.tensor is not None
        diagnosis = only(seen(Toy()), replace(candidate, tensor=candidate.tensor + np.float32(0.5)))
        assert judged(diagnosis) == ("tensor", UNKNOWN)
        assert "port's trace holds another tensor than its preprocess() returns" in diagnosis.evidence

    def test_a_side_without_a_source_cannot_be_run_again(self) -> None:
        diagnosis = diagnose(reference=seen(Toy()), candidate=replace(seen(Toy(name="port", mean=0.4)), source=None))[0]
        assert judged(diagnosis) == ("tensor", UNKNOWN)
        told = "experiments that run the preprocessing of port: it can't be run again on this image"
        assert diagnosis.not_tried == (told, "port with other mean: this pipeline has no varied()")
        assert says(diagnosis.tried, "layout.axes: ")

    def test_an_image_that_is_gone_cannot_be_run_again(self) -> None:
        diagnosis = diagnose(reference=Toy().trace(PAGE), candidate=Toy(name="port", mean=0.4).trace(PAGE))[0]
        assert judged(diagnosis) == ("tensor", UNKNOWN)
        assert says(diagnosis.not_tried, "experiments that run the preprocessing of port: page.png is no file")


class TestPatchedCandidate:
    class Damps(Toy):
        def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            return np.asarray(super().infer(tensor) * 0.9, np.float32)

        def other_engines(self) -> Iterator[Alternative]:
            yield Alternative("engine.onednn", "oneDNN off", super().infer)

    @pytest.mark.parametrize(
        ("wrong", "cause"),
        [(Damps(name="port"), "engine.onednn"), (Varied(name="port", mean=0.4), "normalize.mean_std")],
        ids=["network", "tensor"],
    )
    def test_a_patched_candidate_is_run_on_the_next_image(self, wrong: Toy, cause: str) -> None:
        cache, right = DiagnosisCache(60), Toy()
        found: list[Diagnosis] = []
        for image in (PAGE, SPREAD):
            traces = seen(right, image), replace(seen(wrong, image), image=f"{image.shape[1]} px wide")
            found += cache.diagnose(Comparisons(*traces, BUILT_IN))
        assert [each.cause for each in found] == [cause, cause]
        (told,) = found[1].evidence
        assert told.startswith("found on 96 px wide; here as well the stage differs unless it is put right")


class TestLeaks:
    class Leaks(Toy):
        def leaked(self) -> Mapping[str, str]:
            return {"img_mode": "decode"}

    class LeaksForGood(Leaks):
        def without_leak(self) -> Toy:
            raise RuntimeError("can't be built")

    @pytest.mark.parametrize(
        ("side", "not_tried"),
        [(Leaks, []), (LeaksForGood, ["leaked and without_leak of train: RuntimeError: can't be built"])],
    )
    def test_a_leak_that_cannot_be_taken_out_is_not_blamed(self, side: type[Toy], not_tried: list[str]) -> None:
        lab = Laboratory(Comparisons(seen(side()), seen(Varied(name="port", img_mode="RGB")), BUILT_IN), 60)
        found = list(diagnose(reference=lab.reference, candidate=lab.candidate))
        assert [judged(each) for each in found] == [("decode", "decode.channel_order")]
        assert examine_leaks(lab, found) is found
        assert lab.not_tried == not_tried


class TestBorderline:
    def sides(self) -> tuple[Trace, Trace]:
        reference = Toy().trace(SPREAD)
        assert reference.detections is not None and reference.detections.scores is not None
        thresh = float(reference.detections.scores.min()) - 1e-5
        port = Toy(name="port", box_thresh=thresh, offset=-5e-5)
        return Toy(box_thresh=thresh).trace(SPREAD), port.trace(SPREAD)

    def test_boxes_moved_after_the_post_process_are_explained_by_no_map(self) -> None:
        reference, candidate = self.sides()
        explained = Comparisons(reference, candidate, BUILT_IN).of("detections")
        assert (explained.is_match, explained.counts["borderline"]) == (True, 1)
        shifted = moved(candidate.detections, lambda _, polygon: polygon + 5)
        comparison = Comparisons(reference, replace(candidate, detections=shifted), BUILT_IN).of("detections")
        assert (comparison.is_match, comparison.counts["borderline"]) == (False, 0)

    def test_boxes_recorded_without_a_map_count_as_its_own(self) -> None:
        reference, candidate = self.sides()
        maps = Comparisons(reference, candidate, BUILT_IN).of("probability_maps")
        findings = Comparisons(reference, candidate, BUILT_IN).of("detections").boxes
        unmarked = tuple(replace(finding, is_borderline=False) for finding in findings)
        marked = mark_borderline(reference, replace(candidate, probability_map=None), maps, unmarked, False)
        assert [(finding.kind, finding.is_borderline) for finding in marked] == [("missing", True)]


@pytest.mark.parametrize("refused", ["train", "inference"])
def test_no_experiment_takes_the_memory_that_a_side_was_refused(refused: str) -> None:
    """Nor does the number of such images count: each has the same message."""
    sides = {name: Toy(name=name) for name in ("train", "inference")}
    traces = {name: seen(side) for name, side in sides.items()}
    error = NotEnoughMemory("probability_map", "it would take an estimated 9.0 GB of memory")
    traces[refused] = replace(traces[refused], probability_map=None, detections=None, error=error)
    runs = sides["train"].runs, sides["inference"].runs
    reference, candidate = traces["train"], traces["inference"]
    told = f"{refused} did not run, and no experiment was made, for want of memory"
    assert only(reference, candidate).summary == told
    cache = DiagnosisCache(60)
    for number in range(5):
        again = replace(reference, image=f"{number}.png"), replace(candidate, image=f"{number}.png")
        (diagnosis,) = cache.diagnose(Comparisons(*again, BUILT_IN))
        assert (diagnosis.cause, diagnosis.summary) == (UNKNOWN, told)
    assert (sides["train"].runs, sides["inference"].runs) == runs
    other = replace(candidate, error=StageError("probability_map", "it broke"), probability_map=None, detections=None)
    assert cache.diagnose(Comparisons(seen(sides["train"]), other, BUILT_IN))[0].summary != told
