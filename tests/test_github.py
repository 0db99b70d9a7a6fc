"""What GitHub Actions is told: only there or when forced, in its own syntax, and no more than it shows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from conftest import wrong_export
from msgspec.structs import replace
from records import comparison, results

from pytest_ocrparity.diagnosis import Diagnosis, Fix
from pytest_ocrparity.report.github import error_commands
from pytest_ocrparity.report.markdown import MOST, summary
from pytest_ocrparity.report.views import View

NO_XDIST = ("-p", "no:xdist")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)


def parsed(line: str) -> tuple[dict[str, str], str]:
    """Read a workflow command as actions/runner does: properties up to `::`, then the message."""
    found = re.fullmatch(r"::error (?P<properties>[^\r\n]*?)::(?P<message>[^\r\n]*)", line)
    assert found is not None
    properties = dict(each.split("=", 1) for each in found["properties"].split(","))
    plain = {"%25": "%", "%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","}

    def unescaped(text: str) -> str:
        return re.sub("%25|%0D|%0A|%3A|%2C", lambda match: plain[match[0]], text)

    return {name: unescaped(value) for name, value in properties.items()}, unescaped(found["message"])


def commands(result: pytest.RunResult) -> list[tuple[dict[str, str], str]]:
    return [parsed(line) for line in result.outlines if line.startswith("::")]


def test_elsewhere_nothing_is_said(project: pytest.Pytester) -> None:
    wrong_export(project, pad=4)
    assert commands(project.runpytest(*NO_XDIST, "-k", "training")) == []


@pytest.mark.parametrize("workers", [NO_XDIST, ("-n", "2")])
def test_there_each_cause_is_an_annotation_at_its_test(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    wrong_export(project, pad=4)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path.parent))
    ((properties, message),) = commands(project.runpytest_subprocess(*workers, "-k", "training"))
    assert properties == {
        "title": "inference against train: unknown",
        "file": f"{project.path.name}/test_export.py",
        "line": "3",
    }
    assert message.endswith("(and on 1 more image)")
    assert "detections: the same map gives other boxes" in message
    assert "## OCR parity: failed" in (project.path / "summary.md").read_text()
    assert not (project.path / "report").exists()


@pytest.mark.parametrize("how", ["option", "setting"])
def test_it_can_be_forced(project: pytest.Pytester, how: str) -> None:
    wrong_export(project, pad=4)
    args = ["--ocr-github=on"] if how == "option" else []
    if how == "setting":
        with (project.path / "pyproject.toml").open("a") as file:
            file.write('\n[tool.ocrparity.report]\ngithub = "on"\n')
    assert len(commands(project.runpytest(*NO_XDIST, "-k", "training", *args))) == 1


def test_and_switched_off_there(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_export(project, pad=4)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert commands(project.runpytest(*NO_XDIST, "-k", "training", "--ocr-github=off")) == []


def test_faults_of_the_run_and_what_was_not_compared_are_told(project: pytest.Pytester) -> None:
    project.makepyfile(test_export="def test_nothing(ocr_inference_model, ocr_image): pass")
    found = commands(project.runpytest(*NO_XDIST, "--ocr-github=on"))
    assert [message for _, message in found] == [
        "nothing was compared: tests used ocrparity's fixtures, and none reached an assertion (one in a process that "
        "the test started does not count: return the boxes or traces from there, and assert in the test)",
        "images/one_word.npy: not compared: the test passed and called no assertion of ocrparity in its own process",
        "images/three_words.npy: not compared: the test passed and called no assertion of ocrparity in its own process",
    ]


def test_a_skipped_test_is_no_fault(project: pytest.Pytester) -> None:
    project.runpytest(*NO_XDIST, "--ocr-golden")
    result = project.runpytest(*NO_XDIST, "--ocr-no-train", "--ocr-github=on")
    result.assert_outcomes(passed=2, skipped=2)
    assert commands(result) == []


def test_a_summary_that_cannot_be_written_fails_the_run(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path))
    result = project.runpytest(*NO_XDIST, "-k", "training", "--ocr-github=on")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED GITHUB_STEP_SUMMARY=*: cannot write there: Is a directory"])


def document(count: int, **diagnosis: Any) -> View:
    """Return the results of a run in which each image differs for a cause of its own."""
    usual: dict[str, Any] = {"stage": "tensor", "summary": "x", **diagnosis}
    comparisons = [
        comparison(
            "preprocessing",
            image=f"images/{index}.png",
            candidate=f"candidate {index}",
            status="different",
            stage="tensor",
            headline="x",
            file="t.py",
            line=1,
            outcome="failed",
            diagnoses=(Diagnosis(cause=f"cause.{index}", **usual),),
        )
        for index in range(count)
    ]
    return View.of(results(comparisons))


def test_no_more_annotations_than_github_shows() -> None:
    assert len(error_commands(document(10))) == 10
    many = error_commands(document(25))
    assert len(many) == 10
    assert parsed(many[-1])[1] == "and 16 more: see the report"


def test_the_summary_fits_a_comment_and_counts_what_it_leaves_out() -> None:
    text = summary(document(500))
    assert len(text) <= MOST
    assert "and 459 more" in text
    long = summary(document(500, summary="y" * 5000))
    assert len(long) <= MOST
    assert "and 499 more" in long
    assert len(summary(document(1, summary="y" * 90_000))) == MOST


def test_a_cause_of_one_image_counts_no_others() -> None:
    ((_, message),) = map(parsed, error_commands(document(1, fix=Fix("turn it"))))
    assert message == "images/0.png: tensor: x\nfix: turn it"


def test_what_a_test_marked_xfail_shows_is_no_error() -> None:
    whole = document(3)
    found = [
        replace(each, outcome="skipped" if index else "failed") for index, each in enumerate(whole.results.comparisons)
    ]
    view = View.of(results(found))
    assert len(view.causes) == 3
    assert len(error_commands(view)) == len(view.errors) == 1
