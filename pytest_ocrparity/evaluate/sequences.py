"""Counts what two sides found, image by image, against labels, as the images come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import NamedTuple, TypeAlias

from pytest_ocrparity.evaluate.counts import ImageCounts, count_image, image_size
from pytest_ocrparity.evaluate.label_line import Label
from pytest_ocrparity.evaluate.labels import Labels, image_identity, read_labels
from pytest_ocrparity.stages import DETECTION, RECOGNITION
from pytest_ocrparity.trace import Detections, Recognition, Trace
from pytest_ocrparity.wording import printable

Found: TypeAlias = "Trace | Detections | Recognition"
LabelsLike: TypeAlias = "Labels | Iterable[Label] | str | PathLike[str]"


class SequenceCounts(NamedTuple):
    """What both sides found.

    Attributes:
        task: "detection" or "recognition".
        images: the counts of each image that has a label.
        unlabelled: the names of images without a label.
        untraced: how many labels have no image among those given.
    """

    task: str
    images: list[ImageCounts]
    unlabelled: list[str]
    untraced: int


def count_sequences(pairs: Iterable[tuple[Found | None, Found | None]], labels: LabelsLike) -> SequenceCounts:
    """Count image by image what two sides found.

    Traces are found in a label file by the path of their image. `Detections` and `Recognition` name none: they, and
    labels in a sequence, go by their order, one for each image.

    Args:
        pairs: for each image what the reference found, and what the candidate found; None where a side ended before.
        labels: the path of a label file, what `read_labels` returned, or a `Label` for each image, in their order.

    Raises:
        LabelError: the label file cannot be used.
        TypeError: a value is of another type, or of another task than its label.
        ValueError: the sides or the labels end before the others, an image is given twice, only some are traces, two
            traces, or traces and a label of a file, are of different images, a trace holds no result, or the file has
            a label of none of them.
    """
    if not isinstance(labels, str | PathLike | Iterable):
        raise _not_labels(labels)
    found: Iterable[Label] | None = None if isinstance(labels, str | PathLike) else labels
    task, images, unlabelled = DETECTION.name, list[ImageCounts](), list[str]()
    ordered: Iterator[Label] | None = None
    seen, count = set[str](), 0
    for count, pair in enumerate(pairs, 1):
        one, two = (_product(each, side, count) for each, side in zip(pair, ("reference", "candidate"), strict=True))
        name = _image_of(*pair)
        if count == 1:
            task = RECOGNITION.name if isinstance(one, Recognition) else DETECTION.name
            found = read_labels(labels, task=task) if found is None else found  # type: ignore[arg-type]
            ordered = None if isinstance(found, Labels) and name else iter(found)
        if isinstance(found, Labels) and bool(name) != (ordered is None):
            raise ValueError(
                f"image {count} has {'a' if name else 'no'} trace, unlike those before it: give traces of all images, "
                "which are found in the file by their path, or of none"
            )
        label = found.of(name) if ordered is None and isinstance(found, Labels) else next(ordered or iter(()), None)
        if label is None and ordered is not None:
            raise ValueError(f"there are more images than labels, which are {count - 1}: give a label for each")
        if not isinstance(label, Label | None):
            raise _not_labels(label)
        if name and label is not None and label.where and image_identity(label.image, {}) != image_identity(name, {}):
            raise ValueError(
                f"label {count} is of {printable(label.image)}, and its traces are of {printable(name)}: sort both "
                "alike, or give the label file itself, in which images are found by their path"
            )
        shown = name or ("" if label is None else label.image)
        identity = image_identity(shown, {}) if shown else ""
        if identity in seen:
            raise ValueError(f"{printable(shown)} is given twice, and would count twice: give each image once")
        seen |= {identity} - {""}
        if label is None:
            unlabelled.append(name)
        else:
            images.append(count_image(label, one, two, shown or f"image {count - 1}", image_size(*pair)))
    if ordered is not None and next(ordered, None) is not None:
        raise ValueError(f"there are more labels than images, which are {count}: give a label for each image, in order")
    if not isinstance(found, Labels):
        return SequenceCounts(task, images, [], 0)
    if unlabelled and not images:
        raise ValueError(
            f"no image given has a label, such as {printable(unlabelled[0])}; labels are of images such as "
            f"{printable(found.images[0])}: give data_dir to read_labels(), or the label file of these images"
        )
    return SequenceCounts(task, images, unlabelled, len(found) - len(images))


def _not_labels(given: object) -> TypeError:
    return TypeError(f"labels: give a file, what read_labels() returned, or a Label for each, not {given!r:.60}")


def _product(found: object, side: str, count: int) -> Detections | Recognition:
    """Return what a side found in an image."""
    if isinstance(found, Trace):
        product = found.detections if found.recognition is None else found.recognition
        if product is None:
            why = f": {found.error}" if found.error else ""
            raise ValueError(
                f"the trace of {printable(found.image)} by {printable(found.pipeline)} holds no result{why}"
            )
        return product
    if found is None:
        raise ValueError(f"the {side} has nothing for image {count}: give both sides the same images")
    if not isinstance(found, Detections | Recognition):
        raise TypeError(f"{side}: give a Trace, Detections or a Recognition for each image, not {found!r:.60}")
    return found


def _image_of(one: object, two: object) -> str:
    """Return the name of the image of two traces, nothing where they name none. Raises ValueError for two images."""
    names = [each.image for each in (one, two) if isinstance(each, Trace)]
    if len({image_identity(name, {}) for name in names}) > 1:
        raise ValueError(f"traces of two images at one place: {' and '.join(map(printable, names))}; sort both alike")
    return names[0] if names else ""
