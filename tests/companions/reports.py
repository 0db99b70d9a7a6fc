"""What other reporters write of our tests: allure, json-report, html and JUnit, from one run each, right and wrong.

A run holds one test an image. In the wrong one, the export misses two boxes of one image.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, NamedTuple

import pytest
from projects import PATIENCE, wrong_export

WRITE = (
    "--junitxml=junit.xml",
    "--json-report",
    "--json-report-file=tests.json",
    "--html=tests.html",
    "--alluredir=all",
)
METRIC = re.compile(r"ocr\.(preprocessing|probability_maps|detections|stage|cause|tensor|map)[a-z_.]*")
LABELS = {"suite", "host", "thread", "framework", "language", "package"}
WRONG = "images/three_words.npy"


class Told(NamedTuple):
    """What a reporter tells of one test."""

    name: str
    outcome: str
    text: str
    properties: dict[str, Any]


class Blobs(HTMLParser):
    """Finds the data in pytest-html's page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Any] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [json.loads(value) for name, value in attrs if name == "data-jsonblob" and value]


def by_junit(project: pytest.Pytester) -> Iterator[Told]:
    for case in ET.parse(project.path / "junit.xml").iter("testcase"):
        failures = [each.text or "" for each in case.iter("failure")]
        properties = {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
        yield Told(case.attrib["name"], "failed" if failures else "passed", "".join(failures), properties)


def by_json_report(project: pytest.Pytester) -> Iterator[Told]:
    for test in json.loads((project.path / "tests.json").read_text())["tests"]:
        properties = {name: value for each in test.get("user_properties", ()) for name, value in each.items()}
        text = test["call"].get("crash", {}).get("message", "") or test["call"].get("longrepr", "")
        yield Told(test["nodeid"], test["outcome"], text, properties)
        assert set(test) <= {"nodeid", "lineno", "outcome", "keywords", "setup", "call", "teardown", "user_properties"}


def by_html(project: pytest.Pytester) -> Iterator[Told]:
    page = Blobs()
    page.feed((project.path / "tests.html").read_text())
    (data,) = page.found
    for (test,) in data["tests"].values():
        yield Told(test["testId"], test["result"].lower(), test["log"], {})


def by_allure(project: pytest.Pytester) -> Iterator[Told]:
    for path in (project.path / "all").glob("*-result.json"):
        test = json.loads(path.read_text())
        assert {each["name"] for each in test.get("parameters", ())} <= {"_ocr_image"}
        assert {each["name"] for each in test["labels"]} <= LABELS
        yield Told(test["name"], test["status"], test.get("statusDetails", {}).get("message", ""), {})


REPORTERS = {"junit": by_junit, "json-report": by_json_report, "html": by_html, "allure": by_allure}


def reported(project: pytest.Pytester, *args: str) -> dict[str, list[Told]]:
    """Run the project once and return what each reporter tells."""
    result = project.runpytest_subprocess(
        "-n", "2", "-p", "no:randomly", "-k", "training", *WRITE, *args, timeout=PATIENCE
    )
    assert "INTERNALERROR" not in result.stdout.str()
    for path in (*project.path.glob("tests.*"), project.path / "junit.xml", *(project.path / "all").iterdir()):
        assert "ocrparity_records" not in path.read_text()  # the attribute in which records travel
    return {name: list(read(project)) for name, read in REPORTERS.items()}


def test_a_right_export_is_reported_as_such(project: pytest.Pytester) -> None:
    for name, tests in reported(project).items():
        assert [test.outcome for test in tests] == ["passed", "passed"], name
        for test in tests:
            assert not any(value == "different" for value in test.properties.values()), name


def test_a_wrong_one_is_reported_once_with_its_message_and_its_metrics(project: pytest.Pytester) -> None:
    wrong_export(project, box_thresh=0.999)
    for name, tests in reported(project).items():
        assert sorted(test.outcome for test in tests) == ["failed", "passed"], name
        (failed,) = (test for test in tests if test.outcome == "failed")
        assert WRONG in failed.name, name
        assert f"DifferenceError: {WRONG}: " in failed.text and "2 missing" in failed.text, (name, failed.text)
        for test in tests:
            assert all(METRIC.fullmatch(key) for key in test.properties), (name, test.properties)
            assert all(isinstance(value, str | int | float) for value in test.properties.values()), name
        if name in ("junit", "json-report"):
            assert failed.properties["ocr.detections.status"] == "different"


NOTHING = "def test_training(ocr_train_model, ocr_inference_model, ocr_image): pass\n"
CAUGHT = """
import contextlib
from pytest_ocrparity import *

def test_training(ocr_train_model, ocr_inference_model, ocr_image):
    with contextlib.suppress(DifferenceError):
        assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image), min_iou=1)
    assert_same_probability_maps(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""
ID = re.compile(r"(ocrparity::)?(compared|caught)(::call)?")


@pytest.mark.parametrize(
    ("code", "name", "text"),
    [(NOTHING, "compared", "nothing was compared: "), (CAUGHT, "caught", " caught a difference and did not fail: ")],
    ids=["compared", "caught"],
)
def test_a_fault_of_the_run_is_a_failed_test_of_each_that_hears_of_reports(
    project: pytest.Pytester, code: str, name: str, text: str
) -> None:
    """allure records items alone, and a fault has none."""
    project.makepyfile(test_export=code)
    wrong_export(project, box_thresh=0.999)
    found = reported(project)
    assert [test.outcome for test in found.pop("allure")] == ["passed", "passed"]
    for reporter, tests in found.items():
        (fault,) = (test for test in tests if ID.fullmatch(test.name))
        assert (fault.outcome, fault.properties) == ("failed", {}), reporter
        assert ID.fullmatch(fault.name)[2] == name, reporter  # type: ignore[index]
        assert text in fault.text, (reporter, fault.text)
        assert sorted(test.outcome for test in tests) == ["failed", "passed", "passed"], reporter


def test_the_fault_is_at_the_same_place_in_each(project: pytest.Pytester) -> None:
    project.makepyfile(test_export=NOTHING)
    reported(project)
    cases = {case.attrib["name"]: case.attrib for case in ET.parse(project.path / "junit.xml").iter("testcase")}
    assert cases["compared"]["classname"] == "ocrparity"
    (fault,) = (
        each
        for each in json.loads((project.path / "tests.json").read_text())["tests"]
        if each["nodeid"] == "ocrparity::compared"
    )
    assert [fault[phase]["outcome"] for phase in ("setup", "call", "teardown")] == ["passed", "failed", "passed"]
