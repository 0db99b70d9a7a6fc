"""Which task a test is of: the marker `ocr_task` says it, and in a project of one task its YAML files.

A session-scoped fixture is made once for all tests. So a marked test of a project of both tasks is parametrized by its
task, on which our fixtures depend: pytest then makes them anew between a detector's tests and a recogniser's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_ocrparity.errors import ModelError, SettingsError, did_you_mean
from pytest_ocrparity.session.fixtures import PAGES as PAGE_FIXTURES
from pytest_ocrparity.stages import DETECTION, MODEL_TASKS, RECOGNITION, Task, task_named

if TYPE_CHECKING:
    from pytest_ocrparity.settings import Settings

MARKER: Final = "ocr_task"
OWN_TASK: Final = "_ocr_task"
"""The private fixture that the tasks of marked tests parametrize."""
GATE: Final = "pytest_ocrparity.gate"


def task_of_test(test: Any) -> Task:
    """Return the task of a test: that of its closest marker, else detection.

    Raises:
        SettingsError: the marker names none, or no task that there is.
    """
    marker = test.get_closest_marker(MARKER) if MARKER in test.keywords else None
    if marker is None:
        return DETECTION
    names = [task.name for task in MODEL_TASKS]
    if len(marker.args) != 1 or marker.kwargs:
        raise SettingsError(f'{MARKER} takes the name of a task, as {MARKER}("{RECOGNITION.name}")')
    task = task_named(marker.args[0])
    if task not in MODEL_TASKS:
        raise SettingsError(f"{MARKER}: no task {marker.args[0]!r}; {did_you_mean(str(marker.args[0]), names)}")
    return task


def wrong_task_marker(test: Any, settings: Settings, known_task: Callable[[], Task | None]) -> str:
    """Return what is wrong with the marker of a test in its project, or nothing.

    `known_task` tells the task of a project of one, see `task_of_files`.
    """
    if MARKER not in test.keywords or test.get_closest_marker(MARKER) is None:
        return ""
    task = task_of_test(test)
    if settings.recognition is not None or not settings.is_set:
        return ""
    known = known_task()
    if known is None or known == task:
        return ""
    where = settings.file or "the command line"
    if task == RECOGNITION:
        text = f"{where} has no table [tool.ocrparity.recognition], and its YAML files are of a detector"
        return f'{MARKER}("{task.name}"): {text}: write that table, with images, train and inference of the recogniser'
    return f'{MARKER}("{task.name}"): the YAML files of {where} are of a recogniser: remove the marker'


def without_a_task(test: Any) -> str:
    """Return what to say of a test that pytest did not parametrize by the task that its marker names."""
    from unittest import TestCase

    is_a_case = issubclass(getattr(test, "cls", None) or object, TestCase)
    if is_a_case or not isinstance(test, pytest.Function):
        kind = "a unittest.TestCase" if is_a_case else "this kind of test"
        return (
            f"{MARKER} has no effect on {kind}, which pytest does not parametrize, so that it would get the detector's "
            "models: write a test function"
        )
    return (
        f"{MARKER} on a parameter, or added after collection, comes too late: pytest has given the test the images and "
        "models of the other task: mark the function, its class or its module, and write a function for each task"
    )


def tasks_of(settings: Settings, known_task: Callable[[], Task | None]) -> frozenset[Task]:
    """Return the tasks of a project; of one whose files are not there yet, detection."""
    if settings.recognition is None:
        return frozenset({known_task() or DETECTION})
    return frozenset({RECOGNITION, DETECTION} if settings.has_detector else {RECOGNITION})


def task_of_files(settings: Settings) -> Task | None:
    """Return the task that the training YAML file says, else an export's inference.yml; None where neither is there."""
    from pytest_ocrparity.artifacts.configs import read_config
    from pytest_ocrparity.artifacts.families import family_of_export, family_of_training
    from pytest_ocrparity.artifacts.model_files import CONFIG

    with suppress(ModelError):  # who loads the model says what is wrong with the file
        if "config" in settings.train and settings.train["config"].is_file():
            return family_of_training(read_config(settings.train["config"])).task
    for candidate in settings.candidates.values():
        with suppress(ModelError):
            config = candidate.values.get("model_dir")
            if config is not None and (config / CONFIG).is_file():
                return family_of_export(read_config(config / CONFIG)).task
    return None


def without_other_tasks(made: Iterable[Any], tasks: Callable[[], Collection[Task]], *, reads_pages: bool) -> list[Any]:
    """Return what was collected of a name, without tests of the gate for a task that the project does not have."""

    def is_kept(test: Any) -> bool:
        if not _is_the_gates_own(test):
            return True
        is_of_page = not set(PAGE_FIXTURES).isdisjoint(getattr(test, "fixturenames", ()))
        return reads_pages if is_of_page else task_of_test(test) in tasks()

    return [each for each in made if is_kept(each)]


def _is_the_gates_own(test: Any) -> bool:
    function = getattr(test, "function", None)
    return getattr(function, "__module__", "") == GATE
