"""A line that the candidate scales before it resizes it, as RapidOCR does with one below 30 px."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from recognisers import Resizes, causes, named
from toy_reader import line

from pytest_ocrparity.diagnosis import UNKNOWN, Change, Fix
from pytest_ocrparity.trace import Image, Trace

LOW = np.clip(line("abba", height=11).astype(int) + np.random.default_rng(5).integers(0, 8, (11, 64, 3)), 0, 255)
LOW = LOW.astype(np.uint8)
TALL = LOW.repeat(2, 0).repeat(2, 1)


@dataclass
class Scales(Resizes):
    """Makes a line of 16x48 px of one that is lower, and says so."""

    scales: bool = True
    says: bool = True
    obeys: bool = True

    def preprocess(self, image: Image) -> Trace:
        source = np.asarray(image)
        if not self.scales or source.shape[0] >= 16:
            return super().preprocess(image)
        rows, columns = np.arange(16) * source.shape[0] // 16, np.arange(48) * source.shape[1] // 48
        made = super().preprocess(source[rows][:, columns])
        said = {"least_size": [16 / source.shape[0], 48 / source.shape[1]]} if self.says else {}
        parameters = {**made.parameters, "resize": {**made.parameters["resize"], **said}}
        return replace(made, decode=super().preprocess(image).decode, parameters=parameters)

    def varied(self, changes: Mapping[str, Mapping[str, Any]]) -> Scales:
        assert changes == {"resize": {"least_size": None}}
        return replace(self, scales=not self.obeys)

    def parameter_fix(self, stage: str, values: Mapping[str, Any]) -> Fix:
        return Fix("leave the line as it is", (Change("inference.options", {"scales": False}),))


def found_in(image: Any, **wrong: Any) -> Any:
    return causes(Resizes(name="train"), Scales(**wrong), image)


def test_it_is_named_with_the_words_of_the_side() -> None:
    (found,) = found_in(LOW)
    assert (found.stage, found.cause) == ("resize", "resize.pixels")
    assert found.summary == "inference scales the line by 0.75 x 1.45 before it resizes it, and train does not"
    assert found.evidence == (
        "scaled by 0.75 x 1.45 before its resize, inference's line has other pixels than without: 93 of 93 columns, 16 "
        "px high, in train, 93 of 93 columns, 16 px high, in inference; before, 93 of 93 columns, 16 px high, in "
        "train, 48 of 64 columns, 16 px high, in inference",
    )
    assert found.fix == Fix("leave the line as it is", (Change("inference.options", {"scales": False}),))


def test_a_line_that_is_high_enough_shows_nothing() -> None:
    assert found_in(TALL) == []


def test_another_size_beside_it_is_named_too() -> None:
    assert named(found_in(LOW, base_width=128)) == [("resize", "resize.pixels"), ("resize", "resize.width")]


@pytest.mark.parametrize("wrong", [{"says": False}, {"obeys": False}])
def test_without_an_experiment_it_is_not_named(wrong: dict[str, Any]) -> None:
    assert "resize.pixels" not in [cause for _, cause in named(found_in(LOW, **wrong))]


def test_what_it_does_not_explain_stays_unknown() -> None:
    (found,) = found_in(LOW, picked=lambda picture: picture[:, ::-1])
    assert found.cause == UNKNOWN
    hint = found.evidence[-1]
    assert hint.startswith("not proved: inference scales the line by 0.75 x 1.45 before it resizes it, and train does ")
    assert hint.endswith("; what differs then is not explained")
