"""What PaddleOCR builds from a training YAML file: its Eval operators, in order, and its post-process."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pytest_ocrparity.artifacts import recogniser_configs
from pytest_ocrparity.artifacts.configs import STAGE_OF, config_operators
from pytest_ocrparity.artifacts.lint import RANDOM
from pytest_ocrparity.backends.effective_parameters import effective_training_operator
from pytest_ocrparity.backends.ppocr.network import Network
from pytest_ocrparity.errors import ModelError


@dataclass(frozen=True, slots=True)
class Parts:
    """What PaddleOCR built from a training YAML file; `parameters` are those of the operators, by stage name."""

    operators: tuple[tuple[str, Callable[[Any], Any]], ...]
    parameters: Mapping[str, Mapping[str, Any]]
    network: Network
    post_process: Any


def import_ppocr_operators() -> None:
    """Import what PaddleOCR's operators need, so that what is missing is named before anything is built.

    Raises:
        ModelError: a version of something that they need does not suit them.
    """
    try:
        import ppocr.data  # noqa: F401
    except ImportError:
        raise
    except Exception as error:  # such as the AttributeError of a removed numpy name
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"this PaddleOCR's ppocr.data does not suit what is installed here: {reason}") from error


@contextmanager
def reading_operators(config: Path) -> Iterator[None]:
    """Let PaddleOCR read a YAML file.

    Raises:
        ModelError: it refuses it.
    """
    try:
        yield
    except Exception as error:  # whatever PaddleOCR's constructors raise
        raise ModelError(f"{config}: PaddleOCR refuses this YAML file: {type(error).__name__}: {error}") from error


def build_ppocr_operators(yml: Mapping[str, Any], network: Network, config: Path, post_process: Any = None) -> Parts:
    """Build operators and post-process as `tools/infer_det.py` does, in the YAML file's own terms.

    Like it, the post-process of a detector does not get `Global`, which `tools/eval.py` would merge into it.

    Args:
        yml: the YAML file, checked.
        network: the network.
        config: where the YAML file lies.
        post_process: that of a recogniser; None means that of a detector, which is built here.

    Raises:
        ModelError: PaddleOCR refuses the YAML file.
    """
    from ppocr.data import create_operators
    from ppocr.postprocess import build_post_process

    stage_of, kept = (
        (STAGE_OF, ["image", "shape"]) if post_process is None else (recogniser_configs.STAGE_OF, ["image"])
    )
    settings = yml.get("Global") or {}
    transforms: list[dict[str, Any]] = []
    for name, arguments in config_operators(yml["Eval"]["dataset"]["transforms"], config, "Eval.dataset.transforms"):
        if "Label" not in name:
            transforms.append({name: copy.deepcopy(arguments) | ({"keep_keys": kept} if name == "KeepKeys" else {})})
    with reading_operators(config):
        built = create_operators(copy.deepcopy(transforms), copy.deepcopy(settings))
        post_process = build_post_process(yml["PostProcess"]) if post_process is None else post_process
    named = [next(iter(entry.items())) for entry in transforms]
    parameters = {
        stage_of[name]: found
        for (name, arguments), operator in zip(named, built, strict=True)
        if (found := effective_training_operator(name, operator, {**arguments, **settings})) is not None
    }
    return Parts(
        operators=tuple((name, operator) for (name, _), operator in zip(named, built, strict=True)),
        parameters=parameters,
        network=network,
        post_process=getattr(post_process, "post_process", post_process),  # Distillation's is a DBPostProcess inside
    )


def build_ppocr_post_process(section: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Build the post-process with other values, for an experiment, see `contract.PostprocessesWith`."""
    from ppocr.postprocess import build_post_process as build

    made = build({**section, **{name: value for name, value in values.items() if name not in NOT_IN_YAML}})
    inner = getattr(made, "post_process", made)
    for name, put in NOT_IN_YAML.items():
        if name in values:
            put(inner, values[name])
    return inner


def _put_min_size(inner: Any, least: float) -> None:
    if not hasattr(inner, "min_size"):
        raise AttributeError("this release of PaddleOCR has no min_size")
    inner.min_size = least


def _put_rectangles(inner: Any, which: str) -> None:
    last = 1 if which == "upright, last pixel included" else 0
    inner.get_mini_boxes = lambda outline: _upright_rectangle(outline, last)


