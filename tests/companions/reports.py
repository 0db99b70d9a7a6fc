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
from projects import wrong_export

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
        properties = {name: value for each in test["user_properties"] for name, value in each.items()}
        text = test["call"].get("crash", {}).get("message", "")
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
    result = project.runpytest_subprocess("-n", "2", "-p", "no:randomly", "-k", "training", *WRITE, *args, timeout=120)
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
