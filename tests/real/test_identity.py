"""The real sides say what they are, so that one model on both sides is not taken for a comparison."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pytest_ocrparity import (
    DifferenceError,
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline, load_inference
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline, load_training
from pytest_ocrparity.compare.preconditions import have_same_files
from pytest_ocrparity.golden.baseline_file import load_baseline_file, save_baseline_file
from real.blob import LIMITS, Model

Page = npt.NDArray[np.uint8]
ASSERTIONS: tuple[Callable[..., Any], ...] = (
    assert_same_preprocessing,
    assert_same_probability_maps,
    assert_same_detections,
)


@pytest.mark.parametrize("check", ASSERTIONS)
def test_an_export_loaded_twice_is_refused(
    model: Model, inference: InferencePipeline, page: Page, tmp_path: Path, check: Callable[..., Any]
) -> None:
    shutil.copytree(model.export, tmp_path / "copy")  # the same files, wherever they lie
    other = load_inference(model_dir=tmp_path / "copy", options=LIMITS, name="other")
    with pytest.raises(DifferenceError, match=r"inference and other are one model, loaded from .*inference.pdiparams"):
        check(inference.trace(page), other.trace(page))


def test_a_trained_model_loaded_twice_is_refused(model: Model, train: TrainingPipeline, page: Page) -> None:
    again = load_training(**model.train, name="inference")
    with pytest.raises(DifferenceError, match=r"train and inference are one model, .*\(config .*, checkpoint .*\)"):
        assert_same_probability_maps(train.trace(page), again.trace(page))


def test_the_same_files_under_another_engine_are_compared(
    model: Model, inference: InferencePipeline, page: Page
) -> None:
    other = load_inference(model_dir=model.export, options={**LIMITS, "enable_mkldnn": False}, name="other")
    one, two = inference.trace(page), other.trace(page)
    assert all(check(one, two).is_match for check in ASSERTIONS)
    assert have_same_files(one, two)


def test_other_files_are_compared(train: TrainingPipeline, inference: InferencePipeline, page: Page) -> None:
    one, two = train.trace(page), inference.trace(page)
    assert all(check(one, two).is_match for check in ASSERTIONS)
    assert not have_same_files(one, two)


def test_a_baseline_of_the_same_files_is_compared(inference: InferencePipeline, page: Page, tmp_path: Path) -> None:
    trace = inference.trace(page)
    save_baseline_file(tmp_path / "a.npz", trace, reference="inference", fingerprint=inference.fingerprint)
    baseline = load_baseline_file(tmp_path / "a.npz").trace
    assert all(check(baseline, trace).is_match for check in ASSERTIONS)
    assert have_same_files(baseline, trace)


@pytest.mark.parametrize("name", ["train", "inference"])
def test_it_is_plain_json_and_stays_the_same(name: str, request: pytest.FixtureRequest, page: Page) -> None:
    side = request.getfixturevalue(name)
    before = json.dumps(side.identity)
    side.infer(np.zeros((1, 3, 32, 32), np.float32))
    assert json.dumps(side.identity) == before
    assert set(side.identity["files"]) >= {"config", "checkpoint"} or "inference.yml" in side.identity["files"]


def test_an_experiment_is_another_side(inference: InferencePipeline) -> None:
    varied = inference.varied({"resize": {"limit_side_len": 320}})
    assert varied.identity != inference.identity
