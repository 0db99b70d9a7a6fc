"""Quantised programs: whose weights they round, and what is no rounding of the trained network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from diagnosing import RAMP, Array, cause_of, found_by, on
from networks import KEYS, WEIGHTS, Exported, Network, Trained
from toy import PAGE, Toy

from pytest_ocrparity.contract import RoundedOperator
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnose.network.rounding import match_weights
from pytest_ocrparity.diagnosis import UNKNOWN

STEM, HEAD, BIAS = KEYS
GRID = "8 bits per tensor, symmetric"
NONE = np.zeros((), np.float32)
STEPS = 7
"""Coarser than 8 bits, so that it shows on drawn pages."""


def step_of(array: Array, steps: int = 127) -> Array:
    return np.asarray(np.abs(array).max() / steps, np.float32)


def rounded(array: Array, step: Array) -> Array:
    return np.asarray(np.round(array / step) * step, np.float32)


@dataclass(frozen=True)
class Program:
    """A quantised program of `networks.Network`: rounds its tensor on the way, and two kernels."""

    weights: Mapping[str, Array] = field(default_factory=lambda: WEIGHTS)
    way: float = 0.0
    steps: int = 0
    grid: str = GRID
    quantiser: str = "onnxruntime.quantization.quantize_static"
    per_channel: str = "per_channel=True"
    leaves_out: str = "nodes_to_exclude"
    other_steps: Sequence[str] = ("with calibration images that are preprocessed as in production",)
    takers: tuple[str, ...] | None = ()

    @property
    def operators(self) -> Sequence[RoundedOperator]:
        if not self.steps:
            return ()
        found = []
        for name, bias in ((STEM, None), (HEAD, self.weights[BIAS])):
            kernel = self.weights[name]
            step = step_of(kernel, self.steps)
            found.append(RoundedOperator(name, rounded(kernel, step), step, bias, NONE, self.grid, self.takers))
        return found

    @property
    def rounded(self) -> int:
        return int(self.way > 0)

    def run(
        self,
        tensor: Array,
        *,
        rounds: bool = True,
        kept: Mapping[str, tuple[Array, Array | None]] | None = None,
    ) -> Array:
        kernels = {each.name: each.kernel for each in self.operators if each.name not in (kept or {})}
        given = np.round(tensor / self.way) * np.float32(self.way) if self.way and rounds else tensor
        return Network({**self.weights, **kernels}).run(given)


@dataclass
class Quantised(Exported):
    program: Program | None = None

    def infer(self, tensor: Array) -> Array:
        made = super().infer(tensor) if self.program is None else self.program.run(tensor)
        return np.asarray(made**self.power)

    def stored_weights(self) -> Mapping[str, Array]:
        raise OSError("only the program says them")

    def quantised_program(self) -> Program | None:
        return self.program


def test_rounding_on_the_way_alone() -> None:
    found = cause_of(on(Trained()), on(Quantised(name="port", program=Program(way=0.1))))
    assert found.cause == "precision.activations"
    assert found.summary == "port rounds 1 array between its layers"
    assert found.evidence[0].startswith(
        "without the rounding of 1 array between its layers, port's program returns train's map"
    )
    assert found.fix is not None
    assert "preprocessed as in production" in found.fix.text
    assert "per_channel" not in found.fix.text


@pytest.mark.parametrize("way", [0.0, 0.05])
def test_weights_that_are_the_trained_ones_rounded(way: float) -> None:
    found = cause_of(on(Trained()), on(Quantised(name="port", program=Program(way=way, steps=STEPS))))
    assert found.cause == "precision.int8"
    assert found.evidence[0] == f"the kernels of 2 operators are train's, rounded to the steps that port states: {GRID}"
    assert len(found.evidence) == 2 + (way > 0)
    assert found.fix is not None
    assert (
        "per_channel=True, or without the operators that `python -m pytest_ocrparity layers IMAGE --rank` names"
        in found.fix.text
    )


def test_the_lesser_part_of_a_difference_is_not_its_cause() -> None:
    """The same kernels with much coarser steps between the layers."""
    found = cause_of(on(Trained()), on(Quantised(name="port", program=Program(way=0.5, steps=STEPS))))
    assert found.cause == "precision.activations"
    assert found.summary == (
        "port rounds 1 array between its layers; the lesser part of the difference is that it stores the kernels of 2 "
        f"operators in {GRID}"
    )
    assert found.fix is not None
    assert "preprocessed as in production" in found.fix.text
    assert "per_channel" not in found.fix.text


def test_the_fix_names_what_made_the_program() -> None:
    steps = ("after training",)
    made = Program(way=0.1, quantiser="paddle.quantization", leaves_out="add_layer_config", other_steps=steps)
    found = cause_of(on(Trained()), on(Quantised(name="port", program=made)))
    assert found.fix is not None
    assert found.fix.text.startswith("quantise again with paddle.quantization, after training, or without ")
    assert "(add_layer_config)" in found.fix.text


@dataclass
class Squares(Quantised):
    """The engine squares the map of one page."""

    def infer(self, tensor: Array) -> Array:
        made, page = super().infer(tensor), on(Toy(), RAMP).tensor
        return np.asarray(made**2) if page is not None and np.array_equal(tensor, page) else made


@pytest.mark.parametrize("program", [Program(way=0.1), Program(way=0.05, steps=STEPS)], ids=["way", "weights"])
@pytest.mark.parametrize("kind", [Quantised, Squares])
def test_it_is_confirmed_on_another_page_by_the_same_experiment(program: Program, kind: type[Quantised]) -> None:
    cache, train, port = DiagnosisCache(60), Trained(), kind(name="port", program=program)
    found = [
        found_by(cache, on(train, page, str(index)), on(port, page, str(index)))
        for index, page in enumerate((PAGE, RAMP))
    ]
    cause = "precision.int8" if program.steps else "precision.activations"
    again = UNKNOWN if kind is Squares else cause
    assert [[each.cause for each in page] for page in found] == [[cause], [again]]


FURTHER = {**WEIGHTS, STEM: np.asarray(WEIGHTS[STEM] * 1.02, np.float32)}


@pytest.mark.parametrize(
    "port",
    [
        Quantised(name="port", program=Program(FURTHER, way=0.05, steps=STEPS)),
        Quantised(name="port", program=Program(FURTHER, way=0.05)),
        Quantised(name="port", program=Program(way=0.05, steps=STEPS, grid="4 bits per tensor, symmetric")),
        Quantised(name="port", program=Program(way=0.05, steps=STEPS), power=2),
        Quantised(name="port", program=Program(way=0.1), power=2),
    ],
    ids=["trained further", "other weights", "4 bits", "squared by the engine", "squared, and rounded on the way"],
)
def test_what_rounding_does_not_explain_is_unknown(port: Quantised) -> None:
    found = cause_of(on(Trained()), on(port))
    assert found.cause == "unknown"
    assert not any(each.startswith("precision") for each in found.ruled_out)


def test_kernels_that_are_not_the_trained_ones_rounded_are_named() -> None:
    found = cause_of(on(Trained()), on(Quantised(name="port", program=Program(FURTHER, steps=STEPS))))
    told = f"precision.int8: the quantised weights are not the checkpoint's, rounded (1 of 2: {STEM})"
    assert told in found.tried


def test_a_program_that_is_not_quantised_is_examined_as_ever() -> None:
    found = cause_of(on(Trained()), on(Quantised(name="port", power=2)))
    assert found.cause == "unknown"
    assert not any("precision" in each for each in (*found.tried, *found.not_tried))


KERNEL = WEIGHTS[STEM]
NORM = {
    "batch_norm2d_0.w_1": np.linspace(-1, 1, 32).astype(np.float32),
    "batch_norm2d_0.w_2": np.linspace(0.5, 2, 32).astype(np.float32),
    "batch_norm2d_0.w_0": np.linspace(0.3, 3, 32).astype(np.float32),
    "batch_norm2d_0.b_0": np.linspace(1, -1, 32).astype(np.float32),
}
NORM_KEYS = dict(zip(NORM, ("norm._mean", "norm._variance", "norm.weight", "norm.bias"), strict=True))


@dataclass(frozen=True)
class Normalised(Network):
    """A convolution and the batch norm that follows it; it returns what both compute."""

    used: tuple[str, ...] = (STEM, *NORM)

    def keys(self) -> Mapping[str, str]:
        return {STEM: "stem.weight", **NORM_KEYS}

    def run(self, tensor: Array) -> Array:
        hidden = np.einsum("oc,nchw->nohw", self.weights[STEM][:, :, 0, 0], tensor)
        mean, variance, scale, offset = (self.weights[name].reshape(-1, 1, 1) for name in NORM)
        return np.asarray((hidden - mean) / np.sqrt(variance + 1e-5) * scale + offset)


def folded() -> tuple[Array, Array]:
    mean, variance, scale, offset = NORM.values()
    factor = scale / np.sqrt(variance + np.float32(1e-5))
    return np.asarray(KERNEL * factor.reshape(-1, 1, 1, 1)), np.asarray(offset - mean * factor)


def test_a_batch_norm_may_be_folded_into_its_convolution() -> None:
    network = Normalised({STEM: KERNEL, **NORM})
    kernel, bias = folded()
    step = step_of(kernel)
    operator = RoundedOperator("Conv.0", rounded(kernel, step), step, bias, NONE, GRID)
    found = match_weights(OneOperator(operator), network)
    assert found is not None
    assert found.layers == {"Conv.0": "stem"}
    tensor = np.random.default_rng(0).normal(size=(1, 3, 4, 5)).astype(np.float32)
    made = found.network.run(tensor)
    right = np.einsum("oc,nchw->nohw", operator.kernel[:, :, 0, 0], tensor) + bias.reshape(-1, 1, 1)
    assert np.max(np.abs(made - right)) < 1e-5
    assert np.max(np.abs(made - network.run(tensor))) > 1e-3


@pytest.mark.parametrize("change", ["kernel", "bias", "shape"])
def test_what_is_not_rounded_from_a_layer_has_none(change: str) -> None:
    kernel, bias = folded()
    step = step_of(kernel)
    operator = RoundedOperator("Conv.0", rounded(kernel, step), step, bias, NONE, GRID)
    others = {
        "kernel": replace(
            operator, kernel=np.asarray(operator.kernel + 2 * step * (np.arange(32) == 3).reshape(-1, 1, 1, 1))
        ),
        "bias": replace(operator, bias=np.asarray(bias + 0.5)),
        "shape": replace(operator, kernel=operator.kernel[:, :2]),
    }
    assert match_weights(OneOperator(others[change]), Normalised({STEM: KERNEL, **NORM})) is None


@dataclass(frozen=True)
class OneOperator(Program):
    operator: RoundedOperator | None = None

    def __init__(self, operator: RoundedOperator) -> None:
        object.__setattr__(self, "operator", operator)

    @property
    def operators(self) -> Sequence[RoundedOperator]:
        assert self.operator is not None
        return (self.operator,)
