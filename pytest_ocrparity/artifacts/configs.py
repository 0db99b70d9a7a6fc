"""PaddleOCR's YAML files, checked before PaddleOCR or paddlex sees them.

Both libraries evaluate parts of a YAML file as Python: `create_operators` the operator names, and both of them
`NormalizeImage.scale`. So only known names and plain numbers are accepted. Reads text; imports no framework.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.files import LFS_POINTER
from pytest_ocrparity.stages import DECODE, DETECTIONS, RESIZE, TENSOR

ALGORITHMS: Final = ("DB", "DB++")
POST_PROCESSES: Final = ("DBPostProcess", "DistillationDBPostProcess")
NEEDED: Final = ("DecodeImage", "DetResizeForTest", "KeepKeys")

MODES: Final = ("BGR", "RGB")
"""The values of `DecodeImage.img_mode` with which paddleocr's classes run."""

OPERATORS: Final = frozenset(
    {
        "ColorJitter",
        "CopyPaste",
        "DecodeImage",
        "DetResizeForTest",
        "EastRandomCropData",
        "GroupRandomCropPadding",
        "GroupRandomHorizontalFlip",
        "GroupRandomRotate",
        "IaaAugment",
        "KeepKeys",
        "MakeBorderMap",
        "MakeShrinkMap",
        "NormalizeImage",
        "Pad",
        "RandomCropFlip",
        "RandomCropImgMask",
        "RandomCropPolyInstances",
        "RandomRotatePolyInstances",
        "RandomScaling",
        "Resize",
        "ScaleAlignedShort",
        "SquareResizePad",
        "ToCHWImage",
    }
)
"""The operators of PaddleOCR's detection YAML files. Label operators are not among them: they are dropped, as in
`tools/infer_det.py`, before names are evaluated."""

# A line that was said is not said again, so no two of these are equal.
BOXES_ALONE: Final = """\
The boxes of a detector of any kind can be compared, without a diagnosis: put this into conftest.py, with two functions
of yours that take the path of an image and return a list of (N, 2) arrays, x and y in its pixels, and a list of
scores or None; and use assert_same_detections alone in the tests:
    import pytest
    from pytest_ocrparity import Detections, Trace
    from my_detectors import boxes_of_the_export, boxes_of_the_trained_model  # yours
    class Boxes:
        def __init__(self, name, find):
            self.name, self.find = name, find
        def trace(self, image):
            polygons, scores = self.find(str(image))
            return Trace(pipeline=self.name, image=str(image), detections=Detections(tuple(polygons), scores))
    @pytest.fixture(scope="session", name="ocr_train_model")
    def trained_model():
        return Boxes("train", boxes_of_the_trained_model)
    @pytest.fixture(scope="session", name="ocr_inference_model")
    def exported_model():
        return Boxes("inference", boxes_of_the_export)"""
"""The way out for detectors that make no probability map as DB does, such as EAST, SAST, PSE and FCE."""

STAGE_OF: Final = {"DecodeImage": DECODE, "DetResizeForTest": RESIZE, "NormalizeImage": TENSOR}
"""The stage whose parameters an operator holds."""

_MOST: Final = 2**20
"""The bytes that a YAML file may have, and the letters it may have once its aliases are written out: hundreds of times
the largest detection YAML file. Ten lines of aliases of aliases fill any memory as soon as something prints them."""
_DEEPEST: Final = 50
_LONGEST_INTEGER: Final = 100
"""Letters: what has more can be longer than Python prints, or larger than a float holds."""
_UNREADABLE: Final = (ValueError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)
"""What PyYAML raises besides its own: dates and numbers that are none, and brackets without end."""

