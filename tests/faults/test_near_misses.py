"""Of a fault that looks like another one nothing false is said; where a cause is the true one, it is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from faults.deployment import Deployment
from faults.near_misses import FAST, NEAR_MISSES, NearMiss
from faults.rows import ALL, badly_worded, row_of
from faults.trial import Trial
from pytest_ocrparity import Pipeline
from pytest_ocrparity.diagnosis import CAUSES, UNKNOWN

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="foreign ports run ONNX Runtime")

CASES = [(case, image) for case in NEAR_MISSES for image in case.images]
RUN = CASES if ALL else [(case, case.images[0]) for case in NEAR_MISSES if case.name in FAST]


def ids(cases: list[tuple[NearMiss, str]]) -> list[str]:
    return [f"{case.name}-{image}" for case, image in cases]


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployment, tuple[Pipeline, Pipeline]]:
    """The right deployment, loaded once."""
    deployment = Deployment.copy(tmp_path_factory.mktemp("right"))
    return deployment, deployment.models()


@pytest.fixture
def trial(request: pytest.FixtureRequest, tmp_path: Path, untouched: Any) -> Trial:
    case, image = request.param
    return Trial(case, image, tmp_path, untouched)


@pytest.mark.parametrize("trial", RUN, ids=ids(RUN), indirect=True)
def test_what_is_said_is_true(trial: Trial, record_property: Callable[[str, object], None]) -> None:
    case, error = trial.case, trial.failure()
    row = row_of(
        f"{case.name} [{trial.image}]",
        error,
        case.stage.split("/"),
        [case.allowed, *filter(None, [case.also]), *[UNKNOWN] * (trial.image in case.unnamed)],
        case.injected,
        saying={case.also: case.saying},
        never=case.never,
    )
    record_property("faults.near", row)
    assert error is not None, "the gate passed"
    text = str(error)
    print(text)
    assert row["stage_right"], f"{case.stage} is first, said: {row['stage']}"
    assert row["wrong"] == []
    assert row["false_ruled_out"] == []
    assert re.search(case.message, text), f"not said: {case.message}"
    assert badly_worded(error.diagnoses) == []
    if case.is_own_engine:
        for diagnosis in error.diagnoses:
            assert diagnosis.fix is None or "TextDetection" not in diagnosis.fix.text
            assert diagnosis.fix is None or not diagnosis.fix.changes, "no setting of this port's is known"
    causes = tuple(diagnosis.cause for diagnosis in error.diagnoses)
    if case.allowed != UNKNOWN and trial.image not in case.unnamed:
        assert case.allowed in causes, error
    is_followable = case.inject is None or any(each.fix and each.fix.changes for each in error.diagnoses)
    if causes and UNKNOWN not in causes and is_followable:
        row["mended"] = trial.failure(error.diagnoses) is None
        assert row["mended"], f"who follows the fixes of {causes} still fails"


def test_the_table_is_sound() -> None:
    names = [case.name for case in NEAR_MISSES]
    assert len(set(names)) == len(names) >= 44
    for case in NEAR_MISSES:
        assert {case.allowed, *case.injected, *filter(None, [case.also])} <= CAUSES.keys(), case.name
        assert bool(case.also) == bool(case.because), case.name
        assert case.also or not case.saying, case.name
        assert len(set(case.images)) == len(case.images) >= 3, case.name


def test_the_short_list_has_every_kind() -> None:
    kinds = [case.kind for case in NEAR_MISSES if case.name in FAST]
    assert len(kinds) == len(FAST)
    assert sorted(kinds) == sorted({case.kind for case in NEAR_MISSES})
