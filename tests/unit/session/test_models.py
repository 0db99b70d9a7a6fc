"""Models are loaded once per process, and again where their files have changed."""

from __future__ import annotations

import os
from pathlib import Path

from projects import settings_file

from pytest_ocrparity.session.models import _once, golden_store
from pytest_ocrparity.settings import load


def test_a_changed_file_is_another_model(tmp_path: Path) -> None:
    file = tmp_path / "inference.yml"

    def loaded() -> object:
        return _once(str(tmp_path), [file, tmp_path / "missing"], object)

    file.write_text("unclip_ratio: 1.5")
    first = loaded()
    assert loaded() is first
    file.write_text("unclip_ratio: 3.5")
    os.utime(file, ns=(1, 1))
    assert loaded() is not first


def test_the_engine_of_a_setting_stands_among_the_options_of_a_baseline(tmp_path: Path) -> None:
    text = '[inference]\nmodel_dir = "inference"\nengine = "onnxruntime"\noptions = { device = "cpu" }'
    store = golden_store(load(settings_file(tmp_path, text), {}, tmp_path))
    assert store.options["options"] == {"device": "cpu", "engine": "onnxruntime"}
