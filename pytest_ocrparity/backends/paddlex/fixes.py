"""Words fixes: where a user of paddleocr 3.x sets each parameter, as text and as changes.

A rule or an option that has the last word is taken away first, so that a fix works as it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.artifacts.configs import MODES
from pytest_ocrparity.diagnosis import Change, Fix, table_of
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR
from pytest_ocrparity.wording import image_label

Values = Mapping[str, Any]

LIMITS: Final = ("limit_side_len", "limit_type")
ARGUMENTS: Final = (*LIMITS, "thresh", "box_thresh", "unclip_ratio")
"""The parameters that `TextDetection` and its `predict` take as arguments."""

ARGUMENT_OF: Final = {
    **dict.fromkeys((*LIMITS, "input_shape", "max_side_limit"), RESIZE),
    **dict.fromkeys(ARGUMENTS[2:], DETECTIONS),
}
"""The stage of each parameter that an option can set."""

NORMALIZE, POST_PROCESS = "NormalizeImage", "PostProcess"
LEAST: Final = 1e-9
"""What is passed for 0, which paddleocr takes for not given."""

NO_CAP: Final = 100000
"""What is passed for no cap on the long side."""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What a user gave paddleocr.

    Attributes:
        name: how messages call the side.
        model_name: paddlex's name of the model.
        config: the export's inference.yml.
        written: by stage name, what it says.
        options, predict_options: the arguments of `TextDetection` and of its `predict`.
        memory_limit: bytes that an image may take; None means what is available.
    """

    name: str = "inference"
    model_name: str = ""
    config: Path
    written: Mapping[str, Values]
    options: Values
    predict_options: Values
    memory_limit: int | None = None

    @property
    def table(self) -> str:
        """The table of the settings that is about it."""
        return table_of(self.name)


def deployment_fix(stage: str, values: Values, deployed: Deployed) -> Fix:
    """Return how a user gives an export other values of some parameters of one stage.

    Args:
        stage: whose parameters they are.
        values: by name; None for one that is to go.
        deployed: what the user gave paddleocr.

    Raises:
        ValueError: paddleocr has nothing that sets them.
    """
    if stage == DECODE:
        parts = _decode_fixes(values, deployed)
    elif stage == RESIZE:
        parts = _resize_fixes(values, deployed)
    elif stage == TENSOR:
        parts = [_set_in_yaml(deployed, NORMALIZE, values)]
    else:
        parts = _argument_fixes(values, deployed)
        others = {name: value for name, value in values.items() if name not in ARGUMENTS}
        parts += [_set_in_yaml(deployed, POST_PROCESS, others)] if others else []
    if not parts:
        raise ValueError(f"no option of paddleocr sets {', '.join(values) or 'nothing'} of {stage}")
    return Fix("; ".join(part.text for part in parts), tuple(change for part in parts for change in part.changes))


def given_options(deployed: Deployed) -> dict[str, dict[str, str]]:
    """Return by stage name the parameters that options set, each with the setting that has the last word."""
    found: dict[str, dict[str, str]] = {}
    for setting, given in (("options", deployed.options), ("predict_options", deployed.predict_options)):
        for name in ARGUMENT_OF:
            if given.get(name):  # paddleocr takes 0 for not given
                found.setdefault(ARGUMENT_OF[name], {})[name] = f"{deployed.table}.{setting}"
    return found


def _decode_fixes(values: Values, deployed: Deployed) -> list[Fix]:
    parts, mode = [], values.get("img_mode")
    if mode is not None and mode not in MODES:
        parts.append(_train_with_another_mode(mode))
    elif mode is not None and DECODE in deployed.written:
        parts.append(_set_in_yaml(deployed, "DecodeImage", {"img_mode": mode}))
    elif mode is not None:
        arguments = {"img_mode": mode, "channel_first": False}
        text = f"in {_config_label(deployed)}, PreProcess.transform_ops, put first DecodeImage with "
        change = Change("inference.yml", arguments, "DecodeImage")
        parts.append(Fix(f"{text}{_yaml_text(arguments)}; without it paddleocr 3.x reads RGB", (change,)))
    if values.get("ignore_orientation"):
        text = "paddleocr 3.x always turns images as their EXIF tag says: take ignore_orientation out of DecodeImage "
        text += "in the training YAML file, and evaluate again"
        parts.append(Fix(text, (Change("train.config", {"ignore_orientation": None}, "DecodeImage"),)))
    return parts


def _train_with_another_mode(mode: str) -> Fix:
    """Return the way out of a mode that only the training side knows: set in inference.yml it stops TextDetection."""
    instead = {"img_mode": MODES[0]}
    return Fix(
        f"a network trained with img_mode: {mode} can't be deployed with paddleocr.TextDetection, whose resize takes "
        f"three channels: in the training YAML file, under DecodeImage, set {_yaml_text(instead)}, train again (or at "
        f"least evaluate again), and export again, which writes {_yaml_text(instead)} into inference.yml",
        (
            Change("train.config", instead, "DecodeImage"),
            Change("inference.yml", instead, "DecodeImage"),
            Change("export"),
        ),
    )


