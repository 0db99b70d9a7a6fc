"""The example project, run as a newcomer does: right as it stands, wrong at the right stage after one change."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.environment import CV2
from pytest_ocrparity.session.models import inference_model
from pytest_ocrparity.settings import load_settings
from real.blob import operators_root

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "example_project"
IMAGES = sorted((EXAMPLE / "images").iterdir())
LINES = sorted(path for path in (EXAMPLE / "lines").iterdir() if path.suffix != ".txt")
PAGES = sorted((EXAMPLE / "pages").iterdir())
ONE_IMAGE = ("-k", "training and receipt")
FEW = ("-k", "blank or curved or dense or price or wide_dark or menu")
"""Three images and three lines, one of each blank, and a page; `make example` runs the gate on all."""


@pytest.fixture
def example(pytester: pytest.Pytester, train: Any, inference: Any, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A copy of the example project in the working directory; the frameworks are loaded already."""
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    change(pytester, "pyproject.toml", "../.venv/paddleocr-2.10/paddleocr", str(operators_root()))
    change(pytester, "pyproject.toml", 'report = { dir = "report" }\n', "")
    monkeypatch.setenv("COLUMNS", "300")
    return pytester


def change(project: pytest.Pytester, name: str, old: str, new: str) -> None:
    path = project.path / name
    text = path.read_text()
    assert old in text, f"{name} holds no {old!r}"
    path.write_text(text.replace(old, new))


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run the gate of the detector; that of the recogniser is in test_example_lines.py."""
    return project.runpytest_inprocess("-p", "no:xdist", "tests/test_export.py", *args)


def test_it_passes_on_images_lines_and_pages(example: pytest.Pytester) -> None:
    result = example.runpytest_inprocess("-p", "no:xdist", *FEW)
    result.assert_outcomes(passed=14, deselected=2 * (len(IMAGES) + len(LINES) + len(PAGES)) - 14)
    result.stdout.fnmatch_lines(
        [
            "inference against train: 3 images",
            "  detections * 1 empty, 2 same*",
            "page against train: 1 image",
            "  page * 1 same * 10 of 10 texts are the same",
            "inference against train: 3 lines",
            "  text * 1 empty, 2 same*",
        ]
    )


def test_a_model_is_loaded_once_per_process_and_settings(inference: Any) -> None:
    settings = load_settings(EXAMPLE / "pyproject.toml", {}, EXAMPLE)
    model = inference_model(settings)
    assert inference_model(load_settings(EXAMPLE / "pyproject.toml", {}, EXAMPLE)) is model
    other = load_settings(EXAMPLE / "pyproject.toml", {"ocr_inference_dir": "inference_pdmodel"}, EXAMPLE)
    assert inference_model(other) is not model


def test_the_old_program_format_passes_too(example: pytest.Pytester) -> None:
    run(example, *ONE_IMAGE, "--ocr-inference-dir=inference_pdmodel").assert_outcomes(passed=1, deselected=DESELECTED)


DESELECTED = 2 * len(IMAGES) - 1

EXPORT = "inference/inference.yml"
CHANGES = {
    "limits": (
        "pyproject.toml",
        'limit_side_len = 736, limit_type = "min", ',
        "",
        "resize",
        'pass limit_side_len=736, limit_type="min" to paddleocr.TextDetection',
    ),
    "channel order": (EXPORT, "img_mode: BGR", "img_mode: RGB", "decode", "under DecodeImage, set img_mode: BGR"),
    "mean": (EXPORT, "- 0.485", "- 0.5", "tensor", "under NormalizeImage, set mean: [0.485, 0.456, 0.406]"),
    "checkpoint": (
        "pyproject.toml",
        '"checkpoints/tiny_db"',
        '"checkpoints/tiny_db_early"',
        "probability_map",
        "inference was exported from checkpoints/tiny_db.pdparams",
    ),
    "unclip_ratio": (
        EXPORT,
        "unclip_ratio: 1.5",
        "unclip_ratio: 2.2",
        "detections",
        "inference.yml, under PostProcess, set unclip_ratio: 1.5 (leave its other keys)",
    ),
    "box_thresh": (
        EXPORT,
        "box_thresh: 0.6",
        "box_thresh: 0.9",
        "detections",
        "inference.yml, under PostProcess, set box_thresh: 0.6 (leave its other keys)",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_one_change_fails_at_its_stage_and_undoing_it_passes(example: pytest.Pytester, what: str) -> None:
    file, old, new, stage, told = CHANGES[what]
    before = (example.path / file).read_text()
    change(example, file, old, new)
    if file == EXPORT:  # a loaded model is kept by its folder's name
        shutil.move(example.path / "inference", example.path / "changed")
        change(example, "pyproject.toml", 'model_dir = "inference"', 'model_dir = "changed"')
    result = run(example, *ONE_IMAGE)
    result.assert_outcomes(failed=1, deselected=DESELECTED)
    assert f"first difference at {stage}: " in result.stdout.str()
    assert told in result.stdout.str()
    if file == EXPORT:
        shutil.copytree(EXAMPLE / "inference", example.path / "inference")
        change(example, "pyproject.toml", 'model_dir = "changed"', 'model_dir = "inference"')
    else:
        (example.path / file).write_text(before)
    run(example, *ONE_IMAGE).assert_outcomes(passed=1, deselected=DESELECTED)


def test_the_committed_baselines_pass_without_train_side(example: pytest.Pytester) -> None:
    shutil.rmtree(example.path / "checkpoints")
    result = example.runpytest_inprocess("-p", "no:xdist", *FEW, "--ocr-no-train", "--ocr-paddleocr-root=nowhere")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["inference against baseline (train): 3 images"])
    result.stdout.fnmatch_lines(["inference against baseline (train): 3 lines"])
    result.stdout.fnmatch_lines(["page against baseline (train): 1 image"])


def test_a_page_under_other_limits_fails_at_the_detector(example: pytest.Pytester) -> None:
    change(example, "pyproject.toml", 'text_det_limit_side_len = 736\ntext_det_limit_type = "min"\n', "")
    result = example.runpytest_inprocess("-p", "no:xdist", "tests/test_page.py", "-k", "training and invoice")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines(
        [
            "*pages/invoice.png: 7 of 7 texts are the same, 6 boxes differ; first fault: detection, resize: limit_*",
            "*cause *resize.limits (detection)",
            "*fix *pass text_det_limit_side_len=736, text_det_limit_type=*min* to paddleocr.PaddleOCR; *page.options *",
        ]
    )


def test_recording_again_leaves_the_same_detections(example: pytest.Pytester) -> None:
    result = run(example, "--ocr-golden", "--ocr-golden-mode=all", "-k", "baseline and (receipt or blank)")
    result.assert_outcomes(passed=2, deselected=DESELECTED - 1)
    drifts = [line for line in result.outlines if "map moved by up to" in line]
    assert len(drifts) == 2
    assert not any("became" in line for line in drifts)


def test_another_checkpoint_makes_the_baselines_stale(example: pytest.Pytester) -> None:
    result = run(example, "-k", "baseline and receipt", "--ocr-train-checkpoint=checkpoints/tiny_db_early")
    result.assert_outcomes(failed=1, deselected=DESELECTED)
    result.stdout.fnmatch_lines(["*the checkpoint changed since the baseline was recorded*"])


def test_the_readme_shows_the_failure_as_it_is_printed(example: pytest.Pytester) -> None:
    change(example, *CHANGES["limits"][:3])
    lines = [line.removeprefix("E").strip() for line in run(example, *ONE_IMAGE).outlines if line.startswith("E  ")]
    (shown,) = re.findall(r"^```text\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    told = "\n".join(lines).removeprefix("pytest_ocrparity.DifferenceError: ")
    assert [line.strip() for line in shown.splitlines()] == told.splitlines()


def test_the_baselines_are_small() -> None:
    files = list((EXAMPLE / "goldens").rglob("*.npz"))
    assert len(files) == len(IMAGES) + len(LINES) + len(PAGES)
    assert sum(file.stat().st_size for file in files) < 10e6


def test_this_environment_holds_one_cv2_version() -> None:
    import cv2

    versions = set()
    for name in CV2:
        try:
            versions.add(importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            continue
    assert len(versions) == 1
    assert versions.pop().startswith(cv2.__version__)
