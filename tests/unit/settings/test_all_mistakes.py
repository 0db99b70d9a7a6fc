"""All that is wrong with a settings file, and with the options beside it, is said in one error, a line each."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ocrparity.errors import OptionError, SettingsError
from pytest_ocrparity.settings import load_settings

WRONG = """
imagse = []
allow_empty = 1
memory_limit = "4 elephants"
report = 3
[golden]
reference = "trian"
[train]
confg = "x"
config = 3
[inference]
tolerance = "fp8"
[candidates.train]
model_dir = "x"
[candidates.onnx]
model_dri = "x"
[candidates.int8]
tolerance = { detections = { max_shfit = 1, max_shift = -1 }, maps = {} }
[tolerance]
preset = "fp33"
detections = { min_iou = 2 }
"""
SAID = (
    "imagse is no setting; did you mean 'images'?",
    "allow_empty is true or false, not 1",
    'memory_limit is a size such as "4 GB", "512 MiB" or a number, not',
    "report is a table, not 3",
    "golden.reference is one of train, inference, not 'trian'",
    "train.confg is no setting; did you mean 'config'?",
    "train.config is a path, not 3",
    "inference: no tolerance preset 'fp8'",
    "candidates: a side is called 'train' already; give this candidate another name",
    "candidates.onnx.model_dri is no setting; did you mean 'model_dir'?",
    "candidates.int8: detections has no limit 'max_shfit'; did you mean 'max_shift'?",
    "candidates.int8: detections.max_shift is a number from 0 up or 'off', not -1",
    "candidates.int8: no tolerance stage 'maps'",
    "no tolerance preset 'fp33'",
    "detections.min_iou is at most 1, not 2",
)


def written(folder: Path, text: str) -> Path:
    path = folder / "ocrparity.toml"
    path.write_text(text)
    return path


def mistakes(folder: Path, text: str, **options: object) -> list[str]:
    with pytest.raises(SettingsError) as error:
        load_settings(written(folder, text), options, folder)
    return str(error.value).splitlines()


def test_each_mistake_has_a_line_that_names_the_file(tmp_path: Path) -> None:
    lines = mistakes(tmp_path, WRONG)
    assert len(lines) == len(SAID)
    for said in SAID:
        (line,) = (line for line in lines if said in line)
        assert line.startswith(f"{tmp_path / 'ocrparity.toml'}: ")


def test_one_mistake_is_one_line_as_ever(tmp_path: Path) -> None:
    file = tmp_path / "ocrparity.toml"
    assert mistakes(tmp_path, "images = 3\nallow_empty = true") == [f"{file}: images is a list of globs, not 3"]


def test_a_wrong_value_leaves_nothing_behind_that_is_said_again(tmp_path: Path) -> None:
    # A limit that the candidates inherit is wrong once, and so is an option that each candidate gets.
    text = "[tolerance]\ndetections = { min_iou = 2 }\n[candidates.a]\nmodel_dir = 'a'\n[candidates.b]\nmodel_dir = 'b'"
    lines = mistakes(tmp_path, text, ocr_tolerance=["fp99", "detections.min_iuo=1"])
    assert len(lines) == 3


def test_options_stand_in_the_same_message(tmp_path: Path) -> None:
    text = "imagse = []\n[candidates.a]\nmodel_dir = 'a'\n[candidates.b]\nmodel_dir = 'b'"
    options = {"ocr_golden_mode": "all", "ocr_inference_dir": "x", "ocr_report": "", "ocr_tolerance": ["fp99"]}
    with pytest.raises(OptionError) as error:
        load_settings(written(tmp_path, text), options, tmp_path)
    lines = str(error.value).splitlines()
    assert len(lines) == 5
    for said in ("--ocr-report= is empty", "imagse is no setting", "no tolerance preset 'fp99'", "records nothing"):
        assert sum(said in line for line in lines) == 1
    assert any(line.startswith("--ocr-inference-dir=x: which of a, b is meant?") for line in lines)


def test_an_error_of_the_file_alone_is_none_of_an_option(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(written(tmp_path, "imagse = []"), {"ocr_images": ["x.png"]}, tmp_path)
    assert not isinstance(error.value, OptionError)


def test_settings_and_options_that_contradict_each_other(tmp_path: Path) -> None:
    options = {"ocr_golden": True, "ocr_no_train": True}
    lines = mistakes(tmp_path, "imagse = []", **options)
    assert len(lines) == 2
    assert "--ocr-golden with --ocr-no-train: the baselines are recorded from the train model" in lines
    load_settings(written(tmp_path, "[golden]\nreference = 'inference'"), options, tmp_path)  # these do not


def test_a_value_that_cannot_be_printed_does_not_hide_the_others(tmp_path: Path) -> None:
    lines = mistakes(tmp_path, "imagse = []\ndiagnosis_seconds = 0x" + "f" * 5000 + "\nallow_empty = 1")
    assert len(lines) == 3
    assert any("has a number of 20000 bits" in line for line in lines)
