"""Rows that need no run: map comparison, matching of boxes, baseline files."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.project import train_side
from benchmarks.rows import Row, in_turns, milliseconds, paired, seconds
from pytest_ocrparity import assert_same_probability_maps
from pytest_ocrparity.compare.sensitivity import with_sensitivity
from pytest_ocrparity.geometry import match_polygons
from pytest_ocrparity.golden.baseline_file import load_baseline_file, save_baseline_file
from pytest_ocrparity.trace import Trace


def rows() -> Iterator[Row]:
    yield from maps()
    yield from matching()
    yield from baseline()


def maps() -> Iterator[Row]:
    """One pair of maps. What is told last is nearer to a gate, where a network sweeps the caches before each."""
    rng = np.random.default_rng(0)
    ours = rng.random((1, 1, 960, 960), dtype=np.float32)
    theirs = ours + rng.normal(0, 1e-6, ours.shape).astype(np.float32)
    one, two = _trace("train", ours), _trace("inference", theirs)
    compare = partial(assert_same_probability_maps, one, two)
    allclose = partial(np.testing.assert_allclose, theirs, ours, rtol=0, atol=1e-4)
    ratio, own, other = paired(compare, allclose)
    told = f"{milliseconds(own, other)}; {in_turns(compare, allclose):.3g} times where single calls take turns"
    yield Row("map comparison, 960x960", "`numpy.testing.assert_allclose`", ratio, 15, told=told)
    ratio, own, other = paired(compare, ours.copy)
    yield Row(
        "map comparison, 960x960", "copying one map", 1 / ratio, 8, "times its time", True, milliseconds(own, other)
    )


def _trace(side: str, map_: npt.NDArray[np.float32]) -> Trace:
    return Trace(pipeline=side, image="page.png", probability_map=map_, parameters={"detections": {"thresh": 0.3}})


def matching() -> Iterator[Row]:
    times = {}
    for count in (1_000, 10_000):
        ours, theirs = boxes(count)
        pairs = match_polygons(ours, theirs).pairs
        assert len(pairs) == count
        times[count] = sorted(seconds(partial(match_polygons, ours, theirs)) for _ in range(9))[4]
    told = milliseconds(times[10_000], times[1_000])
    evaluator = _evaluator()
    if evaluator is not None:
        ours, theirs = boxes(1_000)
        truth, found = ([{"points": box.tolist(), "text": "", "ignore": False} for box in s] for s in (ours, theirs))
        theirs_ = seconds(lambda: evaluator.evaluate_image(truth, found))
        ratio, facts = theirs_ / times[1_000], milliseconds(times[1_000], theirs_)
        yield Row(
            "matching, 1,000 against 1,000 boxes", "PaddleOCR's `DetectionIoUEvaluator`", ratio, 2_000, told=facts
        )
    ratio = times[10_000] / times[1_000]
    yield Row("matching, 10,000 against 10,000 boxes", "1,000", ratio, 15, "times its time", True, told)


def boxes(count: int) -> tuple[list[Any], list[Any]]:
    """Return tilted words in rows and the same, each moved by up to a pixel, in another order."""
    rng, side = np.random.default_rng(0), int(np.ceil(count**0.5))
    found = []
    for index in range(count):
        width, height, angle = rng.uniform(20, 50), rng.uniform(8, 20), rng.uniform(-0.1, 0.1)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]])
        found.append(corners @ turn + [index % side * 60, index // side * 30])
    return found, [found[index] + rng.uniform(-1, 1, 2) for index in rng.permutation(count)]


def _evaluator() -> Any:
    """Return PaddleOCR's evaluator from a checkout, which the 2.10 distribution leaves out, or None without one."""
    path = Path(os.environ.get("OCRPARITY_PADDLEOCR_CHECKOUT", ""), "ppocr", "metrics", "eval_det_iou.py")
    if not path.is_file():
        print("matching against DetectionIoUEvaluator: left out, OCRPARITY_PADDLEOCR_CHECKOUT names no checkout")
        return None
    spec = importlib.util.spec_from_file_location("eval_det_iou", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.DetectionIoUEvaluator()


def baseline() -> Iterator[Row]:
    trace = with_sensitivity(train_side().trace(_page()))
    arrays = _arrays(trace)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours.npz", Path(folder) / "theirs.npz"
        save_baseline_file(ours, trace, reference="train", lossless=True)
        exact = ours.stat().st_size
        save_baseline_file(ours, trace, reference="train")
        np.savez_compressed(theirs, **arrays)
        size, other = ours.stat().st_size, theirs.stat().st_size
        told = f"{size / 1e3:.0f} kB, or {exact / 1e3:.0f} with every bit of the map, against {other / 1e3:.0f} kB"
        name = "baseline file of a 960x960 page"
        yield Row(name, "`np.savez_compressed`", size / other, 1 / 3, "of its size", True, told)

        def numpys() -> list[Any]:
            with np.load(theirs) as members:
                return [members[name] for name in members.files]

        ratio, own, taken = paired(lambda: load_baseline_file(ours), numpys)
        yield Row("loading it", "`np.load`", 1 / ratio, 1 / 3, "of its time", True, milliseconds(own, taken))


def _page() -> npt.NDArray[np.uint8]:
    from example_project.pages import drawn

    return drawn(0, 960, 960, (14.0, 40.0), count=20).image


def _arrays(trace: Trace) -> dict[str, Any]:
    """Return all that a baseline holds of this trace, as NumPy would store it."""
    assert trace.detections is not None and trace.fused_map is None
    polygons: Sequence[Any] = trace.detections.polygons
    return {
        "resize": trace.resize,
        "tensor": trace.tensor,
        "probability_map": trace.probability_map,
        "polygons": np.array(polygons),
        "scores": trace.detections.scores,
    }
