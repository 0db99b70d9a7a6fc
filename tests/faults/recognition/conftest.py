"""The right deployment of the example's recogniser, loaded once."""

from __future__ import annotations

import pytest

from faults.recognition.deployment import LineDeployment
from pytest_ocrparity import Pipeline


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> tuple[LineDeployment, tuple[Pipeline, Pipeline]]:
    """The right deployment, loaded once."""
    deployment = LineDeployment.copy(tmp_path_factory.mktemp("right_lines"))
    return deployment, deployment.models()
