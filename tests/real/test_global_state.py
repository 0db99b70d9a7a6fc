"""What a user's other tests find after ours: the process as it was before, item by item."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from toy import PAGE, Toy

from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline, load_inference
from pytest_ocrparity.backends.ppocr.pipeline import load_training
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.trace import Image, Trace
from real.blob import HERE, LIMITS, YML, Model, edited, write_yml
from real.state import changes, snapshot, thread_counts

Undo = Callable[[], object]


@pytest.fixture(autouse=True)
def frameworks(inference: InferencePipeline, page: npt.NDArray[np.uint8]) -> None:
    """Load what libraries load at their first use, so that it is there before and after."""
    inference.trace(page)


@pytest.fixture
def sides(model: Model, page: npt.NDArray[np.uint8]) -> tuple[Trace, Trace]:
    """Two traces that differ by the limits of the resize and by the network."""
    train = load_training(**model.train)
    train.network._layer.head.bias.set_value(np.full(1, 0.3, np.float32))
    return train.trace(page), load_inference(model_dir=model.export).trace(page)


def test_setting_the_models_up_changes_nothing(model: Model) -> None:
    before = snapshot()
    load_training(**model.train)
    between = snapshot()
    load_inference(model_dir=model.export, options={**LIMITS, "cpu_threads": 3})
    assert (changes(before, between), changes(between, snapshot())) == ({}, {})


def test_tracing_changes_nothing(model: Model, page: npt.NDArray[np.uint8]) -> None:
    train = load_training(**model.train)
    inference = load_inference(model_dir=model.export, options={**LIMITS, "cpu_threads": 3})
    before = snapshot()
    assert train.trace(page).error is None
    between = snapshot()
    assert inference.trace(page).error is None
    assert (changes(before, between), changes(between, snapshot())) == ({}, {})


def test_a_diagnosis_changes_nothing(sides: tuple[Trace, Trace]) -> None:
    reference, candidate = sides
    before = snapshot()
    found = diagnose(reference=reference, candidate=candidate)
    assert changes(before, snapshot()) == {}
    assert {each.stage for each in found} == {"resize", "probability_map"}


def test_a_stage_that_raises_changes_nothing(
    model: Model, page: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = load_training(**model.train)
    monkeypatch.setattr(train.network._layer, "forward", lambda x: x.reshape([7]))
    before = snapshot()
    assert "InvalidArgument" in str(train.trace(page).error)
    assert changes(before, snapshot()) == {}


def test_random_operators_draw_other_numbers_each_time_and_none_of_the_users(
    model: Model, page: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    jitter = {"ColorJitter": {"brightness": 0.9, "contrast": 0.9, "saturation": 0.9, "hue": 0.1}}
    document = edited(YML)
    document["Eval"]["dataset"]["transforms"].insert(1, jitter)
    train = load_training(**{**model.train, "config": write_yml(tmp_path / "random.yml", document)})
    before = snapshot()
    one, two = (train.preprocess(page).tensor for _ in range(2))
    assert changes(before, snapshot()) == {}
    assert one is not None and two is not None
    assert not np.array_equal(one, two)


def test_the_users_seed_still_rules_the_users_numbers(model: Model, page: npt.NDArray[np.uint8]) -> None:
    import cv2
    import paddle

    def numbers(between: Callable[[], object]) -> list[object]:
        for seed in (random.seed, np.random.seed, paddle.seed, cv2.setRNGSeed):
            seed(7)
        between()
        drawn = cv2.randu(np.zeros(3, np.float32), 0, 1).tolist()  # the only way to see its state
        return [random.random(), np.random.random(), paddle.rand([1]).item(), drawn]

    def ours() -> None:
        sides = load_training(**model.train), load_inference(model_dir=model.export)
        assert diagnose(reference=sides[0].trace(page), candidate=sides[1].trace(page))

    assert numbers(ours) == numbers(lambda: None)
    assert numbers(lambda: cv2.randu(np.zeros(3, np.float32), 0, 1)) != numbers(lambda: None)


# A process that is new


NEW = """
import faulthandler, json, os, signal, sys, tempfile
from pathlib import Path

import pytest  # which has hooks of its own on Python 3.10

tempfile.gettempdir()  # as pytest's capture does

faulthandler.enable()
heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append("SIGTERM"))

import numpy as np
from pytest_ocrparity.backends.ppocr.pipeline import load_training
from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from real.blob import Model
from real.state import changes, snapshot

model = Model(*map(Path, sys.argv[1:4]))
page = np.full((64, 96, 3), 200, np.uint8)
told = {}
for name, step in {
    "train": lambda: load_training(**model.train).trace(page),
    "inference": lambda: load_inference(model_dir=model.export).trace(page),
}.items():
    before = snapshot()
    assert step().error is None
    told[name] = changes(before, snapshot())
