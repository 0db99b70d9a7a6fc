"""A run that was killed left `not_reached.txt`: pytest runs the rest of it, and judges nothing over the run."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from projects import NO_XDIST, PATIENCE, run, wrong_export
from toy import PAGE

from pytest_ocrparity.session.not_reached import NAME, OPTION, NotReached, refuse_words_behind

READS_FILES = pytest.version_tuple >= (8, 2)
TESTS = 12
HANGS = f"""

@pytest.fixture(autouse=True)
def hang(request):
    import pathlib, time
    if "page2" in request.node.name and "KILLED" in __import__("os").environ:
        pathlib.Path("hangs").touch()
        time.sleep({PATIENCE})
"""


@pytest.fixture
def many(project: pytest.Pytester) -> pytest.Pytester:
    """Six pages with baselines, two tests each; one hangs where it is to be killed."""
    for index in range(4):
        np.save(project.path / "images" / f"page{index}.npy", PAGE)
    run(project, "--ocr-golden", "-k", "baseline").assert_outcomes(passed=6, deselected=6)
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(HANGS)
    return project


def stop(project: pytest.Pytester, how: signal.Signals, *args: str) -> None:
    """Run the project in other processes, and end them while a test hangs."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--ocr-report=report", *args]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KILLED", "1")
        process = project.popen(command, start_new_session=True, **quiet)
    with process:
        end = time.monotonic() + PATIENCE
        while not (project.path / "hangs").exists() and time.monotonic() < end:
            time.sleep(0.01)
        os.killpg(process.pid, how)
        process.wait(PATIENCE)


def passed_before(project: pytest.Pytester) -> list[str]:
    lines = (project.path / "report" / NAME).read_text().splitlines()
    return lines[lines.index(OPTION) + 1 :]


def the_rest(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    if READS_FILES:
        return project.runpytest_subprocess(*args, f"@report/{NAME}")
    return project.runpytest_subprocess(*args, *(project.path / "report" / NAME).read_text().splitlines())


@pytest.mark.parametrize("workers", ["0", "2"])
def test_after_kill_9_the_rest_runs_and_says_that_it_is_partial(many: pytest.Pytester, workers: str) -> None:
    stop(many, signal.SIGKILL, "-n", workers)
    passed = passed_before(many)
    assert 0 < len(passed) < TESTS
    assert not [test for test in passed if "page2" in test]
    result = the_rest(many)
    result.assert_outcomes(passed=TESTS - len(passed), deselected=len(passed) if workers == "0" else 0)
    result.stdout.fnmatch_lines([f"partial: {len(passed)} test* that passed before *left out, so that nothing is *"])
    run_record = json.loads((many.path / "report" / "results.json").read_text())["run"]
    assert run_record["partial"] and run_record["verdict"] == "passed"
    assert not (many.path / "report" / NAME).exists()  # it came to its end
    run(many).assert_outcomes(passed=TESTS)  # and a run that names no file takes no word for anything


def test_what_is_stopped_again_leaves_out_what_passed_in_both(many: pytest.Pytester) -> None:
    stop(many, signal.SIGKILL, "-p", "no:xdist", "-k", "training")
    before = passed_before(many)
    (many.path / "hangs").unlink()
    if not READS_FILES:
        return
    stop(many, signal.SIGKILL, f"@report/{NAME}")
    assert passed_before(many)[: len(before)] == before
    the_rest(many).assert_outcomes(passed=6 - len(before), deselected=TESTS - 6 + len(before))  # its words hold too: -k


@pytest.mark.skipif(not READS_FILES, reason="needs a pytest that reads a file of arguments")
def test_a_word_behind_the_file_is_refused_and_not_left_out(project: pytest.Pytester) -> None:
    (project.path / NAME).write_text(f"{OPTION}\ntest_export.py::test_a\n")
    refused = project.runpytest_subprocess(f"@{NAME}", "test_export.py::test_b", "-q")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    told = f"ERROR: test_export.py::test_b stands behind @{NAME}, which *: write it before @{NAME}"
    refused.stderr.fnmatch_lines([told])


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (["@rest", "a"], "a"),
        (["-q", "@rest", "a", "b", "-x"], "a b"),
        (["@rest", "@other"], "@other"),
        (["a", "@rest"], ""),
        (["@rest", "-k", "a"], ""),
        (["@other", "a"], ""),
        (["@other", "a", "@rest"], ""),
        (["@absent", "a"], ""),
    ],
)
def test_which_words_stand_behind_the_file(tmp_path: Path, words: list[str], refused: str) -> None:
    (tmp_path / "rest").write_text(f"-q\n{OPTION}\ntest_export.py::test_a\n")
    (tmp_path / "other").write_text("-q\n")
    with pytest.raises(pytest.UsageError, match=f"^{refused} stands behind @rest") if refused else nullcontext():
        refuse_words_behind(words, tmp_path)


def test_ctrl_c_says_how_the_rest_runs(many: pytest.Pytester) -> None:
    with (many.path / "conftest.py").open("a") as conftest:
        conftest.write("\n    if 'page2' in request.node.name:\n        raise KeyboardInterrupt\n")
    result = many.runpytest_subprocess("-p", "no:xdist", "--ocr-report=report")
    command = f"pytest @report/{NAME}" if READS_FILES else f"xargs -d '\\n' pytest < report/{NAME}"
    result.stdout.fnmatch_lines([f"what did not pass yet is run by: {command}"])
    assert 0 < len(passed_before(many)) < TESTS
    shell = shlex.quote(f"xargs -d '\\n' {sys.executable} -m pytest --co -q < report/{NAME}")
    listed = subprocess.run(f"sh -c {shell}", shell=True, cwd=many.path, capture_output=True, text=True).stdout
    assert f"{TESTS - len(passed_before(many))}/{TESTS} tests collected" in listed  # so do those without @FILE


