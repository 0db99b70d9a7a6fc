"""A cause is stated where an experiment showed it on this image and explains what the candidate itself returned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from toy import Toy, page

from pytest_ocrparity import Detections, DifferenceError, Trace, assert_same_detections
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnosis import UNKNOWN, Diagnosis
from pytest_ocrparity.files import image_bytes
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image, Shape

Array: TypeAlias = "npt.NDArray[Any]"

WORDS = ((8, 8, 30, 18), (60, 30, 84, 42), (110, 60, 140, 74), (20, 76, 44, 88))
SPREAD = page(96, 160, WORDS)
OTHER = page(96, 192, ((10, 10, 40, 20), (80, 40, 110, 52), (150, 60, 180, 74), (20, 76, 44, 88)))
PAGES = (SPREAD, OTHER)


def seen(side: Toy, image: Array = SPREAD, name: str = "page 0") -> Trace:
    return replace(side.trace(image), image=name, image_sha256=hashlib.sha256(image_bytes(image)[1]).hexdigest())


def found_by(cache: DiagnosisCache, reference: Trace, candidate: Trace) -> tuple[Diagnosis, ...]:
    comparisons = Comparisons(reference, candidate, BUILT_IN)
    assert not all(each.is_match for each in comparisons.all())
    return cache.diagnose(comparisons)


def causes(found: Sequence[Diagnosis]) -> list[tuple[str, str]]:
    return [(each.stage, each.cause) for each in found]


def boxes(trace: Trace) -> list[Array]:
    assert trace.detections is not None
    return list(trace.detections.polygons)


def moved(detections: Detections, change: Any) -> Detections:
    return Detections(tuple(change(polygon) for polygon in detections.polygons), detections.scores)


class Varied(Toy):
    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
        values = {name: value for table in changes.values() for name, value in table.items()}
        return replace(self, **{name: v[0] if isinstance(v, list) else v for name, v in values.items()})


class TestNothingIsHandedOn:
    """A1, A2: what was found on one page, of one engine, is said of no other."""

    def test_plain_polygons_of_two_pages_are_two_matters(self) -> None:
        cache = DiagnosisCache(60)
        summaries = []
        for image, shift in zip(PAGES, (40, 32), strict=True):
            plain = boxes(Toy().trace(image))
            with pytest.raises(DifferenceError) as error:
                assert_same_detections(plain, [polygon + shift for polygon in plain])
            (diagnosis,) = error.value.diagnoses
            summaries.append(diagnosis.summary)
            traces = [
                Trace(pipeline=side, image="detections", detections=Detections(tuple(polygons)))
                for side, polygons in (("reference", plain), ("candidate", [p + shift for p in plain]))
            ]
            assert found_by(cache, *traces)[0].summary == diagnosis.summary
        assert [each.partition("by ")[2] for each in summaries] == ["x +40.0, y +40.0 px", "x +32.0, y +32.0 px"]

    def test_the_first_line_names_the_test_where_no_image_is_known(self) -> None:
        plain = boxes(Toy().trace(SPREAD))
        with pytest.raises(DifferenceError, match=r"^tests/test_proofs\.py::.*no_image_is_known: detections: "):
            assert_same_detections(plain, [polygon + 40 for polygon in plain])

    def test_two_engines_of_one_name_without_a_source_are_two_matters(self) -> None:
        cache = DiagnosisCache(60)
        found: list[Diagnosis] = []
        for change in (lambda p: p[:, ::-1], lambda p: p + 5):
            made = seen(Toy(name="port"))
            assert made.detections is not None
            candidate = Trace(pipeline="port", image="page 0", detections=moved(made.detections, change))
            found += found_by(cache, seen(Toy()), candidate)
        assert [each.cause for each in found] == ["rescale.axes", "rescale.offset"]

    def test_another_fault_on_another_page_is_not_what_was_found_on_the_first(self) -> None:
        class Shifts(Toy):
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                return moved(super().postprocess(probability_map, shape), lambda p: p + shape[1] / 16)

        cache, train, port = DiagnosisCache(60), Toy(), Shifts(name="port")
        first = found_by(cache, seen(train), seen(port))
        second = found_by(cache, seen(train, OTHER, "page 1"), seen(port, OTHER, "page 1"))
        assert "x +10.0, y +10.0" in first[0].summary
        assert "x +12.0, y +12.0" in second[0].summary
        assert "page 0" not in " ".join(second[0].evidence)

    def test_the_same_fault_is_proved_again_and_only_where_it_shows(self) -> None:
        cache, train, port = (
            DiagnosisCache(60),
            Toy(gain=1.0),
            Varied(name="port", gain=1.0, mean=0.49, box_thresh=0.72),
        )
        assert causes(found_by(cache, seen(train), seen(port))) == [
            ("tensor", "normalize.mean_std"),
            ("detections", "postprocess.box_thresh"),
        ]
        bright = page(96, 192, ((10, 10, 40, 20),))  # above either box_thresh
        again = found_by(cache, seen(train, bright, "page 1"), seen(port, bright, "page 1"))
        assert causes(again) == [("tensor", "normalize.mean_std")]
        assert again[0].evidence[0].startswith("found on page 0; here as well the stage differs unless it is put right")


class TestAClaimExplainsTheCandidatesOwnResult:
    """A3, A14: experiments on the reference's map are not enough."""

    class Pads(Toy):
        """Pads its page below to a square, and maps its boxes back by that square, which is right."""

        def trace(self, image: Image) -> Trace:
            return replace(super().trace(image), parameters={})

        def preprocess(self, image: Image) -> Trace:
            assert isinstance(image, np.ndarray)
            square = np.full((image.shape[1], image.shape[1], 3), 114, np.uint8)
            square[: image.shape[0]] = image
            trace = super().preprocess(square)
            return replace(trace, resize=None, decode=None, shape=(96.0, 160.0, 1.0, 1.0))

        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            return super().postprocess(probability_map, (shape[1], shape[1], 1.0, 1.0))

    def test_boxes_that_are_right_in_their_own_geometry_are_not_said_to_be_scaled(self) -> None:
        found = diagnose(reference=seen(Toy()), candidate=seen(self.Pads(name="port")))
        assert causes(found)[0] == ("resize", UNKNOWN)
        assert not any(each.cause.startswith("rescale.") for each in found)

    def test_the_first_stage_that_differs_heads_the_message(self) -> None:
        class PadsAndDrops(self.Pads):  # type: ignore[name-defined,misc]
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                made = super().postprocess(probability_map, shape)
                return Detections(made.polygons[1:], made.scores[1:])

        with pytest.raises(DifferenceError) as error:
            assert_same_detections(seen(Toy()), seen(PadsAndDrops(name="port")))
        assert "page 0: first difference at tensor: " in str(error.value).splitlines()[0]

    class Wrapped(Varied):
        """Its boxes are changed after the post-process, so that this explains nothing of them."""

        def trace(self, image: Image) -> Trace:
            made = super().trace(image)
            assert made.detections is not None
            return replace(made, detections=Detections(made.detections.polygons[1:], made.detections.scores[1:]))  # type: ignore[index]

    def test_a_whole_that_is_not_its_parts_is_told(self) -> None:
        (found,) = diagnose(reference=seen(Toy()), candidate=seen(self.Wrapped(name="port")))
        assert (found.stage, found.cause) == ("detections", UNKNOWN)
        assert "own post-process makes 4 boxes of its own map, and its trace holds 3 boxes that differ" in found.summary

    class Ignores(Varied):
        """Says that it can be varied, and keeps its own threshold."""

        def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
            return replace(self)

    def test_a_parameter_that_is_ignored_was_not_tried(self) -> None:
        (found,) = diagnose(
            reference=seen(Toy(gain=1.0)), candidate=seen(self.Ignores(name="port", gain=1.0, box_thresh=0.72))
        )
        assert (found.cause, found.ruled_out) == (UNKNOWN, ())
        told = "postprocess.box_thresh: given train's box_thresh, port's varied() keeps its own"
        assert told in found.not_tried

    class Forgets(Varied):
        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            made = super().postprocess(probability_map, shape)
            assert made.scores is not None
            return Detections(made.polygons[1:], made.scores[1:])

    def test_one_of_two_faults_is_not_ruled_out(self) -> None:
        (found,) = diagnose(
            reference=seen(Toy(gain=1.0)), candidate=seen(self.Forgets(name="port", gain=1.0, box_thresh=0.72))
        )
        assert (found.cause, found.ruled_out) == (UNKNOWN, ())
        assert any(text.startswith("postprocess.box_thresh: with train's box_thresh") for text in found.tried)

    def test_a_parameter_that_changes_nothing_here_was_tried(self) -> None:
        """It is not ruled out: a side may say that it runs with another value, and run on with its own."""
        (found,) = diagnose(reference=seen(Toy()), candidate=seen(self.Forgets(name="port", thresh=0.31)))
        assert found.cause == UNKNOWN
        told = "postprocess.thresh: with train's thresh, port's set of boxes does not change"
        assert (found.ruled_out, told in found.tried) == ((), True)

    def test_what_a_side_does_not_declare_is_not_different(self) -> None:
        class SaysLittle(self.Forgets):  # type: ignore[name-defined,misc]
            def trace(self, image: Image) -> Trace:
                made: Trace = super().trace(image)
                return replace(made, parameters={"detections": {"thresh": self.thresh}})

        (found,) = diagnose(reference=seen(Toy()), candidate=seen(SaysLittle(name="port")))
        assert not any("box_type" in text for text in (*found.tried, *found.ruled_out, *found.not_tried))


