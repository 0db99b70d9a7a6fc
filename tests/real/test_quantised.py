"""int8 that really hurts: the example's depthwise detector, what the gate says of it, and what puts it right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from paths import EXAMPLE

from pytest_ocrparity.backends.isolation import isolated
from real.blob import operators_root

pytest.importorskip("onnx")
MODELS = EXAMPLE / "inference_mobile"
PAGES = 8


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from example_project.quantise import write_labelled_pages

    folder = tmp_path_factory.mktemp("pages")
    with isolated():
        write_labelled_pages(folder, PAGES)
    return folder


@pytest.fixture
def project(pytester: pytest.Pytester, pages: Path, train: Any, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """The example with its labelled pages in the working directory; the frameworks are loaded already."""
    for name in ("configs", "checkpoints", "tiny_db", "tests", "inference_mobile"):
        (pytester.path / name).symlink_to(EXAMPLE / name)
    (pytester.path / "mobile_pages").symlink_to(pages)
    text = (EXAMPLE / "mobile.toml").read_text().replace("../.venv/paddleocr-2.10/paddleocr", str(operators_root()))
    (pytester.path / "mobile.toml").write_text(text.partition("[report]")[0])
    monkeypatch.setenv("COLUMNS", "300")
    return pytester


def run(project: pytest.Pytester, candidate: str) -> pytest.RunResult:
    args = ("-p", "no:xdist", "--ocr-config=mobile.toml", "-k", f"training and {candidate}")
    return project.runpytest_inprocess(*args, "tests/test_export.py")


def test_the_gate_and_the_accuracy_fail_and_say_why(project: pytest.Pytester) -> None:
    result = run(project, "int8")
    assert result.ret == 1
    print(result.stdout.str())
