"""The laboratory: which maps and boxes it takes for the same, and which image it runs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnosing import OTHER_PAGE, Squares, Varied, cause_of, digest, on
from toy import PAGE, FusedToy, Toy

from pytest_ocrparity import Trace
from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.compare.probability_maps import compare_probability_maps
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.budget import BudgetSpentError
from pytest_ocrparity.diagnose.laboratory import (
    Laboratory,
    are_equal_maps,
    bgr,
    describe_difference,
    returns_map,
)
from pytest_ocrparity.errors import StageError
from pytest_ocrparity.stages import TENSOR
from pytest_ocrparity.tolerance import BUILT_IN, MAP_LEAST
from pytest_ocrparity.trace import Decoded, Detections, Image


def test_the_maps_agree_where_the_candidates_own_map_is_the_references() -> None:
    reference, same, other = on(Toy()), on(Toy(name="port")), on(Squares(name="port"))
    candidates = same, other, replace(same, probability_map=None)
    labs = [Laboratory(Comparisons(reference, candidate, BUILT_IN), 60) for candidate in candidates]
    assert [lab.maps_agree for lab in labs] == [True, False, False]


def test_boxes_are_judged_by_themselves_where_the_reference_has_no_map() -> None:
    reference, candidate = (replace(on(side), probability_map=None, source=None) for side in (Toy(), Toy(name="port")))
    lab = Laboratory(Comparisons(reference, candidate, BUILT_IN), 60)
    assert candidate.detections is not None
    moved = Detections(tuple(polygon + 9 for polygon in candidate.detections.polygons), candidate.detections.scores)
    assert [lab.is_same_boxes(boxes) for boxes in (candidate.detections, moved, None)] == [True, False, False]


def test_no_comparison_of_maps_stands_for_one_under_another_limit() -> None:
    blank = np.zeros_like(PAGE)
    reference, candidate = Toy().trace(blank), Toy(name="port", offset=2e-3).trace(blank)
    lab = Laboratory(Comparisons(reference, candidate, BUILT_IN), 60)
    stored = [replace(candidate, map_error=error) for error in (0.0, 0.5)]
    assert [lab.compare_with_reference("detections", each).status for each in stored] == ["different", "empty"]


class TestTheImage:
    @pytest.mark.parametrize("order", ["BGR", "RGB"])
    def test_is_the_array_with_the_digest_of_the_traces(self, order: str) -> None:
        lab = Laboratory(Comparisons(on(Toy(img_mode=order)), on(Toy(name="port")), BUILT_IN), 60)
        assert np.array_equal(np.asarray(lab.image), PAGE)

    def test_is_looked_for_in_the_other_trace_where_one_holds_other_than_8_bits(self) -> None:
        reference = replace(on(Toy()), decode=Decoded.of(PAGE.astype(np.uint16) * 257, "BGR"))
        lab = Laboratory(Comparisons(reference, on(Toy(name="port")), BUILT_IN), 60)
        assert np.array_equal(np.asarray(lab.image), PAGE)

    @pytest.mark.parametrize("sha256", [None, digest(OTHER_PAGE)])
    def test_is_not_guessed_where_no_digest_proves_it(self, sha256: str | None) -> None:
        traces = [replace(on(side), image_sha256=sha256) for side in (Toy(), Toy(name="port", mean=0.4))]
        found, *_ = diagnose(reference=traces[0], candidate=traces[1])
        assert (found.cause, found.stage) == ("unknown", TENSOR)
        told = "page 0 is no file, or no longer the one that the traces are of"
        assert found.not_tried[0] == f"experiments that run the preprocessing of port: {told}"

    def test_is_not_a_file_that_was_written_again(self, tmp_path: Path) -> None:
        path = tmp_path / "page.npy"
        np.save(path, PAGE)
        reference, candidate = (
            replace(side.trace(str(path)), image_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            for side in (Toy(), Varied(name="port", mean=0.4))
        )
        assert cause_of(reference, candidate).cause == "normalize.mean_std"
        np.save(path, OTHER_PAGE)
        found, *_ = diagnose(reference=reference, candidate=candidate)
        assert "or no longer the one that the traces are of" in found.not_tried[0]
        assert found.cause == "unknown"


def laboratory(**candidate: Any) -> Laboratory:
    return Laboratory(Comparisons(on(Toy()), on(Toy(name="port", **candidate)), BUILT_IN), 60)


class TestMaps:
    """Two maps of one tensor are one where they lie within the reference's automatic limit, number by number."""

    MAP = np.array([[[[0.25, 0.5], [0.75, 1.0]]]], np.float32)

    @pytest.mark.parametrize(("off", "is_one"), [(0.0, True), (0.9e-4, True), (1.1e-4, False), (-1.1e-4, False)])
    def test_numbers(self, off: float, is_one: bool) -> None:
        other = self.MAP.copy()
        other[0, 0, 1, 0] += np.float32(off)
        assert are_equal_maps(laboratory(), self.MAP, other) == is_one
        assert are_equal_maps(laboratory(), other, self.MAP) == is_one

    def test_shapes_and_what_is_no_number(self) -> None:
        lab, broken = laboratory(), self.MAP.copy()
        broken[0, 0, 0, 0] = np.nan
        assert not are_equal_maps(lab, self.MAP, self.MAP[..., :1])
        assert not are_equal_maps(lab, self.MAP, broken) and not are_equal_maps(lab, broken, self.MAP)
        assert are_equal_maps(lab, broken, broken.copy())
        assert are_equal_maps(lab, np.full_like(self.MAP, np.nan), np.full_like(self.MAP, np.nan))
        assert describe_difference(self.MAP, self.MAP[..., :1]) == "of shapes (1, 1, 2, 2) and (1, 1, 2, 1)"
        assert describe_difference(self.MAP, self.MAP + np.float32(0.5)) == "largest difference 5.0e-01"
        assert describe_difference(broken, self.MAP) == "largest difference 0.0e+00"

    def test_a_network_explains_a_map_where_it_returns_it(self) -> None:
        lab, toy = laboratory(), Toy()
        own = toy.infer(lab.tensor)
        assert returns_map(toy.infer)(lab, own)
        assert not returns_map(toy.infer)(lab, own + np.float32(0.1))
        assert not returns_map(toy.infer)(lab, None)
        assert not returns_map(lambda tensor: 1 // 0)(lab, own)  # type: ignore[arg-type,return-value]
        assert lab.budget.runs == 3
        assert returns_map(toy.infer, runs=2)(lab, own)
        assert lab.budget.runs == 5

    def test_what_is_judgeable(self) -> None:
        lab = laboratory()
        assert lab.is_judgeable_map(None) and lab.is_judgeable_map(np.zeros_like(lab.reference.probability_map))
        assert lab.is_same_map(lab.reference.probability_map)
        assert not lab.is_same_map(None)
        assert not lab.is_same_map(np.zeros_like(lab.reference.probability_map))

    def test_differences_in_words(self) -> None:
        lab = laboratory(mean=0.51)
        assert lab.describe_tensor_difference(lab.candidate) == "largest difference 4.0e-02, limit 2.0e-06"
        assert lab.describe_tensor_difference(replace(lab.candidate, tensor=None)) == ""
        assert lab.reference.probability_map is not None
        assert lab.describe_map_difference(lab.reference.probability_map) == "largest difference 0.0e+00, limit 1.0e-04"
        assert lab.describe_map_difference(lab.reference.probability_map[..., 1:]) == "not comparable"

    @pytest.mark.parametrize(("by", "told"), [(2e-3, ", against its fused copy"), (0.0, "")])
    def test_the_difference_to_a_fused_copy_is_said_to_be_that(self, by: float, told: str) -> None:
        train, port = FusedToy(fused_noise=2e-3), Toy(name="port", noise=by)
        lab = Laboratory(Comparisons(on(train), on(port), BUILT_IN), 60)
        assert lab.candidate.probability_map is not None
        said = lab.describe_map_difference(lab.candidate.probability_map)
        assert said == f"largest difference 0.0e+00, limit 1.0e-04{told}"


@pytest.mark.parametrize("order", ["BGR", "RGB"])
def test_pixels_are_taken_as_bgr_whatever_the_order_they_were_decoded_in(order: str) -> None:
    assert np.array_equal(bgr(on(Toy(img_mode=order))), PAGE)


class TestStages:
    def test_a_decoded_image(self) -> None:
        lab = laboratory()
        trace = lab.candidate
        assert trace.decode is not None and trace.decode.pixels is not None
        other = replace(trace, decode=Decoded.of(trace.decode.pixels + 1, "BGR"))
        assert lab.is_same_stage("decode", trace) and not lab.is_same_stage("decode", other)
        assert lab.is_same_stage("decode", replace(trace, decode=None)) and not lab.is_same_stage("decode", None)
        turned = replace(trace, decode=Decoded.of(trace.decode.pixels[..., ::-1], "RGB"))
        assert lab.is_same_stage("decode", turned)
        lab.before = replace(lab.before, decode=None)
        assert lab.is_same_stage("decode", other)

    def test_a_resized_image(self) -> None:
        lab = laboratory()
        trace = lab.candidate
        assert trace.resize is not None and trace.decode is not None and trace.decode.pixels is not None
        assert trace.tensor is not None
        other = replace(trace, resize=trace.resize + 1)
        assert lab.is_same_stage("resize", trace) and not lab.is_same_stage("resize", other)
        assert not lab.is_same_stage("resize", replace(trace, shape=(65.0, 96.0, 1.0, 1.0)))
        assert not lab.is_same_stage("resize", replace(trace, shape=(64.0, 97.0, 1.0, 1.0)))
        assert lab.is_same_stage("resize", replace(trace, shape=None))
        turned = replace(
            trace, resize=trace.resize[..., ::-1], decode=Decoded.of(trace.decode.pixels[..., ::-1], "RGB")
        )
        assert lab.is_same_stage("resize", turned)
        assert not lab.is_same_stage("resize", replace(turned, decode=trace.decode))
        for each in (turned, trace):  # whose order nobody says
            assert lab.is_same_stage("resize", replace(each, decode=None))
        assert not lab.is_same_stage("resize", replace(other, decode=None))
        none = replace(trace, resize=None)  # then the sizes of the tensors decide, in whichever order their axes are
        assert lab.is_same_stage("resize", replace(none, tensor=trace.tensor.transpose(0, 2, 3, 1)))
        assert not lab.is_same_stage("resize", replace(none, tensor=trace.tensor[..., 1:]))
        assert lab.is_same_stage("resize", replace(none, tensor=None))

    def test_a_tensor_is_judged_by_itself(self) -> None:
        lab = laboratory()
        trace = lab.candidate
        assert trace.resize is not None and trace.tensor is not None
        assert lab.is_same_stage("tensor", replace(trace, resize=trace.resize + 1, decode=None))
        assert not lab.is_same_stage("tensor", replace(trace, tensor=trace.tensor + np.float32(0.1)))


def test_an_unknown_cause_has_every_note_once_and_clears_them() -> None:
    lab = laboratory()
    lab.noticed, lab.ruled_out, lab.tried, lab.not_tried = ["n", "n"], ["r"], ["t", "u", "t"], ["o", "o"]
    found = lab.unknown_cause("tensor")
    assert (found.evidence, found.ruled_out, found.tried, found.not_tried) == (("n",), ("r",), ("t", "u"), ("o",))
    assert (found.summary, found.cause) == ("no experiment removed the difference", "unknown")
    assert lab.noticed == lab.ruled_out == lab.tried == lab.not_tried == []
    assert lab.unknown_cause("tensor", "why").summary == "why"
    lab.noticed, lab.ruled_out, lab.tried, lab.not_tried = ["n"], ["r"], ["t"], ["o"]
    lab.reset_notes()
    assert (lab.noticed, lab.ruled_out, lab.tried, lab.not_tried) == (["n"], [], [], [])


def test_what_a_side_raises_is_kept_and_a_spent_budget_is_not() -> None:
    lab = laboratory()

    def spent() -> None:
        raise BudgetSpentError

    assert lab.attempt(lambda: 7, "it") == 7 and not lab.not_tried
    assert lab.attempt(lambda: 1 // 0) is None and not lab.not_tried
    assert lab.attempt(lambda: 1 // 0, "it") is None
    assert lab.not_tried == [f"it: {lab.last_error}"] and "ZeroDivisionError" in lab.last_error
    with pytest.raises(BudgetSpentError):
        lab.attempt(spent)


def test_nothing_is_known_before_an_experiment() -> None:
    lab = laboratory()
    assert not lab.has_equal_weights and not lab.is_in_program
    lab.run_network(lambda tensor: tensor, lab.tensor)
    assert lab.budget.runs == 1


def test_of_a_long_error_its_end_is_kept() -> None:
    lab = laboratory()

    def fails() -> None:
        raise ValueError("y\n" + "x" * 200)

    assert lab.attempt(fails) is None
    assert lab.last_error == f"ValueError: {'x' * 200}"


class TestWhatIsMissing:
    """Nothing is run on an image, a map or a size that is not there."""

    @pytest.mark.parametrize("side", ["reference", "candidate"])
    def test_one_digest_is_enough(self, side: str, tmp_path: Path) -> None:
        traces = {"reference": on(Toy()), "candidate": on(Toy(name="port"))}
        traces[side] = replace(traces[side], image_sha256=None)
        lab = Laboratory(Comparisons(traces["reference"], traces["candidate"], BUILT_IN), 60)
        assert np.array_equal(np.asarray(lab.image), PAGE)

    @pytest.mark.parametrize("pixels", ["dropped", "never decoded"])
    def test_pixels_of_the_other_side_are_taken(self, pixels: str) -> None:
        reference, candidate = on(Toy()), on(Toy(name="port"))
        assert reference.decode is not None
        decode = reference.decode.without_pixels() if pixels == "dropped" else None
        for one, two in (
            (replace(reference, decode=decode), candidate),
            (reference, replace(candidate, decode=decode)),
        ):
            assert np.array_equal(np.asarray(Laboratory(Comparisons(one, two, BUILT_IN), 60).image), PAGE)
        reference, candidate = (replace(each, decode=decode) for each in (reference, candidate))
        assert Laboratory(Comparisons(reference, candidate, BUILT_IN), 60).image is None

    def test_without_an_image_no_preprocessing_runs(self) -> None:
        one, two = (replace(on(side), image_sha256=None) for side in (Toy(), Toy(name="port")))
        lab = Laboratory(Comparisons(one, two, BUILT_IN), 60)
        assert (lab.run_preprocessing(), lab.last_error) == (None, "")
        assert laboratory().run_preprocessing() is not None

    def test_without_a_map_or_a_size_no_post_process_runs(self) -> None:
        lab = laboratory()
        assert lab.run_postprocess() == lab.reference.detections
        for less in (replace(lab.reference, probability_map=None), replace(lab.reference, shape=None)):
            assert lab.run_postprocess(trace=less) is None
        assert lab.last_error == ""


class Sized(Toy):
    """Can be given another size; counts how often it was."""

    asked = 0
    error: StageError | None = None

    def preprocess_at(self, image: Image, size: tuple[int, int]) -> Trace:
        self.asked += 1
        if size == (0, 0):
            raise ValueError("no such size")
        return replace(self.preprocess(np.zeros((*size, 3), np.uint8)), error=self.error)


class TestTheReferenceAtAnotherSize:
    def laboratory(self, side: Toy, **changes: Any) -> Laboratory:
        one, two = (replace(on(each), **changes) for each in (side, Toy(name="port")))
        return Laboratory(Comparisons(one, two, BUILT_IN), 60)

    def test_is_made_once_for_each_size(self) -> None:
        side = Sized()
        lab = self.laboratory(side)
        for size in ((32, 64), (64, 32), (32, 64)):
            made = lab.reference_at_size(size)
            assert made is not None and made.tensor is not None and made.tensor.shape[2:] == size
        assert side.asked == 2

    def test_is_none_where_it_raises_stops_or_cannot_be_asked(self) -> None:
        side = Sized()
        lab = self.laboratory(side)
        assert [lab.reference_at_size((0, 0)) for _ in range(2)] == [None, None]
        assert side.asked == 1 and lab.last_error == "ValueError: no such size"
        side.error = StageError("resize", "too small")
        assert lab.reference_at_size((32, 32)) is None
        assert self.laboratory(Toy()).reference_at_size((32, 32)) is None
        blind = Sized()
        assert self.laboratory(blind, image_sha256=None).reference_at_size((32, 32)) is None
        assert blind.asked == 0


@pytest.mark.parametrize(
    ("limits", "offset", "is_same"),
    [
        ("exact", 5e-5, True),
        ("exact", 0.1, False),
        ("fp32", 0.1, False),
        ({"probability_maps": {"atol": 0.2}}, 0.1, True),
    ],
)
def test_a_map_is_the_same_under_the_limits_that_judged_or_the_built_in_ones(
    limits: Any, offset: float, is_same: bool
) -> None:
    reference, candidate = on(Toy()), on(Toy(name="port", offset=offset))
    lab = Laboratory(Comparisons(reference, candidate, BUILT_IN.override(limits, "test")), 60)
    assert lab.is_same("probability_maps", candidate) == lab.maps_agree == is_same


def test_experiments_on_boxes_share_the_comparison_of_their_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(*sides: Any, **given: Any) -> Any:
        made.append(sides)
        return compare_probability_maps(*sides, **given)

    monkeypatch.setattr("pytest_ocrparity.compare.compare_probability_maps", counted)
    lab = laboratory()
    boxes = lab.candidate.detections
    assert boxes is not None
    lab.compare_with_reference("preprocessing", lab.candidate)
    assert not made  # which compares no maps
    experiments = [replace(lab.candidate, detections=each) for each in (boxes, Detections(boxes.polygons[1:]))]
    assert [lab.compare_with_reference("detections", each).is_match for each in experiments] == [True, False]
    assert len(made) == 1
    for each in experiments:
        lab.compare_with_reference("preprocessing", each)
    assert len(made) == 1
    for side in (0, 1):  # without one of the maps nothing is shared
        traces = [
            replace(each, probability_map=None) if side == at else each
            for at, each in enumerate((lab.reference, lab.candidate))
        ]
        assert lab.compare_with_reference("detections", traces[1], reference=traces[0]).is_match


def test_a_map_that_rounding_moves_as_far_is_not_judgeable() -> None:
    shaky = replace(on(Toy()), map_sensitivity=0.5)
    lab = Laboratory(Comparisons(shaky, on(Toy(name="port")), BUILT_IN), 60)
    far = np.zeros_like(lab.reference.probability_map)
    assert not lab.is_judgeable_map(far) and lab.is_judgeable_map(None)
    assert laboratory().is_judgeable_map(far)
    assert lab.is_picture_explained  # until something shows otherwise


def test_a_stage_that_stopped_is_not_the_same() -> None:
    lab = laboratory()
    stopped = replace(lab.candidate, error=StageError("resize", "too small"))
    assert [lab.is_same_stage(stage, stopped) for stage in ("decode", "resize", "tensor")] == [True, False, True]


def test_of_a_shape_row_the_size_alone_counts() -> None:
    lab = laboratory()
    assert lab.is_same_stage("resize", replace(lab.candidate, shape=(64.0, 96.0, 0.5, 0.25)))


def test_maps_as_far_apart_as_the_limit_are_equal() -> None:
    none, limit = np.zeros((1, 1, 2, 2), np.float32), np.full((1, 1, 2, 2), MAP_LEAST, np.float32)
    assert are_equal_maps(laboratory(), none, limit)
    assert not are_equal_maps(laboratory(), none, np.nextafter(limit, np.float32(1)))
