"""`python -m pytest_ocrparity deploy`: from settings or from two paths, without a framework. And which command runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import EXAMPLE, ROOT

from pytest_ocrparity.__main__ import main

APIS = ["paddleocr.TextDetection", "paddleocr.PaddleOCR", "paddleocr ocr (command line)"]
EVERY = ["inference", "onednn", "onnx", "fp16", "app", "bare", "server"]
APIS += ["paddlex pipeline YAML file", "tools/infer/predict_det.py"]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("configs", "inference"):
        shutil.copytree(EXAMPLE / name, tmp_path / name)
    for name in ("pyproject.toml", "matrix.toml"):
        shutil.copy(EXAMPLE / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "words", [[], ["pyproject.toml"], ["--train-config=configs/tiny_db.yml", "--inference-dir=inference"]], ids=str
)
@pytest.mark.usefixtures("example")
def test_every_api_has_its_call(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in APIS] == APIS
    assert "  resize: rule limit, limit_side_len 736, limit_type min" in lines
    assert "    results = detector.predict(image, max_side_limit=100000)" in lines
    assert ("        enable_mkldnn=False," in lines) == (len(words) < 2)


def test_settings_from_above_and_from_elsewhere(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example / "below").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(example / "below")
        assert main(["deploy"]) == 0
        assert main(["deploy", str(example / "matrix.toml")]) == 2  # its other exports were not copied
    told = capsys.readouterr()
    assert "inference_onnx: no such folder" in told.err
    assert told.out.count("paddleocr.TextDetection") == 1


def test_each_candidate_has_its_calls(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("inference_onnx", "inference_fp16"):
        shutil.copytree(example / "inference", example / name)
    path = example / "matrix.toml"
    path.write_text(
        path.read_text().replace(', engine = "onnxruntime" }', ' }\nengine = "onnxruntime"')
        + '[candidates.app]\nfactory = "app.ocr:make"\n[candidates.bare]\nmodel_file = "net.onnx"\n'
        '[candidates.server]\napi = "results"\nresults = "out/{stem}.json"\n'
    )
    assert main(["deploy", "matrix.toml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.partition(":")[0] for line in lines if line.partition(":")[0] in EVERY]
    assert names == EVERY
    onnx = lines[lines.index("onnx: inference_onnx") : lines.index("fp16: inference_fp16")]
    assert sum('engine="onnxruntime",' in line for line in onnx) == 2
    assert sum('engine="onnxruntime",' in line for line in lines) == 2
    (app, bare, server) = (next(line for line in lines if line.startswith(f"{name}: ")) for name in EVERY[-3:])
    assert app.startswith("app: app.ocr:make makes its object: ")
    assert bare.startswith("bare: net.onnx runs without PaddleOCR: your own code around it has to do the above")
    assert server.startswith("server: its results are written elsewhere: ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('factory = "app.ocr:make"', "inference: app.ocr:make makes its object: "),
        ('model_file = "net.onnx"', "inference: net.onnx runs without PaddleOCR: "),
        ('api = "results"\nresults = "out/{stem}.json"', "inference: its results are written elsewhere: "),
    ],
)
def test_without_an_export_folder_it_says_what_to_do(
    example: Path, text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (example / "own.toml").write_text(f'[train]\nconfig = "configs/tiny_db.yml"\n[inference]\n{text}\n')
    assert main(["deploy", "own.toml"]) == 0
    out = capsys.readouterr().out
    assert "  resize: rule limit, limit_side_len 736, limit_type min" in out
    assert told in out


def test_with_nothing_that_runs_it_says_what_to_set(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example / "own.toml").write_text('[train]\nconfig = "configs/tiny_db.yml"\n')
    assert main(["deploy", "own.toml"]) == 2
    assert "own.toml sets no inference.model_dir: set it, or pass" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--train-config=none.yml"], "none.yml: cannot read this YAML file"),
        (["--inference-dir=none"], "none: no such folder"),
        (["none.toml"], "none.toml"),
        (["--train-config=inference/inference.yml"], "it is an inference.yml, of an export: name the training YAML"),
    ],
)
@pytest.mark.usefixtures("example")
def test_a_wrong_file_is_told(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m pytest_ocrparity deploy: ") and told in error


def test_of_a_recogniser_it_says_that_it_prints_no_call(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = "tiny_rec.yml is of a recogniser, and deploy prints calls for detectors alone"
    assert main(["deploy"]) == 0
    assert capsys.readouterr().out.count(f"note: configs/{note}") == 1  # beside the detector's calls
    path = example / "pyproject.toml"
    text = path.read_text()
    path.write_text(text[: text.index("[tool.ocrparity]")] + text[text.index("[tool.ocrparity.recognition]") :])
    assert main(["deploy"]) == 2  # alone
    assert note in capsys.readouterr().err


def test_a_recognisers_export_is_not_taken_for_the_detectors(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(EXAMPLE / "inference_rec", example / "inference_rec")
    assert main(["deploy", "--train-config=configs/tiny_db.yml", "--inference-dir=inference_rec"]) == 2
    assert "tiny_db.yml is of a detector and" in (told := capsys.readouterr().err)
    assert "inference_rec/inference.yml of a recogniser: name the detector's export" in told
    assert main(["deploy", "--train-config=configs/tiny_db.yml", "--inference-dir=inference"]) == 0


def test_without_settings_it_says_what_to_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["deploy"]) == 2
    told = capsys.readouterr().err
    assert "no settings file was found upward from here: name one, or pass --train-config=YML and --inf" in told
    assert main(["deploy", "--inference-dir=inference"]) == 2
    told = capsys.readouterr().err
    assert "the command line sets no train.config: set it, or pass --train-config=YML and --inference-dir=DIR" in told


def test_it_imports_no_framework(example: Path) -> None:
    code = "import sys; from pytest_ocrparity.__main__ import main; status = main(['deploy']); "
    code += "wrong = {each.partition('.')[0] for each in sys.modules} & {'paddle', 'paddleocr', 'paddlex', 'ppocr', "
    code += "'cv2', 'pytest'}; sys.exit(status or (str(wrong) if wrong else 0))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=example, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["results.json"], "python -m pytest_ocrparity judge: results.json"),
        (["judge", "results.json"], "python -m pytest_ocrparity judge: results.json"),
        (["deploy", "results.json"], "python -m pytest_ocrparity deploy: results.json"),
    ],
)
def test_a_bare_file_of_results_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results.json").write_text(json.dumps({}))
    assert main(words) == 2
    assert told in capsys.readouterr().err.replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("words", [[], ["juge", "results.json"], ["results.toml"]], ids=str)
def test_what_is_no_command_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert "COMMAND" in capsys.readouterr().err
