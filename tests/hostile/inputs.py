"""What the fuzz gives to each reader: right files with something wrong in them, and files that were never right.

Hypothesis chooses; most choices are among values that once broke a reader somewhere, as chance alone seldom finds them.
"""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
import records
import yaml
from hypothesis import strategies as st
from msgspec import structs
from paths import EXAMPLE
from toy import PAGE, Toy

from pytest_ocrparity.compare import compare
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.files import text_file_digest
from pytest_ocrparity.report.document import CandidateRecord, NotCompared, Parameter, RecordedComparison
from pytest_ocrparity.report.document_text import as_text
from pytest_ocrparity.report.history import HistoryEntry, RunAccuracy
from pytest_ocrparity.settings.settings_table import SETTINGS, TABLES

EVIL = "__import__('os').system('touch evil')"
DEEP: Any = []


for _ in range(200):
    DEEP = [DEEP]


VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**64), 10**100, 10**400, 0.0, -0.5, 1e-320, 1e308),
    *(
        float("nan"),
        float("inf"),
        -float("inf"),
        "",
        "a",
        "NaN",
        "\0",
        "\ud83d",
        "\x1b[31m\n::error::x",
        EVIL,
        "x" * 5000,
    ),
    *("../../etc/passwd", "/etc/passwd", "~nobody_at_all/x", "auto", "off", "fp16", "1/0", "1e999", "9" * 5000),
    *([], {}, [[]], [1, 2], [0] * 100, {"a": {"b": 1}}, {"": None}, {EVIL: None}, DEEP, {"scale": EVIL}, [{EVIL: 1}]),
)
values = st.one_of(st.sampled_from(VALUES), st.integers(), st.floats(), st.text(max_size=8))


@st.composite
def edited(draw: Any, document: Any, most: int = 3) -> Any:
    """Draw a copy of a JSON value in which some parts are replaced, removed or doubled."""
    whole = [copy.deepcopy(document)]
    for _ in range(draw(st.integers(1, most))):
        place: Any = whole
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            inner = place[key]
            if not (isinstance(inner, dict | list) and inner) or draw(st.integers(0, 4)) == 0:
                break
            place = inner
        what = draw(st.integers(0, 9))
        if what == 0 and place is not whole:
            del place[key]
            if not place:
                break
        elif what == 1 and isinstance(place, dict):
            place[draw(st.sampled_from(("", "a", "Label", EVIL, "\n", "scale", "Pad")))] = draw(values)
        else:
            place[key] = copy.deepcopy(draw(values))
    return whole[0]


