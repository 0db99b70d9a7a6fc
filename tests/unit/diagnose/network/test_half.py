"""Programs that compute in float16: what float32 in the place of that explains, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from diagnosing import RAMP, Array, cause_of, found_by, on
from networks import KEYS, WEIGHTS, Exported, Network, Trained
from toy import PAGE, Toy

from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.network.half import LEAST, is_rounded_to_half
from pytest_ocrparity.diagnosis import UNKNOWN

STEM, HEAD, BIAS = KEYS
HALF = {name: array.astype(np.float16) for name, array in WEIGHTS.items()}
FAR: Mapping[str, Array] = {
    **WEIGHTS,
    HEAD: np.full((1, 32, 1, 1), 2**-7 * (1 + 0.49 * 2**-10), np.float32),
    BIAS: np.array([1.2], np.float32),
}
"""Weights that lie between two numbers of float16, so that rounding alone moves the map."""
FAR_HALF = {name: array.astype(np.float16) for name, array in FAR.items()}
COARSE = 1024
"""What values on the way are rounded to 1 / COARSE of, so that it shows on drawn pages."""


@dataclass(frozen=True)
class Program:
    """`networks.Network` in float16: rounds its tensor on the way, and what its stem makes."""

    weights: Mapping[str, Array] = field(default_factory=lambda: HALF)
    operators: int = 5
    gain: float = 6.0

    def run(self, tensor: Array, *, in_half: bool = True) -> Array:
        weights = {name: np.asarray(array, np.float32) for name, array in self.weights.items()}
        if in_half:
            tensor = np.asarray(np.round(tensor * COARSE / 64) / np.float32(COARSE / 64), np.float32)
        return Network(weights, gain=self.gain).run(tensor)


@dataclass
class Half(Exported):
    program: Program | None = field(default_factory=Program)

    def infer(self, tensor: Array) -> Array:
        made = super().infer(tensor) if self.program is None else self.program.run(tensor)
        return np.asarray(made**self.power)

    def stored_weights(self) -> Mapping[str, Array]:
        return self.network_run.weights if self.program is None else self.program.weights

    def half_program(self) -> Program | None:
        return self.program


def port(**given: object) -> Half:
    return Half(name="port", **given)  # type: ignore[arg-type]


def test_float32_in_the_place_of_float16_returns_the_map() -> None:
    """The weights are the trained ones, so that what is rounded between layers explains all."""
    found = cause_of(on(Trained()), on(port(program=Program(WEIGHTS))))
    assert found.cause == "precision.fp16"
    assert found.summary == "port computes 5 operators in half precision (fp16)"
    (proof,) = found.evidence
    assert proof.startswith("with float32 in the place of float16, port's engine returns train's map (")
    assert found.fix is not None
    assert "--ocr-tolerance=fp16" in found.fix.text


def test_weights_that_are_the_trained_ones_rounded() -> None:
    found = cause_of(on(Trained(network=Network(FAR))), on(port(program=Program(FAR_HALF))))
    assert found.cause == "precision.fp16"
    assert found.evidence[0].startswith(
        "with float32 in the place of float16, port's engine returns the map of train's network with port's weights"
    )
    assert found.evidence[1].startswith("these weights are the checkpoint's, rounded to half precision: the map is off")


@dataclass
class Squares(Half):
    """The engine squares the map of one page."""

    def infer(self, tensor: Array) -> Array:
        made, page = super().infer(tensor), on(Toy(), RAMP).tensor
        return np.asarray(made**2) if page is not None and np.array_equal(tensor, page) else made


@pytest.mark.parametrize(("weights", "half"), [(WEIGHTS, HALF), (FAR, FAR_HALF)], ids=["way", "weights"])
@pytest.mark.parametrize("kind", [Half, Squares])
def test_it_is_confirmed_on_another_page_by_the_same_experiment(
    weights: Mapping[str, Array], half: Mapping[str, Array], kind: type[Half]
) -> None:
    cache, train = DiagnosisCache(60), Trained(network=Network(weights))
    side = kind(name="port", program=Program(half))
    pages = [(on(train, page, str(index)), on(side, page, str(index))) for index, page in enumerate((PAGE, RAMP))]
    found = [[each.cause for each in found_by(cache, *sides)] for sides in pages]
    assert found == [["precision.fp16"], [UNKNOWN if kind is Squares else "precision.fp16"]]


@pytest.mark.parametrize(
    "wrong",
    [
        port(program=Program({**HALF, HEAD: HALF[HEAD] * np.float16(1.05)})),
        port(program=Program(gain=6.5)),
        port(power=2),
    ],
    ids=["another weight", "another graph", "squared by the engine"],
)
def test_what_float16_does_not_explain_is_unknown(wrong: Half) -> None:
    found = cause_of(on(Trained()), on(wrong))
    assert found.cause == UNKNOWN
    assert any(each.startswith("precision.fp16: ") for each in found.tried)


def test_a_program_that_computes_in_float32_has_another_cause() -> None:
    found = cause_of(
        on(Trained()), on(port(program=None, network_run=Network({**WEIGHTS, BIAS: WEIGHTS[BIAS] + np.float32(0.1)})))
    )
    assert found.cause == "network.weights"


def test_what_is_rounded_to_half() -> None:
    trained = np.array([1.0, 1 / 3, -70.1, 3e-8, 0.0, 8e-8], np.float32)
    half = trained.astype(np.float16).astype(np.float32)
    assert is_rounded_to_half(half, trained)
    assert is_rounded_to_half(np.asarray(np.where(trained == np.float32(3e-8), 1e-7, half), np.float32), trained)
    assert not is_rounded_to_half(trained, trained)
    assert not is_rounded_to_half(half[:3], trained)
    for place in range(4):
        other = half.copy()
        other[place] = np.nextafter(np.float16(other[place] + 4 * LEAST), np.float16(np.inf))
        assert not is_rounded_to_half(other, trained), place


def test_a_weight_that_is_not_the_trained_one_rounded_is_named() -> None:
    wrong = port(program=Program({**HALF, HEAD: HALF[HEAD] * np.float16(1.05)}))
    found = cause_of(on(Trained()), on(wrong))
    assert any(
        each.endswith("1 of its 3 weights is not the checkpoint's, rounded: head.weight") for each in found.tried
    )
