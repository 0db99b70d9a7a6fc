"""The options of paddleocr's classes as far as files show: a file of options, a pipeline's YAML file, absent models.

Imports no framework: the header of a run and findings ask here too.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.settings.setting_paths import with_absolute_option_paths

Options = Mapping[str, Any]

PREFIX: Final = "text_det_"
"""What the arguments of `PaddleOCR` put before the name of a parameter of its detector."""

LIMITS: Final = ("limit_side_len", "limit_type")
THRESHOLDS: Final = ("thresh", "box_thresh", "unclip_ratio")

TEXT_LINES: Final = "use_textline_orientation"
FORMER: Final = {
    "det_limit_side_len": "text_det_limit_side_len",
    "det_limit_type": "text_det_limit_type",
    "det_db_thresh": "text_det_thresh",
    "det_db_box_thresh": "text_det_box_thresh",
    "det_db_unclip_ratio": "text_det_unclip_ratio",
    "rec_model_dir": "text_recognition_model_dir",
    "rec_batch_num": "text_recognition_batch_size",
    "use_angle_cls": TEXT_LINES,
    "cls_model_dir": "textline_orientation_model_dir",
    "cls_batch_num": "textline_orientation_batch_size",
}
"""The arguments of `PaddleOCR` that paddleocr 2.x had, which it still takes, with today's names. With both it stops."""

DETECTOR: Final = ("SubModules", "TextDetection")
PREPROCESSOR: Final = ("SubPipelines", "DocPreprocessor")
ORIENTATION, UNWARPING = "use_doc_orientation_classify", "use_doc_unwarping"


class Model(NamedTuple):
    """A model of the pipeline besides detector and recogniser.

    Attributes:
        switch: the argument of `PaddleOCR` and of its `predict` that has it on or off.
        label: how messages call what it does.
        place: where the pipeline's configuration has its switch.
        module: its name among that place's SubModules.
        folder: the argument that names its folder.
    """

    switch: str
    label: str
    place: tuple[str, ...]
    module: str
    folder: str


MODELS: Final = (
    Model(
        ORIENTATION,
        "document preprocessor",
        PREPROCESSOR,
        "DocOrientationClassify",
        "doc_orientation_classify_model_dir",
    ),
    Model(UNWARPING, "document preprocessor", PREPROCESSOR, "DocUnwarping", "doc_unwarping_model_dir"),
    Model(TEXT_LINES, "text-line orientation", (), "TextLineOrientation", "textline_orientation_model_dir"),
)


class Absent(NamedTuple):
    """A model of `MODELS` that the deployment runs and that is not on this machine; `name` is paddlex's for it."""

    model: Model
    name: str


def read_ocr_options(file: Path) -> dict[str, Any]:
    """Return the options in a YAML or JSON file.

    Raises:
        ModelError: it is missing, no such file, or holds something else than a mapping.
    """
    if file.suffix.lower() != ".json":
        options = read_config(file)
        if words := [key for key in options if not isinstance(key, str)]:
            raise ModelError(f"{file}: the key {words[0]!r} is no text: put it in quotation marks")
        return options
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise ModelError(f"{file}: cannot read this options file: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{file} holds no mapping of options to their values, but {type(found).__name__}")
    return found


def all_ocr_options(options: Options | None, options_file: Path | None, folder: Path | None) -> dict[str, Any]:
    """Return the options of a file with those of the settings on top; the file's paths start at `folder` as well.

    Raises:
        ModelError: see `read_ocr_options`.
    """
    in_file = {} if options_file is None else with_absolute_option_paths(read_ocr_options(options_file), folder)
    return {**in_file, **(options or {})}


def with_todays_names(options: Options) -> dict[str, Any]:
    """Return the options of `PaddleOCR` that are given, by the names that its arguments have today."""
    return {FORMER.get(name, name): value for name, value in options.items() if value is not None}


def ocr_options_block(config: Options, *keys: str) -> Options:
    """Return a block of a configuration; nothing where it has none."""
    for key in keys:
        inner = config.get(key) if isinstance(config, Mapping) else None
        config = inner if isinstance(inner, Mapping) else {}
    return config


def detection_pipeline(config: Options) -> Options:
    """Return the block of a pipeline's configuration that finds text: PP-StructureV3 has it as a pipeline inside."""
    return ocr_options_block(config, "SubPipelines", "GeneralOCR") or config


def without_ocr_options(options: Options) -> dict[str, Any]:
    """Return options without those that only `PaddleOCR` takes, about its detector and about its other models."""
    first_words = ("text_", "doc_", "textline_", "use_doc_", "use_textline_", "det_", "rec_", "cls_", "use_angle_")
    others = ("paddlex_config", "lang", "ocr_version", "return_word_box")
    return {name: each for name, each in options.items() if not name.startswith(first_words) and name not in others}


