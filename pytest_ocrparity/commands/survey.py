"""What lies in a folder that a gate could be made of: training YAML files, weights, exports, images, a checkout.

Reads names, YAML files and the headers of some images. Runs nothing that it finds.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from pytest_ocrparity.artifacts.configs import read_config
from pytest_ocrparity.artifacts.families import family_of_export
from pytest_ocrparity.artifacts.model_files import CONFIG, ONNX, PARAMS, PROGRAMS
from pytest_ocrparity.errors import ModelError
from pytest_ocrparity.files import image_file_size
from pytest_ocrparity.settings import IMAGE_SUFFIXES
from pytest_ocrparity.stages import DETECTION, RECOGNITION

TASKS: Final[Mapping[str, str]] = {"det": DETECTION.name, "rec": RECOGNITION.name}
"""By `Architecture.model_type`, the task."""
MOST_FILES: Final = 50_000
_OF_NO_USE: Final = frozenset({"__pycache__", "node_modules", "site-packages", "goldens", "build", "dist"})
_OF_CHECKOUT: Final = frozenset(
    {
        *("applications", "benchmark", "deploy", "doc", "docs", "langchain-paddleocr", "mcp_server", "ppocr"),
        *("ppstructure", "readme", "skills", "test_tipc", "tests", "tools"),
    }
)
"""Folders of a PaddleOCR checkout that hold its own files, and those of no user."""
_LINES: Final = re.compile(r"(?<![a-z])(lines?|crops?|rec|words?)(?![a-z])")
"""A word in the name of a folder: its images are lines. Folders named receipts and pipeline hold pages."""
_LONG: Final = 3.0
"""Width by height: an image of a line is mostly longer, a page is not."""
_LOOKED_AT: Final = 20
"""Images of a folder whose size is read."""


@dataclass
class Trained:
    """A training YAML file, with the weights that were found for it, best first."""

    config: Path
    yml: Mapping[str, Any]
    checkpoints: list[Path] = field(default_factory=list)


@dataclass
class Survey:
    """What was found below a folder; each list begins with what is taken.

    Attributes:
        folder: the folder, absolute.
        trained, exports, bare: by task; `bare` are `.onnx` files outside of export folders, of a task that nobody says.
        images: by task, folders with their images.
        labels: label files, each with the image that its first line names, and the folder that its paths start from.
        weights: all `.pdparams` files.
        checkouts: PaddleOCR's code.
        networks: "module:function" of what may make a network, by the name that the YAML file gives the backbone.
        was_cut: whether there were more files than are looked at.
    """

    folder: Path
    trained: dict[str, list[Trained]] = field(default_factory=dict)
    exports: dict[str, list[Path]] = field(default_factory=dict)
    bare: list[Path] = field(default_factory=list)
    images: dict[str, dict[Path, list[Path]]] = field(default_factory=dict)
    labels: dict[Path, tuple[Path, Path]] = field(default_factory=dict)
    weights: list[Path] = field(default_factory=list)
    checkouts: list[Path] = field(default_factory=list)
    networks: dict[str, list[str]] = field(default_factory=dict)
    was_cut: bool = False

    @property
    def tasks(self) -> list[str]:
        """The tasks that something was found of; a detector's where nothing says any."""
        found = [task for task in TASKS.values() if task in self.trained or task in self.exports]
        return found or [DETECTION.name]


def survey_folder(folder: Path, paddleocr_root: Path | None = None) -> Survey:
    """Return what lies below a folder, and PaddleOCR's code beside it."""
    found = Survey(folder)
    files = _files(found)
    if paddleocr_root is not None:
        found.checkouts = [paddleocr_root]
    else:
        above = [parent for parent in (folder, *folder.parents) if is_checkout(parent)]
        beside = sorted(path for path in _folders(folder.parent) if is_checkout(path))
        found.checkouts = list(dict.fromkeys([*above, *found.checkouts, *beside]))
    _find_models(found, files)
    _find_images(found, files)
    _find_networks(found, files)
    return found


