"""A user's run finds the process after each fixture of ours and after each `.trace` as it was before."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline

CONFTEST = """
import json
import os
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from real.state import changes, snapshot

FOUND = defaultdict(list)


@contextmanager
def watched(name):
    before = snapshot()
    yield
    FOUND[name].append(changes(before, snapshot()))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(fixturedef):
    if fixturedef.argname not in ("ocr_train_model", "ocr_inference_model", "ocr_golden"):
        return (yield)
    with watched(fixturedef.argname):
        return (yield)


@pytest.fixture
def watch():
    return watched


def pytest_sessionfinish(session):
    (session.config.rootpath / "changes.json").write_text(json.dumps(FOUND))
"""
TEST = """
def test_baseline(ocr_golden, ocr_image, watch):
    with watch("ocr_golden.trace"):
        ocr_golden.trace(ocr_image)


def test_models(ocr_train_model, ocr_inference_model, ocr_image, watch):
    with watch("ocr_train_model.trace"):
        ocr_train_model.trace(ocr_image)
    with watch("ocr_inference_model.trace"):
        ocr_inference_model.trace(ocr_image)
"""
CARELESS = """

@pytest.fixture(scope="session", autouse=True)
def put_back():
    numbers, threads = np.random.get_state(), cv2.getNumThreads()
    yield
    np.random.set_state(numbers)
    cv2.setNumThreads(threads)
    del os.environ["OCRPARITY_TEST"]


def change():
    np.random.seed(7 + cv2.getNumThreads())
    cv2.setNumThreads(1 + cv2.getNumThreads())
    os.environ["OCRPARITY_TEST"] = str(cv2.getNumThreads())


class Engine:
    def __init__(self, model):
        self.model = model

    def trace(self, image):
        change()
        return self.model.trace(image)


@pytest.fixture(scope="session")
def ocr_train_model(ocr_train_model):
    change()
    return ocr_train_model


@pytest.fixture(scope="session")
def ocr_inference_model(ocr_inference_model):
    return Engine(ocr_inference_model)
"""


@pytest.fixture(autouse=True)
def nothing_is_loaded(
    monkeypatch: pytest.MonkeyPatch, inference: InferencePipeline, page: npt.NDArray[np.uint8]
) -> None:
    """Let the runs inside load their models themselves, in a process that has the frameworks."""
    inference.trace(page)
    monkeypatch.setattr("pytest_ocrparity.session.models._LOADED", {})


@pytest.fixture
def user(blob_project: Callable[..., pytest.Pytester]) -> pytest.Pytester:
    """A project whose run writes what changed in it."""
    project = blob_project("one", "two")
    project.makeconftest(CONFTEST)
    project.makepyfile(test_state=TEST)
    return project


def changed(user: pytest.Pytester, *options: str) -> dict[str, list[set[str]]]:
    """Return what changed, by what was set up or traced, each time that it was."""
    result = user.runpytest_inprocess("-p", "no:xdist", *options)
    assert result.parseoutcomes()["passed"] == 4
    found: dict[str, list[dict[str, str]]] = json.loads((user.path / "changes.json").read_text())
    return {name: [set(each) for each in times] for name, times in found.items()}


NOTHING: dict[str, list[set[str]]] = {
    "ocr_golden": [set(), set()],
    "ocr_golden.trace": [set(), set()],
    "ocr_train_model": [set()],
    "ocr_train_model.trace": [set(), set()],
    "ocr_inference_model": [set()],
    "ocr_inference_model.trace": [set(), set()],
}


def test_recording_and_comparing_leave_the_process_as_it_was(user: pytest.Pytester) -> None:
    assert changed(user, "--ocr-golden") == NOTHING
    assert changed(user) == NOTHING


def test_what_a_fixture_or_a_trace_changes_is_seen(user: pytest.Pytester) -> None:
    user.makeconftest(CONFTEST + CARELESS)
    found = changed(user, "--ocr-golden")
    careless = {"numpy.random", "cv2.threads", "environ"}
    assert found == NOTHING | {
        "ocr_train_model": [set(), careless],  # the plugin's, and the user's around it
        "ocr_golden.trace": [careless, set()],  # the first sets the reference up
        "ocr_inference_model": [set(), set()],
        "ocr_inference_model.trace": [careless, careless],
    }
