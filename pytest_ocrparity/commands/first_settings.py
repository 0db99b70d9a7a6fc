"""The settings and the tests that `init` writes for what was found in a folder, as text."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pytest_ocrparity.artifacts.configs import check_training_config, config_parameters, read_config
from pytest_ocrparity.artifacts.evaluation import MEAN, OTHERS, STD, evaluated_parameters
from pytest_ocrparity.artifacts.families import DETECTORS
from pytest_ocrparity.artifacts.model_files import CONFIG, PARAMS, PROGRAMS
from pytest_ocrparity.artifacts.ocr_options import LIMITS, ORIENTATION, TEXT_LINES, UNWARPING
from pytest_ocrparity.backends.calls import Needs, needs_of, pipeline_options
from pytest_ocrparity.backends.paddlex.deployed import Deployed
from pytest_ocrparity.commands.survey import Survey, Trained, network_of
from pytest_ocrparity.diagnosis import PAGE_SIDE
from pytest_ocrparity.errors import OcrParityError
from pytest_ocrparity.stages import DETECTION, DETECTIONS, PAGES, RECOGNITION, RESIZE
from pytest_ocrparity.wording import listed, number_of_images, path_from, toml_text, value_text

_DETECTION_TEST: Final = '''\
"""The export must detect what the trained model detects."""

from pytest_ocrparity import assert_same_detections, assert_same_preprocessing, assert_same_probability_maps


def test_export_matches_training(ocr_train_model, ocr_inference_model, ocr_image):
    train, inference = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
    assert_same_preprocessing(train, inference)
    assert_same_probability_maps(train, inference)
    assert_same_detections(train, inference)
'''
_RECOGNITION_TEST: Final = '''\
"""The export must read what the trained model reads."""

from pytest_ocrparity import assert_same_preprocessing, assert_same_probability_maps, assert_same_text


def test_export_reads_as_training(ocr_train_model, ocr_inference_model, ocr_image):
    train, inference = ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image)
    assert_same_preprocessing(train, inference)
    assert_same_probability_maps(train, inference)
    assert_same_text(train, inference)
'''
_PAGE_TEST: Final = '''\
"""The deployment must read what both trained models read together."""

from pytest_ocrparity import assert_same_page


def test_page_reads_as_training(ocr_train_page, ocr_inference_page, ocr_image):
    assert_same_page(ocr_train_page.trace(ocr_image), ocr_inference_page.trace(ocr_image))
'''
_MARK: Final = 'pytestmark = pytest.mark.ocr_task("recognition")'
_WORDS: Final = {DETECTION.name: "detector", RECOGNITION.name: "recogniser"}
_OF_OWN_CODE: Final[Mapping[str, Any]] = {
    **{"img_mode": "BGR", "limit_side_len": 736, "limit_type": "min"},
    **{"scale": "1./255.", "mean": list(MEAN), "std": list(STD)},
    **{"thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5, **OTHERS},
}
"""All that has to be said of code around an `.onnx` file, with values that it might have."""
_MANY: Final = 100
"""Images, of which a run takes minutes."""


@dataclass
class Part:
    """The settings of one task.

    Attributes:
        task: one of `stages.TASKS`.
        prefix: what the names of its tables begin with, "recognition" beside a detector.
        tables: the values by table, "" for those outside of one.
        lacking: by table, lines that stand as comments, for what was not found.
        sentences: what was found, chosen and not found.
    """

    task: str
    prefix: str
    tables: dict[str, dict[str, Any]] = field(default_factory=lambda: {"": {}, "train": {}, "inference": {}})
    lacking: dict[str, list[str]] = field(default_factory=lambda: {"": [], "train": [], "inference": []})
    sentences: list[str] = field(default_factory=list)

    def name(self, setting: str) -> str:
        """Return the whole name of a setting."""
        return f"{self.prefix}.{setting}" if self.prefix else setting

    def lack(self, setting: str, value: str, sentence: str) -> None:
        """Note what was not found, as a comment in the settings and as a sentence; `value` is an example."""
        self.lacking[setting.rpartition(".")[0]].append(f"# {setting.rpartition('.')[2]} = {value}")
        self.sentences.append(f"{sentence}: set {self.name(setting)}, such as {value}.")


def parts_of(found: Survey) -> list[Part]:
    """Return the settings of each task that something was found of."""
    parts = []
    for task in found.tasks:
        prefix = RECOGNITION.name if len(found.tasks) > 1 and task == RECOGNITION.name else ""
        part = Part(task, prefix)
        trained = _train(part, found)
        _inference(part, found, trained)
        _images(part, found)
        parts.append(part)
    return [*parts, *_page(found)]


def _page(found: Survey) -> list[Part]:
    """Return the settings of the deployment that reads pages, where both models were trained and exported."""
    tasks = (DETECTION.name, RECOGNITION.name)
    exports = [found.exports[task][0] for task in tasks if task in found.trained and task in found.exports]
    if len(exports) < len(tasks) or not all(any((path / name).is_file() for name in PROGRAMS) for path in exports):
        return []
    options: dict[str, Any] = {ORIENTATION: False, UNWARPING: False}
    with suppress(OcrParityError, KeyError, TypeError, AttributeError):  # as in `_options`
        options = pipeline_options(_needs(found.trained[DETECTION.name][0], exports[0])[0])
    options[TEXT_LINES] = False
    sentences = [
        f"{_path(found.folder, exports[0])} and {_path(found.folder, exports[1])} can read pages together, behind "
        "paddleocr.PaddleOCR.",
        "page.options hold what it has to be given for what was evaluated. If yours is given something else, write "
        "that instead; if you deploy no PaddleOCR, remove the table page and its test.",
    ]
    return [Part(PAGES.name, "", {PAGE_SIDE: {"options": options}}, {PAGE_SIDE: []}, sentences)]


def _path(folder: Path, path: Path) -> str:
    """Return a path from the folder on; a whole one where that would climb more than a folder."""
    name = path_from(folder, path)
    return str(path) if name.startswith("../..") else name


def _others(found: Survey, paths: Sequence[Path], setting: str) -> str:
    names = [_path(found.folder, path) for path in paths]
    return f" Others: {listed(names, 5)}; {setting} may name one of them." if names else ""


def _train(part: Part, found: Survey) -> Trained | None:
    word, table = _WORDS[part.task], part.tables["train"]
    trained = found.trained.get(part.task, [])
    first = trained[0] if trained else None
    if first is None:
        line = f'"configs/{part.task[:3]}.yml"'
        part.lack("train.config", line, f"No training YAML file of a {word} was found")
        _lack_weights(part, found, f"a {word}")
    else:
        table["config"] = _path(found.folder, first.config)
        others = _others(found, [each.config for each in trained[1:]], part.name("train.config"))
        part.sentences.append(f"{table['config']} trains a {word}.{others}")
        _checkpoint(part, found, first)
        _network(part, found, first)
    if found.checkouts:
        table["paddleocr_root"] = _path(found.folder, found.checkouts[0])
        others = _others(found, found.checkouts[1:], part.name("train.paddleocr_root"))
        place = "This folder" if table["paddleocr_root"] == "." else table["paddleocr_root"]
        part.sentences.append(f"{place} holds PaddleOCR's code.{others}")
    elif importlib.util.find_spec("ppocr") is None:
        part.lack("train.paddleocr_root", '"../PaddleOCR"', "No PaddleOCR checkout was found here or beside")
    return first


def _checkpoint(part: Part, found: Survey, trained: Trained) -> None:
    if not trained.checkpoints:
        _lack_weights(part, found, _path(found.folder, trained.config))
        return
    first, *others = trained.checkpoints
    part.tables["train"]["checkpoint"] = _path(found.folder, first).removesuffix(PARAMS)
    more = _others(found, others, part.name("train.checkpoint"))
    part.sentences.append(f"{_path(found.folder, first)} holds its weights.{more}")


def _lack_weights(part: Part, found: Survey, whose: str) -> None:
    """Note that weights are missing; which are there, as nothing says what they were trained with."""
    names = [_path(found.folder, path) for path in found.weights]
    others = f", and it is not known what {', '.join(names[:5])} belongs to" if names else ""
    example = f'"{names[0].removesuffix(PARAMS)}"' if names else '"output/best_accuracy"'
    part.lack("train.checkpoint", example, f"No weights ({PARAMS}) of {whose} were found{others}")


def _network(part: Part, found: Survey, trained: Trained) -> None:
    made = network_of(found, trained)
    if made is None:
        return
    if made:
        part.tables["train"]["network"] = made[0]
        more = f" Others: {', '.join(made[1:])}; {part.name('train.network')} may name one." if made[1:] else ""
        part.sentences.append(f"{made[0]} makes its network, which PaddleOCR's code here does not have.{more}")
    elif found.checkouts:
        line = '"module:function"'
        part.lack("train.network", line, "PaddleOCR's code here does not have its network, and no function was found")


def _inference(part: Part, found: Survey, trained: Trained | None) -> None:
    word, table = _WORDS[part.task], part.tables["inference"]
    exports = found.exports.get(part.task, [])
    if exports:
        table["model_dir"] = _path(found.folder, exports[0])
        more = _others(found, exports[1:], part.name("inference.model_dir"))
        part.sentences.append(f"{table['model_dir']} is an export of a {word}.{more}")
        if not any((exports[0] / name).is_file() for name in PROGRAMS):
            table["engine"] = "onnxruntime"
        if trained is not None and part.task == DETECTION.name:
            _options(part, trained, exports[0])
    elif found.bare and part.task == DETECTION.name:
        table["model_file"] = _path(found.folder, found.bare[0])
        more = _others(found, found.bare[1:], part.name("inference.model_file"))
        part.sentences.append(f"{table['model_file']} is taken for the deployed detector, run by ONNX Runtime.{more}")
        if not (found.bare[0].parent / CONFIG).is_file():
            _lack_options(part, trained)
    else:
        part.lack("inference.model_dir", '"inference"', f"No export folder of a {word} was found")


def _lack_options(part: Part, trained: Trained | None) -> None:
    """Note that what the user's code does around an `.onnx` file is missing; the example is what was evaluated."""
    values, whose = dict(_OF_OWN_CODE), "an example"
    if trained is not None:
        with suppress(OcrParityError, KeyError, TypeError, AttributeError):  # as in `_options`
            check_training_config(trained.yml, trained.config)
            stages = evaluated_parameters(trained.yml, trained.config)
            rule = stages[RESIZE].pop("rule")
            evaluated = {name: value for stage in stages.values() for name, value in stage.items()}
            unused = ("ignore_orientation", "order", *(LIMITS if rule != "limit" else ()))
            if math.isclose(evaluated.get("scale", 0.0) * 255, 1, rel_tol=1e-6):
                del evaluated["scale"]  # which is written as a fraction
            values = {name: value for name, value in {**values, **evaluated}.items() if name not in unused}
            whose = f"what {trained.config.name} evaluates"
    part.lacking["inference"] += [
        f"# Write what your code does around that file; these are {whose}.",
        '# None of that code runs here. To run it, make it the candidate: see "Your own engine" in the documentation.',
    ]
    part.lack("inference.options", toml_text(values), "What your code does around that file is not known")


