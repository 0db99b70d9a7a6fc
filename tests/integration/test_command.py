"""`python -m pytest_ocrparity`: the results of a run, judged again."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from projects import wrong_export

from pytest_ocrparity.__main__ import main


class TestCommand:
    @pytest.fixture
    def results(self, project: pytest.Pytester) -> Path:
        """The results of a run in which the tensor and the map differ, and no box does."""
        wrong_export(project, mean=0.6)
        project.runpytest("-p", "no:xdist", "-k", "training", "--ocr-report=report")
        return project.path / "report" / "results.json"

    def test_nothing_given_repeats_the_verdict(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([str(results)]) == 1
        told = capsys.readouterr().out.splitlines()
        assert told[0] == "inference against train: 2 images"
        assert "FAILED different: images/one_word.npy: preprocessing of inference" in told
        assert told[-1] == "failed"

    def test_wide_enough_limits_pass(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        wide = ["--tolerance=preprocessing.atol=0.5", "--tolerance=probability_maps.atol=0.1"]
        assert main([str(results), *wide, "-v"]) == 0
        told = capsys.readouterr().out
        assert "images/one_word.npy" in told
        assert told.endswith("passed\n")

    def test_what_a_failure_kept_from_being_asserted_must_pass_too(
        self, results: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([str(results), "--tolerance=preprocessing.atol=0.5"]) == 1
        assert "FAILED different: images/one_word.npy: probability maps of inference" in capsys.readouterr().out

    def test_what_cannot_be_told_does_not_pass(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        wide = ["--tolerance=preprocessing.atol=0.5", "--tolerance=probability_maps.atol=1e-6"]
        assert main([str(results), *wide, "--tolerance=probability_maps.max_share=0.5"]) == 1
        told = capsys.readouterr().out
        assert "FAILED undecided: images/one_word.npy: probability maps of inference" in told
        assert "run pytest with this --ocr-tolerance" in told

    def test_limits_of_a_run_are_judged_over_it(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        wide = ["--tolerance=fp16", "--tolerance=preprocessing.atol=0.5"]
        assert main([str(results), *wide, "--tolerance=probability_maps.mean_atol=1e-5"]) == 1
        assert "FAILED over the run" in capsys.readouterr().out
        assert main([str(results), *wide, "--tolerance=probability_maps.mean_atol=1"]) == 0

    def test_what_was_not_compared_fails(self, project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
        project.makeconftest("")
        project.runpytest("-p", "no:xdist", "-k", "training", "--ocr-report=report")
        capsys.readouterr()
        assert main([str(project.path / "report" / "results.json"), "--tolerance=int8"]) == 1
        assert (
            "FAILED not compared: test_export.py::test_export_matches_training[settings-error]: "
            in capsys.readouterr().out
        )

    @pytest.mark.parametrize("what", ["nothing", "cut short"])
    def test_a_run_without_its_end_or_any_comparison_does_not_pass(
        self, results: Path, what: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        document = json.loads(results.read_text())
        if what == "nothing":
            document["comparisons"] = []
        else:
            document["run"]["interrupted"] = True
        results.write_text(json.dumps(document))
        assert main([str(results), "--tolerance=preprocessing.atol=1", "--tolerance=probability_maps.atol=1"]) == 1
        told = {"nothing": "FAILED nothing was compared", "cut short": "FAILED the run stopped before its last test"}
        assert told[what] in capsys.readouterr().out

    def test_a_file_that_is_inconsistent_is_refused(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The schema leaves open which measures a comparison has."""
        document = json.loads(results.read_text())
        document["comparisons"][0] |= {"measures": [], "differences": [], "status": "different"}
        results.write_text(json.dumps(document))
        capsys.readouterr()
        assert main([str(results), "--tolerance=exact"]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert "results.json is inconsistent: KeyError: 'preprocessing.atol'" in told.err

    def test_what_a_file_says_stays_on_its_line(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        document = json.loads(results.read_text())
        for each in document["comparisons"]:
            each["candidate"] = "\x1b[31mred\n::error::told"
        results.write_text(json.dumps(document))
        capsys.readouterr()
        assert main([str(results)]) == 1
        told = capsys.readouterr().out
        assert "\\x1b[31mred\\n::error::told against train" in told
        assert all(line.isprintable() for line in told.splitlines())

    @pytest.mark.parametrize(
        ("args", "told"),
        [
            (["none.json"], "none.json: cannot read these results: No such file"),
            (["none.json", "--tolerance=fp8"], "no tolerance preset 'fp8'"),
            (["none.json", "--tolerance=maps.atol=1"], "no tolerance stage 'maps'"),
        ],
    )
    def test_a_wrong_command_is_told(self, args: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(args) == 2
        error = capsys.readouterr().err
        assert told in error
        assert "Traceback" not in error

    def test_it_runs_as_a_module(self, results: Path) -> None:
        done = subprocess.run([sys.executable, "-m", "pytest_ocrparity", str(results)], capture_output=True, text=True)
        assert done.returncode == 1
        assert done.stdout.endswith("failed\n")


class TestWhatIsPrinted:
    @pytest.mark.parametrize(("encoding", "name"), [("ascii", b"\\xfc"), ("utf-8", "\u00fc".encode())])
    def test_a_name_that_the_terminal_can_not_show_is_escaped(
        self, encoding: str, name: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "\u00fc").mkdir()
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", out)
        assert main(["init", str(tmp_path / "\u00fc")]) == 1  # nothing is there, and the file that says so is named
        assert name + b"/ocrparity.toml sets no train.config" in out.buffer.getvalue()

    def test_a_closed_pipe_ends_it_quietly(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as out:
            monkeypatch.setattr(sys, "stdout", out)
            assert main(["init", str(tmp_path)]) == 1

    def test_layers_are_compared_in_a_project(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main(["layers", "page.png"]) == 2
        told = "no settings file was found upward from here: run this in the project, or pass --settings\n"
        assert capsys.readouterr().err == f"python -m pytest_ocrparity layers: {told}"

    def test_each_mistake_of_the_settings_has_its_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "ocrparity.toml").write_text('imags = ["a.png"]\nallow_empty = 1\n')
        monkeypatch.chdir(tmp_path)
        assert main(["deploy"]) == 2
        one, two = capsys.readouterr().err.splitlines()
        head = f"python -m pytest_ocrparity deploy: {tmp_path}/ocrparity.toml: "
        assert {one, two} == {
            f"{head}imags is no setting; did you mean 'images'?",
            f"{head}allow_empty is true or false, not 1",
        }
