"""The YAML files of text recognisers, checked before PaddleOCR or paddlex sees them.

Both stop at what they do not know with an error that has no text, or run on with something else: here each gets a
sentence. Reads text; imports no framework.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.artifacts.configs import (
    check_config_modes,
    check_config_operators,
    check_config_post_process,
    check_training_post_process,
    config_operators,
    read_config,
    required_config_value,
    training_transforms,
)
from pytest_ocrparity.artifacts.dictionary import check_export_dictionary
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.stages import DECODE, RESIZE

POST_PROCESSES: Final = ("CTCLabelDecode", "DistillationCTCLabelDecode")

RESIZES: Final = ("RecResizeImg", "SVTRRecResizeImg")
"""The operators that resize a line, normalise it and fill it up to a width, one of which a recogniser has."""

RANDOM: Final = frozenset({"ABINetRecAug", "BaseDataAugmentation", "ParseQRecAug", "RecAug", "RecConAug", "SVTRRecAug"})
"""PaddleOCR's recognition operators that draw random numbers."""

OPERATORS: Final = frozenset({"DecodeImage", "KeepKeys", *RESIZES, *RANDOM})
"""The operators of PaddleOCR's YAML files of recognisers with a CTC head, without label operators."""

STAGE_OF: Final = {"DecodeImage": DECODE, **dict.fromkeys(RESIZES, RESIZE)}
"""The stage whose parameters an operator holds."""

TEXTS_ALONE: Final = """\
The texts of a recogniser of any kind can be compared, without a diagnosis: put this into conftest.py, with two
functions of yours that take the path of an image and return its text and a score or None; and use assert_same_text
alone in the tests:
    import pytest
    from pytest_ocrparity import Recognition, Trace
    from my_recognisers import text_of_the_export, text_of_the_trained_model  # yours
    class Texts:
        def __init__(self, name, read):
            self.name, self.read = name, read
        def trace(self, image):
            return Trace(pipeline=self.name, image=str(image), recognition=Recognition(*self.read(str(image))))
    @pytest.fixture(scope="session", name="ocr_train_model")
    def trained_model():
        return Texts("train", text_of_the_trained_model)
    @pytest.fixture(scope="session", name="ocr_inference_model")
    def exported_model():
        return Texts("inference", text_of_the_export)"""
"""The way out for recognisers whose output is decoded otherwise than by CTC, such as SAR, NRTR, SRN and ABINet."""

_SORT: Final = "recognition"


def check_recogniser_training_config(config: Mapping[str, Any], path: Path) -> None:
    """Check a recogniser's training YAML file before PaddleOCR sees it.

    Raises:
        ModelError: Eval.dataset.transforms, Architecture or PostProcess are missing or are not those of a recogniser
            with a CTC head, an operator name is not plain, or the dataset resizes by itself.
    """
    key, transforms = training_transforms(config, path)
    check_training_post_process(config, path, POST_PROCESSES, TEXTS_ALONE, "text")
    names = check_config_operators(transforms, path, key, OPERATORS, _SORT)
    for needed in (("DecodeImage",), RESIZES, ("KeepKeys",)):
        if not set(needed) & set(names):
            raise ModelError(f"{path}: {key} lacks {' or '.join(needed)}, without which tools/eval.py cannot run")
    _check_resizes(transforms, path, key)
    dataset = config["Eval"]["dataset"].get("name")
    if dataset == "MultiScaleDataSet":
        raise ModelError(
            f"{path}: Eval.dataset.name is {dataset}, which resizes lines itself and passes {' and '.join(RESIZES)} "
            "over: set SimpleDataSet, which PaddleOCR's own YAML files evaluate with"
        )
    architecture = required_config_value(config, path, "Architecture", dict, "this is no PaddleOCR training YAML file")
    if architecture.get("algorithm") == "Distillation":
        purpose = "a Distillation YAML file lists its networks there"
        required_config_value(config, path, "Architecture.Models", dict, purpose)
    if config.get("Global") is not None:
        required_config_value(config, path, "Global", dict, "fill it or leave it out")


