"""Each reader of files that others may have written, and what must hold whatever it is given.

`Reader.check` gives a reader one input. It fails unless the reader accepts it or raises the documented error, and
unless it runs, imports and writes nothing, opens no file but the given ones, and stays within MEMORY and SECONDS.
"""

from __future__ import annotations

import ast
import codecs
import importlib
import json
import os
import pickle
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from paths import EXAMPLE
from toy import PAGE, Toy

from hostile import inputs
from hostile.baselines import baseline, baselines
from hostile.pickles import honest, pickles
from pytest_ocrparity.__main__ import main
from pytest_ocrparity.artifacts.configs import (
    OPERATORS,
    check_inference_config,
    check_training_config,
    config_operators,
    read_config,
)
from pytest_ocrparity.artifacts.dictionary import KEY, check_export_dictionary, dictionary_fingerprint, find_dictionary
from pytest_ocrparity.artifacts.lint import lint_findings
from pytest_ocrparity.artifacts.ocr_lint import ocr_lint_findings
from pytest_ocrparity.artifacts.ocr_options import (
    absent_models_of_ocr_options,
    ocr_options_not_judged,
    read_ocr_options,
)
from pytest_ocrparity.artifacts.pickle_check import HARMLESS, check_pickle
from pytest_ocrparity.backends.graphs.onnx_graph import OnnxGraph
from pytest_ocrparity.backends.isolation import THREADS
from pytest_ocrparity.backends.onnx.runtime import runtime_arrays, runtime_quantised
from pytest_ocrparity.compare import compare
from pytest_ocrparity.comparison import DifferenceError
from pytest_ocrparity.errors import (
    GoldenCorrupt,
    LabelError,
    ModelError,
    OcrParityError,
    ReportError,
    ResultError,
    SettingsError,
)
from pytest_ocrparity.evaluate.counts import count_image
from pytest_ocrparity.evaluate.labels import read_labels
from pytest_ocrparity.golden.baseline_file import is_baseline_file, load_baseline_file
from pytest_ocrparity.golden.store import path_in_golden_store
from pytest_ocrparity.jsonable import jsonable
from pytest_ocrparity.report.history import history_plots, read_history
from pytest_ocrparity.settings import load_settings
from pytest_ocrparity.trace import Trace

MEMORY = 256 * 2**20
"""Bytes of address space that reading one small file may take (RLIMIT_AS): memory counts when it is claimed, also
where nothing touches it, and claiming more is a MemoryError, which no reader expects."""
SECONDS = 5.0
"""Of processor time."""

_DOING = (
    *("compile", "ctypes.", "exec", "fcntl.", "ftplib.", "import", "marshal.", "mmap.", "os.", "pickle.", "pty."),
    *("shutil.", "signal.", "smtplib.", "socket.", "sqlite3.", "subprocess.", "sys.", "syslog.", "tempfile."),
    *("urllib.", "webbrowser."),
)
_LOOKING = ("os.listdir", "os.scandir")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _nothing(event: str, arguments: tuple[Any, ...]) -> bool:
    return False


