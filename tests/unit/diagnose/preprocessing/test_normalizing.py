"""The numbers and the layout of a tensor: which are named, and which look like them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from diagnosing import GREY, RAMP, SPREAD, Array, all_judged, judged, on_spread, only, says, seen
from toy import Toy

from pytest_ocrparity import Trace
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import UNKNOWN
from pytest_ocrparity.trace import Image


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

    @pytest.mark.parametrize("value", [np.nan, np.inf, None])
    def test_of_numbers_that_are_not_finite_no_fit_is_told(self, value: float | None) -> None:
        class Divides(Scales):
            def changed(self, tensor: Array) -> Array:
                made = super().changed(tensor)
                made[0, :, 3, 4] = made[0, :, 3, 4] if value is None else value
                return made

        diagnosis = only(seen(Toy(), RAMP), seen(Divides(name="port"), RAMP))
        assert judged(diagnosis) == ("tensor", UNKNOWN)
        assert says(diagnosis.evidence, "port's tensor is [2.0, 2.0, 2.0] x train's") == (value is None)
        told = f"port's tensor holds NaN or infinity: 3 of {RAMP.size} values"
        assert (told in diagnosis.evidence) == (value is not None)

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


class TestWhatNumbersMayBe:
    RAMP = SPREAD + (np.arange(160, dtype=np.uint8) // 8)[None, :, None]

    class Declares(Toy):
        """Says the reference's mean and std, and halves the contrast about grey."""

        def preprocess(self, image: Image) -> Trace:
            trace = super().preprocess(image)
            assert trace.tensor is not None
            return replace(trace, tensor=np.asarray(trace.tensor * 0.5, np.float32))

    def test_a_contrast_that_looks_like_a_known_std_is_not_blamed_on_what_is_said(self) -> None:
        found = diagnose(
            reference=on_spread(Toy(), self.RAMP), candidate=on_spread(self.Declares(name="port"), self.RAMP)
        )
        assert all_judged(found)[0] == ("tensor", UNKNOWN)

    def test_numbers_that_are_said_come_before_others_that_fit(self) -> None:
        reference, candidate = (
            on_spread(Toy(mean=0.5, std=0.5), self.RAMP),
            on_spread(Toy(name="port", mean=0.75, std=0.25), self.RAMP),
        )
        assert all_judged(diagnose(reference=reference, candidate=candidate))[0] == ("tensor", "normalize.mean_std")


SLOPED = (np.arange(96 * 160 * 3, dtype=np.uint32).reshape(96, 160, 3) * 7 % 251).astype(np.uint8)


def as_bfloat16(tensor: Array) -> Array:
    """Round by arithmetic: eight bits of a number's mantissa."""
    mantissa, exponent = np.frexp(tensor.astype(np.float64))
    return np.asarray(np.ldexp(np.round(mantissa * 256) / 256, exponent), np.float32)


def cut_to_bfloat16(tensor: Array) -> Array:
    mantissa, exponent = np.frexp(tensor.astype(np.float64))
    return np.asarray(np.ldexp(np.trunc(mantissa * 256) / 256, exponent), np.float32)


class Steps(Changes):
    """Rounds to steps of 0.04, as an input in few bits does."""

    def changed(self, tensor: Array) -> Array:
        return np.asarray(np.round((tensor + 2) / 0.04) * 0.04 - 2, np.float32)


