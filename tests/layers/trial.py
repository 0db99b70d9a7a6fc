"""Runs the gate on an export and returns which layers its diagnosis names."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from layers.faults import Fault
from layers.judging import layers_of, row_of
from layers.networks import Subject, page
from pytest_ocrparity import (
    DifferenceError,
    Pipeline,
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.diagnosis import Diagnosis


@cache
def subject_of(name: str, folder: Path) -> Subject:
    """Return a network in a folder of its own, made once."""
    return Subject(name, folder / name)


def failure(subject: Subject, candidate: Pipeline, number: int = 0) -> DifferenceError | None:
    """Run the assertions of the README; return the first failure."""
    pixels = page(number)
    reference = subject.reference if number == 0 else subject.side.trace(pixels)
    trace = candidate.trace(pixels)
    try:
        assert_same_preprocessing(reference, trace)
        assert_same_probability_maps(reference, trace)
        if reference.detections is not None and len(reference.detections):
            assert_same_detections(reference, trace)
    except DifferenceError as error:
        return error
    return None


def why_not(diagnosis: Diagnosis) -> list[str]:
    """Return what a diagnosis says where it names no layer that is proved."""
    if diagnosis.layer is not None and diagnosis.layer.is_proved:
        return []
    return [diagnosis.summary, *(text for text in diagnosis.not_tried if text.startswith("layers"))]


def try_fault(subject: Subject, fault: Fault, folder: Path) -> tuple[dict[str, Any], DifferenceError | None]:
    """Export a fault, run the gate, and judge what it says of the layer."""
    error = failure(subject, subject.export(fault, fault.form, folder))
    said = layers_of(error.diagnoses if error is not None else ())
    row = row_of(fault, subject.structure(fault.form), said)
    row |= {
        "caught": error is not None,
        "causes": [each.cause for each in (error.diagnoses if error is not None else ())],
        "why_not": [text for each in (error.diagnoses if error is not None else ()) for text in why_not(each)],
    }
    return row, error