class TestASideThatCannotBeRun:
    """A6: two tensors and the reference's network are enough for what they can show."""

    def recorded(self, side: Toy, **changes: Any) -> Trace:
        return replace(seen(side), source=None, parameters={}, **changes)

    def test_its_channel_order_shows_in_the_tensors(self) -> None:
        found = diagnose(reference=seen(Toy()), candidate=self.recorded(Toy(name="port", img_mode="RGB"), decode=None))
        assert causes(found) == [("tensor", "decode.channel_order")]

    def test_its_network_is_acquitted_by_the_references_on_its_own_tensor(self) -> None:
        class Blots(Toy):
            def preprocess(self, image: Image) -> Trace:
                trace = super().preprocess(image)
                assert trace.tensor is not None
                return replace(trace, tensor=trace.tensor + (np.arange(160) % 7 == 0).astype(np.float32))

        found = diagnose(reference=seen(Toy()), candidate=self.recorded(Blots(name="port")))
        assert causes(found) == [("tensor", UNKNOWN)]
        text = " ".join(found[0].not_tried + found[0].ruled_out + (found[0].summary,))
        assert "the same tensor gives another map" not in text

    def test_another_network_is_not_acquitted(self) -> None:
        found = diagnose(reference=seen(Toy()), candidate=self.recorded(Toy(name="port", gain=3.0)))
        assert ("probability_map", UNKNOWN) in causes(found)

    def test_without_tensors_no_network_is_blamed(self) -> None:
        found = diagnose(reference=seen(Toy()), candidate=self.recorded(Toy(name="port", mean=0.3), tensor=None))
        told = next(each.summary for each in found if each.stage == "probability_map")
        assert told == "the maps differ, and whether their tensors do is not known"


