"""Why a line has another size: by both sides' rules, and only where the reference's own code makes its pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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

    def test_a_side_that_states_more_columns_than_its_tensor_has_is_unknown(self) -> None:
        class Cuts(Resizes):
            def preprocess(self, image: Image) -> Trace:
                trace = super().preprocess(image)
                assert trace.tensor is not None
                return replace(trace, tensor=np.ascontiguousarray(trace.tensor[..., :9]))

        (found,) = causes(Resizes(**EVALUATED), Cuts(), WIDE)
        assert (found.stage, found.cause) == ("resize", UNKNOWN)

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


class Batches(Resizes):
    """Its preprocessing fills a line up as in a batch with a wide one; alone it does not, or to another width."""

    alone = 244

    def preprocess(self, image: Image) -> Trace:
        return self._filled_up(super().preprocess(image), 308)

    def trace_batch(self, images: Any) -> list[Trace]:
        widest = max(self.alone, *(each.shape[1] * 16 // each.shape[0] for each in images), 0)
        return [self._filled_up(super(Batches, self).preprocess(each), widest) for each in images]

    def _filled_up(self, trace: Trace, width: int) -> Trace:
        assert trace.tensor is not None
        missing = width - trace.tensor.shape[3]
        tensor = np.pad(trace.tensor, ((0, 0), (0, 0), (0, 0), (0, missing)))
        sizes = {"height": 16, "content_width": 244, "width": width}
        return replace(trace, tensor=tensor, parameters={**trace.parameters, "resize": sizes}, source=self)


class TestBatchOfItsOwn:
    """A side whose preprocessing of one line makes a batch is asked for a batch of that line alone."""

    def found(self, side: Batches, **train: Any) -> list[tuple[str, str]]:
        found = causes(Resizes(name="train", rule="as wide as the line", **train), side, WIDE)
        return [each for each in named(found) if each[0] in ("resize", "tensor")]

    def test_it_is_named(self) -> None:
        assert self.found(Batches()) == [("resize", "resize.batch_padding")]

    def test_what_differs_alone_too_is_named_beside_it(self) -> None:
        found = self.found(Batches(img_mode="RGB"))
        assert found == [("resize", "resize.batch_padding"), ("tensor", "decode.channel_order")]

    @pytest.mark.parametrize("alone", [308, 324])
    def test_a_line_that_is_filled_up_alone_too_is_not_of_a_batch(self, alone: int) -> None:
        side = Batches()
        side.alone = alone
        assert ("resize", "resize.batch_padding") not in self.found(side)

    def test_a_batch_that_fills_nothing_up_is_no_cause(self) -> None:
        class Fixed(Batches):
            def trace_batch(self, images: Any) -> list[Trace]:
                return [Resizes.preprocess(self, each) for each in images]

        assert ("resize", "resize.batch_padding") not in self.found(Fixed())

    def test_a_buffer_that_grew_before_is_no_batch(self) -> None:
        class Grew(Batches):
            def fresh(self) -> Resizes:
                return Resizes(rule=self.rule)

        assert ("resize", "resize.batch_padding") not in self.found(Grew())

    def test_a_side_that_takes_no_batch(self) -> None:
        class Stops(Batches):
            def trace_batch(self, images: Any) -> list[Trace]:
                raise RuntimeError("one line at a time")

        assert ("resize", "resize.batch_padding") not in self.found(Stops())


@dataclass
class Arranges(Resizes):
    """Puts what it made of a line otherwise into the tensor."""

    arranged: Callable[[Any], Any] = np.asarray

    def preprocess(self, image: Image) -> Trace:
        trace = super().preprocess(image)
        return replace(trace, tensor=np.ascontiguousarray(self.arranged(trace.tensor), np.float32))


def moved(by: int) -> Callable[[Any], Any]:
    return lambda tensor: np.roll(tensor, by, axis=3)


class TestArrangement:
    @pytest.mark.parametrize(
        ("wrong", "expected"),
        [
            ({"arranged": moved(5)}, ["resize.padding"]),
            ({"arranged": moved(16)}, ["resize.padding"]),
            ({"arranged": moved(5), "fill": -1.0}, ["resize.padding", "tensor.padding_value"]),
            ({"arranged": lambda t: t.transpose(0, 2, 3, 1).reshape(t.shape)}, ["layout.axes"]),
            ({"arranged": lambda t: t[..., ::-1]}, [UNKNOWN]),
            ({"arranged": lambda t: moved(5)(t) + np.linspace(0, 0.1, t.shape[3])}, [UNKNOWN]),
            ({"arranged": lambda t: moved(5)(t) ** 3}, [UNKNOWN]),
        ],
    )
    def test_where_a_line_lies(self, wrong: dict[str, Any], expected: list[str]) -> None:
        found = causes(Arranges(**EVALUATED), Arranges(**wrong), NARROW)
        assert [each.cause for each in found if each.stage == "tensor"] == expected

    def test_the_column_is_said(self) -> None:
        found = causes(Arranges(**EVALUATED), Arranges(arranged=moved(5)), NARROW)
        assert found[0].evidence == (
            "the picture of 47 columns starts at column 5 of 64 in inference, at 0 in train; moved there, it is "
            "train's",
        )


class Changes(Resizes):
    """Offers what ports do to a line before they resize it."""

    def recoded(self, pixels: Any) -> Any:
        yield "turned upside down", pixels[::-1]
        yield "with light and dark exchanged", 255 - pixels

    def resampled(self, pixels: Any, size: Any) -> Any:
        return iter(())


@dataclass
class Feeds(Changes):
    """Changes a line before it resizes it, and records it as it was."""

    fed: Callable[[Any], Any] = np.asarray

    def preprocess(self, image: Image) -> Trace:
        return replace(super().preprocess(self.fed(image)), decode=super().preprocess(image).decode)


@pytest.mark.parametrize(
    ("fed", "cause"),
    [
        (lambda pixels: 255 - pixels, "resize.pixels"),
        (lambda pixels: pixels[::-1], "resize.pixels"),
        (lambda pixels: 254 - np.minimum(pixels, 254), UNKNOWN),
        (lambda pixels: (255 - pixels)[::-1, ::-1], UNKNOWN),
    ],
)
def test_a_line_that_is_changed_before_it_is_resized(fed: Callable[[Any], Any], cause: str) -> None:
    found = causes(Changes(**EVALUATED), Feeds(fed=fed), NARROW)
    assert named(found)[0] == ("resize", cause)
    if cause != UNKNOWN:
        assert "by train's own code, the line is inference's, pixel by pixel" in found[0].evidence[0]


@pytest.mark.parametrize("can_change", [False, True])
def test_only_what_the_reference_could_be_asked_for_was_tried(can_change: bool) -> None:
    side = (Changes if can_change else Resizes)(**EVALUATED)
    (found, *_) = causes(side, Feeds(fed=lambda pixels: (255 - pixels)[::-1, ::-1]), NARROW)
    assert (found.stage, found.cause) == ("resize", UNKNOWN)
    assert can_change == any("by no interpolation" in each for each in found.tried)
    assert can_change != any(each.startswith("resize: other interpolations") for each in found.not_tried)


class Leaks(Resizes):
    """Its base width is that of a key under `Global`."""

    def leaked(self) -> Mapping[str, str]:
        return {"image_shape": "resize"}

    def without_leak(self) -> Resizes:
        return Resizes(name=self.name, base_width=64)


@pytest.mark.parametrize(("width", "cause"), [(64, "reference.global_leak"), (96, "resize.width")])
def test_a_key_under_global_that_reaches_the_resize_of_lines(width: int, cause: str) -> None:
    """Without the key the two sides run alike; where they do not, the key is not said to be the cause."""
    found = causes(Leaks(name="train", base_width=128), Resizes(base_width=width), NARROW)
    assert named(found)[0] == ("resize", cause)


def test_an_option_is_put_right_against_a_baseline() -> None:
    for fill, rest in ((0.0, []), (1.0, [("tensor", "tensor.padding_value")])):
        reference = replace(traced(Varied(**EVALUATED), NARROW), source=None, pipeline="baseline (train)")
        candidate = traced(Varied(rule="stretched", fill=fill), NARROW)
        found = diagnose(reference=reference, candidate=candidate, tolerance=BUILT_IN)
        assert [(each.stage, each.cause) for each in found] == [("resize", "resize.input_shape"), *rest]
