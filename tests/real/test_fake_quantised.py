"""A network that Paddle trained on with fake-quantised operators (QAT): what its export rounds, and its cause."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from faults.deployment import EXAMPLE, Deployment, save, trained

from pytest_ocrparity.backends.graphs import fake_quantised_program
from pytest_ocrparity.backends.graphs.fake_quantised import FakeQuantisedProgram
from pytest_ocrparity.backends.isolation import isolated
from real.features import needs_engines

SIDE = 128
NO_FOLDING = {"delete_pass": ["constant_folding_pass"]}
"""Without this, Paddle Inference 3.2.2 stops while it loads such a program: "Tensor holds no memory"."""


@pytest.fixture(scope="module")
def page() -> npt.NDArray[np.float32]:
    return np.random.default_rng(5).normal(0, 1, (1, 3, SIDE, SIDE)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, page: npt.NDArray[np.float32]) -> Path:
    """The example's network with rounded kernels and arrays, with the weights of its checkpoint."""
    folder = tmp_path_factory.mktemp("qat")
    save(rounding(trained(), page), folder)
    return folder


def rounding(network: Any, page: npt.NDArray[np.float32]) -> Any:
    """Return a network with rounded kernels and arrays."""
    with isolated():
        import paddle
        from paddle.quantization import QAT, QuantConfig
        from paddle.quantization.quanters import FakeQuanterWithAbsMaxObserver

        quanter = FakeQuanterWithAbsMaxObserver(moving_rate=0.9)
        network.train()
        rounding = QAT(QuantConfig(activation=quanter, weight=quanter)).quantize(network, inplace=False)
        rounding.eval()
        for layer in rounding.sublayers():
            if "Quanter" in type(layer).__name__:
                layer.train()  # it observes how large its arrays are
        for _ in range(20):
            rounding(paddle.to_tensor(page))
        rounding.eval()
    return rounding


@pytest.fixture(scope="module")
def program(folder: Path) -> FakeQuantisedProgram:
    found = fake_quantised_program(folder / "inference.json")
    assert found is not None
    return found


def test_a_program_without_such_operators_is_none() -> None:
    assert fake_quantised_program(EXAMPLE / "inference" / "inference.json") is None
    assert fake_quantised_program(EXAMPLE / "inference" / "inference.pdmodel") is None


def test_kernels_are_what_their_steps_stand_for(program: FakeQuantisedProgram) -> None:
    assert len(program.operators) == 11
    first = program.operators[0]
    assert (first.name, first.grid, first.takers) == ("conv2d.0", "8 bits per tensor, symmetric", None)
    stem = dict(trained().named_parameters())["stem.0.weight"].numpy()
    np.testing.assert_allclose(first.kernel / first.step, np.round(stem / first.step), atol=1e-3)


def test_without_rounding_it_is_the_trained_network(
    program: FakeQuantisedProgram, page: npt.NDArray[np.float32]
) -> None:
    with isolated():
        import paddle

        right = np.asarray(trained_map(trained(), paddle.to_tensor(page)))
    kept: dict[str, Any] = {each.name: (each.kernel, None) for each in program.operators}
    whole, kernels, none = (
        np.max(np.abs(made - right))
        for made in (program.run(page), program.run(page, rounds=False), program.run(page, rounds=False, kept=kept))
    )
    assert none < 1e-6 < kernels < whole
    (first, *_) = kept
    assert np.max(np.abs(program.run(page, rounds=False, kept={first: kept[first]}) - right)) > 1e-6


def test_a_program_for_one_height_is_read(tmp_path: Path) -> None:
    with isolated():
        import paddle

        class OneHeight(paddle.nn.Layer):
            def __init__(self) -> None:
                super().__init__()
                self.stem = paddle.nn.Conv2D(3, 4, 3, padding=1)
                self.head = paddle.nn.Linear(48, 2)

            def forward(self, tensor: Any) -> Any:
                return self.head(self.stem(tensor).transpose([0, 1, 3, 2]))

        page = np.ones((1, 3, 48, 96), np.float32)
        save(rounding(OneHeight(), page), tmp_path, shape=(None, 3, 48, -1))
    program = FakeQuantisedProgram(tmp_path / "inference.json")
    assert [each.kernel.shape for each in program.operators] == [(4, 3, 3, 3), (48, 2)]
    assert program.run(page).shape == (1, 4, 96, 2)


def trained_map(network: Any, tensor: Any) -> Any:
    network.eval()
    return network(tensor)["maps"].numpy()


def test_its_diagnosis_names_what_is_rounded(folder: Path, tmp_path: Path) -> None:
    needs_engines()  # and their engine_config
    deployment = Deployment.copy(tmp_path)
    for path in folder.glob("inference.*"):
        shutil.copy(path, tmp_path / "inference" / path.name)
    deployment.options |= {"enable_mkldnn": False, "engine_config": NO_FOLDING}
    error = deployment.failure("images/rotated.jpg")
    assert error is not None
    (found,) = error.diagnoses
    assert found.cause == "precision.activations"
    assert "8 bits per tensor, symmetric" in found.summary
    assert found.evidence[0].startswith("the kernels of 11 operators are train's, rounded to the steps that ")
    assert found.fix is not None
    assert found.fix.text.startswith("quantise again with paddle.quantization, after training on images ")
