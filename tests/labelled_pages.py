"""Pages of boxes and lines of text with what a side found, and how PaddleOCR's own evaluators count them.

`python tests/labelled_pages.py CHECKOUT` writes those counts to unit/evaluate/paddleocr_counts.json, so that tests need
no checkout. Numbers come from `random.Random.random` alone, whose sequence Python promises to keep.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from pytest_ocrparity.evaluate.label_line import Label
from pytest_ocrparity.trace import Detections

STORED = Path(__file__).parent / "unit" / "evaluate" / "paddleocr_counts.json"
PAGES, TEXTS = 200, 60
Box: TypeAlias = "list[tuple[float, float]]"


class Page(NamedTuple):
    """Boxes of a label with their transcriptions, and boxes that a side found; in pixels."""

    boxes: list[Box]
    transcriptions: list[str]
    found: list[Box]

    @property
    def label(self) -> Label:
        return Label(polygons=tuple(map(np.array, self.boxes)), transcriptions=tuple(self.transcriptions))

    def detections(self, *, is_reversed: bool = False) -> Detections:
        return Detections(tuple(map(np.array, self.found[::-1] if is_reversed else self.found)))


def page(index: int) -> Page:
    """Return a page of lines, some of which overlap, cross themselves or do not matter."""
    roll = random.Random(index).random
    boxes, transcriptions, found = [], [], []
    for line in range(3 + int(6 * roll())):
        x, y = 200 * roll(), 40 * line + 8 * roll()
        width, height = 40 + 160 * roll(), 12 + 14 * roll()
        for _ in range(1 + (roll() < 0.6) + (roll() < 0.3)):  # lines that overlap each other
            boxes.append(_turned_at_random(roll, _box(x, y, width, height)))
            transcriptions.append("###" if roll() < 0.1 else "*" if roll() < 0.05 else "text")
            for _ in range((roll() < 0.9) + (roll() < 0.4)):
                drift = 0.35 * height
                found.append(
                    _turned_at_random(roll, _box(x + 6 * roll() - 3, y + drift * (2 * roll() - 1), width, height))
                )
            y += height * (0.1 + 0.3 * roll())
            x += 6 * roll()
    for _ in range(int(3 * roll())):
        found.append(_box(250 * roll(), 300 * roll(), 30 + 40 * roll(), 10 + 10 * roll()))
    return Page(boxes, transcriptions, found)


def _box(x: float, y: float, width: float, height: float) -> Box:
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return [(round(a, 1), round(b, 1)) for a, b in corners]


def _turned_at_random(roll: Callable[[], float], box: Box) -> Box:
    """Return the box, or now and then a bow-tie or a polygon of six points."""
    choice = roll()
    if choice < 0.05:
        return [box[0], box[2], box[1], box[3]]
    if choice < 0.15:
        middle = (box[0][0] + box[1][0]) / 2
        return [box[0], (middle, box[0][1] - 2), *box[1:3], (middle, box[2][1] - 2), box[3]]
    return box


def texts(index: int) -> tuple[str, str]:
    """Return a line that is right, and what a side read: often the same, often but for spaces."""
    roll = random.Random(1000 + index).random
    letters = "abc 1é文 "
    right = "".join(letters[int(roll() * len(letters))] for _ in range(int(20 * roll())))
    read = "".join(letters[int(roll() * len(letters))] if roll() < 0.1 else each for each in right)
    return right, right if roll() < 0.2 else read.replace(" ", "") if roll() < 0.4 else read[: len(read) - 1]


def evaluators(checkout: Path) -> tuple[Any, Any]:
    """Return PaddleOCR's `DetectionIoUEvaluator` and `RecMetric`, without what its package imports beside them."""
    package = types.ModuleType("metrics_of_checkout")
    package.__path__ = [str(checkout / "ppocr" / "metrics")]
    sys.modules[package.__name__] = package
    detection = importlib.import_module("metrics_of_checkout.eval_det_iou").DetectionIoUEvaluator
    return detection, importlib.import_module("metrics_of_checkout.rec_metric").RecMetric


def counted_by_paddleocr(checkout: Path) -> dict[str, list[Any]]:
    """Return what the evaluators count.

    `boxes`: by page matched, truth and found, with the detections in their order and reversed; `texts`: by line how
    many are right and the normalised edit distance, spaces counted and not; `order`: pages of which order matters.
    """
    evaluator, metric = evaluators(checkout)
    boxes = []
    for index in range(PAGES):
        made = page(index)
        truth = [
            {"points": points, "ignore": text in ("*", "###")}
            for points, text in zip(made.boxes, made.transcriptions, strict=True)
        ]
        counts = []
        for found in (made.found, made.found[::-1]):
            result = evaluator().evaluate_image(truth, [{"points": points} for points in found])
            counts.append([result["detMatched"], result["gtCare"], result["detCare"]])
        boxes.append(counts)
    lines = [_counted_line(metric, *texts(index)) for index in range(TEXTS)]
    return {"boxes": boxes, "texts": lines, "order": [i for i, (one, two) in enumerate(boxes) if one != two]}


def _counted_line(metric: Any, right: str, read: str) -> list[float]:
    numbers: list[float] = []
    for ignores in (False, True):
        counting = metric(ignore_space=ignores)
        counting(([(read, 1.0)], [(right, 1.0)]))
        numbers += [counting.correct_num, counting.norm_edit_dis]
    return numbers


def stored() -> dict[str, list[Any]]:
    """Return what was counted when the file was written."""
    counts: dict[str, list[Any]] = json.loads(STORED.read_text())
    return counts


def main(arguments: Sequence[str]) -> None:
    """Write the file."""
    counts = counted_by_paddleocr(Path(arguments[0]))
    rows = ",\n ".join(f"{json.dumps(name)}: {json.dumps(values)}" for name, values in counts.items())
    STORED.write_text(f"{{\n {rows}\n}}\n")
    print(f"{len(counts['order'])} of {PAGES} pages depend on the order of boxes")


if __name__ == "__main__":
    main(sys.argv[1:])
