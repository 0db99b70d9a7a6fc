"""Loads a checkpoint into a network strictly: every key on both sides, or an error that lists what does not fit.

PaddleOCR's own `load_model` skips what does not fit with a log line and goes on with random weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.artifacts.pickle_check import check_pickle
from pytest_ocrparity.errors import ModelError

__all__ = ["load_weights", "read_weights"]

SHOWN: Final = 3
"""How many keys of each kind an error lists."""


def read_weights(path: Path, *, trust: bool) -> Mapping[str, Any]:
    """Return the arrays of a `.pdparams` file by key.

    Raises:
        ModelError: it is damaged, names foreign globals without `trust`, or holds no mapping.
    """
    import paddle

    if not trust:
        check_pickle(path)
    try:
        values = paddle.load(str(path))
    except Exception as error:
        raise ModelError(f"{path}: paddle {paddle.__version__} cannot load this checkpoint: {error}") from error
    if not isinstance(values, Mapping):
        raise ModelError(f"{path}: holds a {type(values).__name__}, not the mapping of a paddle checkpoint (.pdparams)")
    return values


def load_weights(network: Any, path: Path, *, trust: bool) -> None:
    """Load a `.pdparams` file into a `paddle.nn.Layer`, values cast to its dtypes as `ppocr.utils.save_load` does.

    Args:
        network: the layer, changed in place.
        path: the checkpoint.
        trust: load it whatever its pickle names.

    Raises:
        ModelError: it is damaged, names foreign globals, or its keys and shapes are not exactly the network's.
    """
    values = read_weights(path, trust=trust)
    wanted = network.state_dict()
    _check_fit(wanted, values, path)
    network.set_state_dict(
        {
            key: values[key].astype(old.dtype) if values[key].dtype != old.dtype else values[key]
            for key, old in wanted.items()
        }
    )


def _check_fit(wanted: Mapping[str, Any], values: Mapping[str, Any], path: Path) -> None:
    shapes = {key: list(getattr(value, "shape", ())) for key, value in values.items()}
    problems = {
        "missing": [key for key in wanted if key not in values],
        "unexpected": [key for key in values if key not in wanted],
        "of another shape": [
            f"{key} {shapes[key]}, the network has {list(old.shape)}"
            for key, old in wanted.items()
            if key in shapes and shapes[key] != list(old.shape)
        ],
    }
    if not any(problems.values()):
        return
    fitting = len(wanted) - len(problems["missing"]) - len(problems["of another shape"])
    found = "; ".join(f"{len(keys)} {kind}: {_first(keys)}" for kind, keys in problems.items() if keys)
    raise ModelError(
        f"{path} is not a checkpoint of the yml's network: {fitting} of {len(wanted)} keys fit; {found}. "
        "PaddleOCR would leave these random and say so in its log only; set train.checkpoint to what this yml trained"
    )


def _first(keys: list[str]) -> str:
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")
