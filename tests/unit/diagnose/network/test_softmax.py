"""A softmax that is missing, twice there or a logarithm; and maps that are nearly so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from recognisers import Port, causes, named
from scipy.special import log_softmax, softmax
from toy_reader import LINE, Reader, line

from pytest_ocrparity.diagnosis import UNKNOWN


class Returns(Port):
    """Returns another function of its logits."""

    make: Callable[..., Any] = staticmethod(softmax)

    def infer(self, tensor: Any) -> Any:
        right = super().infer(tensor).astype(np.float64)
        logits = np.log(np.maximum(right, 1e-30)) + 3.0
        return np.asarray(self.make(logits), np.float32)


def returns(make: Callable[[Any], Any]) -> Returns:
    side = Returns()
    side.make = make
    return side


def flat(make: Callable[[Any], Any]) -> Returns:
    side = returns(make)
    side.gain = 10.0
    return side


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda logits: logits, "logits, without a softmax"),
        (lambda logits: log_softmax(logits, axis=-1), "logarithms of probabilities"),
        (lambda logits: softmax(softmax(logits, axis=-1), axis=-1), "the softmax of probabilities"),
    ],
)
def test_what_is_wrong_with_a_softmax(make: Callable[[Any], Any], told: str) -> None:
    (found,) = causes(Reader(gain=10.0), flat(make), line("abba cd", shade=-18))
    assert (found.stage, found.cause) == ("probability_map", "network.softmax")
    assert found.summary == f"inference's network returns {told}"
    assert found.evidence[0].startswith("with that undone, inference's map is train's (largest difference ")
    assert found.fix is not None


@pytest.mark.parametrize(
    "make",
    [
        lambda logits: softmax(logits * 0.7, axis=-1),
        lambda logits: logits * 0.7,
        lambda logits: 1 / (1 + np.exp(-logits)),
        lambda logits: softmax(logits, axis=1),
        lambda logits: logits + np.linspace(0, 1, logits.shape[-1]),
    ],
)
def test_what_is_nearly_so_stays_unknown(make: Callable[[Any], Any]) -> None:
    found = causes(Reader(gain=10.0), flat(make), line("abba cd", shade=-18))
    assert named(found)[0] == ("probability_map", UNKNOWN)
    assert "network.softmax: no missing, second or logarithmic softmax makes this map" in found[0].tried


def test_a_right_softmax_has_no_cause() -> None:
    assert causes(Reader(), Port(), LINE) == []


@pytest.mark.parametrize("gain", [40.0, 400.0])
def test_probabilities_times_a_number_are_no_logits(gain: float) -> None:
    """The softmax of 255 times a clean map is that map again."""

    class Percent(Port):
        def infer(self, tensor: Any) -> Any:
            return super().infer(tensor) * np.float32(255)

    found = causes(Reader(gain=gain), Percent(gain=gain), LINE)
    assert "network.softmax" not in [each.cause for each in found]
