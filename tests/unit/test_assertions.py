"""Each assertion passes on a right candidate and fails, naming the thing, on its negative twin."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listening import listen
from replay import ReplayPipeline
from toy import BLANK, PAGE, FusedToy, Toy, page

from pytest_ocrparity import (
    Decoded,
    Detections,
    DifferenceError,
    SettingsError,
    StageError,
    Trace,
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.compare import compare
from pytest_ocrparity.compare.sensitivity import map_sensitivity

QUAD = np.array([[0.0, 0.0], [20, 0], [20, 10], [0, 10]])


def traces(**candidate: Any) -> tuple[Trace, Trace]:
    return Toy().trace(PAGE), Toy(name="inference", **candidate).trace(PAGE)


class Loaded(Toy):
    """Stands for a side that the settings' table was loaded by: paddleocr on an export."""

    table = "inference"


def first_line(error: pytest.ExceptionInfo[DifferenceError]) -> str:
    return str(error.value).splitlines()[0]


class TestPreprocessing:
    def test_equal_sides_pass(self) -> None:
        comparison = assert_same_preprocessing(*traces())
        assert comparison.status == "same"
        assert comparison.measures[0].limit == 2e-6

    def test_another_size_is_named_before_the_tensor(self) -> None:
        with pytest.raises(DifferenceError) as error:
            assert_same_preprocessing(*traces(scale=2))
        assert first_line(error) == (
            "page.png: first difference at resize: resized to 96x64 in train, 192x128 in inference"
        )
        assert "ran with    resize.scale: 1 in train, 2 in inference" in str(error.value)

    def test_another_channel_order_is_named(self) -> None:
        with pytest.raises(DifferenceError, match=r"first difference at decode: decoded as BGR in train, RGB in infer"):
            assert_same_preprocessing(*traces(img_mode="RGB"))

    def test_a_declared_channel_order_is_information_and_the_tensor_decides(self) -> None:
        grey = np.full((32, 32, 3), 90, np.uint8)
        grey_sides = Toy().trace(grey), Toy(name="inference", img_mode="RGB").trace(grey)
        judged = assert_same_preprocessing(*(replace(side, parameters={}) for side in grey_sides))
        assert [(each.kind, each.fails) for each in judged.differences] == [("channel_order", False)]

    def test_pixels_are_compared_in_one_order(self) -> None:
        reference, candidate = traces()
        assert candidate.decode is not None and candidate.decode.pixels is not None
        pixels = candidate.decode.pixels
        declared = replace(candidate, decode=Decoded.of(pixels[..., ::-1], "RGB"))
        assert [each.kind for each in assert_same_preprocessing(reference, declared).differences] == ["channel_order"]
        stored = replace(reference, decode=reference.decode and reference.decode.without_pixels())
        assert [each.kind for each in assert_same_preprocessing(stored, declared).differences] == ["channel_order"]
        other = replace(candidate, decode=Decoded.of(pixels, "RGB"))
        kinds = [each.kind for each in assert_same_preprocessing(reference, other).differences]
        assert kinds == ["channel_order", "pixels"]

    def test_another_mean_is_found_in_the_tensor(self) -> None:
        with pytest.raises(DifferenceError) as error:
            assert_same_preprocessing(*traces(mean=0.51))
        assert "first difference at tensor: train and inference differ by 0.04 at x=0 y=0, limit 2.0e-06" in first_line(
            error
        )
        assert "tensor.mean: [0.5, 0.5, 0.5] in train, [0.51, 0.51, 0.51] in inference" in str(error.value)
        assert "would pass" not in str(error.value)  # 0.04 is no tolerance

    @pytest.mark.parametrize(("shift", "passes"), [(1e-6, True), (4e-6, False)])
    def test_the_limit_holds_on_both_of_its_sides(self, shift: float, passes: bool) -> None:
        reference, candidate = traces()
        assert candidate.tensor is not None
        moved = replace(candidate, tensor=candidate.tensor + np.float32(shift))
        if passes:
            assert assert_same_preprocessing(reference, moved).is_match
        else:
            with pytest.raises(DifferenceError, match=r"limit 2\.0e-06"):
                assert_same_preprocessing(reference, moved)

    def test_large_values_get_four_ulp(self) -> None:
        reference, candidate = traces()
        assert reference.tensor is not None
        big = np.float32(300.0)
        near, far = (np.full_like(reference.tensor, big + steps * np.spacing(big)) for steps in (4, 8))
        reference = replace(reference, tensor=np.full_like(reference.tensor, big))
        assert assert_same_preprocessing(reference, replace(candidate, tensor=near)).is_match
        with pytest.raises(DifferenceError, match="tensor"):
            assert_same_preprocessing(reference, replace(candidate, tensor=far))

    def test_a_difference_that_began_in_the_pixels_is_placed_there(self) -> None:
        other = PAGE.copy()
        other[10, 10] += 1
        with pytest.raises(DifferenceError, match="first difference at decode"):
            assert_same_preprocessing(Toy().trace(PAGE), Toy(name="inference").trace(other))

    def test_a_difference_of_the_resize_is_placed_there(self) -> None:
        reference, candidate = traces()
        assert candidate.resize is not None
        assert candidate.tensor is not None
        resize, tensor = candidate.resize.copy(), candidate.tensor.copy()
        resize[3, 3] += 1
        tensor[0, 0, 3, 3] += 0.01
        with pytest.raises(DifferenceError, match="first difference at resize"):
            assert_same_preprocessing(reference, replace(candidate, resize=resize, tensor=tensor))

    def test_a_tensor_of_another_dtype_fails(self) -> None:
        reference, candidate = traces()
        assert candidate.tensor is not None
        wide: Any = candidate.tensor.astype(np.float64)
        with pytest.raises(DifferenceError, match=r"float32 in train, .*float64 in inference"):
            assert_same_preprocessing(reference, replace(candidate, tensor=wide))

    def test_not_a_number_fails(self) -> None:
        reference, candidate = traces()
        assert candidate.tensor is not None
        tensor = candidate.tensor.copy()
        tensor[0, 1, 2, 3] = np.nan
        with pytest.raises(DifferenceError, match=r"differ by NaN.*at x=3 y=2"):
            assert_same_preprocessing(reference, replace(candidate, tensor=tensor))

    def test_no_tensor_is_nothing_compared(self) -> None:
        reference, candidate = traces()
        with pytest.raises(DifferenceError, match="nothing was compared at tensor: inference has none"):
            assert_same_preprocessing(reference, replace(candidate, tensor=None))

    def test_a_flat_limit_replaces_the_rule(self) -> None:
        assert assert_same_preprocessing(*traces(mean=0.51), atol=0.05).is_match
        with pytest.raises(DifferenceError, match=r"limit 0.03.*\n(.*\n)*.*keyword"):
            assert_same_preprocessing(*traces(mean=0.51), atol=0.03)

    def test_sides_without_decode_and_resize_compare_by_tensor(self) -> None:
        reference, candidate = traces()
        assert assert_same_preprocessing(reference, replace(candidate, decode=None, resize=None)).is_match


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

    def test_crossings_without_thresh_cannot_pass(self) -> None:
        reference, candidate = (replace(trace, parameters={}) for trace in traces())
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