def test_a_whole_run_leaves_none(many: pytest.Pytester) -> None:
    run(many, "--ocr-report=report").assert_outcomes(passed=TESTS)
    assert not (many.path / "report" / NAME).exists()


def test_what_failed_runs_again(many: pytest.Pytester) -> None:
    wrong_export(many, mean=0.6)
    stop(many, signal.SIGKILL, "-p", "no:xdist", "-k", "training")
    assert (many.path / "report" / NAME).exists()
    assert not passed_before(many)


CATCHES = """
from pytest_ocrparity import DifferenceError, assert_same_detections
from toy import Toy

def test_catches(ocr_train_model):
    image = "images/one_word.npy"
    try:
        assert_same_detections(ocr_train_model.trace(image), Toy(name="other", pad=PAD).trace(image))
    except DifferenceError:
        pass
"""


@pytest.mark.parametrize("pad", [6, 1])
def test_what_caught_a_difference_runs_again(project: pytest.Pytester, pad: int) -> None:
    project.makepyfile(test_a=CATCHES.replace("PAD", str(pad)), test_b="def test_b():\n    raise KeyboardInterrupt")
    project.runpytest(*NO_XDIST, "--ocr-report=report", "test_a.py", "test_b.py", no_reraise_ctrlc=True)
    assert ("test_a.py::test_catches" in passed_before(project)) == (pad == 1)


def test_a_test_that_each_worker_runs_is_not_left_out_by_having_passed_on_one(many: pytest.Pytester) -> None:
    stop(many, signal.SIGKILL, "--dist", "each", "--tx", "2*popen")
    assert not passed_before(many)  # where workers share them some are, see above


def test_of_two_runs_in_one_folder_each_has_its_own(tmp_path: Path) -> None:
    one, other = (NotReached([name], tmp_path, []) for name in ("one", "other"))
    one.begin(tmp_path)
    one.leave_out("a.py::test_a", [])
    other.begin(tmp_path)
    one.leave_out("a.py::test_b", [])
    (warning,) = one.end(is_whole=True)
    assert warning.startswith(f"WARNING: {NAME} was replaced or removed while this run went on: ")
    assert (tmp_path / NAME).read_text() == f"other\n{OPTION}\n"
    other.leave_out("a.py::test_a", [])
    assert (tmp_path / NAME).read_text() == f"other\n{OPTION}\na.py::test_a\n"
    assert other.end(is_whole=True) == []
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("is_partial", [True, False])
def test_a_rest_that_uses_nothing_of_ours_is_partial_all_the_same(project: pytest.Pytester, is_partial: bool) -> None:
    project.makepyfile(test_b="def test_other():\n    pass")
    given = (OPTION, "test_b.py::test_before") if is_partial else ()
    result = run(project, "test_b.py", "--ocr-report=report", *given)
    result.assert_outcomes(passed=1)
    assert ("partial: 1 test that passed before was left out" in result.stdout.str()) == is_partial
    verdict = json.loads((project.path / "report" / "results.json").read_text())["run"]["verdict"]
    assert verdict == ("passed" if is_partial else "failed")


@pytest.mark.parametrize("line", ["test_export.py::test_export_matches_base", "test_export.py::test_export"])
def test_a_line_that_was_cut_off_leaves_nothing_out(many: pytest.Pytester, line: str) -> None:
    run(many, OPTION, line).assert_outcomes(passed=TESTS)


def test_a_test_that_is_collected_twice_is_not_left_out_by_having_passed_once(many: pytest.Pytester) -> None:
    test = "test_export.py::test_export_matches_training[images/page0.npy]"
    given = (OPTION, test, "-k", "page0 and training")
    run(many, "test_export.py", *given).assert_outcomes(deselected=TESTS)
    run(many, "--keep-duplicates", "test_export.py", "test_export.py", *given).assert_outcomes(
        passed=2, deselected=2 * TESTS - 2
    )


@pytest.mark.parametrize("is_partial", [True, False])
def test_a_partial_run_judges_nothing_over_the_run(many: pytest.Pytester, is_partial: bool) -> None:
    for path in (many.path / "images").iterdir():
        np.save(path, np.zeros_like(PAGE))  # no image has a box
    given = (OPTION, "test_export.py::test_export_matches_training[images/page0.npy]") if is_partial else ()
    result = run(many, "-k", "training", *given)
    assert result.ret == (0 if is_partial else 1)
    assert ("no image of this run has a box" in result.stdout.str()) == (not is_partial)


def test_a_partial_run_prunes_nothing(many: pytest.Pytester) -> None:
    stray = many.path / "goldens" / "images" / "gone.npy.npz"
    stray.write_bytes((many.path / "goldens" / "images" / "page0.npy.npz").read_bytes())
    result = run(many, "--ocr-golden-prune", OPTION, "test_export.py::test_export_matches_training[images/page0.npy]")
    result.stdout.fnmatch_lines(["*nothing was pruned: not_reached.txt leaves out what passed before*"])
    assert stray.exists()


def test_it_costs_nothing_where_no_report_is_made(many: pytest.Pytester) -> None:
    run(many).assert_outcomes(passed=TESTS)
    assert not list(Path(many.path).rglob(NAME))
