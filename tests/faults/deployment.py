"""A copy of the example project that a case may spoil: its settings, its ymls, its export, its images."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from real.blob import operators_root

from pytest_ocrparity import (
    DifferenceError,
    Pipeline,
    assert_same_detections,
    assert_same_preprocessing,
    assert_same_probability_maps,
)
from pytest_ocrparity.artifacts.config_edit import EXPORT, TRAINING, edit_config
from pytest_ocrparity.backends.isolation import isolated
from pytest_ocrparity.backends.paddlex.pipeline import load_inference
from pytest_ocrparity.backends.ppocr.pipeline import load_training
from pytest_ocrparity.context import Context, running
from pytest_ocrparity.diagnose import SECONDS
from pytest_ocrparity.diagnose.cache import DiagnosisCache
from pytest_ocrparity.diagnosis import Change, Diagnosis
from pytest_ocrparity.settings import load_settings

if TYPE_CHECKING:
    from typing_extensions import Self

EXAMPLE = Path(__file__).parents[2] / "example_project"
TRAIN_YML, EXPORT_YML = "configs/tiny_db.yml", "inference/inference.yml"


@dataclass
class Deployment:
    """A project folder, right until a case changes it.

    Attributes:
        folder: where it lies.
        options, predict_options: what its settings hand to paddleocr.
        train: other settings of the train side.
        image: what is compared, relative to the folder.
        wrap: puts a port of the user's in the place of the inference side.
        mend: what a case does where a fix is no change of a setting or file.
        earlier: the files that the inference side ran before, as a run of pytest knows them.
    """

    train_yml: ClassVar[str] = TRAIN_YML
    export_yml: ClassVar[str] = EXPORT_YML
    linked: ClassVar[tuple[str, ...]] = ("checkpoints", "images", "goldens")
    checkpoint: ClassVar[str] = "tiny_db"
    package: ClassVar[str] = "tiny_db"

    folder: Path
    options: dict[str, Any] = field(
        default_factory=lambda: {
            "limit_side_len": 736,
            "limit_type": "min",
            "device": "cpu",
            "enable_mkldnn": False,
        }
    )
    predict_options: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    image: str = "images/receipt.png"
    wrap: Callable[[Pipeline], Pipeline] | None = None
    export_again: Callable[[], None] | None = None
    earlier: tuple[str, ...] = ()

    @classmethod
    def copy(cls, folder: Path) -> Self:
        """Copy what cases change, and link the rest."""
        for name in ("configs", Path(cls.export_yml).parent.name):
            shutil.copytree(EXAMPLE / name, folder / name)
        for name in cls.linked:
            (folder / name).mkdir()
            for path in (EXAMPLE / name).iterdir():
                (folder / name / path.name).symlink_to(path)
        (folder / cls.package).symlink_to(EXAMPLE / cls.package)
        return cls(folder)

    @property
    def model_dir(self) -> Path:
        """The folder of the export."""
        return (self.folder / self.export_yml).parent

    def edit(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a yml."""
        path = self.folder / name
        document = yaml.safe_load(path.read_text())
        change(document)
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def operator(self, name: str, operator: str, **arguments: Any) -> None:
        """Change arguments of an operator, of PostProcess or of Global in a yml; None takes one away."""
        self.edit(name, lambda document: _update(_place(document, operator), arguments))

    def export(self, change: Callable[[Any], Any] | None = None, **how: Any) -> None:
        """Export the checkpoint, after a change of the network; unchanged, that is the example's export."""
        if change is None and not how:
            for path in (EXAMPLE / "inference").iterdir():
                if path.suffix != ".yml":
                    (self.model_dir / path.name).write_bytes(path.read_bytes())
            return
        network = trained()
        if change is not None:
            network = change(network) or network
        save(network, self.folder / "inference", **how)

    def models(self) -> tuple[Pipeline, Pipeline]:
        """Load both sides by the settings that stand in the folder."""
        write_settings(self)
        settings = load_settings(self.folder / "pyproject.toml", {}, self.folder)
        inference = self.load_inference(**settings.candidates["inference"].values)
        if self.wrap is not None:
            inference = self.wrap(inference)
        return self.load_training(**{"checkpoint": None, **settings.train}), inference

    def load_inference(self, **settings: Any) -> Pipeline:
        """Load the side under test."""
        return load_inference(**settings)

    def load_training(self, **settings: Any) -> Pipeline:
        """Load the trained side."""
        return load_training(**settings)

    def failure(self, image: str | None = None, tolerance: str | None = None) -> DifferenceError | None:
        """Run the three assertions of the README; return the first failure."""
        train, inference = self.models()
        path = self.folder / (image or self.image)
        if not self.earlier:
            return first_failure(train.trace(path), inference.trace(path), tolerance)
        with running(Context(listener=KnowsWhatRan(self.earlier))):
            return first_failure(train.trace(path), inference.trace(path), tolerance)

    def apply(self, diagnoses: Sequence[Diagnosis]) -> None:
        """Do what the fixes say."""
        for change in (change for diagnosis in diagnoses if diagnosis.fix for change in diagnosis.fix.changes):
            self._apply(change)

    def _apply(self, change: Change) -> None:
        if change.where == "inference.options":
            _update(self.options, change.values)
        elif change.where == "inference.predict_options":
            _update(self.predict_options, change.values)
        elif change.where == "inference.yml":
            self._edit_as_told(self.export_yml, EXPORT, change)
        elif change.where == "train.config":
            self._edit_as_told(self.train_yml, TRAINING, change)
        elif change.where == "train.sub_model":
            self.train.update(change.values)
        elif change.where == "delete":
            (self.model_dir / change.key).unlink()
        else:
            assert change.where == "export", change
            (self.export_again or self.export)()

    def _edit_as_told(self, name: str, place: Sequence[str], change: Change) -> None:
        """Change a yml as `python -m pytest_ocrparity fix` does."""
        path = self.folder / name
        path.write_text(edit_config(path.read_text(), path, place, change.key, change.values))


