"""A right port passes however it is written."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from faults.deployment import EXAMPLE, Deployment
from faults.harmless import HARMLESS
from faults.near_miss import failure
from faults.rows import ALL
from pytest_ocrparity import Pipeline

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="foreign ports run ONNX Runtime")

CASES = [(name, image) for name, (_, images) in HARMLESS.items() for image in (images if ALL else images[:1])]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, Pipeline]:
    return Deployment.copy(tmp_path_factory.mktemp("harmless")).models()


@pytest.mark.parametrize(("name", "image"), CASES)
def test_a_right_port_passes(
    models: tuple[Pipeline, Pipeline], name: str, image: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("faults.clean", f"{name} [{image}]")
    train, inference = models
    make: Callable[[Any], Any] = HARMLESS[name][0]
    path = EXAMPLE / "images" / image
    assert failure(train.trace(path), make(inference).trace(path)) is None


def test_there_are_enough() -> None:
    assert len(HARMLESS) >= 25
    assert all(len({*images}) >= 2 for _, images in HARMLESS.values())
