"""The command by which PaddleOCR's tools/export_model.py exports a checkpoint, with every key that it needs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from pytest_ocrparity.artifacts.families import family_of_training
from pytest_ocrparity.artifacts.model_files import PARAMS, TrainingFiles
from pytest_ocrparity.wording import image_label

TOOL: Final = Path("tools", "export_model.py")


def export_command(root: Path, files: TrainingFiles, folder: Path | None, model_name: str | None) -> str:
    """Return the command as a shell takes it, to be run from the working directory.

    Args:
        root: the PaddleOCR checkout.
        files: the training YAML file and the checkpoint.
        folder: where the export is to lie; None means where the YAML file says, else beside the checkpoint.
        model_name: what the export is to call itself where the YAML file does not say.
    """
    settings, sub_model = files.yml.get("Global"), files.sub_model
    given = settings if isinstance(settings, Mapping) else {}
    folder = folder or Path(given.get("save_inference_dir") or files.checkpoint.parent / "inference")
    target = folder
    if sub_model is not None:
        # All networks are exported, each into a folder of its name, with one inference.yml above them. Its PostProcess
        # is none that paddleocr 3.x runs, so that of the deployment stays.
        target = folder.parent if folder.name == sub_model else folder.with_name(f"{folder.name}_all")
    checkpoint = image_label(str(files.checkpoint))
    needed: dict[str, str | None] = {
        "pretrained_model": checkpoint.removesuffix(PARAMS),
        "checkpoints": None,  # of the two, it would win
        "save_inference_dir": image_label(str(target)),
    }
    if not given.get("model_name"):
        needed["model_name"] = model_name or family_of_training(files.yml).model_name
    if files.dictionary is not None:  # a relative path starts elsewhere
        needed["character_dict_path"] = image_label(str(files.dictionary))
    elif given.get("character_dict_path"):
        needed["character_dict_path"] = None  # a detector has no use for it
    run = ["python", image_label(str(root / TOOL)), "-c", image_label(str(files.config))]
    written = {name: "" if value is None else _yaml_scalar(value) for name, value in needed.items()}
    if not isinstance(settings, Mapping) or any("=" in value for value in written.values()):
        # -o knows neither a value with "=" in it nor a key of what is not there.
        lines = ", ".join(f"{name}: {value or 'null'}" for name, value in written.items())
        return f"in {run[-1]}, under Global, set {lines}; then: {shlex.join(run)}"
    commands = [shlex.join([*run, "-o", *(f"Global.{name}={value}" for name, value in written.items())])]
    if not checkpoint.endswith(PARAMS):  # which the tool adds to what it is given
        commands.insert(0, shlex.join(["cp", checkpoint, checkpoint + PARAMS]))
    if sub_model is not None and target != folder.parent:
        own = shlex.quote(image_label(str(target / sub_model)))
        commands.append(f"cp {own}/inference.* {shlex.quote(image_label(str(folder)))}")
    return " && ".join(commands)


def _yaml_scalar(text: str) -> str:
    """Write a text so that YAML reads it as that text."""
    try:
        is_plain = yaml.safe_load(text) == text
    except yaml.YAMLError:
        is_plain = False
    return text if is_plain else json.dumps(text)
