"""Right deployments pass: every image of the example under every benign variation, and nothing is diagnosed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faults import exports
from faults.cases import both, export_yml, options, train_yml
from faults.deployment import EXAMPLE, Deployment, first_failure
from faults.rows import ALL
from pytest_ocrparity import Pipeline

IMAGES = sorted(path.name for path in (EXAMPLE / "images").iterdir())


def as_pdmodel(d: Deployment) -> None:
    (d.folder / "inference" / "inference.json").unlink()
    for name in ("inference.pdmodel", "inference.pdiparams"):
        (d.folder / "inference" / name).write_bytes((EXAMPLE / "inference_pdmodel" / name).read_bytes())


def in_batches(d: Deployment) -> None:
    d.predict_options["batch_size"] = 4


def same(name: str, **values: object) -> Callable[[Deployment], None]:
    return both(train_yml(name, **values), export_yml(name, **values))


VARIATIONS: dict[str, Callable[[Deployment], None]] = {
    "as it is (N6)": lambda d: None,
    "old program format": as_pdmodel,
    "oneDNN (E10)": options(enable_mkldnn=True),
    "one thread (E10)": options(cpu_threads=1),
    "batches of 4": in_batches,
    "long side of 960": both(
        train_yml("DetResizeForTest", limit_side_len=960, limit_type="max"),
        options(limit_side_len=960, limit_type="max"),
    ),
    "polygons (P9)": same("PostProcess", box_type="poly"),
    "dilated, slow scores": same("PostProcess", use_dilation=True, score_mode="slow"),
}
SMALL = ("curved.png", "half_stride.png")
CASES = [(name, image) for name in VARIATIONS for image in (IMAGES if ALL else SMALL)]
"""CI runs each variation on the smallest pages; `make example` runs each image as it is."""
MODELS: dict[str, tuple[Pipeline, Pipeline]] = {}


@pytest.fixture
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, Pipeline]:
    """Both sides of a variation, loaded once."""
    name = request.param
    if name not in MODELS:
        deployment = Deployment.copy(tmp_path_factory.mktemp("clean"))
        VARIATIONS[name](deployment)
        MODELS[name] = deployment.models()
    return MODELS[name]


@pytest.mark.parametrize(("models", "image"), CASES, indirect=["models"])
def test_a_right_deployment_passes(
    models: tuple[Pipeline, Pipeline], image: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("faults.clean", image)
    train, inference = models
    path = EXAMPLE / "images" / image
    assert first_failure(train.trace(path), inference.trace(path)) is None


def test_rightly_fused_branches_pass(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    record_property("faults.clean", "rep fusion")
    deployment = Deployment.copy(tmp_path)
    exports.wrong_fusion(deployment)
    assert deployment.export_again is not None
    deployment.export_again()
    assert deployment.failure() is None