class TestOneNamedAndOneUnknown:
    """E11: what is known is confirmed although something is not."""

    class MeanAndForgets(Varied):
        runs_of_preprocess = 0

        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            made = super().postprocess(probability_map, shape)
            assert made.scores is not None
            return Detections(made.polygons[1:], made.scores[1:])

    def test_are_confirmed_on_other_images_and_spend_no_whole_diagnosis(self) -> None:
        cache, train, port = DiagnosisCache(60), Toy(), self.MeanAndForgets(name="port", mean=0.4)
        expected = [("tensor", "normalize.mean_std"), ("detections", UNKNOWN)]
        for index in range(5):
            image = PAGES[index % 2] if index < 2 else page(96, 160 + 32 * index, WORDS)
            found = found_by(cache, seen(train, image, f"page {index}"), seen(port, image, f"page {index}"))
            assert causes(found) == expected
        assert found[0].evidence[0].startswith("found on page 0")
        assert found[1].not_tried == ("the experiments that were made on page 0, which explained nothing there",)
        assert [len(entries) for entries in cache.known.values()] == [1]


class TestTwoFaults:
    """E12: the second is looked for with the first undone."""

    class Filters(Varied):
        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            made = super().postprocess(probability_map, shape)
            assert made.scores is not None
            kept = [i for i, polygon in enumerate(made.polygons) if np.ptp(polygon, axis=0).min() > 13]
            return Detections(tuple(made.polygons[i] for i in kept), made.scores[kept])

    @pytest.mark.parametrize("box_thresh", [0.6, 0.705])
    def test_a_threshold_and_a_filter_are_told_apart(self, box_thresh: float) -> None:
        thin = page(96, 160, ((8, 8, 30, 12), (60, 30, 84, 46), (110, 60, 140, 76), (20, 70, 44, 90)))
        reference, candidate = (
            seen(Toy(gain=1.0), thin),
            seen(self.Filters(name="port", gain=1.0, box_thresh=box_thresh), thin),
        )
        found = diagnose(reference=reference, candidate=candidate)
        expected = [("detections", "postprocess.box_thresh")] if box_thresh != 0.6 else []
        assert causes(found) == [*expected, ("detections", "postprocess.filter")]


