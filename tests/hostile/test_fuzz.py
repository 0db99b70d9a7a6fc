"""Readers of files that others may have written: a short fuzz of each, and the hostile files that are known by name.

The long fuzz is `make endurance`, on the same inputs and checks.
"""

from __future__ import annotations

import codecs
import copy
import importlib
import json
import os
import pickle
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, Phase, given, settings

from hostile import readers
from hostile.baselines import arrays, baseline, frame_bomb, framed, lying_frame, zip_bomb
from hostile.inputs import laughs
from hostile.pickles import BOMBS
from hostile.readers import GUARD, MEMORY, READERS, Reader, export_yml, warm_up
from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.artifacts.pickle_check import HARMLESS
from pytest_ocrparity.errors import ModelError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    warm_up(folder)
    return folder


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_only_documented_errors_come_out(reader: Reader, folder: Path) -> None:
    found: set[bool] = set()

    @settings(
        max_examples=reader.few,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(reader.inputs)
    def check(value: Any) -> None:
        found.add(reader.check(folder, value))

    check()
    # Both must occur, or the inputs are all too wrong or too right to find anything.
    assert found == ({True, False} if reader.error else {True})


# The fuzz itself must be able to fail


def first(name: str) -> Reader:
    return next(reader for reader in READERS if reader.name == name)


@pytest.mark.parametrize(
    ("does", "told"),
    [
        (lambda folder, _: eval("1 + 1"), "it did more than read: .*compile"),
        (lambda folder, _: os.system("true"), r"it did more than read: .*os\.system"),
        (lambda folder, _: importlib.import_module("antigravity"), "it did more than read: .*import"),
        (lambda folder, _: subprocess.run(["true"]), r"it did more than read: .*subprocess\.Popen"),
        (lambda folder, _: pickle.loads(b"cposix\nsystem\n."), r"it did more than read: .*pickle\.find_class"),
        (lambda folder, _: (folder / "new").write_bytes(b""), "it did more than read: .*open .*new"),
        (lambda folder, _: Path(__file__).read_bytes(), "it did more than read: .*open .*test_fuzz"),
        (lambda folder, _: (folder / "a").mkdir(), r"it did more than read: .*os\.mkdir"),
    ],
)
def test_a_reader_that_does_more_is_noticed(does: Any, told: str, folder: Path) -> None:
    with pytest.raises(AssertionError, match=told):
        replace(first("yml"), run=does).check(folder, b"")


def test_a_reader_that_takes_long_is_noticed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "SECONDS", 0.01)
    with pytest.raises(AssertionError, match=r"it took .* s"):
        replace(first("yml"), run=lambda *_: sum(range(10**7))).check(folder, b"")


def test_other_errors_are_not_let_through(folder: Path) -> None:
    with pytest.raises(RecursionError, match="recursion"):
        replace(first("yml"), run=lambda *_: json.loads("[" * 10**5)).check(folder, b"")
    with pytest.raises(AssertionError, match="SettingsError'> is not documented"):
        replace(first("settings"), error=ModelError).check(folder, ("ocrparity.toml", b"no_such = 1"))


def test_memory_that_is_claimed_counts(folder: Path) -> None:
    """Also where nothing touches it."""
    with pytest.raises(MemoryError):
        replace(first("yml"), run=lambda *_: bytearray(2 * MEMORY)).check(folder, b"")


# Bombs


@pytest.mark.parametrize("name", BOMBS)
def test_a_checkpoint_that_fills_memory_is_refused(name: str, folder: Path) -> None:
    assert not first("checkpoint").check(folder, BOMBS[name], memory=64 * 2**20)


@pytest.mark.parametrize("name", ["a memo of 32 GiB", "a text encoded forty times", "bytes of 8 GiB"])
def test_the_same_fills_memory_where_it_is_not_checked(name: str, folder: Path) -> None:
    with pytest.raises(MemoryError), GUARD.on(folder, names=HARMLESS):  # noqa: PT012
        codecs.lookup("hex_codec")
        pickle.loads(BOMBS[name])


@pytest.mark.parametrize(("levels", "width"), [(9, 9), (30, 2), (3, 5000), (60, 60)])
@pytest.mark.parametrize("is_merge", [True, False], ids=["merged", "aliased"])
def test_a_yml_that_is_large_only_when_written_out_is_refused(
    levels: int, width: int, is_merge: bool, folder: Path
) -> None:
    assert not first("yml").check(folder, laughs(levels, width, is_merge))
    assert first("static findings").check(folder, (laughs(levels, width, is_merge), export_yml(), {}))


@pytest.mark.parametrize(
    "text",
    [b"[" * 1_000, b"{a: " * 10_000, b"&a [*a]", b"a: &a {b: *a}", b"- " * 10_000, b"a: " + b"x" * 2**20],
    ids=["brackets", "braces", "itself", "itself in a mapping", "dashes", "long"],
)
def test_a_yml_without_end_is_refused(text: bytes, folder: Path) -> None:
    assert not first("yml").check(folder, text)


def test_a_yml_may_use_aliases(folder: Path, tmp_path: Path) -> None:
    """As those that PyYAML wrote do."""
    (tmp_path / "a.yml").write_bytes(b"a: &a [1, 2]\nb: *a\nc: {<<: &m {d: *a}, e: *m}\n")
    assert read_config(tmp_path / "a.yml")["c"] == {"d": [1, 2], "e": {"d": [1, 2]}}


def test_an_onnx_file_with_more_ways_than_can_be_followed_is_read(folder: Path) -> None:
    pytest.importorskip("onnx")
    from hostile.onnx_models import fan

    assert first("ONNX weights").check(folder, fan(60))


def test_a_kernel_that_is_large_only_when_its_steps_are_undone_is_refused(folder: Path) -> None:
    pytest.importorskip("onnx")
    from hostile.onnx_models import quantised_kernel

    assert first("ONNX weights").check(folder, quantised_kernel(np.ones((2**15, 1), np.int8), channels=2**15))
    assert not first("ONNX weights").check(folder, quantised_kernel(np.ones((1, 2**15), np.int8), channels=2**15))


BIG = 48 * 2**20


@pytest.mark.parametrize(
    "data",
    [
        lambda: zip_bomb(BIG, zipfile.ZIP_DEFLATED),
        lambda: zip_bomb(BIG, zipfile.ZIP_BZIP2),
        lambda: zip_bomb(BIG, zipfile.ZIP_LZMA),
        lambda: frame_bomb(BIG, 200),
        lambda: frame_bomb(200, BIG),
        lambda: lying_frame(2**31),
        lambda: lying_frame(2**29),
    ],
    ids=["deflated", "bz2", "lzma", "claims less", "claims more", "says too much", "says much and holds nothing"],
)
def test_a_baseline_that_unpacks_to_more_than_it_may_is_refused(data: Any, folder: Path) -> None:
    assert not first("baseline").check(folder, data(), memory=BIG // 2)


def test_boxes_without_points_are_refused(folder: Path) -> None:
    """Each would take a hundred times the memory that it takes in the file."""
    manifest = copy.deepcopy(baseline()[2])
    manifest["arrays"]["counts"] = ["uint32", [2**21], []]
    content = {**arrays(), "counts": bytes(4 * 2**21)}
    assert not first("baseline").check(folder, framed(zstandard.compress(b"".join(content.values())), manifest))