@st.composite
def mangled(draw: Any, data: bytes) -> Any:
    """Draw bytes with some changed, cut out, repeated or put in."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from((0, 1, 1, 2, 8, 100)))
        new = draw(st.one_of(st.binary(max_size=8), st.sampled_from((b"\xff" * 8, b"\0" * 4, b"\x7f", data[:50]))))
        data = data[:start] + new + data[start + length :]
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 5)) == 0 else data


# Names


_pieces = st.sampled_from(
    ("..", ".", "", "a", "ä", "\0", "\ud800", "\udc80", "\n", "~", "C:", "\\", "x" * 201, "..\\..", "-", "outside")
)
names = st.one_of(
    st.lists(_pieces, max_size=8).map("/".join),
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.lists(st.text("./\\\0a", max_size=4), max_size=5).map("/".join),
)


# Settings


_OF_SIDES = (
    "api",
    "engine",
    "factory",
    "model_dir",
    "options",
    "options_file",
    "predict_options",
    "results",
    "tolerance",
)
_KEYS = (
    *(row.name for row in SETTINGS if row.name),
    *(table for table in TABLES if table),
    *(
        f"{table}.{key}"
        for table in ("candidates.a", 'candidates."\\n"', "recognition.inference", "recognition.candidates.a")
        for key in _OF_SIDES
    ),
    *("tolerance.preset", "tolerance.detections.max_shift", "recognition.tolerance.text.max_edits"),
    *("recognition.train.config", "candidates", "candidates.a", '""', "no_such", "tool.ocrparity.images"),
    "a" + ".a" * 300,
)
_TOML = (
    *(
        "true",
        "1",
        "-1",
        "nan",
        "-inf",
        "1e400",
        "0x" + "f" * 5000,
        "9" * 5000,
        '""',
        '"a"',
        '"\\u0000"',
        '"~nobody_at_all"',
        "'auto'",
        "'PaddleOCR'",
        "'onnxruntime'",
        "'predict_det'",
        "'rapidocr'",
        "'results'",
        "'out/{stem}.json'",
        "'a.yml'",
        "'module:function'",
        "'(a)(b'",
        "2",
    ),
    *(
        "[]",
        "{}",
        "['*.png']",
        "[1]",
        "['']",
        "{ a = 1 }",
        "{ preset = [] }",
        "{ detections = { max_shift = 1 } }",
        "[" * 400 + "]" * 400,
    ),
    *(
        "1979-05-27",
        "07:32:00",
        "1979-13-99",
        "'''\n'''",
        "{ max_shift = nan }",
        "'fp16'",
        "{ detections = { max_shift = 0x" + "f" * 400 + " } }",
        "{ text_det_limit_side_len = 960, text_detection_model_dir = 'x' }",
        "{ engine = 'onnxruntime', text_rec_score_thresh = nan }",
    ),
)


PROJECT: Any = {
    "images": ["*.png"],
    "memory_limit": "4 GB",
    "tolerance": {"preset": "fp16", "detections": {"max_shift": 1.5}},
    "labels": {"files": ["Label.txt"], "data_dir": ".", "delimiter": " ", "blank": "empty", "group": "(.*)/"},
    "train": {"config": "det.yml", "network": "module:function"},
    "inference": {"api": "PaddleOCR", "options_file": "a.json", "options": {"text_det_thresh": 0.3}, "batch": 2},
    "recognition": {
        "images": ["lines/*.png"],
        "train": {"config": "rec.yml"},
        "inference": {"model_dir": "rec"},
        "tolerance": "int8",
    },
    "page": {"options": {"text_rec_score_thresh": 0.5}, "options_file": "a.json", "predict_options": {}},
    "golden": {"dir": "goldens", "reference": "inference"},
    "report": {"dir": "report", "history": "history.jsonl"},
}


def toml(value: Any) -> str:
    """Return a value of JSON as TOML writes it, as far as it can."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps("" if value is None else value).replace("NaN", "nan").replace("Infinity", "inf")


@st.composite
def settings_files(draw: Any) -> tuple[str, bytes]:
    """Draw the name and the bytes of a settings file."""
    name = draw(st.sampled_from(("ocrparity.toml", "pyproject.toml")))
    start = b"" if name == "ocrparity.toml" else b"[tool.ocrparity]\n"
    what = draw(st.integers(0, 5))
    if what == 0:
        return name, start + draw(st.binary(max_size=40))
    if what == 1:
        return name, start + draw(st.text("[]{}=.\"'\n#a1-, \\", max_size=40)).encode()
    if what == 2:
        return name, draw(mangled((EXAMPLE / "pyproject.toml").read_bytes()))
    if what == 3:
        document = draw(edited(PROJECT, 2))
        lines = (
            [f"{json.dumps(key)} = {toml(each)}\n" for key, each in document.items()]
            if isinstance(document, dict)
            else []
        )
        return name, start + "".join(lines).encode("utf-8", "surrogatepass")
    lines = [
        f"{draw(st.sampled_from(_KEYS))} = {draw(st.sampled_from(_TOML))}\n" for _ in range(draw(st.integers(1, 4)))
    ]
    return name, start + "".join(dict.fromkeys(lines)).encode()


# Ymls


