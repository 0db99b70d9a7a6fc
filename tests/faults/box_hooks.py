"""What ports do otherwise from the map on: each function takes the place of one hook of `foreign.Foreign`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from faults.foreign import Array, Size, by_ratios
from faults.server_boxes import joined
from pytest_ocrparity.trace import Shape

# The map: `read`.


def logits(values: Array) -> Array:
    values = np.clip(values.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.asarray(np.log(values / (1 - values)))


def sigmoid(values: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-values)))


def affine(factor: float, offset: float) -> Callable[[Array], Array]:
    return lambda values: values * np.float32(factor) + np.float32(offset)


def transposed(values: Array) -> Array:
    return np.ascontiguousarray(values.transpose(0, 1, 3, 2))


def smoothed(values: Array) -> Array:
    import cv2

    return np.asarray(cv2.blur(values[0, 0], (3, 3)))[None, None]


def eight_bits(values: Array) -> Array:
    return np.round(values * np.float32(255)) / np.float32(255)


def moved_by_two(values: Array) -> Array:
    return np.roll(values, 2, axis=3)


def halved(values: Array) -> Array:
    return np.ascontiguousarray(values[:, :, ::2, ::2])


def medians(values: Array) -> Array:
    return np.asarray(ndimage.median_filter(values, (1, 1, 3, 3)))


def half(change: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Change the left half of a map."""

    def changed(values: Array) -> Array:
        middle = values.shape[3] // 2
        return np.concatenate([change(values)[..., :middle], values[..., middle:]], axis=3)

    return changed


# The boxes: `place` and `finish`.

Boxes = list[Array]
Finish = Callable[[Boxes, list[float]], tuple[Sequence[Array], Any]]


def moved(change: Callable[[Array], Any]) -> Callable[[Array, Shape, Size], Array]:
    """Change the right coordinates of each box in the same way."""
    return lambda box, shape, size: np.asarray(change(by_ratios(box, shape, size)), np.float64)


def in_page(change: Callable[[Array, Array], Any]) -> Callable[[Array, Shape, Size], Array]:
    """Change the coordinates with the page's (width, height)."""
    return lambda box, shape, size: np.asarray(change(by_ratios(box, shape, size), np.array([shape[1], shape[0]])))


def keeping(rule: Callable[[int, Array, float, Boxes], bool]) -> Finish:
    """Keep the boxes of which a rule of index, box, score and all boxes holds."""

    def finish(boxes: Boxes, scores: list[float]) -> tuple[Sequence[Array], Any]:
        kept = [i for i, (box, score) in enumerate(zip(boxes, scores, strict=True)) if rule(i, box, score, boxes)]
        return [boxes[i] for i in kept], [scores[i] for i in kept]

    return finish


def shorter_side(box: Array) -> float:
    return float(min(np.linalg.norm(box[0] - box[1]), np.linalg.norm(box[0] - box[3])))


def best(count: int) -> Finish:
    def finish(boxes: Boxes, scores: list[float]) -> tuple[Sequence[Array], Any]:
        kept = sorted(np.argsort(scores)[::-1][:count])
        return [boxes[i] for i in kept], [scores[i] for i in kept]

    return finish


def scores_moved_on(boxes: Boxes, scores: list[float]) -> tuple[Sequence[Array], Any]:
    return boxes, scores[1:] + scores[:1]


def every_other(change: Callable[[Array], Any]) -> Finish:
    def finish(boxes: Boxes, scores: list[float]) -> tuple[Sequence[Array], Any]:
        return [np.asarray(change(box)) if i % 2 else box for i, box in enumerate(boxes)], scores

    return finish


def merged(boxes: Boxes, scores: list[float]) -> tuple[Sequence[Array], Any]:
    """Merge boxes of a line that are less than 150 px apart, as a second stage of the user's does."""
    done: list[tuple[Array, float]] = []
    for box, score in sorted(zip(boxes, scores, strict=True), key=lambda pair: float(pair[0][0, 0])):
        for index, (other, best_score) in enumerate(done):
            is_near = 0 <= box[0, 0] - other[1, 0] < 150
            if is_near and abs(box[0, 1] - other[1, 1]) < 30:
                done[index] = (np.stack([other[0], box[1], box[2], other[3]]), max(score, best_score))
                break
        else:
            done.append((box, score))
    return [box for box, _ in done], [score for _, score in done]


def merged_upright(forgotten: int = 0) -> Finish:
    """Put the rectangle around the boxes of a line that lie less than 120 px apart in their place."""

    def finish(boxes: Boxes, scores: list[float]) -> tuple[Sequence[Array], Any]:
        rows = joined([(np.asarray(box), score) for box, score in zip(boxes, scores, strict=True)], 120)
        rows = rows[: len(rows) - forgotten]
        return [box for box, _ in rows], [score for _, score in rows]

    return finish


def halves(boxes: Boxes, scores: list[float]) -> tuple[Sequence[Array], Any]:
    """Return each box twice, as an overlap of two tiles does."""
    return [*boxes, *(box + 1 for box in boxes)], [*scores, *scores]


def grown_by(pixels: float) -> Callable[[Array], Array]:
    """Move the sides of a box outward."""

    def change(box: Array) -> Array:
        middle = box.mean(axis=0)
        return np.asarray(box + np.sign(box - middle) * pixels)

    return change