os.kill(os.getpid(), signal.SIGTERM)
assert heard == ["SIGTERM"]
import six.moves.urllib.parse  # what six finds late, through its own finder
print(json.dumps(told))
"""

STAYS = {"sys.meta_path": "six and setuptools find modules of theirs later, through finders of their own"}
"""What an import leaves for good, with the reason."""


def test_importing_the_frameworks_changes_nothing_but_the_finders(model: Model) -> None:
    paths = os.pathsep.join([str(HERE.parent), *sys.path])
    run = subprocess.run(
        [sys.executable, "-c", NEW, *map(str, (model.config, model.checkpoint, model.export))],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert {name: sorted(found) for name, found in told.items()} == {"train": sorted(STAYS), "inference": []}, told


# The comparison itself


def attribute(place: Any, name: str, value: object) -> Undo:
    before = getattr(place, name)
    setattr(place, name, value)
    return lambda: setattr(place, name, before)


def item(place: Any, key: str, value: object) -> Undo:
    place[key] = value
    return lambda: place.pop(key)


def call(read: Callable[[], Any], write: Callable[[Any], object], value: Any) -> Undo:
    before = read()
    write(value)
    return lambda: write(before)


def drawn(read: Callable[[], Any], write: Callable[[Any], object], draw: Callable[[], object]) -> Undo:
    before = read()
    draw()
    return lambda: write(before)


def entry(place: Any, value: object) -> Undo:
    place.append(value)
    return lambda: place.remove(value)


def numpy_errors() -> Undo:
    before = np.seterr(divide="raise")
    return lambda: np.seterr(**before)


def numpy_printing() -> Undo:
    before = np.get_printoptions()["precision"]
    np.set_printoptions(precision=2)
    return lambda: np.set_printoptions(precision=before)


def handler() -> Undo:
    before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    return lambda: signal.signal(signal.SIGUSR2, before)


def cv2_threads() -> Undo:
    import cv2

    return call(cv2.getNumThreads, cv2.setNumThreads, 1 + cv2.getNumThreads())


def paddle_of(name: str) -> Callable[[], Undo]:
    def change() -> Undo:
        import paddle

        if name == "dtype":
            return call(paddle.get_default_dtype, paddle.set_default_dtype, "float64")
        if name == "random":
            return drawn(paddle.get_rng_state, paddle.set_rng_state, lambda: paddle.rand([1]))
        if name == "dynamic":
            paddle.enable_static()
            return lambda: paddle.disable_static()
        if name == "grad":
            return call(paddle.is_grad_enabled, paddle.set_grad_enabled, not paddle.is_grad_enabled())
        paddle.set_flags({"FLAGS_benchmark": True})
        return lambda: paddle.set_flags({"FLAGS_benchmark": False})

    return change


RESTORED: dict[str, Callable[[], Undo]] = {
    "environ": lambda: item(os.environ, "OCRPARITY_TEST", "1"),
    "warnings.filters": lambda: entry(warnings.filters, ("ignore", None, Warning, None, 12345)),
    "logging.root": lambda: entry(logging.root.handlers, logging.NullHandler()),
    "numpy.errstate": numpy_errors,
    "numpy.printoptions": numpy_printing,
    "numpy.random": lambda: drawn(np.random.get_state, np.random.set_state, np.random.random),
    "random": lambda: drawn(random.getstate, random.setstate, random.random),
    "paddle.dtype": paddle_of("dtype"),
    "paddle.random": paddle_of("random"),
}
"""What `isolated` puts back whoever changes it."""


def finder() -> Undo:
    from importlib.machinery import PathFinder

    return entry(sys.meta_path, PathFinder())


SEEN: dict[str, Callable[[], Undo]] = {
    "sys.path": lambda: entry(sys.path, "/ocrparity"),
    "sys.meta_path": finder,
    "sys.recursionlimit": lambda: call(sys.getrecursionlimit, sys.setrecursionlimit, 4321),
    "sys.hooks": lambda: attribute(sys, "excepthook", print),
    "cwd": lambda: call(os.getcwd, os.chdir, "/"),
    "signals.python": handler,
    "cv2.threads": cv2_threads,
    "paddle.dynamic": paddle_of("dynamic"),
    "paddle.grad": paddle_of("grad"),
    "paddle.flags": paddle_of("flags"),
}
"""What nothing of ours changes, as the tests above show."""


class Careless(Toy):
    """An engine that changes something of the process whenever it runs."""

    change: Callable[[], Undo]
    undo: Undo

    def trace(self, image: Image) -> Trace:
        """Trace, and change it."""
        self.undo = self.change()
        return super().trace(image)


@pytest.mark.parametrize("name", [*RESTORED, *SEEN])
def test_a_pipeline_that_changes_an_item_is_caught(name: str) -> None:
    careless = Careless()
    careless.change = (RESTORED | SEEN)[name]
    before = snapshot()
    careless.trace(PAGE)
    found = changes(before, snapshot())
    careless.undo()
    assert name in found
    assert changes(before, snapshot()) == {}


@pytest.mark.parametrize("name", RESTORED)
def test_what_third_party_code_changes_is_put_back(name: str) -> None:
    before = snapshot()
    with suppress(ZeroDivisionError), isolated():
        RESTORED[name]()
        with isolated():
            RESTORED[name]()
        raise ZeroDivisionError
    assert changes(before, snapshot()) == {}


def test_numbers_of_threads_are_among_the_items_and_are_put_back() -> None:
    """Their libraries are found by name: of one that has another name, no change would be seen."""
    for _, read, write in thread_counts():  # what no one has set goes by what other tests of this process left
        write(read())
    before = snapshot()
    with isolated():
        for _, read, write in thread_counts():
            write(1 if read() > 1 else 2)
        found = changes(before, snapshot()).keys()
    openmp = {name for name in before if name.startswith("threads.") and "omp" in name}
    assert openmp and openmp <= found  # MKL goes by the machine's cores as well
    assert changes(before, snapshot()) == {}
