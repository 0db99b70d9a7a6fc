"""RapidOCR's recogniser on the example's: its defaults, its params, its dictionary, its batches.

`make engines` runs it. `tiny_rec.onnx` is `example_project/inference_rec`, converted by paddle2onnx 2.1.0 with its
defaults.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import yaml
from paths import EXAMPLE
from real.blob import write_yml
from real.deployments import example_reader, named, put_right_by_options

from engines.gates import gate_on
from pytest_ocrparity import (
    Recognition,
    assert_same_preprocessing,
    assert_same_probability_maps,
    assert_same_text,
)
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
from pytest_ocrparity.backends.rapidocr.rapid_loading import load_rapidocr_side
from pytest_ocrparity.backends.rapidocr.rapid_recogniser import RapidRecogniser
from pytest_ocrparity.contract import Pipeline, trace_anew
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnose.batch_runs import BatchRun
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.tolerance import BUILT_IN

pytest.importorskip("rapidocr", reason="rapidocr is not installed: make engines installs it")
FILE = Path(__file__).parent / "tiny_rec.onnx"
LINES = EXAMPLE / "lines"
PRICE, SMALL, SPACES = (LINES / f"{name}.png" for name in ("price", "date", "spaces"))
DICTIONARY = EXAMPLE / "configs" / "tiny_rec_dict.txt"
OWN = {"Rec.rec_keys_path": str(DICTIONARY)}
RIGHT = {**OWN, "Rec.rec_img_shape": [3, 32, 160], "Global.use_preprocess_img": False}
"""What the example's training yml evaluates with, where RapidOCR's defaults are others."""


@pytest.fixture(scope="module")
def trained() -> TrainedRecogniser:
    return example_reader()


def reading(options: Mapping[str, Any], file: Path = FILE) -> RapidRecogniser:
    side = load_rapidocr_side(file, options)
    assert isinstance(side, RapidRecogniser)
    return side


def causes(train: TrainedRecogniser, side: RapidRecogniser, image: Any = PRICE) -> tuple[Diagnosis, ...]:
    return diagnose(reference=train.trace(image), candidate=side.trace(image))


def put_right(train: TrainedRecogniser, options: Mapping[str, Any], image: Any = PRICE) -> tuple[Diagnosis, ...]:
    """Return what is found; with its fixes applied nothing may be."""
    return put_right_by_options(lambda given: causes(train, reading(given), image), options)


@pytest.mark.parametrize("name", ["price.png", "spaces.png", "wide_receipt.png", "blank.png", "exif_orientation.jpg"])
def test_with_the_right_params_it_passes(trained: TrainedRecogniser, name: str) -> None:
    reference, trace = (side.trace(LINES / name) for side in (trained, reading(RIGHT)))
    assert reference.recognition is not None and trace.recognition is not None
    assert trace.parameters["resize"]["content_width"] == reference.parameters["resize"]["content_width"]
    for compare in (assert_same_preprocessing, assert_same_probability_maps, assert_same_text):
        compare(reference, trace)


def test_its_defaults_are_named_in_its_own_words_and_pass_once_they_are_set(trained: TrainedRecogniser) -> None:
    found = put_right(trained, OWN)
    assert named(found) == ["resize.pixels", "resize.height"]
    scaled, shape = (each.fix.text for each in found if each.fix is not None)
    assert scaled.startswith('pass params={"Global.use_preprocess_img": False} to RapidOCR, or set the same in its')
    assert shape.startswith('pass params={"Rec.rec_img_shape": [3, 32, 160]} to RapidOCR, or set the same in its YAML')
    said = str(reading(OWN).trace(PRICE).error)
    assert said.startswith("the ONNX file takes one size of tensor alone: height 32 px; it was given height 48")


def test_its_width_alone_is_named(trained: TrainedRecogniser) -> None:
    (found,) = put_right(trained, {**RIGHT, "Rec.rec_img_shape": [3, 32, 320]})
    assert found.cause == "resize.width"
    assert found.summary == "inference has another base width than train"


def test_a_line_below_30_px_is_enlarged_before(trained: TrainedRecogniser) -> None:
    (found,) = put_right(trained, {**RIGHT, "Global.use_preprocess_img": True}, SMALL)
    assert found.cause == "resize.pixels"
    assert found.summary == ("inference scales the line by 1.32 x 1.28 before it resizes it, and train does not")
    tall = np.asarray(cv2.resize(cv2.imread(str(SMALL)), None, fx=2.0, fy=2.0), np.uint8)
    assert causes(trained, reading({**RIGHT, "Global.use_preprocess_img": True}), tall) == ()


def test_a_line_above_2000_px_is_shrunk_before(trained: TrainedRecogniser) -> None:
    wide = np.asarray(cv2.resize(cv2.imread(str(LINES / "wide_receipt.png")), (2400, 142)), np.uint8)
    (found,) = put_right(trained, {**RIGHT, "Global.use_preprocess_img": True}, wide)
    assert found.cause == "resize.max_side_limit"


def test_an_evaluation_that_squeezes_wide_lines_is_named(tmp_path: Path) -> None:
    yml = yaml.safe_load((EXAMPLE / "configs" / "tiny_rec.yml").read_text())
    for entry in yml["Eval"]["dataset"]["transforms"]:
        entry.get("RecResizeImg", {}).pop("eval_mode", None)
    yml["Global"]["character_dict_path"] = str(DICTIONARY)
    write_yml(tmp_path / "rec.yml", yml)
    squeezing = example_reader(tmp_path / "rec.yml")
    assert named(causes(squeezing, reading(RIGHT), LINES / "wide_invoice.png")) == ["resize.width"]
    assert causes(squeezing, reading(RIGHT), PRICE) == ()


@pytest.mark.parametrize(("name", "cause"), [("alpha.png", "decode.alpha"), ("sixteen_bit.png", "decode.bit_depth")])
def test_how_it_decodes_is_named_and_plain_files_pass(
    trained: TrainedRecogniser, tmp_path: Path, name: str, cause: str
) -> None:
    side = reading(RIGHT)
    assert named(causes(trained, side, LINES / name)) == [cause]
    cv2.imwrite(str(tmp_path / name), cv2.imread(str(LINES / name), cv2.IMREAD_COLOR))
    assert causes(trained, side, tmp_path / name) == ()


class TestItsDictionary:
    """`Rec.rec_keys_path`, and the metadata of a file."""

    def test_one_in_another_order_is_named_with_its_place(self, trained: TrainedRecogniser, tmp_path: Path) -> None:
        other = tmp_path / "other.txt"
        other.write_text("\n".join(reversed(DICTIONARY.read_text().splitlines())))
        (found,) = causes(trained, reading({**RIGHT, "Rec.rec_keys_path": str(other)}))
        assert found.cause == "text.dictionary" and found.fix is not None
        assert found.summary == "the dictionary of inference is another: it is train's in reverse"
        assert found.fix.text.endswith(f"with its lines in their order, in Rec.rec_keys_path = {other}")
        shutil.copy(DICTIONARY, other)
        assert causes(trained, reading({**RIGHT, "Rec.rec_keys_path": str(other)})) == ()

    def test_a_character_in_the_place_of_the_space_is_named(self, trained: TrainedRecogniser, tmp_path: Path) -> None:
        other = tmp_path / "other.txt"
        other.write_text(DICTIONARY.read_text() + "_\n")
        side = reading({**RIGHT, "Rec.rec_keys_path": str(other)})
        (found,) = causes(trained, side, SPACES)
        assert found.cause == "text.dictionary"
        assert "its decoder returns '_' for ' '" in found.evidence[0]
        assert named(causes(trained, side, PRICE)) in ([], ["text.dictionary"])  # no space stands there

    def test_that_in_the_metadata_is_read_in_the_place_of_the_param(
        self, trained: TrainedRecogniser, tmp_path: Path
    ) -> None:
        onnx = pytest.importorskip("onnx")
        model = onnx.load(FILE)
        entry = model.metadata_props.add()
        entry.key, entry.value = "character", DICTIONARY.read_text()
        onnx.save(model, tmp_path / "right.onnx")
        entry.value = "\n".join(reversed(DICTIONARY.read_text().splitlines()))
        onnx.save(model, tmp_path / "other.onnx")
        without = {name: value for name, value in RIGHT.items() if name not in OWN}
        assert causes(trained, reading(without, tmp_path / "right.onnx")) == ()
        (found,) = causes(trained, reading(RIGHT, tmp_path / "other.onnx"))
        assert found.cause == "text.dictionary" and found.fix is not None
        assert "other.onnx, which RapidOCR reads in the place of Rec.rec_keys_path" in found.fix.text
        entry.value = "a\nb"
        onnx.save(model, tmp_path / "short.onnx")
        with pytest.raises(
            ModelError, match=r"has 2 entries, and .* has 42 classes .*: write that of the training there"
        ):
            reading(RIGHT, tmp_path / "short.onnx")

    def test_one_of_another_length_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "short.txt").write_text("a\nb\n")
        with pytest.raises(ModelError) as caught:
            reading({**RIGHT, "Rec.rec_keys_path": str(tmp_path / "short.txt")})
        said = str(caught.value)
        assert f"the dictionary of RapidOCR, Rec.rec_keys_path = {tmp_path / 'short.txt'}, has 2 entries, and" in said
        assert said.endswith("set inference.options.Rec.rec_keys_path to the dictionary of the training")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({}, "options lack Rec.rec_keys_path, and .*tiny_rec.onnx has no dictionary in its metadata"),
            ({"Rec.rec_keys_path": "/no/such.txt"}, "no file at /no/such.txt, which Rec.rec_keys_path names"),
            ({"Rec.rec_keys_path": 3}, "Rec.rec_keys_path is 3, and not the path of a file"),
        ],
    )
    def test_without_one_nothing_is_downloaded(self, options: dict[str, Any], said: str) -> None:
        with pytest.raises(ModelError, match=said):
            reading(options)

    def test_texts_that_it_reorders_are_named(self, tmp_path: Path) -> None:
        pytest.importorskip("bidi")
        letters = [chr(code) for code in range(0x0621, 0x063B)] + [chr(code) for code in range(0x0641, 0x064B)]
        letters += DICTIONARY.read_text().splitlines()[len(letters) :]
        (tmp_path / "dict.txt").write_text("\n".join(letters), encoding="utf-8")
        yml = yaml.safe_load((EXAMPLE / "configs" / "tiny_rec.yml").read_text())
        yml["Global"]["character_dict_path"] = str(tmp_path / "dict.txt")
        write_yml(tmp_path / "rec.yml", yml)
        train, options = (
            example_reader(tmp_path / "rec.yml"),
            {**RIGHT, "Rec.rec_keys_path": str(tmp_path / "dict.txt")},
        )
        (found,) = causes(train, reading({**options, "Rec.lang_type": "arabic"}))
        assert found.cause == "text.direction" and "reorder_bidi_for_display" in found.summary
        assert causes(train, reading(options)) == ()


def test_its_text_score_drops_no_line_alone(trained: TrainedRecogniser) -> None:
    assert causes(trained, reading({**RIGHT, "Global.text_score": 0.9999})) == ()


class TestItsBatches:
    """`Rec.rec_batch_num`, six by default, filled up to the widest."""

    FILES = tuple(LINES / f"{name}.png" for name in ("digit", "doubled", "wide_receipt", "price"))

    def run_of(self, side: RapidRecogniser) -> BatchRun:
        pipeline = cast("Pipeline", side)
        return BatchRun.of(pipeline, self.FILES, [trace_anew(pipeline, file) for file in self.FILES])

    def test_lines_keep_their_order_and_are_filled_up(self) -> None:
        run = self.run_of(reading(RIGHT))
        texts = [each.recognition.text for each in run.together if each.recognition is not None]
        assert texts == [each.recognition.text for each in run.alone if each.recognition is not None]
        assert {each.tensor.shape[-1] for each in run.together if each.tensor is not None} == {540}
        for index in range(len(self.FILES)):
            assert all(each.is_match for each in run.comparisons(index, BUILT_IN))

    def test_one_that_reads_otherwise_is_named_with_the_param(self) -> None:
        def attending(options: Mapping[str, Any]) -> RapidRecogniser:
            """Let many empty columns change the first timesteps, as in networks that see the whole line."""
            side = reading(options)
            real = side._session

            def attends(x: Any) -> Any:
                maps = np.array(real(x))
                for tensor, timesteps in zip(x, maps, strict=True):
                    timesteps[: 4 * int((tensor == 0).all((0, 1)).sum() > 300)] = np.eye(maps.shape[-1])[5]
                return maps

            side._session = side._model.session = attends
            return side

        run = self.run_of(attending(RIGHT))
        for index in (0, 1):  # one that is filled up alone, and one that fills its tensor there
            assert [each.is_match for each in run.comparisons(index, BUILT_IN)] == [False]
            (found,) = run.diagnose(index, BUILT_IN)
            assert found.cause == "resize.batch_padding" and found.fix is not None
            assert found.fix.text.startswith('pass params={"Rec.rec_batch_num": 1} to RapidOCR')
            (change,) = found.fix.changes
        fixed = self.run_of(attending({**RIGHT, **change.values}))
        for index in range(len(self.FILES)):
            assert all(each.is_match for each in fixed.comparisons(index, BUILT_IN))


class Guessing(RapidRecogniser):
    """One that answers by a rule of its own."""

    def read_map(self, probability_map: Any) -> Recognition:
        read = super().read_map(probability_map)
        return Recognition(read.text[::2] + "7", read.score)


class Blurring(RapidRecogniser):
    """One that changes the picture in a way that none of its params does."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        real = self._model.resize_norm_img
        self._model.resize_norm_img = lambda line, ratio: real(cv2.GaussianBlur(line, (5, 5), 2), ratio)


