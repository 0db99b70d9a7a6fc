"""Every fault is caught, at its stage, with its cause; and doing what the message says makes the gate pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faults.cases import Fault
from faults.deployment import EXPORT_YML, TRAIN_YML, Deployment
from faults.rows import ALL, badly_worded, row_of
from faults.short_list import RUN
from pytest_ocrparity.diagnosis import CAUSES

SMALL_PAGE = "images/curved.png"
"""What CI runs a case on that names no page: on it most faults show, and no page has a smaller tensor."""


@pytest.mark.filterwarnings("ignore:.* holds two programs")  # which is what W10 is about
@pytest.mark.parametrize("case", RUN, ids=lambda case: case.name)
def test_a_fault_is_caught_named_and_mended(
    case: Fault, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    deployment = Deployment.copy(tmp_path)
    deployment.image = deployment.image if ALL else SMALL_PAGE
    case.inject(deployment)
    error = deployment.failure()
    found = error.diagnoses if error is not None else ()
    causes, stages = tuple(d.cause for d in found), tuple(d.stage for d in found)
    row = row_of(case.name, error, case.stages[:1], case.causes, case.causes)
    row |= {"cause_right": causes == case.causes, "stage_right": stages == case.stages}
    record_property("faults.row", row)
    assert error is not None, "the gate passed"
    print(error)
    assert causes == case.causes, error
    assert stages == case.stages
    assert set(causes) <= set(CAUSES)
    assert row["false_ruled_out"] == []
    assert badly_worded(found) == []
    for diagnosis in found:
        assert diagnosis.fix is not None
        assert diagnosis.cause in str(error)
        assert f"{diagnosis.stage}: {diagnosis.summary}" in str(error)
        assert diagnosis.fix.text in str(error)
    first = str(error).partition("\n")[0]
    assert first.endswith(found[0].summary + (f" (and {len(found) - 1} more cause)" if found[1:] else ""))
    deployment.apply(found)
    if case.mend is not None:
        case.mend(deployment)
    row["mended"] = deployment.failure() is None
    assert row["mended"]


def test_a_scale_written_as_a_fraction_is_what_ran(tmp_path: Path) -> None:
    deployment = Deployment.copy(tmp_path)
    deployment.operator(EXPORT_YML, "NormalizeImage", scale=1.0)
    text = str(deployment.failure())
    assert "1./255." in (deployment.folder / TRAIN_YML).read_text()
    assert "normalize.scale" in text
    assert "was used" not in text
    deployment.operator(EXPORT_YML, "NormalizeImage", scale="1./255.")
    deployment.options["box_thresh"] = 0.9
    assert "sets box_thresh to 0.6; 0.9 was used, by inference.options" in str(deployment.failure())
