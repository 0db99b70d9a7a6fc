"""`--ocr-history=FILE`: a line per run, and a plot of them in the report."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from labelled import FORGETS, LOOSE, add, lines, write_project
from projects import run
from reports import Page

HISTORY = "--ocr-history=history.jsonl"


def entries(project: pytest.Pytester) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project.path / "history.jsonl").read_text().splitlines()]


def test_each_run_appends_a_line_and_the_report_draws_them(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(project, [3] * 12)
    monkeypatch.setenv("GITHUB_SHA", "a" * 40)
    first = run(project, *LOOSE, HISTORY, "--ocr-report=report")
    assert first.ret == 0
    assert lines(first, "history: history.jsonl, 1 run")
    assert "Accuracy over runs" not in Page((project.path / "report" / "index.html").read_text()).text
    monkeypatch.delenv("GITHUB_SHA")
    add(project, FORGETS)
    second = run(project, *LOOSE, HISTORY, "--ocr-report=report")
    assert second.ret == 1
    assert lines(second, "history: history.jsonl, 2 runs")
    page = Page((project.path / "report" / "index.html").read_text())
    assert "hmean of inference and train over 2 runs" in page.text
    one, two = entries(project)
    assert (one["commit"], one["verdict"], two["commit"], two["verdict"]) == ("a" * 40, "passed", "", "failed")
    assert (one["images"], one["differing"]) == (12, 0)
    for entry, value in ((one, 1.0), (two, 0.8)):
        (accuracy,) = entry["accuracy"]
        assert (accuracy["figure"], accuracy["reference_value"], accuracy["candidate_value"]) == ("hmean", 1.0, value)


def test_without_the_option_nothing_is_written(project: pytest.Pytester) -> None:
    run(project, "-k", "training")
    assert not list(project.path.glob("*.jsonl"))


def test_a_run_without_labels_or_report_has_its_line_too(project: pytest.Pytester) -> None:
    result = run(project, "-k", "training", HISTORY)
    assert result.ret == 0
    (entry,) = entries(project)
    assert (entry["images"], entry["accuracy"]) == (2, [])


def test_the_commit_is_that_of_the_project(project: pytest.Pytester) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(project.path)]
    for args in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run([*git, *args], check=True)
    done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    run(project, "-k", "training", HISTORY)
    (entry,) = entries(project)
    assert entry["commit"] == done.stdout.strip()


def test_a_file_of_something_else_stops_the_run_and_is_left_as_it_is(project: pytest.Pytester) -> None:
    (project.path / "history.jsonl").write_text("a diary\n")
    result = run(project, "-k", "training", HISTORY)
    assert result.ret == 4
    assert "history.jsonl holds no history of pytest-ocrparity: give the history a file of its own" in (
        result.stderr.str()
    )
    assert (project.path / "history.jsonl").read_text() == "a diary\n"


def test_a_line_that_a_killed_run_left_is_passed_over(project: pytest.Pytester) -> None:
    run(project, "-k", "training", HISTORY)
    path = project.path / "history.jsonl"
    path.write_bytes(path.read_bytes() + b'{"format": "pytest-oc')
    result = run(project, "-k", "training", HISTORY)
    assert result.ret == 0
    assert lines(result, "WARNING: history.jsonl has 1 broken line, passed over")
    assert lines(result, "history: history.jsonl, 2 runs")


def test_a_run_that_stops_early_appends_nothing(project: pytest.Pytester) -> None:
    project.makepyfile(test_a="def test_a():\n    assert False\n")
    result = run(project, "-x", "test_export.py", "test_a.py", "-k", "training or test_a", HISTORY)
    assert result.ret == 1
    run(project, "test_a.py", "test_export.py", "-x", HISTORY)
    assert not (project.path / "history.jsonl").exists()


def test_a_history_that_cannot_be_written_fails_the_run(project: pytest.Pytester) -> None:
    (project.path / "history.jsonl").mkdir()
    result = run(project, "-k", "training", HISTORY)
    assert result.ret == 4
    assert "history.jsonl: cannot read this history: Is a directory" in result.stderr.str()


def test_one_that_cannot_be_made_fails_the_report_as_well(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.path / "file").touch()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    for path, verdict, status in (("h.jsonl", "passed", 0), ("file/h.jsonl", "failed", 1)):
        result = run(project, "-k", "training", f"--ocr-history={path}", "--ocr-report=report", "--ocr-github=on")
        assert result.ret == status
        told = json.loads((project.path / "report" / "results.json").read_text())["run"]
        assert (told["verdict"], told["exit_status"]) == (verdict, status)
        assert ["cannot write this history" in fault for fault in told["faults"]] == [True] * status
        assert (project.path / "summary.md").read_text().rpartition("## OCR parity: ")[2].startswith(verdict)


LATE = """

def pytest_collection_finish():
    import pathlib
    pathlib.Path("report", "{name}").mkdir()
"""


@pytest.mark.parametrize("is_refused", [True, False], ids=["when its first test ends", "when it is written"])
@pytest.mark.parametrize(("name", "verdict"), [("index.html", "failed"), ("notes", "passed")])
def test_a_run_that_its_report_fails_has_not_passed(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str, verdict: str, is_refused: bool
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    with (project.path / "conftest.py").open("a") as file:
        file.write(LATE.format(name=name))
    told = [] if is_refused else ["--ocr-report=report"]  # by the option the folder is taken before any test runs
    if is_refused:
        with (project.path / "pyproject.toml").open("a") as file:
            file.write('\n[tool.ocrparity.report]\ndir = "report"\n')
    result = run(project, "-k", "training", HISTORY, "--ocr-github=on", *told)
    assert result.ret == (verdict == "failed")
    assert [entry["verdict"] for entry in entries(project)] == [verdict]
    assert f"## OCR parity: {verdict}" in (project.path / "summary.md").read_text()


def test_a_run_that_compares_nothing_appends_nothing(project: pytest.Pytester) -> None:
    project.makepyfile(test_a="def test_a():\n    pass\n")
    assert run(project, "test_a.py", HISTORY, "--ocr-report=report").ret == 0
    assert not (project.path / "history.jsonl").exists()
    run(project, "-k", "training", HISTORY, "--ocr-report=report")
    assert len(entries(project)) == 1


def test_workers_of_xdist_make_one_line(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("-n", "2", "-k", "training", HISTORY)
    assert result.ret == 0
    assert len(entries(project)) == 1