def _options(part: Part, trained: Trained, export: Path) -> None:
    """Write the options without which an export does something else than what was evaluated.

    `deploy` prints those that the export's own file has as well; written here they would hide what is wrong in it.
    """
    with suppress(OcrParityError, KeyError, TypeError, AttributeError):  # the first run says what is wrong with a file
        needs, in_file = _needs(trained, export)
        evaluated = needs.options
        needs = replace(needs, options={name: each for name, each in evaluated.items() if in_file.get(name) is None})
        wrong = [name for name, each in evaluated.items() if in_file.get(name) not in (None, each)]
        values = {name: each for name in ("options", "predict_options") if (each := getattr(needs, name))}
        part.tables["inference"].update(values)
        if values:
            names = " and ".join(part.name(f"inference.{name}") for name in values)
            part.sentences.append(
                f"{names} hold what the deployment has to pass for what was evaluated, and inference.yml does not say. "
                "If yours passes something else, write that instead: the gate then says what it changes."
            )
        if wrong:
            says, wants = (
                ", ".join(f"{name} {value_text(each[name])}" for name in wrong) for each in (in_file, evaluated)
            )
            part.sentences.append(
                f"inference.yml says {says}, and {wants} was evaluated: the gate fails and says so. If your deployment "
                f"passes {' and '.join(wrong)}, write that into {part.name('inference.options')}."
            )
        if needs.edits or needs.cannot:
            part.sentences.append(
                "That is not all: `python -m pytest_ocrparity deploy` says what has to be changed in inference.yml."
            )


