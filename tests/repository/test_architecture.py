"""The shape of the package: imports point down, the public names are these, and nothing heavy loads early."""

from __future__ import annotations

import ast
import graphlib
from collections import Counter
from pathlib import Path

from paths import TESTS

import pytest_ocrparity

PACKAGE = Path(pytest_ocrparity.__file__).parent

# A row imports only what stands in an earlier row, also inside functions and for types. Inside a package, any.
TABLE = (
    {"errors", "stages", "wording", "jsonable", "environment", "geometry", "edits", "whole_files"},
    {"trace", "tolerance", "diagnosis"},
    {"evaluate"},
    {"comparison", "files", "settings", "contract"},
    {"context", "artifacts", "report"},
    {"compare", "backends", "explain"},
    {"golden", "diagnose", "rejudge"},
    {"assertions", "session"},
    {"plugin", "gate", "commands"},
    {"__main__", ""},
)
KNOW_PYTEST = {"plugin", "gate", "session"}
FRAMEWORKS = {"paddle", "paddleocr", "paddlex", "ppocr", "cv2", "openvino", "rapidocr"}
OF_TWO_BACKENDS = {"pipeline.py"}
"""File names that stand for the same thing in two packages."""
UNIT = TESTS / "unit"
TESTED_BY = {
    # They need the frameworks: tests/real runs PaddleOCR's own code, tests/faults what experiments ask of it.
    "artifacts.export_command": "real/test_export_command.py",  # read by the parser of PaddleOCR's tool
    "artifacts.model_files": "real/test_bad_export.py",
    "artifacts.recogniser_configs": "real/test_bad_recognisers.py",
    "backends.checkout.detector": "real/test_script_detector.py",
    "backends.checkout.loading": "real/test_script_detector.py",
    "backends.checkout.recogniser": "real/test_script_recogniser.py",
    "backends.checkout.script": "real/test_script_detector.py",
    "backends.checkout.side": "real/test_script_detector.py",
    "backends.decoders": "real/test_diagnose_decoding.py",
    "backends.graphs": "real/test_layers.py",
    "backends.graphs.legacy_graph": "real/test_layers.py",
    "backends.graphs.weightless_operators": "real/test_layers.py",
    "backends.graphs.pir_graph": "real/test_layers.py",
    "backends.graphs.traced_graph": "real/test_layers.py",
    "backends.graphs.fake_quantised": "real/test_fake_quantised.py",
    "backends.effective_parameters": "real/test_inference.py",
    "backends.isolation": "real/test_process.py",
    "backends.line_probes": "real/test_recognisers.py",
    "backends.memory_guard": "real/test_memory.py",
    "backends.network_file": "real/test_onnx_file.py",
    "backends.onnx.half_file": "real/test_half_file.py",
    "backends.onnx.pipeline": "real/test_onnx_file.py",
    "backends.openvino.compiled": "engines/openvino_side.py",  # they need OpenVINO and RapidOCR
    "backends.openvino.pipeline": "engines/openvino_side.py",
    "backends.openvino.on_openvino": "engines/openvino_side.py",
    "backends.openvino.openvino_recogniser": "engines/openvino_reader.py",
    "backends.rapidocr.rapid_detector": "engines/rapidocr_side.py",
    "backends.rapidocr.rapid_loading": "engines/rapidocr_reader.py",
    "backends.rapidocr.rapid_side": "engines/rapidocr_side.py",
    "backends.paddlex.deployed_recogniser": "real/test_recognisers.py",
    "backends.paddlex.deployed_side": "real/test_inference.py",
    "backends.paddlex.factory": "real/test_factory.py",
    "backends.paddlex.ocr_predictor": "real/test_ocr_predictor.py",
    "backends.paddlex.installed": "faults/test_named_ports.py",  # a baseline as reference
    "backends.paddlex.pipeline": "real/test_inference.py",
    "backends.paddlex.predictor": "real/test_predictor.py",
    "backends.paddlex.deployed_page": "page_faults/test_pages.py",
    "backends.paddlex.page_predictor": "page_faults/test_pages.py",
    "backends.paddlex.page_rules": "page_faults/test_pages.py",
    "backends.paddlex.program": "faults/test_faults.py",  # run where an export's weights or engine are suspected
    "backends.paddlex.returned": "real/test_ocr_predictor.py",  # boxes of a pipeline around a detector
    "backends.paddlex.stand_in": "real/test_ocr_predictor.py",  # paddleocr loads it
    "backends.paddlex.taps": "real/test_predictor.py",
    "backends.paddlex.variation": "real/test_fixes.py",
    "backends.ppocr.layer_attributes": "real/test_layers.py",
    "backends.ppocr.network": "real/test_network.py",
    "backends.ppocr.operators": "real/test_training.py",
    "backends.ppocr.pipeline": "real/test_training.py",
    "backends.ppocr.trained_recogniser": "real/test_recognisers.py",
    "backends.ppocr.trained_side": "real/test_training.py",
    "backends.resampling": "faults/test_named_ports.py",
    "backends.staged": "real/test_memory.py",
    "backends.page_side": "page_faults/test_pages.py",
    "backends.trained_page": "page_faults/test_pages.py",
    "contract.page_readers": "page_faults/test_pages.py",
    "explain.page_texts": "unit/explain/test_page_message.py",
    "contract.network_graph": "unit/diagnose/layers/test_search.py",
    "contract.quantised_programs": "unit/diagnose/network/test_rounding.py",
    "contract.recognisers": "real/test_recognisers.py",
    "contract.stored_arrays": "unit/diagnose/network/test_weights.py",
    "diagnose.kept_state": "unit/diagnose/test_state.py",  # the words of both experiments with state
    "diagnose.recognition.line_sizes": "unit/diagnose/recognition/test_line_preprocessing.py",
    "diagnose.preprocessing.decoding": "real/test_diagnose_decoding.py",
    "diagnose.preprocessing.rectifying": "real/test_factory.py",  # a document preprocessor in paddleocr's pipeline
    "diagnose.preprocessing.fed_picture": "unit/diagnose/preprocessing/test_placements.py",
    "diagnose.preprocessing.pictures": "unit/diagnose/preprocessing/test_placements.py",
    "diagnose.postprocessing.rules": "unit/diagnose/postprocessing/test_values.py",
    "diagnose.postprocessing.rule_table": "unit/diagnose/postprocessing/test_values.py",
    # What they do shows in a whole run only.
    "context": "integration/test_fixtures.py",  # assertions in a user's threads
    "environment": "integration/test_table.py",
    # They are tested with what they are for.
    "artifacts.configs": "hostile/test_fuzz.py",  # a reader of files that others may have written
    "errors": "unit/test_tolerance.py",  # the word that was meant, in the message of a mistake
    "jsonable": "unit/report/test_document.py",  # parameters of any type
    "report.document_text": "unit/report/test_document.py",  # what is written is read the same
    "settings.candidates": "unit/settings/test_settings.py",  # of the whole file
    "settings.settings_page": "unit/settings/test_settings_table.py",  # one table is held to be checked and documented
    "trace.decoded": "unit/trace/test_trace.py",
    "trace.stored_fields": "hostile/test_fuzz.py",  # what a baseline with odd fields must not break
    "stages": "unit/compare/test_compare.py",  # the first stage that differs
}
"""Modules of the first seven rows that have no mirror below tests/unit, and the file that tests each."""
ROWS_WITH_MIRRORS = 7
MIRROR_NONE = {
    "test_geometry_properties.py",
    "compare/test_judge_rules.py",
    "diagnose/layers/test_random_graphs.py",
    "diagnose/test_odd_traces.py",
    *(f"settings/test_{topic}.py" for topic in ("above_rootdir", "all_mistakes", "hints", "spelling")),
}
"""Properties of `geometry`, the edges of each rule of `judge`, a search for layers in networks that are drawn, traces
that end no diagnosis, and what the modules of `settings` do together: they would make a file too long."""


