"""A recogniser on OpenVINO: its precision, dictionary and batches, and what it refuses. `make engines` runs it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import yaml
from paths import EXAMPLE
from projects import settings_file
from real.blob import write_yml
from real.deployments import example_reader, fixed_options, named

from engines.gates import gate_on
from pytest_ocrparity import assert_same_preprocessing, assert_same_probability_maps, assert_same_text
from pytest_ocrparity.backends.openvino.openvino_recogniser import OpenVinoRecogniser, load_openvino_side
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
from pytest_ocrparity.contract import Pipeline, trace_anew
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.batch_runs import BatchRun
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.session.models import inference_model
from pytest_ocrparity.settings import load_settings
from pytest_ocrparity.tolerance import BUILT_IN

pytest.importorskip("openvino", reason="openvino is not installed: make engines installs it")
LINES = EXAMPLE / "lines"
PRICE, WIDE = LINES / "price.png", LINES / "wide_receipt.png"
FULL = {"INFERENCE_PRECISION_HINT": "f32"}


@pytest.fixture(scope="module")
def trained() -> TrainedRecogniser:
    return example_reader()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example's recogniser as an ONNX file, with the inference.yml of its export."""
    made = tmp_path / "inference_rec_onnx"
    made.mkdir()
    shutil.copy(EXAMPLE / "inference_rec" / "inference.yml", made)
    shutil.copy(Path(__file__).parent / "tiny_rec.onnx", made / "inference.onnx")
    return made


def reading(folder: Path, options: Mapping[str, Any] = FULL) -> OpenVinoRecogniser:
    side = load_openvino_side(model_dir=folder, options=options)
    assert isinstance(side, OpenVinoRecogniser)
    return side


def causes(train: TrainedRecogniser, side: OpenVinoRecogniser, image: Any = PRICE) -> tuple[Diagnosis, ...]:
    return diagnose(reference=train.trace(image), candidate=side.trace(image))


def edit(folder: Path, change: Any) -> None:
    """Change the inference.yml of a folder."""
    yml = yaml.safe_load((folder / "inference.yml").read_text(encoding="utf-8"))
    change(yml)
    write_yml(folder / "inference.yml", yml)


@pytest.mark.parametrize("name", ["price.png", "spaces.png", "wide_receipt.png", "blank.png", "exif_orientation.jpg"])
def test_in_full_precision_it_passes(trained: TrainedRecogniser, folder: Path, name: str) -> None:
    side = reading(folder)
    engine = side.parameters["probability_map"]
    assert (engine["engine"], engine["precision"], engine["model_file"]) == ("openvino", "f32", "inference.onnx")
    reference, trace = (each.trace(LINES / name) for each in (trained, side))
    assert trace.recognition is not None
    for compare in (assert_same_preprocessing, assert_same_probability_maps, assert_same_text):
        compare(reference, trace)


def test_its_default_precision_is_named_and_the_fix_passes(trained: TrainedRecogniser, folder: Path) -> None:
    side = reading(folder, {})
    if side.parameters["probability_map"]["precision"] != "bf16":
        pytest.skip("not tried: OpenVINO does not compute in bf16 on this processor")
    (found,) = causes(trained, side)
    assert found.cause == "engine.precision"
    assert causes(trained, reading(folder, fixed_options((found,), {}))) == ()


def test_an_input_shape_is_named_and_without_it_it_passes(trained: TrainedRecogniser, folder: Path) -> None:
    (found,) = causes(trained, reading(folder, {**FULL, "input_shape": [3, 32, 160]}), WIDE)
    assert found.cause == "resize.input_shape"
    assert causes(trained, reading(folder), WIDE) == ()


def test_a_dictionary_in_another_order_is_named(trained: TrainedRecogniser, folder: Path) -> None:
    edit(folder, lambda yml: yml["PostProcess"]["character_dict"].reverse())
    (found,) = causes(trained, reading(folder))
    assert found.cause == "text.dictionary"
    edit(folder, lambda yml: yml["PostProcess"]["character_dict"].reverse())
    assert causes(trained, reading(folder)) == ()


