"""The page as text: its policy is that of its own script, equal stages are a line, and what a run holds is escaped."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from records import comparison, results
from reports import Page
from sides import traces

from pytest_ocrparity.compare import Comparisons
from pytest_ocrparity.diagnosis import Diagnosis, FeatureMap, FeatureMaps, Layer, LayerStep
from pytest_ocrparity.report.document import CandidateRecord, RecognitionRecord, RecordedComparison, Results
from pytest_ocrparity.report.page import report_page
from pytest_ocrparity.report.pictures.album import Album
from pytest_ocrparity.report.views import View
from pytest_ocrparity.tolerance import BUILT_IN


def page_text(folder: Path, *found: RecordedComparison) -> str:
    document: Results = replace(results(found), environment={"pytest-ocrparity": "1"})
    return "".join(report_page(View.of(document), folder, set()))


def drawn(folder: Path, kind: str = "preprocessing", **fields: Any) -> RecordedComparison:
    sides = traces(**fields)
    compared = Comparisons(*sides, BUILT_IN).of(kind)
    pictures, error = Album(folder).pictures_of(compared, *sides)
    assert error is None
    return replace(RecordedComparison.of(compared), pictures=pictures)


def digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_only_its_own_script_and_style_may_run(tmp_path: Path) -> None:
    text = page_text(tmp_path, drawn(tmp_path))
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    policy = html.unescape(policy)
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"{tag}-src 'sha256-{digest(content)}'" in policy
        assert digest(content + " ") not in policy
    assert "unsafe" not in policy and "default-src 'none'" in policy
    assert not re.search(r"<[^>]* (on\w+|style)=", text.partition("<body>")[2].partition("<script>")[0])


@pytest.mark.parametrize(
    ("fields", "lines", "figures"), [({}, 2, 0), ({"mean": 0.6}, 1, 3), ({"img_mode": "RGB"}, 0, 6)]
)
def test_equal_stages_are_a_line(tmp_path: Path, fields: Any, lines: int, figures: int) -> None:
    text = page_text(tmp_path, drawn(tmp_path, **fields))
    assert text.count('<span class="status equal">') == lines
    assert text.count("<figure") == figures


def test_what_passes_is_a_line_with_its_amount(tmp_path: Path) -> None:
    found = [comparison(kind) for kind in ("preprocessing", "probability_maps", "detections")]
    text = page_text(tmp_path, *found)
    assert text.count('<p class="line" id="page.png/') == 3 and "<h4>" not in text
    failed = replace(found[2], status="different", stage="detections", headline="1 moved", outcome="failed")
    text = page_text(tmp_path, *found[:2], failed)
    assert text.count('<p class="line" id="page.png/') == 2 and "<h4>" in text


def test_a_failure_shows_the_command_that_was_recorded(tmp_path: Path) -> None:
    gate = "pytest --pyargs pytest_ocrparity.gate --ocr-config=a.toml"  # of whose tests no id can be typed
    failed = comparison(status="different", outcome="failed", test="::test_ocr_detections[page.png]", rerun=gate)
    assert f'run again <code data-copy="the command">{gate}</code>' in page_text(tmp_path, failed)
    assert "run again" not in page_text(tmp_path, replace(failed, outcome="passed"))  # its test expects a difference


def test_what_experiments_tried_is_shown(tmp_path: Path) -> None:
    found = Diagnosis(stage="tensor", cause="unknown", summary="?", tried=("tensor: alone, another mean",))
    failed = comparison("preprocessing", status="different", outcome="failed", diagnoses=(found,))
    assert page_text(tmp_path, failed).count("<dt>tried</dt><dd><ul><li>tensor: alone, another mean</li>") == 2
    assert "tried" not in page_text(tmp_path, replace(failed, diagnoses=()))


def test_the_settings_of_both_tasks_and_of_pages_are_shown(tmp_path: Path) -> None:
    document = replace(results([comparison()]), environment={"pytest-ocrparity": "1"})
    of_lines = RecognitionRecord(
        {"config": "rec.yml"}, {}, {"inference": CandidateRecord({"options": {"a": True}}, {})}
    )
    settings = replace(document.settings, recognition=of_lines, page={"factory": "a:b"})
    shown = {
        "recognition.train.config": "rec.yml",
        "recognition.inference.options": "{ a = true }",
        "page.factory": "a:b",
    }
    for given, is_there in ((settings, True), (document.settings, False)):
        text = "".join(report_page(View.of(replace(document, settings=given)), tmp_path, set()))
        for name, value in shown.items():
            assert (f"<th>{name}</th><td>{value}</td>" in text) == is_there


def test_what_a_run_holds_is_text(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>\"'"
    found = comparison(
        "detections", image=evil, candidate=evil, status="different", stage="detections", headline=evil, message=evil
    )
    text = page_text(tmp_path, found)
    assert text.count("<script") == 1
    page = Page(text)
    assert not page.open and evil in page.text


def test_a_difference_shows_where_its_limit_lies(tmp_path: Path) -> None:
    beyond = page_text(tmp_path, drawn(tmp_path, mean=0.6))
    assert '<i class="within"></i>' in beyond and '<i class="beyond"></i>' in beyond
    within = page_text(tmp_path, drawn(tmp_path, "probability_maps", offset=1e-6))
    assert '<i class="within"></i>' in within and '<i class="beyond"></i>' not in within


STEPS = (
    LayerStep(layer="a<b", operator="conv2d", status="same", difference=0.0, largest=3.0, movement=0.0),
    LayerStep(layer="neck", operator="add", status="begins to differ", difference=0.03, largest=3.0, movement=0.0),
    LayerStep(layer="", operator="relu", status="not found", difference=None, largest=3.0, movement=0.0),
    LayerStep(layer="", operator="sigmoid", status="differs", difference=float("inf"), largest=1.0, movement=0.0),
)


def with_layer(folder: Path, *, is_proved: bool = True, is_drawn: bool = True) -> RecordedComparison:
    layer = Layer(name="neck", operator="add", is_proved=is_proved, amounts={}, steps=STEPS)
    found = Diagnosis(stage="probability_map", cause="network.graph", summary="x", layer=layer)
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    maps = FeatureMaps(layer, "page.png", None, FeatureMap(values, values * 2, "neck (add), channel 4 of 8", 1e-4))
    pictures, error = Album(folder).feature_maps(maps, traces())
    assert error is None
    compared = drawn(folder, "probability_maps", mean=0.6)
    return replace(compared, diagnoses=(found,), pictures=(*compared.pictures, *(pictures if is_drawn else ())))


def test_where_the_network_begins_to_differ(tmp_path: Path) -> None:
    page = page_text(tmp_path, with_layer(tmp_path))
    shown = Page(page)
    assert not shown.open
    assert "Where the network begins to differ: neck (add)" in shown.text
    assert "(not proved)" not in shown.text
    assert "channel 4 of 8" in shown.text
    (section,) = re.findall(r'<section class="stage part" id="([^"]+)" data-stage="layer_output">', page)
    assert section in shown.ids
    assert page.count('data-stage="layer_input"') == 0
    for side in ("train", "inference", "difference"):
        assert f'alt="what comes out of {side}"' in page
    rows = re.findall(r"<tr[^>]*><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td>", page)
    assert rows[:4] == [
        ("a&lt;b", "conv2d", "same", "0", "0"),
        ("neck", "add", "begins to differ", "0.03", "0.01"),
        ("the network itself", "relu", "not found", "", ""),
        ("the network itself", "sigmoid", "differs", "infinite", "infinite"),
    ]
    assert re.findall(r'<rect width="([^"]+)" height="8"/>', page) == ["0.0", "75.0", "0.0", "100.0"]


@pytest.mark.parametrize("cause", ["network.graph", "unknown"])
def test_hints_stand_beside_the_proof(tmp_path: Path, cause: str) -> None:
    found = Diagnosis(stage="probability_map", cause=cause, summary="x", evidence=("shown",), noticed=("not proved",))
    compared = replace(drawn(tmp_path, "probability_maps", mean=0.6), diagnoses=(found,))
    heads = ["proof", "noticed"] if cause == "network.graph" else ["noticed"]
    shown = re.findall(r"<dt>(proof|noticed)</dt><dd><ul>(.*?)</ul></dd>", page_text(tmp_path, compared), re.DOTALL)
    assert [head for head, _ in shown] == heads
    assert "not proved" in shown[-1][1] and "shown" in shown[0][1]


@pytest.mark.parametrize(("is_proved", "is_drawn"), [(False, True), (True, False)])
def test_a_layer_is_marked_where_it_is_not_proved_and_missing_where_nothing_was_drawn(
    tmp_path: Path, is_proved: bool, is_drawn: bool
) -> None:
    text = Page(page_text(tmp_path, with_layer(tmp_path, is_proved=is_proved, is_drawn=is_drawn))).text
    assert ("Where the network begins to differ" in text) == is_drawn
    assert ("(not proved)" in text) == (not is_proved)
