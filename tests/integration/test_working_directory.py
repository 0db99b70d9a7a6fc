"""A test that changes the working directory, or removes it, changes nothing of what the run prints and writes."""

from __future__ import annotations

import json

import pytest
from projects import run, wrong_export

LEAVES = """
import os
import tempfile

def test_leaves():
    GOES
"""
GOES = {
    "stays": "pass",
    "goes": "os.chdir('/')",
    "gone": "with tempfile.TemporaryDirectory() as folder:\n        os.chdir(folder)",
}


@pytest.mark.parametrize("goes", list(GOES))
def test_paths_start_where_the_run_was_started(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, goes: str
) -> None:
    monkeypatch.chdir(project.path)  # and back
    project.makepyfile(test_a=LEAVES.replace("GOES", GOES[goes]))
    wrong_export(project, pad=6)
    result = run(project, "--ocr-report=report", "--ocr-history=history.jsonl", "-k", "leaves or one_word and training")
    monkeypatch.chdir(project.path)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["report/pictures/*one_word.npy-*", "history: history.jsonl, 1 run", "report: report/index.html"]
    )
    assert json.loads((project.path / "report" / "results.json").read_text())["run"]["tests"]["failed"] == 1
