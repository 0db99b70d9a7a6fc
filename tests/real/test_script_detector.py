"""`predict_det.py` of PaddleOCR 2.10 as the deployment: its flags, its refusals, and what it does to boxes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_files import write_blob
from paths import EXAMPLE

from pytest_ocrparity import (
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.artifacts.model_files import find_export_files, fingerprint_export_files
from pytest_ocrparity.backends.checkout.detector import ScriptDetector
from pytest_ocrparity.backends.checkout.loading import load_script_side
from pytest_ocrparity.backends.checkout.side import ScriptSide
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import ImageError, ModelError, NotEnoughMemory
from pytest_ocrparity.trace import Detections, Shape
from real.blob import YML, export_yml, operators_root, write_yml
from real.deployments import RECEIPT, TINY, causes, example_train, named, put_right_by_options

EXPORT = EXAMPLE / "inference_pdmodel"
RIGHT = {"det_limit_side_len": 736, "det_limit_type": "min"}
"""What the example's training yml evaluates with."""
UTILITY = operators_root() / "tools" / "infer" / "utility.py"
pytestmark = pytest.mark.skipif(
    not UTILITY.is_file() or "enable_mkldnn is not None" in UTILITY.read_text(),
    reason="the operators are those of another PaddleOCR than 2.10",
)


@pytest.fixture(scope="module")
def trained() -> TrainingPipeline:
    return example_train()


def detector(options: Mapping[str, Any] = RIGHT, folder: Path = EXPORT) -> ScriptSide:
    return load_script_side("predict_det", model_dir=folder, paddleocr_root=operators_root(), options=options)


def put_right(train: TrainingPipeline, options: Mapping[str, Any], image: Path) -> tuple[Diagnosis, ...]:
    """Return what is found, after its fixes are seen to remove it."""
    return put_right_by_options(lambda given: causes(train, detector(given), image), options)


def test_with_the_right_flags_it_passes_and_says_what_ran(trained: TrainingPipeline) -> None:
    side = detector()
    for name in ("border.png", "exif_orientation.jpg"):
        reference, trace = (each.trace(EXAMPLE / "images" / name) for each in (trained, side))
        assert_same_preprocessing(reference, trace)
        assert_same_probability_maps(reference, trace)
        assert_same_detections(reference, trace)
    engine = side.parameters["probability_map"]
    # No flag was given, and none switches it off: the configuration that paddle got is asked.
    assert (engine["engine"], engine["program"], engine["outputs"]) == ("mkldnn", "inference.pdmodel", 1)
    assert side.parameters["resize"]["limit_side_len"] == 736
    assert trace.detections is not None and trace.detections.scores is None


def test_its_defaults_are_named_with_its_flags_and_pass_with_them(trained: TrainingPipeline) -> None:
    (found,) = put_right(trained, {}, TINY)
    assert found.cause == "resize.limits"
    assert found.summary == "limit_side_len 736 in train, 960 in inference; limit_type min in train, max in inference"
    assert found.fix is not None
    assert found.fix.text.startswith("pass --det_limit_side_len=736 --det_limit_type=min to predict_det.py; for this")


def test_wrong_flags_are_named_together(trained: TrainingPipeline) -> None:
    found = put_right(trained, {**RIGHT, "det_db_unclip_ratio": 2.0, "use_dilation": True}, RECEIPT)
    assert named(found) == ["postprocess.unclip_ratio", "postprocess.use_dilation"]
    assert found[1].fix is not None and "pass --use_dilation=False to predict_det.py" in found[1].fix.text


def test_a_wrong_limit_alone_is_not_said_to_be_boxes_moved_at_the_border(trained: TrainingPipeline) -> None:
    assert named(causes(trained, detector({}), EXAMPLE / "images" / "border.png")) == ["resize.limits"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"det_limit_sidelen": 736},
            "det_limit_sidelen is no flag of this predict_det.py; did you mean 'det_limit_sid",
        ),
        ({"det_model_dir": "inference"}, "det_model_dir has a setting of its own: set model_dir"),
        ({"cpu_threads": "many"}, "argument --cpu_threads: invalid int value: 'many'"),
        ({"det_algorithm": "EAST"}, "det_algorithm is 'EAST'; predict_det.py is compared with a DB model alone"),
        ({"use_npu": True}, "use_npu is true, and the paddle that is installed is built without it: take use_npu out"),
        ({"use_onnx": True}, "cannot load .*inference_pdmodel: ValueError: not find model file path"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], said: str) -> None:
    if "use_onnx" in options:
        pytest.importorskip("onnxruntime")
    with pytest.raises(ModelError, match=said):
        detector(options)


