"""Words fixes: where a user of paddleocr 3.x sets each parameter, as text and as changes.

A rule or an option that has the last word is taken away first, so that a fix works as it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pytest_ocrparity.artifacts.configs import MODES
from pytest_ocrparity.artifacts.families import RECOGNISERS
from pytest_ocrparity.artifacts.ocr_options import LIMITS, ORIENTATION, THRESHOLDS, UNWARPING
from pytest_ocrparity.artifacts.recogniser_configs import RESIZES
from pytest_ocrparity.backends.paddlex.deployed import (
    ARGUMENT_OF,
    ARGUMENTS,
    DETECTOR_BLOCK,
    PREPROCESSOR,
    Deployed,
    Values,
    steps_text,
)
from pytest_ocrparity.diagnosis import Change, Fix
from pytest_ocrparity.stages import DECODE, RESIZE, TENSOR
from pytest_ocrparity.wording import image_label

NORMALIZE, POST_PROCESS = "NormalizeImage", "PostProcess"
LEAST: Final = 1e-9
"""What is passed for 0, which paddleocr takes for not given."""

NO_CAP: Final = 100000
"""What is passed for no cap on the long side."""


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
    elif deployed.api.family is RECOGNISERS:
        parts = _line_fixes(values, deployed) if stage == RESIZE else []
    elif stage == RESIZE:
        parts = _resize_fixes(values, deployed)
    elif stage == TENSOR:
        parts = [_set_in_yaml(deployed, NORMALIZE, values)]
    else:
        parts = _argument_fixes(values, deployed)
        others = {name: value for name, value in values.items() if name not in ARGUMENTS}
        parts += [_set_in_yaml(deployed, POST_PROCESS, others)] if others else []
    return joined_fixes(parts, f"no option of paddleocr sets {', '.join(values) or 'nothing'} of {stage}")


def joined_fixes(parts: Sequence[Fix], nothing: str) -> Fix:
    """Return fixes that are all needed as one. Raises ValueError, with the text `nothing`, where there is none."""
    if not parts:
        raise ValueError(nothing)
    return Fix("; ".join(part.text for part in parts), tuple(change for part in parts for change in part.changes))


def given_options(deployed: Deployed, running: Mapping[str, Values] | None = None) -> dict[str, dict[str, str]]:
    """Return by stage name the parameters that options set, each with the setting that has the last word.

    Where a pipeline hands its detector values of its own, those that no option sets are named after it. A factory's
    object may set what it likes: of a value that `running` has and no option explains, only that is said.
    """
    found: dict[str, dict[str, str]] = {}
    own = f"what {deployed.factory} passes" if deployed.factory else f"{deployed.table}.options"
    for name, stage in ARGUMENT_OF.items():
        # paddleocr takes 0 for not given
        of_call, of_class = deployed.given_in_predict(name), deployed.given_as(name)
        if of_class is not None and deployed.options[of_class]:
            is_in_file = deployed.options_file is not None and of_class in deployed.from_file
            found.setdefault(stage, {})[name] = f"{deployed.table}.options_file" if is_in_file else own
        elif default := deployed.by_default(name):
            found.setdefault(stage, {})[name] = default
        if of_call is not None and deployed.predict_options[of_call]:
            found.setdefault(stage, {})[name] = f"{deployed.table}.predict_options"
    for stage, values in (running or {}).items() if deployed.factory else ():
        written = deployed.written.get(stage) or {}
        for name in values.keys() & {*written, *found.get(stage, {})}:
            explained = deployed.made_with(name), deployed.predict_options.get(deployed.api.argument(name))
            if values[name] not in (None, written.get(name), *explained):
                found.setdefault(stage, {})[name] = f"the object that {deployed.factory} returns"
    return found


def _decode_fixes(values: Values, deployed: Deployed) -> list[Fix]:
    parts, mode = [], values.get("img_mode")
    if mode is not None and mode not in MODES:
        parts.append(_train_with_another_mode(mode, deployed))
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


def _train_with_another_mode(mode: str, deployed: Deployed) -> Fix:
    """Return the way out of a mode that only the training side knows: set in inference.yml it stops paddleocr."""
    instead = {"img_mode": MODES[0]}
    return Fix(
        f"a network trained with img_mode: {mode} can't be deployed with {deployed.api.label}, whose resize takes "
        f"three channels: in the training YAML file, under DecodeImage, set {_yaml_text(instead)}, train again (or at "
        f"least evaluate again), and export again, which writes {_yaml_text(instead)} into inference.yml",
        (
            Change("train.config", instead, "DecodeImage"),
            Change("inference.yml", instead, "DecodeImage"),
            Change("export"),
        ),
    )


def _resize_fixes(values: Values, deployed: Deployed) -> list[Fix]:
    if values.keys() == {PREPROCESSOR}:
        return [_without_preprocessor(deployed)]
    rule = values.get("rule", "limit")
    parts = _take_stronger_rules_away(rule, deployed)
    if rule == "limit":
        arguments = _argument_fixes(values, deployed)
        parts = [*parts, *arguments] if arguments else []
    elif rule == "image_shape":
        wanted = {key: values[key] for key in ("image_shape", "keep_ratio") if values.get(key) is not None}
        parts.append(_set_in_yaml(deployed, "DetResizeForTest", wanted))
    elif rule == "input_shape":
        parts.append(_pass_to_constructor({"input_shape": list(values["input_shape"])}, deployed))
    elif rule == "resize_long":
        parts.append(_replace_resize_long(values["resize_long"], deployed))
    if "max_side_limit" in values:
        parts.append(_set_cap(values["max_side_limit"] or NO_CAP, deployed))
    return parts


def _line_fixes(values: Values, deployed: Deployed) -> list[Fix]:
    """Return how a recogniser's line gets another size."""
    parts, given = [], deployed.given_as("input_shape")
    wanted = values.get("input_shape")
    if wanted is not None:
        parts.append(_pass_to_constructor({"input_shape": list(wanted)}, deployed))
    elif "input_shape" in values and given is not None:
        parts.append(deployed.taking_away(given, {given: None}))
    if values.get("image_shape") is not None:
        parts.append(_set_in_yaml(deployed, RESIZES[0], {"image_shape": list(values["image_shape"])}))
    return parts


