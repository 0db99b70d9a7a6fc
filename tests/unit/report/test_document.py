"""The records: they travel whole, keep their schema, are read as they were written; nothing else is taken for them."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
from hostile import inputs
from labelled import accuracy_record, image_counts
from msgspec.structs import replace
from records import comparison, results
from toy import PAGE, Toy

from pytest_ocrparity import ReportError
from pytest_ocrparity.compare import compare
from pytest_ocrparity.comparison import BoxFinding, Measure, TextFinding
from pytest_ocrparity.diagnosis import Change, Diagnosis, Fix
from pytest_ocrparity.report.document import (
    Batched,
    BatchLimit,
    Caught,
    Compared,
    Counted,
    Evaluated,
    Failed,
    LabelFault,
    NotCompared,
    Picture,
    Record,
    RecordedComparison,
    document_record,
    non_finite_in_document,
    pack_document_part,
    read_report_document,
    unpack_document_records,
)
from pytest_ocrparity.report.document_text import as_text
from pytest_ocrparity.report.schema import SCHEMA
from pytest_ocrparity.tolerance import Limit

DIAGNOSIS = Diagnosis(stage="resize", cause="resize.limits", summary="x", fix=Fix("do", (Change("export", {"b": 1}),)))
RICH = comparison(
    status="different",
    stage="detections",
    limits={"detections.max_shift": Limit(1.0, "built-in"), "probability_maps.atol": Limit("auto", "built-in")},
    measures=(Measure("shift", math.inf, 1.0, "x", (1.0, 2.0)), Measure("detections.min_iou", math.nan, smallest=True)),
    boxes=(BoxFinding("moved", (math.nan, math.nan), 0, 1, 0.5, 3.0, -math.inf, None, True),),
    counts={"boxes": 2},
    diagnoses=(DIAGNOSIS,),
    pictures=(Picture("detections", "both", "two", "pictures/a/detections-both-0123456789.svg", (0.0, 1.0)),),
)
LEFT: tuple[Record, ...] = (
    document_record("used", fixture="ocr_image"),
    document_record("loads", side="train"),
    document_record("asked", path="a\udcff.npz"),
    document_record("golden", image="a", path="b", reference="train", recorded=True, drift=""),
    Compared(comparison=RICH, has_same_files=True),
    Failed(
        image="a", reference="b", candidate="c", kind="d", message="e", diagnoses=(DIAGNOSIS,), others=(comparison(),)
    ),
    Caught(messages=("one",), is_expected=True),
    Batched(side="a", image="b", asked=4, size=2, is_same=False, text="c", cause="d", largest=math.nan, limit=1e-4),
    BatchLimit(side="a", text="b"),
    Counted(
        task="detection",
        reference="a",
        candidate="b",
        image="c",
        limit=Limit(0.01, "built-in"),
        counts=image_counts("c", 3, 3, 1),
    ),
    LabelFault(task="detection", text="a"),
    Evaluated(accuracy=accuracy_record([image_counts("c", 3, 3, 1)])),
)


def test_every_record_travels_as_it_is() -> None:
    assert {type(each) for each in LEFT} == set(Record.__args__)
    travelled = unpack_document_records(pack_document_part(LEFT))
    assert repr(travelled) == repr(list(LEFT))  # NaN equals nothing
    found = travelled[4]
    assert isinstance(found, Compared)
    assert math.isinf(found.comparison.measures[0].value) and math.isnan(found.comparison.measures[1].value)


@pytest.mark.parametrize(
    "value", [10**100, "\ud83d", math.nan, np.float32(0.5), np.arange(3), (1, (2,)), {1: Path("/a")}]
)
def test_any_parameter_of_a_user_travels(value: Any) -> None:
    (found, *_) = compare(reference=Toy().trace(PAGE), candidate=Toy(name="port").trace(PAGE))
    parameters = [{"stage": "resize", "name": "x", "reference": value, "candidate": None, "differs": True}]
    recorded = RecordedComparison.of(found, "headline", parameters)
    (travelled,) = unpack_document_records(pack_document_part([Compared(comparison=recorded)]))
    assert isinstance(travelled, Compared)
    assert repr(travelled.comparison) == repr(recorded)


def test_a_record_of_no_sort_or_with_other_values_is_none() -> None:
    for what, values in (("no such", {}), ("loads", {}), ("loads", {"side": 3})):
        with pytest.raises(msgspec.ValidationError, match=r"\$\.what|`\$\.side`|`side`"):
            document_record(what, **values)


# Writing and reading


def written(folder: Path, document: Any) -> Path:
    path = folder / "results.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def document() -> dict[str, Any]:
    missed = [NotCompared("t", None, "skipped", "")]
    found: dict[str, Any] = json.loads(
        as_text(results([RICH, comparison("preprocessing")], missed, tests={"passed": 1}))
    )
    return found


def test_what_is_written_is_read_the_same(tmp_path: Path) -> None:
    whole = results([RICH])
    found = read_report_document(written(tmp_path, as_text(whole)))
    assert repr(found) == repr(whole)
    assert as_text(found) == as_text(whole)
    assert [each["value"] for each in json.loads(as_text(whole))["comparisons"][0]["measures"]] == ["Infinity", "NaN"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_document_is_written_whole_and_its_comparisons_on_a_line_each(count: int) -> None:
    message = 'a line\n "comparisons": [] in a message'
    whole = results([replace(RICH, message=message, headline=message)] * count)
    plain = non_finite_in_document(msgspec.to_builtins(whole))
    for each in plain["comparisons"]:
        del each["task"], each["texts"]  # which only a recogniser's comparison is written with
        del each["lines"], each["of_detectors"]  # which only a page's is
    del plain["settings"]["recognition"]
    text = as_text(whole)
    assert json.loads(text) == plain
    lines = [line.strip().removesuffix(",") for line in text.splitlines() if line.startswith('  {"test"')]
    assert [json.loads(line) for line in lines] == plain["comparisons"]
    rest = json.dumps({**plain, "comparisons": []}, indent=1) + "\n"
    assert [line for line in text.splitlines() if line.strip().removesuffix(",") not in lines][
        -5:
    ] == rest.splitlines()[-5:]


@pytest.mark.parametrize("images", [1, 3])
def test_an_accuracy_is_written_as_json_writes_it_whole(images: int) -> None:
    text = 'a\n "counts": []\n "accuracy": []'
    made = accuracy_record([image_counts(f"{text}{index}", 3, 3, index) for index in range(images)], cause=text)
    whole = replace(results(), accuracy=(made, made)[: images - 1] or (made,))
    plain = non_finite_in_document(msgspec.to_builtins(whole))
    del plain["settings"]["recognition"]
    assert as_text(whole) == json.dumps(plain, indent=1) + "\n"


def validator() -> Any:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def test_documents_of_both_versions_keep_the_schema(tmp_path: Path) -> None:
    for each in (document(), inputs.results()):
        validator().validate(each)
        assert read_report_document(written(tmp_path, each)).schema_version == each["schema_version"]
    assert inputs.results()["schema_version"] == 1


def test_a_comparison_has_the_keys_that_version_2_has() -> None:
    assert list(document()["comparisons"][0]) == [
        *("test", "file", "line", "outcome", "image", "reference", "candidate", "kind", "status", "stage", "limits"),
        *("measures", "differences", "judged", "boxes", "counts", "parameters", "pictures", "picture_error"),
        *("headline", "message", "diagnoses", "rerun"),
    ]


def test_keys_and_words_of_newer_versions_are_passed_over(tmp_path: Path) -> None:
    newer = document()
    newer["comparisons"][0] |= {"status": "a new status", "kind": "recognition", "outcome": "new", "new key": [1]}
    newer["run"] |= {"verdict": "undecided", "new": {}}
    validator().validate(newer)
    found = read_report_document(written(tmp_path, newer))
    assert (found.comparisons[0].status, found.run.verdict) == ("a new status", "undecided")


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the place of each key of a document, with the inside of one list item each."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    return [found for key, each in inner for found in ((*place, key), *places(each, (*place, key)))]


def at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


OPEN = {"tests", "environment", "limits", "counts", "train", "golden", "tolerance", "candidates", "values"}
"""Keys below which any key may be missing."""
NEWER = {"score_error", "tried", "rivals", "batches", "accuracy", "label_faults"}
NEWER |= {"partial", "rerun", "files", "scale_limit", "values_file", "layer", "model", "page", "steps"}


def test_a_document_that_lacks_a_key_is_none(tmp_path: Path) -> None:
    whole = document()
    keys = [each for each in places(whole) if isinstance(each[-1], str) and not OPEN & set(each[:-1])]
    assert len(keys) > 60
    for place in keys:
        less = copy.deepcopy(whole)
        del at(less, place[:-1])[place[-1]]
        assert validator().is_valid(less) == (place[-1] in NEWER), place
        if place[-1] in NEWER:
            read_report_document(written(tmp_path, less))
            continue
        with pytest.raises(ReportError, match=rf"no results\.json of pytest-ocrparity: .*`{place[-1]}`"):
            read_report_document(written(tmp_path, less))


WRONG: tuple[tuple[str, Callable[[dict[str, Any]], Any], Any], ...] = (
    ("$.comparisons[0].measures[0].value", lambda each: each["comparisons"][0]["measures"][0], "1"),
    ("$.comparisons[0].measures[0].value", lambda each: each["comparisons"][0]["measures"][0], "inf"),
    ("$.comparisons[0].measures[0].value", lambda each: each["comparisons"][0]["measures"][0], True),
    ("$.comparisons[0].measures[0].limit", lambda each: each["comparisons"][0]["measures"][0], "null"),
    ("$.comparisons[0].measures[0].decides", lambda each: each["comparisons"][0]["measures"][0], "false"),
    ("$.comparisons[0].measures[0].decides", lambda each: each["comparisons"][0]["measures"][0], 0),
    ("$.comparisons[0].boxes[0].reference", lambda each: each["comparisons"][0]["boxes"][0], "0"),
    ("$.run.exit_status", lambda each: each["run"], "1"),
    ("$.settings.allow_empty", lambda each: each["settings"], "true"),
)


@pytest.mark.parametrize(("place", "part", "value"), WRONG)
def test_a_text_is_taken_for_no_number_but_the_three_that_json_lacks(
    tmp_path: Path, place: str, part: Callable[[dict[str, Any]], Any], value: Any
) -> None:
    """msgspec reads those three only in its lax mode, which takes other texts for numbers as well."""
    wrong = document()
    part(wrong)[place.rpartition(".")[2]] = value
    assert not validator().is_valid(wrong)
    with pytest.raises(ReportError) as error:
        read_report_document(written(tmp_path, wrong))
    assert place in str(error.value)


def test_whole_numbers_are_numbers(tmp_path: Path) -> None:
    other = document()
    for value in (3, 2**63, 10**100):
        other["comparisons"][0]["measures"][0]["value"] = value
        assert read_report_document(written(tmp_path, other)).comparisons[0].measures[0].value == float(value)


def test_a_thumbnail_is_named_after_its_picture() -> None:
    def thumb(side: str, file: str) -> str:
        return Picture("tensor", side, "", file).thumb

    assert thumb("reference", "a.b/tensor.jpg") == "a.b/tensor.small.jpg"
    assert thumb("candidate", "map.png") == "map.small.jpg"
    assert thumb("difference", "map.png") == "map.small.png"
    assert thumb("both", "boxes.svg") == "boxes.small.svg"


class TestReading:
    def test_a_file_that_is_missing_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ReportError, match=r"a\.json: cannot read these results: No such file"):
            read_report_document(tmp_path / "a.json")

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("{", "is no JSON"),
            ("[" * 100_000, "is no JSON"),
            ("[]", r"is no results\.json of pytest-ocrparity: Expected `object`, got `array`"),
            ('{"schema_version": 3}', "has schema_version 3; this version of pytest-ocrparity reads up to 2"),
            (
                '{"schema_version": 1}',
                "Object missing required field `run`",
            ),
            ('{"schema_version": ' + "9" * 301 + "}", "is no JSON: a number of 301 digits"),
        ],
    )
    def test_another_file_is_told_apart(self, tmp_path: Path, text: str, told: str) -> None:
        path = tmp_path / "a.json"
        path.write_text(text)
        with pytest.raises(ReportError, match=told):
            read_report_document(path)

    def test_what_json_reads_and_nothing_can_print_is_told_apart(self, tmp_path: Path) -> None:
        for depth in range(600, 1000, 4):  # how deep is too deep depends on who calls
            (tmp_path / "a.json").write_text('{"run": ' + "[" * depth + "]" * depth + "}")
            with pytest.raises(ReportError, match=r"a\.json is no"):
                read_report_document(tmp_path / "a.json")


def test_a_document_of_recognisers_comes_back_with_its_texts(tmp_path: Path) -> None:
    texts = TextFinding(" a\u2028\udcff", "", 4, is_borderline=True)
    made = comparison("text", task="recognition", texts=texts)
    text = as_text(results([made, comparison()]))
    document = json.loads(text)
    validator().validate(document)
    assert [each.get("task") for each in document["comparisons"]] == ["recognition", None]
    (tmp_path / "results.json").write_text(text)
    found = read_report_document(tmp_path / "results.json").comparisons
    assert found[0] == made and found[0].texts == texts
    assert (found[1].task, found[1].texts) == ("detection", None)


def test_the_accuracy_of_a_run_comes_back_with_its_counts(tmp_path: Path) -> None:
    images = [image_counts("a.png", 3, 3, 1), image_counts("b.png", 0, 0, 0, is_blank=True)]
    made = accuracy_record(images, cause="resize.limits, x", not_counted={"missing": 2})
    text = as_text(replace(results([RICH]), accuracy=(made,)))
    validator().validate(json.loads(text))
    assert read_report_document(written(tmp_path, text)).accuracy == (made,)
    (first, _) = json.loads(text)["accuracy"][0]["counts"]
    assert first["changes"][0] == {"kind": "lost", "index": 1, "text": "word 1", "at": [1.0, 7.0], "read": None}
    less = json.loads(text)
    del less["accuracy"][0]["counts"][0]["candidate"]["found"]
    assert not validator().is_valid(less)
    with pytest.raises(ReportError, match="missing required field `found`"):
        read_report_document(written(tmp_path, less))
