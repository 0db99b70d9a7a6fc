"""What is fed to the networks: each thing that may differ is named at its stage, and its twin passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sides import first_line, traces
from toy import PAGE, Toy
from toy_reader import LINE, Reader

from pytest_ocrparity import Decoded, DifferenceError, Trace, assert_same_preprocessing
from pytest_ocrparity.compare.preprocessing import compare_preprocessing
from pytest_ocrparity.comparison import Difference, Measure
from pytest_ocrparity.tolerance import BUILT_IN


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


class TestLines:
    """Recognisers: the sizes that a side names, and the tensor."""

    def test_a_line_that_one_side_squeezes(self) -> None:
        found = compare_preprocessing(*lines(squeezes=True), BUILT_IN)
        assert (found.status, found.stage, found.task) == ("different", "resize", "recognition")
        (first,) = (each for each in found.differences if each.stage == "resize")
        assert (first.kind, first.reference, first.candidate) == ("line_size", [16, 112, 112], [16, 64, 64])

    def test_one_pixel_of_content_is_one_too_many(self) -> None:
        reference, candidate = lines()
        said = {**candidate.parameters, "resize": {**candidate.parameters["resize"], "content_width": 111}}
        found = compare_preprocessing(reference, replace(candidate, parameters=said), BUILT_IN)
        assert [each.kind for each in found.differences if each.fails] == ["line_size"]

    def test_equal_lines(self) -> None:
        found = compare_preprocessing(*lines(), BUILT_IN)
        assert found.status == "same" and not any(each.fails for each in found.differences)

    def test_where_a_side_names_no_size_the_pictures_and_the_tensor_decide(self) -> None:
        reference, candidate = lines(squeezes=True)
        for said in ({}, {"resize": {"height": "16", "content_width": None, "width": [112]}}):
            found = compare_preprocessing(replace(reference, parameters=said), candidate, BUILT_IN)
            assert [each.kind for each in found.differences if each.fails] == ["size", "shape"]

    def test_the_place_of_a_difference_is_in_the_source_image(self) -> None:
        reference, candidate = lines(height=32)
        assert candidate.tensor is not None
        tensor = candidate.tensor.copy()
        tensor[0, 1, 20, 50] += 0.1
        found = compare_preprocessing(reference, replace(candidate, tensor=tensor), BUILT_IN)
        assert found.measures[0].at == (25.0, 10.0)


def lines(**fields: Any) -> tuple[Trace, Trace]:
    height = {"height": fields["height"]} if "height" in fields else {}
    return Reader(**height).trace(LINE), Reader(name="inference", **fields).trace(LINE)


class TestStages:
    """What one side alone recorded, and what of a stage differs."""

    def differences(self, reference: Trace, candidate: Trace, stage: str) -> list[Difference]:
        return [
            each for each in compare_preprocessing(reference, candidate, BUILT_IN).differences if each.stage == stage
        ]

    @pytest.mark.parametrize("stage", ["decode", "resize"])
    def test_a_stage_of_one_side_is_a_fact(self, stage: str) -> None:
        reference, candidate = traces()
        without: dict[str, Any] = {stage: None}
        left, right = replace(reference, **without), replace(candidate, **without)
        assert self.differences(reference, right, stage) == [Difference(stage, "one_sided", True, False, fails=False)]
        assert self.differences(left, candidate, stage) == [Difference(stage, "one_sided", False, True, fails=False)]
        assert self.differences(left, right, stage) == []
        assert compare_preprocessing(left, candidate, BUILT_IN).is_match

    @pytest.mark.parametrize("size", [(64.0, 97.0), (65.0, 96.0)])
    def test_another_source_size(self, size: tuple[float, float]) -> None:
        reference, candidate = traces()
        other = replace(candidate, shape=(*size, 1.0, 1.0))
        found = [Difference("resize", "source_size", (64.0, 96.0), size)]
        assert self.differences(reference, other, "resize") == found
        assert self.differences(reference, replace(candidate, shape=(64.0, 96.0, 2.0, 2.0)), "resize") == []
        assert self.differences(reference, replace(other, shape=None), "resize") == []
        assert self.differences(replace(reference, shape=None), other, "resize") == []

    def test_another_size_is_named_by_height_and_width(self) -> None:
        reference, candidate = traces(scale=2)
        assert self.differences(reference, candidate, "resize") == [Difference("resize", "size", (64, 96), (128, 192))]

    def test_pixels_alone_are_no_failure(self) -> None:
        reference, candidate = traces()
        assert candidate.resize is not None
        other = replace(candidate, resize=candidate.resize + np.uint8(1))
        assert self.differences(reference, other, "resize") == [Difference("resize", "pixels", fails=False)]
        assert compare_preprocessing(reference, other, BUILT_IN).is_match

    def test_a_size_that_is_named_in_part_is_none(self) -> None:
        reference, candidate = lines()
        for name in ("height", "content_width", "width"):
            said = {**candidate.parameters, "resize": {**candidate.parameters["resize"], name: None}}
            assert compare_preprocessing(reference, replace(candidate, parameters=said), BUILT_IN).is_match


def fed(tensor: Any, name: str = "train", **parameters: Any) -> Trace:
    return Trace(
        pipeline=name, image="page.png", tensor=np.asarray(tensor, np.float32), parameters={"tensor": parameters}
    )


class TestTensors:
    """The automatic limit is that of the value: 4 ulp of what it is the sum of, and never below 2e-6."""

    def measure(self, reference: Trace, candidate: Trace) -> Measure:
        return compare_preprocessing(reference, candidate, BUILT_IN).measures[0]

    @pytest.mark.parametrize("shape", [(1, 1, 2, 3), (1, 2, 3)])
    def test_the_worst_value_is_that_which_exceeds_its_own_limit_by_most(self, shape: tuple[int, ...]) -> None:
        values = np.zeros(shape, np.float32)
        values[..., 0, 1] = 1000
        other = values.copy()
        other[..., 0, 1] += 1.2e-4  # less than 4 ulp of 1000
        other[..., 1, 2] += 4e-6
        worst = self.measure(fed(values), fed(other, "inference"))
        assert worst.limit == pytest.approx(2e-6)
        assert not worst.is_within
        assert worst.value == pytest.approx(4e-6)
        assert worst.at == self.measure(fed(values), fed(np.where(values == 0, other, values), "inference")).at

    def test_where_all_is_rounding_the_limit_is_that_of_the_largest(self) -> None:
        values = np.zeros((1, 1, 2, 3), np.float32)
        values[..., 1, 1] = 300
        other = values.copy()
        other[..., 0, 2] += 1e-6
        assert self.measure(fed(values), fed(other, "inference")).limit == pytest.approx(2e-6)
        same = self.measure(fed(values[..., 1:, 1:]), fed(values[..., 1:, 1:], "inference"))
        assert same.limit == pytest.approx(4 * np.spacing(np.float32(300)))

    @pytest.mark.parametrize(("ulps", "is_within"), [(4, True), (5, False)])
    def test_four_ulp(self, ulps: int, is_within: bool) -> None:
        big = np.float32(300)
        other = fed([[[[big + ulps * np.spacing(big)]]]], "inference")
        assert self.measure(fed([[[[big]]]]), other).is_within == is_within

    @pytest.mark.parametrize(
        ("said", "terms"),
        [
            ({"mean": [1.0, 100.0, 1.0], "std": [1.0, 1.0, 1.0]}, 100),
            ({"mean": [-100.0], "std": [1.0]}, 100),
            ({"mean": 1.0, "std": 0.01}, 100),
            ({"std": 0.001}, 0),
            ({"mean": 1000.0}, 0),
            ({"mean": [100.0, 100.0], "std": [0.0, 1.0]}, 0),  # nobody divides by 0
            ({"mean": [100.0, 100.0, 100.0], "std": [1.0]}, 0),
            ({"mean": "100, 100, 100", "std": [1.0]}, 0),
            ({"mean": [None], "std": [1.0]}, 0),
            ({}, 0),
        ],
    )
    def test_the_terms_of_a_value_near_zero_are_mean_over_std(self, said: dict[str, Any], terms: float) -> None:
        zeros = np.zeros((1, 1, 2, 3), np.float32)
        expected = max(2e-6, float(4 * np.spacing(np.float32(terms))))
        for given in (said, {**said, "other": 1}):
            found = self.measure(fed(zeros, **given), fed(zeros, "inference", mean=1e6, std=1.0))
            assert found.limit == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("empty", ["reference", "candidate", "both"])
    def test_a_tensor_without_values_compares_nothing(self, empty: str) -> None:
        full, none = np.zeros((1, 1, 2, 3)), np.zeros((1, 1, 0, 3))
        reference = fed(full if empty == "candidate" else none)
        candidate = fed(full if empty == "reference" else none, "inference")
        found = compare_preprocessing(reference, candidate, BUILT_IN)
        assert [each.kind for each in found.differences] == ["no_values"]
        assert not found.is_match


def test_the_place_of_a_tensor_without_a_batch_is_found_too() -> None:
    tensor = np.zeros((3, 4, 6), np.float32)
    other = tensor.copy()
    other[1, 2, 5] = 1
    shape = (4.0, 6.0, 1.0, 1.0)
    one, two = (
        Trace(pipeline=name, image="a.png", shape=shape, tensor=each)
        for name, each in (("train", tensor), ("port", other))
    )
    found = compare_preprocessing(one, two, BUILT_IN).measure("preprocessing.atol")
    assert found is not None and (found.value, found.at) == (1.0, (5.0, 2.0))