def _resize_fixes(values: Values, deployed: Deployed) -> list[Fix]:
    rule = values.get("rule", "limit")
    parts = _take_stronger_rules_away(rule, deployed)
    if rule == "limit":
        arguments = _argument_fixes(values, deployed)
        parts = [*parts, *arguments] if arguments else []
    elif rule == "image_shape":
        wanted = {key: values[key] for key in ("image_shape", "keep_ratio") if values.get(key) is not None}
        parts.append(_set_in_yaml(deployed, "DetResizeForTest", wanted))
    elif rule == "input_shape":
        parts.append(_pass_to_constructor({"input_shape": list(values["input_shape"])}))
    elif rule == "resize_long":
        parts.append(_replace_resize_long(values["resize_long"], deployed))
    if "max_side_limit" in values:
        parts.append(_pass_to_predict({"max_side_limit": values["max_side_limit"] or NO_CAP}))
    return parts


def _take_stronger_rules_away(rule: str, deployed: Deployed) -> list[Fix]:
    """Return how the rules are taken away that come before another: `input_shape` first, then `image_shape`."""
    parts = []
    if rule != "input_shape" and deployed.options.get("input_shape") is not None:
        text = "take input_shape out of the arguments of paddleocr.TextDetection, and out of inference.options"
        parts.append(Fix(text, (Change("inference.options", {"input_shape": None}),)))
    own = deployed.written.get(RESIZE) or {}
    if rule in ("limit", "resize_long") and own.get("image_shape") is not None:
        gone = [name for name in ("image_shape", "keep_ratio") if name in own]
        text = f"take {' and '.join(gone)} out of DetResizeForTest in {_config_label(deployed)}, where image_shape "
        change = Change("inference.yml", dict.fromkeys(gone), "DetResizeForTest")
        parts.append(Fix(f"{text}switches off every limit", (change,)))
    return parts


def _replace_resize_long(length: int, deployed: Deployed) -> Fix:
    limits = {"limit_side_len": length, "limit_type": "max"}
    passed = _argument_fixes(limits, deployed)
    text = "; ".join(part.text for part in passed)
    return Fix(
        f"(1) in the training YAML file, under DetResizeForTest, replace resize_long by {_yaml_text(limits)}, and "
        f"evaluate again: no training is needed, but the score may change; (2) {text}; paddleocr 3.x has no rule like "
        "resize_long",
        (
            Change("train.config", {"resize_long": None, **limits}, "DetResizeForTest"),
            *(change for part in passed for change in part.changes),
        ),
    )


def _argument_fixes(values: Values, deployed: Deployed) -> list[Fix]:
    """Return how arguments are passed: to `predict()` those that the user passes there, as it has the last word."""
    given = {name: values[name] for name in ARGUMENTS if values.get(name) is not None}
    last = {name: value for name, value in given.items() if deployed.predict_options.get(name)}
    first = {name: value for name, value in given.items() if name not in last}
    return [*([_pass_to_constructor(first)] if first else []), *([_pass_to_predict(last)] if last else [])]


def _pass_to_constructor(values: Values) -> Fix:
    used, note = _nonzero(values)
    text = f"in the deployment, pass {keyword_text(used)} to paddleocr.TextDetection; for this test, add the same to "
    text += "inference.options"
    if "limit_side_len" in values:
        text += " (paddleocr 3.x ignores limits in inference.yml)"
    return Fix(text + note, (Change("inference.options", used),))


def _pass_to_predict(values: Values) -> Fix:
    used, note = _nonzero(values)
    text = f"in the deployment, pass {keyword_text(used)} to predict(); for this test, add the same to "
    return Fix(f"{text}inference.predict_options{note}", (Change("inference.predict_options", used),))


def _nonzero(values: Values) -> tuple[dict[str, Any], str]:
    """Return arguments with a small number in the place of 0, which paddleocr takes for not given, and a note of it."""
    zeros = [name for name, value in values.items() if value == 0]
    note = f" ({', '.join(zeros)} = 0 means not given there)" if zeros else ""
    return {name: LEAST if name in zeros else value for name, value in values.items()}, note


def _set_in_yaml(deployed: Deployed, operator: str, values: Values) -> Fix:
    """Return how an operator's arguments are written; those that are None are taken out."""
    wanted = {name: value for name, value in values.items() if value is not None}
    gone = [name for name in values if name not in wanted]
    steps = [f"set {_yaml_text(wanted)}"] * bool(wanted) + [f"leave out {', '.join(gone)}"] * bool(gone)
    text = f"in {_config_label(deployed)}, under {operator}, {' and '.join(steps)} (leave its other keys)"
    return Fix(text, (Change("inference.yml", dict(values), operator),))


def edit_text(deployed: Deployed, change: Change) -> str:
    """Return how a change of the export's inference.yml is made."""
    if change.key == "DecodeImage" and DECODE not in deployed.written:
        arguments = {name: value for name, value in change.values.items() if value is not None}
        return f"in {_config_label(deployed)}, transform_ops, put first DecodeImage with {_yaml_text(arguments)}"
    return _set_in_yaml(deployed, change.key, change.values).text


def _config_label(deployed: Deployed) -> str:
    return image_label(str(deployed.config))


def keyword_text(values: Values) -> str:
    """Return values as the keyword arguments of a call in Python."""
    return ", ".join(
        f'{name}="{value}"' if isinstance(value, str) else f"{name}={value!r}" for name, value in values.items()
    )


def _yaml_text(values: Values) -> str:
    """Return values as a YAML file has them, on one line."""

    def declared_parameters(value: Any) -> str:
        return ("true" if value else "false") if isinstance(value, bool) else str(value)

    return ", ".join(f"{name}: {declared_parameters(value)}" for name, value in values.items())
