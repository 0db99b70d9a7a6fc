"""A copy of the example's recogniser that a case may spoil."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml

from faults.deployment import EXAMPLE, Deployment, save
from faults.trial import Trial
from pytest_ocrparity import (
    DifferenceError,
    Pipeline,
    Trace,
    assert_same_preprocessing,
    assert_same_probability_maps,
    assert_same_text,
)
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.pipeline import load_paddlex_pipeline
from pytest_ocrparity.backends.ppocr.pipeline import load_ppocr_pipeline
from pytest_ocrparity.diagnosis import Change

TRAIN_YML, EXPORT_YML = "configs/tiny_rec.yml", "inference_rec/inference.yml"
DICTIONARY = "configs/tiny_rec_dict.txt"
CONFIG: dict[str, Any] = yaml.safe_load((EXAMPLE / TRAIN_YML).read_text())
LINES = sorted(path.name for path in (EXAMPLE / "lines").iterdir() if path.suffix != ".txt")
PROGRAM = [None, 3, 32, -1]
"""The shape that an export's program takes, as PaddleOCR's tools write it."""


@dataclass
class LineDeployment(Deployment):
    """A recogniser's project folder, right until a case changes it."""

    train_yml: ClassVar[str] = TRAIN_YML
    export_yml: ClassVar[str] = EXPORT_YML
    linked: ClassVar[tuple[str, ...]] = ("checkpoints", "lines")
    checkpoint: ClassVar[str] = "tiny_rec"
    package: ClassVar[str] = "tiny_rec"

    options: dict[str, Any] = field(default_factory=lambda: {"device": "cpu", "enable_mkldnn": False})

    def load_inference(self, **settings: Any) -> Pipeline:
        """Load the side under test."""
        side: Any = load_paddlex_pipeline(**settings)
        return side  # type: ignore[no-any-return]  # a recogniser offers what experiments with one ask for

    def load_training(self, **settings: Any) -> Pipeline:
        """Load the trained side."""
        side: Any = load_ppocr_pipeline(**settings)
        return side  # type: ignore[no-any-return]

    def write_export(self, files: dict[str, bytes]) -> None:
        """Put a program and its parameters in the place of those that lie there."""
        for name, data in files.items():
            (self.model_dir / name).write_bytes(data)

    def export(self, change: Any = None, **how: Any) -> None:
        """Export the checkpoint as it is: what following a fix comes to."""
        assert change is None and not how
        self.write_export({path.name: path.read_bytes() for path in (EXAMPLE / "inference_rec").iterdir()})

    def give_dictionary(self) -> None:
        """Write the characters that the training decodes with into inference.yml, but for the space at their end."""
        train: Any = self.models()[0]
        characters = list(train.characters)
        del characters[len(characters) - (characters[-1] == " ") :]
        self.operator(EXPORT_YML, "PostProcess", character_dict=characters)

    def _apply(self, change: Change) -> None:
        """Follow the words about an operator that stands in the training YAML file under another name as well."""
        path = self.folder / TRAIN_YML
        config = yaml.safe_load(path.read_text())
        if change.where == "train.config" and change.key == "RecResizeImg":
            for transform in config["Eval"]["dataset"]["transforms"]:
                if "SVTRRecResizeImg" in transform:
                    shape = transform.pop("SVTRRecResizeImg")["image_shape"]
                    transform["RecResizeImg"] = {"image_shape": shape}
            path.write_text(yaml.safe_dump(config))
        super()._apply(change)


class LineTrial(Trial):
    """A case on a line."""

    kind = LineDeployment
    folder_of_images = "lines"

    @staticmethod
    def judge(reference: Trace, candidate: Any) -> DifferenceError | None:
        """Return what the README's assertions raise, as far as the candidate recorded what they compare."""
        assert reference.error is None and reference.recognition is not None, reference.error
        assertions: Sequence[Any] = (assert_same_preprocessing, assert_same_probability_maps, assert_same_text)
        held = (candidate.tensor, candidate.probability_map, candidate.recognition)
        if candidate.error is None:
            assertions = [each for each, value in zip(assertions, held, strict=True) if value is not None]
        assert assertions
        try:
            for each in assertions:
                each(reference, candidate)
        except DifferenceError as error:
            return error.with_traceback(None)
        return None


@cache
def checkpoint() -> dict[str, Any]:
    """Return the arrays of the example's checkpoint by name."""
    with isolated():
        import paddle

        state = paddle.load(str(EXAMPLE / "checkpoints" / "tiny_rec.pdparams"))
        return {key: np.asarray(value.numpy()) for key, value in state.items()}


def network(build: Any = None, classes: int = 42, state: dict[str, Any] | None = None, seed: int = 0) -> Any:
    """Return a network in evaluation mode: the example's, with the checkpoint's arrays or with those given."""
    with isolated():
        import paddle

        from example_project.tiny_rec.network import build as example

        paddle.seed(seed)
        given = CONFIG["Architecture"]
        made = (build or example)({**given, "Head": {**given["Head"], "out_channels": classes}})
        made.set_state_dict(checkpoint() if state is None else state)
        made.eval()
    return made


def files_of(made: Any, folder: Path, shape: Sequence[int | None] = tuple(PROGRAM)) -> dict[str, bytes]:
    """Export a network into an empty folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    save(made, folder, shape=shape)
    return {path.name: path.read_bytes() for path in folder.iterdir()}
