"""Programs that compute in float16: what float32 in the place of that explains, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from diagnosing import RAMP, Array, cause_of, found_by, on
from networks import KEYS, RNG, WEIGHTS, Exported, Network, Trained
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


NORM = {
    "batch_norm2d_0.w_1": RNG.uniform(-0.1, 0.1, 32),
    "batch_norm2d_0.w_2": RNG.uniform(0.5, 2.0, 32),
    "batch_norm2d_0.w_0": RNG.uniform(0.5, 1.5, 32),
    "batch_norm2d_0.b_0": RNG.uniform(-0.1, 0.1, 32),
}
NORMED: Mapping[str, Array] = {
    STEM: WEIGHTS[STEM],
    **{name: array.astype(np.float32) for name, array in NORM.items()},
    HEAD: FAR[HEAD],
    BIAS: np.array([1.2], np.float32),
}
NORM_KEYS = dict(zip(NORM, ("_mean", "_variance", "weight", "bias"), strict=True))


@dataclass(frozen=True)
class Normed(Network):
    """With a batch norm behind its stem, which an export folds with its own epsilon."""

    weights: Mapping[str, Array] = field(default_factory=lambda: NORMED)
    epsilon: float = 1e-5

    def keys(self) -> Mapping[str, str]:
        return {STEM: "stem.conv.weight", **{name: f"stem.norm.{key}" for name, key in NORM_KEYS.items()},
                HEAD: "head.weight", BIAS: "head.bias"}  # fmt: skip

    def with_arrays(self, arrays: Mapping[str, Array]) -> Normed:
        return replace(self, weights={**self.weights, **arrays})

    def folded(self) -> dict[str, Array]:
        """Return its arrays with the norm folded into the stem, under names that say nothing."""
        mean, variance, scale, offset = (self.weights[name].astype(np.float64) for name in NORM)
        factor = scale / np.sqrt(variance + self.epsilon)
        kernel = self.weights[STEM] * factor.reshape(-1, 1, 1, 1)
        made = {"a": kernel, "b": offset - mean * factor, "c": self.weights[HEAD], "d": self.weights[BIAS]}
        return {name: np.asarray(array, np.float32) for name, array in made.items()}

    def run(self, tensor: Array) -> Array:
        return run_folded(self.folded(), tensor)


def run_folded(weights: Mapping[str, Array], tensor: Array) -> Array:
    kernel, shift, head, bias = (np.asarray(weights[name], np.float32) for name in "abcd")
    hidden = np.einsum("oc,nchw->nohw", kernel[:, :, 0, 0], tensor) + shift.reshape(1, -1, 1, 1)
    sums = np.einsum("oc,nchw->nohw", head[:, :, 0, 0], hidden)
    return np.asarray(1 / (1 + np.exp(-6 * (sums - bias[0]))), np.float32)


@dataclass(frozen=True)
class FoldedProgram(Program):
    def run(self, tensor: Array, *, in_half: bool = True) -> Array:
        if in_half:
            tensor = np.asarray(np.round(tensor * COARSE / 64) / np.float32(COARSE / 64), np.float32)
        return run_folded(self.weights, tensor)


def folded_half(**changed: Array) -> dict[str, Array]:
    return {name: array.astype(np.float16) for name, array in {**Normed().folded(), **changed}.items()}


def next_to(array: Array) -> Array:
    """Return an array of float16 with one value a step further."""
    made = array.copy()
    made.flat[5] = np.nextafter(made.flat[5], np.float16(np.inf))
    return made


def test_weights_with_a_norm_folded_in_are_known_as_the_checkpoints() -> None:
    found = cause_of(on(Trained(network=Normed())), on(port(program=FoldedProgram(folded_half()))))
    assert found.cause == "precision.fp16"
    assert found.evidence[1].startswith(
        "these weights are the checkpoint's, with batch norms folded in and rounded to half precision: the map is off"
    )


@pytest.mark.parametrize(
    "half",
    [
        {name: array.astype(np.float16) for name, array in Normed(epsilon=0.01).folded().items()},
        {**folded_half(), "a": next_to(folded_half()["a"])},
        {**folded_half(), "c": next_to(folded_half()["c"])},
        folded_half(b=Normed().folded()["b"] + np.float32(0.01)),
    ],
    ids=["epsilon", "kernel", "unfolded kernel", "bias"],
)
def test_another_norm_or_number_beside_a_folded_one_is_unknown(half: dict[str, Array]) -> None:
    """Near miss: a step of float16 further than rounding ends."""
    found = cause_of(on(Trained(network=Normed())), on(port(program=FoldedProgram(half))))
    assert found.cause == UNKNOWN
    assert any("its weights are not known as the checkpoint's, rounded" in each for each in found.tried)
