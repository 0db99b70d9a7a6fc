"""Which checkpoints are let through: arrays as numpy writes them, and nothing else."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile.pickles import DTYPE, NDARRAY, RECONSTRUCT, array_of, of_content, text, twice
from paths import EXAMPLE

from pytest_ocrparity.artifacts.pickle_check import check_pickle
from pytest_ocrparity.errors import ModelError

KINDS = ("b1", "u1", "i8", "f2", "f4", "f8", "c16")
VALUES: dict[str, Any] = {
    **{kind: np.arange(6).reshape(2, 3).astype(kind) for kind in KINDS},
    **{"one": np.array(2.5, np.float32), "turned": np.eye(3, dtype="f4")[:2].T},
    **{"epoch": 7, "lr": 0.1, "name": "a", "none": None, "big": 2**70, "data": b"x" * 300},
    "StructuredToParameterName@@": {"f4": "conv_0", "f8": "conv_1"},
}


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_arrays_and_numbers_pass(tmp_path: Path, protocol: int) -> None:
    """In the protocols that paddle.save writes."""
    (tmp_path / "a.pdparams").write_bytes(pickle.dumps(VALUES, protocol=protocol))
    check_pickle(tmp_path / "a.pdparams")


def test_the_examples_checkpoints_pass() -> None:
    for path in (EXAMPLE / "checkpoints").glob("*.pdparams"):
        check_pickle(path)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (pickle.dumps({"a": VALUES["f4"]}, 5), r"pickle names numpy\._?core\.numeric\._frombuffer, which"),
        (pickle.dumps({1: 2}), "pickle has a key that is no text"),
        (pickle.dumps({"a": [1]}), "pickle holds something else than an array as 'a'"),
        (pickle.dumps({"a": {"b": {}}}), "pickle holds something else than an array as 'a'"),
        (pickle.dumps({"a": VALUES["f4"], "b": np.array([None])}), "pickle calls dtype as no array does"),
        (pickle.dumps(dict.fromkeys("ab", VALUES["f4"]), 4), "pickle uses an array, a container or a long text twice"),
        (pickle.dumps(dict.fromkeys("ab", "x" * 257), 4), "pickle uses an array, a container or a long text twice"),
        (b"\x80\x02}r\xff\xff\xff\x7f.", "pickle remembers a value as number 2147483647 at byte 3"),
        (of_content(twice(3)), "pickle uses an array, a container or a long text twice"),
        (of_content(RECONSTRUCT + NDARRAY + b"K\x05\x85C\x01b\x87R"), "pickle calls _reconstruct as no array does"),
        (of_content(NDARRAY + b"K\0\x85\x85R"), "pickle calls ndarray as no array does"),
        (of_content(b"NNR"), "pickle calls a value as no array does"),
        (of_content(NDARRAY + b"}b"), "pickle sets the state of a value as no array does"),
        (of_content(array_of((-1, -4), "u1", b"abcd")), "pickle sets the state of an array as no array does"),
        (
            of_content(array_of((2, 2**62, 0), "f4", b"")),
            r"not a whole checkpoint \(ValueError: 0 bytes for an array of",
        ),
        (of_content(DTYPE + text("f4") + b"\x89\x88\x87R"), "pickle holds something else than an array as 'a'"),
        (b"\x80\x02(\x81.", "pickle uses the opcode NEWOBJ"),
        (of_content(b"cn\\x75mpy\ndtype\n"), "pickle names a global with a backslash"),
        (of_content(b"c\\ \ndtype\n"), "pickle names .*dtype, which loading would run"),
        (b"\x80\x02}(q\0t0.", r"not a whole checkpoint \(ValueError: a mark in the place"),
        (
            of_content(array_of((3,), "u1", b"abcd")),
            r"not a whole checkpoint \(ValueError: 4 bytes for an array of",
        ),
        (b"\x80\x04\x95\x03" + b"\0" * 7 + b"}.", r"not a whole checkpoint \(ValueError: a frame of 3 bytes at byte 2"),
        (b"\x80\x04\x95" + b"\xff" * 8 + b"}.", r"not a whole checkpoint \(ValueError: a frame of"),
        (b"\x80\x02(N\x85.", r"holds a tuple, not the mapping"),
        (b"\x80\x02(\x85.", r"not a whole checkpoint \(ValueError: a mark in the place"),
        (b"\x80\x02NNN\x93.", r"not a whole checkpoint \(ValueError: a global without a name"),
        (b"\x80\x02NNNs.", r"not a whole checkpoint \(ValueError: items for no mapping"),
        (b"\x80\x02NNa.", r"not a whole checkpoint \(ValueError: items for no list"),
        (b"\x80\x02h\0.", r"not a whole checkpoint \(KeyError"),
        (b"\x80\x02.", r"not a whole checkpoint \(IndexError"),
        (b"", r"not a whole checkpoint \(ValueError: pickle exhausted before seeing STOP"),
    ],
)
def test_what_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "a.pdparams").write_bytes(data)
    with pytest.raises(ModelError, match=rf"a\.pdparams: .*{told}"):
        check_pickle(tmp_path / "a.pdparams")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.pdparams: cannot read this checkpoint: No such file"):
        check_pickle(tmp_path / "none.pdparams")