def module_name(path: Path) -> str:
    """Return the module's name inside the package; nothing for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room(module: str) -> str:
    return module.partition(".")[0]


FILES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imported(path: Path) -> set[str]:
    """Return every module that a file names in an import, those of this package by their names inside of it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None, f"{path}: relative import"
            inner = node.module.removeprefix("pytest_ocrparity").removeprefix(".")
            for alias in node.names if room(node.module) == "pytest_ocrparity" else ():
                below = f"{inner}.{alias.name}".removeprefix(".")
                found.add(f"pytest_ocrparity.{below if below in FILES else inner}")
            found.add(node.module)
    return found


IMPORTS = {name: imported(path) for name, path in FILES.items()}
OURS = {
    name: {
        each.removeprefix("pytest_ocrparity.")
        for each in found
        if each.startswith("pytest_ocrparity.") and each.removeprefix("pytest_ocrparity.") != name
    }
    for name, found in IMPORTS.items()
}


def row(module: str) -> int:
    return next(index for index, rooms in enumerate(TABLE) if room(module) in rooms)


def test_every_room_stands_in_the_table_once() -> None:
    rooms = Counter(each for row in TABLE for each in row)
    assert set(rooms) == {room(module) for module in FILES}
    assert set(rooms.values()) == {1}


def test_imports_point_down() -> None:
    for name, found in OURS.items():
        for other in found:
            assert room(other) == room(name) or row(other) < row(name), f"{name} imports {other}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    # A package's `__init__` may import what lies in it: who imports a module runs the packages above it first.
    list(graphlib.TopologicalSorter(OURS).static_order())


