"""Fixes are changes that work: made as they say, paddleocr runs with the values that were asked for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml

from pytest_ocrparity import assert_same_detections, assert_same_preprocessing, assert_same_probability_maps
from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline, load_inference
from pytest_ocrparity.backends.paddlex.predictor import common_predictor_options, load_predictor
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.comparison import DifferenceError
from pytest_ocrparity.diagnosis import Alternative, Change
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE
from real.blob import LIMITS, YML, Model, edited, export_yml, transforms, write_yml
from real.features import needs_engines

Page = npt.NDArray[np.uint8]


@dataclass
class Deployed:
    """An export folder and options that fixes change."""

    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    predict_options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model, folder: Path, **operators: Any) -> Deployed:
        shutil.copytree(model.export, folder)
        post_process = {**YML["PostProcess"], **operators.pop("PostProcess", {})}
        yml = edited(export_yml(YML), PreProcess__transform_ops=transforms(**operators), PostProcess=post_process)
        write_yml(folder / "inference.yml", yml)
        return cls(folder)

    def load(self) -> InferencePipeline:
        return load_inference(model_dir=self.folder, options=self.options, predict_options=self.predict_options)

    def apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.where == "inference.yml":
                self._write(change)
            elif change.where.startswith("inference."):
                options: dict[str, Any] = getattr(self, change.where.removeprefix("inference."))
                _update(options, change.values)
            else:
                assert change.where in ("train.config", "export"), change

    def _write(self, change: Change) -> None:
        path = self.folder / "inference.yml"
        document = yaml.safe_load(path.read_text())
        if change.key == "PostProcess":
            _update(document["PostProcess"], change.values)
        for entry in document["PreProcess"]["transform_ops"]:
            if change.key in entry:
                entry[change.key] = entry[change.key] or {}
                _update(entry[change.key], change.values)
        path.write_text(yaml.safe_dump(document, sort_keys=False))


def _update(values: dict[str, Any], changed: Mapping[str, Any]) -> None:
    for name, value in changed.items():
        values[name] = value
        if value is None:
            del values[name]


RULES: dict[str, dict[str, Any]] = {
    "limit": {"rule": "limit", "limit_side_len": 800, "limit_type": "min"},
    "image_shape": {"rule": "image_shape", "image_shape": [320, 480], "keep_ratio": True},
    "input_shape": {"rule": "input_shape", "input_shape": [3, 320, 352]},
    "resize_long": {"rule": "resize_long", "resize_long": 640},
}
STATES: dict[str, dict[str, Any]] = {
    "limit": {},
    "limit in predict()": {"predict_options": {"limit_side_len": 960, "limit_type": "max"}},
    "image_shape": {"DetResizeForTest": {"image_shape": [640, 640]}},
    "input_shape": {"options": {"input_shape": [3, 640, 640]}},
    "both": {"options": {"input_shape": [3, 640, 640]}, "DetResizeForTest": {"image_shape": [640, 640]}},
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_to_resize_by_is_what_runs_after_its_fix(model: Model, tmp_path: Path, rule: str, state: str) -> None:
    given = dict(STATES[state])
    deployed = Deployed.of(model, tmp_path / "inference", **{k: v for k, v in given.items() if "options" not in k})
    deployed.options, deployed.predict_options = dict(given.get("options", {})), dict(given.get("predict_options", {}))
    deployed.apply(deployed.load().parameter_fix(RESIZE, RULES[rule]).changes)
    wanted = RULES[rule]
    if rule == "resize_long":  # which paddleocr does not have: the training side is changed as well
        wanted = {"rule": "limit", "limit_side_len": 640, "limit_type": "max"}
    ran = deployed.load().parameters[RESIZE]
    assert {name: ran[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    "values",
    [{"thresh": 0.2}, {"box_thresh": 0.5}, {"unclip_ratio": 2.2}, {"max_candidates": 20, "use_dilation": True}],
    ids=lambda values: "-".join(values),
)
@pytest.mark.parametrize("given", ["options", "predict_options", "inference.yml"])
def test_a_threshold_is_what_runs_after_its_fix(
    model: Model, tmp_path: Path, values: dict[str, Any], given: str
) -> None:
    wrong = {"thresh": 0.6, "box_thresh": 0.9, "unclip_ratio": 1.1}
    in_file = wrong if given == "inference.yml" else {}
    deployed = Deployed.of(model, tmp_path / "inference", PostProcess={"use_dilation": False, **in_file})
    if not in_file:
        setattr(deployed, given, wrong)
    changes = deployed.load().parameter_fix(DETECTIONS, values).changes
    is_in_file = bool(in_file) or "use_dilation" in values
    assert {change.where for change in changes} == {"inference.yml" if is_in_file else f"inference.{given}"}
    deployed.apply(changes)
    ran = deployed.load().parameters[DETECTIONS]
    assert {name: ran[name] for name in values} == values


@pytest.mark.parametrize(("mode", "is_let_through"), [("RGB", True), ("GRAY", False), ("bgr", False)])
def test_a_mode_that_stops_text_detection_is_refused_in_words(
    model: Model, tmp_path: Path, mode: str, is_let_through: bool
) -> None:
    deployed = Deployed.of(model, tmp_path / "inference", DecodeImage={"img_mode": mode, "channel_first": False})
    if is_let_through:
        assert deployed.load().parameters[DECODE]["img_mode"] == mode
        return
    told = rf"DecodeImage.img_mode is '{mode}'; .* can't be deployed with TextDetection: set img_mode: BGR in the "
    with pytest.raises(ModelError, match=told):
        deployed.load()


def test_grey_is_read_as_the_training_side_does(inference: InferencePipeline, page: Page, tmp_path: Path) -> None:
    """The newest PaddleOCR decodes to one channel and repeats it; its 2.10 stops."""
    import cv2

    cv2.imwrite(str(tmp_path / "page.png"), page)
    grey = cv2.cvtColor(cv2.imread(str(tmp_path / "page.png"), cv2.IMREAD_GRAYSCALE), cv2.COLOR_GRAY2BGR)
    side = inference.varied({DECODE: {"img_mode": "GRAY"}})
    for image in (tmp_path / "page.png", page):
        trace = side.preprocess(image)
        assert trace.error is None
        assert trace.decode is not None and trace.decode.pixels is not None
        assert trace.decode.channel_order == "GRAY"
        np.testing.assert_array_equal(trace.decode.pixels, grey)


class Rounds:
    """A runner that rounds what the network returns, as half the bits do."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __call__(self, *args: Any, **kwargs: Any) -> list[Any]:
        made = self._real(*args, **kwargs)
        return [np.asarray(np.round(np.asarray(output) * 8) / 8, np.float32) for output in made]