def base_ocr_options(options: Options) -> Options | None:
    """Return the configuration that `PaddleOCR` starts from, before its arguments; None where paddlex is not installed.

    Raises:
        ModelError: the user's own YAML file can't be read.
    """
    given = options.get("paddlex_config")
    if isinstance(given, Mapping):
        return detection_pipeline(given)
    if isinstance(given, str) and given.endswith((".yml", ".yaml")):
        return detection_pipeline(read_config(Path(given)))
    with suppress(ImportError, ModelError, AttributeError):
        spec = importlib.util.find_spec("paddlex")  # without importing it
        if spec is None or spec.origin is None:
            return None
        folder = Path(spec.origin).parent / "configs" / "pipelines"
        return detection_pipeline(read_config(folder / f"{given or 'OCR'}.yaml"))
    return None


def is_paddleocr_merging_switches() -> bool:
    """Tell whether `PaddleOCR` makes of the preprocessor's two switches that of the whole: since paddleocr 3.4 it does.

    True where it is not installed.
    """
    with suppress(importlib.metadata.PackageNotFoundError, ValueError):
        return [int(each) for each in importlib.metadata.version("paddleocr").split(".")[:2]] >= [3, 4]
    return True


MERGES_SWITCHES: Final = is_paddleocr_merging_switches()
"""Asked once, since reading an untrusted file opens no other."""


def models_of_ocr_options(config: Options, options: Options, predict_options: Options) -> Iterator[Model]:
    """Yield the models besides detector and recogniser that `PaddleOCR` would run on each image.

    As `PaddleOCR` has it: of the preprocessor's two switches, one that is False and one that is not given have both
    off, whatever the configuration says.
    """
    options = with_todays_names(options)
    turned, unwarped = options.get(ORIENTATION), options.get(UNWARPING)
    whole = (turned or unwarped) if MERGES_SWITCHES else None
    has_preprocessor = config.get("use_doc_preprocessor", True) if whole is None else whole
    asked = [predict_options.get(name) for name in (ORIENTATION, UNWARPING)]
    if asked != [None, None] and True not in asked:
        has_preprocessor = False
    for model in MODELS:
        is_on, called = options.get(model.switch), predict_options.get(model.switch)
        is_on = ocr_options_block(config, *model.place).get(model.switch, True) if is_on is None else is_on
        if is_on and called in (None, True) and (has_preprocessor or not model.place):
            yield model


def absent_models_of_ocr_options(options: Options, predict_options: Options) -> list[Absent]:
    """Return what the deployment runs and has no model for on this machine: paddleocr would download each.

    Raises:
        ModelError: the user's own pipeline YAML file can't be read.
    """
    config, options = base_ocr_options(options), with_todays_names(options)
    if config is None:
        return []
    found = []
    for model in models_of_ocr_options(config, options, predict_options):
        block = ocr_options_block(config, *model.place, "SubModules", model.module)
        argument = model.folder.removesuffix("_dir")
        name = options.get(f"{argument}_name") or block.get("model_name") or model.module
        folder = options.get(model.folder) or block.get("model_dir")
        if not folder and not _is_there(model_cache() / str(name).strip()):
            found.append(Absent(model, str(name).strip()))
    return found


def ocr_option_problems(options: Options) -> list[str]:
    """Return a sentence for each folder and file that options name and that is not there."""
    found = []
    for name, value in options.items():
        if name.endswith("_model_dir") and isinstance(value, str) and not _is_there(Path(value), Path.is_dir):
            found.append(f"inference.options: {name} = {value}: no such folder")
    config = options.get("paddlex_config")
    if isinstance(config, str) and config.endswith((".yml", ".yaml")) and not _is_there(Path(config), Path.is_file):
        found.append(f"inference.options: paddlex_config = {config}: no such file")
    return found


def _is_there(path: Path, is_it: Callable[[Path], bool] = Path.exists) -> bool:
    """Tell whether a path is there: one whose name no file can have is not."""
    with suppress(OSError, ValueError):
        return is_it(path)
    return False


def model_cache() -> Path:
    """Return the folder in which paddlex keeps what it has downloaded."""
    home = os.environ.get("PADDLE_PDX_CACHE_HOME") or Path.home() / ".paddlex"
    return Path(home) / "official_models"


def ocr_options_not_judged(options: Options, predict_options: Options) -> list[str]:
    """Return a sentence for each part of the pipeline that the deployment has and this test has not.

    Raises:
        ModelError: see `absent_models_of_ocr_options`.
    """
    absent = absent_models_of_ocr_options(options, predict_options)
    lines = []
    for label in dict.fromkeys(each.model.label for each in absent):
        parts = [each for each in absent if each.model.label == label]
        names, folders = " and ".join(each.name for each in parts), ", ".join(each.model.folder for each in parts)
        switches = ", ".join(f"{each.model.switch}=False" for each in parts)
        is_many = len(parts) > 1
        lines.append(
            f"{label}: on in your deployment, not judged, its model{'s are' if is_many else ' is'} not here ({names}): "
            f"set {folders} in inference.options, or deploy with {switches}"
        )
    return lines