class TestPrecision:
    @pytest.mark.parametrize(
        ("rounded", "name"),
        [
            (lambda t: t.astype(np.float16), "float16"),
            (as_bfloat16, "bfloat16"),
            (cut_to_bfloat16, "bfloat16, the rest cut off"),
        ],
    )
    @pytest.mark.parametrize("has_source", [True, False])
    def test_half_precision_is_named_and_removes_nothing_else(self, rounded: Any, name: str, has_source: bool) -> None:
        class Rounds(Changes):
            def changed(self, tensor: Array) -> Array:
                return np.asarray(rounded(tensor))

        candidate = seen(Rounds(name="port"), SLOPED)
        found = diagnose(
            reference=seen(Toy(), SLOPED), candidate=candidate if has_source else replace(candidate, source=None)
        )
        assert all_judged(found) == [("tensor", "normalize.precision")]
        assert found[0].summary == f"port's tensor was rounded to {name}"

    @pytest.mark.parametrize("has_source", [True, False])
    def test_steps_of_one_size_are_named(self, has_source: bool) -> None:
        candidate = seen(Steps(name="port"), SLOPED)
        found = diagnose(
            reference=seen(Toy(), SLOPED), candidate=candidate if has_source else replace(candidate, source=None)
        )
        assert all_judged(found) == [("tensor", "normalize.precision")]
        assert found[0].summary == "port's tensor was rounded to steps of 0.04, as 8 bits are"

    def test_a_scale_that_is_left_out_is_told_beside_that_of_paddleocr(self) -> None:
        class Unscaled(Changes):
            def changed(self, tensor: Array) -> Array:
                return np.asarray(tensor * np.float32(255) + np.float32(508))

        diagnosis = only(seen(Toy(), RAMP), seen(Unscaled(name="port"), RAMP))
        assert (*judged(diagnosis), diagnosis.summary) == (
            *("tensor", "normalize.scale"),
            "scale 0.00392157 in train, 1 in port",
        )

    def test_steps_with_a_value_that_is_not_finite_stay_unknown(self) -> None:
        class Divides(Steps):
            def changed(self, tensor: Array) -> Array:
                made = super().changed(tensor)
                made[0, 0, 3, 4] = np.nan
                return made

        found = diagnose(reference=seen(Toy(), SLOPED), candidate=seen(Divides(name="port"), SLOPED))
        assert all_judged(found)[0] == ("tensor", UNKNOWN)

    @pytest.mark.parametrize("spoil", [0.03, -0.05])
    def test_steps_of_another_tensor_stay_unknown(self, spoil: float) -> None:
        class Nearly(Changes):
            def changed(self, tensor: Array) -> Array:
                curved = tensor + np.float32(spoil) * np.sin(tensor * 3)
                return np.asarray(np.round((curved + 2) / 0.04) * 0.04 - 2, np.float32)

        found = diagnose(reference=seen(Toy(), SLOPED), candidate=seen(Nearly(name="port"), SLOPED))
        assert all_judged(found)[0] == ("tensor", UNKNOWN)

    @pytest.mark.parametrize(
        ("is_whole", "cause"), [(True, UNKNOWN), (False, "normalize.precision")], ids=["whole numbers", "fractions"]
    )
    def test_what_rounding_leaves_as_it_is_was_not_rounded(self, is_whole: bool, cause: str) -> None:
        class Right(Changes):
            def changed(self, tensor: Array) -> Array:
                return np.asarray(np.rint(tensor * 32 + 100) if is_whole else tensor * 0.9)

        class Off(Right):
            """Has one value in 2000 one step of bfloat16 off, as by another decoder."""

            def changed(self, tensor: Array) -> Array:
                made = as_bfloat16(super().changed(tensor))
                off = made.reshape(-1)[::2000]
                off -= np.ldexp(np.float32(1), np.frexp(off)[1] - 8)
                return made

        found = diagnose(reference=seen(Right(), SLOPED), candidate=seen(Off(name="port"), SLOPED))
        assert all_judged(found)[0] == ("tensor", cause)

    @pytest.mark.parametrize("spoil", ["three steps", "coarser", "not on the grid"])
    def test_what_is_near_half_precision_stays_unknown(self, spoil: str) -> None:
        class Nearly(Changes):
            def changed(self, tensor: Array) -> Array:
                if spoil == "coarser":
                    return np.round(tensor.astype(np.float64) * 128) / 128
                half = tensor.astype(np.float16)
                if spoil == "three steps":
                    half[0, 0, 0, 0] += 3 * np.spacing(half[0, 0, 0, 0])
                    return half
                return np.asarray(half.astype(np.float32) + np.float32(1e-4))

        found = diagnose(reference=seen(Toy(), SLOPED), candidate=seen(Nearly(name="port"), SLOPED))
        assert all_judged(found)[0] == ("tensor", UNKNOWN)
