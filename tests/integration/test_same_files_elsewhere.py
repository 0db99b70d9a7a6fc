"""A project says the same after git, another system or an archive has written its files in their own way."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from toy import PAGE, Toy

import pytest_ocrparity
from pytest_ocrparity.artifacts.model_files import fingerprint_training_files
from pytest_ocrparity.errors import GoldenStale
from pytest_ocrparity.files import earlier_file_digests, text_file_digest
from pytest_ocrparity.golden.store import GoldenStore

NO_XDIST = ("-p", "no:xdist")
Form = Literal["NFC", "NFD"]
YML = "Global:\n  checkpoints: none\nArchitecture: {}\n"


def as_crlf(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


class TestLineEnds:
    @pytest.fixture
    def recorded(self, project: pytest.Pytester) -> pytest.Pytester:
        """A project with baselines of a train model whose yml is known."""
        project.makepyprojecttoml(
            '[tool.ocrparity]\nimages = ["images/*.npy"]\n[tool.ocrparity.train]\nconfig = "a.yml"'
        )
        (project.path / "a.yml").write_text(YML)
        project.runpytest(*NO_XDIST, "--ocr-golden", "-k", "baseline").assert_outcomes(passed=2, deselected=2)
        return project

    def test_other_line_ends_make_no_baseline_stale(self, recorded: pytest.Pytester) -> None:
        as_crlf(recorded.path / "a.yml")
        recorded.runpytest(*NO_XDIST, "-k", "baseline").assert_outcomes(passed=2, deselected=2)

    def test_another_text_does(self, recorded: pytest.Pytester) -> None:
        (recorded.path / "a.yml").write_text(YML + "# changed\n")
        result = recorded.runpytest(*NO_XDIST, "-k", "baseline")
        result.assert_outcomes(failed=2, deselected=2)
        result.stdout.fnmatch_lines(["*the config changed since the baseline was recorded*"])

    @pytest.mark.parametrize("then", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
    @pytest.mark.parametrize("now", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
    def test_baselines_of_earlier_versions_are_known(self, tmp_path: Path, then: bytes, now: bytes) -> None:
        yml, image = tmp_path / "a.yml", tmp_path / "page.npy"
        yml.write_bytes(YML.encode().replace(b"\n", then))
        np.save(image, PAGE)
        old = {"config": hashlib.sha256(yml.read_bytes()).hexdigest()}  # of the bytes, as it was
        toy = Toy()
        recording = GoldenStore(tmp_path / "g", root=tmp_path, reference="train", mode="missing", fingerprint=old)
        recording.record(image, toy.trace(str(image)))
        yml.write_bytes(YML.encode().replace(b"\n", now))

        def store() -> GoldenStore:
            parts, earlier = fingerprint_training_files(yml), {"config": earlier_file_digests(yml)}
            return GoldenStore(tmp_path / "g", root=tmp_path, reference="train", fingerprint=parts, earlier=earlier)

        assert store().load(image).detections == store().load(image).detections
        yml.write_text(YML + "x: 1\n")
        with pytest.raises(GoldenStale, match="the config changed"):
            store().load(image)

    def test_only_line_ends_are_alike(self, tmp_path: Path) -> None:
        digests = set()
        for text in (b"a\nb\n", b"a\r\nb\r\n", b"a\r\nb\n", b"a\rb\n", b"ab\n"):
            path = tmp_path / "a.yml"
            path.write_bytes(text)
            digests.add(text_file_digest(path))
        assert len(digests) == 3


class TestSpelling:
    @pytest.mark.parametrize(("then", "now"), [("NFD", "NFC"), ("NFC", "NFD")])
    def test_a_baseline_is_found_under_either_spelling(self, project: pytest.Pytester, then: Form, now: Form) -> None:
        images, goldens = project.path / "images", project.path / "goldens" / "images"
        for path in images.iterdir():
            path.unlink()
        name = "fête.npy"
        np.save(images / unicodedata.normalize(then, name), PAGE)
        project.runpytest(*NO_XDIST, "--ocr-golden", "-k", "baseline").assert_outcomes(passed=1, deselected=1)
        before = list(goldens.iterdir())
        (images / unicodedata.normalize(then, name)).rename(images / unicodedata.normalize(now, name))
        result = project.runpytest(*NO_XDIST, "--ocr-golden-prune")
        result.assert_outcomes(passed=2)
        result.stdout.no_fnmatch_line("*removed*")
        project.runpytest(*NO_XDIST, "--ocr-golden", "-k", "baseline").assert_outcomes(passed=1, deselected=1)
        assert list(goldens.iterdir()) == before

    def test_another_letter_has_no_baseline(self, project: pytest.Pytester) -> None:
        project.runpytest(*NO_XDIST, "--ocr-golden", "-k", "baseline").assert_outcomes(passed=2, deselected=2)
        images = project.path / "images"
        (images / "one_word.npy").rename(images / "öne_word.npy")
        result = project.runpytest(*NO_XDIST, "-k", "baseline")
        result.assert_outcomes(passed=1, failed=1, deselected=2)
        result.stdout.fnmatch_lines(["*no baseline in goldens*"])


class TestLinks:
    @pytest.mark.parametrize("option", [[], ["--ocr-config=pyproject.toml"]], ids=["found", "named"])
    def test_paths_start_at_the_folder_of_the_link(self, project: pytest.Pytester, option: list[str]) -> None:
        shared = project.mkdir("shared")
        shutil.move(project.path / "pyproject.toml", shared / "pyproject.toml")
        (project.path / "pyproject.toml").symlink_to(shared / "pyproject.toml")
        project.runpytest(*NO_XDIST, *option, "-k", "training").assert_outcomes(passed=2, deselected=2)

    def test_where_nothing_is_found_the_link_is_named(self, project: pytest.Pytester) -> None:
        other = project.mkdir("other")
        (other / "ocrparity.toml").symlink_to(project.path / "pyproject.toml")
        (project.path / "pyproject.toml").write_text('images = "images/*.npy"\n')
        result = project.runpytest(*NO_XDIST, "--ocr-config=other/ocrparity.toml", "-k", "training")
        result.assert_outcomes(errors=1, deselected=1)
        result.stdout.fnmatch_lines(["*other/ocrparity.toml, which is a link to */pyproject.toml; the nearest folder*"])


def test_the_package_runs_from_an_archive(project: pytest.Pytester) -> None:
    package = Path(pytest_ocrparity.__file__).parent
    archive = shutil.make_archive(str(project.path / "all"), "zip", package.parent, package.name)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([archive, str(Path(__file__).parents[1])])}

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", *args], env=env, capture_output=True, text=True, check=False)

    made = run("pytest", *NO_XDIST, "-k", "training", "--ocr-report=report")
    assert made.returncode == 0, made.stdout
    assert (project.path / "report" / "index.html").is_file()
    judged = run("pytest_ocrparity", "report/results.json")
    assert (judged.returncode, judged.stderr) == (0, "")
    assert judged.stdout.endswith("passed\n")
    judged = run("pytest_ocrparity", "report/results.json", "--tolerance", "fp99")
    assert judged.returncode == 2