class Builds(Toy):
    """A reference whose post-process can be built with other values."""

    def postprocess_with(self, values: Mapping[str, Any]) -> Any:
        known = {name: value for name, value in values.items() if name in ("thresh", "box_thresh")}
        if not known:
            raise ValueError("no such value")
        return replace(self, **known).postprocess


class TestValuesOfAPostProcessThatSaysNothing:
    class Silent(Toy):
        def trace(self, image: Image) -> Trace:
            return replace(super().trace(image), parameters={})

    def test_are_found_by_the_references_own_under_them(self) -> None:
        cache, train, port = DiagnosisCache(60), Builds(gain=1.0), self.Silent(name="port", gain=1.0, box_thresh=0.75)
        dim = page(96, 192, (*WORDS, (150, 60, 180, 74)))
        found = found_by(cache, seen(train), seen(port))
        assert causes(found) == [("detections", "postprocess.box_thresh")]
        assert "makes port's boxes: on port's map, on train's, and on a test map that is drawn" in found[0].evidence[0]
        again = found_by(cache, seen(train, dim, "page 1"), seen(port, dim, "page 1"))
        assert causes(again) == [("detections", "postprocess.box_thresh")]

    def test_one_that_no_value_explains_stays_unknown(self) -> None:
        class Forgets(self.Silent):  # type: ignore[name-defined,misc]
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                made = super().postprocess(probability_map, shape)
                return Detections(made.polygons[1:], made.scores[1:])

        (found,) = diagnose(reference=seen(Builds()), candidate=seen(Forgets(name="port")))
        assert (found.cause, found.fix) == (UNKNOWN, None)

    def test_where_values_of_two_parameters_do_neither_is_named(self) -> None:
        class Both(Builds):
            def postprocess_with(self, values: Mapping[str, Any]) -> Any:
                return replace(self, pad=3).postprocess  # whatever is given

        (found,) = diagnose(reference=seen(Both()), candidate=seen(self.Silent(name="port", pad=3)))
        assert (found.cause, found.fix) == (UNKNOWN, None)
        assert sum(text.endswith("gives port's boxes") for text in found.tried) == 3

    def test_boxes_that_are_only_fewer_show_no_rule_where_it_cannot_be_run_again(self) -> None:
        train, port = Builds(gain=1.0), self.Silent(name="port", gain=1.0, box_thresh=0.75)
        found = diagnose(reference=seen(train), candidate=replace(seen(port), source=None))
        assert causes(found) == [("detections", UNKNOWN)]

    def test_boxes_that_its_own_map_does_not_give_are_not_explained(self) -> None:
        class Moves(self.Silent):  # type: ignore[name-defined,misc]
            def trace(self, image: Image) -> Trace:
                made: Trace = super().trace(image)
                assert made.detections is not None
                return replace(made, detections=moved(made.detections, lambda p: p + (p[0, 0] % 7)))

        found = diagnose(reference=seen(Builds(gain=1.0)), candidate=seen(Moves(name="port", gain=1.0, box_thresh=0.7)))
        assert all(each.cause == UNKNOWN for each in found)