_TOKENS = (
    *(
        "a: ",
        "- ",
        "? ",
        "&a ",
        "*a",
        "<<: ",
        "*b ",
        "&b ",
        "!!int ",
        "!!timestamp ",
        "!!python/object/apply:os.system ",
        "!!bool ",
        "!!binary ",
    ),
    *(
        "[",
        "]",
        "{",
        "}",
        ",",
        "\n",
        "  ",
        "'",
        '"',
        "|\n",
        ">\n",
        "---\n",
        "%YAML 9.9\n",
        "0x",
        "1:60",
        "2001-99-99",
        ".inf",
        "null",
        "\t",
        "\x85",
        "é",
        "#",
        "!",
        "x",
    ),
)


@cache
def ymls_of_the_example() -> tuple[Any, Any]:
    """Return a training yml and an inference.yml."""
    train = yaml.safe_load((EXAMPLE / "configs" / "tiny_db.yml").read_text())
    return train, yaml.safe_load((EXAMPLE / "inference" / "inference.yml").read_text())


def as_yml(document: Any, is_ascii: bool = True) -> bytes:
    """Return a yml of any values: JSON is YAML, and what it can't write is what YAML would."""
    return json.dumps(document, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")


def laughs(levels: int, width: int, is_merge: bool) -> bytes:
    """Return a yml whose size with all aliases written out is width ** levels."""
    lines = ["a0: &a0 {x0: lol}"]
    for level in range(1, levels):
        again = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} {{<<: [{again}]}}" if is_merge else f"a{level}: &a{level} {{x: [{again}]}}")
    return "\n".join(lines).encode()


@st.composite
def ymls(draw: Any) -> Any:
    """Draw the bytes of a training yml or an inference.yml."""
    document = draw(st.sampled_from(ymls_of_the_example()))
    what = draw(st.integers(0, 9))
    if what == 0:
        return draw(st.binary(max_size=40))
    if what <= 3:
        return "".join(draw(st.lists(st.sampled_from(_TOKENS), max_size=15))).encode()
    if what == 4:
        return draw(mangled(yaml.safe_dump(document).encode()))
    if what == 5:
        return laughs(draw(st.integers(2, 60)), draw(st.integers(1, 60)), draw(st.booleans()))
    return as_yml(draw(edited(document)), draw(st.booleans()))


# results.json


@cache
def results() -> Any:
    """Return the document of a run in which an image passed and one differs in every stage."""
    comparisons = []
    for image, candidate in (("a.png", Toy(name="inference")), ("b.png", Toy(name="inference", mean=0.6, pad=3))):
        found = compare(reference=Toy().trace(PAGE[:24, :48]), candidate=candidate.trace(PAGE[:24, :48]))
        for each in found[2 if image == "a.png" else 0 :]:
            parameter = Parameter("decode", "img_mode", "BGR", "BGR", False)
            recorded = RecordedComparison.of(replace(each, image=image), "h")
            comparisons.append(structs.replace(recorded, test="t.py::t", file="t.py", line=1, parameters=(parameter,)))
    missed = [NotCompared("t", None, "skipped", "")]
    document = json.loads(as_text(records.results(comparisons, missed, version=1, verdict="passed", exit_status=0)))
    for comparison in document["comparisons"]:  # version 1 had none
        comparison["boxes"] = [{k: v for k, v in box.items() if k != "score_error"} for box in comparison["boxes"]]
    return document


WORDS = (
    "fp16",
    "int8",
    "exact",
    "probability_maps.atol=1",
    "detections.max_shift=0",
    "detections.max_unmatched=1",
    "detections.min_iou=0.5",
)


@st.composite
def judged_results(draw: Any) -> tuple[bytes, list[str]]:
    """Draw the bytes of a results.json, and the limits under which it is to be judged."""
    words = [f"--tolerance={word}" for word in draw(st.lists(st.sampled_from(WORDS), max_size=2))]
    what = draw(st.integers(0, 9))
    if what == 0:
        return draw(
            st.one_of(
                st.binary(max_size=40), st.just(b"[" * 100_000), st.just(b'{"schema_version": ' + b"9" * 5000 + b"}")
            )
        ), words
    document = copy.deepcopy(results())
    if what > 5:  # what the schema leaves open
        comparison = draw(st.sampled_from(document["comparisons"]))
        part = draw(st.sampled_from(("counts", "limits", "measures", "measures", "boxes", "differences")))
        comparison[part] = draw(edited(comparison[part] or [0], 2))
    elif what > 1:
        document = draw(edited(document))
    text = json.dumps(document).encode("utf-8", "surrogatepass")
    return (draw(mangled(text)) if what == 1 else text), words


