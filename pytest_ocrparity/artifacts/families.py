"""The sorts of models whose files are read here: which sort a YAML file is of, and who checks it.

The task is read and never set: PaddleOCR's and paddlex's YAML files say it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.artifacts import configs, recogniser_configs
from pytest_ocrparity.stages import DETECTION, DETECTIONS, RECOGNITION, TEXT, Task

Check = Callable[[Mapping[str, Any], Path], None]


@dataclass(frozen=True)
class Family:
    """The YAML files of one task.

    Attributes:
        task: what its models do.
        sort: the task as paddlex names its models: "text detection".
        model_name: a name that paddlex knows, for messages.
        check_training, check_inference: check a training YAML file and an inference.yml.
        stage_of: by name of an operator, the stage whose parameters it holds.
        product: the stage whose parameters PostProcess holds.
    """

    task: Task
    sort: str
    model_name: str
    check_training: Check
    check_inference: Check
    stage_of: Mapping[str, str]
    product: str

    def written(self, transforms: list[Any], post_process: Mapping[str, Any], path: Path) -> dict[str, dict[str, Any]]:
        """Return by stage name the parameters that a checked YAML file sets, as they stand there."""
        return configs.config_parameters(transforms, post_process, path, self.stage_of, self.product)


DETECTORS: Final = Family(
    task=DETECTION,
    sort="text detection",
    model_name="PP-OCRv5_mobile_det",
    check_training=configs.check_training_config,
    check_inference=configs.check_inference_config,
    stage_of=configs.STAGE_OF,
    product=DETECTIONS,
)
RECOGNISERS: Final = Family(
    task=RECOGNITION,
    sort="text recognition",
    model_name="PP-OCRv5_mobile_rec",
    check_training=recogniser_configs.check_recogniser_training_config,
    check_inference=recogniser_configs.check_recogniser_inference_config,
    stage_of=recogniser_configs.STAGE_OF,
    product=TEXT,
)


def family_of_training(config: Mapping[str, Any]) -> Family:
    """Return the family of a training YAML file; what does not say counts as a detector's."""
    return RECOGNISERS if configs.is_config_of_recogniser(config) else DETECTORS


def family_of_export(config: Mapping[str, Any]) -> Family:
    """Return the family of an inference.yml; what does not say counts as a detector's."""
    post_process, preprocess = config.get("PostProcess"), config.get("PreProcess")
    name = post_process.get("name") if isinstance(post_process, Mapping) else None
    transforms = preprocess.get("transform_ops") if isinstance(preprocess, Mapping) else None
    has_text = str(name).endswith("LabelDecode") or any("RecResizeImg" in each for each in _names(transforms))
    return RECOGNISERS if has_text else DETECTORS


def _names(transforms: Any) -> Iterator[str]:
    for entry in transforms if isinstance(transforms, list) else ():
        yield from map(str, entry if isinstance(entry, Mapping) else ())
