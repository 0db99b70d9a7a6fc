"""Findings from the files alone, which need no model and are made also where a model does not load.

These are facts and no causes: no experiment was made with them. Imports no framework.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.artifacts import recogniser_configs
from pytest_ocrparity.artifacts.configs import config_operators, read_config
from pytest_ocrparity.artifacts.model_files import PROGRAMS
from pytest_ocrparity.artifacts.ocr_lint import ocr_lint_findings
from pytest_ocrparity.artifacts.ocr_options import LIMITS, PREFIX, THRESHOLDS, all_ocr_options
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.wording import image_label, printable

RANDOM: Final = frozenset(
    {
        "ColorJitter",
        "CopyPaste",
        "EastRandomCropData",
        "GroupRandomCropPadding",
        "GroupRandomHorizontalFlip",
        "GroupRandomRotate",
        "IaaAugment",
        "RandomCropFlip",
        "RandomCropImgMask",
        "RandomCropPolyInstances",
        "RandomRotatePolyInstances",
        "RandomScaling",
        *recogniser_configs.RANDOM,
    }
)
"""PaddleOCR's operators that draw random numbers."""

COMPARED: Final = ("DecodeImage", "DetResizeForTest", *recogniser_configs.RESIZES, "NormalizeImage", "PostProcess")
EXPORTED: Final = ("character_dict",)
"""What the export alone says: PaddleOCR writes the dictionary's entries there, in the place of its path."""
LEAKING: Final = (
    *LIMITS,
    *("image_shape", "keep_ratio", "resize_long", "img_mode", "ignore_orientation", "scale", "mean", "std", "order"),
)
"""Arguments of the Eval operators, which a key of that name under `Global` overrides."""

Said = dict[str, dict[str, Any]]


def lint_findings(train: Mapping[str, Any], inference: Mapping[str, Any]) -> list[str]:
    """Return suspicious settings in the files of the settings tables `train` and `inference`, a sentence each."""
    train_yaml = _read_operators(train.get("config"), "Eval.dataset.transforms")
    folder: Path | None = inference.get("model_dir")
    inference_yaml = _read_operators(folder / "inference.yml" if folder else None, "PreProcess.transform_ops")
    found: list[str] = []
    if train_yaml is not None:
        found += _training_findings(image_label(str(train["config"])), *train_yaml)
    if inference_yaml is not None and folder is not None:
        found += _export_findings(image_label(str(folder / "inference.yml")), *inference_yaml, inference)
    # Files of a detector and of a recogniser are refused, and differ in everything.
    if train_yaml and inference_yaml and _is_of_lines(train_yaml[0]) == _is_of_lines(inference_yaml[0]):
        found += _differing_arguments(train_yaml[0], inference_yaml[0])
    return [printable(each) for each in found + (_folder_findings(folder) if folder else [])]


def _read_operators(path: Path | None, key: str) -> tuple[Said, Mapping[str, Any]] | None:
    """Return the operators and PostProcess of a YAML file, by name, and its Global; None where it can't be read."""
    try:
        document: Any = read_config(path) if path is not None else None
        place = document
        for part in key.split("."):
            place = place[part]
        said = dict(config_operators(place, path, key)) if path is not None else {}
        return {**said, "PostProcess": dict(document["PostProcess"])}, dict(document.get("Global") or {})
    except (ModelError, KeyError, TypeError, ValueError):  # loading the model says what is wrong with the file
        return None


def _is_of_lines(said: Said) -> bool:
    return not said.keys().isdisjoint(recogniser_configs.RESIZES)


def _training_findings(name: str, said: Said, settings: Mapping[str, Any]) -> Iterator[str]:
    for operator in sorted(RANDOM & said.keys()):
        yield f"{name}: Eval.dataset.transforms holds {operator}, a random operator: evaluation must not have it"
    for key in sorted(settings.keys() & set(LEAKING)):
        yield f"{name}: Global.{key} reaches every operator of the training side that takes a {key}: rename it"
    yield from _ignored_box_type(name, said)


