"""What the check of checkpoints lets through is harmless to the real `paddle.load` as well."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from hostile.pickles import array_of, honest, of_content, pickles, text
from hostile.readers import GUARD, MEMORY, warm_up

from pytest_ocrparity.artifacts.pickle_check import HARMLESS, check_pickle
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.ppocr.network import read_network_state
from pytest_ocrparity.errors import ModelError
from real.accepted import accepted


def test_paddle_loads_what_is_let_through_and_does_nothing_else(tmp_path: Path) -> None:
    warm_up(tmp_path)
    odd = [
        of_content(array_of((0, 5), "f4", b"")),
        of_content(array_of((), "f8", b"\0" * 8)),
        b"\x80\x02}" + text("StructuredToParameterName@@") + b"}" + text("gone") + text("x") + b"ss.",
        of_content(b"N"),
    ]
    path = tmp_path / "a.pdparams"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        check_pickle(path)

    path.write_bytes(honest()[4])
    with isolated():
        assert all(isinstance(value, object) for value in read_network_state(path, trust=False).values())  # imports
    for data in [*accepted(pickles, check, 1500), *odd]:
        path.write_bytes(data)
        with warnings.catch_warnings(), GUARD.on(tmp_path, memory=4 * MEMORY, names=HARMLESS):
            warnings.simplefilter("ignore")
            try:
                values = read_network_state(path, trust=False)
            except ModelError as error:  # such as a table of names that are not there
                values = {}
                assert "cannot load this checkpoint" in str(error)  # noqa: PT017
        assert sum(size(value) for value in values.values() if hasattr(value, "numpy")) <= 100 * len(data)


def size(tensor: Any) -> int:
    try:
        return np.asarray(tensor).nbytes
    except ValueError:  # NumPy 1 does not count how much nothing is where the other sides are long
        assert 0 in tensor.shape
        return 0


def test_the_real_unpickler_makes_arrays_of_it() -> None:
    content = pickle.loads(of_content(array_of((2, 1), "f4", b"\0" * 8)))
    assert content["a"].shape == (2, 1)
