"""Names from hell in paths, ids and models come out right in HTML, JSON, Markdown and on the terminal."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from projects import CONFTEST
from reports import Page
from toy import PAGE, Toy

from pytest_ocrparity.golden.baseline_file import load_baseline_file, save_baseline_file
from pytest_ocrparity.report.markdown import code
from pytest_ocrparity.report.permalinks import image_anchor

NAMES = (
    "\"quotes\" and 'more'.npy",
    "<script>alert(1)</script>.npy",
    "&amp;lt;img src=x onerror=alert(1)&gt;.npy",
    "x" * 246 + ".npy",
    "收据和发票.npy",
    "new\nline.npy",
    "tab\tand\x1b[31mred.npy",
    "| a | b | `c` **d** [e](f) @everyone #1.npy",
    "{{ 7 * 7 }}{% raw %}.npy",
    "::error file=a::told.npy",
    "--ocr-golden.npy",
)
MODEL = '<b>my | `engine`</b>\n::warning::"x" 引擎'


@pytest.fixture
def hostile(project: pytest.Pytester) -> pytest.Pytester:
    """A project whose images, test ids and models have these names, and whose boxes differ."""
    project.makeconftest(CONFTEST.replace('name="inference"', f"name={MODEL!r}, pad=4"))
    folder = project.path / "images"
    for path in folder.iterdir():
        path.unlink()
    for name in NAMES:
        (folder / name).parent.mkdir(exist_ok=True)
        np.save(folder / name, PAGE)
    project.makepyprojecttoml('[tool.ocrparity]\nimages = ["images/**/*.npy"]\n')
    project.makepyfile(
        test_export="""
        import pytest
        from pytest_ocrparity import assert_same_detections

        @pytest.mark.parametrize("id", ["<i>'\\"&\\n|`"])
        def test_it(ocr_train_model, ocr_inference_model, ocr_image, id):
            assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
        """
    )
    return project


@pytest.fixture
def ran(hostile: pytest.Pytester) -> tuple[pytest.RunResult, dict[str, Any], Path]:
    result = hostile.runpytest("-p", "no:xdist", "-v", "--ocr-report=report", "--ocr-github=on", "--tb=short")
    result.assert_outcomes(failed=len(NAMES))
    return result, json.loads((hostile.path / "report" / "results.json").read_text()), hostile.path / "report"


def printed(name: str) -> str:
    """Return a name as it must be told: on one line, with what does not print as an escape."""
    return f"images/{name}".replace("\n", "\\n").replace("\t", "\\t").replace("\x1b", "\\x1b")


def test_json_holds_them_on_one_line(ran: tuple[pytest.RunResult, dict[str, Any], Path]) -> None:
    _, results, _ = ran
    assert {each["image"] for each in results["comparisons"]} == set(map(printed, NAMES))
    assert {each["candidate"] for each in results["comparisons"]} == {MODEL.replace("\n", "\\n")}


def test_html_shows_them_and_runs_nothing(ran: tuple[pytest.RunResult, dict[str, Any], Path]) -> None:
    _, _, folder = ran
    text = (folder / "index.html").read_text()
    page = Page(text)
    assert not page.open  # every tag is balanced, so none came from a name
    for name in NAMES:
        assert printed(name) in page.text
    assert MODEL.replace("\n", "\\n") in page.text
    for markup in ("<script>alert", "<b>my", "<i>'"):
        assert markup not in text
        assert markup in page.text
    for link in page.links:
        assert link.startswith("#") or (folder / link).is_file()
    for path in (folder / "pictures").rglob("*.svg"):
        assert "<script" not in path.read_text()


def test_markdown_shows_them(ran: tuple[pytest.RunResult, dict[str, Any], Path]) -> None:
    _, _, folder = ran
    text = (folder / "summary.md").read_text()
    for name in NAMES:
        assert code(printed(name)) in text
    for line in text.splitlines():
        # No pipe, backtick or mention of a name is left as itself.
        plain = re.sub(r"<code>.*?</code>", "", line)
        assert "@" not in line
        assert "`" not in line
        assert plain.count("|") in (0, 6)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {6}


def test_entities_say_what_the_name_says() -> None:
    for name in map(printed, (*NAMES, MODEL)):
        assert html.unescape(code(name)) == f"<code>{name}</code>"


def test_annotations_parse(ran: tuple[pytest.RunResult, dict[str, Any], Path]) -> None:
    result, _, _ = ran
    lines = [line for line in result.outlines if line.startswith("::")]
    assert lines
    assert all(line.startswith("::error ") for line in lines)
    for line in lines:
        assert re.fullmatch(r"::error [^:]*::.*", line)


def test_the_terminal_keeps_its_lines_and_colours(ran: tuple[pytest.RunResult, dict[str, Any], Path]) -> None:
    result, _, _ = ran
    ours = result.stdout.str().partition("- ocrparity -")[2].partition("short test summary")[0]
    assert "\x1b" not in ours
    rows = [line for line in ours.splitlines() if line.startswith("    images/")]
    assert len(rows) == len(NAMES)
    first = [line for line in result.outlines if "first difference at detections" in line and line.startswith("E ")]
    assert len(first) == len(NAMES)


def test_rows_of_files_are_found_again(ran: tuple[pytest.RunResult, dict[str, Any], Path]) -> None:
    """The table's links lead to the image's own card."""
    _, _, folder = ran
    page = Page((folder / "index.html").read_text())
    for name in NAMES:
        anchor = image_anchor(printed(name))
        assert not re.search(r"""[\s"'<>&?#%]""", anchor)
        assert anchor in page.ids and f"#{anchor}" in page.links


HALF = "\ud800"


@pytest.mark.parametrize("workers", ["0", "2"])
def test_half_a_surrogate_pair_in_a_baseline_hides_no_failure(project: pytest.Pytester, workers: str) -> None:
    trace = Toy(pad=7).trace(project.path / "images" / "one_word.npy")
    parameters = {**trace.parameters, "detections": {**trace.parameters["detections"], "box_thresh": HALF}}
    for name in ("one_word", "three_words"):
        project.runpytest("-p", "no:xdist", "--ocr-golden", "-k", f"baseline and {name}")
    path = project.path / "goldens" / "images" / "one_word.npy.npz"
    old = load_baseline_file(path).manifest
    image = replace(trace, image="images/one_word.npy", parameters=parameters, image_sha256=old["image_sha256"])
    save_baseline_file(path, image, reference="train", fingerprint=old["fingerprint"])
    result = project.runpytest_subprocess("-n", workers, "-k", "baseline", "--ocr-report=report")
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert (project.path / "report" / "index.html").exists()


@pytest.mark.parametrize(
    ("chosen", "error"),
    [("training or test_it", r"\ud800"), ("test_it", r"\ud800"), ("test_it", "")],
    ids=["beside others", "alone", "none"],
)
def test_a_report_that_does_not_travel_fails_the_run(project: pytest.Pytester, chosen: str, error: str) -> None:
    """xdist stops with an INTERNALERROR that leaves exit status 0 behind, or 3, as its processes race."""
    project.makepyfile(
        test_other=f"""
        def test_it({"ocr_train_model, ocr_image" if error else ""}):
            if "{error}":
                raise ValueError("{error}")
        """
    )
    result = project.runpytest_subprocess("-n", "2", "-k", chosen, "--ocr-images=images/one_word.npy")
    failed = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERNAL_ERROR)
    assert result.ret in (failed if error else (pytest.ExitCode.OK,))
    assert ("did not report a result" in result.stdout.str()) == (result.ret == pytest.ExitCode.TESTS_FAILED)
