"""What reporters see of a test's records."""

from __future__ import annotations

import math
from typing import Any

import pytest
from labelled import accuracy_record, image_counts
from msgspec.structs import replace
from records import comparison

from pytest_ocrparity.comparison import Measure
from pytest_ocrparity.diagnosis import Diagnosis
from pytest_ocrparity.report.document import Compared, Counted, Failed, Record
from pytest_ocrparity.session.metrics import accuracy_properties, add_metrics_to_junit, metric_properties
from pytest_ocrparity.tolerance import Limit

IMAGE = {"image": "a.png", "reference": "train", "candidate": "inference"}


def compared(status: str = "same", stage: str | None = None, **measures: Any) -> Compared:
    found = tuple(Measure(name, value) for name, value in measures.items())
    return Compared(comparison=comparison("detections", **IMAGE, status=status, stage=stage, measures=found))


def failed(*causes: str) -> Failed:
    diagnoses = tuple(Diagnosis(stage="detections", cause=cause, summary="") for cause in causes)
    return Failed(**IMAGE, kind="detections", message="it differs", diagnoses=diagnoses, others=())


def test_of_several_comparisons_of_a_kind_the_worst_is_seen() -> None:
    found = dict(
        metric_properties([compared(largest=0.5, min_iou=0.9), compared("different", largest=0.25, min_iou=0.8)])
    )
    assert found["ocr.detections.status"] == "different"
    assert (found["ocr.detections.largest"], found["ocr.detections.min_iou"]) == (0.5, 0.8)


@pytest.mark.parametrize("order", [1, -1])
def test_no_number_is_worse_than_any(order: int) -> None:
    found = dict(metric_properties([compared(largest=math.nan), compared(largest=0.25)][::order]))
    assert math.isnan(found["ocr.detections.largest"])  # type: ignore[arg-type]


def test_a_failure_leaves_its_stage_and_each_cause_once() -> None:
    first = failed("unknown", "postprocess.thresh")
    left: list[Record] = [compared("different", "detections"), first, failed("unknown")]
    names = [each for each in metric_properties(left) if each[0] in ("ocr.stage", "ocr.cause")]
    assert names == [("ocr.stage", "detections"), ("ocr.cause", "unknown"), ("ocr.cause", "postprocess.thresh")]


def test_a_test_that_compared_nothing_has_none() -> None:
    assert metric_properties([]) == []


def test_a_test_of_many_images_has_the_sums_of_their_counts() -> None:
    limit = Limit(0.01, "built-in")

    def counted(image: str, matched: int) -> Counted:
        counts = image_counts(image, 3, 3, matched)
        return Counted(task="detection", reference="train", candidate="x", image=image, limit=limit, counts=counts)

    unlabelled = Counted(task="detection", reference="train", candidate="x", image="c", limit=limit)
    assert dict(metric_properties([counted("a", 1), counted("b", 2), unlabelled])) == {
        "ocr.accuracy.truth": 6,
        "ocr.accuracy.reference.matched": 6,
        "ocr.accuracy.candidate.matched": 3,
        "ocr.accuracy.reference.found": 6,
        "ocr.accuracy.candidate.found": 3,
    }
    assert metric_properties([unlabelled]) == []
    assert dict(metric_properties([counted("a", 2), counted("a", 1)]))["ocr.accuracy.candidate.matched"] == 1  # once
    both = dict(metric_properties([counted("a", 1), replace(counted("a", 2), candidate="y")]))
    assert both["ocr.accuracy.x.train.candidate.matched"] == 1
    assert both["ocr.accuracy.y.train.candidate.matched"] == 2
    assert "ocr.accuracy.truth" not in both


def test_the_figures_of_a_run_go_where_junit_xml_is_written() -> None:
    found = accuracy_properties([accuracy_record([image_counts("a", 2, 2, 1)])])
    head = "ocr.accuracy.inference.train"
    assert dict(found)[f"{head}.hmean.difference"] == pytest.approx(-1 / 3)
    assert {f"{head}.verdict", f"{head}.images", f"{head}.hmean.low", f"{head}.in_order.candidate"} <= dict(
        found
    ).keys()
    two = [accuracy_record([image_counts("a", 2, 2, 1)]), accuracy_record([image_counts("a", 2, 2, 1)], test="t.py::a")]
    names = [name for name, _ in accuracy_properties(two)]
    assert len(set(names)) == len(names) == 2 * len(found)
    assert {f"{head}.verdict", f"{head}[t.py::a].verdict"} <= set(names)
    taken: list[tuple[str, object]] = []

    class Junit:
        def add_global_property(self, name: str, value: object) -> None:
            taken.append((name, value))

    class Plugins:
        def get_plugins(self) -> list[object]:
            return [object(), Junit()]

    class Config:
        pluginmanager = Plugins()

    add_metrics_to_junit(Config(), found)
    assert taken == found
