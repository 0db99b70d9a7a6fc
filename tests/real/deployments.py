"""What tests of deployed classes have in common: the example's train side, and fixes that are applied."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from paths import EXAMPLE

from pytest_ocrparity.backends.paddlex.pipeline import InferencePipeline, load_inference
from pytest_ocrparity.backends.ppocr.pipeline import TrainingPipeline, load_ppocr_pipeline, load_training
from pytest_ocrparity.backends.ppocr.trained_recogniser import TrainedRecogniser
from pytest_ocrparity.diagnose import diagnose
from pytest_ocrparity.diagnosis import Change, Diagnosis
from real.blob import operators_root

EXPORT = EXAMPLE / "inference"
TINY, WIDE, RECEIPT = (EXAMPLE / "images" / name for name in ("tiny_text.png", "banner.png", "receipt.png"))
RIGHT = {"text_det_limit_side_len": 736, "text_det_limit_type": "min"}
"""What the example's training yml evaluates with."""
PLAIN = {"device": "cpu", "enable_mkldnn": False, "use_doc_orientation_classify": False, "use_doc_unwarping": False}
PLAIN |= {"use_textline_orientation": False}


def example_train(config: Path = EXAMPLE / "configs" / "tiny_db.yml") -> TrainingPipeline:
    """Load the example's train side, under another yml where one is given."""
    return load_training(
        config=config,
        checkpoint=EXAMPLE / "checkpoints" / "tiny_db",
        network="tiny_db.network:build",
        network_folder=EXAMPLE,
        paddleocr_root=operators_root(),
    )


def example_reader(config: Path = EXAMPLE / "configs" / "tiny_rec.yml") -> TrainedRecogniser:
    """Load the example's trained recogniser, under another yml where one is given."""
    side = load_ppocr_pipeline(
        config=config,
        checkpoint=EXAMPLE / "checkpoints" / "tiny_rec",
        network="tiny_rec.network:build",
        network_folder=EXAMPLE,
        paddleocr_root=operators_root(),
    )
    assert isinstance(side, TrainedRecogniser)
    return side


@dataclass
class Given:
    """The settings of a candidate, to which the changes of a fix can be applied."""

    options: dict[str, Any] = field(default_factory=dict)
    predict_options: dict[str, Any] = field(default_factory=dict)
    model_dir: Path = EXPORT
    options_file: Path | None = None
    api: str = "PaddleOCR"

    def load(self) -> InferencePipeline:
        """Load the candidate."""
        return load_inference(
            api=self.api,
            model_dir=self.model_dir,
            options={**PLAIN, **self.options} if self.api == "PaddleOCR" else self.options,
            predict_options=self.predict_options,
            options_file=self.options_file,
        )

    def apply(self, change: Change) -> None:
        """Do what a change of a fix says."""
        setting = change.where.removeprefix("inference.")
        if setting in ("options", "predict_options"):
            merge(getattr(self, setting), change.values)
        elif setting == "options_file":
            assert self.options_file is not None
            document = yaml.safe_load(self.options_file.read_text())
            merge(document, change.values)
            self.options_file.write_text(yaml.safe_dump(document))
        else:
            assert (change.where, change.key) == ("paddlex_config", "SubModules.TextDetection")
            path = Path(self.options["paddlex_config"])
            document = yaml.safe_load(path.read_text())
            document["SubModules"]["TextDetection"].update(change.values)
            path.write_text(yaml.safe_dump(document))


def merge(options: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Set options, and take those away that are None."""
    options.update(values)
    for name in [name for name, value in options.items() if value is None]:
        del options[name]


def causes(train: TrainingPipeline, side: Any, image: Any = TINY) -> tuple[Diagnosis, ...]:
    """Return what is found to differ between two sides."""
    return diagnose(reference=train.trace(image), candidate=side.trace(image))


def named(found: tuple[Diagnosis, ...]) -> list[str]:
    """Return the codes of causes."""
    return [each.cause for each in found]


def put_right(train: TrainingPipeline, given: Given, image: Path = TINY) -> tuple[Diagnosis, ...]:
    """Return what is found, after its fixes are seen to remove it."""
    found = causes(train, given.load(), image)
    assert found
    changed = copy.deepcopy(given)
    for each in found:
        assert each.fix is not None, each
        for change in each.fix.changes:
            changed.apply(change)
    assert causes(train, changed.load(), image) == ()
    return found


def put_right_by_options(
    find: Callable[[Mapping[str, Any]], tuple[Diagnosis, ...]], options: Mapping[str, Any]
) -> tuple[Diagnosis, ...]:
    """Return what is found under options of a deployment, after its fixes, which change them, are seen to remove it."""
    found = find(options)
    assert found
    assert find(fixed_options(found, options)) == ()
    return found


def fixed_options(found: tuple[Diagnosis, ...], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with what the fixes of causes change of them; they change nothing else."""
    changed = dict(options)
    for each in found:
        assert each.fix is not None, each
        for change in each.fix.changes:
            assert change.where == "inference.options"
            merge(changed, change.values)
    return changed


def pipeline_yaml(path: Path, **detector: Any) -> Path:
    """Write paddlex's own OCR.yaml with other values for its detector."""
    import paddlex

    document = yaml.safe_load((Path(paddlex.__file__).parent / "configs" / "pipelines" / "OCR.yaml").read_text())
    document["SubModules"]["TextDetection"].update(detector)
    path.write_text(yaml.safe_dump(document))
    return path