def _export_findings(name: str, said: Said, settings: Mapping[str, Any], inference: Mapping[str, Any]) -> Iterator[str]:
    for operator in sorted(RANDOM & said.keys()):
        yield f"{name}: holds {operator}, a random operator of the training YAML file, which paddleocr 3.x does not run"
    given = options = _candidate_options(inference)
    is_plain = inference.get("api") != "PaddleOCR"
    if not is_plain:
        yield from ocr_lint_findings(name, said, given, inference.get("predict_options") or {})
        options = {key.removeprefix(PREFIX): value for key, value in given.items() if key.startswith(PREFIX)}
    resize = said.get("DetResizeForTest", {})
    for key in LIMITS:
        if is_plain and key in resize and key not in options:
            yield f"{name}: paddleocr 3.x ignores {key}: {resize[key]} there: pass it in inference.options"
    if "image_shape" in resize and set(LIMITS) & options.keys():
        yield f"{name}: image_shape: {resize['image_shape']} switches off the limits in inference.options"
    for key in THRESHOLDS:
        if is_plain and options.get(key) == 0:
            yield f"inference.options: paddleocr takes {key} = 0 for not given: pass a small number such as 1e-9"
    yield from _idle_choices(given, inference.get("engine") or given.get("engine"))
    if not settings.get("model_name") and not inference.get("model_name"):
        yield f"{name}: has no Global.model_name: set inference.model_name"
    yield from _ignored_box_type(name, said)


def _candidate_options(inference: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return all options of a candidate's settings, without those of a file that can't be read."""
    options: Mapping[str, Any] = inference.get("options") or {}
    with suppress(ModelError):
        options = all_ocr_options(options, inference.get("options_file"), inference.get("folder"))
    return options


def _ignored_box_type(name: str, said: Said) -> Iterator[str]:
    if "det_box_type" in said["PostProcess"] and "box_type" not in said["PostProcess"]:
        yield f"{name}: PostProcess.det_box_type is ignored: the key is box_type"


def _differing_arguments(train_yaml: Said, inference_yaml: Said) -> Iterator[str]:
    """Yield the arguments that the two YAML files set to different values."""
    for operator in COMPARED:
        train, inference = train_yaml.get(operator, {}), inference_yaml.get(operator, {})
        for key in dict.fromkeys((*train, *inference)):
            if key not in EXPORTED and train.get(key) != inference.get(key):
                values = train.get(key, "not set"), inference.get(key, "not set")
                yield f"{operator}.{key}: {values[0]} in the training YAML file, {values[1]} in inference.yml"


def _folder_findings(folder: Path) -> list[str]:
    programs = [folder / name for name in PROGRAMS if (folder / name).is_file()]
    if len(programs) < 2:
        return []
    older = " older" if programs[0].stat().st_mtime < programs[1].stat().st_mtime else ""
    return [f"{image_label(str(folder))} holds two programs: paddle runs the{older} {programs[0].name}"]


USUAL: Final = {"use_tensorrt": False, "precision": "fp32"}
"""What chooses how a network is computed on a GPU by Paddle Inference alone, and its defaults."""


def _idle_choices(options: Mapping[str, Any], engine: str | None) -> Iterator[str]:
    """Yield the options that ask for another engine or precision and that paddleocr passes over without a word."""
    asked = {name: options[name] for name, usual in USUAL.items() if options.get(name, usual) != usual}
    if engine not in (None, "paddle", "paddle_static"):
        why = f'with engine = "{engine}"'
    elif options.get("engine_config") is not None:
        why = "beside engine_config"
    elif str(options.get("device", "gpu")).startswith("cpu"):
        why = "on a CPU"
    else:  # TensorRT runs, and without it alone the precision is idle
        asked, why = ({}, "") if options.get("use_tensorrt") else (asked, "without use_tensorrt")
    for name, value in asked.items():
        asks = f"{name} = {json.dumps(value)}"
        yield f"inference.options: paddleocr passes over {asks} {why}: the network runs without it"