def test_its_own_refusal_is_the_cause() -> None:
    with pytest.raises(ModelError) as caught:
        detector(folder=EXAMPLE / "inference")
    said = str(caught.value)
    assert f"predict_det.py of {operators_root()} cannot load {EXAMPLE / 'inference'}: ValueError: (InvalidArg" in said
    assert "This release of it loads no inference.json: run that of a later checkout" in said
    assert "/tmp/" not in said.replace(str(EXAMPLE), "").replace(str(operators_root()), "")


def test_another_refusal_gets_no_advice_of_that_kind(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXPORT, tmp_path / "cut"))
    (folder / "inference.pdmodel").write_bytes((EXPORT / "inference.pdmodel").read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"cannot load .*cut: ") as caught:
        detector(folder=folder)
    assert "later checkout" not in str(caught.value) and "Global.model_name" not in str(caught.value)


def test_the_export_is_copied_and_a_script_that_writes_into_the_original_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(EXPORT, tmp_path / "export"))
    before = fingerprint_export_files(find_export_files(folder))
    detector(folder=folder).trace(RECEIPT)
    assert fingerprint_export_files(find_export_files(folder)) == before
    real = shutil.copytree

    def writing(source: Path, target: Path) -> Any:
        copied = real(source, target)
        (folder / "inference.yml").write_text("written: true")
        return copied

    monkeypatch.setattr("pytest_ocrparity.backends.checkout.script.shutil.copytree", writing)
    with pytest.raises(ModelError, match=r"predict_det.py of .* has changed files of "):
        detector(folder=folder)


def test_without_a_script_the_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no such folder \(set in inference.paddleocr_root\)"):
        load_script_side("predict_det", model_dir=EXPORT, paddleocr_root=tmp_path / "no")


def test_a_file_that_is_no_image_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_text("no image")
    with pytest.raises(ImageError, match=r"page.png: predict_det.py cannot decode this file; is it an image\?"):
        detector().trace(tmp_path / "page.png")


@pytest.fixture
def blob(tmp_path: Path) -> ScriptSide:
    """Return the blob network in an ONNX file, which `use_onnx` runs."""
    pytest.importorskip("onnxruntime")
    write_blob(tmp_path / "inference.onnx")
    write_yml(tmp_path / "inference.yml", export_yml(YML))
    return detector({**RIGHT, "use_onnx": True}, tmp_path)


