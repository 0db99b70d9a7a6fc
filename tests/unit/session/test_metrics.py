"""What reporters see of a test's records."""

from __future__ import annotations

import math
from typing import Any

import pytest
from records import comparison

from pytest_ocrparity.comparison import Measure
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.report.document import Compared, Failed, Record
from pytest_ocrparity.session.metrics import properties

IMAGE = {"image": "a.png", "reference": "train", "candidate": "inference"}


def compared(status: str = "same", stage: str | None = None, **measures: Any) -> Compared:
    found = tuple(Measure(name, value) for name, value in measures.items())
    return Compared(comparison=comparison("detections", **IMAGE, status=status, stage=stage, measures=found))


def failed(*causes: str) -> Failed:
    diagnoses = tuple(Diagnosis(stage="detections", cause=cause, summary="") for cause in causes)
    return Failed(**IMAGE, kind="detections", message="it differs", diagnoses=diagnoses, others=())


def test_of_several_comparisons_of_a_kind_the_worst_is_seen() -> None:
    found = dict(properties([compared(largest=0.5, min_iou=0.9), compared("different", largest=0.25, min_iou=0.8)]))
    assert found["ocr.detections.status"] == "different"
    assert (found["ocr.detections.largest"], found["ocr.detections.min_iou"]) == (0.5, 0.8)


@pytest.mark.parametrize("order", [1, -1])
def test_no_number_is_worse_than_any(order: int) -> None:
    found = dict(properties([compared(largest=math.nan), compared(largest=0.25)][::order]))
    assert math.isnan(found["ocr.detections.largest"])  # type: ignore[arg-type]


def test_a_failure_leaves_its_stage_and_each_cause_once() -> None:
    first = failed("unknown", "postprocess.thresh")
    left: list[Record] = [compared("different", "detections"), first, failed("unknown")]
    names = [each for each in properties(left) if each[0] in ("ocr.stage", "ocr.cause")]
    assert names == [("ocr.stage", "detections"), ("ocr.cause", "unknown"), ("ocr.cause", "postprocess.thresh")]


def test_a_test_that_compared_nothing_has_none() -> None:
    assert properties([]) == []
