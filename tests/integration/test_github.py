"""What GitHub Actions is told: only there or when forced, in its own syntax, and no more than it shows."""

from __future__ import annotations

import pytest
from annotations import parsed
from projects import wrong_export

NO_XDIST = ("-p", "no:xdist")


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
    result.stdout.fnmatch_lines(["GITHUB_STEP_SUMMARY=*: cannot write there: Is a directory"])
