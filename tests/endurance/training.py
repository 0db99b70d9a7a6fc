"""PaddleOCR's own CRNN and SVTR, trained for minutes by a checkout: `make training` runs it.

`TextRecognition` refuses what it exports, we say why, and what we say to do lets both sides be compared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT, TESTS

CHECKOUT = Path(os.environ.get("OCRPARITY_PADDLEOCR_CHECKOUT", ""))
BUILD = ROOT / "build"
pytestmark = pytest.mark.skipif(
    "OCRPARITY_PADDLEOCR_CHECKOUT" not in os.environ, reason="OCRPARITY_PADDLEOCR_CHECKOUT names no full checkout"
)


@pytest.fixture(params=["rec_mv3_none_bilstm_ctc", "rec_svtrnet"], ids=["CRNN", "SVTR"], scope="module")
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a yml's network reads after training, and what both sides and TextRecognition make of it."""
    folder = tmp_path_factory.mktemp("trained")
    program = Path(__file__).with_name("trained_recogniser.py")
    yml = CHECKOUT / f"configs/rec/{request.param}.yml"
    command = [sys.executable, *map(str, (program, CHECKOUT, yml, folder))]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, TESTS)))}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environ)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    lines = found["lines"].values()
    summary = {
        "seconds_of_training": round(found["seconds"]),
        "lines": len(lines),
        "read_right": sum(each["text"] == each["label"] for each in lines),
        "texts_read_right": len({each["text"] for each in lines if each["text"] == each["label"]}),
        "the_same": sum(each["own"][0] == "same" for each in lines),
        "largest_difference": max(each["largest"] for each in lines),
        "another_epoch_fails": sum(each["early"][0] != "same" for each in lines),
    }
    print(request.param, summary)
    BUILD.mkdir(exist_ok=True)
    (BUILD / f"{request.param}.json").write_text(json.dumps({**found, "summary": summary}, indent=1))
    return {**found, "resize": "svtr" in request.param}


def test_the_refusal_of_text_recognition_is_a_sentence(trained: dict[str, Any]) -> None:
    assert trained["text_recognition"] == "AssertionError: "  # no word of its own
    assert "has no Global.model_name" in trained["unnamed"] and "set inference.model_name" in trained["unnamed"]
    said = trained["refused"]
    resize = " and no 'SVTRRecResizeImg'" if trained["resize"] else ""
    assert f"paddleocr's TextRecognition knows no 'CTCLabelEncode'{resize}, and stops there without a word; it" in said
    assert "take CTCLabelEncode out, as a deployment reads no labels" in said
    assert ("set inference.options = { input_shape = [3, 64, 256] }" in said) == trained["resize"]


def test_what_it_says_lets_both_sides_be_compared(trained: dict[str, Any]) -> None:
    lines = trained["lines"].values()
    assert all(each["text"] == each["deployed"] for each in lines)
    same = [each for each in lines if each["own"][0] == "same"]
    assert len({each["text"] for each in same if each["text"] == each["label"]}) >= 20
    # paddlex stretches in float64: the tensor's last bits differ, and may move the train side's own map beyond a limit.
    others = [each["own"][0] for each in lines if each["own"][0] != "same"]
    assert all("not judgeable: rounding of its tensor alone moves train's own map" in each for each in others), others
    assert trained["resize"] or not others


def test_the_export_of_another_epoch_fails(trained: dict[str, Any]) -> None:
    for first, causes in (each["early"] for each in trained["lines"].values()):
        assert "probability_map: inference was exported from" in first
        assert causes == ["network.weights.other_checkpoint"]


def test_each_option_is_needed(trained: dict[str, Any]) -> None:
    causes = {option: trained.get(f"without {option}") for option in ("input_shape", "enable_mkldnn")}
    expected = {"input_shape": ["resize.stretch"], "enable_mkldnn": ["engine.onednn"]} if trained["resize"] else {}
    for option, verdicts in causes.items():
        assert {cause for _, found in verdicts or () for cause in found} == set(expected.get(option, ())), verdicts