class TestDetections:
    def test_equal_sides_pass(self) -> None:
        comparison = assert_same_detections(*traces())
        assert comparison.status == "same"
        assert comparison.counts["paired"] == 3

    def test_order_and_first_vertex_do_not_matter(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        assert candidate.detections.scores is not None
        turned = Detections(
            tuple(np.roll(polygon, 1, axis=0) for polygon in candidate.detections.polygons[::-1]),
            candidate.detections.scores[::-1],
        )
        assert assert_same_detections(reference, replace(candidate, detections=turned)).is_match

    def test_scores_given_to_the_wrong_boxes_fail_on_equal_maps(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        swapped = replace(candidate.detections, scores=np.array([0.9, 0.8, 0.7]))
        with pytest.raises(DifferenceError, match="with another score"):
            assert_same_detections(reference, replace(candidate, detections=swapped))

    def test_a_side_without_scores_is_compared_by_its_boxes(self) -> None:
        comparison = assert_same_detections(*traces(has_scores=False))
        assert comparison.measure("detections.max_score_difference") is None

    def test_a_lost_box_is_missing(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        fewer = Detections(candidate.detections.polygons[1:])
        with pytest.raises(DifferenceError) as error:
            assert_same_detections(reference, replace(candidate, detections=fewer))
        assert first_line(error) == (
            "page.png: first difference at detections: 1 missing of 3 boxes (train against inference)"
        )
        assert "missing     box 0 of train at x=24 y=14" in str(error.value)
        assert "would pass" not in str(error.value)  # a third of the boxes is no tolerance

    def test_a_found_box_is_extra(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        more = Detections((*candidate.detections.polygons, QUAD + 70))
        with pytest.raises(DifferenceError, match="1 extra of 3 boxes"):
            assert_same_detections(reference, replace(candidate, detections=more))

    @pytest.mark.parametrize(("pad", "passes"), [(2, True), (5, False)])
    def test_a_quad_may_move_by_one_map_pixel_and_one_of_rounding(self, pad: int, passes: bool) -> None:
        reference, candidate = traces(pad=pad)  # the diagonal grows by sqrt(2) per pixel of padding
        if passes:
            assert assert_same_detections(reference, candidate).is_match
        else:
            with pytest.raises(DifferenceError, match=r"moved .*by 5.66 px, IoU 0\.\d\d|3 moved"):
                assert_same_detections(reference, candidate)

    def test_the_shift_limit_is_in_map_pixels(self) -> None:
        reference, candidate = traces()
        # the map has half the source's resolution, so one map pixel is two source pixels
        reference, candidate = (replace(t, shape=(128.0, 192.0, 0.5, 0.5)) for t in (reference, candidate))
        assert candidate.detections is not None
        moved = Detections(tuple(polygon + np.array([2.9, 0]) for polygon in candidate.detections.polygons))
        assert assert_same_detections(reference, replace(candidate, detections=moved)).is_match
        further = Detections(tuple(polygon + np.array([3.1, 0]) for polygon in candidate.detections.polygons))
        with pytest.raises(DifferenceError, match="3 moved"):
            assert_same_detections(reference, replace(candidate, detections=further))

    def test_the_message_says_which_shift_would_pass(self) -> None:
        reference, candidate = traces(pad=5)
        with pytest.raises(DifferenceError) as error:
            assert_same_detections(reference, candidate)
        line = next(line for line in str(error.value).splitlines() if "would pass" in line)
        value = float(line.rpartition("=")[2])
        assert assert_same_detections(reference, candidate, max_shift=value).is_match
        with pytest.raises(DifferenceError):
            assert_same_detections(reference, candidate, max_shift=value * 0.95)

    def test_exact_allows_no_pixel(self) -> None:
        reference, candidate = traces(pad=2)
        with pytest.raises(DifferenceError, match="3 moved"):
            assert_same_detections(reference, candidate, tolerance="exact")
        assert assert_same_detections(*traces(), tolerance="exact").is_match

    def test_polygons_are_judged_by_their_boundary(self) -> None:
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        circle = np.stack([50 + 30 * np.cos(angles), 50 + 30 * np.sin(angles)], axis=1)
        fewer_points = circle[::2]  # vertices are 7.8 px from their nearest twin, boundaries 1 px
        assert assert_same_detections([circle], [fewer_points]).is_match
        with pytest.raises(DifferenceError, match="1 moved"):
            assert_same_detections([circle], [fewer_points + np.array([4, 0])])

    def test_split_and_merged_boxes_are_named(self) -> None:
        halves = [QUAD * np.array([0.45, 1]), QUAD * np.array([0.45, 1]) + np.array([11, 0])]
        with pytest.raises(DifferenceError, match="split"):
            assert_same_detections([QUAD], halves)
        with pytest.raises(DifferenceError, match="merged"):
            assert_same_detections(halves, [QUAD])

    def test_invalid_boxes_are_named_and_never_crash(self) -> None:
        bowtie = QUAD[[0, 2, 1, 3]]
        with pytest.raises(DifferenceError, match="self-crossing"):
            assert_same_detections([QUAD], [bowtie])
        with pytest.raises(DifferenceError, match="not finite"):
            assert_same_detections([QUAD], [QUAD * np.nan])
        assert assert_same_detections([bowtie, QUAD + 50], [bowtie.copy(), QUAD + 50]).is_match

    def test_detections_and_arrays_are_taken_as_they_are(self) -> None:
        boxes = np.stack([QUAD, QUAD + 40])
        assert assert_same_detections(boxes, [QUAD, QUAD + 40]).is_match
        one = Detections((QUAD,), np.array([0.9]))
        assert assert_same_detections(one, Detections((QUAD,), np.array([0.9]))).is_match
        with pytest.raises(DifferenceError, match="1 with another score"):
            assert_same_detections(one, Detections((QUAD,), np.array([0.1])))
        with pytest.raises(DifferenceError, match="1 missing"):
            assert_same_detections(boxes, [QUAD])

    def test_what_is_no_polygon_is_refused(self) -> None:
        with pytest.raises(ValueError, match="polygon 0 has shape"):
            assert_same_detections([[1, 2, 3]], [QUAD])
        with pytest.raises(ValueError, match="1 polygons but 2 scores"):
            Detections((QUAD,), np.array([0.1, 0.2]))


class TestNothingPassesEmpty:
    def test_the_same_object_on_both_sides_fails(self) -> None:
        trace = Toy().trace(PAGE)
        boxes = [QUAD]
        with pytest.raises(DifferenceError, match="same object"):
            assert_same_preprocessing(trace, trace)
        with pytest.raises(DifferenceError, match="same object"):
            assert_same_probability_maps(trace, trace)
        with pytest.raises(DifferenceError, match="same object"):
            assert_same_detections(boxes, boxes)

    def test_no_plain_polygons_on_both_sides_fail_unless_allowed(self) -> None:
        with pytest.raises(DifferenceError, match="no box on either side, and no maps were compared"):
            assert_same_detections([], np.empty((0, 4, 2)))
        assert assert_same_detections([], np.empty((0, 4, 2)), allow_empty=True).status == "empty, as allowed"

    def test_a_blank_page_passes_by_its_maps(self) -> None:
        reference, candidate = Toy().trace(BLANK), Toy(name="inference").trace(BLANK)
        assert assert_same_detections(reference, candidate).status == "empty"

    def test_a_blank_page_with_other_maps_fails(self) -> None:
        reference, candidate = Toy().trace(BLANK), Toy(name="inference", offset=0.1).trace(BLANK)
        with pytest.raises(DifferenceError, match=r"first difference at probability_map"):
            assert_same_detections(reference, candidate)

    def test_missing_detections_fail(self) -> None:
        reference, candidate = traces()
        with pytest.raises(DifferenceError, match="nothing was compared at detections: train has none"):
            assert_same_detections(replace(reference, detections=None), candidate)

    def test_a_pipeline_that_stopped_fails_with_its_own_error(self) -> None:
        reference, candidate = traces()
        stopped = replace(
            candidate, probability_map=None, detections=None, error=StageError("probability_map", "RuntimeError: boom")
        )
        for check in (assert_same_probability_maps, assert_same_detections):
            with pytest.raises(DifferenceError, match="inference stopped at probability_map: RuntimeError: boom"):
                check(reference, stopped)
        with pytest.raises(DifferenceError, match="train stopped at probability_map: RuntimeError: boom"):
            assert_same_detections(replace(stopped, pipeline="train"), candidate)

    def test_a_comparison_has_no_truth_value(self) -> None:
        with pytest.raises(TypeError, match="no truth value"):
            assert assert_same_detections(*traces())


class TestBorderline:
    """A box on the edge of a threshold may come and go with a permitted map difference, and with nothing else."""

    EDGE = page(boxes=((8, 8, 40, 20), (50, 30, 80, 44)))

    def sides(self, **candidate: Any) -> tuple[Trace, Trace]:
        reference = Toy().trace(self.EDGE)
        assert reference.detections is not None
        assert reference.detections.scores is not None
        on_edge = float(reference.detections.scores[1]) - 1e-5
        toy = Toy(box_thresh=on_edge)
        return toy.trace(self.EDGE), Toy(name="inference", box_thresh=on_edge, **candidate).trace(self.EDGE)

    def test_a_box_that_the_map_difference_explains_is_listed_and_passes(self) -> None:
        reference, candidate = self.sides(offset=-5e-5)
        comparison = assert_same_detections(reference, candidate)
        assert comparison.counts["borderline"] > 0
        assert {finding.kind for finding in comparison.boxes} == {"missing"}

    def test_a_post_process_that_changed_too_does_not_hide_behind_it(self) -> None:
        reference, _ = self.sides()
        changed = Toy(name="inference", box_thresh=0.999999, offset=-5e-5).trace(self.EDGE)
        with pytest.raises(DifferenceError, match="missing"):
            assert_same_detections(reference, changed)

    def test_equal_maps_leave_no_allowance(self) -> None:
        reference, _ = self.sides()
        changed = Toy(name="inference", box_thresh=0.999999).trace(self.EDGE)
        with pytest.raises(DifferenceError, match="missing"):
            assert_same_detections(reference, changed)

    def test_an_extra_box_is_explained_in_the_same_way(self) -> None:
        reference, candidate = self.sides(offset=-5e-5)
        comparison = assert_same_detections(replace(candidate, pipeline="train"), replace(reference, pipeline="x"))
        assert {finding.kind for finding in comparison.boxes} == {"extra"}
        assert comparison.counts["borderline"] == comparison.counts["different"] + len(comparison.boxes)

    def test_without_the_candidates_post_process_the_references_is_tried(self) -> None:
        reference, candidate = self.sides(offset=-5e-5)
        assert assert_same_detections(reference, replace(candidate, source=None)).counts["borderline"] > 0
        extra = assert_same_detections(replace(candidate, pipeline="train"), replace(reference, source=None))
        assert extra.counts["borderline"] > 0

    def test_without_either_nothing_is_borderline(self) -> None:
        reference, candidate = self.sides(offset=-5e-5)
        with pytest.raises(DifferenceError, match="missing"):
            assert_same_detections(replace(reference, source=None), replace(candidate, source=None))

    def test_a_map_limit_that_is_off_explains_nothing(self) -> None:
        reference, candidate = self.sides(offset=-5e-5)
        limits = {"probability_maps": {"atol": "off"}}
        with pytest.raises(DifferenceError, match="missing"):
            assert_same_detections(reference, candidate, tolerance=limits)

    def test_maps_beyond_their_limit_explain_nothing(self) -> None:
        reference, candidate = self.sides(offset=-5e-2)
        with pytest.raises(DifferenceError, match="first difference at probability_map"):
            assert_same_detections(reference, candidate)


class TestTolerances:
    def test_an_unknown_limit_is_an_error(self) -> None:
        with pytest.raises(SettingsError, match="did you mean 'min_iou'"):
            assert_same_detections(*traces(), tolerance={"detections": {"min_io": 0.5}})

    def test_a_keyword_beats_the_tolerance(self) -> None:
        reference, candidate = traces(pad=5)
        assert assert_same_detections(
            reference, candidate, tolerance="exact", max_shift=9, min_iou="auto", max_score_difference="off"
        ).is_match

    def test_a_reduced_preset_judges_the_run_not_the_image(self) -> None:
        reference, candidate = traces()
        assert candidate.detections is not None
        fewer = replace(candidate, detections=Detections(candidate.detections.polygons[1:]))
        with pytest.raises(DifferenceError, match="1 missing"):  # outside a run there is only this image
            assert_same_detections(reference, fewer, tolerance="fp16")
        heard = listen()
        comparison = assert_same_detections(reference, fewer, tolerance="fp16")
        assert heard.judged == [comparison]
        share = comparison.measure("detections.max_unmatched")
        assert comparison.is_match
        assert share is not None
        assert not share.is_within

    def test_messages_fit_the_screen(self) -> None:
        reference, candidate = traces(scale=2, mean=0.6, pad=9, thresh=0.4)
        for check in (assert_same_preprocessing, assert_same_probability_maps, assert_same_detections):
            with pytest.raises(DifferenceError) as error:
                check(reference, candidate)
            assert len(str(error.value).splitlines()) <= 25
            assert "resized to 96x64" in first_line(error)


class TestWords:
    """Messages in corners that a user rarely sees."""

    def test_no_place_is_told_where_the_image_size_is_unknown(self) -> None:
        reference, candidate = (replace(trace, shape=None) for trace in traces(mean=0.6))
        with pytest.raises(DifferenceError, match=r"differ by 0\.4, limit"):
            assert_same_preprocessing(reference, candidate)

    def test_many_boxes_are_cut_short(self) -> None:
        boxes = [QUAD + 30 * index for index in range(9)]
        with pytest.raises(DifferenceError, match="and 2 more"):
            assert_same_detections(boxes, [boxes[0]])

    def test_many_parameters_are_cut_short(self) -> None:
        reference, candidate = traces(mean=0.6)
        for trace, shift in ((reference, 0), (candidate, 1)):
            many = {f"p{index}": index + shift for index in range(9)}
            object.__setattr__(trace, "parameters", {"tensor": {**trace.parameters["tensor"], **many}})
        with pytest.raises(DifferenceError, match="and 4 more"):
            assert_same_preprocessing(reference, candidate)

    def test_a_later_comparison_that_could_not_be_made_is_told(self) -> None:
        reference, candidate = traces(mean=0.6)
        with pytest.raises(DifferenceError, match="then        probability maps: nothing was compared at prob"):
            assert_same_preprocessing(reference, replace(candidate, probability_map=None))

    def test_a_lost_share_without_a_pair_still_has_a_limit_that_passes(self) -> None:
        boxes = [QUAD + 500 * index for index in range(20)]
        with pytest.raises(DifferenceError, match=r"would pass  --ocr-tolerance=detections\.max_unmatched=0\.05"):
            assert_same_detections(boxes, boxes[1:])

    def test_a_pair_below_its_iou_is_told_the_iou_that_passes(self) -> None:
        with pytest.raises(DifferenceError, match=r"would pass  detections\.min_iou=0\.8"):
            assert_same_detections([QUAD], [QUAD + np.array([1.0, 0.5])], min_iou=0.99)


class TestNothingPassesUnjudged:
    """A limit that is off, or can't be judged, never makes a difference pass unseen."""

    def test_an_atol_of_0_with_a_share_is_still_judged(self) -> None:
        with pytest.raises(DifferenceError, match="differ in a share of"):
            assert_same_probability_maps(*traces(gain=1.0), tolerance="exact", max_share=0.01)

    def test_maps_with_every_limit_off_fail(self) -> None:
        with pytest.raises(DifferenceError, match="nothing was judged: every limit of probability_maps is off"):
            assert_same_probability_maps(*traces(gain=1.0), atol="off")

    def test_a_share_without_atol_can_not_be_kept(self) -> None:
        with pytest.raises(DifferenceError, match="a share of NaN"):
            assert_same_probability_maps(*traces(gain=1.0), atol="off", max_share=0.5)

    def test_an_empty_page_passes_by_maps_that_were_judged(self) -> None:
        reference, candidate = Toy().trace(BLANK), Toy(name="inference", offset=0.1).trace(BLANK)
        for tolerance in ({"probability_maps": {"atol": "off"}}, "fp16"):
            with pytest.raises(DifferenceError, match=r"no box on either side|probability_map"):
                assert_same_detections(reference, candidate, tolerance=tolerance)

    def test_quads_without_a_shift_limit_are_judged_by_iou(self) -> None:
        with pytest.raises(DifferenceError, match=r"would pass  --ocr-tolerance=detections\.min_iou=0\.6"):
            assert_same_detections([QUAD], [QUAD + np.array([5.0, 0])], max_shift="off")

    def test_a_score_limit_that_was_asked_for_needs_scores(self) -> None:
        reference, candidate = traces(has_scores=False)
        with pytest.raises(DifferenceError, match="max_score_difference can't be judged: inference has none"):
            assert_same_detections(reference, candidate, max_score_difference=0)

    def test_a_preset_asks_for_no_scores_where_there_are_none(self) -> None:
        assert assert_same_detections([QUAD], [QUAD.copy()], tolerance="exact").is_match
        assert assert_same_detections(*traces(has_scores=False), tolerance="exact").is_match

    def test_parameters_that_json_does_not_know_become_text(self) -> None:
        heard = listen()
        reference, candidate = traces()
        odd = replace(candidate, parameters={**candidate.parameters, "decode": {"img_mode": Path("a"), "x": {1}}})
        assert_same_preprocessing(reference, odd)
        assert "PosixPath" not in json.dumps(heard.judged[0].as_json())

    def test_a_box_that_is_no_number_fails_though_both_sides_have_it(self) -> None:
        broken = QUAD.copy()
        broken[0, 0] = np.nan
        with pytest.raises(DifferenceError, match=r"1 invalid of 2 boxes(.|\n)*not finite"):
            assert_same_detections([broken, QUAD + 50], [broken.copy(), QUAD + 50])

    @pytest.mark.parametrize("scores", [(np.nan, 0.9), (0.9, np.nan), (np.nan, np.nan)])
    def test_a_score_that_is_no_number_fails_under_no_tolerance(self, scores: tuple[float, float]) -> None:
        one, two = (Detections((QUAD, QUAD + 50), np.array([0.5, score])) for score in scores)
        for limit in (None, 0.1):
            with pytest.raises(DifferenceError, match="1 with another score") as error:
                assert_same_detections(one, two, max_score_difference=limit)
            assert "would pass" not in str(error.value)

    def test_a_batch_of_another_length_is_not_comparable(self) -> None:
        reference, candidate = traces()
        assert candidate.probability_map is not None
        double = np.concatenate([candidate.probability_map] * 2)
        with pytest.raises(DifferenceError, match="has shape 1x1x64x96 in train, 2x1x64x96"):
            assert_same_probability_maps(reference, replace(candidate, probability_map=double))

    def test_empty_arrays_fail(self) -> None:
        reference, candidate = traces()
        none = np.zeros((1, 3, 0, 0), np.float32)
        with pytest.raises(DifferenceError, match="tensor is empty: 1x3x64x96 in train, 1x3x0x0"):
            assert_same_preprocessing(reference, replace(candidate, tensor=none))
        with pytest.raises(DifferenceError, match="probability_map is empty"):
            assert_same_probability_maps(reference, replace(candidate, probability_map=none))

    def test_a_wrong_shape_row_fails_and_explains_nothing(self) -> None:
        class WrongShape(Toy):
            def preprocess(self, image: Any) -> Trace:
                return replace(super().preprocess(image), shape=(96.0, 144.0, 1.0, 1.0))

        reference, candidate = Toy().trace(PAGE), WrongShape(name="inference", offset=-5e-5).trace(PAGE)
        with pytest.raises(DifferenceError, match="the image is 96x64 px for train, 144x96 px for inference"):
            assert_same_preprocessing(reference, candidate)
        with pytest.raises(DifferenceError, match="first difference at resize"):
            assert_same_detections(reference, candidate)

    def test_two_traces_of_one_pipeline_are_one_side(self) -> None:
        toy = Toy()
        with pytest.raises(DifferenceError, match="both traces come from the same pipeline object, train"):
            assert_same_detections(toy.trace(PAGE), toy.trace(PAGE))

    def test_a_borderline_limit_asked_of_one_call_is_judged_there(self) -> None:
        reference, candidate = TestBorderline().sides(offset=-5e-5)
        with pytest.raises(DifferenceError, match=r"would pass  detections\.max_borderline=0\.5"):
            assert_same_detections(reference, candidate, max_borderline=0.0)
        assert assert_same_detections(reference, candidate, max_borderline=0.5).is_match


class TestPipelinesOfTheUser:
    """What a user's pipeline cannot do is unknown, and never a crash."""

    def test_a_replay_has_no_floor(self) -> None:
        recorded = ReplayPipeline([Toy().trace(PAGE)], name="recorded").trace("page.png")
        with pytest.raises(DifferenceError, match="4 x floor unknown"):
            assert_same_probability_maps(recorded, Toy(name="inference", noise=3e-4).trace(PAGE))

    def test_a_replay_explains_no_box(self) -> None:
        reference, candidate = TestBorderline().sides(offset=-5e-5)
        replayed = ReplayPipeline([candidate], name="replayed").trace("page.png")
        assert assert_same_detections(reference, replayed).counts["borderline"] > 0  # by the reference's post-process
        with pytest.raises(DifferenceError, match="missing"):
            assert_same_detections(ReplayPipeline([reference], name="r").trace("page.png"), replayed)

    def test_parameters_may_be_arrays(self) -> None:
        one, two = traces()
        for mean, std in ((np.full(3, 0.5), np.full(3, 0.25)), (0.5, 0.25), (np.float32(0.5), 0.0)):
            parameters = {"tensor": {"mean": mean, "std": std}}
            assert one.tensor is not None
            moved = replace(two, parameters=parameters, tensor=one.tensor + np.float32(1e-3))
            with pytest.raises(DifferenceError, match="first difference at tensor"):
                assert_same_preprocessing(replace(one, parameters=parameters), moved)

    @pytest.mark.parametrize("value", [None, 3])
    def test_what_is_no_trace_and_no_boxes_is_told(self, value: Any) -> None:
        with pytest.raises(TypeError, match="give a Trace, Detections or a list of polygons"):
            assert_same_detections(value, [QUAD])
        with pytest.raises(TypeError, match=r"give what a model's \.trace\(image\) returned"):
            assert_same_probability_maps(value, traces()[0])

    def test_a_single_polygon_is_told_how_to_be_written(self) -> None:
        with pytest.raises(ValueError, match=r"a single one is \[polygon\]"):
            assert_same_detections(QUAD, [QUAD])

    def test_numpy_numbers_are_limits(self) -> None:
        assert assert_same_preprocessing(*traces(), atol=np.float32(1e-3)).is_match  # type: ignore[arg-type]


class TestWouldPass:
    """The printed tolerance passes, and it is the smallest."""

    def printed(self, check: Any, *args: Any, **limits: Any) -> str:
        with pytest.raises(DifferenceError) as error:
            check(*args, **limits)
        line = next(line for line in str(error.value).splitlines() if "would pass" in line)
        return line.rpartition("=")[2]

    def test_of_a_tensor_it_is_the_largest_difference(self) -> None:
        reference, candidate = traces()
        assert reference.tensor is not None
        moved = reference.tensor.copy()
        moved[0, 0, 0, 0] += 5e-7
        moved[0, 0, 1, 1] += 1.5e-6
        candidate = replace(candidate, tensor=moved)
        value = float(self.printed(assert_same_preprocessing, reference, candidate, tolerance="exact"))
        assert assert_same_preprocessing(reference, candidate, atol=value).is_match
        with pytest.raises(DifferenceError, match="tensor"):
            assert_same_preprocessing(reference, candidate, atol=value * 0.9)

    def test_of_a_wrong_fusion_nothing_is_offered(self) -> None:
        reference = FusedToy(fused_noise=2e-2).trace(PAGE)
        candidate = Toy(name="inference", noise=2e-2).trace(PAGE)
        with pytest.raises(
            DifferenceError, match=r"train differs from its own copy with fused branches by 0.02"
        ) as error:
            assert_same_probability_maps(reference, candidate)
        assert "would pass" not in str(error.value)
        assert assert_same_probability_maps(reference, candidate, atol=0.02).is_match

    def test_of_polygons_it_is_their_iou(self) -> None:
        hexagon = np.array([[0.0, 0], [40, 0], [50, 10], [40, 20], [0, 20], [-10, 10]])
        value = float(self.printed(assert_same_detections, [hexagon], [hexagon + np.array([0, 2.0])]))
        assert assert_same_detections([hexagon], [hexagon + np.array([0, 2.0])], min_iou=value).is_match

    def test_the_first_difference_is_found_where_no_tensor_was_recorded(self) -> None:
        reference, candidate = (replace(trace, tensor=None) for trace in traces(offset=-0.4))
        with pytest.raises(DifferenceError, match="first difference at probability_map"):
            assert_same_detections(reference, candidate, max_score_difference=0.001)

    def test_what_the_test_itself_says_is_changed_there(self) -> None:
        with pytest.raises(DifferenceError, match=r"would pass  detections\.max_shift=4"):
            assert_same_detections([QUAD], [QUAD + np.array([5.0, 0])], max_shift=1)

    def test_of_a_baseline_the_stored_step_is_not_counted_twice(self) -> None:
        reference, candidate = traces(offset=1e-3)
        stored = replace(reference, map_error=1e-4, source=None)
        value = float(self.printed(assert_same_probability_maps, stored, candidate))
        assert value == pytest.approx(9e-4, rel=0.02)
        assert assert_same_probability_maps(stored, candidate, atol=value).is_match

    def test_of_two_empty_lists_nothing_is_offered(self) -> None:
        with pytest.raises(DifferenceError, match="no box on either side") as error:
            assert_same_detections([], np.empty((0, 4, 2)))
        assert "would pass" not in str(error.value)
        assert "allow_empty" not in str(error.value)


class TestStages:
    """The stage that is named is the first."""

    def test_pixels_that_differ_are_not_hidden_by_later_maps(self) -> None:
        other = PAGE.copy()
        other[8:20, 8:40] -= 90
        for check in (assert_same_preprocessing, assert_same_probability_maps, assert_same_detections):
            with pytest.raises(DifferenceError, match="first difference at decode"):
                check(Toy().trace(PAGE), Toy(name="inference").trace(other))

    def test_a_stage_of_one_side_is_a_fact_that_does_not_decide(self) -> None:
        reference, candidate = traces()
        comparison = assert_same_preprocessing(reference, replace(candidate, decode=None))
        assert [(d.stage, d.kind, d.fails) for d in comparison.differences] == [("decode", "one_sided", False)]

    def test_engines_of_training_and_deployment_differ_by_nature(self) -> None:
        reference, candidate = traces(gain=7.0)
        engines = ({"engine": "dygraph", "outputs": 1}, {"engine": "paddle", "cpu_threads": 10, "outputs": 2})
        sides = [
            replace(trace, parameters={**trace.parameters, "probability_map": engine})
            for trace, engine in zip((reference, candidate), engines, strict=True)
        ]
        comparison = compare(reference=sides[0], candidate=sides[1])[1]
        assert [parameter.name for parameter in comparison.parameters] == ["outputs"]

    def test_both_sides_may_be_wrong_in_the_same_way(self) -> None:
        reference, candidate = traces()
        assert reference.probability_map is not None
        wide = np.repeat(reference.probability_map, 3, axis=1)
        with pytest.raises(DifferenceError, match="channels of the map: 3 in train, 3 in inference, 1 is right"):
            assert_same_probability_maps(
                replace(reference, probability_map=wide), replace(candidate, probability_map=wide.copy())
            )
        flat = [
            replace(trace, probability_map=reference.probability_map[0, 0].copy()) for trace in (reference, candidate)
        ]
        with pytest.raises(
            DifferenceError, match="has shape 64x96 in train, 64x96 in inference, where 1x1xHxW is right"
        ):
            assert_same_probability_maps(*flat)

    def test_integers_do_not_wrap_around(self) -> None:
        reference, candidate = traces()
        black, white = (np.full((1, 3, 4, 4), value, np.uint8) for value in (0, 255))
        one: Any = replace(reference, tensor=black)  # type: ignore[arg-type]
        two: Any = replace(candidate, tensor=white)  # type: ignore[arg-type]
        with pytest.raises(DifferenceError, match="differ by 255"):
            assert_same_preprocessing(one, two, atol=2)

    def test_a_long_error_is_cut_to_its_first_line(self) -> None:
        reference, candidate = traces()
        error = StageError("probability_map", "RuntimeError: " + "x" * 300 + "\nC++ trace\n" * 50)
        stopped = replace(candidate, probability_map=None, detections=None, error=error)
        with pytest.raises(DifferenceError, match=r"stopped at probability_map: RuntimeError: x{300}\n") as failure:
            assert_same_detections(reference, stopped)
        assert len(str(failure.value).splitlines()) < 10

    @pytest.mark.parametrize(
        "lines", [("  ShapeError: 2 channels", "  [Hint: 3]", "  [operator < conv > error]"), ("Trace:", "2 channels")]
    )
    def test_an_announced_error_is_told_by_its_name_or_its_last_line(self, lines: tuple[str, ...]) -> None:
        reference, candidate = traces()
        error = StageError("probability_map", "\n".join(["ValueError: In user code:", "", *lines]))
        stopped = replace(candidate, probability_map=None, detections=None, error=error)
        with pytest.raises(DifferenceError, match=r"ValueError: In user code: (ShapeError: )?2 channels\n"):
            assert_same_detections(reference, stopped)


class TestNext:
    """What to do next fits what was found."""

    def test_a_parameter_of_an_earlier_stage_is_not_forgotten(self) -> None:
        candidate = Loaded(name="inference", mean=0.6).trace(PAGE)
        with pytest.raises(DifferenceError) as error:
            assert_same_probability_maps(Toy().trace(PAGE), candidate, tolerance={"preprocessing": {"atol": 1}})
        assert first_line(error).startswith("page.png: first difference at probability_map")
        assert "ran with    tensor.mean: [0.5, 0.5, 0.5] in train, [0.6, 0.6, 0.6] in inference" in str(error.value)
        assert "give inference the values of train: mean in inference.yml, then" in str(error.value)

    def test_each_parameter_is_told_where_paddleocr_takes_it_from(self) -> None:
        reference, candidate = Toy().trace(PAGE), Loaded(name="other", thresh=0.31, box_thresh=0.9999).trace(PAGE)
        more = {**candidate.parameters["detections"], "score_mode": "slow"}
        ours = {**reference.parameters["detections"], "score_mode": "fast"}
        candidate = replace(candidate, parameters={**candidate.parameters, "detections": more})
        reference = replace(reference, parameters={**reference.parameters, "detections": ours})
        with pytest.raises(
            DifferenceError, match=r"thresh, box_thresh in inference.options, score_mode in inference.yml"
        ):
            assert_same_detections(reference, candidate)

    def test_what_was_not_compared_is_told_how_to_be(self) -> None:
        reference, candidate = (replace(trace, tensor=None) for trace in traces())
        with pytest.raises(DifferenceError, match=r"neither side has any(.|\n)*let both traces hold their tensor"):
            assert_same_preprocessing(reference, candidate)
        told = "let both traces hold their probability_map, by which a page without text is compared"
        with pytest.raises(DifferenceError, match=told):
            assert_same_detections([], np.empty((0, 4, 2)))

    def test_outside_pytest_no_command_line_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PYTEST_CURRENT_TEST")
        with pytest.raises(DifferenceError, match=r"would pass  detections\.max_shift=4\n  next .*then compare again$"):
            assert_same_detections([QUAD], [QUAD + np.array([5.0, 0])])

    def test_two_images_are_refused(self) -> None:
        one, two = traces()
        one, two = replace(one, image="a.png", image_sha256="1"), replace(two, image="b.png", image_sha256="2")
        with pytest.raises(DifferenceError, match=r"the traces are of two images, a\.png and b\.png"):
            assert_same_detections(one, two)

    def test_another_engine_is_told_the_names_alone(self) -> None:
        with pytest.raises(DifferenceError, match="give my engine the values of train: mean, then"):
            assert_same_preprocessing(Toy().trace(PAGE), Toy(name="my engine", mean=0.6).trace(PAGE))
