"""Maps: the limit that the reference network sets, the others that a user may set, and what passes none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sides import first_line, traces
from toy import PAGE, FusedToy, Toy
from toy_reader import LINE, Reader

from pytest_ocrparity import Comparison, DifferenceError, Trace, assert_same_probability_maps
from pytest_ocrparity.compare.probability_maps import compare_probability_maps
from pytest_ocrparity.compare.sensitivity import map_sensitivity
from pytest_ocrparity.tolerance import BUILT_IN, MAP_LEAST


class TestProbabilityMaps:
    def test_equal_sides_pass(self) -> None:
        comparison = assert_same_probability_maps(*traces())
        assert comparison.status == "same"
        assert comparison.measures[0].value == 0

    def test_a_difference_below_1e_4_costs_no_run_of_the_network(self) -> None:
        toy = Toy()
        reference = toy.trace(PAGE)
        assert_same_probability_maps(reference, Toy(name="inference", noise=5e-5).trace(PAGE))
        assert toy.runs == 1

    def test_nor_does_one_that_storing_may_have_made(self) -> None:
        toy = Toy()
        reference = replace(toy.trace(PAGE), map_error=1e-4)
        found = assert_same_probability_maps(reference, Toy(name="inference", offset=1.5e-4).trace(PAGE))
        assert toy.runs == 1
        assert found.measures[0].limit == pytest.approx(2e-4)

    def test_the_limit_is_four_times_the_networks_own_sensitivity(self) -> None:
        steep = Toy(gain=400.0, mean=0.82696)  # words lie on the sigmoid's steepest place
        reference = steep.trace(PAGE)
        floor = map_sensitivity(reference)
        assert floor is not None
        assert 4 * floor > 2e-4, "this toy is not steep enough for the test"
        close = replace(reference, pipeline="inference")
        assert reference.probability_map is not None
        moved = reference.probability_map.copy()
        moved[0, 0, 5, 7] -= np.float32(3.9 * floor)
        comparison = assert_same_probability_maps(reference, replace(close, probability_map=moved))
        assert comparison.measures[0].limit == pytest.approx(4 * floor)
        moved[0, 0, 5, 7] -= np.float32(4 * floor)
        with pytest.raises(DifferenceError, match=r"4 x floor"):
            assert_same_probability_maps(reference, replace(close, probability_map=moved))

    def test_without_source_the_limit_is_1e_4(self) -> None:
        reference, candidate = traces(noise=3e-4)
        with pytest.raises(DifferenceError, match="floor unknown"):
            assert_same_probability_maps(replace(reference, source=None), candidate)

    def test_another_weight_fails_at_the_map(self) -> None:
        with pytest.raises(DifferenceError) as error:
            assert_same_probability_maps(*traces(gain=6.5))
        assert "first difference at probability_map: train and inference differ by" in first_line(error)
        assert "ran with    no parameter that both sides record differs" in str(error.value)

    def test_a_fused_copy_explains_a_larger_difference(self) -> None:
        reference = FusedToy(fused_noise=2e-3).trace(PAGE)
        fused_export = Toy(name="inference", noise=2e-3).trace(PAGE)
        comparison = assert_same_probability_maps(reference, fused_export)
        assert comparison.measure("fusion") is not None
        assert "against the fused copy" in comparison.measures[0].origin

    def test_a_fusion_that_moves_the_map_by_more_than_1e_2_fails(self) -> None:
        reference = FusedToy(fused_noise=2e-2).trace(PAGE)
        with pytest.raises(DifferenceError, match=r"fusion"):
            assert_same_probability_maps(reference, Toy(name="inference", noise=2e-2).trace(PAGE))

    def test_an_export_unlike_the_fused_copy_fails(self) -> None:
        with pytest.raises(DifferenceError, match="probability_map"):
            assert_same_probability_maps(FusedToy(fused_noise=1e-4).trace(PAGE), traces(noise=2e-3)[1])

    @pytest.mark.parametrize(("channels", "text"), [(3, "channels of the map: 1 in train, 3 in inference")])
    def test_the_three_channels_of_a_training_export_fail(self, channels: int, text: str) -> None:
        reference, candidate = traces()
        assert candidate.probability_map is not None
        wide = np.repeat(candidate.probability_map, channels, axis=1)
        with pytest.raises(DifferenceError, match=text):
            assert_same_probability_maps(reference, replace(candidate, probability_map=wide))

    def test_another_shape_is_not_comparable(self) -> None:
        reference, candidate = traces()
        assert candidate.probability_map is not None
        with pytest.raises(DifferenceError, match="probability_map has shape 1x1x64x96 in train, 1x1x32x96") as error:
            assert_same_probability_maps(
                reference, replace(candidate, probability_map=candidate.probability_map[:, :, :32])
            )
        assert error.value.comparisons[1].status == "not comparable"

    def test_not_a_number_fails_on_either_side(self) -> None:
        reference, candidate = traces()
        assert candidate.probability_map is not None
        broken = candidate.probability_map.copy()
        broken[0, 0, 0, :2] = np.nan, np.inf
        for one, two in (
            (reference, replace(candidate, probability_map=broken)),
            (replace(reference, probability_map=broken), candidate),
        ):
            with pytest.raises(DifferenceError, match="NaN or infinity in"):
                assert_same_probability_maps(one, two)

    def test_share_mean_and_crossings_are_limits_of_their_own(self) -> None:
        reference, candidate = traces()
        assert candidate.probability_map is not None
        moved = candidate.probability_map.copy()
        moved[0, 0, 0, 0] += 0.5
        candidate = replace(candidate, probability_map=moved)
        share = 1 / moved.size
        assert assert_same_probability_maps(reference, candidate, max_share=share).is_match
        with pytest.raises(DifferenceError, match="of the pixels, limit"):
            assert_same_probability_maps(reference, candidate, max_share=share / 2)
        with pytest.raises(DifferenceError, match="on average"):
            assert_same_probability_maps(reference, candidate, atol="off", mean_atol=0.5 * share / 2)
        assert assert_same_probability_maps(reference, candidate, atol="off", max_crossings=1).is_match
        with pytest.raises(DifferenceError, match="1 pixels lie on the other side of thresh in inference, limit 0"):
            assert_same_probability_maps(reference, candidate, atol="off", max_crossings=0)

    @pytest.mark.parametrize("said", [{}, {"thresh": "0.3"}, {"thresh": [0.3]}])
    def test_crossings_without_thresh_cannot_pass(self, said: dict[str, Any]) -> None:
        reference, candidate = (replace(trace, parameters={"detections": said}) for trace in traces())
        with pytest.raises(DifferenceError, match="NaN pixels lie on the other side"):
            assert_same_probability_maps(reference, candidate, max_crossings=5)

    def test_the_stored_step_of_a_baseline_is_allowed_and_told(self) -> None:
        reference, candidate = traces(offset=5e-5)
        stored = replace(reference, map_error=8e-6, source=None)
        assert assert_same_probability_maps(stored, candidate, atol=4.5e-5).measures[0].origin.endswith("as stored")
        with pytest.raises(DifferenceError, match=r"limit 4\.5e-05"):
            assert_same_probability_maps(reference, candidate, atol=4.5e-5)

    def test_denormals_are_no_difference(self) -> None:
        reference, candidate = traces()
        zero = np.zeros_like(reference.probability_map)
        tiny = np.full_like(zero, 1.2e-38)
        assert assert_same_probability_maps(
            replace(reference, probability_map=zero), replace(candidate, probability_map=tiny)
        ).is_match


class TestLines:
    """Recognisers: (1, T, C) maps, whose timesteps must pair and hold probabilities."""

    def compared(self, candidate: Any, **limits: Any) -> Comparison:
        """Return the comparison of a right reader's map with this one."""
        inference = replace(Reader(name="inference").trace(LINE), probability_map=candidate)
        return assert_same_probability_maps(Reader().trace(LINE), inference, **limits)

    @property
    def rows(self) -> Any:
        return np.array(Reader().trace(LINE).probability_map)

    def test_equal_maps_pass(self) -> None:
        found = self.compared(self.rows)
        assert (found.status, found.task, found.counts) == ("same", "recognition", {"timesteps": 14, "changed": 0})
        assert [each.value for each in found.measures[:2]] == [0, 0]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda rows: rows[:, :-1], "not comparable: the map has 14 timesteps in train, 13 in inference"),
            (lambda rows: rows[..., :-1], "classes of the map: 6 in train, 5 in inference"),
            (lambda rows: rows[None], "has shape 1x14x6 in train, 1x1x14x6 in inference, where 1xTxC is right"),
            (lambda rows: rows * 1.002, r"no probabilities: their sum is off 1 by up to .* in train, 2.0e-03 in inf"),
            (lambda rows: np.log(rows + 1e-9), "values of a timestep are no probabilities"),
            (lambda rows: rows * np.float32(np.nan), "NaN or infinity in 0 values of train, 84 of inference"),
            (lambda rows: rows[:, :0], "probability_map is empty: 1x14x6 in train, 1x0x6 in inference"),
        ],
    )
    def test_what_does_not_pair_or_is_no_probability_fails(self, change: Any, message: str) -> None:
        with pytest.raises(DifferenceError, match=message):
            self.compared(change(self.rows))

    def test_logits_on_both_sides_are_compared_as_they_are(self) -> None:
        traces = [Reader(name=name).trace(LINE) for name in ("train", "inference")]
        logits = [replace(each, probability_map=np.log(self.rows + 1e-9) / 100) for each in traces]
        found = assert_same_probability_maps(*logits)
        assert [(each.kind, each.fails) for each in found.differences] == [("row_sums", False)]

    def test_the_worst_place_lies_on_the_line(self) -> None:
        rows = self.rows
        rows[0, 4, 3] += 0.0005
        with pytest.raises(DifferenceError, match=r"differ by 5\.0e-04 at x=36 y=8, limit 1\.0e-04"):
            self.compared(rows)

    def test_timesteps_whose_best_class_changed_are_counted(self) -> None:
        rows = self.rows
        rows[0, 2] = rows[0, 2][[0, 2, 1, 3, 4, 5]]  # a b becomes an a
        found = self.compared(rows, atol="off", max_crossings=1)
        assert found.counts == {"timesteps": 14, "changed": 1}
        with pytest.raises(DifferenceError, match="1 timesteps have another best class in inference, limit 0"):
            self.compared(rows, atol="off", max_crossings=0)
        eighth = {"probability_maps": {"atol": "off", "max_changed": 0.125}}
        assert self.compared(rows, tolerance=eighth).status == "same"
        with pytest.raises(DifferenceError, match=r"0\.0714 of the timesteps have another best class in inference"):
            self.compared(rows, tolerance={"probability_maps": {"atol": "off", "max_changed": 0.05}})

    def test_a_mean_of_all_classes_judges_only_where_it_was_asked_for(self) -> None:
        """Of thousands of classes nearly all are 0: what a preset says of a detector's pixels would permit anything."""
        rows = self.rows
        rows[0, 2] = rows[0, 2][[0, 2, 1, 3, 4, 5]]
        with pytest.raises(DifferenceError, match="of the timesteps have another best class"):
            self.compared(rows, tolerance="fp16")
        with pytest.raises(DifferenceError, match="on average"):
            self.compared(rows, atol="off", mean_atol=0.01)  # of the largest of each timestep: 0.9 / 14

    def test_a_detector_has_no_such_limit(self) -> None:
        assert "probability_maps.max_changed" not in assert_same_probability_maps(*traces()).limits
        assert "probability_maps.max_changed" in self.compared(self.rows).limits

    def test_a_step_of_storing_is_known_of_both_sides(self) -> None:
        traces = (replace(each, map_error=error) for each, error in zip(self.sides(), (3e-6, 2e-6), strict=True))
        stored = assert_same_probability_maps(*traces).measure("stored")
        assert stored is not None and stored.value == pytest.approx(5e-6)

    def sides(self) -> tuple[Trace, Trace]:
        return Reader().trace(LINE), Reader(name="inference").trace(LINE)

    def test_the_mean_is_that_of_the_largest_of_each_timestep(self) -> None:
        rows = self.rows
        rows[0, 1, 0] += 3e-5
        rows[0, 5, :2] += 3e-5
        found = self.compared(rows).measure("probability_maps.mean_atol")
        assert found is not None and found.value == pytest.approx(2 * 3e-5 / 14, rel=1e-2)

    @pytest.mark.parametrize(
        ("change", "kinds"),
        [
            (lambda rows: rows[:, :-1] * 1.002, ["timesteps", "row_sums"]),
            (lambda rows: rows[..., :-1], ["classes", "row_sums"]),
            (lambda rows: rows[:, :-1] * np.float32(np.nan), ["timesteps", "not_finite_values"]),
            (lambda rows: rows[None] * 1.002, ["line_shape"]),
            (lambda rows: rows[:, :0], ["no_values"]),
        ],
    )
    def test_sums_are_told_where_timesteps_can_be_read(self, change: Any, kinds: list[str]) -> None:
        reference, candidate = self.sides()
        other = replace(candidate, probability_map=np.asarray(change(self.rows), np.float32))
        found = compare_probability_maps(reference, other, BUILT_IN.for_task("recognition"))
        assert [each.kind for each in found.differences] == kinds
        assert found.measures == () and not found.is_match


