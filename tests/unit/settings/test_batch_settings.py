"""The setting `batch` and its option."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from projects import settings_file

from pytest_ocrparity.errors import OptionError, SettingsError
from pytest_ocrparity.settings import Settings, load_settings


def loaded(folder: Path, text: str = "", **options: Any) -> Settings:
    return load_settings(settings_file(folder, text), options, folder)


def test_without_it_an_image_runs_alone(tmp_path: Path) -> None:
    found = loaded(tmp_path, '[inference]\nmodel_dir = "a"\n')
    assert (found.batch, found.batch_of("inference"), found.has_batches) == (1, 1, False)
    assert "batch" not in found.candidates["inference"].values


def test_each_candidate_has_its_own_and_inherits_that_of_inference(tmp_path: Path) -> None:
    text = """
        [inference]
        model_dir = "a"
        batch = 4
        [candidates.b]
        model_dir = "b"
        [candidates.c]
        batch = 1
    """
    found = loaded(tmp_path, text)
    assert [found.batch_of(name) for name in ("inference", "b", "c", None)] == [4, 4, 1, 1]
    assert found.has_batches


def test_the_option_is_for_all_sides_also_those_of_no_settings(tmp_path: Path) -> None:
    text = '[inference]\nmodel_dir = "a"\nbatch = 4\n[candidates.b]\nmodel_dir = "b"\n'
    found = loaded(tmp_path, text, ocr_batch="2")
    assert [found.batch_of(name) for name in ("inference", "b", None)] == [2, 2, 2]
    assert loaded(tmp_path, "", ocr_batch="3").batch == 3
    assert not loaded(tmp_path, text, ocr_batch="1").has_batches


def test_what_the_only_candidate_has_holds_for_a_side_in_its_place(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[inference]\nbatch = 4\n").batch_of(None) == 4


@pytest.mark.parametrize("given", ["0", "-1", "2.5", "many", "٣", "9999999"])
def test_an_option_that_is_no_number_of_images_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(OptionError, match=f"--ocr-batch={given}: it is a whole number from 1 up"):
        loaded(tmp_path, ocr_batch=given)


@pytest.mark.parametrize("given", ["0", "-1", "2.5", "true", '"4"'])
def test_a_setting_that_is_none_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(SettingsError, match=r"inference\.batch is a whole number from 1 up"):
        loaded(tmp_path, f"[inference]\nbatch = {given}\n")


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ('api = "results"\nresults = "out/{stem}.json"', 'where api = "results": nothing runs'),
        ('api = "predict_det"\nmodel_dir = "a"', "with api = 'predict_det' one image runs after the other: remove it"),
        ('api = "PaddleOCR"\nmodel_dir = "a"', "paddleocr.PaddleOCR hands its detector one image after the other"),
    ],
)
def test_it_is_refused_where_nothing_runs_a_batch(tmp_path: Path, table: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        loaded(tmp_path, f"[inference]\n{table}\nbatch = 2\n")
    assert not loaded(tmp_path, f"[inference]\n{table}\nbatch = 1\n").has_batches


def test_rapidocr_runs_lines_in_batches(tmp_path: Path) -> None:
    assert loaded(tmp_path, '[inference]\napi = "rapidocr"\nmodel_file = "a.onnx"\nbatch = 2\n').has_batches
