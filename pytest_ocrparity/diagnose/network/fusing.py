"""Whether what an export fused is the trained branches without one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import numpy as np

from pytest_ocrparity.contract import TrainedNetwork
from pytest_ocrparity.trace import Array

Check: TypeAlias = Callable[[], None]
"""Raises BudgetSpentError where nothing more may be tried."""

MOST: Final = 12
"""How many branches are tried; the network is copied for each."""
EQUAL: Final = 1e-5
"""How far a fused array may lie from another sum of the same branches, of the largest value."""


def branch_left_out(network: TrainedNetwork, own: Mapping[str, Array], check: Check) -> str | None:
    """Return the branch without which fusing makes arrays of an export, given by their keys; None where there is none.

    Of several layers that fuse, all are tried without the branch of one name; whole branches come before their parts.
    Raises what `check` does, which is asked before each.
    """
    layers = {key.rpartition(".")[0].rpartition(".")[0] for key in own}
    keys = network.keys()
    branches: dict[str, dict[str, Array]] = {}
    for name, array in network.arrays().items():
        layer = next((each for each in layers if keys[name].startswith(f"{each}.")), None)
        if layer is None:
            continue
        parts = keys[name].removeprefix(f"{layer}.").split(".")
        if parts[-1] in ("weight", "bias"):  # what is multiplied by 0, and 0 is added to
            for end in range(1, len(parts)):
                branches.setdefault(".".join(parts[:end]), {})[name] = np.zeros_like(array)
    for branch, zeros in sorted(branches.items(), key=lambda each: each[0].count("."))[:MOST]:
        check()
        fused = network.with_arrays(zeros).fused
        if fused is None:
            continue
        arrays = fused.arrays()
        made = {key: arrays[name] for name, key in fused.keys().items() if key in own}
        if made.keys() == own.keys() and all(_are_near(made[key], array) for key, array in own.items()):
            return branch
    return None


def _are_near(made: Array, own: Array) -> bool:
    most = EQUAL * float(np.max(np.abs(own), initial=0.0))
    return made.shape == own.shape and float(np.max(np.abs(made - own), initial=0.0)) <= most