def check_recogniser_inference_config(config: Mapping[str, Any], path: Path) -> None:
    """Check a recogniser's inference.yml before paddlex sees it.

    What paddlex alone knows, such as which operators it runs, is said when it loads the export.

    Raises:
        ModelError: PreProcess.transform_ops or PostProcess are missing, an operator name is not plain, or paddleocr's
            TextRecognition would stop at a value without a word, or pass it over.
    """
    key = "PreProcess.transform_ops"
    transforms = required_config_value(
        config, path, key, list, "tools/export_model.py writes the Eval transforms there"
    )
    hint = ", the only one that paddleocr's TextRecognition runs: "
    post_process = config.get("PostProcess")
    if isinstance(post_process, Mapping) and post_process.get("name") == POST_PROCESSES[1]:
        hint += "write that name, the other keys may stay"
    else:
        hint += "a network with another head than CTC can't be deployed with it"
    check_config_post_process(config, path, POST_PROCESSES[:1], hint, "text")
    names = check_config_operators(transforms, path, key, OPERATORS, _SORT)
    if not set(RESIZES) & set(names):
        raise ModelError(
            f"{path}: {key} lacks {RESIZES[0]}, without which paddlex stops at the first image: write it there with "
            "the image_shape of the training YAML file"
        )
    _check_resizes(transforms, path, key)
    check_config_modes(config, path, "TextRecognition")
    check_export_dictionary(config["PostProcess"], path)


def _check_resizes(transforms: list[Any], path: Path, key: str) -> None:
    """Check that each resize has a height and a width, and three channels."""
    for name, arguments in config_operators(transforms, path, key):
        if name not in RESIZES:
            continue
        shape: Any = arguments.get("image_shape")
        is_list = isinstance(shape, list) and len(shape) == 3
        if not is_list or shape[0] != 3 or not all(type(side) is int and side > 0 for side in shape):
            raise ModelError(
                f"{path}: {key}: {name}.image_shape is {shape!r}, not [3, height, width] in pixels: a recogniser takes "
                "three channels here and in paddleocr's TextRecognition"
            )


def recogniser_config_shape(transforms: list[Any], path: Path) -> tuple[int, int, int]:
    """Return the channels, height and base width in pixels that a checked list of operators resizes a line to."""
    found = [arguments["image_shape"] for name, arguments in config_operators(transforms, path, "") if name in RESIZES]
    channels, height, width = found[-1]
    return channels, height, width


def unknown_recogniser_config_operators(path: Path, known: Collection[str]) -> str:
    """Say at which operators of an inference.yml TextRecognition stops, and what to write in their place.

    Args:
        path: the file.
        known: those that it runs.
    """
    transforms = read_config(path)["PreProcess"]["transform_ops"]
    unknown = {
        name: own for name, own in config_operators(transforms, path, "PreProcess.transform_ops") if name not in known
    }
    ways = [_in_place_of(name, arguments) for name, arguments in unknown.items()]
    return (
        f"{path}: paddleocr's TextRecognition knows no {' and no '.join(map(repr, unknown))}, and stops there without "
        f"a word; it knows {', '.join(sorted(known))}. After each export, change that file: {'; '.join(ways)}"
    )


def _in_place_of(name: str, arguments: Mapping[str, Any]) -> str:
    if "Label" in name:
        return f"take {name} out, as a deployment reads no labels"
    if name in RANDOM:
        return f"take {name}, a random operator, out, and out of Eval.dataset.transforms of the training YAML file"
    shape = arguments.get("image_shape")
    text = f"write {RESIZES[0]} with image_shape: {shape} in the place of {name}"
    if arguments.get("padding", True):
        return f"{text}, which lets a line be wider than that, where the evaluation squeezes it"
    return (
        f"{text}, and set inference.options = {{ input_shape = {shape} }}, which TextRecognition takes as well: it "
        "stretches a line as padding: false does"
    )
