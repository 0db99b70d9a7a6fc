"""Every setting and option, each in one row: what it may be, what it is by default, what it means.

From these rows come the checks of a settings file, the defaults, `pytest --help` and docs/reference/settings.md. Every
run of pytest loads them: nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pytest_ocrparity.tolerance import PRESETS


class Kind(NamedTuple):
    """What a value must be, in words and as a type. `is_repeatable`: its option may be given several times."""

    words: str
    type: type | tuple[type, ...]
    is_path: bool = False
    is_repeatable: bool = False


class Setting(NamedTuple):
    """A row of the table.

    Attributes:
        name: the key with its table, as "train.config"; empty for what only the command line says.
        usage: the option that overrides the setting, with what `--help` calls its value; empty where there is none.
        default: the value where nothing is said; None where there is none.
        choices: the only values, where only some words mean something.
    """

    name: str
    kind: Kind
    help: str
    usage: str = ""
    default: Any = None
    choices: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """Return the option without its value."""
        return self.usage.partition("=")[0]

    @property
    def dest(self) -> str:
        """Return the attribute of pytest's `config.option` that holds the option's value."""
        return self.option.lstrip("-").replace("-", "_")

    @property
    def table(self) -> str:
        """Return the table that holds the key; empty for the top level."""
        return self.name.rpartition(".")[0]

    @property
    def key(self) -> str:
        """Return the key without its table."""
        return self.name.rpartition(".")[2]

    def argument(self) -> dict[str, Any]:
        """Return the keyword arguments of `addoption`.

        The default is not among them: an option that is not given must not override the settings file.
        """
        notes = ["repeatable"] if self.kind.is_repeatable else []
        notes += [f"setting: {self.name}"] if self.name else []
        notes += [f"default: {self.default}"] if self.default is not None else []
        help_text = f"{self.help} ({', '.join(notes)})" if notes else self.help
        if self.kind is _FLAG:
            return {"help": help_text, "action": "store_true"}
        if self.kind is _TESTS:  # one option for thousands of ids, of which each further option would cost more
            return {"help": help_text, "action": "extend", "nargs": "*", "metavar": "ID"}
        shape = {"choices": self.choices} if self.choices else {"metavar": self.usage.partition("=")[2]}
        return {"help": help_text, "action": "append" if self.kind.is_repeatable else "store", **shape}


_PATH: Final = Kind("a path", str, is_path=True)
_TEXT: Final = Kind("a text", str)
_FLAG: Final = Kind("true or false", bool)
_TABLE: Final = Kind("a table", Mapping)
_GLOBS: Final = Kind("a list of globs", (list, str), is_repeatable=True)
_TESTS: Final = Kind("ids of tests", (list, str), is_repeatable=True)
_SECONDS: Final = Kind("a number from 0 up", (int, float))
_SIZE: Final = Kind('a size such as "4 GB", or a number of bytes', (str, int))
_COUNT: Final = Kind("a whole number from 1 up", (int,))
_PATHS: Final = Kind("a path or a list of paths", (list, str))
_LABELS: Final = Kind("a path, a list of paths or a table", (str, list, Mapping))
_LIMITS: Final = Kind("a preset's name or a table", (str, Mapping), is_repeatable=True)

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("", _PATH, "settings file; without it, the nearest one upward from the given paths", "--ocr-config=FILE"),
    Setting(
        "images", _GLOBS, "images to compare: globs (quote them in a shell) or folders", "--ocr-images=GLOB_OR_DIR"
    ),
    Setting(
        "labels",
        _LABELS,
        "label files, or the table `labels`: the accuracy of both sides is judged over the run; without `images` the "
        "labels name them",
    ),
    Setting("allow_empty", _FLAG, "true: a run in which no image has a box may pass", default=False),
    Setting(
        "diagnosis_seconds",
        _SECONDS,
        "processor time for the experiments after a failure; 0: none are made",
        default=60,
    ),
    Setting("memory_limit", _SIZE, "memory that an image may take; without it, what is available"),
    Setting(
        "tolerance",
        _LIMITS,
        f"a preset ({', '.join(PRESETS)}), or limits of stages",
        "--ocr-tolerance=PRESET|STAGE.LIMIT=VALUE",
        default="fp32",
    ),
    Setting("labels.files", _PATHS, "label files of PaddleOCR, a line per image; `labels = FILE` sets this alone"),
    Setting("labels.data_dir", _PATH, "folder that the paths in them start at; without it, that of each file"),
    Setting("labels.delimiter", _TEXT, "what stands between path and label", default="\t"),
    Setting(
        "labels.blank",
        _TEXT,
        "what a page without a box, or a line without a text, is: one that nobody labelled, which is left out, or one "
        "without text, so that each box on it is a false alarm; where this is not set, such a label is refused",
        choices=("unlabelled", "empty"),
    ),
    Setting(
        "labels.group",
        _TEXT,
        "a regular expression with one group, which takes the document out of an image's path: pages of one document "
        "count as one observation",
    ),
    Setting("train.config", _PATH, "PaddleOCR training YAML file", "--ocr-train-config=YML"),
    Setting(
        "train.checkpoint",
        _PATH,
        "trained weights; without it, those that the YAML file names",
        "--ocr-train-checkpoint=FILE",
    ),
    Setting(
        "train.paddleocr_root",
        _PATH,
        "PaddleOCR checkout, or paddleocr 2.10; without it, an importable ppocr",
        "--ocr-paddleocr-root=DIR",
    ),
    Setting(
        "train.network",
        _TEXT,
        '"module:function" that makes the YAML file\'s Architecture; without it, ppocr.modeling makes it',
    ),
    Setting("train.device", _TEXT, "where the trained model runs, as in paddle.set_device", default="cpu"),
    Setting("train.sub_model", _TEXT, 'which model of a distillation YAML file, as "Student"'),
    Setting("train.trust_checkpoint", _FLAG, "true: load a checkpoint that names unusual classes", default=False),
    Setting(
        "",
        _FLAG,
        "do without the train model: skip the tests that use it, and let the gate compare with recorded baselines",
        "--ocr-no-train",
    ),
    Setting(
        "inference.api",
        _TEXT,
        "whose code runs: that class of paddleocr; that script of a PaddleOCR checkout; RapidOCR; or none, and "
        "`results` were written elsewhere",
        default="TextDetection",
        choices=("TextDetection", "PaddleOCR", "predict_det", "predict_rec", "rapidocr", "results"),
    ),
    Setting("inference.model_dir", _PATH, "export folder", "--ocr-inference-dir=DIR"),
    Setting(
        "inference.paddleocr_root",
        _PATH,
        'with api = "predict_det" or "predict_rec", the checkout that runs; without it, `train.paddleocr_root`',
    ),
    Setting(
        "inference.factory",
        _TEXT,
        '"module:function" that returns the object which production calls, in the place of model_dir and options',
    ),
    Setting(
        "inference.engine",
        _TEXT,
        "what runs the network: paddle and onnxruntime are handed to that class as its option of this name; openvino "
        "runs the network of `model_dir` or `model_file` with PaddleX's operators around it",
        default="paddle",
        choices=("paddle", "onnxruntime", "openvino"),
    ),
    Setting(
        "inference.model_file",
        _PATH,
        "an .onnx file in the place of `model_dir`, run on ONNX Runtime or OpenVINO alone, or by RapidOCR; around an "
        "engine run PaddleX's operators with the values of the inference.yml beside it and of `options`, which must "
        "hold all where there is none",
    ),
    Setting(
        "inference.options",
        _TABLE,
        "handed to that class as they are; flags of that script by name; parameters of RapidOCR by name",
    ),
    Setting("inference.options_file", _PATH, "YAML or JSON file of options that production reads; `options` win"),
    Setting("inference.predict_options", _TABLE, "passed to its `predict()`: some parameters are accepted only there"),
    Setting("inference.model_name", _TEXT, "paddlex's name of the model, where inference.yml has none (PaddleOCR 2.x)"),
    Setting(
        "inference.results",
        _PATH,
        'with api = "results", the file of each image, as "out/{stem}.json"; also {name} and {parent}',
    ),
    Setting(
        "inference.frame",
        _TEXT,
        "whose pixels its boxes are in: as each file says, or the image's whatever it says",
        default="file",
        choices=("file", "image"),
    ),
    Setting(
        "inference.batch",
        _COUNT,
        "how many images run at once in production; from 2 up, each image also runs in a batch of pages whose tensors "
        "have its size, or of lines of any width, and must come out as it does alone",
        "--ocr-batch=N",
        default=1,
    ),
    Setting("inference.tolerance", _LIMITS, "as the setting `tolerance`, for this deployment alone"),
    Setting("recognition.images", _GLOBS, "pictures of lines, which are no other images of the project"),
    Setting("recognition.labels", _LABELS, "as `labels`, of lines"),
    Setting("recognition.train", _TABLE, "as the table `train`, of a recogniser"),
    Setting("recognition.inference", _TABLE, "as the table `inference`, of a recogniser"),
    Setting("recognition.candidates", _TABLE, "as the tables under `candidates`, of recognisers"),
    Setting("recognition.tolerance", _LIMITS, "as the setting `tolerance`, which it overrides limit by limit"),
    Setting(
        "page.options",
        _TABLE,
        "handed to paddleocr.PaddleOCR as they are; its models are those of `inference` and `recognition.inference`",
    ),
    Setting("page.options_file", _PATH, "YAML or JSON file of options that production reads; `options` win"),
    Setting("page.predict_options", _TABLE, "passed to its `predict()`"),
    Setting(
        "page.factory",
        _TEXT,
        '"module:function" that returns the PaddleOCR which production calls, in the place of options and both models',
    ),
    Setting("golden.dir", _PATH, "folder of the baselines", "--ocr-golden-dir=DIR", default="goldens"),
    Setting(
        "golden.reference",
        _TEXT,
        "the model whose output the baselines are",
        default="train",
        choices=("train", "inference"),
    ),
    Setting("", _FLAG, "record the baselines that tests ask for", "--ocr-golden"),
    Setting(
        "",
        _TEXT,
        "with --ocr-golden, what to record: missing files, also those whose image or reference changed, or all",
        "--ocr-golden-mode",
        default="missing",
        choices=("missing", "changed", "all"),
    ),
    Setting("", _FLAG, "remove baselines that a run of all tests shows to be unused", "--ocr-golden-prune"),
    Setting("report.dir", _PATH, "folder of an HTML report, results.json and summary.md", "--ocr-report=DIR"),
    Setting(
        "report.pictures",
        _TEXT,
        "pictures in the report: of images that differ, with a thumbnail of each other one, or of all images",
        default="failed",
        choices=("failed", "all"),
    ),
    Setting(
        "",
        _TESTS,
        "leave out these tests, which passed in a run that ended early: `pytest @report/not_reached.txt` says them",
        "--ocr-reached=ID ...",
    ),
    Setting(
        "report.history",
        _PATH,
        "file to which each run appends a line of JSON; the report draws them over the runs",
        "--ocr-history=FILE",
    ),
    Setting(
        "report.github",
        _TEXT,
        "annotations and job summary of GitHub Actions; auto: where that runs the tests",
        "--ocr-github",
        default="auto",
        choices=("auto", "on", "off"),
    ),
)


def settings_by_table(settings: Sequence[Setting]) -> dict[str, dict[str, Setting]]:
    """Return the rows that a settings file may hold, by table and key, in their order."""
    tables: dict[str, dict[str, Setting]] = {}
    for row in settings:
        if row.name:
            tables.setdefault(row.table, {})[row.key] = row
    return tables


TABLES: Final = settings_by_table(SETTINGS)
"""Every key a settings file may hold, by table; `Tolerance` checks what `tolerance` holds.

Each table under `candidates` holds what `inference` holds.
"""

OPTIONS: Final[Mapping[str, Setting]] = {row.dest: row for row in SETTINGS if row.option}
"""Every option of the command line, by the attribute of pytest's `config.option` that holds its value."""


def settings_table_defaults(table: str) -> dict[str, Any]:
    """Return the defaults of a table by key; a key without one is left out."""
    return {key: row.default for key, row in TABLES[table].items() if row.default is not None}
