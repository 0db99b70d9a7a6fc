"""Whole runs of the example under each way to name what is deployed: the default's difference, and its fix applied."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.stand_in import write_stand_in
from real.blob import operators_root
from real.deployments import EXPORT
from real.test_example import EXAMPLE, change, run

ONE = ("-k", "training and tiny_text")
OPTIONS = 'options = { limit_side_len = 736, limit_type = "min", device = "cpu", enable_mkldnn = false }'
MODEL = 'model_dir = "inference"'
PLAIN = 'device = "cpu", enable_mkldnn = false'
OFF = "use_doc_orientation_classify = false, use_doc_unwarping = false, use_textline_orientation = false"
RIGHT = 'text_det_limit_side_len = 736, text_det_limit_type = "min"'


@pytest.fixture
def example(
    pytester: pytest.Pytester, train: Any, inference: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> pytest.Pytester:
    """A copy of the example project, on a machine without models of paddlex's; the frameworks are loaded already."""
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    change(pytester, "pyproject.toml", "../.venv/paddleocr-2.10/paddleocr", str(operators_root()))
    change(pytester, "pyproject.toml", 'report = { dir = "report" }\n', "")
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("PADDLE_PDX_CACHE_HOME", str(tmp_path / "none"))
    return pytester


def deploy(project: pytest.Pytester, *lines: str) -> None:
    """Write these lines in the place of the example's own deployment."""
    change(project, "pyproject.toml", MODEL, "\n".join(lines))
    change(project, "pyproject.toml", OPTIONS, "")


def test_a_full_pipeline_with_defaults_fails_and_its_fix_passes(example: pytest.Pytester) -> None:
    deploy(example, MODEL, 'api = "PaddleOCR"', f"options = {{ {PLAIN}, {OFF} }}")
    result = run(example, *ONE)
    assert result.parseoutcomes()["failed"] == 1
    output = result.stdout.str()
    assert "resize: limit_side_len 736 in train, 64 in inference" in output
    assert 'pass text_det_limit_side_len=736, text_det_limit_type="min" to paddleocr.PaddleOCR' in output
    assert "not judged" not in output
    change(example, "pyproject.toml", OFF, f"{OFF}, {RIGHT}")
    assert run(example, *ONE).parseoutcomes()["passed"] == 1


def test_a_part_that_is_not_here_is_named_in_header_and_table(example: pytest.Pytester) -> None:
    deploy(example, MODEL, 'api = "PaddleOCR"', f"options = {{ {PLAIN}, {RIGHT} }}")
    result = run(example, *ONE)
    assert result.ret == 0
    header, _, table = result.stdout.str().partition("test session starts")[2].partition("ocrparity -")
    for text in (header, table):
        assert "document preprocessor: on in your deployment, not judged, its models are not here" in text
        assert "text-line orientation: on in your deployment, not judged, its model is not here" in text
    strict = run(example, *ONE, "--strict-config")
    assert strict.ret == 1
    assert "document preprocessor: on in your deployment, not judged" in strict.stdout.str()


def test_what_is_switched_off_is_no_error_of_a_strict_run(example: pytest.Pytester) -> None:
    deploy(example, MODEL, 'api = "PaddleOCR"', f"options = {{ {PLAIN}, {RIGHT}, {OFF} }}")
    assert run(example, *ONE, "--strict-config").ret == 0


def test_findings_of_the_files_are_worded_for_the_class(example: pytest.Pytester) -> None:
    deploy(example, MODEL, 'api = "PaddleOCR"', f'options = {{ {PLAIN}, {OFF}, text_det_limit_type = "max" }}')
    result = run(example, *ONE)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["suspicious in the model's files: inference.options: text_det_limit_type = 'max' alone leaves *"]
    )


def test_an_object_of_a_function_fails_and_passes_once_it_is_right(example: pytest.Pytester, tmp_path: Path) -> None:
    deploy(example, 'factory = "production.ocr:make_detector"')
    folder = example.mkpydir("production")
    text = "from paddleocr import TextDetection\ndef make_detector():\n    return TextDetection(model_name="
    text += f'"PP-OCRv5_mobile_det", model_dir={str(EXPORT)!r}, device="cpu", enable_mkldnn=False)\n'
    (folder / "ocr.py").write_text(text)
    result = run(example, *ONE)
    assert result.parseoutcomes()["failed"] == 1
    where = "where production.ocr:make_detector makes its paddleocr.TextDetection"
    assert f'{where}, pass limit_side_len=736, limit_type="min"' in result.stdout.str()
    (folder / "right.py").write_text(
        text.replace("enable_mkldnn", 'limit_side_len=736, limit_type="min", enable_mkldnn')
    )
    change(example, "pyproject.toml", "production.ocr:", "production.right:")
    assert run(example, *ONE).parseoutcomes()["passed"] == 1


def test_a_full_pipeline_of_a_function_passes(example: pytest.Pytester, tmp_path: Path) -> None:
    with isolated():
        write_stand_in(tmp_path)
    deploy(example, 'factory = "production.ocr:make"')
    text = "from paddleocr import PaddleOCR\ndef make():\n    return PaddleOCR(text_detection_model_name="
    text += f'"PP-OCRv5_mobile_det", text_detection_model_dir={str(EXPORT)!r}, text_recognition_model_name='
    text += f'"PP-OCRv5_mobile_rec", text_recognition_model_dir={str(tmp_path)!r}, '
    text += f"{OFF.replace('false', 'False')}, {RIGHT}, device='cpu', enable_mkldnn=False)\n"
    (example.mkpydir("production") / "ocr.py").write_text(text)
    assert run(example, *ONE).parseoutcomes()["passed"] == 1


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['factory = "production.gone:make"'], "inference.factory = 'production.gone:make' (looked in "),
        (['factory = "tiny_db.network:build"', MODEL], "which has its own model_dir: beside it"),
        ([MODEL, 'options_file = "gone.yaml"'], "gone.yaml: cannot read this YAML file: No such file or directory"),
        (
            [MODEL, 'api = "PaddleOCR"', 'options = { text_recognition_model_dir = "gone" }'],
            "gone: no such folder",
        ),
    ],
)
def test_what_is_wrong_is_said_before_a_model_loads(example: pytest.Pytester, lines: list[str], told: str) -> None:
    deploy(example, *lines)
    result = run(example, "-k", "training")
    assert result.ret in (1, 4)
    assert told in result.stdout.str() + result.stderr.str()


def test_a_file_that_production_reads_is_enough(example: pytest.Pytester) -> None:
    deploy(example, MODEL, 'options_file = "ocr.yaml"')
    (example.path / "ocr.yaml").write_text("limit_side_len: 736\nlimit_type: min\ndevice: cpu\nenable_mkldnn: false\n")
    assert run(example, *ONE).parseoutcomes()["passed"] == 1
    (example.path / "ocr.yaml").write_text("limit_side_len: 320\nlimit_type: min\ndevice: cpu\nenable_mkldnn: false\n")
    result = run(example, *ONE)
    assert result.parseoutcomes()["failed"] == 1
    assert (
        "in ocr.yaml, which the deployment reads (inference.options_file), set limit_side_len: 736"
        in result.stdout.str()
    )
