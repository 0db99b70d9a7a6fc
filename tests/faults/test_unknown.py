"""Faults that no experiment knows: the stage is named, what was ruled out is listed, and no cause is claimed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from real.features import HAS_STALE_PROGRAMS, IS_PADDLEX_3_1, PADDLE

from faults import ports
from faults.cases import FAULTS, HAS_WRONG_BILINEAR
from faults.deployment import Deployment
from faults.harmless import HARMLESS
from faults.near_misses import NEAR_MISSES
from faults.short_list import FAST
from faults.test_clean import IMAGES, VARIATIONS
from pytest_ocrparity.diagnosis import CAUSES


@pytest.mark.parametrize(
    ("wrong", "stage", "tried"),
    [
        (ports.BlursTensor, "tensor", "normalize"),
        (ports.SharpensMap, "probability_map", "network.train_mode"),
        (ports.DropsBoxes, "detections", "rescale"),
    ],
)
def test_what_no_experiment_knows_stays_unknown(tmp_path: Path, wrong: Any, stage: str, tried: str) -> None:
    deployment = Deployment.copy(tmp_path)
    deployment.wrap = wrong
    error = deployment.failure()
    assert error is not None
    (diagnosis,) = error.diagnoses
    assert (diagnosis.cause, diagnosis.stage, diagnosis.fix) == ("unknown", stage, None)
    assert any(text.startswith(tried) for text in diagnosis.tried), diagnosis.tried
    assert not any(text.startswith(tried) for text in diagnosis.ruled_out), diagnosis.ruled_out
    first, *rows = str(error).splitlines()
    assert "first difference at" in first
    assert any(row.startswith(f"  cause       unknown at {stage}: ") for row in rows)
    assert any(row.startswith("  tried       ") for row in rows)


def test_every_cause_is_injected_somewhere() -> None:
    # A batch shows in a whole run only: tests/integration/test_option_batch.py and tests/real/test_batches.py.
    # The precision of a processor is that of a recorded map: tests/real/test_recorded_precision.py.
    # Those of recognisers alone are injected in tests/real/test_recogniser_diagnosis.py and tests/unit/diagnose.
    # A file that rounds between layers: tests/unit/diagnose/network/test_rounding.py.
    # What stands between the two models of a page: tests/page_faults.
    nowhere = {"unknown", "engine.batch", "engine.precision", "precision.activations", *OF_RECOGNISERS, *OF_PAGES}
    nowhere |= set() if HAS_STALE_PROGRAMS else {"network.stale_program"}
    nowhere |= set() if HAS_WRONG_BILINEAR or PADDLE.startswith("3.3.") else {"engine.onednn"}
    assert {cause for case in FAULTS for cause in case.causes} == CAUSES.keys() - nowhere


OF_PAGES = {f"pipeline.{step}" for step in ("crop_rule", "order", "score_thresh", "textline_orientation")}
OF_RECOGNISERS = {
    *("resize.width", "resize.height", "resize.stretch", "resize.max_width", "resize.batch_padding"),
    *("tensor.padding_value", "network.softmax", "network.head"),
    *(cause for cause in CAUSES if cause.startswith("text.")),
}


def test_the_short_list_has_every_cause() -> None:
    listed = [case for case in FAULTS if case.name in FAST]
    nowhere = set() if HAS_STALE_PROGRAMS else {"W10 stale inference.json"}
    nowhere |= {"a box dropped by a pipeline"} if IS_PADDLEX_3_1 else set()
    nowhere |= set() if HAS_WRONG_BILINEAR else {"E1 oneDNN of paddle 3.2"}
    assert {case.name for case in listed} == {*FAST} - nowhere
    assert {cause for case in listed for cause in case.causes} == {cause for case in FAULTS for cause in case.causes}


def test_every_cause_has_its_paragraph() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "causes.md").read_text()
    paragraphs = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    assert list(paragraphs) == list(CAUSES)
    for cause, text in paragraphs.items():
        assert f"Stage: `{CAUSES[cause]}`." in text, cause
        assert "- **Proved when** " in text
        assert "- **Fix.** " in text


@pytest.mark.skipif(not HAS_WRONG_BILINEAR, reason="the tables are those of paddle 3.2")
def test_the_explanation_quotes_the_tables() -> None:
    folder = Path(__file__).parents[2] / "docs" / "explanation"
    told, page = (folder / "diagnosis.md").read_text(), (folder / "faults.md").read_text()
    for name, count in (("faults", len(FAULTS)), ("near misses", sum(len(case.images) for case in NEAR_MISSES))):
        (row,) = re.findall(rf"(?m)^\| {name} \|.*$", page)
        assert row in told
        cases, caught, stage, _, _, wrong, false, fixes = (each.strip() for each in row.strip("|").split("|")[1:])
        assert int(cases) == int(caught) == int(stage) == count
        assert (wrong, false) == ("0", "0")
        assert len(set(fixes.split(" of "))) == 1
    assert f"{len(NEAR_MISSES)} near misses and foreign ports" in told
    harmless = sum(len(images) for _, images in HARMLESS.values())
    assert f"{len(IMAGES) * len(VARIATIONS) + 1 + harmless} right deployments" in told