class Guard:
    """Notes what the interpreter tells of: no hook can be removed again, so this one is switched."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.globals: frozenset[tuple[str, str]] = frozenset()
        self.permits: Callable[[str, tuple[Any, ...]], bool] = _nothing
        self.seen: list[str] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, int):  # onnx opens files of arrays beside its own code
                path = Path(f"/proc/self/fd/{path}").readlink()
            name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
            is_given = name.startswith(self.folder)
            if not is_given or (isinstance(flags, int) and flags & _WRITING):
                self.seen.append(f"open {name!r} {flags}")
        elif event == "pickle.find_class" and arguments in self.globals:
            return
        elif event.startswith(_DOING) and event not in _LOOKING and not self.permits(event, arguments):
            self.seen.append(f"{event} {arguments!r}"[:200])

    @contextmanager
    def on(
        self,
        folder: Path,
        memory: int = MEMORY,
        names: frozenset[tuple[str, str]] = frozenset(),
        permits: Callable[[str, tuple[Any, ...]], bool] = _nothing,
    ) -> Iterator[None]:
        """Fail where the block runs, imports or writes anything, or takes more than `memory` bytes or SECONDS.

        Pickles may look `names` up; `permits` is asked about each other event that is noted.
        """
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGESIZE") + memory
        before, hard = resource.getrlimit(resource.RLIMIT_AS)
        self.seen, self.globals, self.permits, start = [], names, permits, time.process_time()
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        self.folder = str(folder)
        try:
            yield
        finally:
            self.folder = None
            resource.setrlimit(resource.RLIMIT_AS, (before, hard))
        took = time.process_time() - start
        assert not self.seen, f"it did more than read: {self.seen[:5]}"
        assert took < SECONDS, f"it took {took:.1f} s"


GUARD = Guard()


@dataclass(frozen=True)
class Reader:
    """A reader: what it is given, how it is called, and which error it may raise.

    `run` is called with the folder of its files and an input, and returns what was accepted.
    """

    name: str
    inputs: st.SearchStrategy[Any]
    run: Callable[[Path, Any], Any]
    error: type[OcrParityError] | None
    right: Callable[[], Any]
    """Makes an input that must be accepted."""
    few: int
    """How many inputs take one or two seconds."""

    def check(self, folder: Path, given: Any, memory: int = MEMORY) -> bool:
        """Give it one input; tell whether it was accepted."""
        with warnings.catch_warnings(), GUARD.on(folder, memory):
            warnings.simplefilter("error")
            try:
                self.run(folder, given)
                raised = None
            except OcrParityError as error:
                raised = error
        assert raised is None or type(raised) is self.error, f"{type(raised)} is not documented"
        return raised is None


def _put(folder: Path, name: str, data: bytes) -> Path:
    """Write a file, which only we may."""
    guarded, GUARD.folder = GUARD.folder, None
    path = folder / name
    path.write_bytes(data)
    GUARD.folder = guarded
    return path


def _baseline(folder: Path, data: bytes) -> None:
    path = _put(folder, "a.npz", data)
    is_ours = is_baseline_file(path)
    golden = load_baseline_file(path)
    assert is_ours, "a baseline that loads is one"
    json.dumps(golden.manifest)
    try:
        compare(reference=golden.trace, candidate=TOY)
    except DifferenceError as error:  # documented, where it says that it is of another image
        is_of_another = "two images" in str(error)
        assert is_of_another, error  # noqa: PT017 - there may be none


TOY = Toy(name="inference").trace(PAGE[:24, :48])


def _name(folder: Path, name: str) -> None:
    path = path_in_golden_store(folder / "goldens", name)
    assert os.path.normpath(path) == str(path)
    assert path.is_relative_to(folder / "goldens")
    assert path != folder / "goldens"
    assert path.name.endswith(".npz")
    path.exists()  # raises where no file can have this name
    assert path_in_golden_store(folder / "goldens", name) == path


def _settings(folder: Path, given: tuple[str, bytes]) -> None:
    name, data = given
    settings = load_settings(_put(folder, name, data), {"ocr_tolerance": ["detections.max_shift=2"]}, folder)
    json.dumps(jsonable(settings.page))
    for part in settings.parts:
        json.dumps(jsonable(part.train))
        for candidate in part.candidates.values():
            json.dumps(jsonable(candidate.values))
            assert all(limit.value == limit.value for limit in candidate.tolerance.limits.values())
    assert settings.diagnosis_seconds + 1.0 > 0


def _yml(folder: Path, data: bytes) -> None:
    path = _put(folder, "a.yml", data)
    config = read_config(path)
    assert len(repr(config)) < 2**23
    check, place = (
        (check_training_config, ("Eval", "dataset", "transforms"))
        if "Eval" in config
        else (check_inference_config, ("PreProcess", "transform_ops"))
    )
    check(config, path)
    transforms: Any = config
    for key in place:
        transforms = transforms[key]
    scales = [(config.get("Global") or {}).get("scale")] if "Eval" in config else []
    for name, arguments in config_operators(transforms, path, "transforms"):
        assert name in OPERATORS or "Label" in name
        scales += [arguments.get("scale")] if "Label" not in name else []
    for scale in scales:
        assert not isinstance(scale, str) or is_fraction(scale), f"{scale!r} is evaluated"


def is_fraction(text: str) -> bool:
    """Tell whether Python would see numbers and a division in a text, and nothing else."""
    guarded, GUARD.folder = GUARD.folder, None  # parsing is compiling
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return False
    finally:
        GUARD.folder = guarded
    return all(isinstance(node, ast.Expression | ast.BinOp | ast.Div | ast.Constant) for node in ast.walk(tree))


def _checkpoint(folder: Path, data: bytes) -> None:
    check_pickle(_put(folder, "a.pdparams", data))
    GUARD.globals = HARMLESS
    warnings.simplefilter("ignore")  # numpy.core has moved
    try:  # as paddle.load does with what was let through; on UnpicklingError it would try other formats
        content = pickle.loads(data, encoding="latin1")
    except ValueError:
        return
    assert isinstance(content, dict)
    arrays = [value for value in content.values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in arrays) <= 100 * len(data)
    assert not any(array.dtype.hasobject for array in arrays)


def _results(folder: Path, given: tuple[bytes, list[str]]) -> None:
    data, words = given
    path = _put(folder, "results.json", data)
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(path), "-v", *words])
    assert status in (0, 1, 2)
    told = (err if status == 2 else out).getvalue()
    assert told.endswith("\n")
    assert all(line.isprintable() for line in told.splitlines())
    assert (status == 0) == told.endswith("passed\n")
    if status == 2:
        raise ReportError(told)


def _fix(folder: Path, given: tuple[bytes, bytes, bytes]) -> None:
    data, train, inference = given
    settings = _put(folder, "ocrparity.toml", b'[train]\nconfig = "train.yml"\n[inference]\nmodel_dir = "."\n')
    _put(folder, "inference.yml", inference)
    _put(folder, "train.yml", train)
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(["fix", str(_put(folder, "results.json", data)), f"--settings={settings}"])
    told = (err if status == 2 else out).getvalue()
    assert status in (0, 1, 2) and told
    assert all(line.isprintable() for line in told.splitlines())
    if status == 2:
        raise ReportError(told)


def _statics(folder: Path, given: tuple[bytes, bytes, dict[str, Any]]) -> None:
    train, inference, options = given
    config = _put(folder, "train.yml", train)
    _put(folder, "inference.yml", inference)
    found = lint_findings({"config": config}, {"model_dir": folder, "options": options})
    assert all(isinstance(line, str) and line.isprintable() for line in found)


def _trace(folder: Path, data: bytes) -> None:
    found = Trace.from_json(_put(folder, "a.json", data))
    json.dumps(jsonable(found.parameters))
    try:
        compare(reference=found, candidate=TOY)
    except DifferenceError as error:  # documented, where it says that it is of another image
        is_of_another = "two images" in str(error)
        assert is_of_another, error  # noqa: PT017 - there may be none


def _result(folder: Path, data: bytes) -> None:
    found = Trace.from_result(data, image=TOY.image, pipeline="port")
    assert found.detections is not None
    compare(reference=TOY, candidate=replace(found, image_sha256=None))


def _history(folder: Path, data: bytes) -> None:
    entries, _ = read_history(_put(folder, "history.jsonl", data))
    assert all(len(plot.reference) == len(plot.candidate) for plot in history_plots(entries * 2))


def _calls(folder: Path, given: tuple[bytes, bytes]) -> None:
    paths = _put(folder, "train.yml", given[0]), _put(folder, "inference.yml", given[1])
    for name in ("inference.json", "inference.pdiparams"):
        _put(folder, name, b"x")
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(["deploy", f"--train-config={paths[0]}", f"--inference-dir={folder}"])
    told = (err if status else out).getvalue()
    assert status in (0, 2) and told
    assert all(line.isprintable() for line in told.splitlines())
    if status:
        raise ModelError(told)


def _labels(folder: Path, data: bytes) -> None:
    _put(folder, "a.png", b"")
    labels = read_labels(_put(folder, "Label.txt", data), blank="empty")
    boxes = TOY.detections
    assert boxes is not None
    counted = [count_image(label, boxes, boxes) for label in labels]
    assert len(counted) == labels.census.images
    assert all(each.reference == each.candidate for each in counted)
    assert all(each.reference.in_order <= each.reference.matched <= each.reference.truth for each in counted)


def _dictionary(folder: Path, data: bytes) -> None:
    path = _put(folder, "words.txt", data)
    found = find_dictionary({"Global": {KEY: "words.txt"}}, folder / "train.yml", None)
    assert found == path
    assert len(dictionary_fingerprint(found)["dictionary"]) == 64
    check_export_dictionary({"character_dict": data.decode().splitlines()}, folder / "inference.yml")


def _pipeline(folder: Path, given: tuple[bytes, bytes]) -> None:
    config, options_file = _put(folder, "pipeline.yaml", given[0]), _put(folder, "options.json", given[1])
    options = {**read_ocr_options(options_file), "paddlex_config": str(config)}
    absent = absent_models_of_ocr_options(options, {})
    lines = ocr_options_not_judged(options, {})
    assert bool(absent) == bool(lines)
    lines += ocr_lint_findings("inference.yml", {"PostProcess": {"thresh": 0.2}}, options, {})
    assert all(isinstance(line, str) for line in lines)


def _looks_at_process(event: str, arguments: tuple[Any, ...]) -> bool:
    """Permit what `isolated` does to know what to put back: it reads handlers of signals and numbers of threads."""
    return (
        event == "ctypes.create_string_buffer"
        or (event == "ctypes.dlopen" and arguments[0] in THREADS)
        or (event == "ctypes.dlsym" and any(arguments[1] in names for names in THREADS.values()))
    )


def _onnx_graph(folder: Path, data: bytes) -> None:
    GUARD.permits = _looks_at_process
    graph = OnnxGraph(_put(folder, "a.onnx", data))
    assert 0 <= graph.output < len(graph.nodes)
    assert all(0 <= each < place for place, node in enumerate(graph.nodes) for each in node.inputs)


def _onnx_weights(folder: Path, data: bytes) -> None:
    GUARD.permits = _looks_at_process
    path = _put(folder, "a.onnx", data)
    assert all(isinstance(array, np.ndarray) for array in runtime_arrays(path).values())
    found = runtime_quantised(path)
    if found is not None:
        assert found.operators or found.rounded
        assert all(each.kernel.dtype == np.float32 for each in found.operators)


def _onnx_readers() -> tuple[Reader, ...]:
    """Return the readers of `.onnx` files, where the package onnx is installed, which alone reads them."""
    if find_spec("onnx") is None:
        return ()
    from hostile import onnx_models

    inputs = onnx_models.onnx_files()
    return (
        Reader("ONNX graph", inputs, _onnx_graph, ModelError, onnx_models.plain, 60),
        Reader("ONNX weights", inputs, _onnx_weights, ModelError, onnx_models.quantised, 60),
    )


def example_yml() -> bytes:
    return (EXAMPLE / "configs" / "tiny_db.yml").read_bytes()


def as_json(document: Any) -> bytes:
    return json.dumps(document).encode()


def export_yml() -> bytes:
    return (EXAMPLE / "inference" / "inference.yml").read_bytes()


_options = st.sampled_from(({}, {"limit_side_len": 736}, {"thresh": 0, "limit_type": None}))
READERS = (
    Reader("baseline", baselines(), _baseline, GoldenCorrupt, lambda: baseline()[0], 60),
    Reader("baseline's name", inputs.names, _name, None, lambda: "images/a.png", 100),
    Reader(
        "settings",
        inputs.settings_files(),
        _settings,
        SettingsError,
        lambda: ("ocrparity.toml", b'images = ["*.png"]'),
        150,
    ),
    Reader("yml", inputs.ymls(), _yml, ModelError, example_yml, 100),
    Reader("checkpoint", pickles, _checkpoint, ModelError, lambda: honest()[4], 200),
    Reader(
        "results.json",
        inputs.judged_results(),
        _results,
        ReportError,
        lambda: (json.dumps(inputs.results()).encode(), []),
        30,
    ),
    Reader(
        "fix",
        st.tuples(inputs.fixed_results(), st.builds(example_yml), st.builds(export_yml)),
        _fix,
        ReportError,
        lambda: (as_json(inputs.fixed()), example_yml(), export_yml()),
        60,
    ),
    Reader(
        "static findings",
        st.tuples(inputs.ymls(), inputs.ymls(), _options),
        _statics,
        None,
        lambda: (example_yml(), export_yml(), {}),
        40,
    ),
    Reader("a trace's JSON", inputs.json_of(inputs.TRACE), _trace, ResultError, lambda: as_json(inputs.TRACE), 200),
    Reader(
        "results of others",
        inputs.json_of(inputs.RESULT, inputs.ANSWER),
        _result,
        ResultError,
        lambda: as_json(inputs.ANSWER),
        200,
    ),
    Reader("labels", inputs.label_files(), _labels, LabelError, lambda: b"a.png\t" + as_json(inputs.LABEL), 150),
    Reader("history", inputs.json_of(inputs.RUN), _history, ReportError, lambda: as_json(inputs.RUN), 150),
    Reader("dictionary", inputs.dictionaries(), _dictionary, ModelError, lambda: b"a\nb\n", 200),
    Reader(
        "pipeline",
        inputs.pipelines(),
        _pipeline,
        ModelError,
        lambda: (as_json(inputs.PIPELINE), as_json(inputs.OCR_OPTIONS)),
        100,
    ),
    *_onnx_readers(),
    Reader(
        "deploy",
        st.one_of(st.tuples(inputs.ymls(), st.builds(export_yml)), st.tuples(st.builds(example_yml), inputs.ymls())),
        _calls,
        ModelError,
        lambda: (example_yml(), export_yml()),
        60,
    ),
)


def warm_up(folder: Path) -> None:
    """Let each reader import what it imports late, and show that it accepts what is right."""
    for codec in (
        "raw_unicode_escape",
        "latin_1",
        *(f"utf-{bits}{end}" for bits in (16, 32) for end in ("", "-le", "-be")),
    ):
        codecs.lookup(codec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("numpy.core.multiarray")  # where older checkpoints look
    importlib.import_module("pwd")  # where a path begins with ~
    for reader in READERS:
        reader.run(folder, reader.right())
        assert reader.check(folder, reader.right()), f"{reader.name} refuses what is right"
