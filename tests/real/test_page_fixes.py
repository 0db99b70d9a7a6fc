"""`fix` after a page that differs: what it writes makes the page pass, and what it cannot write it prints."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from pytest_ocrparity.__main__ import main
from real.blob import operators_root
from real.test_example import EXAMPLE, change

RECOGNISER = yaml.safe_load((EXAMPLE / "configs" / "tiny_rec.yml").read_text())["Global"]["model_name"]
Fix = Callable[..., tuple[int, str]]
PAGE_TEST = ("-p", "no:xdist", "tests/test_page.py", "-k", "training and invoice", "--ocr-report=report")


@pytest.fixture
def example(pytester: pytest.Pytester, train: Any, inference: Any, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A copy of the example project in the working directory; it loads its models itself."""
    left_out = shutil.ignore_patterns("report", "goldens", "images", "lines")
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True, ignore=left_out)
    for name in ("images", "lines"):
        (pytester.path / name).symlink_to(EXAMPLE / name)
    change(pytester, "pyproject.toml", "../.venv/paddleocr-2.10/paddleocr", str(operators_root()))
    monkeypatch.setenv("COLUMNS", "300")
    return pytester


@pytest.fixture
def fix(example: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> Fix:
    """Call `fix` on the report of the example."""

    def call(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main(["fix", "report/results.json", *words])
        return status, capsys.readouterr().out

    return call


def run(example: pytest.Pytester, outcome: str) -> None:
    example.runpytest_inprocess(*PAGE_TEST).assert_outcomes(**{outcome: 1, "deselected": 3})


def test_both_models_files_are_written_and_the_page_passes(example: pytest.Pytester, fix: Fix) -> None:
    change(example, "inference/inference.yml", "- 0.485", "- 0.9")
    change(example, "inference_rec/inference.yml", "      - 32\n", "      - 48\n")
    before = {name: (example.path / name / "inference.yml").read_text() for name in ("inference", "inference_rec")}
    run(example, "failed")
    status, said = fix()
    print(said)
    assert status == 0
    for name, side in (("inference", "page's detector"), ("inference_rec", "page's recogniser")):
        assert f" of {side} (1 image: pages/invoice.png): " in said
        assert f"--- {name}/inference.yml\n" in said
        assert (example.path / name / "inference.yml").read_text() == before[name]
    change(example, "inference_rec/inference.yml", "      - 48\n", "      - 40\n")
    assert fix("--write") == (2, "")  # it changed since the run, and then neither is written
    for name, text in before.items():
        (example.path / name / "inference.yml").write_text(text)
    status, said = fix("--write")
    assert status == 0
    assert said.count("written: ") == 2
    run(example, "passed")


def test_options_of_the_pipeline_are_printed_as_one_call(example: pytest.Pytester, fix: Fix) -> None:
    change(example, "pyproject.toml", "text_det_limit_side_len = 736\n", "text_det_limit_side_len = 320\n")
    change(
        example,
        "pyproject.toml",
        "use_textline_orientation = false\n",
        "text_rec_score_thresh = 0.999\nuse_textline_orientation = false\n",
    )
    settings = (example.path / "pyproject.toml").read_text()
    run(example, "failed")
    status, said = fix("--write")
    print(said)
    assert status == 0
    assert "  resize.limits of page's detector (1 image: pages/invoice.png): " in said
    assert "  pipeline.score_thresh of page (1 image: pages/invoice.png): " in said
    assert said.count(" model = PaddleOCR(\n") == 1
    for model, name, folder in (
        ("text_detection", "PP-OCRv5_mobile_det", "inference"),
        ("text_recognition", RECOGNISER, "inference_rec"),
    ):
        for line in (f'{model}_model_name="{name}",', f'{model}_model_dir="{folder}",'):
            assert said.count(f"           {line}\n") == 1
    for line in (
        "+    text_det_limit_side_len=736,",
        "+    text_rec_score_thresh=0.0,",
        "-    text_det_limit_side_len=320,",
    ):
        assert f"\n      {line}\n" in said
    assert "nothing was written: no proved fix changes an inference.yml alone" in said
    assert (example.path / "pyproject.toml").read_text() == settings
