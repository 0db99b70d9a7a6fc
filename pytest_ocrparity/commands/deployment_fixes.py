"""What proved fixes change in a deployment's code, worded to be pasted: the call, the command line, YAML."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from pytest_ocrparity.artifacts.ocr_options import PREFIX
from pytest_ocrparity.backends.paddlex.deployed import API_OF, APIS, DETECTOR_BLOCK, TEXT_DETECTION
from pytest_ocrparity.backends.paddlex.fixes import fix_keyword_text
from pytest_ocrparity.commands.proved_fixes import CODE, ProvedFix
from pytest_ocrparity.diagnosis import Change
from pytest_ocrparity.settings.engine_settings import is_other_side

_COMMANDS: Final = {"TextDetection": "text_detection", "TextRecognition": "text_recognition", "PaddleOCR": "ocr"}
"""The subcommand of `paddleocr` that runs each class."""
_PREDICT: Final = "predict_options"


def deployment_lines(fixes: Sequence[ProvedFix], values: Mapping[str, Any], models: Mapping[str, str]) -> Iterator[str]:
    """Yield what to paste for the fixes of one candidate.

    Args:
        fixes: of a candidate; no two contradict each other.
        values: what the settings of the run said of it.
        models: the arguments that name its models and their folders.
    """
    changes = [change for fix in fixes for change in fix.changes(CODE)]
    by_setting: dict[str, dict[str, Any]] = {}
    for change in changes:
        by_setting.setdefault(change.where.rpartition(".")[2], {}).update(change.values)
    in_file = {**by_setting.get("options_file", {}), **by_setting.get("factory", {})}
    given: dict[str, Mapping[str, Any]] = {
        name: by_setting[name] for name in ("options", _PREDICT) if name in by_setting
    }
    api = values.get("api", API_OF.get(fixes[0].task, TEXT_DETECTION).name)
    is_called = isinstance(api, str) and api in APIS and not values.keys() & {"model_file", "factory"}
    if given and is_called and not is_other_side(values):
        yield from _call_lines(api, given, values, models)
    elif given:
        in_file |= {name: value for each in given.values() for name, value in each.items()}
    if in_file:
        yield "as YAML, where the deployment has its options:"
        yield from _yaml_lines(in_file)
    for change in changes:
        if change.where == "paddlex_config":
            yield f"in the pipeline's YAML file, under {change.key}:"
            yield from _yaml_lines(_nested(change))


def _nested(change: Change) -> dict[str, Any]:
    found: dict[str, Any] = dict(change.values)
    for part in reversed(change.key.split(".")):
        found = {part: found}
    return found


def _call_lines(
    api: str, given: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any], models: Mapping[str, str]
) -> Iterator[str]:
    before = {name: _options(values.get(name)) for name in ("options", _PREDICT)}
    if isinstance(values.get("engine"), str):
        before["options"] = {"engine": values["engine"], **before["options"]}
    after = {name: _changed(options, given.get(name, {})) for name, options in before.items()}
    yield "the call:"
    old, new = (_call(api, models, each) for each in (before, after))
    difference = difflib.unified_diff(old, new, "as it was compared", "with the fix", n=20, lineterm="")
    yield from (f"  {line}" for line in difference if not line.startswith("@@"))
    if "options" in given:
        yield "the command line:"
        arguments = {**models, **after["options"]}
        words = ["paddleocr", _COMMANDS[api], "-i", "IMAGE"]
        for name, value in arguments.items():
            words += [f"--{name}", *_words(value)] if name != "engine_config" else []
        yield f"  {shlex.join(words)}"
    if given.get(_PREDICT):
        yield f"  (predict() alone takes {', '.join(given[_PREDICT])}: the command line has no such flag)"
    if set_ := {name: value for name, value in given.get("options", {}).items() if value is not None}:
        yield "as YAML, where options are read from a file:"
        yield from _yaml_lines(set_)
    inner = {name.removeprefix(PREFIX): value for name, value in set_.items() if name.startswith(PREFIX)}
    if api == "PaddleOCR" and inner and len(inner) == len(set_):  # others stand elsewhere in it
        yield "or in the pipeline's YAML file (paddlex_config):"
        yield from _yaml_lines(_nested(Change("paddlex_config", inner, DETECTOR_BLOCK)))


def _options(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _changed(options: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**options, **values}.items() if value is not None}


def _call(api: str, models: Mapping[str, str], given: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [f"model = {api}("]
    lines += [f"    {fix_keyword_text({name: value})}," for name, value in {**models, **given["options"]}.items()]
    last = fix_keyword_text(given[_PREDICT])
    return [*lines, ")", f"results = model.predict(image{', ' if last else ''}{last})"]


def _words(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _yaml_lines(values: Mapping[str, Any]) -> list[str]:
    text: str = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
    return [f"  {line}" for line in text.splitlines()]