def _without_preprocessor(deployed: Deployed) -> Fix:
    """Return how the document preprocessor is switched off: both of its models, as one switch may leave the other."""
    off = dict.fromkeys((ORIENTATION, UNWARPING), False)
    if any(deployed.predict_options.get(name) is not None for name in off):
        return _pass_to_predict_as(off)
    return deployed.passing(fix_keyword_text(off), off, note=" (boxes are then in the frame of the image itself)")


def _take_stronger_rules_away(rule: str, deployed: Deployed) -> list[Fix]:
    """Return how the rules are taken away that come before another: `input_shape` first, then `image_shape`."""
    parts = []
    given = deployed.given_as("input_shape")
    if rule != "input_shape" and given is not None:
        parts.append(deployed.taking_away(given, {given: None}))
    own = deployed.written.get(RESIZE) or {}
    if rule in ("limit", "resize_long") and own.get("image_shape") is not None:
        gone = [name for name in ("image_shape", "keep_ratio") if name in own]
        text = f"take {' and '.join(gone)} out of DetResizeForTest in {_config_label(deployed)}, where image_shape "
        change = Change("inference.yml", dict.fromkeys(gone), "DetResizeForTest")
        parts.append(Fix(f"{text}switches off every limit", (change,)))
    return parts


def _set_cap(cap: int, deployed: Deployed) -> Fix:
    """Return how the cap on the long side is set, which `predict` takes or only a pipeline's YAML file."""
    if deployed.api.caps_in_predict:
        return _pass_to_predict({"max_side_limit": cap}, deployed)
    text = f"{deployed.api.label} takes max_side_limit only from a pipeline's YAML file: "
    if deployed.pipeline_config:
        text += f"in {image_label(deployed.pipeline_config)}"
    else:
        text += (
            "write one with its export_paddlex_config_to_yaml(FILE), pass paddlex_config=FILE to the class here and in "
            "the deployment, and in that file"
        )
    change = Change("paddlex_config", {"max_side_limit": cap}, DETECTOR_BLOCK)
    return Fix(f"{text}, under {DETECTOR_BLOCK}, set max_side_limit: {cap}", (change,))


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
    """Return how arguments are passed: to `predict()` those that the user passes there, as it has the last word.

    A value that no argument gave and inference.yml did is put right in that file.
    """
    given = {name: values[name] for name in ARGUMENTS if values.get(name) is not None}
    in_file = {name: value for name, value in given.items() if deployed.is_from_file(name)}
    last = {name: value for name, value in given.items() if _has_last_word(name, deployed)}
    first = {name: value for name, value in given.items() if name not in last and name not in in_file}
    return [
        *([_set_in_yaml(deployed, POST_PROCESS, in_file)] if in_file else []),
        *([_pass_to_constructor(first, deployed)] if first else []),
        *([_pass_to_predict(last, deployed)] if last else []),
    ]


