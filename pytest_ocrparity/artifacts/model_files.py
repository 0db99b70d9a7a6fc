"""The files of a model on disk: which there are, which one counts, and their digests.

Knows names, bytes and folders; of contents it only recognises a git-lfs pointer. Imports no framework.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.artifacts.configs import is_config_of_recogniser, read_config
from pytest_ocrparity.artifacts.dictionary import dictionary_fingerprint, find_dictionary
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.files import file_digest, refuse_pointer_file, text_file_digest
from pytest_ocrparity.wording import listed

PARAMS: Final = ".pdparams"
PROGRAMS: Final = ("inference.json", "inference.pdmodel")
"""In the order in which paddlex looks for them (`get_model_paths`): with both, the first is what runs."""

WEIGHTS: Final = "inference.pdiparams"
CONFIG: Final = "inference.yml"
TEXTS: Final = (".json", ".yml")
"""What of an export git may give other line ends."""

ONNX: Final = "inference.onnx"
OTHER_ENGINES: Final = (ONNX, "inference.om", "model.safetensors", "inference.pdparams")
"""What engines other than Paddle Inference load from an export folder."""


def _named_by_config(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key and value by which a YAML file names its weights, chosen as `ppocr.utils.save_load` chooses."""
    settings = config.get("Global")
    for key in ("checkpoints", "pretrained_model"):
        if isinstance(settings, Mapping) and settings.get(key):
            return f"Global.{key}", str(settings[key])
    return None


def find_checkpoint_file(
    checkpoint: Path | None, config: Mapping[str, Any], config_path: Path, paddleocr_root: Path | None = None
) -> Path:
    """Return the `.pdparams` file to load, whose suffix may have been left out as PaddleOCR allows.

    Args:
        checkpoint: the setting `train.checkpoint`, or None for what the YAML file names: Global.checkpoints, else
            Global.pretrained_model.
        config: the training YAML file, parsed.
        config_path: where it lies.
        paddleocr_root: training usually runs in the checkout, so the YAML file's relative paths start there, and at the
            YAML file's own folder next.

    Raises:
        ModelError: nothing names a checkpoint, it is not there, or it is a git-lfs pointer; says what was tried.
    """
    if checkpoint is not None:
        source, folders, name = "the setting train.checkpoint", [Path()], str(checkpoint)
    else:
        named = _named_by_config(config)
        if named is None:
            raise ModelError(
                f"{config_path}: neither Global.checkpoints nor Global.pretrained_model names a checkpoint: "
                "set train.checkpoint"
            )
        source, name = f"{config_path} ({named[0]})", named[1]
        if "://" in name:
            raise ModelError(
                f"{source} is a URL, {name}, and nothing is downloaded here: set train.checkpoint to a file"
            )
        folders = [folder for folder in (paddleocr_root, config_path.parent) if folder is not None]
    names = [name] if name.endswith(PARAMS) else [name + PARAMS, name]
    tried = list(dict.fromkeys(folder / each for folder in folders for each in names))
    found = next((path for path in tried if path.is_file()), None)
    if found is None:
        raise ModelError(f"no checkpoint at {' or '.join(map(str, tried))}, which {source} names{_held_text(tried)}")
    refuse_pointer_file(found)
    return found


def _held_text(tried: Sequence[Path]) -> str:
    """Return which weights lie where a checkpoint was looked for: in a folder of its name, else beside."""
    for folder in (*tried, *(path.parent for path in tried)):
        if held := sorted(path.name for path in folder.glob(f"*{PARAMS}")):
            return f"; {folder} holds {listed(held, 5)}"
    return ""


def fingerprint_training_files(
    config: Path, checkpoint: Path | None = None, paddleocr_root: Path | None = None
) -> dict[str, str]:
    """Return the sha256 of the files of a train side: "config" and "checkpoint", of a recogniser also "dictionary".

    Needs none of them nor paddle: parts that are not on this disk are left out. Texts count as texts.
    """
    parts: dict[str, str] = {}
    yml: Mapping[str, Any] = {}
    if config.is_file():
        parts["config"] = text_file_digest(config)
    with suppress(ModelError, OSError):
        yml = read_config(config)
    with suppress(ModelError, OSError):
        parts["checkpoint"] = file_digest(find_checkpoint_file(checkpoint, yml, config, paddleocr_root))
    if is_config_of_recogniser(yml):
        with suppress(ModelError, OSError):
            parts |= dictionary_fingerprint(find_dictionary(yml, config, paddleocr_root))
    return parts