_NUMBER = r"\s*(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\s*"
_SCALE: Final = re.compile(f"{_NUMBER}(?:/{_NUMBER})?")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which looks at the size of a document before it builds anything of it."""

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None and _expanded_extent(node, {})[0] > _MOST:
            raise yaml.YAMLError(f"its aliases make it larger than {_MOST} letters")
        return node


def _expanded_extent(node: yaml.Node, known: dict[int, tuple[int, int]], depth: int = 0) -> tuple[int, int]:
    """Return how many letters a node has with all aliases written out, and how deep it is nested.

    Raises YAMLError where it is nested too deep, or without end as an alias inside of what it repeats is.
    """
    if isinstance(node, yaml.ScalarNode):
        if node.tag == "tag:yaml.org,2002:int" and len(node.value) > _LONGEST_INTEGER:
            raise yaml.YAMLError(f"a number of {len(node.value)} digits")
        return 1 + len(node.value), 0
    if depth + known.get(id(node), (0, 0))[1] > _DEEPEST:
        raise yaml.YAMLError(f"nested more than {_DEEPEST} deep")
    if id(node) not in known:
        parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
        inner = [_expanded_extent(part, known, depth + 1) for part in parts]
        known[id(node)] = 1 + sum(size for size, _ in inner), 1 + max((deep for _, deep in inner), default=0)
    return known[id(node)]


def read_config(path: Path) -> dict[str, Any]:
    """Return a YAML file's mapping.

    Raises:
        ModelError: it is missing, a git-lfs pointer, too large, not UTF-8, not YAML (Python tags included), or
            not a mapping.
    """
    return parse_config(read_config_text(path), path)


def read_config_text(path: Path) -> str:
    """Return the text of a YAML file, with its line ends as they are.

    Raises:
        ModelError: it is missing, a git-lfs pointer, too large or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot read this YAML file: {error.strerror or error}") from error
    if data.startswith(LFS_POINTER):
        raise ModelError(f"{path} is a git-lfs pointer, not the file itself: run `git lfs pull`")
    if len(data) > _MOST:
        raise ModelError(f"{path} has more than {_MOST} bytes, more than any PaddleOCR YAML file: is it another file?")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: not UTF-8 at byte {error.start}: save it as UTF-8") from error


def parse_config(text: str, path: Path) -> dict[str, Any]:
    """Return the mapping that the text of a YAML file is. Raises ModelError where it is none, or no YAML."""
    config = _parsed(text, path, yaml.load)
    if not isinstance(config, dict):
        raise ModelError(f"{path}: holds {_kind_name(config)}, not the mapping of a PaddleOCR YAML file")
    return config


def config_nodes(text: str, path: Path) -> yaml.Node | None:
    """Return the nodes of a YAML file, which know their places in its text. Raises ModelError as `parse_config`."""
    nodes: yaml.Node | None = _parsed(text, path, yaml.compose)
    return nodes