def test_weights_that_are_not_the_checkpoints_are_named(trained: TrainedRecogniser, folder: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(folder / "inference.onnx")
    constants = [each.attribute[0].t for each in model.graph.node if each.op_type == "Constant"]
    kernel = next(each for each in constants if len(each.dims) == 4)
    kernel.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(kernel) * np.float32(1.3), kernel.name))
    onnx.save(model, folder / "inference.onnx")
    assert named(causes(trained, reading(folder))) == ["network.weights"]


def test_among_the_settings_of_a_detector_it_is_refused(folder: Path, tmp_path: Path) -> None:
    text = f"[inference]\nmodel_dir = {json.dumps(str(folder))}\nengine = 'openvino'\n"
    text += "options = { INFERENCE_PRECISION_HINT = 'f32' }\n"
    beside = "[recognition.train]\nconfig = 'rec.yml'\n"
    with pytest.raises(ModelError, match=r"of a recogniser: \[tool.ocrparity.recognition\] holds the recogniser"):
        inference_model(load_settings(settings_file(tmp_path, f"{text}{beside}"), {}, tmp_path))
    assert isinstance(inference_model(load_settings(settings_file(tmp_path, text), {}, tmp_path)), OpenVinoRecogniser)


class Wrong(OpenVinoRecogniser):
    """One whose maps are wrong in any precision, by no known rule."""

    def _run_network(self, tensor: Any) -> Any:
        (found, *rest) = super()._run_network(tensor)
        noise = np.random.default_rng(1).uniform(0, 0.4, found.shape).astype(np.float32)
        return [(found + noise) / (found + noise).sum(axis=-1, keepdims=True), *rest]


def test_another_fault_of_the_map_is_not_said_to_be_the_precision(
    trained: TrainedRecogniser, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_ocrparity.backends.openvino.openvino_recogniser.OpenVinoRecogniser", Wrong)
    assert named(causes(trained, reading(folder))) == ["unknown"]


def test_a_batch_reads_as_its_lines_alone(folder: Path) -> None:
    side = cast("Pipeline", reading(folder))
    files = [LINES / f"{name}.png" for name in ("digit", "wide_receipt", "price")]
    run = BatchRun.of(side, files, [trace_anew(side, file) for file in files])
    for index in range(len(files)):
        assert all(each.is_match for each in run.comparisons(index, BUILT_IN))


def test_a_new_one_of_it_returns_the_same(folder: Path) -> None:
    side = reading(folder)
    assert side.fresh().trace(PRICE) == side.trace(PRICE)
    assert side.fresh().identity == side.identity


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit_type": "min"}, "limit_type is no option of a recogniser on OpenVINO; known: device, input_shape"),
        ({"cpu_threads": 2}, "cpu_threads is paddleocr's, and OpenVINO runs by itself"),
        ({"INFERENCE_PRECISION_HINT": "fp32"}, "Wrong value fp32 for property key INFERENCE_PRECISION"),
    ],
)
def test_wrong_options_are_refused(folder: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        reading(folder, options)


def test_an_export_without_a_name_needs_none(folder: Path) -> None:
    edit(folder, lambda yml: yml.pop("Global"))
    assert reading(folder).trace(PRICE).recognition is not None


def test_what_else_it_cannot_run_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"of a recogniser: set inference\.model_dir to its folder, and no model_file"):
        load_openvino_side(model_file=folder / "inference.onnx", options=FULL)
    edit(folder, lambda yml: yml["PostProcess"].update(character_dict=["a", "b"]))
    with pytest.raises(ModelError, match=r"character_dict in .* has 2 entries, and .* 42 classes"):
        reading(folder)


@pytest.mark.parametrize(("table", "outcomes"), [("inference", {"passed": 3}), ("other", {"errors": 3})])
def test_the_settings_run_it(pytester: pytest.Pytester, folder: Path, table: str, outcomes: dict[str, int]) -> None:
    options = "{ INFERENCE_PRECISION_HINT = 'f32' }" if table == "inference" else "{ limit_type = 'min' }"
    own = f"""model_dir = {json.dumps(str(folder))}
engine = "openvino"
options = {options}
"""
    gate_on(pytester, "tiny_rec", '"lines/price.png"', own).assert_outcomes(**outcomes)
