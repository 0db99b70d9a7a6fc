"""paddleocr's predictor with other parameters: paddlex's own classes, built again with what an experiment asks for.

Also knows where a user sets each parameter for paddleocr, which is how a fix is worded.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.diagnosis import Change, Fix
from pytest_ocrparity.pipelines.predictor import Predictor
from pytest_ocrparity.trace import DECODE, DETECTIONS, RESIZE, TENSOR, image_label

__all__ = ["deployment_fix", "replaced_steps"]

Steps = dict[str, Callable[..., Any]]
Changes = Mapping[str, Mapping[str, Any]]

NO_CAP: Final = 10**9
"""Above every image: what a side without `max_side_limit` has."""

RULES: Final = {
    "limit": ("limit_side_len", "limit_type"),
    "image_shape": ("image_shape", "keep_ratio"),
    "resize_long": ("resize_long",),
    "input_shape": ("input_shape",),
}


def replaced_steps(predictor: Predictor, current: Changes, changes: Changes) -> Steps:
    """Return by tap name what stands in the predictor's place under other parameters.

    Args:
        predictor: whose classes are used.
        current: its parameters as they run, by stage name.
        changes: those to replace, by stage name.
    """
    steps = predictor.steps
    found: Steps = {}
    if "img_mode" in changes.get(DECODE, {}):
        found["Read"] = type(steps["Read"])(format=changes[DECODE]["img_mode"])
    if changes.get(RESIZE):
        wanted = {**current[RESIZE], **changes[RESIZE]}
        arguments = {name: wanted[name] for name in RULES[wanted["rule"]] if wanted.get(name) is not None}
        resize = type(steps["Resize"])(**arguments)
        cap = wanted.get("max_side_limit") or NO_CAP
        found["Resize"] = lambda imgs, **_: resize(imgs, max_side_limit=cap)
    if changes.get(TENSOR):
        wanted = {**current[TENSOR], **changes[TENSOR]}
        found["Normalize"] = type(steps["Normalize"])(**wanted)
    if changes.get(DETECTIONS):
        found["process"] = _process(predictor.post_process, changes[DETECTIONS])
    return found


def _process(real: Any, wanted: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the `process` of a copy of the post-process with other attributes and thresholds."""
    other = copy.copy(real)
    for name, value in wanted.items():
        setattr(other, name, value)

    def process(pred: Any, img_shape: Any, thresh: float, box_thresh: float, unclip_ratio: float) -> Any:
        given = {"thresh": thresh, "box_thresh": box_thresh, "unclip_ratio": unclip_ratio}
        used = {name: wanted.get(name, value) for name, value in given.items()}
        # The instance holds a tap under this name, so the class is asked.
        return type(other).process(other, pred, img_shape, **used)

    return process


OPERATOR_OF: Final = {DECODE: "DecodeImage", RESIZE: "DetResizeForTest", TENSOR: "NormalizeImage"}
ARGUMENTS: Final = ("limit_side_len", "limit_type", "thresh", "box_thresh", "unclip_ratio")
LEAST: Final = 1e-9
"""What is passed for 0, which paddleocr takes for not given."""


def deployment_fix(
    stage: str, values: Mapping[str, Any], config: Path, written: Changes, current: Mapping[str, Any]
) -> Fix:
    """Return how a user gives an export other values of some parameters of one stage.

    Args:
        stage: whose parameters they are.
        values: by name; None for a cap that is to go.
        config: the export's inference.yml.
        written: by stage name, what it says.
        current: the stage's parameters that run.
    """
    if stage == DECODE and DECODE not in written and "img_mode" in values:
        return decode_fix(values["img_mode"], config)
    fix, own = parameter_fix(stage, values, config), current.get("rule", "limit")
    return without_rule(own, config, fix) if values.get("rule") == "limit" and own != "limit" else fix


