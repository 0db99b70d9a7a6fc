"""A right deployment of pages, made of the example's detector and recogniser, that a case may spoil."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from faults.deployment import Deployment
from faults.deployment import write_settings as write
from faults.recognition.deployment import LineDeployment

from page_faults.drawn import IN_BATCHES, PAGES
from pytest_ocrparity import DifferenceError, assert_same_page
from pytest_ocrparity.backends.paddlex.deployed_page import DeployedPage, load_page
from pytest_ocrparity.backends.paddlex.page_predictor import PagePredictor
from pytest_ocrparity.backends.trained_page import TrainedPage
from pytest_ocrparity.diagnosis import Change, Diagnosis
from pytest_ocrparity.settings import load_settings

OFF = dict.fromkeys(("use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation"), False)
OPTIONS = {"text_det_limit_side_len": 736, "text_det_limit_type": "min", "device": "cpu", "enable_mkldnn": False, **OFF}
Hook = Callable[[PagePredictor], None]


@dataclass
class PageDeployment:
    """Both models' project folders and what the deployment hands to `PaddleOCR`, right until a case changes it.

    Attributes:
        detector: of the example's detector.
        recogniser: of its recogniser.
        options: what `PaddleOCR` is given.
        predict_options: what its `predict` is given.
        hooks: change the steps of the pipeline once it is loaded.
    """

    detector: Deployment
    recogniser: LineDeployment
    options: dict[str, Any] = field(default_factory=lambda: dict(OPTIONS))
    predict_options: dict[str, Any] = field(default_factory=dict)
    hooks: list[Hook] = field(default_factory=list)

    @classmethod
    def copy(cls, folder: Path) -> PageDeployment:
        """Copy both projects into an empty folder."""
        (folder / "detector").mkdir(parents=True)
        (folder / "recogniser").mkdir()
        return cls(Deployment.copy(folder / "detector"), LineDeployment.copy(folder / "recogniser"))

    def models(self) -> tuple[TrainedPage, DeployedPage]:
        """Load both sides."""
        trained: list[Any] = []
        for deployment in (self.detector, self.recogniser):
            write(deployment)
            settings = load_settings(deployment.folder / "pyproject.toml", {}, deployment.folder)
            trained.append(deployment.load_training(**{"checkpoint": None, **settings.train}))
        page = load_page(
            detector=self.detector.model_dir,
            recogniser=self.recogniser.model_dir,
            options=self.options,
            predict_options=self.predict_options,
        )
        for hook in self.hooks:
            hook(page._predictor)
        return TrainedPage(*trained), page

    def follow(self, diagnoses: Sequence[Diagnosis]) -> None:
        """Do what the fixes say."""
        for diagnosis in diagnoses:
            if diagnosis.cause in ("pipeline.crop_rule", "pipeline.order", "pipeline.boxes"):
                self.hooks.clear()
            for change in diagnosis.fix.changes if diagnosis.fix else ():
                self._apply(change, self.recogniser if diagnosis.model == "recognition" else self.detector)
            if diagnosis.cause.startswith("text.dictionary"):
                self.recogniser.give_dictionary()

    def _apply(self, change: Change, of: Deployment) -> None:
        values = {"page.options": self.options, "page.predict_options": self.predict_options}.get(change.where)
        if values is None:
            of._apply(change)
            return
        for key, value in change.values.items():
            values.pop(key, None)
            if value is not None:
                values[key] = value


@cache
def picture(name: str) -> Any:
    """Return a page of `drawn`."""
    return {**PAGES, **IN_BATCHES}[name]()


def judged(sides: tuple[TrainedPage, DeployedPage], image: Any) -> DifferenceError | None:
    """Return what the assertion raises of a page, which is given as pixels, or as a path."""
    reference = sides[0].trace(image)
    assert reference.error is None, reference.error
    try:
        assert_same_page(reference, sides[1].trace(image))
    except DifferenceError as error:
        return error.with_traceback(None)
    return None
