"""An option that paddleocr does not take is refused, with what to write in its place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity.backends.paddlex import predictor
from pytest_ocrparity.backends.paddlex.predictor import check_options_of_predict, check_options_of_predictor
from pytest_ocrparity.errors import ModelError

OLD = ["device", "limit_side_len", "limit_type", "thresh"]
WHERE = "inference.options: paddleocr knows no option"


def check(known: list[str], **options: Any) -> None:
    deployed: Any = SimpleNamespace(options=options, options_file=None, from_file=())
    check_options_of_predictor(deployed, known, {})


@pytest.mark.parametrize("name", ["engine", "engine_config"])
def test_an_engine_needs_a_newer_paddleocr(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(predictor, "version", {"paddleocr": "3.4.1"}.__getitem__)
    with pytest.raises(ModelError) as refused:
        check(OLD, **{name: "onnxruntime"})
    assert str(refused.value) == (
        f"inference.options: {name} is an option of paddleocr from 3.5 on, and 3.4.1 is installed: install "
        "a newer one, or name an .onnx file as model_file"
    )
    check([*OLD, name], **{name: "onnxruntime"})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "limit_side",
            "'limit_side'; did you mean 'limit_side_len'? It knows device, limit_side_len, limit_type, thresh",
        ),
        ("use_gpu", "'use_gpu'; known: device, limit_side_len, limit_type, thresh"),
    ],
)
def test_another_one_is_told_the_nearest_and_all(name: str, told: str) -> None:
    with pytest.raises(ModelError) as refused:
        check(OLD, **{name: 1})
    assert str(refused.value) == f"{WHERE} {told}"
    check([*OLD, name], **{name: 1})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("limit_side_len", "736", "must be a number, not '736'"),
        ("thresh", True, "must be a number, not True"),
        ("text_det_unclip_ratio", [1.5], "must be a number, not [1.5]"),
        ("limit_type", "mid", "must be min or max or resize_long, not 'mid'"),
        ("text_det_limit_type", 1, "must be min or max or resize_long, not 1"),
    ],
)
def test_a_value_that_would_stop_the_first_image(name: str, value: Any, told: str) -> None:
    with pytest.raises(ModelError) as refused:
        check([name], **{name: value})
    assert str(refused.value) == f"inference.options: {name} {told}"
    deployed: Any = SimpleNamespace(predict_options={name: value})
    with pytest.raises(ModelError) as refused:
        check_options_of_predict(deployed, [name])
    assert str(refused.value) == f"inference.predict_options: {name} {told}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("limit_side_len", value) for value in (736, 736.0, np.float32(736), None)],
        *[("text_det_limit_type", value) for value in ("min", "max", "resize_long", None)],
        ("device", "736"),
    ],
)
def test_what_paddlex_takes_is_taken(name: str, value: Any) -> None:
    check([name], **{name: value})
