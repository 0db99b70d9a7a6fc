"""What happens around a bare `.onnx` file: which values it is configured with, and PaddleX's operators built from them.

Whoever deploys a bare file writes its processing by hand, so each value comes from a file or an option, and
nothing from the training YAML file: then both sides would agree by construction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from pytest_ocrparity.artifacts.configs import MODES, check_export_config, config_parameters, config_scale, read_config
from pytest_ocrparity.artifacts.evaluation import MEAN, OTHERS, STD
from pytest_ocrparity.artifacts.families import DETECTORS, family_of_export
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.onnx.runtime import ENGINE_OPTIONS
from pytest_ocrparity.backends.paddlex.variation import NO_CAP, RULES, GreyReader
from pytest_ocrparity.errors import ModelError, did_you_mean
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR

Values: TypeAlias = "Mapping[str, Mapping[str, Any]]"
"""By stage name, values by parameter name, as `Trace.parameters` hold them."""

MAX_SIDE: Final = 4000
"""The cap on the long side that PaddleX's resize has where nothing is said."""


class Kind(NamedTuple):
    """What a value must be, in words and as a check."""

    words: str
    is_right: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(_is_number, value))


def _are_sizes(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(map(_is_size, value))


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= NO_CAP


def _one_of(*words: str) -> Kind:
    return Kind(" or ".join(words), lambda value: value in words)


_SIZE: Final = Kind("a number of px", _is_size)
_NUMBER: Final = Kind("a number", _is_number)
_BOOLEAN: Final = Kind("true or false", lambda value: isinstance(value, bool))

KINDS: Final[Mapping[str, Mapping[str, Kind]]] = {
    DECODE: {"img_mode": _one_of(*MODES)},
    RESIZE: {
        "limit_side_len": _SIZE,
        "limit_type": _one_of("min", "max", "resize_long"),
        "image_shape": Kind("[height, width] in px", lambda value: _are_sizes(value, 2)),
        "keep_ratio": _BOOLEAN,
        "resize_long": _SIZE,
        "input_shape": Kind("[3, height, width] in px", lambda value: _are_sizes(value, 3)),
        "max_side_limit": _SIZE,
    },
    TENSOR: {
        "scale": Kind('a number or a fraction such as "1./255."', lambda value: _is_number(value) and value != 0),
        "mean": Kind("a list of three numbers", _are_numbers),
        "std": Kind("a list of three numbers other than 0", lambda value: _are_numbers(value) and 0 not in value),
        "order": _one_of("hwc", "chw"),
    },
    DETECTIONS: {
        "thresh": _NUMBER,
        "box_thresh": _NUMBER,
        "unclip_ratio": _NUMBER,
        "max_candidates": Kind("a number of boxes", _is_size),
        "use_dilation": _BOOLEAN,
        "score_mode": _one_of("fast", "slow"),
        "box_type": _one_of("quad", "poly"),
    },
}
"""Every parameter that can be set, by stage."""

FREE: Final[Values] = {RESIZE: {"max_side_limit": MAX_SIDE}, TENSOR: {"order": "hwc"}}
"""What has a value where nothing is said: what the operators do by themselves, whoever deploys them."""

SILENT: Final[Values] = {
    TENSOR: {"scale": 1.0 / 255.0, "mean": list(MEAN), "std": list(STD)},
    DETECTIONS: OTHERS,
}
"""What every reader of an inference.yml takes where its operator is silent, on PaddleOCR's side and on PaddleX's. What
the two take differently, such as limits and thresholds, is not among it."""


@dataclass(frozen=True)
class Configured:
    """The values that a file's processing runs with.

    Attributes:
        values: by stage name, as `Trace.parameters` hold them.
        written: by stage name, what the inference.yml sets; empty where there is none.
        given: by stage name, the setting that has the last word, for what options set.
    """

    values: dict[str, dict[str, Any]]
    written: Values
    given: dict[str, dict[str, str]]


def configure_processing(
    config: Path | None, options: Mapping[str, Any], file: Path, table: str = "inference"
) -> Configured:
    """Return the values of an inference.yml, under those of options.

    Args:
        config: the inference.yml beside the file, or None where there is none.
        options: the setting `inference.options`.
        file: the `.onnx` file, for messages.
        table: the settings table, such as "inference" or "candidates.onnx".

    Raises:
        ModelError: the inference.yml is wrong, an option is unknown or has a wrong value, or a value is in neither: all
            that are missing are named at once.
    """
    own = _of_options(options)
    written: Values = {}
    if config is not None:
        yml = read_config(config)
        if family_of_export(yml) is not DETECTORS:
            raise ModelError(
                f"{config} is of a recogniser, and inference.model_file runs detectors alone: set inference.model_dir "
                'to its folder, whose inference.onnx TextRecognition runs with engine = "onnxruntime"'
            )
        check_export_config(yml, config)
        written = config_parameters(yml["PreProcess"]["transform_ops"], yml["PostProcess"], config)
    values: dict[str, dict[str, Any]] = {}
    missing: list[str] = []
    for stage, kinds in KINDS.items():
        said = _operator_arguments(written[stage], kinds, config) if stage in written and config is not None else None
        values[stage] = _merge_stage_values(stage, said, own[stage])
        missing += _missing_stage_values(stage, values[stage])
    _refuse_idle(values[RESIZE]["rule"], own[RESIZE])
    if missing:
        raise ModelError(_missing_text(missing, config, file))
    given = {stage: dict.fromkeys(found, f"{table}.options") for stage, found in own.items() if found}
    return Configured(values, written, given)


def _of_options(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the checked options by stage."""
    known = {name: (stage, kind) for stage, kinds in KINDS.items() for name, kind in kinds.items()}
    found: dict[str, dict[str, Any]] = {stage: {} for stage in KINDS}
    for name, value in options.items():
        if name in ENGINE_OPTIONS:
            continue
        if name not in known:
            hint = did_you_mean(name, [*known, *ENGINE_OPTIONS])
            raise ModelError(f"inference.options: {name} is no option of a bare model_file; {hint}")
        stage, kind = known[name]
        found[stage][name] = _checked_argument(value, name, kind, "inference.options")
    rules = [rule for rule, names in RULES.items() if names[0] in found[RESIZE]]
    if len(rules) > 1:
        chosen = " and ".join(RULES[rule][0] for rule in rules)
        raise ModelError(f"inference.options: {chosen} are different rules of the resize: keep one")
    return found


def _operator_arguments(arguments: Mapping[str, Any] | None, kinds: Mapping[str, Kind], config: Path) -> dict[str, Any]:
    """Return the checked values that an operator of the inference.yml sets."""
    own = {name: value for name, value in (arguments or {}).items() if name in kinds and value is not None}
    return {name: _checked_argument(value, name, kinds[name], str(config)) for name, value in own.items()}


def _checked_argument(value: Any, name: str, kind: Kind, where: str) -> Any:
    if name == "scale":
        value = config_scale(value, Path(where), name)
    if not kind.is_right(value):
        raise ModelError(f"{where}: {name} is {value!r}, not {kind.words}")
    return value


def _merge_stage_values(stage: str, said: Mapping[str, Any] | None, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a stage: what is free, what a silent file means, what it says, and the options on top."""
    silent = {} if said is None else SILENT.get(stage, {})
    if stage == DECODE:
        return {**(said or {}), **own, "ignore_orientation": False}
    if stage != RESIZE:
        return {**FREE.get(stage, {}), **silent, **(said or {}), **own}
    merged = {**FREE[RESIZE], **(said or {}), **own}
    # A rule that options choose replaces the file's; in a file, the first of these is the operator's own choice.
    rules = [rule for given in (own, merged) for rule in _BY_PRECEDENCE if RULES[rule][0] in given]
    return {"rule": rules[0] if rules else "limit", **merged}


_BY_PRECEDENCE: Final = ("input_shape", "image_shape", "limit", "resize_long")
"""In the order in which PaddleX's resize looks at its arguments."""


def _refuse_idle(rule: str, own: Mapping[str, Any]) -> None:
    """Refuse options of the resize that do nothing under the rule that runs."""
    idle = [name for name in own if name not in (*RULES[rule], *(["max_side_limit"] if rule == "limit" else []))]
    if idle:
        raise ModelError(
            f"inference.options: {', '.join(idle)} would do nothing, as {RULES[rule][0]} decides the size: remove it"
        )


def _missing_stage_values(stage: str, values: Mapping[str, Any]) -> list[str]:
    if stage == RESIZE:
        needed: Iterable[str] = [name for name in RULES[values["rule"]] if name != "keep_ratio"]
    else:
        needed = [name for name in KINDS[stage] if name not in FREE.get(stage, {})]
    return [name for name in needed if name not in values]


def _missing_text(missing: list[str], config: Path | None, file: Path) -> str:
    where = f"there is no inference.yml beside {file}" if config is None else f"{config} does not say them"
    limits = [name for name in missing if name in RULES["limit"]]
    choice = "; image_shape, resize_long or input_shape may stand in the place of the limits" if limits else ""
    return (
        f"inference.options lack {', '.join(missing)}: {where}, and what production runs around a bare ONNX file is in "
        f"its own code. Write the values of that code{choice}. (They are not taken from the training YAML file: then "
        "the two sides would agree whatever production does)"
    )


@dataclass(frozen=True)
class Operators:
    """PaddleX's own operators, built with some values."""

    read: Any
    resize: Any
    normalize: Any
    to_chw: Any
    to_batch: Any
    post_process: Any


def build_processing_operators(values: Values) -> Operators:
    """Return PaddleX's operators of text detection with these values, by stage name.

    Raises:
        ModelError: paddlex, or something that it needs, is not installed.
    """
    with isolated():
        from paddlex.inference.common.reader import ReadImage
        from paddlex.inference.models.common import ToBatch, ToCHWImage
        from paddlex.inference.models.text_detection.processors import DBPostProcess, DetResizeForTest, NormalizeImage

        mode, resize = values[DECODE]["img_mode"], values[RESIZE]
        arguments = {name: resize[name] for name in RULES[resize["rule"]] if resize.get(name) is not None}
        return Operators(
            read=GreyReader() if mode == "GRAY" else ReadImage(format=mode),
            resize=DetResizeForTest(**arguments, max_side_limit=resize.get("max_side_limit") or NO_CAP),
            normalize=NormalizeImage(**values[TENSOR]),
            to_chw=ToCHWImage(),
            to_batch=ToBatch(),
            post_process=DBPostProcess(**values[DETECTIONS]),
        )
