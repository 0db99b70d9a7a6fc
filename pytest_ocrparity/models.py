"""Load the models that the settings describe, once per process and not per fixture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_ocrparity.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from pytest_ocrparity.golden import GoldenStore
    from pytest_ocrparity.pipelines.inference import InferencePipeline
    from pytest_ocrparity.pipelines.training import TrainingPipeline
    from pytest_ocrparity.settings import Settings

__all__ = ["golden_store", "inference_model", "train_model"]

_LOADED: dict[str, Any] = {}


def _once(key: str, load: Callable[[], Any]) -> Any:
    if key not in _LOADED:
        _LOADED[key] = load()
    return _LOADED[key]


def _needed(settings: Settings, table: str, key: str, option: str) -> Mapping[str, Any]:
    values: Mapping[str, Any] = getattr(settings, table)
    if key not in values:
        where = settings.file or "no settings file was found, and the command line"
        raise SettingsError(f"{where} sets no {table}.{key}: set it, or pass {option}")
    return values


def train_model(settings: Settings) -> TrainingPipeline:
    """Return the trained model.

    Raises:
        SettingsError: the settings name no training yml.
        ModelError: its files or its software do not load.
    """
    values = _needed(settings, "train", "config", "--ocr-train-config")

    def load() -> TrainingPipeline:
        from pytest_ocrparity.pipelines.training import load_training

        return load_training(**{"checkpoint": None, "paddleocr_root": None, **values})

    model: TrainingPipeline = _once(f"train {sorted(values.items())!r}", load)
    return model


def inference_model(settings: Settings) -> InferencePipeline:
    """Return the exported model.

    Raises:
        SettingsError: the settings name no export folder.
        ModelError: its files or its software do not load.
    """
    values = _needed(settings, "inference", "model_dir", "--ocr-inference-dir")

    def load() -> InferencePipeline:
        from pytest_ocrparity.pipelines.inference import load_inference

        return load_inference(**values)

    model: InferencePipeline = _once(f"inference {sorted(values.items())!r}", load)
    return model


def golden_store(settings: Settings) -> GoldenStore:
    """Return a store of baselines for one run, which knows the digests of the reference's files that are present."""
    from pytest_ocrparity.golden import GoldenStore
    from pytest_ocrparity.pipelines.files import find_export, fingerprint_export, fingerprint_training

    fingerprint: Mapping[str, str] = {}
    export: Mapping[str, str] = {}
    with suppress(ModelError):  # the export's digests are information: its own fixture says what is wrong with it
        if "model_dir" in settings.inference:
            export = fingerprint_export(find_export(settings.inference["model_dir"]))
    if settings.golden_reference == "train" and "config" in settings.train:
        train = settings.train
        fingerprint = fingerprint_training(train["config"], train.get("checkpoint"), train.get("paddleocr_root"))
    return GoldenStore(
        settings.golden_dir,
        root=settings.root,
        reference=settings.golden_reference,
        mode=settings.golden_mode,
        lossless=settings.tolerance["probability_maps.atol"].value == 0,
        fingerprint=fingerprint,
        options={"export": export, **{key: settings.inference.get(key) for key in ("options", "predict_options")}},
    )