def _has_last_word(name: str, deployed: Deployed) -> bool:
    """Tell whether the user's `predict()` sets a parameter; it takes 0 for not given."""
    given = deployed.given_in_predict(name)
    return given is not None and bool(deployed.predict_options[given])


def _pass_to_constructor(values: Values, deployed: Deployed) -> Fix:
    used, note = _nonzero_arguments({deployed.api.argument(name): value for name, value in values.items()})
    former = [name for name in map(deployed.given_as, values) if name is not None and name not in used]
    instead = f" in the place of {', '.join(former)}" * bool(former)
    why = ""
    if deployed.api.has_pipeline and deployed.api.family is not RECOGNISERS:
        why = f" ({_ignored_in_yaml(values)})"
    elif "limit_side_len" in values:
        why = " (paddleocr 3.x ignores limits in inference.yml)"
    return deployed.passing(fix_keyword_text(used) + instead, {**used, **dict.fromkeys(former)}, why, note)


def _ignored_in_yaml(values: Values) -> str:
    """Return which of a pipeline's detector parameters an inference.yml does not set."""
    what = [name for name, keys in (("limits", LIMITS), ("thresholds", THRESHOLDS)) if set(keys) & values.keys()]
    return f"its pipeline ignores {' and '.join(what) or 'these'} in inference.yml, and has its own"


def _pass_to_predict(values: Values, deployed: Deployed) -> Fix:
    return _pass_to_predict_as({deployed.api.argument(name): value for name, value in values.items()})


def _pass_to_predict_as(values: Values) -> Fix:
    used, note = _nonzero_arguments(values)
    text = f"in the deployment, pass {fix_keyword_text(used)} to predict(); for this test, add the same to "
    return Fix(f"{text}inference.predict_options{note}", (Change("inference.predict_options", used),))


def _nonzero_arguments(values: Values) -> tuple[dict[str, Any], str]:
    """Return arguments with a small number in the place of 0, which paddleocr takes for not given, and a note of it."""
    zeros = [name for name, value in values.items() if value == 0 and value is not False]
    note = f" ({', '.join(zeros)} = 0 means not given there)" if zeros else ""
    return {name: LEAST if name in zeros else value for name, value in values.items()}, note


def _set_in_yaml(deployed: Deployed, operator: str, values: Values) -> Fix:
    """Return how an operator's arguments are written; those that are None are taken out."""
    steps = steps_text(values, ": ", _yaml_scalar_text)
    text = f"in {_config_label(deployed)}, under {operator}, {steps} (leave its other keys)"
    return Fix(text, (Change("inference.yml", dict(values), operator),))


def fix_edit_text(deployed: Deployed, change: Change) -> str:
    """Return how a change of the export's inference.yml is made."""
    if change.key == "DecodeImage" and DECODE not in deployed.written:
        arguments = {name: value for name, value in change.values.items() if value is not None}
        return f"in {_config_label(deployed)}, transform_ops, put first DecodeImage with {_yaml_text(arguments)}"
    return _set_in_yaml(deployed, change.key, change.values).text


def _config_label(deployed: Deployed) -> str:
    return image_label(str(deployed.config))


def fix_keyword_text(values: Values) -> str:
    """Return values as the keyword arguments of a call in Python."""
    return ", ".join(
        f'{name}="{value}"' if isinstance(value, str) else f"{name}={value!r}" for name, value in values.items()
    )


def _yaml_text(values: Values) -> str:
    """Return values as a YAML file has them, on one line."""
    return ", ".join(f"{name}: {_yaml_scalar_text(value)}" for name, value in values.items())


def _yaml_scalar_text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
