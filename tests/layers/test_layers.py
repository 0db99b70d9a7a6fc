"""The layer of a fault is named, and none of a right export."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from layers.faults import Fault
from layers.judging import SAID_BY, layers_of
from layers.lists import Clean, run_cleans, run_faults
from layers.networks import ALL, Subject
from layers.trial import failure, try_fault

NAMED = ("epsilon", "dilation", "activation", "interpolation")
"""Kinds whose attribute is named, at least in layers that an export does not fuse."""
WRONG_MEAN = (0.5, 0.5, 0.5)
Record = Callable[[str, object], None]


@pytest.mark.parametrize("fault", run_faults(), ids=lambda fault: fault.name)
def test_no_other_layer_than_that_of_the_fault_is_named(
    fault: Fault, subjects: Callable[[str], Subject], tmp_path: Path, record_property: Record
) -> None:
    row, error = try_fault(subjects(fault.network), fault, tmp_path)
    record_property("layers.row", row)
    shutil.rmtree(tmp_path)
    print(error)
    assert error is not None, "the gate passed"
    assert row["outcome"] != "wrong", row["said"]
    assert not row["after"], row["said"]
    attributes = [each["attribute"] for each in row["said"]]
    if fault.kind in NAMED and not ALL:
        assert row["attribute_right"], attributes
    if fault.kind not in SAID_BY:
        assert not any(attributes)


@pytest.mark.parametrize("clean", run_cleans(), ids=lambda clean: clean.name)
def test_no_layer_of_a_right_export_is_named(
    clean: Clean, subjects: Callable[[str], Subject], tmp_path: Path, record_property: Record
) -> None:
    subject = subjects(clean.network)
    mean = {"mean": WRONG_MEAN} if clean.is_normalized_wrong else {}
    candidate = subject.export(None, clean.form, tmp_path, **mean)
    tensor = np.asarray(subject.reference.tensor)
    assert np.abs(candidate.infer(tensor) - subject.side.infer(tensor)).max() < subject.limit
    error = failure(subject, candidate, clean.page)
    said = layers_of(error.diagnoses if error is not None else ())
    record_property("layers.clean", {"name": clean.name, "said": said})
    assert (error is not None) == clean.is_normalized_wrong, error
    assert said == []
