"""Judging recorded results again: never another answer than comparing again, and "undecided" where it can't know."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import Heard
from toy import BLANK, PAGE, FusedToy, Toy

from pytest_ocrparity import Detections, Trace
from pytest_ocrparity.compare import compare
from pytest_ocrparity.judging import UNDECIDED, judge_again, wanted_limits
from pytest_ocrparity.listener import listener
from pytest_ocrparity.report.results import finite
from pytest_ocrparity.tolerance import BUILT_IN, parse_option
from pytest_ocrparity.verdict import Comparison

WORDS = (
    "exact",
    "fp32",
    "fp16",
    "int8",
    "preprocessing.atol=0.1",
    "preprocessing.atol=auto",
    "preprocessing.atol=0",
    "probability_maps.atol=off",
    "probability_maps.atol=auto",
    "probability_maps.atol=0.01",
    "probability_maps.atol=1e-5",
    "probability_maps.max_share=0.2",
    "probability_maps.mean_atol=1e-3",
    "probability_maps.mean_atol=off",
    "probability_maps.max_crossings=3",
    "detections.min_iou=0.99",
    "detections.min_iou=0.3",
    "detections.min_iou=auto",
    "detections.max_shift=0",
    "detections.max_shift=0.5",
    "detections.max_shift=5",
    "detections.max_shift=off",
    "detections.max_score_difference=0.001",
    "detections.max_score_difference=0.5",
    "detections.max_score_difference=auto",
    "detections.max_unmatched=0.4",
    "detections.max_unmatched=1",
    "detections.max_borderline=0",
    "detections.allow_empty=true",
)
CANDIDATES: dict[str, dict[str, Any]] = {
    "same": {},
    "offset": {"offset": 2e-3},
    "small offset": {"offset": 5e-5},
    "noise": {"noise": 1e-3},
    "more noise": {"noise": 0.2},
    "mean": {"mean": 0.6},
    "padded": {"pad": 4},
    "a little padded": {"pad": 2},
    "box_thresh": {"box_thresh": 0.97},
    "scale": {"scale": 2},
    "polygons": {"box_type": "poly"},
    "no scores": {"has_scores": False},
}


def pairs() -> Iterator[tuple[str, Trace, Trace]]:
    for name, fields in CANDIDATES.items():
        for page in (PAGE, BLANK):
            yield name, Toy().trace(page), Toy(name="inference", **fields).trace(page)
    train, inference = Toy().trace(PAGE), Toy(name="inference").trace(PAGE)
    assert inference.detections is not None
    boxes = inference.detections.polygons
    scores = inference.detections.scores
    assert scores is not None
    for moved in (1.5, 3.0, 30.0):
        polygons = (boxes[0] + moved, *boxes[1:])
        yield f"moved {moved}", train, replace(inference, detections=Detections(polygons, scores))
    yield "missing", train, replace(inference, detections=Detections(boxes[1:], scores[1:]))
    yield "scores", train, replace(inference, detections=Detections(boxes, scores * 0.9))
    broken = np.array(boxes[0])
    broken[0] = np.nan
    yield "not finite", train, replace(inference, detections=Detections((broken, *boxes[1:]), scores))
    yield "plain", replace(train, probability_map=None), replace(inference, probability_map=None)
    yield "fused", FusedToy(fused_noise=3e-3).trace(PAGE), Toy(name="inference", noise=3e-3).trace(PAGE)


TRACES = {f"{name} {index}": (one, two) for index, (name, one, two) in enumerate(pairs())}


def record(comparison: Comparison) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(finite(comparison.as_json())))
    return found


def compared(sides: tuple[Trace, Trace], word: str) -> tuple[Comparison, ...]:
    return compare(
        reference=sides[0], candidate=sides[1], tolerance=BUILT_IN.override(parse_option(word), "command line")
    )


@pytest.fixture(autouse=True)
def in_a_run() -> None:
    """Let limits that hold for a run be left to it, as they are where results are recorded."""
    listener.set(Heard())


@pytest.mark.parametrize("name", TRACES)
def test_it_answers_as_comparing_again_does_or_not_at_all(name: str) -> None:
    sides = TRACES[name]
    fresh = {word: compared(sides, word) for word in WORDS}
    decided: Counter[bool] = Counter()
    for recorded, wanted in itertools.product(WORDS, WORDS):
        limits = BUILT_IN.override(parse_option(recorded), "command line").override(parse_option(wanted), "--tolerance")
        again = judge_again([record(each) for each in fresh[recorded]], wanted_limits([parse_option(wanted)]))
        for found, right in zip(again, compare(reference=sides[0], candidate=sides[1], tolerance=limits), strict=True):
            decided[found["status"] != UNDECIDED] += 1
            if found["status"] != UNDECIDED:
                told = f"{found['kind']} recorded under {recorded}, judged under {wanted}"
                assert found["status"] == right.status, told
                assert found["counts"].get("different", 0) in (0, right.counts.get("different", 0)), told
    assert decided[True] > 4 * decided[False]