def _parsed(text: str, path: Path, parse: Callable[[str, type[_Loader]], Any]) -> Any:
    try:
        return parse(text, _Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise ModelError(f"{path}: not valid YAML{line}: {getattr(error, 'problem', None) or error}") from error
    except _UNREADABLE as error:
        raise ModelError(f"{path}: not valid YAML: {type(error).__name__}: {str(error)[:200]}") from error


_KIND_NAMES: Final = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
"""What YAML calls the types of its values; of others, numbers and dates, Python's name says as much."""


def _kind_name(value: object) -> str:
    return _KIND_NAMES.get(type(value), f"a value of type {type(value).__name__}")


def required_config_value(config: Mapping[str, Any], path: Path, key: str, kind: type, purpose: str) -> Any:
    """Return the value at a dotted key, or raise ModelError when it is absent, empty or of another kind."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if not isinstance(value, kind):
        raise ModelError(f"{path}: {key} is {_kind_name(value)}, not {_KIND_NAMES[kind]}: {purpose}")
    if not value:
        raise ModelError(f"{path}: {key} is empty: {purpose}")
    return value


def config_operators(transforms: list[Any], path: Path, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the (name, arguments) pairs of a list of operators.

    Raises:
        ModelError: an entry is not a mapping with one key, or its arguments are no mapping.
    """
    for index, entry in enumerate(transforms):
        if not isinstance(entry, Mapping) or len(entry) != 1:
            raise ModelError(f"{path}: {key}[{index}] is {entry!r}, not one operator name with its arguments")
        name, arguments = next(iter(entry.items()))
        if arguments is not None and not isinstance(arguments, Mapping):
            raise ModelError(f"{path}: {key}[{index}]: {name} has {arguments!r} for arguments, not a mapping")
        yield str(name), dict(arguments or {})


def config_scale(scale: object, path: Path, key: str) -> float:
    """Return a normalisation's scale: a number, or one written "a./b."; None means PaddleOCR's default, 1/255.

    Raises:
        ModelError: it is anything else, which PaddleOCR and paddlex would run as Python.
    """
    if scale is None:
        return 1.0 / 255.0
    value = float("nan")
    if isinstance(scale, int | float) and not isinstance(scale, bool):
        value = float(scale)
    elif isinstance(scale, str) and (match := _SCALE.fullmatch(scale)) and float(match[2] or 1):
        value = float(match[1]) / float(match[2] or 1)
    if not math.isfinite(value):
        raise ModelError(
            f"{path}: {key} is {scale!r}; write a number or a fraction such as 1./255. (PaddleOCR runs it as Python)"
        )
    return value


def config_parameters(
    transforms: list[Any],
    post_process: Mapping[str, Any],
    path: Path,
    stage_of: Mapping[str, str] = STAGE_OF,
    product: str = DETECTIONS,
) -> dict[str, dict[str, Any]]:
    """Return by stage name the parameters that a checked YAML file sets, as they stand there.

    Args:
        transforms: its operators.
        post_process: its PostProcess.
        path: where it lies.
        stage_of: by name of an operator, the stage whose parameters it holds.
        product: the stage whose parameters PostProcess holds.
    """
    found = {
        stage_of[name]: arguments
        for name, arguments in config_operators(transforms, path, "transforms")
        if name in stage_of
    }
    return {**found, product: dict(post_process)}


def check_config_operators(transforms: list[Any], path: Path, key: str, known: Collection[str], sort: str) -> list[str]:
    """Return the names of a list's operators, without label operators.

    Args:
        transforms: the list.
        path: the YAML file.
        key: where it has the list.
        known: the names that are let through.
        sort: what the file is of, "detection" or "recognition".

    Raises:
        ModelError: a name is not known, or a scale is not plain.
    """
    names = []
    for name, arguments in config_operators(transforms, path, key):
        if "Label" in name:
            continue
        if name not in known:
            raise ModelError(
                f"{path}: {key} names {name!r}, which is not among the operators of PaddleOCR's {sort} YAML files; "
                f"PaddleOCR runs names as Python, so only these are let through: {', '.join(sorted(known))}"
            )
        config_scale(arguments.get("scale"), path, f"{key}: {name}.scale")
        names.append(name)
    return names


def _check_algorithm(config: Mapping[str, Any], path: Path) -> None:
    architecture = required_config_value(config, path, "Architecture", dict, "this is no PaddleOCR training YAML file")
    algorithm = architecture.get("algorithm")
    if algorithm == "Distillation":
        models = required_config_value(
            config, path, "Architecture.Models", dict, "a Distillation YAML file lists its networks there"
        )
        found = {
            f"Architecture.Models.{name}": model.get("algorithm") if isinstance(model, Mapping) else None
            for name, model in models.items()
        }
    else:
        found = {"Architecture": algorithm}
    for where, value in found.items():
        if value not in ALGORITHMS:
            text = f"{path}: {where}.algorithm is {value!r}; only DB, DB++ and their Distillation are run here"
            raise ModelError(f"{text}. {BOXES_ALONE}")


def check_config_post_process(
    config: Mapping[str, Any], path: Path, known: tuple[str, ...], hint: str, purpose: str = "boxes"
) -> None:
    """Check the name of the post-process, which turns the probability map into what `purpose` says.

    Raises:
        ModelError: there is none, or one that is not known; its text ends with `hint`.
    """
    name = required_config_value(config, path, "PostProcess", dict, f"it turns the probability map into {purpose}").get(
        "name"
    )
    if name not in known:
        raise ModelError(f"{path}: PostProcess.name is {name!r}, not {' or '.join(known)}{hint}")


def check_training_post_process(
    config: Mapping[str, Any], path: Path, known: tuple[str, ...], way_out: str, purpose: str = "boxes"
) -> None:
    """Check the name of a training YAML file's post-process; `way_out` helps whose name is another. See above."""
    post_process = config.get("PostProcess")
    is_named = isinstance(post_process, Mapping) and isinstance(post_process.get("name"), str)
    check_config_post_process(config, path, known, f". {way_out}" if is_named else "", purpose)


def training_transforms(config: Mapping[str, Any], path: Path) -> tuple[str, list[Any]]:
    """Return the operators of the evaluation in a training YAML file, after the key that they stand under.

    Raises:
        ModelError: there are none, as in an inference.yml, which is easily taken for one.
    """
    key = "Eval.dataset.transforms"
    if "PreProcess" in config and "Eval" not in config:
        raise ModelError(f"{path} has no {key}: it is an inference.yml, of an export: name the training YAML file")
    return key, required_config_value(config, path, key, list, "they are the train side's preprocessing")


def check_training_config(config: Mapping[str, Any], path: Path) -> None:
    """Check a training YAML file before PaddleOCR sees it.

    Raises:
        ModelError: Eval.dataset.transforms, Architecture or PostProcess are missing or are not those of a DB detector,
            or an operator name or a scale is not plain.
    """
    key, transforms = training_transforms(config, path)
    names = check_config_operators(transforms, path, key, OPERATORS, "detection")
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise ModelError(f"{path}: {key} lacks {', '.join(missing)}, without which tools/infer_det.py cannot run")
    _check_algorithm(config, path)
    check_training_post_process(config, path, POST_PROCESSES, BOXES_ALONE)
    if config.get("Global") is not None:
        settings = required_config_value(config, path, "Global", dict, "fill it or leave it out")
        # create_operators merges Global into every operator, so its scale would reach NormalizeImage.
        config_scale(settings.get("scale"), path, "Global.scale")


def is_config_of_recogniser(config: Mapping[str, Any]) -> bool:
    """Tell whether a training YAML file is a recogniser's."""
    architecture = config.get("Architecture")
    return isinstance(architecture, Mapping) and architecture.get("model_type") == "rec"


def check_config_sub_model(architecture: Mapping[str, Any], sub_model: str | None, config: Path) -> None:
    """Check that `sub_model` picks one network of a Distillation YAML file, and that a plain one gets none.

    Raises:
        ModelError: it does not; the text lists the networks.
    """
    models = list(architecture["Models"]) if architecture.get("algorithm") == "Distillation" else []
    if models and sub_model not in models:
        wrong = "train.sub_model picks none" if sub_model is None else f"train.sub_model is {sub_model!r}"
        raise ModelError(f"{config} trains {len(models)} networks and {wrong}: set it to {' or '.join(models)}")
    if sub_model is not None and not models:
        raise ModelError(f"{config} trains one network, so train.sub_model = {sub_model!r} picks nothing: leave it out")


def check_export_config(config: Mapping[str, Any], path: Path) -> None:
    """Check that an export's inference.yml can be read, whoever runs it.

    Raises:
        ModelError: PreProcess.transform_ops or PostProcess are missing, or an operator name or a scale is not plain, or
            the post-process is none that paddleocr's TextDetection runs.
    """
    key = "PreProcess.transform_ops"
    transforms = required_config_value(
        config, path, key, list, "tools/export_model.py writes the Eval transforms there"
    )
    check_config_operators(transforms, path, key, OPERATORS, "detection")
    hint = ", the only one that paddleocr's TextDetection runs: write that name, the other keys may stay"
    check_config_post_process(config, path, POST_PROCESSES[:1], hint)


def check_inference_config(config: Mapping[str, Any], path: Path) -> None:
    """Check an export's inference.yml before paddlex sees it.

    Raises:
        ModelError: as `check_export_config` does, or it decodes to what paddleocr's TextDetection does not take.
    """
    check_export_config(config, path)
    check_config_modes(config, path, "TextDetection")


def check_config_modes(config: Mapping[str, Any], path: Path, api: str) -> None:
    """Check the colours that an export's DecodeImage decodes to.

    Raises:
        ModelError: this class of paddleocr's does not take them.
    """
    key = "PreProcess.transform_ops"
    for name, arguments in config_operators(config["PreProcess"]["transform_ops"], path, key):
        mode = arguments.get("img_mode", MODES[0])
        if name == "DecodeImage" and mode not in MODES:
            raise ModelError(
                f"{path}: {key}: DecodeImage.img_mode is {mode!r}; paddleocr's {api} takes three channels, BGR or RGB. "
                f"A network that was trained with it can't be deployed with {api}: set img_mode: BGR in the training "
                "YAML file, train again (or at least evaluate again), and export again. If BGR or RGB is set there, "
                "write the same here"
            )


def config_model_name(
    config: Mapping[str, Any], path: Path, given: str | None, example: str = "PP-OCRv5_mobile_det"
) -> str:
    """Return paddlex's name of an export's model: the setting `inference.model_name`, else that of its inference.yml.

    Args:
        config: its inference.yml.
        path: where that lies.
        given: the setting.
        example: a name that paddlex knows, for the message.

    Raises:
        ModelError: neither says one.
    """
    settings = config.get("Global")
    name = given or (settings.get("model_name") if isinstance(settings, Mapping) else None)
    if not name:
        raise ModelError(
            f"{path} has no Global.model_name (exports of 2.x, and of a training YAML file without one, have none): "
            f'set inference.model_name, such as model_name = "{example}"'
        )
    return str(name)