def fixed() -> Any:
    """Return the document of a run that proved a fix of each group, of an export that lies at the root."""
    changes = (
        Change("inference.yml", {"mean": [0.4, 0.456, 0.406]}, "NormalizeImage"),
        Change("inference.options", {"limit_side_len": 736}),
        Change("train.config", {"resize_long": 960}, "DetResizeForTest"),
    )
    diagnoses = [
        Diagnosis(stage="tensor", cause=cause, summary="s", evidence=("e",), fix=Fix("f", (change,)))
        for cause, change in zip(("normalize.mean_std", "resize.limits", "resize.resize_long"), changes, strict=True)
    ]
    compared = records.comparison(
        "preprocessing", status="different", outcome="failed", diagnoses=tuple(diagnoses), rerun="pytest t.py::t"
    )
    score = Fix("f", (Change("page.options", {"text_rec_score_thresh": 0.5}),))
    left_out = Diagnosis(stage="page", cause="pipeline.score_thresh", summary="s", evidence=("e",), fix=score)
    of_page = structs.replace(compared, candidate="page", diagnoses=(left_out,))
    made = records.results([compared, of_page])
    files = {"inference.yml": text_file_digest(EXAMPLE / "inference" / "inference.yml")}
    candidates = {"inference": CandidateRecord({"model_dir": "/"}, {}, files)}
    settings = structs.replace(made.settings, candidates=candidates, page={"options": {"device": "cpu"}})
    return json.loads(as_text(structs.replace(made, settings=settings)))


@st.composite
def fixed_results(draw: Any) -> bytes:
    """Draw the bytes of a results.json whose fixes no run may have written."""
    document = fixed()
    if draw(st.booleans()):
        document = draw(edited(document))
    diagnosis = draw(st.sampled_from(document["comparisons"][0]["diagnoses"])) if _has_diagnoses(document) else {}
    fix = diagnosis.get("fix") if isinstance(diagnosis, dict) else None
    if isinstance(fix, dict) and isinstance(fix.get("changes"), list) and fix["changes"]:
        fix["changes"][0] = draw(edited(fix["changes"][0], 2))
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _has_diagnoses(document: Any) -> bool:
    with suppress(KeyError, IndexError, TypeError):
        return bool(document["comparisons"][0]["diagnoses"]) and isinstance(
            document["comparisons"][0]["diagnoses"], list
        )
    return False


# Results of others


POLYGON = [[1, 2], [11, 2], [11, 8.5], [1, 8]]
RESULT: dict[str, Any] = {
    "input_path": "a.png",
    "dt_polys": [POLYGON, POLYGON],
    "dt_scores": [0.5, None],
    "image_sha256": None,
    "model_settings": {"use_doc_preprocessor": True},
    "doc_preprocessor_res": {"model_settings": {"use_doc_unwarping": False}, "angle": 0},
    "text_det_params": {"limit_side_len": 64, "limit_type": "min", "thresh": 0.3},
}
ANSWER: dict[str, Any] = {
    "errorCode": 0,
    "errorMsg": "Success",
    "result": {"ocrResults": [{"prunedResult": RESULT}], "dataInfo": {"width": 4, "height": 3}},
}
TRACE: dict[str, Any] = {
    "format": "pytest-ocrparity trace",
    "version": 1,
    "pipeline": "port",
    "image": "page.png",
    "image_sha256": None,
    "shape": [24.0, 48.0, 1.0, 1.0],
    "decode": {"shape": [24, 48, 3], "dtype": "uint8", "channel_order": "BGR", "sha256": "0"},
    "parameters": {"detections": {"thresh": 0.3, "box_type": "quad"}, "tensor": {"mean": [0.5] * 3, "std": [0.5] * 3}},
    "dt_polys": [POLYGON],
    "dt_scores": [0.5],
    "error": None,
    "map_error": 0.0,
    "arrays": {},
}