class TestVariedIsControlled:
    """Nothing is concluded from `varied()` where its own parameters do not give the same side again."""

    class Wrapper:
        """Adds one step, and hands `varied()` on to what it wraps, so that the step is gone there."""

        def __init__(self, inner: Toy) -> None:
            self.inner, self.name = inner, inner.name

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def preprocess(self, image: Image) -> Trace:
            return replace(self.inner.preprocess(image), source=self)

        def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
            made = self.inner.postprocess(probability_map, shape)
            assert made.scores is not None
            return Detections(made.polygons[1:], made.scores[1:])

        def trace(self, image: Image) -> Trace:
            trace = self.preprocess(image)
            assert trace.tensor is not None and trace.shape is not None
            made = self.inner.infer(trace.tensor)
            boxes = self.postprocess(made, trace.shape)
            return replace(trace, probability_map=made, detections=boxes, parameters=self.inner.parameters)

    def test_a_wrapper_whose_step_is_lost_on_the_way_proves_nothing(self) -> None:
        candidate = seen(self.Wrapper(Varied(name="port", thresh=0.31)))  # type: ignore[arg-type]
        (found,) = diagnose(reference=seen(Toy()), candidate=candidate)
        assert (found.cause, found.fix) == (UNKNOWN, None)
        told = (
            "port with other thresh: with its own parameters given again, varied() returns another side than this one"
        )
        assert told in found.not_tried

    class Changes(Toy):
        def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
            for table in changes.values():
                for name, value in table.items():
                    setattr(self, name, value[0] if isinstance(value, list) else value)
            return self

    def test_a_side_that_changes_itself_is_not_repaired_by_its_diagnosis(self) -> None:
        port = self.Changes(name="port", gain=1.0, box_thresh=0.72)
        candidate = seen(port)
        (found,) = diagnose(reference=seen(Toy(gain=1.0)), candidate=candidate)
        assert found.cause == UNKNOWN
        assert any("its varied() changes the side itself" in text for text in found.not_tried)
        assert port.box_thresh == 0.72

    def test_a_difference_that_does_not_show_in_its_own_result_is_not_stated(self) -> None:
        class Brightens(Varied):
            def infer(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
                return np.asarray(super().infer(tensor) ** np.float32(0.5), np.float32)

        port = Brightens(name="port", gain=1.0, box_thresh=0.72)
        found = diagnose(reference=seen(Toy(gain=1.0)), candidate=seen(port))
        assert not any(each.cause == "postprocess.box_thresh" for each in found)

    def test_a_tensor_with_nan_agrees_with_itself(self) -> None:
        class Divides(Toy):
            def preprocess(self, image: Image) -> Trace:
                trace = super().preprocess(image)
                assert trace.tensor is not None
                tensor = trace.tensor.copy()
                tensor[0, 0, 0, 0] = np.nan
                return replace(trace, tensor=tensor)

        found = diagnose(reference=seen(Toy()), candidate=seen(Divides(name="port")))
        assert not any(each.cause.endswith("not_repeatable") for each in found)

    def test_an_exit_of_a_port_does_not_hide_the_difference(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Exits(Toy):
            def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
                raise SystemExit(0)

        monkeypatch.setattr(DiagnosisCache, "strict", False)
        with pytest.raises(DifferenceError, match="the diagnosis stopped: SystemExit: 0"):
            assert_same_detections(seen(Toy(gain=1.0)), seen(Exits(name="port", gain=1.0, box_thresh=0.72)))


class TestWhatNumbersMayBe:
    RAMP = SPREAD + (np.arange(160, dtype=np.uint8) // 8)[None, :, None]

    class Declares(Toy):
        """Says the reference's mean and std, and halves the contrast about grey."""

        def preprocess(self, image: Image) -> Trace:
            trace = super().preprocess(image)
            assert trace.tensor is not None
            return replace(trace, tensor=np.asarray(trace.tensor * 0.5, np.float32))

    def test_a_contrast_that_looks_like_a_known_std_is_not_blamed_on_what_is_said(self) -> None:
        found = diagnose(reference=seen(Toy(), self.RAMP), candidate=seen(self.Declares(name="port"), self.RAMP))
        assert causes(found)[0] == ("tensor", UNKNOWN)

    def test_numbers_that_are_said_come_before_others_that_fit(self) -> None:
        reference, candidate = (
            seen(Toy(mean=0.5, std=0.5), self.RAMP),
            seen(Toy(name="port", mean=0.75, std=0.25), self.RAMP),
        )
        assert causes(diagnose(reference=reference, candidate=candidate))[0] == ("tensor", "normalize.mean_std")

    def test_boxes_that_are_shifted_and_cut_are_not_called_scaled(self) -> None:
        made = boxes(
            Toy().trace(page(96, 160, ((8, 8, 30, 18), (60, 30, 84, 42), (120, 60, 158, 74), (20, 76, 44, 88))))
        )
        with pytest.raises(DifferenceError) as error:
            assert_same_detections(made, [np.clip(box + np.array([3, 0]), 0, (159, 95)) for box in made], max_shift=1)
        assert [each.cause for each in error.value.diagnoses] == [UNKNOWN]

    def test_equal_boxes_belong_together_by_their_scores(self) -> None:
        box = np.array([[8.0, 8], [30, 8], [30, 18], [8, 18]])
        one, two = (Detections((box, box), np.array(scores)) for scores in ([0.9, 0.6], [0.6, 0.9]))
        assert assert_same_detections(one, two).is_match
        with pytest.raises(DifferenceError):
            assert_same_detections(one, Detections((box, box), np.array([0.6, 0.6])))