class TestForms:
    """Maps of detectors that do not pair are measured by nothing."""

    @pytest.mark.parametrize(
        ("shape", "kind"),
        [((1, 1, 4, 6), None), ((1, 2, 4, 6), "channels"), ((2, 1, 4, 6), "channels"), ((4, 6), "shape")],
    )
    def test_one_map_of_one_channel_is_measured(self, shape: tuple[int, ...], kind: str | None) -> None:
        one, two = (
            Trace(pipeline=name, image="a.png", probability_map=np.zeros(shape, np.float32))
            for name in ("train", "port")
        )
        found = compare_probability_maps(one, two, BUILT_IN)
        assert [each.kind for each in found.differences] == ([] if kind is None else [kind])
        assert bool(found.measures) == found.is_match == (kind is None)

    def test_a_share_is_that_of_pixels_beyond_their_limit(self) -> None:
        reference, candidate = traces()
        moved = np.array(candidate.probability_map)
        zero = np.zeros_like(moved)
        moved[:] = 0
        moved[0, 0, 0, :3] = 0.5, 0.25, 0.25
        sides = replace(reference, probability_map=zero), replace(candidate, probability_map=moved)
        tolerance = BUILT_IN.override({"probability_maps": {"atol": 0.25, "max_share": 0.5}}, "test")
        share = compare_probability_maps(*sides, tolerance).measure("probability_maps.max_share")
        assert share is not None and share.value == 1 / zero.size

    def test_a_fused_copy_is_made_only_for_a_difference_beyond_the_limit(self) -> None:
        class Counted(FusedToy):
            asked = 0

            def infer_fused(self, tensor: Any) -> Any:
                self.asked += 1
                return super().infer_fused(tensor)

        for offset, asked in ((MAP_LEAST, 0), (2 * MAP_LEAST, 1)):
            side = Counted(fused_noise=1e-6)
            reference = replace(side.trace(PAGE), map_sensitivity=0.0)
            other: Any = np.zeros((1, 1, 64, 96), np.float64)
            reference = replace(reference, probability_map=other)
            moved = other.copy()
            moved[0, 0, 0, 0] = offset
            compare_probability_maps(reference, replace(reference, pipeline="port", probability_map=moved), BUILT_IN)
            assert side.asked == asked

    @pytest.mark.parametrize(("rest", "is_explained"), [(MAP_LEAST, True), (1.01 * MAP_LEAST, False)])
    def test_a_fused_copy_explains_what_lies_within_the_limit_of_it(self, rest: float, is_explained: bool) -> None:
        zero: Any = np.zeros((1, 1, 4, 6), np.float64)
        reference = Trace(
            pipeline="train", image="a.png", probability_map=zero + 0.005, fused_map=zero, map_sensitivity=0.0
        )
        candidate = Trace(pipeline="port", image="a.png", probability_map=zero + rest)
        found = compare_probability_maps(reference, candidate, BUILT_IN)
        assert found.is_match == is_explained == (found.measure("fusion") is not None)

    @pytest.mark.parametrize(("stored", "runs"), [(0.0, 1), (1e-5, 1), (-1.0, 3)])
    def test_at_the_least_limit_no_network_runs(self, stored: float, runs: int) -> None:
        """Nor beside it by as much as storing may have made; beyond, it is run twice."""
        zero: Any = np.zeros((1, 1, 64, 96), np.float64)
        side = Toy()
        reference = replace(side.trace(PAGE), probability_map=zero, map_error=max(stored, 0.0))
        moved = zero.copy()
        moved[0, 0, 0, 0] = MAP_LEAST + stored if stored >= 0 else 2 * MAP_LEAST
        candidate = replace(reference, pipeline="port", map_error=0.0, probability_map=moved)
        found = compare_probability_maps(reference, candidate, BUILT_IN)
        assert (side.runs, found.is_match) == (runs, stored >= 0)

    def test_what_storing_made_is_added_to_the_networks_own_limit(self) -> None:
        zero = np.zeros((1, 1, 4, 6), np.float32)
        reference = Trace(pipeline="train", image="a.png", probability_map=zero, map_sensitivity=1e-3, map_error=1e-3)
        for moved, is_match in ((4.9e-3, True), (5.1e-3, False)):
            candidate = Trace(pipeline="port", image="a.png", probability_map=zero + np.float32(moved))
            found = compare_probability_maps(reference, candidate, BUILT_IN)
            assert found.is_match == is_match
            assert found.measures[0].limit == pytest.approx(5e-3)


def test_each_image_decides_unless_a_run_judges_it() -> None:
    limits = {"probability_maps": {"atol": "off", "mean_atol": 1e-4, "per_run": True}}
    sides, tolerance = traces(offset=1e-2), BUILT_IN.override(limits, "test")
    assert compare_probability_maps(*sides, tolerance).status == "different"
    assert compare_probability_maps(*sides, tolerance, defers=True).status == "left to the run"
