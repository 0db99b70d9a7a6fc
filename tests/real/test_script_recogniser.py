"""`predict_rec.py` of PaddleOCR 2.10 as the deployment: its flags, its dictionary, and what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity import Recognition, assert_same_preprocessing, assert_same_probability_maps, assert_same_text
from pytest_ocrparity.backends.checkout.loading import load_script_side
from pytest_ocrparity.backends.checkout.recogniser import ScriptRecogniser
from pytest_ocrparity.backends.checkout.side import ScriptSide
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.errors import ModelError
from real.blob import operators_root, write_yml
from real.deployments import named, put_right_by_options
from real.lines import HEIGHT, LETTERS, YML, export_yml, line, write_dictionary
from real.test_script_detector import pytestmark  # noqa: F401

PAGE = line("20 11")


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The line network's export in the format that 2.10 loads, with its dictionary in the folder above."""
    folder = tmp_path_factory.mktemp("legacy") / "inference"
    folder.mkdir()
    with isolated():
        import paddle
        from paddle.pir_utils import OldIrGuard

        from real.line_net import LineNet

        network = LineNet(len(LETTERS) + 2)
        network.eval()
        with OldIrGuard():
            spec = [paddle.static.InputSpec([None, 3, HEIGHT, -1], "float32")]
            paddle.jit.save(paddle.jit.to_static(network, input_spec=spec, full_graph=True), str(folder / "inference"))
    write_yml(folder / "inference.yml", export_yml(YML))
    write_dictionary(folder.parent / "dict.txt", LETTERS)
    return folder


def reading(folder: Path, **options: Any) -> ScriptSide:
    given = {"rec_char_dict_path": str(folder.parent / "dict.txt"), **options}
    return load_script_side("predict_rec", model_dir=folder, paddleocr_root=operators_root(), options=given)


def causes(train: TrainedRecogniser, side: ScriptSide, image: Any = PAGE) -> tuple[Diagnosis, ...]:
    return diagnose(reference=train.trace(image), candidate=side.trace(image))


def put_right(train: TrainedRecogniser, folder: Path, options: Mapping[str, Any]) -> tuple[Diagnosis, ...]:
    return put_right_by_options(lambda given: causes(train, reading(folder, **given)), options)


def test_with_its_dictionary_it_reads_what_the_train_side_reads(
    trained_reader: TrainedRecogniser, legacy: Path
) -> None:
    reference, trace = (side.trace(PAGE) for side in (trained_reader, reading(legacy)))
    assert trace.recognition is not None and trace.recognition.text == "20 11"
    assert trace.parameters["resize"]["content_width"] == reference.parameters["resize"]["content_width"]
    assert trace.parameters["probability_map"]["engine"] == "mkldnn"
    for compare in (assert_same_preprocessing, assert_same_probability_maps, assert_same_text):
        compare(reference, trace)


def test_its_default_dictionary_is_refused_with_the_flag_that_sets_it(legacy: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_script_side("predict_rec", model_dir=legacy, paddleocr_root=operators_root())
    said = str(caught.value)
    assert "rec_char_dict_path = ./ppocr/utils/ppocr_keys_v1.txt, has 6623 entries, and" in said
    assert "set inference.options.rec_char_dict_path to the dictionary of the training" in said


def test_a_wrong_height_is_named_with_its_flag(trained_reader: TrainedRecogniser, legacy: Path) -> None:
    (found,) = put_right(trained_reader, legacy, {"rec_image_shape": "3,32,320"})
    assert found.cause == "resize.height" and found.fix is not None
    assert found.fix.text.startswith("pass --rec_image_shape=3,48,320 to predict_rec.py; for this test, add the same")


def test_a_wrong_width_is_named_with_its_flag(trained_reader: TrainedRecogniser, legacy: Path) -> None:
    (found,) = put_right(trained_reader, legacy, {"rec_image_shape": "3,48,160"})
    assert found.cause == "resize.width" and found.fix is not None
    assert "pass --rec_image_shape=3,48,320 to predict_rec.py" in found.fix.text


def test_another_dictionary_of_that_length_is_named(
    trained_reader: TrainedRecogniser, legacy: Path, tmp_path: Path
) -> None:
    other = write_dictionary(tmp_path / "other.txt", LETTERS[::-1])
    found = causes(trained_reader, reading(legacy, rec_char_dict_path=str(other)))
    assert named(found) == ["text.dictionary"]
    assert causes(trained_reader, reading(legacy)) == ()


class Guessing(ScriptRecogniser):
    """One that answers by a rule of its own."""

    def read_map(self, probability_map: Any) -> Recognition:
        read = super().read_map(probability_map)
        return Recognition(read.text[::2] + "7", read.score)


def test_what_is_none_of_its_doings_stays_unknown(trained_reader: TrainedRecogniser, legacy: Path) -> None:
    assert named(causes(trained_reader, Guessing(reading(legacy)._setup))) == ["unknown"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rec_char_dict_path": "/no/dict.txt"}, "no file at /no/dict.txt, which rec_char_dict_path names"),
        ({"rec_image_shape": "3,48"}, "rec_image_shape is '3,48', not channels, height and width as \"3,48,320\""),
        ({"rec_image_shape": [3, 48, 320]}, r"rec_image_shape is \[3, 48, 320\], not channels, height and width"),
        ({"rec_algorithm": "ViTSTR"}, "rec_algorithm is 'ViTSTR', and predict_rec.py decodes with ViTSTRLabelDecode"),
    ],
)
def test_wrong_options_are_refused_by_name(legacy: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        reading(legacy, **options)


def test_several_lines_at_once_are_refused(legacy: Path) -> None:
    with pytest.raises(Exception, match=r"predict_rec.py is run with one image after the other here: set no batch"):
        reading(legacy).infer(np.zeros((2, 3, 48, 320), np.float32))
