"""What was found on one image is proved again on the next, and handed on to none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import (
    OTHER_PAGE,
    PAGES,
    RAMP,
    SPREAD,
    WORDS,
    Array,
    Squares,
    Varied,
    all_judged,
    boxes,
    each_moved,
    found_by,
    on,
    on_spread,
    seen,
)
from layered import LayeredTrained, layered_export
from networks import NO_BIAS, WEIGHTS, Exported, Network, OneSize, Trained, export_with, of_one_size
from resizing_toy import Resizes
from toy import PAGE, Toy, page

from pytest_ocrparity import Detections, DifferenceError, Trace, assert_same_detections
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.laboratory import Laboratory
from pytest_ocrparity.diagnose.layers import FEATURE_MAPS
from pytest_ocrparity.diagnosis import UNKNOWN, Alternative, Diagnosis
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Decoded, Image, Shape


def is_confirmed(diagnosis: Diagnosis) -> bool:
    """Return whether a diagnosis was found on another image and proved again on its own."""
    return diagnosis.evidence[:1] != () and diagnosis.evidence[0].startswith("found on page 0; here as well")


def remembered(cache: DiagnosisCache, reference: Trace, candidate: Trace) -> tuple[Diagnosis, ...]:
    return cache.diagnose(Comparisons(reference, candidate, BUILT_IN))


def causes(found: tuple[Diagnosis, ...]) -> list[str]:
    return [each.cause for each in found]


class Spoils(Toy):
    """Stores a NaN; on OTHER_PAGE its map is finite, and wrong all the same."""

    def infer(self, tensor: Array) -> Array:
        made = super().infer(tensor)
        return made**2 if tensor.shape[2:] == OTHER_PAGE.shape[:2] else np.full_like(made, np.nan)

    def stored_weights(self) -> Mapping[str, Array]:
        return {"conv2d_0.w_0": np.array([1.0, np.nan])}


class VariesAndSpoils(Varied, Spoils):
    """As above, with another parameter as well."""


class Dims(Toy):
    """Its engine dims the map; on OTHER_PAGE its program does so too."""

    def infer(self, tensor: Array) -> Array:
        return super().infer(tensor) * np.float32(0.8)

    def other_engines(self) -> Iterator[Alternative]:
        def run(tensor: Array) -> Array:
            is_other = tensor.shape[2:] == OTHER_PAGE.shape[:2]
            return self.infer(tensor) if is_other else Toy.infer(self, tensor)

        yield Alternative("engine.onednn", "oneDNN off", run)


class VariesAndBlots(Varied):
    """Has another parameter; on OTHER_PAGE there is ink on its tensor as well."""

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        assert trace.tensor is not None
        is_other = trace.tensor.shape[2:] == OTHER_PAGE.shape[:2]
        blot = np.float32(0.3 if is_other else 0) * (np.arange(trace.tensor.shape[3]) % 7 == 0).astype(np.float32)
        return replace(trace, tensor=trace.tensor + blot)


class Races(Toy):
    def infer(self, tensor: Array) -> Array:
        self.runs += 1
        return super().infer(tensor) * np.float32(0.9 / (1 + self.runs % 5))


class TestTheCache:
    def test_no_time_means_no_diagnosis(self) -> None:
        assert remembered(DiagnosisCache(0), on(Toy()), on(Squares(name="port"))) == ()

    @pytest.mark.parametrize("strict", [False, True])
    def test_a_fault_of_a_diagnosis_hides_nothing_but_from_its_own_tests(
        self, monkeypatch: pytest.MonkeyPatch, strict: bool
    ) -> None:
        def faulty(lab: Laboratory) -> list[Diagnosis]:
            raise KeyError("transforms")

        monkeypatch.setattr(DiagnosisCache, "strict", strict)
        monkeypatch.setattr("pytest_ocrparity.diagnose.cache.examine", faulty)
        cache, reference, candidate = DiagnosisCache(60), on(Toy()), on(Squares(name="port"))
        if strict:
            with pytest.raises(KeyError, match="transforms"):
                remembered(cache, reference, candidate)
        else:
            (found,) = remembered(cache, reference, candidate)
            assert (found.cause, found.summary) == ("unknown", "the diagnosis stopped: KeyError: 'transforms'")

    def test_an_image_is_looked_at_once(self) -> None:
        cache, reference, candidate = DiagnosisCache(60), on(Toy()), on(Squares(name="port"))
        first, second = (remembered(cache, reference, candidate) for _ in range(2))
        assert first[0] is second[0]

    def test_traces_of_other_parameters_alone_are_looked_at_apart(self) -> None:
        cache, reference, candidate = DiagnosisCache(60), on(Toy()), on(Squares(name="port"))
        other = replace(candidate, parameters={**candidate.parameters, "detections": {"thresh": 0.4}})
        first, second, third = (remembered(cache, reference, each) for each in (candidate, other, other))
        assert first[0] is not second[0] and second[0] is third[0]

    def test_what_stays_unknown_is_looked_for_on_three_images_only(self) -> None:
        cache, train, port = DiagnosisCache(60), Toy(), Squares(name="port")
        *first, last = [
            remembered(cache, on(train, pixels, f"page {index}"), on(port, pixels, f"page {index}"))
            for index, pixels in enumerate(PAGES)
        ]
        told = "the same tensor gives another map, and no experiment explained it"
        assert [found.summary for (found,) in first] == [told] * 3
        assert last[0].summary == "budget spent: this run has made 3 diagnoses of such a failure"
        told = "experiments on this image; what was found on page 0, page 1, page 2 was not confirmed on it"
        assert last[0].not_tried == (told,)

    @pytest.mark.parametrize(
        ("train", "port", "expected"),
        [
            (Toy(), Varied(name="port", mean=0.4), ["normalize.mean_std"]),
            (Toy(), Dims(name="port"), ["engine.onednn"]),
            (Toy(), Races(name="port"), ["engine.not_repeatable"]),
            (Toy(), Spoils(name="port"), ["network.not_finite"]),
            (Toy(), VariesAndSpoils(name="port", mean=0.4), ["normalize.mean_std", "network.not_finite"]),
            (Trained(), export_with(head_b=NO_BIAS), ["network.weights"]),
        ],
        ids=["parameter", "engine", "chance", "not finite", "parameter and not finite", "weights"],
    )
    def test_a_known_cause_is_confirmed_on_another_image(self, train: Toy, port: Toy, expected: list[str]) -> None:
        cache = DiagnosisCache(60)
        for index, pixels in enumerate(PAGES[:2]):
            found = remembered(cache, on(train, pixels, f"page {index}"), on(port, pixels, f"page {index}"))
            assert causes(found) == expected
            # What is random is shown anew on each image, by an experiment of its own.
            is_proved_anew = index == 0 or expected == ["engine.not_repeatable"]
            assert [is_confirmed(each) for each in found] == [not is_proved_anew] * len(found)

    @pytest.mark.parametrize(
        ("port", "before", "after"),
        [
            (VariesAndBlots(name="port", mean=0.4), ["normalize.mean_std"], ["unknown"]),
            (Spoils(name="port"), ["network.not_finite"], ["unknown"]),
            (Dims(name="port"), ["engine.onednn"], ["unknown"]),
        ],
        ids=["tensor", "explains", "engine"],
    )
    def test_a_known_cause_is_not_confirmed_where_another_fault_shows(
        self, port: Toy, before: list[str], after: list[str]
    ) -> None:
        cache, train = DiagnosisCache(60), Toy()
        assert causes(remembered(cache, on(train), on(port))) == before
        found = remembered(cache, on(train, OTHER_PAGE, "page 1"), on(port, OTHER_PAGE, "page 1"))
        assert causes(found)[:1] == after
        assert not any(is_confirmed(each) for each in found)

    def test_a_network_that_stops_is_confirmed_by_stopping_again(self) -> None:
        cache, train, port = DiagnosisCache(60), Toy(), OneSize(name="port")
        for index, pixels in enumerate((OTHER_PAGE, page(128, 96, ((8, 8, 60, 20), (8, 70, 60, 90))))):
            reference, name = on(train, pixels, f"page {index}"), f"page {index}"
            found = remembered(cache, reference, of_one_size(port, pixels, name))
            assert causes(found) == ["network.fixed_shape"]
        assert is_confirmed(found[0])

    def test_a_reference_without_a_network_confirms_by_the_tensor(self) -> None:
        cache, train, port = DiagnosisCache(60), Toy(), Varied(name="port", mean=0.4)
        for index, pixels in enumerate(PAGES[:2]):
            reference = replace(on(train, pixels, f"page {index}"), probability_map=None, detections=None)
            found = remembered(cache, reference, on(port, pixels, f"page {index}"))
            assert causes(found) == ["normalize.mean_std"]
        assert is_confirmed(found[0])

    def test_nothing_is_confirmed_without_time(self) -> None:
        cache, train, port = DiagnosisCache(60), Toy(), Varied(name="port", mean=0.4)
        assert causes(remembered(cache, on(train), on(port))) == ["normalize.mean_std"]
        cache.seconds = 1e-9
        (found,) = remembered(cache, on(train, PAGES[1], "page 1"), on(port, PAGES[1], "page 1"))
        assert (found.cause, found.summary) == ("unknown", "budget spent")


OTHER = page(96, 192, ((10, 10, 40, 20), (80, 40, 110, 52), (150, 60, 180, 74), (20, 76, 44, 88)))
TWO_PAGES = (SPREAD, OTHER)


class TestNothingIsHandedOn:
    """A1, A2: what was found on one page, of one engine, is said of no other."""

    def test_plain_polygons_of_two_pages_are_two_matters(self) -> None:
        cache = DiagnosisCache(60)
        summaries = []
        for image, shift in zip(TWO_PAGES, (40, 32), strict=True):
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
        with pytest.raises(
            DifferenceError, match=r"^tests/unit/diagnose/test_cache\.py::.*no_image_is_known: detections: "
        ):
            assert_same_detections(plain, [polygon + 40 for polygon in plain])

    def test_two_engines_of_one_name_without_a_source_are_two_matters(self) -> None:
        cache = DiagnosisCache(60)
        found: list[Diagnosis] = []
        for change in (lambda p: p[:, ::-1], lambda p: p + 5):
            made = on_spread(Toy(name="port"))
            assert made.detections is not None
            candidate = Trace(pipeline="port", image="page 0", detections=each_moved(made.detections, change))
            found += found_by(cache, on_spread(Toy()), candidate)
        assert [each.cause for each in found] == ["rescale.axes", "rescale.offset"]

    def test_another_fault_on_another_page_is_not_what_was_found_on_the_first(self) -> None:
        class Shifts(Toy):
            def postprocess(self, probability_map: npt.NDArray[np.float32], shape: Shape) -> Detections:
                return each_moved(super().postprocess(probability_map, shape), lambda p: p + shape[1] / 16)

        cache, train, port = DiagnosisCache(60), Toy(), Shifts(name="port")
        first = found_by(cache, on_spread(train), on_spread(port))
        second = found_by(cache, on_spread(train, OTHER, "page 1"), on_spread(port, OTHER, "page 1"))
        assert "x +10.0, y +10.0" in first[0].summary
        assert "x +12.0, y +12.0" in second[0].summary
        assert "page 0" not in " ".join(second[0].evidence)

    def test_the_same_fault_is_proved_again_and_only_where_it_shows(self) -> None:
        cache, train, port = (
            DiagnosisCache(60),
            Toy(gain=1.0),
            Varied(name="port", gain=1.0, mean=0.49, box_thresh=0.72),
        )
        assert all_judged(found_by(cache, on_spread(train), on_spread(port))) == [
            ("tensor", "normalize.mean_std"),
            ("detections", "postprocess.box_thresh"),
        ]
        bright = page(96, 192, ((10, 10, 40, 20),))  # above either box_thresh
        again = found_by(cache, on_spread(train, bright, "page 1"), on_spread(port, bright, "page 1"))
        assert all_judged(again) == [("tensor", "normalize.mean_std")]
        assert again[0].evidence[0].startswith("found on page 0; here as well the stage differs unless it is put right")


BRIGHT = 1.0
"""A value of the tensor that words of a page in full light have, and words of DIM have not."""
DIM = np.minimum(PAGES[1], 150)


class Gated(Network):
    """Its bias acts on bright pixels alone; the others have the bias of the training."""

    def run(self, tensor: Array) -> Array:
        others = Network({**self.weights, "conv2d_1.b_0": WEIGHTS["conv2d_1.b_0"]}).run(tensor)
        return np.where(tensor.max(axis=1, keepdims=True) > BRIGHT, super().run(tensor), others)


class VariesWithWeights(Varied, Exported):
    """Has another parameter, and other weights."""


class VariesAndDimsLight(Varied):
    """Has another parameter, and an engine that dims what is bright."""

    def infer(self, tensor: Array) -> Array:
        is_bright = tensor.max(axis=1, keepdims=True) > BRIGHT
        return np.asarray(super().infer(tensor) * np.where(is_bright, np.float32(0.8), np.float32(1)))

    def other_engines(self) -> Iterator[Alternative]:
        yield Alternative("engine.onednn", "oneDNN off", lambda tensor: Toy.infer(self, tensor))


class LoadsAndRounds(Toy):
    """Loads other pixels than a file holds, and rounds its tensor to float16."""

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image if isinstance(image, np.ndarray) else np.load(image) ^ np.uint8(16))
        assert trace.tensor is not None
        rounded = trace.tensor.astype(np.float16).astype(np.float32)
        return replace(trace, tensor=rounded, image="page.png" if isinstance(image, np.ndarray) else str(image))


class TestWhatDoesNothingOnAFurtherImage:
    """A cause whose stage differs there by another cause alone is not stated again."""

    @pytest.mark.parametrize(
        ("train", "port", "cause"),
        [
            (
                Trained(network=Gated()),
                VariesWithWeights(name="port", mean=0.4, network_run=Gated({**WEIGHTS, "conv2d_1.b_0": NO_BIAS})),
                "network.weights",
            ),
            (Toy(), VariesAndDimsLight(name="port", mean=0.4), "engine.onednn"),
        ],
        ids=["weights", "engine"],
    )
    @pytest.mark.parametrize(("pixels", "acts"), [(DIM, False), (PAGES[1], True)], ids=["dim", "bright"])
    def test_a_network(
        self, train: Toy, port: Toy, cause: str, pixels: Array, acts: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cache, labs = DiagnosisCache(60), []

        def made(*given: Any, **named: Any) -> Laboratory:
            labs.append(Laboratory(*given, **named))
            return labs[-1]

        monkeypatch.setattr("pytest_ocrparity.diagnose.cache.Laboratory", made)
        assert causes(found_by(cache, on(train), on(port))) == ["normalize.mean_std", cause]
        found = found_by(cache, on(train, pixels, "page 1"), on(port, pixels, "page 1"))
        assert causes(found) == ["normalize.mean_std"] + [cause] * acts
        assert all(is_confirmed(each) for each in found)
        assert labs[-1].budget.runs <= 2

    @pytest.mark.parametrize(
        ("pixels", "acts"),
        [(np.where(PAGES[1] > 60, np.uint8(255), np.uint8(0)), False), (PAGES[1], True)],
        ids=["numbers of float16", "others"],
    )
    def test_what_the_reference_is_compared_with_in_its_way(self, pixels: Array, acts: bool, tmp_path: Path) -> None:
        cache, train, port, found = DiagnosisCache(60), Toy(), LoadsAndRounds(name="port"), []
        for path, each in ((tmp_path / "page 0.npy", PAGE), (tmp_path / "page 1.npy", pixels)):
            np.save(path, each)
            found.append(found_by(cache, seen(train, path), seen(port, path)))
        assert causes(found[0]) == ["decode.pixels", "normalize.precision"]
        assert causes(found[1]) == ["decode.pixels", "normalize.precision"][: 1 + acts]
        assert all(each.evidence[0].startswith(f"found on {tmp_path / 'page 0.npy'}; here as") for each in found[1])


class Letterbox(Resizes):
    """Puts the page into a square of one colour."""

    def preprocess(self, image: Image) -> Trace:
        pixels = np.asarray(image)
        height, width = pixels.shape[:2]
        square = np.full((max(height, width), max(height, width), 3), 114, np.uint8)
        top = (square.shape[0] - height) // 2
        square[top : top + height] = pixels
        shape = (float(height), float(width), 1.0, 1.0)
        return replace(Toy.preprocess(self, square), decode=Decoded.of(pixels, "BGR"), shape=shape)


class TestNumbersOfAnotherImage:
    """The first line of a message says no number of another image as one of its own."""

    def test_are_said_to_be_of_that_image(self) -> None:
        cache, train, port = DiagnosisCache(60), Resizes(), Letterbox(name="port")
        told = []
        for index, width in enumerate((160, 256)):
            pixels, name = page(96, width, WORDS), f"page {index}"
            (found,) = found_by(cache, on(train, pixels, name), on(port, pixels, name))
            assert found.cause == "resize.padding"
            told.append(found)
        assert "x 0, y 32 of 160x160" in told[0].summary
        assert told[1].summary == f"as on page 0, where {told[0].summary}"
        assert is_confirmed(told[1])
        assert told[1].fix == told[0].fix

    def test_while_those_of_a_side_are_said_as_they_are(self) -> None:
        cache, train, port = DiagnosisCache(60), Toy(), Varied(name="port", mean=0.4)
        for index in (0, 1):
            name = f"page {index}"
            (found,) = found_by(cache, on(train, PAGES[index], name), on(port, PAGES[index], name))
            assert is_confirmed(found) == bool(index)
            assert found.summary == "mean [0.5, 0.5, 0.5] in train, [0.4, 0.4, 0.4] in port"


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
            image = TWO_PAGES[index % 2] if index < 2 else page(96, 160 + 32 * index, WORDS)
            found = found_by(cache, on_spread(train, image, f"page {index}"), on_spread(port, image, f"page {index}"))
            assert all_judged(found) == expected
        assert found[0].evidence[0].startswith("found on page 0")
        assert found[1].summary.startswith("as on page 0, where ")
        assert found[1].not_tried == ("the experiments that were made on page 0, which explained nothing there",)
        assert [len(entries) for entries in cache.known.values()] == [1]


class TestVariedIsControlled:
    """Nothing is concluded from `varied()` where its own parameters do not give the same side again."""

    def test_an_exit_of_a_port_does_not_hide_the_difference(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Exits(Toy):
            def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Toy:
                raise SystemExit(0)

        monkeypatch.setattr(DiagnosisCache, "strict", False)
        with pytest.raises(DifferenceError, match="the diagnosis stopped: SystemExit: 0"):
            assert_same_detections(on_spread(Toy(gain=1.0)), on_spread(Exits(name="port", gain=1.0, box_thresh=0.72)))


def test_each_diagnosis_that_begins_is_announced_once() -> None:
    said: list[str] = []
    cache = DiagnosisCache(60, announce=said.append)
    traces = Toy().trace(PAGE), Toy(name="port", pad=9).trace(PAGE)
    for _ in range(2):
        cache.diagnose(Comparisons(*traces, BUILT_IN))
    assert said == ["page.png"]


def test_feature_maps_are_those_of_the_image_on_which_the_layer_was_found() -> None:
    cache, train, export = DiagnosisCache(60), LayeredTrained(), layered_export(bias=0.05)
    found = [
        found_by(cache, on(train, page, name), on(export, page, name)) for name, page in (("a", PAGE), ("b", RAMP))
    ]
    layers = [[each.layer for each in diagnoses] for diagnoses in found]
    assert layers[0] == layers[1]
    maps = cache.feature_maps(found[0], "a")
    assert maps is not None
    assert (maps.layer, maps.image) == (layers[0][0], "a")
    assert cache.feature_maps(found[1], "b") is None
    assert cache.feature_maps([replace(found[0][0], layer=None)], "a") is None
    assert cache.feature_maps((), "a") is None
    other = replace(maps, layer=replace(maps.layer, name="other"))  # that of the first diagnosis is shown
    cache.histories.setdefault("others", {})[FEATURE_MAPS] = [other]
    two = [replace(found[0][0], layer=each.layer) for each in (other, maps)]
    assert cache.feature_maps(two, "a") is other
    assert cache.feature_maps(two[::-1], "a") is maps


@pytest.mark.parametrize("name", ["steps_around", "feature_maps"])
def test_what_only_a_report_shows_takes_no_cause_with_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: object) -> None:
        raise IndexError("no such channel")

    monkeypatch.setattr(f"pytest_ocrparity.diagnose.layers.{name}", fails)
    cache = DiagnosisCache(60)
    (found,) = found_by(cache, on(LayeredTrained(), PAGE, "a"), on(layered_export(bias=0.05), PAGE, "a"))
    assert found.layer is not None and found.layer.is_proved
    assert found.not_tried[-1].endswith(": IndexError: no such channel")
    assert cache.feature_maps([found], "a") is None


def test_a_fault_before_the_network_has_no_feature_maps() -> None:
    cache = DiagnosisCache(60)
    found = found_by(cache, on(LayeredTrained(), PAGE, "a"), on(layered_export(mean=0.52), PAGE, "a"))
    assert [each.stage for each in found] == ["tensor"]
    assert cache.feature_maps(found, "a") is None