def _as_bytes(document: Any) -> bytes:
    try:
        return json.dumps(document).encode()
    except (ValueError, RecursionError):
        return repr(document).encode(errors="replace")


def json_of(*documents: Any) -> st.SearchStrategy[bytes]:
    """Draw the bytes of one of these documents with something wrong in it."""
    right = [_as_bytes(each) for each in documents]
    strategies = [mangled(data) for data in right] + [edited(each).map(_as_bytes) for each in documents]
    return st.one_of(*strategies, st.sampled_from(right), st.binary(max_size=40))


# History


RUN: dict[str, Any] = msgspec.to_builtins(
    HistoryEntry(
        finished="2026-01-01",
        verdict="passed",
        images=2,
        differing=0,
        accuracy=(
            RunAccuracy(
                task="detection",
                reference="train",
                candidate="inference",
                figure="hmean",
                images=2,
                reference_value=0.9,
                candidate_value=0.8,
                low=-0.2,
                high=0.0,
                verdict="undecided",
            ),
        ),
    )
)


# Labels


LABEL: list[dict[str, Any]] = [
    {"transcription": "text", "points": POLYGON},
    {"transcription": "###", "points": POLYGON[:3], "difficult": False},
]


@st.composite
def label_files(draw: Any) -> Any:
    """Draw the bytes of a label file of a few images, of which a.png is there."""
    lines = []
    for name in ("a.png", "b.png", "c.png"):
        if draw(st.integers(0, 3)) == 0:
            name = json.dumps(draw(st.lists(names, max_size=2)))
        label = _as_bytes(draw(edited(LABEL, 1))) if draw(st.integers(0, 3)) == 0 else _as_bytes(LABEL)
        lines.append(name.encode() + b"\t" + label)
    data = b"\n".join(lines)
    return draw(mangled(data)) if draw(st.integers(0, 3)) == 0 else data


# Dictionaries and pipelines


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"


def dictionaries() -> st.SearchStrategy[bytes]:
    """Draw the bytes of a recogniser's dictionary, a character a line."""
    odd = st.sampled_from((POINTER, b"", b"\xff", b"\xef\xbb\xbfa\nb\n", b"a\r\nb\r", b"\xed\xa0\xbd\n", b"\0\n"))
    lines = st.lists(st.text(max_size=3), max_size=50).map(
        lambda each: "\n".join(each).encode("utf-8", "surrogatepass")
    )
    return st.one_of(odd, lines, mangled(b"a\nb\n\xc3\xa9\n"), st.binary(max_size=40))


_SWITCHED: Any = {"use_doc_orientation_classify": True, "use_doc_unwarping": True}
PIPELINE: Any = {
    "pipeline_name": "OCR",
    "text_type": "general",
    "use_doc_preprocessor": True,
    "use_textline_orientation": True,
    "SubPipelines": {
        "DocPreprocessor": {
            **_SWITCHED,
            "SubModules": {
                "DocOrientationClassify": {"model_name": "PP-LCNet_x1_0_doc_ori", "model_dir": None},
                "DocUnwarping": {"model_name": "UVDoc", "model_dir": None},
            },
        }
    },
    "SubModules": {
        "TextDetection": {
            "model_name": "PP-OCRv5_server_det",
            "limit_side_len": 64,
            "thresh": 0.3,
            "unclip_ratio": 1.5,
        },
        "TextLineOrientation": {"model_name": "PP-LCNet_x1_0_textline_ori", "model_dir": None},
    },
}
OCR_OPTIONS: Any = {**_SWITCHED, "text_det_thresh": 0.3, "textline_orientation_model_dir": "models"}


def pipelines() -> st.SearchStrategy[tuple[bytes, bytes]]:
    """Draw the bytes of a pipeline's YAML file and of a JSON file of options of `PaddleOCR`."""
    return st.tuples(json_of(PIPELINE), json_of(OCR_OPTIONS))
