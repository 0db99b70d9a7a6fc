"""The trained network: which one is built, how it is filled and run, and its fused copy."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline, load_training
from pytest_ocrparity.compare.sensitivity import fused_map
from pytest_ocrparity.errors import StageError
from real.blob import YML, Model, edited, write_yml

Page = npt.NDArray[np.uint8]


def load(model: Model, folder: Path, yml: dict[str, Any], **settings: Any) -> TrainingPipeline:
    return load_training(**{**model.train, "config": write_yml(folder / "changed.yml", yml), **settings})


def test_a_network_with_rep_has_a_fused_map(train: TrainingPipeline, page: Page) -> None:
    trace = train.trace(page)
    fused = fused_map(trace)
    assert fused is not None and trace.probability_map is not None
    assert 0 < np.abs(fused - trace.probability_map).max() < 1e-5
    np.testing.assert_array_equal(train.infer(np.asarray(trace.tensor)), trace.probability_map)  # itself not fused


def test_a_network_without_rep_has_no_fused_map(model: Model, page: Page, tmp_path: Path) -> None:
    import paddle

    from real.blob_net import BlobNet

    checkpoint = tmp_path / "plain"
    paddle.save(BlobNet(branches=False).state_dict(), f"{checkpoint}.pdparams")
    plain = load_training(**{**model.train, "network": "blob_net:build_plain", "checkpoint": checkpoint})
    assert plain.infer_fused(np.zeros((1, 3, 32, 32), dtype=np.float32)) is None


def test_distillation_runs_the_network_that_sub_model_picks(model: Model, page: Page, tmp_path: Path) -> None:
    import paddle

    from real.blob_net import Pair

    pair = Pair(["Student", "Teacher"])
    pair.Teacher.head.weight.set_value(pair.Teacher.head.weight * 0)
    paddle.save(pair.state_dict(), str(tmp_path / "pair.pdparams"))
    yml = edited(
        YML,
        Architecture={
            "algorithm": "Distillation",
            "Models": {
                "Student": {"algorithm": "DB", "pretrained": "https://example.org/x"},
                "Teacher": {"algorithm": "DB"},
            },
        },
        PostProcess={"name": "DistillationDBPostProcess", "model_name": ["Student"], "box_thresh": 0.55},
    )
    settings = {"checkpoint": tmp_path / "pair", "network": "blob_net:build_pair"}
    student = load(model, tmp_path, yml, sub_model="Student", **settings).trace(page)
    teacher = load(model, tmp_path, yml, sub_model="Teacher", **settings).trace(page)
    assert student.detections is not None and len(student.detections) == 6
    assert teacher.probability_map is not None and np.ptp(teacher.probability_map) == 0
    assert student.parameters["detections"]["box_thresh"] == 0.55


def test_fp16_weights_are_cast_as_paddleocr_casts_them(model: Model, train: TrainingPipeline, tmp_path: Path) -> None:
    import paddle

    values = {key: value.astype("float16") for key, value in paddle.load(str(model.checkpoint)).items()}
    paddle.save(values, str(tmp_path / "half.pdparams"))
    half = load_training(**{**model.train, "checkpoint": tmp_path / "half.pdparams"})
    tensor = np.linspace(-2, 2, 3 * 32 * 32, dtype=np.float32).reshape(1, 3, 32, 32)
    difference = np.abs(half.infer(tensor) - train.infer(tensor)).max()
    assert 0 < difference < 1e-3


def test_halves_of_an_export_are_cast_as_well(train: TrainingPipeline, page: Page) -> None:
    arrays, tensor = train.network.arrays(), train.trace(page).tensor
    halves = {name: array.astype(np.float16) for name, array in arrays.items()}
    stored, cast = train.network.with_arrays(arrays), train.network.with_arrays(halves)
    assert tensor is not None
    np.testing.assert_array_equal(stored.run(tensor), train.network.run(tensor))
    assert 0 < np.max(np.abs(cast.run(tensor) - train.network.run(tensor))) < 0.1


def test_paddle_is_left_on_its_own_device_with_gradients(train: TrainingPipeline, page: Page) -> None:
    import paddle

    before = paddle.get_device()
    train.trace(page)
    assert paddle.get_device() == before
    assert paddle.is_grad_enabled()


def test_outputs_without_maps_are_a_stage_error(
    train: TrainingPipeline, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train._parts.network, "_layer", lambda tensor: {"f_score": tensor, "f_geo": tensor})
    error = train.trace(page + 2).error
    assert isinstance(error, StageError)
    assert error.stage == "probability_map"
    assert str(error) == "the network returned ['f_geo', 'f_score'], without 'maps'"


@pytest.mark.parametrize(("wrap", "outputs"), [(lambda maps: maps, 1), (lambda maps: [maps, maps], 2)])
def test_outputs_without_names_are_taken_in_order(
    train: TrainingPipeline, page: Page, monkeypatch: pytest.MonkeyPatch, wrap: Any, outputs: int
) -> None:
    expected, real = train.trace(page).probability_map, train._parts.network._layer
    monkeypatch.setattr(train._parts.network, "_layer", lambda tensor: wrap(real(tensor)["maps"]))
    monkeypatch.setattr(train, "_traces", train._traces.__class__())
    trace = train.trace(page)
    np.testing.assert_array_equal(trace.probability_map, expected)
    assert trace.parameters["probability_map"]["outputs"] == outputs


def test_ppocrs_own_network_is_built_without_downloads(
    model: Model, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every `pretrained` is dropped, at any depth: PaddleOCR would download what it names."""
    from real.blob_net import BlobNet

    seen: list[Any] = []

    def build_model(architecture: Any) -> BlobNet:
        seen.append(architecture)
        return BlobNet()

    load_training(**model.train)
    for name in ("ppocr.modeling", "ppocr.modeling.architectures"):
        module = types.ModuleType(name)
        module.__dict__["build_model"] = build_model
        monkeypatch.setitem(sys.modules, name, module)
    backbone = {"name": "PPHGNet", "pretrained": True, "stages": [{"pretrained": "https://example.org/x", "width": 3}]}
    loaded = load(model, tmp_path, edited(YML, Architecture__Backbone=backbone), network=None)
    assert seen == [{**YML["Architecture"], "Backbone": {"name": "PPHGNet", "stages": [{"width": 3}]}}]
    assert len(loaded.trace(page).detections or ()) == 6
