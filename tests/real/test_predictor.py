"""The inside of paddleocr's predictor: its taps, its runner and what the runner raises."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline, load_inference
from pytest_ocrparity.backends.paddlex.predictor import Predictor
from pytest_ocrparity.errors import ModelError, StageError
from real.blob import LIMITS, Model

Page = npt.NDArray[np.uint8]


def test_engine_options_are_recorded(model: Model, inference: InferencePipeline, page: Page) -> None:
    found = inference.trace(page).parameters["probability_map"]
    assert found == {"engine": "mkldnn", "device": "cpu", "outputs": 1, "cpu_threads": 10, "program": "inference.json"}
    side = load_inference(model_dir=model.export, options={"enable_mkldnn": False, "cpu_threads": 1})
    assert side.parameters["probability_map"]["engine"] == "paddle"
    assert side.parameters["probability_map"]["cpu_threads"] == 1


def test_three_channels_and_several_outputs_are_not_hidden(
    model: Model, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export in training mode: paddlex takes channel 0 of output 0 and says nothing."""
    side = load_inference(model_dir=model.export, options=LIMITS)
    real = side._predictor.runner
    monkeypatch.setattr(side._predictor, "runner", lambda x: [np.repeat(real(x)[0], 3, axis=1), np.zeros(1)])
    trace = side.trace(page)
    assert trace.probability_map is not None and trace.probability_map.shape == (1, 3, 736, 1024)
    assert trace.parameters["probability_map"]["outputs"] == 2
    assert trace.detections is not None and len(trace.detections) == 6


@pytest.mark.parametrize("name", ["ConvertPirAttribute2RuntimeAttribute", "pir::ArrayAttribute<pir::DoubleAttribute>"])
def test_the_onednn_crash_says_what_to_do(model: Model, page: Page, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    side = load_inference(model_dir=model.export, options=LIMITS)

    def crash(x: Any) -> None:
        raise NotImplementedError(f"(Unimplemented) {name} not support")

    monkeypatch.setattr(side._predictor, "runner", crash)
    error = side.trace(page).error
    assert isinstance(error, StageError)
    assert error.stage == "probability_map"
    assert "options = { enable_mkldnn = false }" in str(error)
    assert "paddlepaddle==3.2.2 and re-export with it" in str(error)
    assert isinstance(error.__cause__, NotImplementedError)


def test_another_runtime_error_keeps_its_words(model: Model, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    side = load_inference(model_dir=model.export)
    monkeypatch.setattr(side._predictor, "runner", lambda x: 1 / 0)
    error = side.trace(page).error
    assert error is not None
    assert str(error) == "ZeroDivisionError: division by zero"


def test_taps_read_through_and_hold_nothing_between_runs(inference: InferencePipeline, page: Page) -> None:
    inference.trace(page)
    predictor = inference._predictor
    assert predictor.inner.pre_tfs["Read"].format == "BGR"
    assert predictor.taps.calls == {}


def test_an_engine_without_steps_is_refused() -> None:
    class Transformers:
        infer = print

    detection = type("TextDetection", (), {"paddlex_predictor": Transformers()})
    with pytest.raises(ModelError, match=r"predictor of this engine, Transformers, has no steps to record"):
        Predictor(detection, {})


def test_an_older_paddlex_runs_its_network_as_infer(inference: InferencePipeline) -> None:
    """Its predictor calls `self.infer(x)` where a newer one calls `self.runner(x=x)`."""
    newer = inference._predictor

    class Older:
        def __init__(self) -> None:
            self.pre_tfs = dict(newer.steps)
            self.post_op = type("DBPostProcess", (), {"process": print})()
            self.infer = newer.runner

    inner = Older()
    predictor = Predictor(type("TextDetection", (), {"paddlex_predictor": inner}), {})
    assert predictor.runner is newer.runner
    with predictor.taps.run(stop_at="runner") as calls:
        inner.infer(["tensor"])
    assert calls["runner"].args == (["tensor"],)
