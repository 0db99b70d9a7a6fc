"""Why a line has another size: by both sides' rules, and only where the reference's own code makes its pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from recognisers import Resizes, causes, named, traced
from toy_reader import line

from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.tolerance import BUILT_IN
from pytest_ocrparity.trace import Image, Trace

NOISE = np.random.default_rng(5)


def noisy(picture: Any) -> Any:
    """Return a picture with levels enough for fits."""
    return np.clip(picture.astype(int) + NOISE.integers(0, 8, picture.shape), 0, 255).astype(np.uint8)


WIDE = noisy(line("abba cd", height=11, cells=2))
NARROW = np.ascontiguousarray(WIDE[:, :32])
EVALUATED: dict[str, Any] = {"name": "train", "rule": "squeezed"}


def found_in(image: Any, train: dict[str, Any] | None = None, **wrong: Any) -> Any:
    return causes(Resizes(**{**EVALUATED, **(train or {})}), Resizes(**wrong), image)


class TestSizes:
    @pytest.mark.parametrize(
        ("image", "train", "wrong", "expected"),
        [
            (WIDE, {}, {}, ["resize.width"]),
            (WIDE, {"rule": "as wide as the line"}, {"rule": "squeezed"}, ["resize.width"]),
            (NARROW, {}, {"rule": "stretched"}, ["resize.stretch"]),
            (NARROW, {"rule": "stretched"}, {}, ["resize.stretch"]),
            (NARROW, {}, {"height": 32}, ["resize.height"]),
            (NARROW, {}, {"base_width": 128}, ["resize.width"]),
            (NARROW, {}, {"rounding": math.floor}, ["resize.rounding"]),
            (WIDE, {"rule": "as wide as the line"}, {"multiple": 32}, ["resize.padding"]),
            (WIDE, {"rule": "as wide as the line"}, {"most": 100}, ["resize.max_width"]),
            (WIDE, {}, {"most": 100}, ["resize.width", "resize.max_width"]),
            (NARROW, {}, {"picked": lambda picture: picture[:, ::-1]}, [UNKNOWN]),
            (WIDE, {}, {"picked": lambda picture: picture // 2 * 2}, [UNKNOWN]),
        ],
    )
    def test_one_thing(self, image: Any, train: dict[str, Any], wrong: dict[str, Any], expected: list[str]) -> None:
        found = [each for each in found_in(image, train, **wrong) if each.stage == "resize"]
        assert [each.cause for each in found] == expected
        assert all((each.fix is None) == (each.cause == UNKNOWN) for each in found)

    def test_equal_sizes_have_no_cause(self) -> None:
        assert found_in(NARROW) == []

    def test_the_width_of_an_evaluation_is_shown_bit_for_bit(self) -> None:
        (found,) = found_in(WIDE)
        assert found.evidence == (
            "64 of 64 columns, 16 px high, in train, 244 of 244 columns, 16 px high, in inference; resized to 244x16 "
            "by train's own code, the line is inference's, pixel by pixel",
            "with eval_mode, train's tensor is inference's, bit for bit",
        )
        assert found.fix is not None and "eval_mode: true under RecResizeImg" in found.fix.text
        assert "batch_size_per_card: 1" in found.fix.text

    def test_two_things_at_once(self) -> None:
        found = found_in(WIDE, img_mode="RGB", fill=-1.0, multiple=32)
        expected = [("tensor", "decode.channel_order"), ("tensor", "tensor.padding_value")]
        assert named(found) == [("resize", "resize.width"), ("resize", "resize.padding"), *expected]

    def test_a_size_without_a_rule_is_unknown(self) -> None:
        class Odd(Resizes):
            def size(self, shape: Any) -> tuple[int, int]:
                content, _ = super().size(shape)
                return content, 64 + shape[1] % 7 * 16

        found = causes(Resizes(**EVALUATED), Odd(), NARROW)
        assert named(found) == [("resize", UNKNOWN)]
        assert found[0].summary == "the line has another size, and which rule gives it is not known"
        assert "the line is inference's, pixel by pixel" in found[0].evidence[0]

    def test_sizes_that_a_side_does_not_state_are_seen(self) -> None:
        assert named(found_in(WIDE, says_size=False)) == [("resize", "resize.width")]

    def test_a_reference_that_cannot_be_asked(self) -> None:
        reference = replace(traced(Resizes(**EVALUATED), WIDE), source=None)
        found = diagnose(reference=reference, candidate=traced(Resizes(), WIDE), tolerance=BUILT_IN)
        assert named(list(found))[0] == ("resize", UNKNOWN)
        assert "resize: train's own resize at inference's size, which it can't be asked for" in found[0].not_tried


class Varied(Resizes):
    """Takes other shapes, as paddlex's resize does."""

    given: Any = None

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        shape = {"image_shape": [3, self.height, self.base_width], "rule": self.rule, "max_width": None}
        stretched = {"input_shape": [3, self.height, self.base_width]} if self.rule == "stretched" else {}
        return {**super().parameters, "resize": {**shape, **stretched}}

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        stated = {**self.parameters["resize"], **trace.parameters["resize"]}
        return replace(trace, parameters={**trace.parameters, "resize": stated})

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Resizes:
        values = dict(changes["resize"])
        if "input_shape" in values:
            return replace(self, rule="as wide as the line" if values["input_shape"] is None else "stretched")
        return replace(self, height=values["image_shape"][1], base_width=values["image_shape"][2])