@pytest.fixture
def rounding_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine round where the user asks for bf16, also on a processor that has no such unit."""
    needs_engines()

    def load(export: Any, deployed: Any) -> Any:
        predictor = load_predictor(export, deployed)
        if "mkldnn_bf16" in str(deployed.options.get("engine_config")):
            predictor.runner = Rounds(predictor.runner)
        return predictor

    monkeypatch.setattr("pytest_ocrparity.backends.paddlex.pipeline.load_predictor", load)


def failure(train: TrainingPipeline, side: InferencePipeline, page: Page) -> DifferenceError | None:
    one, two = train.trace(page), side.trace(page)
    try:
        assert_same_preprocessing(one, two)
        assert_same_probability_maps(one, two)
        assert_same_detections(one, two)
    except DifferenceError as error:
        return error
    return None


def proved(train: TrainingPipeline, side: InferencePipeline, page: Page) -> Iterator[Alternative]:
    """Yield the ways to run the side that return the train side's map."""
    reference = train.trace(page)
    assert reference.tensor is not None and reference.probability_map is not None
    for other in side.other_engines():
        if np.abs(other.run(reference.tensor) - reference.probability_map).max() < 1e-4:
            yield other


FORMS: list[dict[str, Any]] = [
    {"run_mode": "mkldnn_bf16"},
    {"run_mode": "mkldnn_bf16", "cpu_threads": 2},
    {"paddle_static": {"run_mode": "mkldnn_bf16"}},
    {"paddle_static": {"run_mode": "mkldnn_bf16", "cpu_threads": 2}, "onnxruntime": {}},
]


