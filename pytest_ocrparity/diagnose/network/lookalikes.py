"""Finds networks that may have been exported in the place of the trained one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pytest_ocrparity.artifacts.model_files import PARAMS
from pytest_ocrparity.backends.ppocr.network import read_network_state
from pytest_ocrparity.backends.ppocr.trained_side import TrainedSide
from pytest_ocrparity.diagnosis import Alternative
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.trace import Array
from pytest_ocrparity.wording import image_label

MOST_CHECKPOINTS = 20
"""Most checkpoints of the folder that are read, the newest first; a training run writes many."""

BEST = "best_accuracy"
"""How PaddleOCR names a copy of the best checkpoint; it also lies there under its epoch."""


class Neighbour(NamedTuple):
    """Another checkpoint that holds more of an export's arrays than the trained network does.

    Attributes:
        path: its file.
        held: how many of the arrays that the trained network does not hold it does.
        missing: how many these are in all. Those of one value are left out of both, as any layer may begin so.
    """

    path: Path
    held: int
    missing: int


def lookalikes(train: TrainedSide, other: Path | None) -> Iterator[Alternative]:
    """Yield the other networks of a trained model: its other sub-models, another checkpoint, training mode."""
    for name, sibling in train.network.siblings.items():
        yield Alternative("network.sub_model", name, sibling.run)
    if other is not None:
        network = train.network.with_state(read_network_state(other, trust=train.files.trust))
        yield Alternative("network.weights.other_checkpoint", image_label(str(other)), network.run)
    for batch_norm, label in ((False, "training mode"), (True, "training mode, batch norm too")):
        yield Alternative("network.train_mode", label, train.network.in_train_mode(batch_norm=batch_norm).run)


def has_nearer_lookalike(train: TrainedSide, exported: Mapping[str, Array]) -> bool:
    """Return whether another sub-model holds more of an export's arrays than the train side's own."""
    wanted = _array_keys(exported)
    most = len(wanted & _array_keys(train.network.arrays()))
    return any(len(wanted & _array_keys(each.arrays())) > most for each in train.network.siblings.values())


def nearest_lookalike_checkpoint(train: TrainedSide, exported: Mapping[str, Array]) -> Neighbour | None:
    """Return the checkpoint that holds most of an export's arrays; None where none holds more than the train side's.

    Of several that hold as many, `best_accuracy` wins, then the YAML file's, then the newest.
    """
    wanted, own = _array_keys(exported), _array_keys(train.network.arrays())
    best, most = None, len(wanted & own)
    missing = _array_keys({name: array for name, array in exported.items() if _is_varied(array)}) - own
    for path in _other_checkpoints(train, train.files.checkpoint):
        try:
            values = read_network_state(path, trust=train.files.trust)
        except ModelError:
            continue  # it can't be read safely, so its weights stay unknown
        keys = _array_keys({key: np.asarray(value) for key, value in values.items()})
        if (held := len(wanted & keys)) > most:
            best, most = Neighbour(path, len(missing & keys), len(missing)), held
    return best


def _array_keys(arrays: Mapping[str, Array]) -> set[tuple[Any, ...]]:
    return {(array.shape, str(array.dtype), array.tobytes()) for array in arrays.values()}


def _is_varied(array: Array) -> bool:
    return array.size > 0 and bool((array != array.flat[0]).any())


def _other_checkpoints(train: TrainedSide, own: Path) -> list[Path]:
    """Return the other checkpoints that the YAML file names or that lie beside the train side's own."""
    settings = train.files.yml.get("Global") or {}
    named = [settings[key] for key in ("checkpoints", "pretrained_model") if settings.get(key)]
    folders = [train.files.config.parent, *([train.files.paddleocr_root] if train.files.paddleocr_root else [])]
    paths = [folder / f"{str(name).removesuffix(PARAMS)}{PARAMS}" for name in named for folder in folders]
    beside = sorted(own.parent.glob(f"*{PARAMS}"), key=lambda path: (path.stem != BEST, -path.stat().st_mtime))
    kept = {path.resolve(): path for path in (*paths, *beside[:MOST_CHECKPOINTS]) if path.is_file()}
    return sorted((path for real, path in kept.items() if real != own.resolve()), key=lambda path: path.stem != BEST)
