"""What OpenVINO returned on a processor with bf16, recorded: the cause is named where no such processor is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from paths import EXAMPLE

from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.backends.onnx.pipeline import OnnxPipeline
from pytest_ocrparity.backends.onnx.processing import configure_processing
from pytest_ocrparity.backends.onnx.runtime import asked_runtime_providers, open_runtime_session
from pytest_ocrparity.backends.openvino.on_openvino import in_full_precision
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.diagnosis import Alternative
from real.blob import write_yml
from real.deployments import causes, example_train, named

RECORDED = Path(__file__).parent / "recorded" / "openvino_bf16.npz"
"""Written by `python -m engines.openvino_side` with OpenVINO 2026.4.1 on an AMD EPYC with avx512_bf16."""
PAGE = EXAMPLE / "images" / "alpha.png"
SMALL = {"limit_side_len": 320, "limit_type": "max"}
"""The limits of the recorded map."""


def recorded_map() -> npt.NDArray[np.float32]:
    """Return the map of the page that OpenVINO made in bf16."""
    with np.load(RECORDED) as stored:
        return np.asarray(stored["probability_map"]).view(np.float32)


class Recorded(OnnxPipeline):
    """The example's ONNX file with OpenVINO's map in the place of the engine's, which runs in full precision."""

    noise = 0.0

    @property
    def _engine_parameters(self) -> dict[str, Any]:
        return {"engine": "openvino", "device": "cpu", "precision": "bf16", "outputs": 1}

    def _run_network(self, tensor: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        return [self._off(recorded_map())]

    def _in_full(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return self._off(super()._run_network(tensor)[0])

    def _off(self, made: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        noise = np.random.default_rng(1).normal(0, self.noise, made.shape).astype(np.float32)
        return np.clip(made + noise, 0, 1) if self.noise else made

    def other_engines(self) -> Iterator[Alternative]:
        yield in_full_precision(self._in_full)


class Wrong(Recorded):
    """One that is wrong in full precision as well."""

    noise = 0.05


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainingPipeline:
    return small_train(tmp_path_factory.mktemp("small"))


def small_train(folder: Path) -> TrainingPipeline:
    """Load the example's train side with these limits."""
    yml = read_config(EXAMPLE / "configs" / "tiny_db.yml")
    for entry in yml["Eval"]["dataset"]["transforms"]:
        if "DetResizeForTest" in entry:
            entry["DetResizeForTest"] = dict(SMALL)
    return example_train(write_yml(folder / "small.yml", yml))


def side(kind: type[Recorded]) -> Recorded:
    pytest.importorskip("onnxruntime")
    file = EXAMPLE / "inference_onnx" / "inference.onnx"
    configured = configure_processing(file.parent / "inference.yml", SMALL, file)
    providers = asked_runtime_providers({})
    session = open_runtime_session(file, providers)
    given: dict[str, Any] = {"options": SMALL, "limit": None, "name": "inference"}
    return kind(session, file, file.parent / "inference.yml", configured, providers, **given)


def test_bf16_of_openvino_is_named_with_the_property_that_mends_it(trained: TrainingPipeline) -> None:
    (found,) = causes(trained, side(Recorded), PAGE)
    assert found.cause == "engine.precision" and found.fix is not None
    assert found.summary == "inference's engine computes in bf16, where the trained model computes in float32"
    assert found.fix.changes[0].values == {"INFERENCE_PRECISION_HINT": "f32"}
    assert found.evidence[0].startswith("with INFERENCE_PRECISION_HINT f32, inference's map is train's (largest diff")


def test_a_map_that_full_precision_does_not_mend_stays_unknown(trained: TrainingPipeline) -> None:
    (found,) = causes(trained, side(Wrong), PAGE)
    assert named((found,)) == ["unknown"]
    assert any(line.startswith("engine.precision: with INFERENCE_PRECISION_HINT f32") for line in found.tried)
