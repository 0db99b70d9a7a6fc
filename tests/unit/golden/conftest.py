"""A recorded baseline, and a store with its image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from goldens import trace_of

from pytest_ocrparity.golden.baseline_file import save_baseline_file
from pytest_ocrparity.golden.store import GoldenStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "goldens" / "a.png.npz"
    save_baseline_file(path, trace_of(), reference="train", fingerprint={"config": "c1"}, options={"device": "cpu"})
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    image = tmp_path / "images" / "a.png"
    image.write_bytes(b"one image")
    return image


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., GoldenStore]:
    def build(mode: str | None = None, **changes: Any) -> GoldenStore:
        options = {"root": tmp_path, "reference": "train", "fingerprint": {"config": "c1", "checkpoint": "w1"}}
        return GoldenStore(tmp_path / "goldens", mode=mode, **{**options, **changes})

    return build