@dataclass(frozen=True, slots=True)
class TrainingFiles:
    """The files from which a train side was loaded: its YAML file, as a path and as read, and its checkpoint."""

    config: Path
    yml: Mapping[str, Any]
    checkpoint: Path
    paddleocr_root: Path | None
    trust: bool
    network: str | None
    """The user's own network, in place of PaddleOCR's."""
    sub_model: str | None
    """Which network of a Distillation YAML file it is."""
    dictionary: Path | None = None
    """The dictionary of a recogniser."""

    @property
    def has_modeling(self) -> bool:
        """Whether PaddleOCR built the network, and so exports it; else the user's own code does."""
        return self.network is None


@dataclass(frozen=True, slots=True)
class ExportFiles:
    """An export folder: its `inference.yml`, the program that paddle takes (None for other engines), all its files."""

    folder: Path
    config: Path
    program: Path | None
    files: tuple[Path, ...]


def find_export_files(model_dir: Path) -> ExportFiles:
    """Return the files of an export folder, warning (UserWarning) when it holds both program formats.

    Raises:
        ModelError: the folder, its inference.yml, its program or its parameters are missing, or a file is a git-lfs
            pointer or empty.
    """
    if not model_dir.is_dir():
        raise ModelError(f"{model_dir}: no such folder: inference.model_dir is the folder tools/export_model.py wrote")
    config = model_dir / CONFIG
    if not config.is_file():
        shared = model_dir.parent / config.name
        hint = "re-export with a PaddleOCR of 2.9 or later"
        if shared.is_file():
            hint = f"a Distillation export has one for all its networks, {shared}: copy it here"
        raise ModelError(f"{model_dir} holds no inference.yml, which paddleocr 3.x reads: {hint}")
    present = {name: model_dir / name for name in (*PROGRAMS, *OTHER_ENGINES) if (model_dir / name).is_file()}
    programs = [present[name] for name in PROGRAMS if name in present]
    weights = model_dir / WEIGHTS
    if not present:
        held = ", ".join(sorted(path.name for path in model_dir.iterdir()))
        raise ModelError(
            f"{model_dir} holds no program, neither inference.json nor inference.pdmodel (a failed export leaves "
            f"inference.yml behind): export again. It holds {held}"
        )
    if programs and not weights.is_file() and len(present) == len(programs):
        raise ModelError(f"{model_dir} holds {programs[0].name} but no {WEIGHTS}: copy or export it again")
    files = tuple(sorted({config, *present.values(), *([weights] if weights.is_file() else [])}))
    for path in files:
        refuse_pointer_file(path)
    if len(programs) > 1:
        taken, ignored = (f"{path.name} ({_file_age(path)})" for path in programs)
        warnings.warn(
            f"{model_dir} holds two programs: paddle runs {taken} and ignores {ignored}; delete the stale one",
            UserWarning,
            stacklevel=2,
        )
    return ExportFiles(model_dir, config, programs[0] if programs else None, files)


def _file_age(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime).strftime("written %Y-%m-%d %H:%M:%S")


def fingerprint_export_files(export: ExportFiles) -> dict[str, str]:
    """Return the sha256 of each file of an export, by file name."""
    return {path.name: text_file_digest(path) if path.suffix in TEXTS else file_digest(path) for path in export.files}


def find_model_file(model_file: Path) -> tuple[Path, Path | None]:
    """Return a bare `.onnx` file and the inference.yml beside it, None where there is none.

    Raises:
        ModelError: the file is missing, empty or a git-lfs pointer.
    """
    if not model_file.is_file():
        raise ModelError(f"{model_file}: no such file: inference.model_file is an .onnx file")
    refuse_pointer_file(model_file)
    config = model_file.parent / CONFIG
    return model_file, config if config.is_file() else None


def fingerprint_model_file(model_file: Path) -> dict[str, str]:
    """Return the sha256 of a bare file and of the inference.yml beside it, by file name.

    Raises:
        ModelError: see `find_model_file`.
    """
    file, config = find_model_file(model_file)
    return {file.name: file_digest(file), **({} if config is None else {config.name: text_file_digest(config)})}
