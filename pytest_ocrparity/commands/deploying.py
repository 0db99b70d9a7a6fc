"""`python -m pytest_ocrparity deploy`: the right call of each API, before anything fails."""

from __future__ import annotations

import argparse
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.artifacts.configs import (
    check_export_config,
    check_training_config,
    config_model_name,
    config_parameters,
    is_config_of_recogniser,
    read_config,
)
from pytest_ocrparity.artifacts.evaluation import evaluated_parameters
from pytest_ocrparity.artifacts.families import family_of_export
from pytest_ocrparity.artifacts.model_files import find_export_files
from pytest_ocrparity.artifacts.ocr_options import all_ocr_options, without_ocr_options
from pytest_ocrparity.backends.calls import Call, calls_of, needs_of, settings_text
from pytest_ocrparity.backends.paddlex.deployed import Deployed
from pytest_ocrparity.commands.settings_of_project import SETTINGS_HELP, settings_of_project
from pytest_ocrparity.errors import ModelError, SettingsError
from pytest_ocrparity.settings import Settings, load_settings
from pytest_ocrparity.settings.candidates import Candidate
from pytest_ocrparity.settings.engine_settings import is_other_side, with_engine_setting
from pytest_ocrparity.settings.result_files import RESULTS
from pytest_ocrparity.stages import DETECTION
from pytest_ocrparity.wording import image_label, path_from, value_text

DESCRIPTION = """Print for each API of PaddleOCR the call, flags or YAML under which an export does what its training
YAML file evaluates, and what that API cannot do. Reads the settings (a file, else the nearest one upward from here), or
the two given paths. Runs no model and imports no framework. Exits 0, or 2 for wrong files or settings."""


_WHAT_RUNS: Final = {"model_dir", "model_file", "factory", "results"}
_WAY_OUT: Final = "pass --train-config=YML and --inference-dir=DIR"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("settings", type=Path, nargs="?", help=SETTINGS_HELP)
    parser.add_argument("--train-config", metavar="YML", help="the training YAML file")
    parser.add_argument("--inference-dir", metavar="DIR", help="the export folder")


def run(given: argparse.Namespace) -> tuple[list[str], int]:
    """Return the calls, and the exit status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # who loads the export warns
        return list(_deploy_lines(given)), 0


def _deploy_lines(given: argparse.Namespace) -> Iterator[str]:
    settings = _deploy_settings(given)
    config = settings.train.get("config")
    candidates = list(settings.candidates.values())
    of_lines = None if settings.recognition is None else settings.recognition.train.get("config")
    if config is None and of_lines is not None:
        raise ModelError(_of_a_recogniser(of_lines))
    if config is None or not any(each.values.keys() & _WHAT_RUNS for each in candidates):
        missing = "train.config" if config is None else "inference.model_dir"
        raise SettingsError(f"{settings.file or 'the command line'} sets no {missing}: set it, or {_WAY_OUT}")
    yml = read_config(config)
    if is_config_of_recogniser(yml):
        raise ModelError(_of_a_recogniser(config))
    check_training_config(yml, config)
    wanted = evaluated_parameters(yml, config)
    yield f"{image_label(str(config))} evaluates:"
    for stage, values in wanted.items():
        yield f"  {stage}: {', '.join(f'{name} {value_text(value)}' for name, value in values.items())}"
    architecture = yml["Architecture"]
    algorithm = architecture["algorithm"]
    if algorithm == "Distillation":
        algorithm = next(iter(architecture["Models"].values()))["algorithm"]
    for candidate in candidates:
        if why := _no_call_of(candidate.values):
            yield from ("", f"{candidate.name}: {why}")
        else:
            yield from _lines_of(candidate, settings, wanted, algorithm)
    if of_lines is not None:
        yield from ("", f"note: {_of_a_recogniser(of_lines)}")


def _of_a_recogniser(config: Path) -> str:
    return (
        f"{image_label(str(config))} is of a recogniser, and deploy prints calls for detectors alone: "
        "TextRecognition(model_dir=...) without input_shape reads a line as wide as it is"
    )


def _no_call_of(values: Mapping[str, Any]) -> str:
    """Return why no call of PaddleOCR's is printed for a candidate, and what to do; nothing where one is."""
    if values.get("api") == RESULTS:
        return "its results are written elsewhere: whatever writes them has to do the above"
    if "factory" in values:
        return (
            f"{values['factory']} makes its object: have it made with what is printed for its class, by pointing "
            "--inference-dir=DIR at its export folder"
        )
    if "model_file" in values:
        return (
            f"{image_label(str(values['model_file']))} runs without PaddleOCR: your own code around it has to do the "
            "above, and inference.options has to say what that code does"
        )
    return ""


def _deploy_settings(given: argparse.Namespace) -> Settings:
    """Return the settings of the given or nearest file, with the two paths of the command line over them."""
    options = {"ocr_train_config": given.train_config, "ocr_inference_dir": given.inference_dir}
    if given.settings is None and all(options.values()):
        return load_settings(None, options, Path.cwd())
    return settings_of_project(given.settings, options, f"name one, or {_WAY_OUT}")


def _lines_of(
    candidate: Candidate, settings: Settings, wanted: Mapping[str, Mapping[str, Any]], algorithm: str
) -> Iterator[str]:
    """Yield what is printed of one export."""
    values = with_engine_setting(candidate.values)
    if is_other_side(candidate.values):  # its options are none of paddleocr's
        values = {"model_dir": values["model_dir"]}
    export = find_export_files(values["model_dir"])
    yml = read_config(export.config)
    if family_of_export(yml).task != DETECTION:
        config = settings.train["config"]
        raise ModelError(f"{config} is of a detector and {export.config} of a recogniser: name the detector's export")
    check_export_config(yml, export.config)
    deployed = Deployed(
        name=candidate.name,
        model_name=config_model_name(yml, export.config, values.get("model_name")),
        config=export.config,
        written=config_parameters(yml["PreProcess"]["transform_ops"], yml["PostProcess"], export.config),
        options=without_ocr_options(
            all_ocr_options(values.get("options"), values.get("options_file"), values.get("folder"))
        ),
        predict_options={} if values.get("api") == "PaddleOCR" else values.get("predict_options") or {},
    )
    yield ""
    yield f"{candidate.name}: {image_label(str(export.folder))}"
    for call in calls_of(wanted, deployed, algorithm, image_label(str(export.folder))):
        yield from _lines_of_call(call)
        if call.api == "paddleocr.TextDetection":
            folder = path_from(settings.root, export.folder)
            yield "  settings of the gate:"
            needs = needs_of(wanted, deployed)
            yield from _indented_call(settings_text(needs, deployed, folder, values.get("model_name")))


def _lines_of_call(call: Call) -> Iterator[str]:
    yield ""
    yield call.api
    for each in call.first:
        yield f"  first: {each}"
    yield from _indented_call(call.text)
    for each in call.cannot:
        yield f"  cannot: {each}"
    for each in call.notes:
        yield f"  note: {each}"


def _indented_call(text: str) -> list[str]:
    return textwrap.indent(text, "    ").splitlines()
