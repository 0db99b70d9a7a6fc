"""A baseline in the place of the train model: what can be found is found, and what could not be tried is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from real.features import HAS_STALE_PROGRAMS

from faults import exports
from faults.cases import NO_LIMITS, Inject, both, export_yml, image, options
from faults.deployment import EXAMPLE, Deployment, first_failure
from pytest_ocrparity import DifferenceError
from pytest_ocrparity.golden.baseline_file import load_baseline_file


def failure(deployment: Deployment) -> DifferenceError:
    _, inference = deployment.models()
    baseline = load_baseline_file(EXAMPLE / "goldens" / f"{deployment.image}.npz").trace
    error = first_failure(baseline, inference.trace(deployment.folder / deployment.image))
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("inject", "cause"),
    [
        (NO_LIMITS, "resize.limits"),
        (both(image("colours.png"), export_yml("DecodeImage", img_mode="RGB")), "decode.channel_order"),
        (export_yml("NormalizeImage", mean=[0.5, 0.5, 0.5]), "normalize.mean_std"),
        (options(unclip_ratio=2.2), "postprocess.unclip_ratio"),
        (options(box_thresh=0.9), "postprocess.box_thresh"),
        *([(exports.stale_program, "network.stale_program")] if HAS_STALE_PROGRAMS else []),
    ],
)
@pytest.mark.filterwarnings("ignore:.* holds two programs")
def test_a_fault_is_named_against_a_baseline(tmp_path: Path, inject: Inject, cause: str) -> None:
    deployment = Deployment.copy(tmp_path)
    inject(deployment)
    assert [diagnosis.cause for diagnosis in failure(deployment).diagnoses] == [cause]


def test_what_needs_the_train_model_is_not_tried(tmp_path: Path) -> None:
    deployment = Deployment.copy(tmp_path)
    exports.early(deployment)
    error = failure(deployment)
    (diagnosis,) = error.diagnoses
    assert (diagnosis.cause, diagnosis.stage) == ("unknown", "probability_map")
    assert diagnosis.fix is None
    # Whether a run without passes returns the same bits depends on the machine; with them it rules the passes out.
    assert any("engine.optimization" in text for text in (*diagnosis.ruled_out, *diagnosis.tried))
    assert any("need the train model" in text for text in diagnosis.not_tried)
    assert "cause       unknown at probability_map" in str(error)
    assert "not tried   weights, sub-models and training mode: they need the train model" in str(error)
