"""Which other checkpoint holds arrays of an export, by arrays alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from diagnosing import Array

from pytest_ocrparity.diagnose.network import lookalikes
from pytest_ocrparity.diagnose.network.lookalikes import nearest_lookalike_checkpoint

RNG = np.random.default_rng(0)
OWN, OTHER = ({name: RNG.random(8, np.float32) for name in "abc"} for _ in range(2))
FRESH = {f"fresh {size}": np.zeros(size, np.float32) for size in (2, 3, 4, 5)}


def nearest(exported: Mapping[str, Array], beside: Mapping[str, Array], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(lookalikes, "_other_checkpoints", lambda train, own: [Path("other.pdparams")])
    monkeypatch.setattr(lookalikes, "read_network_state", lambda path, trust: beside)
    files = SimpleNamespace(checkpoint=Path("own.pdparams"), trust=False)
    side: Any = SimpleNamespace(files=files, network=SimpleNamespace(arrays=lambda: OWN, siblings={}))
    return nearest_lookalike_checkpoint(side, exported)


def test_what_the_trained_network_holds_too_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = {"shared": OWN["a"]}
    found = nearest({**OTHER, **shared}, {**OTHER, **shared}, monkeypatch)
    assert (found.path.name, found.held, found.missing) == ("other.pdparams", 3, 3)
    assert nearest({**OWN, "z": OTHER["a"]}, OTHER, monkeypatch) is None, "the trained network holds more"


def test_arrays_of_one_value_are_no_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that was never trained holds them, as the first checkpoint does: near miss, one kernel that varies."""
    exported = {**FRESH, "k": np.arange(6, dtype=np.float32)}
    found = nearest(exported, {**FRESH, "k": np.arange(5, dtype=np.float32)}, monkeypatch)
    assert (found.held, found.missing) == (0, 1)
    found = nearest(exported, exported, monkeypatch)
    assert (found.held, found.missing) == (1, 1)
