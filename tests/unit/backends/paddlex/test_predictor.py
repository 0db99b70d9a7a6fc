"""An option that paddleocr does not take is refused, with what to write in its place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_ocrparity.backends.paddlex import predictor
from pytest_ocrparity.backends.paddlex.predictor import check_options_of_predictor
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
