"""Models are loaded once per process, and again where their files have changed."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_ocrparity.session.models import _once


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
