"""Whole messages about what ran and what to do: true, without a circle, and doing what they say mends the gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faults import exports
from faults.cases import NO_LIMITS, both, export_yml, image, train_yml
from faults.deployment import EXAMPLE, Deployment, first_failure, save, trained
from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from pytest_ocrparity.trace import Trace


def baseline(deployment: Deployment, **options: Any) -> Trace:
    """Return what was recorded of the export under other options."""
    recorded = {"device": "cpu", "enable_mkldnn": False, **options}
    trace = load_inference(model_dir=deployment.folder / "inference", options=recorded).trace(
        deployment.folder / deployment.image
    )
    return replace(trace, pipeline="baseline", source=None)


@pytest.mark.parametrize("own", ["limits", "image_shape"])
def test_a_baseline_of_one_input_shape_tells_which_to_pass(tmp_path: Path, own: str) -> None:
    d = Deployment.copy(tmp_path)
    reference = baseline(d, input_shape=[3, 480, 640])
    if own == "image_shape":
        export_yml("DetResizeForTest", image_shape=[640, 640])(d)
    error = first_failure(reference, d.models()[1].trace(d.folder / d.image))
    assert error is not None
    (found,) = error.diagnoses
    assert found.cause == "resize.input_shape"
    assert found.fix is not None
    assert "pass input_shape=[3, 480, 640] to paddleocr.TextDetection" in found.fix.text
    d.apply(error.diagnoses)
    assert d.options["input_shape"] == [3, 480, 640]
    assert first_failure(reference, d.models()[1].trace(d.folder / d.image)) is None


def test_a_baseline_of_limits_takes_the_input_shape_away(tmp_path: Path) -> None:
    """The near miss: the same two rules the other way round."""
    d = Deployment.copy(tmp_path)
    reference = baseline(d, limit_side_len=736, limit_type="min")
    d.options["input_shape"] = [3, 480, 640]
    error = first_failure(reference, d.models()[1].trace(d.folder / d.image))
    assert error is not None
    d.apply(error.diagnoses)
    assert "input_shape" not in d.options
    assert first_failure(reference, d.models()[1].trace(d.folder / d.image)) is None


LIMITS_IN_YML = export_yml("DetResizeForTest", limit_side_len=1280, limit_type="max")


def test_what_no_option_and_no_global_set_is_paddleocrs_default(tmp_path: Path) -> None:
    d = Deployment.copy(tmp_path)
    both(NO_LIMITS, LIMITS_IN_YML)(d)
    text = str(d.failure())
    assert "the YAML file of inference sets limit_side_len to 1280; 960 was used, by paddleocr's default" in text
    assert "by inference" not in text


def test_what_no_file_sets_is_told_in_a_sentence_with_who_set_it(tmp_path: Path) -> None:
    d = Deployment.copy(tmp_path)
    NO_LIMITS(d)
    d.options.clear()
    d.options["limit_side_len"] = 640
    text = str(d.failure())
    default = "does not set limit_side_len or limit_type; 736 and min were used, by paddleocr's default"
    assert f"the YAML file of train {default}" in text
    assert "the YAML file of inference does not set limit_side_len; 640 was used, by inference.options" in text
    assert "the YAML file of inference does not set limit_type; max was used, by paddleocr's default" in text


@pytest.mark.parametrize("setting", ["options", "predict_options"])
def test_what_an_option_set_is_told_by_the_option(tmp_path: Path, setting: str) -> None:
    d = Deployment.copy(tmp_path)
    both(NO_LIMITS, LIMITS_IN_YML)(d)
    getattr(d, setting)["limit_side_len"] = 640
    told = f"the YAML file of inference sets limit_side_len to 1280; 640 was used, by inference.{setting}"
    error = d.failure()
    assert told in str(error)
    assert error is not None
    d.apply(error.diagnoses)
    assert d.failure() is None


def test_what_global_set_is_told_by_its_key(tmp_path: Path) -> None:
    d = Deployment.copy(tmp_path)
    both(train_yml("DetResizeForTest", limit_side_len=736, limit_type="min"), train_yml("Global", limit_side_len=640))(
        d
    )
    text = str(d.failure())
    assert "the YAML file of train sets limit_side_len to 736; 640 was used, by Global.limit_side_len" in text


def grey_as_the_newest_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PaddleOCR 2.10's DecodeImage, which stops on GRAY, do what that of 2026 does."""
    import cv2
    import numpy as np
    from ppocr.data.imaug.operators import DecodeImage

    real = DecodeImage.__call__

    def decode(self: Any, data: dict[str, Any]) -> Any:
        if self.img_mode != "GRAY":
            return real(self, data)
        grey = cv2.imdecode(np.frombuffer(data["image"], np.uint8), cv2.IMREAD_GRAYSCALE)
        return {**data, "image": cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)}

    monkeypatch.setattr(DecodeImage, "__call__", decode)


@pytest.mark.parametrize("mode", ["GRAY", "RGB"])
def test_of_a_grey_network_it_is_told_that_it_cannot_be_deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    d = Deployment.copy(tmp_path)
    both(image("colours.png"), train_yml("DecodeImage", img_mode=mode))(d)
    d.models()  # imports ppocr
    grey_as_the_newest_decodes(monkeypatch)
    error = d.failure()
    assert error is not None
    (found,) = error.diagnoses  # and none that sends the reader back
    assert found.cause == "decode.channel_order"
    assert found.fix is not None
    assert ("can't be deployed with paddleocr.TextDetection" in found.fix.text) == (mode == "GRAY")
    assert ("set img_mode: GRAY" in found.fix.text) is False
    d.apply(error.diagnoses)
    assert d.failure() is None


def test_of_equal_checkpoints_the_best_is_named(tmp_path: Path) -> None:
    d = Deployment.copy(tmp_path)
    weights = (EXAMPLE / "checkpoints" / "tiny_db_early.pdparams").read_bytes()
    (d.folder / "checkpoints" / "tiny_db_early.pdparams").unlink()
    for name in ("best_accuracy", "iter_epoch_2"):
        (d.folder / "checkpoints" / f"{name}.pdparams").write_bytes(weights)
    save(trained("tiny_db_early"), d.folder / "inference")
    error = d.failure()
    assert error is not None
    (found,) = error.diagnoses
    assert found.cause == "network.weights.other_checkpoint"
    assert "best_accuracy" in found.summary
    assert "iter_epoch_2" not in str(error)


def test_no_message_of_a_total_failure_switches_the_gate_off(tmp_path: Path) -> None:
    """Nothing is known of this export, and the maps have nothing in common."""
    d = Deployment.copy(tmp_path)
    exports.untrained(d)
    reference = baseline(d, limit_side_len=736, limit_type="min")
    assert reference.probability_map is not None
    reference = replace(reference, probability_map=1 - reference.probability_map)
    error = first_failure(reference, d.models()[1].trace(d.folder / d.image))
    assert "would pass" not in str(error)
    assert "max_unmatched=" not in str(error) and "atol=" not in str(error) and "allow_empty" not in str(error)
