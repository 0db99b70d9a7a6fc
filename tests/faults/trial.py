"""A near miss on one of its images: what the gate says of it, and what it says when its fixes are followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from faults.deployment import Deployment
from faults.near_miss import NearMiss, failure
from pytest_ocrparity import DifferenceError, Pipeline
from pytest_ocrparity.diagnosis import Diagnosis


class Trial:
    """A case on a page: what the gate says, and what it says when its fixes are followed."""

    kind: type[Deployment] = Deployment
    judge: Callable[[Any, Any], DifferenceError | None] = staticmethod(failure)
    folder_of_images = "images"

    def __init__(self, case: NearMiss, image: str, folder: Path, untouched: Any) -> None:
        self.case, self.image, self.folder = case, image, folder
        self.deployment: Deployment | None = None
        self.models: tuple[Pipeline, Pipeline] | None = None
        if case.inject is None:
            self.deployment, self.models = untouched

    def failure(self, found: Sequence[Diagnosis] = ()) -> DifferenceError | None:
        """Return what the gate says when the fixes of these diagnoses are followed."""
        if self.deployment is None:
            assert self.case.inject is not None
            self.deployment = self.kind.copy(self.folder)
            self.case.inject(self.deployment)
        if self.models is None:
            self.follow(self.deployment, found)
        train, inference = self.models or self.deployment.models()
        path = self.deployment.folder / self.folder_of_images / self.image
        candidate = self.case.make(inference, tuple(diagnosis.cause for diagnosis in found))
        return self.judge(train.trace(path), candidate.trace(path))

    def follow(self, deployment: Deployment, found: Sequence[Diagnosis]) -> None:
        """Do what the fixes say."""
        deployment.apply(found)
