"""The parameters that take effect, read off PaddleOCR's and paddlex's own objects under the same names.

The two libraries keep the same numbers in different attributes; here is where each keeps them. Values are plain JSON
types. Reads objects only; nothing is computed that a library computes when it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pytest_ocrparity.artifacts.dictionary import dictionary_digest
from pytest_ocrparity.backends.onnx.runtime import runtime_engine
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR

Parameters = dict[str, Any]


def _float32(value: Any) -> float:
    """Round to float32, in which both sides compute, and write it as short as that allows: 0.485, not 0.48500001."""
    return float(str(np.float32(value)))


def _operator_attributes(source: Any, *names: str) -> Parameters:
    return {name: jsonable(getattr(source, name)) for name in names}


def _axis_order(order: Any) -> str:
    """Return "chw", or "hwc" for any other value, as both libraries test for "chw" alone."""
    return "chw" if order == "chw" else "hwc"


def effective_training_operator(name: str, operator: Any, arguments: Mapping[str, Any]) -> Parameters | None:
    """Return the parameters of an operator of `ppocr.data.imaug.operators`, None for one that ends no stage.

    Args:
        name: its name in the YAML file.
        operator: the built operator.
        arguments: what it was built with, `Global` merged in.
    """
    if name == "DecodeImage":
        ignored = bool(getattr(operator, "ignore_orientation", False))  # PaddleOCR before 2.7 has none
        return {"img_mode": operator.img_mode, "ignore_orientation": ignored}
    if name == "DetResizeForTest":
        return _training_resize(operator)
    if name == "NormalizeImage":
        mean, std = (np.asarray(value).reshape(-1) for value in (operator.mean, operator.std))
        return {
            "scale": _float32(operator.scale),
            "mean": [_float32(each) for each in mean],
            "std": [_float32(each) for each in std],
            "order": _axis_order(arguments.get("order", "chw")),
        }
    return None


def _training_resize(operator: Any) -> Parameters:
    if operator.resize_type == 1:
        return {"rule": "image_shape", **_operator_attributes(operator, "image_shape", "keep_ratio")}
    if operator.resize_type == 2:
        return {"rule": "resize_long", **_operator_attributes(operator, "resize_long")}
    cap = getattr(operator, "max_side_limit", None)  # 2.10 has no cap
    return {
        "rule": "limit",
        **_operator_attributes(operator, "limit_side_len", "limit_type"),
        "max_side_limit": jsonable(cap),
    }


def effective_training_detections(post_process: Any) -> Parameters:
    """Return the parameters of a `ppocr.postprocess.db_postprocess.DBPostProcess`."""
    return {
        **_operator_attributes(post_process, "thresh", "box_thresh", "unclip_ratio", "max_candidates"),
        "use_dilation": post_process.dilation_kernel is not None,
        **_operator_attributes(post_process, "score_mode", "box_type"),
    }


def effective_text_parameters(characters: Sequence[str], reorders: str | None) -> Parameters:
    """Return the parameters of a CTC decoder.

    Args:
        characters: those of the network's classes from class 1 on.
        reorders: what puts the characters of a text into another order, or None.
    """
    return {"characters": len(characters), "dictionary": dictionary_digest(characters), "reorders": reorders}


def effective_predictor_resize(operator: Any, given: Mapping[str, Any]) -> Parameters:
    """Return what a call of paddlex's `DetResizeForTest` used: `given` overrides what the operator was built with."""
    if operator.resize_type == 3:
        return {"rule": "input_shape", **_operator_attributes(operator, "input_shape")}
    if operator.resize_type != 0:
        return _training_resize(operator)  # the same attributes on both sides
    used = {key: given.get(key) or getattr(operator, key) for key in ("limit_side_len", "limit_type")}
    cap = given.get("max_side_limit")
    cap = getattr(operator, "max_side_limit", None) if cap is None else cap
    return {
        "rule": "limit",
        **{key: jsonable(value) for key, value in used.items()},
        "max_side_limit": jsonable(cap),
    }


def effective_predictor_tensor(operator: Any, scale: float) -> Parameters:
    """Return the parameters of paddlex's `NormalizeImage`, which computes `x * alpha + beta`.

    Args:
        operator: it holds alpha = scale / std and beta = -mean / std.
        scale: as in inference.yml; alpha and beta do not determine it.
    """
    std = [scale / alpha for alpha in operator.alpha]
    return {
        "scale": _float32(scale),
        "mean": [_float32(-beta * each) for beta, each in zip(operator.beta, std, strict=True)],
        "std": [_float32(each) for each in std],
        "order": _axis_order(operator.order),
    }


def effective_predictor_detections(post_process: Any, given: Mapping[str, Any]) -> Parameters:
    """Return what a call of `process` of paddlex's `DBPostProcess` used: its thresholds were `given` to it."""
    return {
        **{name: jsonable(given[name]) for name in ("thresh", "box_thresh", "unclip_ratio")},
        **_operator_attributes(post_process, "max_candidates", "use_dilation", "score_mode", "box_type"),
    }


def effective_predictor_engine(runner: Any, program: Path | None) -> Parameters:
    """Return what paddlex's runner runs on; `program` is None for engines that load none of Paddle's."""
    config = getattr(runner, "_config", None)
    if not isinstance(config, Mapping):
        option = getattr(runner, "_option", None)  # where paddlex 3.1 keeps them
        config = (
            _operator_attributes(option, "run_mode", "device_type", "device_id", "cpu_threads")
            if option is not None
            else {}
        )
    kind, index = config.get("device_type") or "cpu", config.get("device_id")
    found = {
        "engine": config.get("run_mode") or type(runner).__name__.removesuffix("Runner").lower(),
        "device": kind if index is None else f"{kind}:{index}",
    }
    if program is not None and "run_mode" in config:
        found |= {"cpu_threads": config.get("cpu_threads"), "program": program.name}
    session = getattr(runner, "session", None)
    return found if session is None else {**found, **runtime_engine(session)}


def effective_rapidocr_parameters(detector: Any) -> dict[str, Parameters]:
    """Return by stage name the parameters of a `TextDetector` of RapidOCR's."""
    operator, post_process = detector.get_preprocess(), detector.postprocess_op
    return {
        DECODE: {"img_mode": "BGR", "ignore_orientation": False},
        RESIZE: {
            "rule": "limit",
            **_operator_attributes(operator, "limit_side_len", "limit_type"),
            "max_side_limit": None,
        },
        TENSOR: {
            "scale": _float32(operator.scale),
            "mean": [_float32(each) for each in operator.mean],
            "std": [_float32(each) for each in operator.std],
            "order": "hwc",
        },
        DETECTIONS: {
            **_operator_attributes(post_process, "thresh", "box_thresh", "unclip_ratio", "max_candidates"),
            "use_dilation": post_process.dilation_kernel is not None,
            **_operator_attributes(post_process, "score_mode"),
            "box_type": "quad",
        },
    }
