"""The numbers of a line and of what fills it up, each by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from recognisers import Resizes, causes, named

from pytest_ocrparity.diagnosis import UNKNOWN
from unit.diagnose.recognition.test_line_preprocessing import EVALUATED, NARROW

IMAGENET = [np.array(each).reshape(1, 3, 1, 1) for each in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]


def found_in(**wrong: Any) -> list[Any]:
    return causes(Resizes(**EVALUATED), Resizes(**wrong), NARROW)


@pytest.mark.parametrize(
    ("fill", "told"),
    [
        (-1.0, "-1 (black)"),
        (1.0, "1 (white)"),
        (np.float32((127 / 255 - 0.5) / 0.5), "-0.003922 (grey 127 before the normalisation)"),
        (0.25, "0.25"),
        ("edge", "its last column, repeated"),
    ],
)
def test_another_fill(fill: Any, told: str) -> None:
    (found,) = found_in(fill=fill)
    assert (found.stage, found.cause) == ("tensor", "tensor.padding_value")
    assert found.summary == f"inference fills lines up with {told}, train with 0"
    assert found.evidence[0].endswith("with 0 there, its tensor is train's")


def test_a_fill_of_many_values_is_unknown() -> None:
    (found,) = found_in(fill=np.linspace(0, 1, 17, dtype=np.float32))
    assert (found.stage, found.cause) == ("tensor", UNKNOWN)
    assert found.evidence == ("right of the line, inference's tensor holds 0 to 1",)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda t: (t * 0.5 + 0.5 - IMAGENET[0]) / IMAGENET[1], "normalize.mean_std"),
        (lambda t: t * 0.5 + 0.5, "normalize.mean_std"),
        (lambda t: t.astype(np.float16), "normalize.precision"),
        (lambda t: t[:, ::-1], "decode.channel_order"),
        (lambda t: t * 1.1 + 0.03, UNKNOWN),
        (lambda t: np.sign(t) * t**2, UNKNOWN),
    ],
)
def test_other_numbers_are_found_beside_a_right_fill(change: Any, cause: str) -> None:
    assert named(found_in(change=change)) == [("tensor", cause)]


def test_both_at_once() -> None:
    found = found_in(change=lambda t: t * 0.5 + 0.5, fill=1.0)
    assert named(found) == [("tensor", "normalize.mean_std"), ("tensor", "tensor.padding_value")]
    assert not found[1].evidence[0].endswith("its tensor is train's")


def test_equal_numbers_have_no_cause() -> None:
    assert found_in() == []


def test_a_line_that_is_filled_up_on_the_left_is_named_once() -> None:
    class Left(Resizes):
        def preprocess(self, image: Any) -> Any:
            trace = super().preprocess(image)
            assert trace.tensor is not None
            shift = trace.tensor.shape[3] - trace.parameters["resize"]["content_width"]
            return replace(trace, tensor=np.ascontiguousarray(np.roll(trace.tensor, shift, axis=3)))

    (found,) = causes(Resizes(**EVALUATED), Left(), NARROW)
    assert (found.stage, found.cause) == ("tensor", "resize.padding")
    assert found.summary.startswith("inference puts the line at column ")


@pytest.mark.parametrize("ink", [255, 40])
def test_a_line_that_its_fill_continues_is_where_it_was(ink: int) -> None:
    """A white line filled up with white lies at every column; one that ends in white lies at the first."""
    page = np.full_like(NARROW, 255)
    page[:, : len(page[0]) // 2] = ink
    (found,) = causes(Resizes(**EVALUATED), Resizes(fill=1.0), page)
    assert (found.stage, found.cause) == ("tensor", "tensor.padding_value")