def is_checkout(folder: Path) -> bool:
    """Tell whether a folder holds PaddleOCR's code."""
    return (folder / "ppocr" / "__init__.py").is_file()


def _folders(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from (path for path in folder.iterdir() if path.is_dir())


def _files(found: Survey) -> list[Path]:
    """Return the files below a folder, without those that nobody compares; note the checkouts on the way."""
    files: list[Path] = []
    for place, folders, names in os.walk(found.folder):
        here = Path(place)
        is_inside = is_checkout(here)
        if is_inside and here != found.folder:
            found.checkouts.append(here)
            folders.clear()
            continue
        for name in list(folders):
            is_environment = (here / name / "pyvenv.cfg").is_file()
            is_report = (here / name / "results.json").is_file()
            is_own = is_inside and name in _OF_CHECKOUT
            if name.startswith(".") or name in _OF_NO_USE or is_environment or is_report or is_own:
                folders.remove(name)
            elif (here / name).is_symlink() and is_checkout(here / name):  # which os.walk does not go into
                found.checkouts.append(here / name)
        folders.sort()
        files += [here / name for name in sorted(names)]
        if len(files) > MOST_FILES:
            found.was_cut = True
            break
    return files


def _depth(path: Path) -> tuple[int, str]:
    return len(path.parts), str(path)


def _find_models(found: Survey, files: Sequence[Path]) -> None:
    found.weights = [path for path in files if path.suffix == PARAMS and path.stem != "inference"]
    for path in sorted((each for each in files if each.suffix in (".yml", ".yaml")), key=_depth):
        with suppress(ModelError, OSError):
            if path.name == CONFIG:
                if any((path.parent / name).is_file() for name in (*PROGRAMS, ONNX)):
                    family = family_of_export(read_config(path))
                    found.exports.setdefault(family.task.name, []).append(path.parent)
            elif b"Architecture" in path.read_bytes()[: 2**20]:
                yml = read_config(path)
                architecture = yml.get("Architecture")
                kind = architecture.get("model_type") if isinstance(architecture, Mapping) else None
                if task := TASKS.get(str(kind)):
                    found.trained.setdefault(task, []).append(Trained(path, yml))
    for trained in found.trained.values():
        for each in trained:
            each.checkpoints = _checkpoints_of(each, found.weights, found)
        _without_templates(trained, found)
        trained.sort(key=lambda each: (not each.checkpoints, *_depth(each.config)))
    for task in list(found.trained):
        if not found.trained[task]:
            del found.trained[task]
    for task, exports in found.exports.items():
        named = _named(found, found.trained[task][0], "save_inference_dir") if task in found.trained else []
        exports.sort(key=lambda path: (path not in named, path.name != "inference", *_depth(path)))
    taken = {path for exports in found.exports.values() for path in exports}
    found.bare = [path for path in files if path.suffix == ".onnx" and path.parent not in taken]


def _without_templates(trained: list[Trained], found: Survey) -> None:
    """Leave out the YAML files of a checkout that nothing was trained with."""
    if is_checkout(found.folder):
        templates = found.folder / "configs"
        trained[:] = [each for each in trained if each.checkpoints or not each.config.is_relative_to(templates)]


def _named(found: Survey, trained: Trained, key: str) -> list[Path]:
    """Return the paths that a key of Global may mean: training runs in the project, the checkout or elsewhere."""
    settings = trained.yml.get("Global")
    value = settings.get(key) if isinstance(settings, Mapping) else None
    if not isinstance(value, str) or not value or "\0" in value:
        return []
    bases = (found.folder, *found.checkouts, trained.config.parent)
    return list(dict.fromkeys(Path(os.path.normpath(base / value)) for base in bases))


def _checkpoints_of(trained: Trained, weights: Sequence[Path], found: Survey) -> list[Path]:
    """Return the weights that belong to a training YAML file, the best first."""
    folders = [*_named(found, trained, "save_model_dir"), trained.config.parent]
    best = [folder / name for folder in folders for name in ("best_accuracy", "best_model/model", "latest")]
    best += [*_named(found, trained, "checkpoints"), *_named(found, trained, "pretrained_model")]
    ranked = [path if path.suffix == PARAMS else Path(f"{path}{PARAMS}") for path in best]
    beside = [path for path in weights if path.parent in folders]  # `save_model_dir: output` holds those of all others
    ranked += sorted(beside, key=lambda path: (path.stem != trained.config.stem, *_depth(path)))
    present = set(weights)
    return [path for path in dict.fromkeys(ranked) if path in present or path.is_file()]


def _find_images(found: Survey, files: Sequence[Path]) -> None:
    by_folder: dict[Path, list[Path]] = {}
    for path in files:
        if path.suffix.lower() in IMAGE_SUFFIXES and not (path.parent / CONFIG).is_file():
            by_folder.setdefault(path.parent, []).append(path)
        elif path.suffix == ".txt" and (labelled := _labelled_image(path, found.folder)):
            found.labels[path] = labelled
    for folder in sorted(by_folder, key=_depth):
        task = RECOGNITION.name if _are_lines(folder, by_folder[folder]) else DETECTION.name
        found.images.setdefault(task, {})[folder] = by_folder[folder]
    tasks = found.tasks
    if len(tasks) == 1 and tasks[0] not in found.images and found.images:  # then they can be of no other
        found.images[tasks[0]] = next(iter(found.images.values()))


def _labelled_image(path: Path, folder: Path) -> tuple[Path, Path] | None:
    """Return the image that a file's first line names, as PaddleOCR's label files do, and where its path starts."""
    with suppress(OSError, ValueError):
        with path.open(encoding="utf-8") as file:
            name, tab, _ = file.readline(10_000).partition("\t")
        for base in (path.parent, folder) if tab and name else ():
            if (base / name).is_file():
                return base / name, base
    return None


def _are_lines(folder: Path, images: Sequence[Path]) -> bool:
    if _LINES.search(folder.name.lower()):
        return True
    sizes = []
    for path in images[:_LOOKED_AT]:
        with suppress(OSError):
            sizes.append(image_file_size(path.read_bytes()))
    shapes = [width / height for height, width in filter(None, sizes) if height]
    return bool(shapes) and median(shapes) > _LONG


def _find_networks(found: Survey, files: Sequence[Path]) -> None:
    """Look for functions that may make the networks which no code of PaddleOCR's here has."""
    for trained in (each for group in found.trained.values() for each in group[:1]):
        name = _backbone(trained)
        if name and not any(has_backbone(root, name) for root in found.checkouts):
            found.networks[name] = [made for path in files for made in _makers(path, name, found.folder)]


def _backbone(trained: Trained) -> str:
    architecture = trained.yml["Architecture"]
    backbone = architecture.get("Backbone")
    name = backbone.get("name") if isinstance(backbone, Mapping) else None
    return name if isinstance(name, str) else ""


def network_of(found: Survey, trained: Trained) -> list[str] | None:
    """Return what may make the network of a training YAML file; None where PaddleOCR's code here makes it."""
    return found.networks.get(_backbone(trained))


def has_backbone(root: Path, name: str) -> bool:
    """Tell whether PaddleOCR's code in a folder knows a backbone of this name."""
    with suppress(OSError):
        return name in (root / "ppocr" / "modeling" / "backbones" / "__init__.py").read_text(errors="replace")
    return False


def _makers(path: Path, backbone: str, folder: Path) -> Iterator[str]:
    """Yield the functions of a file that may make a network: with one argument, beside what names the backbone."""
    if path.suffix != ".py" or path.name.startswith("test_"):
        return
    text = ""
    with suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(2**20)
    if backbone not in text:
        return
    module = ".".join(path.relative_to(folder).with_suffix("").parts)
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and "build" in node.name and _takes_one(node.args):
                yield f"{module}:{node.name}"


def _takes_one(arguments: ast.arguments) -> bool:
    needed = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return needed == 1 and all(default is not None for default in arguments.kw_defaults)
