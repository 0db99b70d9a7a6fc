"""Exports whose parameters have other names, as those of PaddleOCR 2.x: their weights are told apart all the same."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from real.features import HAS_STALE_PROGRAMS

from faults import exports
from faults.deployment import EXAMPLE, Deployment, save, trained
from faults.ports import Port
from pytest_ocrparity.backends.paddlex.program import program_arrays
from pytest_ocrparity.backends.ppocr.alignment import align_parameters
from pytest_ocrparity.backends.ppocr.network import Network

holds_what_it_uses = pytest.mark.skipif(
    not HAS_STALE_PROGRAMS, reason="a program of paddle 3.0 lists weights that it does not use, so that no order tells"
)
PARTS = {"weight": "weights", "bias": "bn_offset", "_mean": "bn_mean", "_variance": "bn_variance"}


def renamed(network: Any, style: str) -> Any:
    """Give a network's parameters names that tell nothing of their layers."""
    draw = random.Random(8)
    for index, (key, value) in enumerate(network.state_dict().items()):
        part = PARTS[key.rpartition(".")[2]]
        value.name = f"conv{index}_depthwise_{part}" if style == "2.x" else f"{draw.getrandbits(64):016x}"
    return network


def scaled(network: Any) -> Any:
    state = {key: np.asarray(value.numpy()) for key, value in network.state_dict().items()}
    network.set_state_dict({**state, "lateral.1.weight": state["lateral.1.weight"] * np.float32(1.05)})
    return network


@holds_what_it_uses
@pytest.mark.parametrize("style", ["2.x", "random"])
@pytest.mark.parametrize("weights", ["early", "scaled", "right, in another graph"])
def test_weights_are_compared_under_other_names(tmp_path: Path, style: str, weights: str) -> None:
    d = Deployment.copy(tmp_path)
    (d.folder / "checkpoints" / "tiny_db_early.pdparams").unlink()  # where it lies it is named, whatever the names
    network = {
        "early": lambda: trained("tiny_db_early"),
        "scaled": lambda: scaled(trained()),
        "right, in another graph": lambda: exports.own_network(d, "cubed"),
    }[weights]()
    d.train.pop("network", None)
    save(renamed(network, style), d.folder / "inference")
    error = d.failure()
    assert error is not None
    (found,) = error.diagnoses
    if weights.startswith("right"):
        assert found.cause == "network.graph"
        assert "all 50 arrays of inference are train's, exactly" in found.evidence
        return
    assert found.cause == "network.weights"
    same, listed = {"early": (0, "stem.0.weight, "), "scaled": (49, "lateral.1.weight")}[weights]
    assert f"{same} of 50 stored arrays are the checkpoint's exactly; not: {listed}" in found.evidence[1]
    d.apply(error.diagnoses)
    assert d.failure() is None


@pytest.mark.parametrize("style", ["2.x", "random"])
def test_a_right_export_under_other_names_passes(tmp_path: Path, style: str) -> None:
    d = Deployment.copy(tmp_path)
    save(renamed(trained(), style), d.folder / "inference")
    assert d.failure() is None


class Shuffled(Port):
    """Hands out its arrays under other names and in no order."""

    def stored_weights(self) -> Mapping[str, npt.NDArray[Any]]:
        arrays = list(self.inner.stored_weights().values())
        random.Random(8).shuffle(arrays)
        return {f"array_{index}": array for index, array in enumerate(arrays)}


@holds_what_it_uses
def test_what_nothing_tells_is_not_tried_and_never_ruled_out(tmp_path: Path) -> None:
    d = Deployment.copy(tmp_path)
    (d.folder / "checkpoints" / "tiny_db_early.pdparams").unlink()
    save(renamed(trained("tiny_db_early"), "2.x"), d.folder / "inference")
    d.wrap = Shuffled
    error = d.failure()
    assert error is not None
    (found,) = error.diagnoses
    assert found.cause == "unknown"
    assert any("the 50 arrays of port against train's: neither" in text for text in found.not_tried)
    assert not any(text.startswith("network.weights") for text in found.ruled_out)


@holds_what_it_uses
@pytest.mark.parametrize("program", ["inference/inference.json", "inference_pdmodel/inference.pdmodel"])
def test_a_program_of_either_format_tells_the_order_of_use(program: str) -> None:
    network, arrays = Network(trained(), "cpu"), program_arrays(EXAMPLE / program)
    (named,) = align_parameters(arrays, network.arrays(), network.used)
    (hidden,) = align_parameters(
        {f"a{index}": array + 1 for index, array in enumerate(arrays.values())}, network.arrays(), network.used
    )
    assert (named.is_named, hidden.is_named) == (True, False)
    told = [[found.pairs[name] for name in names] for found, names in ((named, arrays), (hidden, hidden.pairs))]
    assert told[0] == told[1] == list(network.used)


def test_a_network_of_one_size_tells_no_order() -> None:
    class Large(Network):
        def run(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            raise ValueError("takes 640x640 only")

    assert Large(trained(), "cpu").used == ()
