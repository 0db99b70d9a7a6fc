"""Sides that no class of paddleocr runs: scripts of a checkout, OpenVINO and RapidOCR, as settings describe them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pytest_ocrparity.errors import Mistakes, ModelError
from pytest_ocrparity.settings.engine_settings import RAPIDOCR, SCRIPTS
from pytest_ocrparity.stages import DETECTION, RECOGNITION, Task

if TYPE_CHECKING:
    from pytest_ocrparity.contract import Pipeline


def load_other_side(values: Mapping[str, Any], train_root: Path | None, limit: int | None, name: str) -> Pipeline:
    """Load a side that `settings.engine_settings.is_other_side` tells of.

    Args:
        values: the settings of the candidate.
        train_root: the checkout of the train side, whose scripts run where the candidate names none.
        limit: bytes that an image may take; None means what is available.
        name: how messages call it.

    Raises:
        ModelError: its files or its software do not load.
    """
    options = values.get("options")
    if values.get("api") in SCRIPTS:
        from pytest_ocrparity.backends.checkout.loading import load_script_side

        root = _root_of(values, train_root)
        given: dict[str, Any] = {"options": options, "memory_limit": limit, "name": name}
        side = load_script_side(values["api"], model_dir=values["model_dir"], paddleocr_root=root, **given)
        return cast("Pipeline", side)
    if values.get("api") == RAPIDOCR:
        from pytest_ocrparity.backends.rapidocr.rapid_loading import load_rapidocr_side

        return cast("Pipeline", load_rapidocr_side(values["model_file"], options, memory_limit=limit, name=name))
    from pytest_ocrparity.backends.openvino.openvino_recogniser import load_openvino_side

    files = {key: values[key] for key in ("model_dir", "model_file") if key in values}
    return cast("Pipeline", load_openvino_side(**files, options=options, memory_limit=limit, name=name))


def check_rapidocr_batch(task: Task, batch: int) -> None:
    """Refuse a batch of pages, which RapidOCR's detector is given one after the other.

    Raises:
        ModelError: it is one.
    """
    if task == DETECTION and batch > 1:
        raise ModelError(
            f"a batch of {batch} images was asked for, and RapidOCR hands its detector one page after the other (its "
            "recogniser has batches): take `batch` out of the settings, or leave out --ocr-batch"
        )


def _root_of(values: Mapping[str, Any], train_root: Path | None) -> Path:
    root: Path | None = values.get("paddleocr_root", train_root)
    if root is None:
        raise ModelError(
            f"inference.api is {values['api']!r}, and no PaddleOCR checkout is named: set inference.paddleocr_root"
        )
    return root


def other_side_problems(values: Mapping[str, Any], train_root: Path | None) -> list[str]:
    """Return what of such a side is not there or means nothing, as far as it shows without loading anything."""
    from pytest_ocrparity.artifacts.configs import read_config
    from pytest_ocrparity.artifacts.families import RECOGNISERS, family_of_export
    from pytest_ocrparity.artifacts.model_files import find_export_files, find_model_file
    from pytest_ocrparity.backends.isolation import check_checkout
    from pytest_ocrparity.backends.onnx.processing import configure_processing
    from pytest_ocrparity.backends.openvino.compiled import (
        find_openvino_file,
        is_openvino_recogniser,
        openvino_recogniser_options,
        split_openvino_options,
    )

    mistakes = Mistakes()
    if values.get("api") in SCRIPTS:
        with mistakes.gathering():
            check_checkout(_root_of(values, train_root), "inference.paddleocr_root")
        with mistakes.gathering():
            export = find_export_files(values["model_dir"])
            task = family_of_export(read_config(export.config)).task
            if task != (wanted := DETECTION if values["api"] == "predict_det" else RECOGNITION):
                raise ModelError(
                    f"{export.config} is of {task.name}, and {values['api']}.py runs models of {wanted.name}"
                )
    elif values.get("api") == RAPIDOCR:
        with mistakes.gathering():
            find_model_file(values["model_file"])
    else:
        with mistakes.gathering():
            file, config = find_openvino_file(values.get("model_dir"), values.get("model_file"))
            options = values.get("options") or {}
            if not is_openvino_recogniser(config):
                configure_processing(config, split_openvino_options(options)[1], file)
            elif config is not None:
                openvino_recogniser_options(options)
                RECOGNISERS.check_inference(read_config(config), config)
    return mistakes.texts