@pytest.mark.parametrize("kind", [Guessing, Blurring])
def test_what_is_none_of_its_params_stays_unknown(trained: TrainedRecogniser, kind: type[RapidRecogniser]) -> None:
    assert named(causes(trained, kind(FILE, RIGHT))) == ["unknown"]


def test_its_openvino_engine_has_no_param_for_a_precision(trained: TrainedRecogniser) -> None:
    pytest.importorskip("openvino")
    side = reading({**RIGHT, "Rec.engine_type": "openvino"})
    engine = side.parameters["probability_map"]
    assert engine["engine"] == "openvino"
    one = side.trace(PRICE).probability_map
    assert one is not None
    before = np.array(one)
    side.trace(SPACES)
    assert np.array_equal(one, before)  # its memory is not that of the next run
    if engine["precision"] != "bf16":
        pytest.skip("not tried: OpenVINO does not compute in bf16 on this processor")
    (found,) = put_right(trained, {**RIGHT, "Rec.engine_type": "openvino"})
    assert found.cause == "engine.precision" and found.fix is not None
    assert 'pass params={"Rec.engine_type": EngineType.ONNXRUNTIME} to RapidOCR' in found.fix.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"Rec.rec_image_shape": [3, 32, 160]}, "no param Rec.rec_image_shape; did you mean 'Rec.rec_img_shape'"),
        ({"Rec.rec_img_shape": 48}, r"Rec.rec_img_shape is 48; RapidOCR's own value of it is \[3, 48, 320\]"),
        ({"Rec.rec_batch_num": "6"}, "Rec.rec_batch_num is '6'; RapidOCR's own value of it is 6"),
        ({"Rec.rec_batch_num": 0}, "Rec.rec_batch_num is 0; it is a whole number from 1 up"),
        ({"Det.mean": [1, 1, 1]}, "Det.mean does nothing, as the recogniser alone runs: remove it"),
        ({"Global.use_det": True}, "Global.use_det has its place in the settings: the recogniser alone runs"),
        ({"Rec.engine_type": "torch"}, "an .onnx file runs on onnxruntime or openvino"),
    ],
)
def test_wrong_params_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        reading({**RIGHT, **options})


def test_the_settings_run_it_line_by_line_and_in_batches(pytester: pytest.Pytester) -> None:
    own = f"""api = "rapidocr"
model_file = {json.dumps(str(FILE))}
batch = 2
options."Rec.rec_keys_path" = "configs/tiny_rec_dict.txt"
options."Rec.rec_img_shape" = [3, 32, 160]
options."Global.use_preprocess_img" = false
"""
    images = '"lines/price.png", "lines/wide_receipt.png"'
    gate_on(pytester, "tiny_rec", images, own).assert_outcomes(passed=6)


def test_a_file_of_a_detector_is_refused_in_a_project_of_a_recogniser(pytester: pytest.Pytester) -> None:
    own = """api = "rapidocr"
model_file = "inference_onnx/inference.onnx"
"""
    said = gate_on(pytester, "tiny_rec", '"lines/price.png"', own).stdout.str()
    assert "tiny_rec.yml is of a recogniser and " in said and "inference_onnx/inference.onnx of a detector" in said