def bars(*heights: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Draw a white page with a dark bar of each height."""
    page = np.full((90, 90, 3), 235, np.uint8)
    for index, height in enumerate(heights):
        page[12 + 25 * index : 12 + 25 * index + height, 15:75] = 20
    return page


def test_boxes_that_it_drops_are_told_in_their_sentence(train: TrainingPipeline, blob: ScriptSide) -> None:
    assert blob.parameters["probability_map"]["engine"] == "onnxruntime"
    assert causes(train, blob, bars(9, 12)) == ()
    page = bars(1, 12)
    pair = train.trace(page), blob.trace(page)
    assert [len(each.detections or ()) for each in pair] == [2, 1]
    (found,) = causes(train, blob, page)
    assert found.cause == "pipeline.boxes" and found.fix is not None
    assert (
        "predict_det.py's filter_tag_det_res moves points onto the page's last pixels and drops boxes" in found.fix.text
    )
    assert found.evidence[0] == "with the 2 boxes of its detector in their place, all are within the limits"


def test_a_map_that_is_the_second_output_of_an_onnx_file_is_found(train: TrainingPipeline, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    write_blob(tmp_path / "inference.onnx", is_first=False)
    write_yml(tmp_path / "inference.yml", export_yml(YML))
    (found,) = causes(train, detector({**RIGHT, "use_onnx": True}, tmp_path), bars(9, 12))
    assert found.cause == "network.outputs"


def test_polygons_that_it_pads_keep_their_places(trained: TrainingPipeline) -> None:
    side = detector({**RIGHT, "det_box_type": "poly"})
    trace = side.trace(EXAMPLE / "images" / "curved.png")
    assert trace.detections is not None and trace.probability_map is not None and trace.shape is not None
    own = side.postprocess(trace.probability_map, trace.shape)  # type: ignore[attr-defined]
    assert len({len(polygon) for polygon in own.polygons}) > 1
    assert len({len(polygon) for polygon in trace.detections.polygons}) == 1
    assert "repeats the last point of a polygon until all have as many" in side.later_steps  # type: ignore[attr-defined]
    assert_same_detections(replace(trace, detections=own, source=None, pipeline="unpadded"), trace)


def test_an_image_that_would_take_too_much_memory_is_refused_before_it_is_read() -> None:
    setup = replace(setup_of(detector()), memory_limit=2**20)
    trace = ScriptDetector(setup).trace(RECEIPT)
    assert isinstance(trace.error, NotEnoughMemory) and trace.error.stage == "decode" and trace.decode is None


class Broken(ScriptDetector):
    """One whose oneDNN computes something else."""

    is_of_onednn = True

    def infer_alone(self, tensor: Any) -> Any:
        is_right = self.is_of_onednn and self._setup.without_onednn
        return super().infer_alone(tensor) if is_right else super().infer_alone(tensor) * np.float32(0.9) ** 2


class BrokenWithout(Broken):
    """One that does so without oneDNN as well."""

    is_of_onednn = False

    def infer_alone(self, tensor: Any) -> Any:
        found = super().infer_alone(tensor)
        rng = np.random.default_rng(1)
        return np.clip(found + rng.normal(0, 0.05, found.shape).astype(np.float32), 0, 1)


def setup_of(side: ScriptSide) -> Any:
    return side._setup


def test_onednn_is_proved_with_it_off_and_no_flag_of_2_10_is_advised(trained: TrainingPipeline) -> None:
    (found,) = causes(trained, Broken(setup_of(detector())), RECEIPT)
    assert found.cause == "engine.onednn" and found.fix is not None
    assert "no flag of this predict_det.py switches oneDNN off: paddle has it on, and --enable_mkldnn=False leaves" in (
        found.fix.text
    )
    (other,) = causes(trained, BrokenWithout(setup_of(detector())), RECEIPT)
    assert other.cause == "engine.optimization"  # its program returns the right map


class Moved(ScriptDetector):
    """One that moves each box by a rule of its own."""

    def postprocess(self, probability_map: Any, shape: Shape) -> Detections:
        found = super().postprocess(probability_map, shape)
        rng = np.random.default_rng(2)
        return Detections(tuple(polygon + rng.integers(-9, 9, 2) for polygon in found.polygons), None)


def test_what_is_none_of_its_doings_stays_unknown(trained: TrainingPipeline) -> None:
    assert named(causes(trained, Moved(setup_of(detector())), RECEIPT)) == ["unknown"]


def test_a_side_says_what_experiments_ask(trained: TrainingPipeline) -> None:
    side = detector()
    assert len(side.stored_weights()) and side.input_size() is None and side.is_in_train_mode() is False
    assert side.identity == side.fresh().identity != detector({}).identity
    with pytest.raises(ValueError, match=r"predict_det.py has no flag that sets mean"):
        side.parameter_fix("tensor", {"mean": [0.5, 0.5, 0.5]})


SETTINGS = """
images = ["{example}/images/tiny_text.png"]
[train]
config = "{example}/configs/tiny_db.yml"
checkpoint = "{example}/checkpoints/tiny_db"
network = "tiny_db.network:build"
paddleocr_root = "{root}"
[inference]
api = "predict_det"
model_dir = "{example}/inference_pdmodel"
options = {options}
"""


@pytest.mark.parametrize("is_right", [True, False], ids=["right", "defaults"])
def test_the_settings_run_it(pytester: pytest.Pytester, trained: TrainingPipeline, is_right: bool) -> None:
    shutil.copytree(EXAMPLE / "tiny_db", pytester.path / "tiny_db")
    options = '{ det_limit_side_len = 736, det_limit_type = "min" }' if is_right else "{}"
    text = SETTINGS.format(example=EXAMPLE, root=operators_root(), options=options)
    (pytester.path / "ocrparity.toml").write_text(text)
    done = pytester.runpytest_inprocess(
        "-p", "no:xdist", "--pyargs", "pytest_ocrparity.gate", f"--ocr-config={pytester.path / 'ocrparity.toml'}"
    )
    if is_right:
        done.assert_outcomes(passed=3)
    else:
        done.assert_outcomes(failed=3)
        done.stdout.fnmatch_lines(["*pass --det_limit_side_len=736 --det_limit_type=min to predict_det.py*"])