def parameter_fix(stage: str, values: Mapping[str, Any], config: Path) -> Fix:
    """Return how a user gives paddleocr 3.x the values of some parameters of one stage.

    Args:
        stage: whose parameters they are.
        values: by name; None for a cap that is to go.
        config: the export's inference.yml.
    """
    rule = values.get("rule")
    if rule == "resize_long":
        limits = {"limit_side_len": values["resize_long"], "limit_type": "max"}
        change = _arguments(limits)
        return Fix(
            f"(1) in the training yml, under DetResizeForTest, replace resize_long by {_listed(limits)}, and evaluate "
            f"again: no training is needed, but the score may change; (2) {change.text}; paddleocr 3.x has no rule "
            "like resize_long",
            (Change("train.config", {"resize_long": None, **limits}, OPERATOR_OF[RESIZE]), *change.changes),
        )
    if rule == "image_shape":
        wanted = {key: value for key, value in values.items() if key in RULES["image_shape"] and value is not None}
        return _in_yml(config, OPERATOR_OF[RESIZE], wanted)
    if stage == DECODE and "ignore_orientation" in values:
        return Fix(
            "paddleocr 3.x always turns images as their EXIF tag says: take ignore_orientation out of DecodeImage in "
            "the training yml, and evaluate again",
            (Change("train.config", {"ignore_orientation": None}, OPERATOR_OF[DECODE]),),
        )
    if "max_side_limit" in values:
        cap = values["max_side_limit"] or 100000
        text = f"in the deployment, pass max_side_limit={cap} to predict(); for this test, add the same to "
        text += "inference.predict_options"
        return Fix(text, (Change("inference.predict_options", {"max_side_limit": cap}),))
    if rule is not None or all(name in ARGUMENTS for name in values):
        return _arguments({name: values[name] for name in ARGUMENTS if name in values})
    return _in_yml(config, OPERATOR_OF.get(stage, "PostProcess"), values)


def decode_fix(img_mode: str, config: Path) -> Fix:
    """Return how an inference.yml without DecodeImage, which paddlex reads as RGB, gets one."""
    arguments = {"img_mode": img_mode, "channel_first": False}
    text = f"in {image_label(str(config))}, PreProcess.transform_ops, put first DecodeImage with {_listed(arguments)}"
    return Fix(f"{text}; without it paddleocr 3.x reads RGB", (Change("inference.yml", arguments, "DecodeImage"),))


def without_rule(rule: str, config: Path, fix: Fix) -> Fix:
    """Return a fix that also takes away the rule that switches off what the fix sets."""
    if rule == "input_shape":
        change = Change("inference.options", {"input_shape": None})
        return Fix(f"take input_shape out of inference.options; {fix.text}", (change, *fix.changes))
    change = Change("inference.yml", dict.fromkeys(RULES[rule]), OPERATOR_OF[RESIZE])
    place = f"DetResizeForTest in {image_label(str(config))}"
    text = f"take {rule} out of {place}, where it switches off every limit; {fix.text}"
    return Fix(text, (change, *fix.changes))


def _arguments(values: Mapping[str, Any]) -> Fix:
    used = {name: LEAST if value == 0 else value for name, value in values.items()}
    given = ", ".join(f"{name}={_python(value)}" for name, value in used.items())
    text = (
        f"in the deployment, pass {given} to paddleocr.TextDetection; for this test, add the same to inference.options"
    )
    if "limit_side_len" in values:
        text += " (paddleocr 3.x ignores limits in inference.yml)"
    zeros = [name for name, value in values.items() if value == 0]
    if zeros:
        text += f" ({', '.join(zeros)} = 0 means not given there)"
    return Fix(text, (Change("inference.options", used),))


def _in_yml(config: Path, operator: str, values: Mapping[str, Any]) -> Fix:
    text = f"in {image_label(str(config))}, under {operator}, set {_listed(values)} (leave its other keys)"
    return Fix(text, (Change("inference.yml", dict(values), operator),))


def _python(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _listed(values: Mapping[str, Any]) -> str:
    """Write values as lines of a yml, side by side."""

    def written(value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        return "null" if value is None else str(value)

    return ", ".join(f"{name}: {written(value)}" for name, value in values.items())