class KnowsWhatRan:
    """Stands for a run of pytest, which knows what a side ran before this image."""

    def __init__(self, earlier: Sequence[str]) -> None:
        self.diagnoser = DiagnosisCache(SECONDS, ran_before=lambda candidate: earlier)

    def on_comparison(self, *_: Any) -> None:
        pass

    def on_failure(self, *_: Any) -> None:
        pass

    def on_accuracy(self, *_: Any) -> None:
        pass

    def on_error(self, *_: Any) -> None:
        pass


def first_failure(reference: Any, candidate: Any, tolerance: str | None = None) -> DifferenceError | None:
    """Return what the first of the three assertions raised."""
    try:
        assert_same_preprocessing(reference, candidate, tolerance=tolerance)
        assert_same_probability_maps(reference, candidate, tolerance=tolerance)
        assert_same_detections(reference, candidate, tolerance=tolerance)
    except DifferenceError as error:
        return error
    return None


def trained(checkpoint: str = "tiny_db", build: Callable[[Any], Any] | None = None) -> Any:
    """Return the example's network with a checkpoint's weights, in evaluation mode."""
    with isolated():
        import paddle

        from example_project.tiny_db.network import build as example

        config = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())
        network = (build or example)(config["Architecture"])
        network.set_state_dict(paddle.load(str(EXAMPLE / "checkpoints" / f"{checkpoint}.pdparams")))
        network.eval()
    return network


def save(network: Any, folder: Path, *, shape: Sequence[int | None] = (None, 3, -1, -1)) -> None:
    """Write a network's program and parameters as an export does."""
    with isolated():
        import paddle

        spec = [paddle.static.InputSpec(list(shape), "float32")]
        paddle.jit.save(paddle.jit.to_static(network, input_spec=spec), str(folder / "inference"))


def write_settings(deployment: Deployment) -> None:
    """Write the project's pyproject.toml as a user would."""
    train = {
        "config": deployment.train_yml,
        "checkpoint": f"checkpoints/{deployment.checkpoint}",
        "network": f"{deployment.package}.network:build",
        "paddleocr_root": str(operators_root()),
        **deployment.train,
    }
    lines = ["[tool.ocrparity]", f'images = ["{deployment.linked[1]}/*"]', "[tool.ocrparity.train]"]
    lines += [f"{key} = {_toml(value)}" for key, value in train.items()]
    lines += ["[tool.ocrparity.inference]", f'model_dir = "{deployment.model_dir.name}"']
    lines += [f"options = {_toml(deployment.options)}", f"predict_options = {_toml(deployment.predict_options)}"]
    (deployment.folder / "pyproject.toml").write_text("\n".join(lines) + "\n")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _place(document: dict[str, Any], operator: str) -> dict[str, Any]:
    if operator in ("PostProcess", "Global", "Metric"):
        place: dict[str, Any] = document[operator]
        return place
    transforms = (
        document["Eval"]["dataset"]["transforms"] if "Eval" in document else document["PreProcess"]["transform_ops"]
    )
    if not any(operator in entry for entry in transforms):
        transforms.insert(0, {operator: {}})
    entry = next(entry for entry in transforms if operator in entry)
    entry[operator] = entry[operator] or {}
    arguments: dict[str, Any] = entry[operator]
    return arguments


def _update(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if value is None:
            values.pop(key, None)
        else:
            values[key] = list(value) if isinstance(value, (list, tuple)) else value