@pytest.mark.usefixtures("rounding_bf16")
@pytest.mark.parametrize("config", FORMS, ids=str)
@pytest.mark.parametrize("others", [{}, {"enable_mkldnn": False}], ids=str)
def test_the_users_own_run_mode_is_named_and_its_fix_mends(
    model: Model, train: TrainingPipeline, page: Page, tmp_path: Path, config: dict[str, Any], others: dict[str, Any]
) -> None:
    deployed = Deployed.of(model, tmp_path / "inference")
    deployed.options = {**LIMITS, "device": "cpu", "engine_config": config, **others}
    side = deployed.load()
    error = failure(train, side, page)
    assert error is not None
    (found,) = error.diagnoses
    first = next(proved(train, side, page))
    assert first.fix is not None
    assert 'run_mode = "mkldnn_bf16"' in first.fix.text
    assert (found.cause, found.fix) == (first.cause, first.fix)
    deployed.apply(first.fix.changes)
    assert "mkldnn_bf16" not in str(deployed.options)
    assert failure(train, deployed.load(), page) is None


@pytest.mark.usefixtures("rounding_bf16")
@pytest.mark.parametrize("config", FORMS, ids=str)
def test_onednn_is_off_in_every_form(model: Model, tmp_path: Path, config: dict[str, Any]) -> None:
    deployed = Deployed.of(model, tmp_path / "inference")
    deployed.options = {"device": "cpu", "engine_config": config}
    other = next(other for other in deployed.load().other_engines() if other.cause == "engine.onednn")
    assert other.fix is not None
    deployed.apply(other.fix.changes)
    assert deployed.load().parameters["probability_map"]["engine"] == "paddle"


@pytest.mark.parametrize(
    "options", [{}, {"enable_mkldnn": False, "cpu_threads": 2}, {"engine_config": FORMS[1]}], ids=str
)
def test_a_pass_can_be_left_out_as_it_is_written(model: Model, tmp_path: Path, options: dict[str, Any]) -> None:
    needs_engines()
    deployed = Deployed.of(model, tmp_path / "inference")
    deployed.options = {"device": "cpu", **options}
    side = deployed.load()
    *_, last = side.other_engines()
    assert (last.cause, last.label) == ("engine.optimization", "no engine pass")
    assert last.fix is not None
    written = last.fix.text.partition("engine_config = ")[2].partition(" in inference.options")[0]
    config = {name: yaml.safe_load(value) for name, value in _pairs(written)}
    assert config["delete_pass"] == ["NAME_OF_THE_PASS"]
    deployed.options["engine_config"] = {**config, "delete_pass": ["conv_bn_fuse_pass"]}
    again = deployed.load().parameters["probability_map"]
    before = side.parameters["probability_map"]
    assert {name: again[name] for name in ("engine", "cpu_threads")} == {
        name: before[name] for name in ("engine", "cpu_threads")
    }


def test_only_what_paddleocr_takes_is_told_to_leave_a_pass_out(inference: InferencePipeline) -> None:
    *_, last = inference.other_engines()
    assert last.cause == "engine.optimization" and last.fix is not None
    assert last.fix.text.startswith("deploy with another release of paddle")
    assert ("engine_config" in last.fix.text) == ("engine_config" in common_predictor_options())


def _pairs(table: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (each.partition(" = ") for each in table.strip("{ }").split(", "))]