def _put_kernel(inner: Any, side: int) -> None:
    """Dilate by a square of that side; erode by it where it is negative."""
    kernel = np.ones((abs(side), abs(side)), np.uint8)
    if side > 0:
        inner.dilation_kernel = kernel
        return
    import cv2

    inner.dilation_kernel = None

    def eroded(find: Callable[..., Any]) -> Callable[..., Any]:
        return lambda pred, bitmap, *size: find(pred, cv2.erode(np.asarray(bitmap, np.uint8), kernel), *size)

    for name in BITMAP_READERS:
        setattr(inner, name, eroded(getattr(inner, name)))


def _put_unclip_distance(inner: Any, distance: float) -> None:
    """Let every box grow by the same distance: by the ratio that gives it, box by box."""
    unclip = inner.unclip

    def constant(box: Any, _: float) -> Any:
        from shapely.geometry import Polygon

        shape = Polygon(box)
        return unclip(box, distance * shape.length / max(shape.area, 1e-9))

    inner.unclip = constant


def _put_unclip(inner: Any, which: str) -> None:
    """Let no box grow: it stays the rectangle of its outline, or becomes what the ratio 0 makes of that."""
    unclip, rectangle = inner.unclip, inner.get_mini_boxes
    if which == "unclip_ratio 0":
        inner.unclip = lambda box, _: unclip(box, 0.0)
        return

    def kept(points: Any) -> tuple[Any, float]:
        box, side = rectangle(points)
        corners = np.asarray(points).reshape(-1, 2)
        if np.issubdtype(corners.dtype, np.integer):  # an outline
            return box, side
        # Who does not grow boxes does not ask for their rectangle again, nor for its size.
        return list(corners) if len(corners) == 4 else box, side if which == "no unclip" else np.inf

    inner.unclip, inner.get_mini_boxes = (lambda box, _: np.array([box], np.float32)), kept


def _put_score(inner: Any, which: str) -> None:
    """Let the largest value within a box be its score: the level above which the mean of what is above it is 0."""
    mean = inner.box_score_fast

    def largest(values: Any, box: Any) -> float:
        levels = np.unique(values[_around(box, values.shape)])
        low, high = 0, len(levels) - 1
        while low < high:
            middle = (low + high + 1) // 2
            is_inside = mean((values >= levels[middle]).astype(np.float32), box) > 0
            low, high = (middle, high) if is_inside else (low, middle - 1)
        return float(levels[low])

    inner.box_score_fast = largest


def _around(box: Any, shape: Any) -> tuple[slice, slice]:
    """Return the part of a map in which a box lies."""
    (x0, y0), (x1, y1) = np.floor(np.min(box, axis=0)), np.ceil(np.max(box, axis=0)) + 1
    return slice(int(max(y0, 0)), int(min(y1, shape[0]))), slice(int(max(x0, 0)), int(min(x1, shape[1])))


BITMAP_READERS = ("boxes_from_bitmap", "polygons_from_bitmap")
"""The methods of DBPostProcess that are given the binary map, and return boxes with their scores."""

NOT_IN_YAML: Mapping[str, Callable[[Any, Any], None]] = {
    "min_size": _put_min_size,
    "rectangles": _put_rectangles,
    "kernel": _put_kernel,
    "unclip_distance": _put_unclip_distance,
    "unclip": _put_unclip,
    "score": _put_score,
}
"""The values that no YAML file sets, each with what puts it into a built post-process."""


def _upright_rectangle(outline: Any, last: int) -> tuple[list[Any], float]:
    """Return a contour's bounding rectangle as `DBPostProcess.get_mini_boxes` returns the smallest one.

    Args:
        outline: (n, 1, 2) points.
        last: 1 if the right and lower edges lie on the last pixel, 0 if they lie behind it.
    """
    points = np.asarray(outline).reshape(-1, 2)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0) + (1 - last)
    corners = [np.array(corner, np.float32) for corner in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    side = float(min(points.max(axis=0) - points.min(axis=0) + 1))
    return corners, side


def without_global(yml: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """Return a copy of a training YAML file whose `Global` lacks some keys."""
    kept = {key: value for key, value in (yml.get("Global") or {}).items() if key not in keys}
    return {**yml, "Global": kept}


def without_random_operators(yml: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a training YAML file whose Eval transforms hold no random operator."""
    changed = copy.deepcopy(dict(yml))
    dataset = changed["Eval"]["dataset"]
    dataset["transforms"] = [entry for entry in dataset["transforms"] if not RANDOM & entry.keys()]
    return changed


def with_operators_resizing_to(yml: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """Return a copy of a training YAML file whose DetResizeForTest resizes to one (h, w), whatever the image."""
    changed = copy.deepcopy(dict(yml))
    for entry in changed["Eval"]["dataset"]["transforms"]:
        if "DetResizeForTest" in entry:
            entry["DetResizeForTest"] = {"image_shape": list(size)}
    return changed