class TestOptions:
    """What the candidate's own code does with another value comes first."""

    @pytest.mark.parametrize(
        ("train", "wrong", "cause"),
        [
            ({}, {"rule": "stretched"}, "resize.input_shape"),
            ({"rule": "stretched"}, {}, "resize.stretch"),
            ({}, {"height": 32}, "resize.height"),
            ({}, {"base_width": 128}, "resize.width"),
        ],
    )
    def test_one_option(self, train: dict[str, Any], wrong: dict[str, Any], cause: str) -> None:
        found = causes(Varied(**{**EVALUATED, **train}), Varied(**wrong), NARROW)
        assert named(found) == [("resize", cause)]
        assert "inference's line is as large as train's" in found[0].evidence[0]

    def test_an_option_that_changes_nothing_is_no_cause(self) -> None:
        class Ignores(Varied):
            def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Resizes:
                return replace(self)

            @property
            def parameters(self) -> Mapping[str, Mapping[str, Any]]:
                return {**super().parameters, "resize": {"image_shape": [3, 16, 64], "input_shape": [3, 16, 64]}}

        found = causes(Varied(**EVALUATED), Ignores(base_width=128), NARROW)
        assert named(found) == [("resize", "resize.width")]
        assert "with eval_mode" not in found[0].evidence[0] and "128 of 128" not in found[0].evidence[0]


def test_a_line_that_was_filled_up_in_a_batch() -> None:
    """Alone it is as it is in the reference; what was recorded is wider."""
    deployed: dict[str, Any] = {"rule": "as wide as the line"}
    reference, side = traced(Resizes(name="train", **deployed), WIDE), Resizes(**deployed)
    trace = traced(side, WIDE)
    assert trace.tensor is not None
    wider = np.concatenate([trace.tensor, np.zeros((1, 3, 16, 64), np.float32)], axis=3)
    sizes = {**trace.parameters, "resize": {"height": 16, "content_width": 244, "width": 308}}
    for fill, cause in ((0.0, "resize.batch_padding"), (0.5, UNKNOWN)):
        wider[..., 244:] = fill
        recorded = replace(trace, tensor=np.array(wider), parameters=sizes)
        found = diagnose(reference=reference, candidate=recorded, tolerance=BUILT_IN)
        assert [each.cause for each in found if each.stage in ("resize", "tensor")] == [cause]


def test_an_option_is_put_right_against_a_baseline() -> None:
    for fill, rest in ((0.0, []), (1.0, [("tensor", "tensor.padding_value")])):
        reference = replace(traced(Varied(**EVALUATED), NARROW), source=None, pipeline="baseline (train)")
        candidate = traced(Varied(rule="stretched", fill=fill), NARROW)
        found = diagnose(reference=reference, candidate=candidate, tolerance=BUILT_IN)
        assert [(each.stage, each.cause) for each in found] == [("resize", "resize.input_shape"), *rest]
