"""Which checkpoint an export is said to come from, where several hold its weights."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline
from pytest_ocrparity.diagnose.network import lookalikes
from pytest_ocrparity.diagnose.network.lookalikes import nearest_lookalike_checkpoint
from real.blob import Model

Weights = Mapping[str, np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def other(train: TrainingPipeline, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Weights]:
    """A checkpoint of other weights, and the arrays of its export."""
    path = tmp_path_factory.mktemp("other") / "other.pdparams"
    with isolated():
        import paddle

        state = {key: np.asarray(array + 1) for key, array in _by_key(train).items()}
        paddle.save({key: paddle.to_tensor(value) for key, value in state.items()}, str(path))
    return path, state


def _by_key(train: TrainingPipeline) -> Weights:
    arrays, keys = train.network.arrays(), train.network.keys()
    return {keys[name]: array for name, array in arrays.items()}


def folder(tmp_path: Path, model: Model, other: Path, names: Sequence[str]) -> Path:
    """Return the own checkpoint in a folder with copies of the other one, each older than the one before."""
    shutil.copy(model.checkpoint, tmp_path / "own.pdparams")
    for age, name in enumerate(names):
        path = tmp_path / f"{name}.pdparams"
        shutil.copy(other, path)
        os.utime(path, (1e9 - age, 1e9 - age))
    return tmp_path / "own.pdparams"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("iter_epoch_2", "best_accuracy"), "best_accuracy"),
        (("best_accuracy", "iter_epoch_2"), "best_accuracy"),
        (("iter_epoch_3", "iter_epoch_2", "best_accuracy"), "best_accuracy"),
        (("iter_epoch_2", "iter_epoch_1"), "iter_epoch_2"),
    ],
)
def test_of_equal_ones_the_best_is_named(
    train: TrainingPipeline,
    model: Model,
    tmp_path: Path,
    other: tuple[Path, Weights],
    names: Sequence[str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lookalikes, "MOST_CHECKPOINTS", 2)
    side = copy.copy(train)
    side.files = replace(train.files, checkpoint=folder(tmp_path, model, other[0], names))
    found = nearest_lookalike_checkpoint(side, other[1])
    assert found is not None
    assert found.path == tmp_path / f"{expected}.pdparams"


def test_one_that_holds_more_comes_before_the_best(
    train: TrainingPipeline, model: Model, tmp_path: Path, other: tuple[Path, Weights]
) -> None:
    own = folder(tmp_path, model, other[0], ["iter_epoch_2"])
    with isolated():
        import paddle

        partly = {**{key: value + 2 for key, value in other[1].items()}, **dict([next(iter(other[1].items()))])}
        best = {key: paddle.to_tensor(value) for key, value in partly.items()}
        paddle.save(best, str(tmp_path / "best_accuracy.pdparams"))
    side = copy.copy(train)
    side.files = replace(train.files, checkpoint=own)
    found = nearest_lookalike_checkpoint(side, other[1])
    assert found is not None
    assert found.path == tmp_path / "iter_epoch_2.pdparams"
