"""The labels of a run's images, read once in each process, and what both sides of a comparison count on an image."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ocrparity.context import context_test_id
from pytest_ocrparity.errors import LabelError
from pytest_ocrparity.stages import DETECTION, RECOGNITION, Task
from pytest_ocrparity.tolerance import ACCURACY, Tolerance

if TYPE_CHECKING:
    from pytest_ocrparity.comparison import Comparison
    from pytest_ocrparity.evaluate.labels import Labels
    from pytest_ocrparity.report.document import Counted, LabelFault
    from pytest_ocrparity.settings import Settings
    from pytest_ocrparity.settings.label_settings import LabelSettings
    from pytest_ocrparity.trace import Trace


NO_LABEL, LEFT_OUT, NO_RESULT, OTHER_TASK = "no_label", "left_out", "no_result", "other_task"
"""Why an image that was compared does not count."""


class LabelBook:
    """The labels of each task. Read when first asked for: most runs of a suite ask for none."""

    def __init__(self, task_of_project: Callable[[], Task | None]) -> None:
        """Begin with none; `task_of_project` returns the task of a project of one, None where no file says it."""
        self._task_of_project = task_of_project
        self._read: dict[str, Labels | LabelError] = {}

    def naming_images(self, settings: Settings) -> Settings:
        """Return settings that have their images from here where they name none."""
        recognition = settings.recognition
        if recognition is not None:
            recognition = replace(recognition, images_of_labels=self.images)
        return replace(settings, images_of_labels=self.images, recognition=recognition)

    def of(self, settings: Settings) -> Labels | None:
        """Return the labels of a task's settings, None where they name none.

        Raises:
            LabelError: a file or a line of it cannot be used.
        """
        if settings.labels is None:
            return None
        if settings.prefix not in self._read:
            self._read[settings.prefix] = self._found(settings, settings.labels)
        found = self._read[settings.prefix]
        if isinstance(found, LabelError):
            raise found.with_traceback(None)
        return found

    def _found(self, settings: Settings, given: LabelSettings) -> Labels | LabelError:
        task = RECOGNITION if settings.prefix else DETECTION if settings.recognition else self._task_of_project()
        try:
            return _labels(given, task or _task_of_labels(given))
        except LabelError as error:
            return error

    def problems(self, settings: Settings) -> list[str]:
        """Return why the labels of a task cannot be used, or nothing."""
        try:
            self.of(settings)
        except LabelError as error:
            return [f"{settings.prefix}labels: {error}"]
        return []

    def images(self, settings: Settings) -> list[Path]:
        """Return the images that the labels name; none where they cannot be used, which `problems` says."""
        with suppress(LabelError):
            labels = self.of(settings)
            return [] if labels is None else [Path(image) for image in labels.images]
        return []

    def lacking(self, settings: Settings) -> str:
        """Return an image that labels name in the place of globs, and that is not there; nothing where none is."""
        for part in settings.parts:
            with suppress(LabelError):
                labels = None if part.images else self.of(part)
                if labels is not None and labels.missing:
                    return labels.missing[0]
        return ""

    def count(
        self,
        settings: Settings,
        judged: Comparison,
        sides: tuple[Trace, Trace],
        tolerance: Tolerance,
    ) -> Counted | LabelFault | None:
        """Return what both sides have of an image's label, or why nothing is counted.

        None where nothing is to be counted: a recording, boxes or texts that are of no image, or no labels.
        """
        from pytest_ocrparity.comparison import RECORDED
        from pytest_ocrparity.evaluate.counts import count_image, image_size
        from pytest_ocrparity.report.document import Counted, LabelFault
        from pytest_ocrparity.report.table import PLAIN

        is_plain = (judged.reference, judged.candidate) == PLAIN and sides[1].decode is None
        # Boxes that are no trace have the name of their test in the place of an image's.
        if judged.status == RECORDED or (is_plain and sides[1].image in (context_test_id(), "detections", "text")):
            return None
        counted = partial(
            Counted,
            task=judged.task,
            reference=judged.reference,
            candidate=judged.candidate,
            image=judged.image,
            limit=tolerance[ACCURACY],
        )
        try:
            labels = self.of(settings)
            if labels is None:
                return None
            if labels.task != judged.task:
                return counted(why=OTHER_TASK)
            label = labels.of(sides[1].image)
        except LabelError as error:  # the file may have changed since it was read, perhaps after another process did
            self._read[settings.prefix] = error
            return LabelFault(task=judged.task, text=str(error))
        if label is None:
            name = labels.left_out(sides[1].image)
            return counted(label=name, why=LEFT_OUT if name else NO_LABEL)
        one, two = (each.detections if each.recognition is None else each.recognition for each in sides)
        if one is None or two is None:
            return counted(label=label.image, why=NO_RESULT)
        return counted(label=label.image, counts=count_image(label, one, two, judged.image, image_size(*sides)))


def _task_of_labels(given: LabelSettings) -> Task:
    """Return the task of labels beside models of the user's own, which no file of the settings names.

    The first label says it: of a detector it is a list of boxes, also where it is written wrongly.
    """
    with suppress(OSError, ValueError, IndexError, RecursionError), given.files[0].open("rb") as file:
        first = next((line for line in file if line.strip()), b"")
        label = first.decode("utf-8-sig").split(given.delimiter, 1)[1].strip()
        boxes = _json_or_none(label)
        is_list = isinstance(boxes, list) and all(isinstance(box, dict) for box in boxes)
        return DETECTION if is_list or (label.startswith("[") and "points" in label) else RECOGNITION
    return DETECTION


def _json_or_none(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _labels(given: LabelSettings, task: Task) -> Labels:
    from pytest_ocrparity.evaluate.labels import read_labels

    return read_labels(
        given.files,
        task=task.name,
        data_dir=given.data_dir,
        delimiter=given.delimiter,
        blank=given.blank,
        group=given.group,
    )
