"""Networks that may have been exported in the place of the trained one, for experiments with an export's map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pytest_ocrparity.artifacts.model_files import PARAMS
from pytest_ocrparity.backends.ppocr.network import read_weights
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.diagnosis import Alternative
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.wording import image_label

Array: TypeAlias = "npt.NDArray[Any]"

MOST_CHECKPOINTS = 20
"""The newest in the checkpoint's folder; a training run writes many."""

BEST = "best_accuracy"
"""How PaddleOCR's training calls the best of them, which is also there as that of its epoch."""


def lookalikes(train: TrainingPipeline, other: Path | None) -> Iterator[Alternative]:
    """Yield the other networks of a trained model: its other sub-models, another checkpoint, training mode."""
    for name, sibling in train.network.siblings.items():
        yield Alternative("network.sub_model", name, sibling.run)
    if other is not None:
        network = train.network.with_state(read_weights(other, trust=train.files.trust))
        yield Alternative("network.weights.other_checkpoint", image_label(str(other)), network.run)
    for batch_norm, label in ((False, "training mode"), (True, "training mode, batch norm too")):
        yield Alternative("network.train_mode", label, train.network.in_train_mode(batch_norm=batch_norm).run)


def has_nearer_sibling(train: TrainingPipeline, exported: Mapping[str, Array]) -> bool:
    """Tell whether another sub-model holds more of an export's arrays than the train side's own."""
    own = _held(exported, train.network.arrays())
    return any(_held(exported, sibling.arrays()) > own for sibling in train.network.siblings.values())


def nearest_checkpoint(train: TrainingPipeline, exported: Mapping[str, Array]) -> Path | None:
    """Return the checkpoint beside the train side's own that holds most of an export's arrays, if any has more.

    Of several that hold as many, as copies do, it is the one that a user would name.
    """
    own = train.files.checkpoint
    best, most = None, _held(exported, train.network.arrays())
    for path in _candidates(train, own):
        try:
            values = read_weights(path, trust=train.files.trust)
        except ModelError:
            continue  # not a checkpoint that may be read, so not one that was exported by it
        held = _held(exported, {key: np.asarray(value) for key, value in values.items()})
        if held > most:
            best, most = path, held
    return best


def _held(exported: Mapping[str, Array], among: Mapping[str, Array]) -> int:
    """Count the exported arrays that occur in another network, bit for bit."""
    return len({_key(array) for array in exported.values()} & {_key(array) for array in among.values()})


def _key(array: Array) -> tuple[Any, ...]:
    return array.shape, str(array.dtype), array.tobytes()


def _candidates(train: TrainingPipeline, own: Path) -> list[Path]:
    settings = train.files.yml.get("Global") or {}
    named = [settings[key] for key in ("checkpoints", "pretrained_model") if settings.get(key)]
    folders = [train.files.config.parent, *([train.files.paddleocr_root] if train.files.paddleocr_root else [])]
    paths = [folder / f"{str(name).removesuffix(PARAMS)}{PARAMS}" for name in named for folder in folders]
    beside = sorted(own.parent.glob(f"*{PARAMS}"), key=lambda path: (path.stem != BEST, -path.stat().st_mtime))
    kept = {path.resolve(): path for path in (*paths, *beside[:MOST_CHECKPOINTS]) if path.is_file()}
    return sorted((path for real, path in kept.items() if real != own.resolve()), key=lambda path: path.stem != BEST)