def test_only_three_rooms_know_pytest() -> None:
    assert {room(name) for name, found in IMPORTS.items() if "pytest" in found} == KNOW_PYTEST


def test_only_backends_know_the_frameworks() -> None:
    knowing = {room(name) for name, found in IMPORTS.items() if {room(each) for each in found} & FRAMEWORKS}
    assert knowing == {"backends"}


def test_the_root_shows_the_architecture() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 20


def test_no_two_modules_share_a_name() -> None:
    names = Counter(path.name for path in FILES.values())
    assert {name for name, count in names.items() if count > 1} == {"__init__.py", *OF_TWO_BACKENDS}


def test_the_public_names() -> None:
    assert sorted(pytest_ocrparity.__all__) == pytest_ocrparity.__all__ == dir(pytest_ocrparity)
    for name in pytest_ocrparity.__all__:
        assert getattr(pytest_ocrparity, name).__name__ == name
    assert not hasattr(pytest_ocrparity, "no_such_name")


def test_no_file_is_long() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in FILES.items()}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def has_code(path: Path) -> bool:
    return any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in ast.parse(path.read_text()).body)


def mirror(module: str) -> Path:
    """Return the file that tests a module; that of a package lies in it, under its name."""
    parts = module.split(".")
    folder = parts if FILES[module].name == "__init__.py" else parts[:-1]
    return UNIT.joinpath(*folder, f"test_{parts[-1]}.py")


def test_each_module_is_tested_where_one_looks_for_it() -> None:
    wanted = {name for name, path in FILES.items() if row(name) < ROWS_WITH_MIRRORS and has_code(path)}
    assert {name for name in wanted if not mirror(name).is_file()} == set(TESTED_BY)
    for name, file in TESTED_BY.items():
        assert "def test_" in (TESTS / file).read_text(), f"{file} tests no {name}"


def test_each_file_of_unit_tests_mirrors_a_module() -> None:
    mirrors = {mirror(name) for name in FILES if name}
    others = {path for path in UNIT.rglob("*.py") if path.name not in ("__init__.py", "conftest.py")} - mirrors
    assert {path.relative_to(UNIT).as_posix() for path in others} == MIRROR_NONE
