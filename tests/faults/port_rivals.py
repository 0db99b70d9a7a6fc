"""What makes the same arrays on one page: the exact set of rivals of a fault that is handed over without its source.

Found with the frozen deployments alone: each other choice that a deployment has is tried, and its arrays are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from faults.port_kinds import NAMES, Kind
from faults.server import Server
from faults.server_boxes import Numbers
from faults.server_pages import ROUNDINGS
from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.diagnosis import CAUSES

SIZES = {"limits", "one size", "rounding", "multiple"}
DROPS = {"box_thresh", "small boxes", "second threshold", "the best", "outlines", "dilation", "thresh", "score mode"}
SIDES = (*range(32, 2049, 32), 500, 600, 720, 800, 900, 1000, 1080, 1200, 1333, 1500, 2000, 4000)


def rivals_of(kind: Kind, wrong: Trace) -> dict[str, frozenset[str]]:
    """Return by concept of a kind the codes of all that makes the same arrays of a page in its place, and its own."""
    found: dict[str, frozenset[str]] = {}
    for concept in kind.names:
        if concept in SIZES:
            made = {each for each, server in _sizes(kind, wrong) if _is_tensor_of(server, wrong)}
        elif concept in DROPS and len({*kind.names} - SIZES) == 1:
            assert wrong.detections is not None
            made = {each for each, server in _droppers(kind, wrong) if _same(_boxes(server, wrong), wrong.detections)}
        else:
            continue
        found[concept] = frozenset(next(code for code in NAMES[each] if code in CAUSES) for each in {concept, *made})
    return found


def _page(trace: Trace) -> tuple[int, int]:
    assert trace.shape is not None
    return int(trace.shape[0]), int(trace.shape[1])


def _inner(server: Server, trace: Trace) -> Any:
    return server.frame(*_page(trace)).inner


def _is_tensor_of(server: Server, wrong: Trace) -> bool:
    """Return whether a deployment makes the tensor of a page that another one made."""
    assert wrong.tensor is not None
    if server.frame(*_page(wrong)).outer != wrong.tensor.shape[2:]:
        return False
    made = server.preprocess(wrong.image).tensor
    return made is not None and np.array_equal(made, wrong.tensor)


def _sizes(kind: Kind, wrong: Trace) -> Iterator[tuple[str, Server]]:
    """Yield deployments with the other choices of a kind whose size follows another rule."""
    twin = kind.twin()
    rules = {name: getattr(twin, name) for name in ("limit", "fixed", "rounding", "multiple")}
    right = replace(kind.server(), **rules)
    yield "one size", replace(right, fixed=_inner(kind.server(), wrong))
    for rule in ("min", "max"):
        for side in SIDES:
            if (side, rule) != twin.limit:
                yield "limits", replace(right, limit=(side, rule))
    for rounding in ROUNDINGS:
        for multiple in (8, 16, 32, 64, 128):
            if (rounding, multiple) != (twin.rounding, twin.multiple):
                yield "rounding", replace(right, rounding=rounding, multiple=multiple)


def _droppers(kind: Kind, wrong: Trace) -> Iterator[tuple[str, Server]]:
    """Yield deployments whose post-process drops, or finds, other boxes, by all values that may tell them apart."""
    twin = replace(kind.server(), post=Numbers(), least_px=0, least_score=0, best=0)
    every = _boxes(replace(twin, post=replace(Numbers(), box_thresh=1e-6)), wrong)
    assert every.scores is not None
    for score in every.scores:
        for value in (float(score), float(np.nextafter(score, 1))):
            yield "box_thresh", replace(twin, post=replace(Numbers(), box_thresh=value))
    right = _boxes(twin, wrong)
    for side in {each for box in right.polygons for each in (_side(box), float(np.nextafter(_side(box), np.inf)))}:
        yield "small boxes", replace(twin, least_px=side)
    for count in range(1, len(right) + 1):
        yield "small boxes", replace(twin, best=count)  # the best ones and large ones have one code
    for count in range(1, 100):
        yield "outlines", replace(twin, post=replace(Numbers(), outlines=count))
    for kernel in (2, 3, -2, -3):
        yield "dilation", replace(twin, post=replace(Numbers(), kernel=kernel))
    for thresh in np.arange(0.05, 0.96, 0.01):
        yield "thresh", replace(twin, post=replace(Numbers(), thresh=round(float(thresh), 2)))
    yield "score mode", replace(twin, post=replace(Numbers(), score="slow"))
    yield "score mode", replace(twin, post=replace(Numbers(), score="max"))


def _side(box: Any) -> float:
    return float(min(np.linalg.norm(box[1] - box[0]), np.linalg.norm(box[3] - box[0])))


def _boxes(server: Server, trace: Trace) -> Detections:
    assert trace.probability_map is not None and trace.shape is not None
    return server.postprocess(trace.probability_map, trace.shape)


def _same(made: Detections, found: Detections) -> bool:
    """Return whether two results hold the same boxes and scores, in any order."""
    return len(made) == len(found) and _rows(made) == _rows(found)


def _rows(boxes: Detections) -> list[tuple[float, ...]]:
    assert boxes.scores is not None
    pairs = zip(boxes.polygons, boxes.scores, strict=True)
    return sorted((*box.reshape(-1).tolist(), float(score)) for box, score in pairs)
