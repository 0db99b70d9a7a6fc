"""The table of the deployment that reads pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import settings_file

from pytest_ocrparity.errors import SettingsError
from pytest_ocrparity.session.page_sides import inference_page, train_page
from pytest_ocrparity.settings import Settings, load_settings
from pytest_ocrparity.settings.page_settings import page_values


def loaded(folder: Path, text: str) -> Settings:
    return load_settings(settings_file(folder, text), {}, folder)


def test_paths_start_at_the_settings_file(tmp_path: Path) -> None:
    found = loaded(tmp_path, '[page]\noptions_file = "ocr.yml"\noptions = { doc_unwarping_model_dir = "unwarp" }').page
    assert found == {
        "options_file": tmp_path / "ocr.yml",
        "options": {"doc_unwarping_model_dir": str(tmp_path / "unwarp")},
    }


def test_a_table_without_values_says_that_pages_are_read(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[page]").reads_pages
    assert not loaded(tmp_path, "").reads_pages


def test_an_unknown_key_names_its_neighbour(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"page.option is no setting; did you mean 'options'"):
        loaded(tmp_path, "[page]\noption = {}")


def test_options_beside_a_factory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="beside it, options would change nothing"):
        loaded(tmp_path, '[page]\nfactory = "ocr:make"\noptions = {}')
    assert loaded(tmp_path, '[page]\nfactory = "ocr:make"').page == {"factory": "ocr:make"}


def test_no_candidate_is_called_page(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a side is called 'page' already"):
        loaded(tmp_path, '[candidates.page]\nmodel_dir = "a"')


def test_what_a_page_needs_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"sets no table \[tool.ocrparity.recognition\]"):
        train_page(loaded(tmp_path, ""))
    text = '[inference]\nmodel_dir = "det"\n[recognition.train]\nconfig = "rec.yml"'
    with pytest.raises(SettingsError, match=r"sets no recognition\.inference\.model_dir"):
        inference_page(loaded(tmp_path, text))


def test_options_of_a_detectors_pipeline_are_taken_one_by_one() -> None:
    """As where a fix names one for the table, the others must stay."""
    finds = {
        "api": "PaddleOCR",
        "model_dir": "det",
        "options": {"device": "cpu", "limit": 1},
        "predict_options": {"a": 1},
    }
    assert page_values({}, finds) == {"options": finds["options"], "predict_options": {"a": 1}}
    table = {"options": {"limit": 2}}
    assert page_values(table, finds) == {"options": {"device": "cpu", "limit": 2}, "predict_options": {"a": 1}}
    assert table == {"options": {"limit": 2}}
    for own in ({"options_file": "ocr.yml"}, {"factory": "app:make"}):
        assert page_values(own, finds) == own
    assert page_values(table, {**finds, "api": "TextDetection"}) == table
    assert page_values({}, {}) == {}
