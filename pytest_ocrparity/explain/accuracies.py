"""The message about a drop of accuracy: the verdict, and the images that lost most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pytest_ocrparity.evaluate.counts import ImageCounts
from pytest_ocrparity.evaluate.verdict import Accuracy
from pytest_ocrparity.report.accuracy_lines import accuracy_changes_text, outside_boxes_text
from pytest_ocrparity.stages import RECOGNITION
from pytest_ocrparity.wording import counted, image_label, number_of_boxes, number_of_images

_MOST: Final = 5
"""How many images a message names."""


def explain_accuracy(
    found: Accuracy,
    images: Sequence[ImageCounts],
    unlabelled: int = 0,
    untraced: int = 0,
    sides: tuple[str, str] = ("reference", "candidate"),
) -> str:
    """Return the message about an accuracy that fails.

    Args:
        found: what was judged.
        images: the counts of its images.
        unlabelled: how many images had no label.
        untraced: how many labels had no image.
        sides: the names of reference and candidate.
    """
    lines = [f"{found.verdict}: {found.text}"]
    worst = sorted((image for image in images if image.is_worse), key=lambda image: image.loss, reverse=True)
    for image in worst[:_MOST]:
        parts = [image_label(image.image), _loss_text(image, found.task), accuracy_changes_text(image, *sides)]
        lines.append(f"  {': '.join(filter(None, parts))}")
    if len(worst) > _MOST:
        lines.append(f"  and {number_of_images(len(worst) - _MOST)} more that lost something")
    if outside := outside_boxes_text(images):
        lines.append(f"  WARNING: {outside}")
    if unlabelled:
        lines.append(f"  not counted: {number_of_images(unlabelled)} without a label")
    if untraced:
        lines.append(f"  not counted: {counted(untraced, 'label')} without an image among those given")
    return "\n".join(lines)


def _loss_text(image: ImageCounts, task: str) -> str:
    if task == RECOGNITION.name:
        return "the line is no longer right"
    one, two = image.reference, image.candidate
    parts = [f"{number_of_boxes(len(image.lost))} of {one.truth} lost"] if image.lost else []
    parts += [f"{number_of_boxes(len(image.gained))} gained"] if image.gained else []
    alarms = (two.found - two.matched) - (one.found - one.matched)
    return ", ".join(
        [*parts, f"{number_of_boxes(alarms)} more that {'is' if alarms == 1 else 'are'} wrong"] if alarms > 0 else parts
    )