def _needs(trained: Trained, export: Path) -> tuple[Needs, Mapping[str, Any]]:
    """Return what an export has to be given, and what its own file says of its post-process."""
    config = export / CONFIG
    yml = read_config(config)
    check_training_config(trained.yml, trained.config)
    DETECTORS.check_inference(yml, config)
    deployed = Deployed(
        config=config,
        written=config_parameters(yml["PreProcess"]["transform_ops"], yml["PostProcess"], config),
    )
    return needs_of(evaluated_parameters(trained.yml, trained.config), deployed), deployed.written.get(DETECTIONS, {})


def _images(part: Part, found: Survey) -> None:
    folders = found.images.get(part.task, {})
    what = "lines" if part.task == RECOGNITION.name else "pages"
    if not folders:
        part.lack(
            "images",
            '["lines/*.png"]' if what == "lines" else '["images/*.png"]',
            f"No images of {what} were found",
        )
        return
    first, *others = folders
    suffixes = sorted({path.suffix for path in folders[first]})
    part.tables[""]["images"] = [f"{_path(found.folder, first)}/*{suffix}".removeprefix("./") for suffix in suffixes]
    count = len(folders[first])
    many = f" That is much for a gate: name fewer in {part.name('images')}." if count > _MANY else ""
    part.sentences.append(
        f"{_path(found.folder, first)} holds {number_of_images(count)} of {what}.{many}"
        f"{_others(found, others, part.name('images'))}"
    )
    labels = [(path, base) for path, (image, base) in found.labels.items() if image.parent == first]
    if labels:
        path, base = labels[0]
        name = _path(found.folder, path)
        given = name if base == path.parent else {"files": [name], "data_dir": _path(found.folder, base)}
        part.lacking[""].append(f"# labels = {toml_text(given)}")
        part.sentences.append(
            f"{name} labels images. Remove the # before {part.name('labels')}, and the accuracy is judged as well."
        )


def settings_text(parts: Sequence[Part], root: str) -> str:
    """Return the settings as TOML.

    Args:
        parts: by task.
        root: the table that holds them; nothing in an ocrparity.toml.
    """
    lines: list[str] = []
    for part in parts:
        for table, values in part.tables.items():
            name = ".".join(filter(None, (root, part.prefix, table)))
            lines += ["", f"[{name}]"] if name else []
            lines += [f"{key} = {toml_text(value)}" for key, value in values.items()]
            lines += part.lacking[table]
    return "\n".join(lines).strip("\n") + "\n"


def tests_of(parts: Sequence[Part]) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each test file, its text, and the assertion that only it needs."""
    for part in parts:
        if part.task == DETECTION.name:
            yield "test_ocr_detection.py", _DETECTION_TEST, "assert_same_detections"
        elif part.task == PAGES.name:
            yield "test_ocr_page.py", _PAGE_TEST, "assert_same_page"
        else:
            head, imports, tests = _RECOGNITION_TEST.split("\n\n", 2)
            marked = "\n\n".join([head, "import pytest", imports, _MARK, tests])
            yield "test_ocr_recognition.py", marked if part.prefix else _RECOGNITION_TEST, "assert_same_text"
